"""Create, show, change, deactivate and remove share links."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from guestpass.app.accounts import AccountService, SignInCredentials, warnings_of
from guestpass.app.findings import closed_to_visitors
from guestpass.app.link_terms import LINK_TERMS, LinkChange, NewLink, check_for_environment, check_terms, type_errors
from guestpass.app.lookup import existing_environment, existing_link
from guestpass.app.paging import PAGE, Page, check_limit, read_cursor, write_cursor
from guestpass.app.passwords import prepared, suggest_password
from guestpass.app.ports import (
    Announcer,
    ChangeKind,
    Clock,
    Entropy,
    LinkFilter,
    LinkSort,
    PasswordHasher,
    Store,
    TokenVault,
    UnitOfWork,
)
from guestpass.app.public_urls import PublicUrls
from guestpass.app.turns import owner
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import Account
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.errors import FieldError, Invalid, NotFound, external_name
from guestpass.domain.finding import Finding
from guestpass.domain.link import (
    DEFAULT_LIFETIME,
    Access,
    EventKind,
    LinkEvent,
    ShareLink,
    ShareType,
    Status,
)
from guestpass.domain.visit import LIVE

__all__ = ["LinkChange", "LinkSearch", "LinkService", "ManyDeactivated", "NewLink", "OwnedLink"]

SEARCH_LENGTH: Final = 200
MANY: Final = 500
"""How many links one call may deactivate."""
VIEW_ONLY_UNSIGNED: Final = Finding(
    code="view_only_unsigned",
    detail="This link signs nobody in: visitors see what Odoo shows to everybody, or sign in with a login of their "
    "own, whose rights may be wide. View-only is a guard; Odoo's access rights are the boundary.",
    remedy="Sign visitors in (signInAs) as a user who may read what they should see and write nothing.",
)


@dataclass(frozen=True, slots=True)
class OwnedLink:
    """A link as its owner sees it: with its URL, made at each reading from the encrypted token.

    `account` is who visitors are signed in as; None too where a link that ended has outlived its account.
    `visitors_now` is how many are there at this moment, `places_taken` how many of `max_visitors` are let in. `closed`
    is what keeps visitors out of its environment.
    """

    link: ShareLink
    url: str
    status: Status
    account: Account | None = None
    visitors_now: int = 0
    places_taken: int = 0
    closed: tuple[Finding, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether nobody else is let in."""
        return self.link.max_visitors is not None and self.places_taken >= self.link.max_visitors

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What the owner should consider before the link is sent."""
        unsigned = self.link.access is Access.READ_ONLY and self.link.account is None
        return (
            *(warnings_of(self.account, self.link.access) if self.account else ()),
            *((VIEW_ONLY_UNSIGNED,) if unsigned else ()),
            *self.closed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSearch:
    """Which of the links of all environments to list, and how; None for what doesn't matter.

    Each word of `text` is looked for in label, note, id and the environment's name. `expiring_within` leaves out what
    isn't active. `descending` None takes what people expect of each way to sort.
    """

    text: str | None = None
    environment_id: str | None = None
    status: Status | None = None
    share_type: ShareType | None = None
    created_by: str | None = None
    expiring_within: timedelta | None = None
    sort: LinkSort = LinkSort.CREATED
    descending: bool | None = None
    limit: int = PAGE
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ManyActivated:
    """What became of many links, each once: `before` were active already, `refused` can't open as they are."""

    activated: tuple[str, ...]
    before: tuple[str, ...]
    refused: tuple[str, ...]
    not_found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManyDeactivated:
    """What became of many links, each once and in the order asked for: `before` were deactivated already."""

    deactivated: tuple[str, ...]
    before: tuple[str, ...]
    not_found: tuple[str, ...]


class LinkService:
    """The use cases around share links; every call acts for a principal within its organisation."""

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        vault: TokenVault,
        hasher: PasswordHasher,
        addresses: PublicUrls,
        accounts: AccountService,
        clock: Clock,
        entropy: Entropy,
        longest: timedelta,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._vault = vault
        self._hasher = hasher
        self._addresses = addresses
        self._accounts = accounts
        self._clock = clock
        self._entropy = entropy
        self._longest = longest

    @property
    def longest(self) -> timedelta:
        """How long a link may work from now on."""
        return self._longest

    def suggest_password(self) -> str:
        """A good password that an owner may take or leave."""
        return suggest_password(self._entropy)

    def errors_of(self, terms: NewLink | LinkChange) -> tuple[FieldError, ...]:
        """Return the errors that don't depend on the environment, for callers that parsed only some fields."""
        try:
            self._check(terms, self._clock.now())
        except Invalid as error:
            return error.errors
        return ()

    async def create(self, principal: Principal, environment_id: str, new: NewLink) -> OwnedLink:
        """Make a link; raises NotFound for the environment and Invalid with each wrong field.

        Credentials become an account, so they need the scope for that too.
        """
        principal.require(Scope.SHARES_WRITE)
        given, now = new.given(), self._clock.now()
        terms = {"label": None, "expires_at": None} | self._check(new, now)
        terms["expires_at"] = terms["expires_at"] or now + min(DEFAULT_LIFETIME, self._longest)
        password, sign_in_as = given.get("password"), given.get("sign_in_as")
        key = EnvironmentKey(principal.org, environment_id)
        async with self._store.reading() as work:
            environment = await existing_environment(work, key)
            check_for_environment(given, environment)
            closed = await closed_to_visitors(work, {key})
            if isinstance(sign_in_as, str):
                await _named_account(work, key, sign_in_as)
        account_name = await self._account_name(principal, key, sign_in_as)
        # The slow hash is made outside the write transaction, so that it never holds the lock.
        password_hash = await self._hasher.hash(prepared(password), principal.org) if password is not None else None
        link = ShareLink(
            id=_new_id(self._entropy),
            environment=key,
            share_type=_share_type(password_hash),
            password_hash=password_hash,
            version=1,
            created_at=now,
            created_by=principal.sub,
            deactivated_at=None if given.get("active", True) else now,
            account=account_name,
            **terms,
        )
        token = self._vault.new()
        async with self._store.writing(owner(principal)) as work:
            check_for_environment(given, await existing_environment(work, key))
            account = await _named_account(work, key, account_name) if account_name is not None else None
            await work.links.add(link, self._vault.hash(token), self._vault.seal(token, link.id))
            await work.visits.add_events([LinkEvent(link.id, now, EventKind.CREATED, principal.sub)])
            await work.changes.append(ChangeKind.LINK, link.id)
        await self._announcer.announce()
        return OwnedLink(link, self._addresses.share_url(token), link.status(now), account, closed=closed.get(key, ()))

    async def list_all(
        self, principal: Principal, environment_id: str, status: Status | None = None
    ) -> list[OwnedLink]:
        """The environment's links, newest first."""
        principal.require(Scope.SHARES_READ)
        key, now = EnvironmentKey(principal.org, environment_id), self._clock.now()
        async with self._store.reading() as work:
            await existing_environment(work, key)
            links = await work.links.by_environment(key, now=now, status=status)
            return await self._owned(work, links, await work.accounts.all(key))

    async def page(
        self, principal: Principal, environment_id: str, status: Status | None, *, limit: int, cursor: str | None
    ) -> Page[OwnedLink]:
        """The same, a page at a time; raises NotFound and Invalid."""
        principal.require(Scope.SHARES_READ)
        async with self._store.reading() as work:
            await existing_environment(work, EnvironmentKey(principal.org, environment_id))
        return await self.find(
            principal, LinkSearch(environment_id=environment_id, status=status, limit=limit, cursor=cursor)
        )

    async def find(self, principal: Principal, search: LinkSearch) -> Page[OwnedLink]:
        """Links of all the organisation's environments, a page at a time; raises Invalid for what can't be searched."""
        principal.require(Scope.SHARES_READ)
        descending = search.descending
        if descending is None:
            descending = search.sort in {LinkSort.CREATED, LinkSort.LAST_OPENED, LinkSort.VISITS}
        order = f"links:{search.sort}:{'desc' if descending else 'asc'}"
        wanted = self._filter(principal, search)
        after = None
        if search.cursor is not None:
            value, id = read_cursor(search.cursor, order, _KEY_TYPES[search.sort], str)
            after = value, str(id)
        async with self._store.reading() as work:
            links = await work.links.find(
                wanted, sort=search.sort, descending=descending, after=after, limit=search.limit + 1
            )
            total = await work.links.count(wanted)
            shown, more = links[: search.limit], len(links) > search.limit
            owned = await self._owned(work, shown, await work.accounts.of_org(principal.org))
        cursor = write_cursor(order, _sort_key(shown[-1], search.sort), shown[-1].id) if more else None
        return Page(tuple(owned), cursor, total)

    async def get(self, principal: Principal, environment_id: str, id: str) -> OwnedLink:
        """One link; raises NotFound when it is not one of that environment's."""
        principal.require(Scope.SHARES_READ)
        key = EnvironmentKey(principal.org, environment_id)
        async with self._store.reading() as work:
            link = await existing_link(work, key, id)
            return (await self._owned(work, [link], await work.accounts.all(key)))[0]

    async def change(
        self,
        principal: Principal,
        environment_id: str,
        id: str,
        change: LinkChange,
        *,
        check: Callable[[ShareLink], None] | None = None,
    ) -> OwnedLink:
        """Change some fields; raises NotFound, and Invalid with each wrong field.

        A new password ends the passes that were given out before it. What is as it was before changes nothing.
        `check` is shown what is there and raises what forbids the change.
        """
        principal.require(Scope.SHARES_WRITE)
        given, key = change.given(), EnvironmentKey(principal.org, environment_id)
        terms = self._check(change, self._clock.now())
        async with self._store.reading() as work:
            await existing_link(work, key, id)
            check_for_environment(given, await existing_environment(work, key))
            if isinstance(named := given.get("sign_in_as"), str):
                await _named_account(work, key, named)
        if "sign_in_as" in given:
            terms["account"] = await self._account_name(principal, key, given["sign_in_as"])
        if "password" in given:
            terms["password_hash"] = (
                await self._hasher.hash(prepared(given["password"]), principal.org) if given["password"] else None
            )
            terms["share_type"] = _share_type(terms["password_hash"])
        async with self._store.writing(owner(principal)) as work:
            before, now = await existing_link(work, key, id), self._clock.now()
            if check is not None:
                check(before)
            environment = await existing_environment(work, key)
            check_for_environment(given, environment)
            after = replace(before, **terms)
            if terms.get("password_hash") is not None:
                after = after.renewed(now)
            if given.get("active") is not None:
                after = _switched(after, now, active=given["active"])
            await self._save(work, principal, environment, before, after, now)
            owned = (await self._owned(work, [after], await work.accounts.all(key)))[0]
        await self._announcer.announce()
        return owned

    async def rotate(self, principal: Principal, environment_id: str, id: str) -> OwnedLink:
        """Give a link another URL: the old one says that it was replaced, and its visitors' passes end."""
        principal.require(Scope.SHARES_WRITE)
        key, token = EnvironmentKey(principal.org, environment_id), self._vault.new()
        async with self._store.writing(owner(principal)) as work:
            before, now = await existing_link(work, key, id), self._clock.now()
            link = before.renewed(now)
            await work.links.update(link)
            await work.links.replace_token(id, self._vault.hash(token), self._vault.seal(token, id), now)
            await work.visits.add_events([LinkEvent(id, now, EventKind.ROTATED, principal.sub)])
            await work.changes.append(ChangeKind.LINK, id)
            owned = (await self._owned(work, [link], await work.accounts.all(key)))[0]
        await self._announcer.announce()
        return owned

    async def deactivate(self, principal: Principal, environment_id: str, id: str) -> bool:
        """Switch a link off; its record stays. A second time changes nothing and returns False."""
        principal.require(Scope.SHARES_WRITE)
        async with self._store.writing(owner(principal)) as work:
            link = await existing_link(work, EnvironmentKey(principal.org, environment_id), id)
            changed = await self._deactivate(work, principal, link)
        await self._announcer.announce()
        return changed

    async def deactivate_many(self, principal: Principal, ids: Sequence[str]) -> ManyDeactivated:
        """Switch many links of any environments off, in one transaction; raises Invalid for too many."""
        principal.require(Scope.SHARES_WRITE)
        if not 1 <= len(ids) <= MANY:
            raise Invalid.one("ids", f"must be 1 to {MANY} ids")
        asked, now = tuple(dict.fromkeys(ids)), self._clock.now()
        async with self._store.writing(owner(principal)) as work:
            # As few statements as for one: nobody else writes meanwhile.
            known, before = await work.links.deactivate_many(principal.org, asked, now)
            changed = [id for id in asked if id in known - before]
            await work.visits.add_events([LinkEvent(id, now, EventKind.DEACTIVATED, principal.sub) for id in changed])
            await work.changes.append(ChangeKind.LINK, *changed)
        await self._announcer.announce()
        return ManyDeactivated(
            tuple(changed), tuple(id for id in asked if id in before), tuple(id for id in asked if id not in known)
        )

    async def activate_many(self, principal: Principal, ids: Sequence[str]) -> ManyActivated:
        """Open many links of any environments again, in one transaction; raises Invalid for too many.

        Those that can't be opened as they are stay as they are.
        """
        principal.require(Scope.SHARES_WRITE)
        if not 1 <= len(ids) <= MANY:
            raise Invalid.one("ids", f"must be 1 to {MANY} ids")
        became: dict[str, list[str]] = {"activated": [], "before": [], "refused": [], "not_found": []}
        async with self._store.writing(owner(principal)) as work:
            now = self._clock.now()
            for id in dict.fromkeys(ids):
                became[await self._activate(work, principal, id, now)].append(id)
        await self._announcer.announce()
        return ManyActivated(**{name: tuple(found) for name, found in became.items()})

    async def _activate(self, work: UnitOfWork, principal: Principal, id: str, now: datetime) -> str:
        before = await work.links.get(id)
        if before is None or before.environment.org != principal.org:
            return "not_found"
        if before.status(now) is Status.ACTIVE:
            return "before"
        try:
            environment = await existing_environment(work, before.environment)
            await self._save(work, principal, environment, before, _switched(before, now, active=True), now)
        except (Invalid, NotFound):
            return "refused"
        return "activated"

    async def _save(
        self,
        work: UnitOfWork,
        principal: Principal,
        environment: Environment,
        before: ShareLink,
        after: ShareLink,
        now: datetime,
    ) -> None:
        """Write what a link has become; raises Invalid where its environment can't keep what it promises."""
        opens = after.status(now) is Status.ACTIVE and before.status(now) is not Status.ACTIVE
        if opens:
            # What it promises may have been taken from the environment while nobody could open it.
            check_for_environment(_promises(after), environment)
        if after.account is not None and (opens or after.account != before.account):
            await _named_account(work, after.environment, after.account)
        if events := _events(before, after, now, principal.sub):
            await work.links.update(after)
            await work.visits.add_events(events)
            await work.changes.append(ChangeKind.LINK, after.id)

    async def remove(self, principal: Principal, environment_id: str, id: str) -> None:
        """Remove a link's record for good; raises NotFound when it is gone already."""
        principal.require(Scope.SHARES_WRITE)
        async with self._store.writing(owner(principal)) as work:
            link = await existing_link(work, EnvironmentKey(principal.org, environment_id), id)
            await work.links.remove(link.id)
            await work.changes.append(ChangeKind.LINK, link.id)
        await self._announcer.announce()

    async def _deactivate(self, work: UnitOfWork, principal: Principal, link: ShareLink) -> bool:
        now = self._clock.now()
        changed = await work.links.deactivate(link.id, now)
        if changed:
            await work.visits.add_events([LinkEvent(link.id, now, EventKind.DEACTIVATED, principal.sub)])
            await work.changes.append(ChangeKind.LINK, link.id)
        return changed

    def _filter(self, principal: Principal, search: LinkSearch) -> LinkFilter:
        check_limit(search.limit)
        errors = []
        if search.text is not None and len(search.text) > SEARCH_LENGTH:
            errors.append(FieldError("search", f"must be at most {SEARCH_LENGTH} characters"))
        if search.expiring_within is not None and search.expiring_within <= timedelta(0):
            errors.append(FieldError("expiringWithin", "must be more than 0s"))
        if errors:
            raise Invalid(errors)
        now = self._clock.now()
        return LinkFilter(
            org=principal.org,
            now=now,
            text=search.text,
            environment_id=search.environment_id,
            status=search.status,
            share_type=search.share_type,
            created_by=search.created_by,
            expires_before=now + search.expiring_within if search.expiring_within is not None else None,
        )

    def _check(self, terms: NewLink | LinkChange, now: datetime) -> dict[str, Any]:
        errors = type_errors(terms) if isinstance(terms, NewLink) else ()
        return check_terms(terms.given(), now=now, longest=self._longest, errors=errors)

    async def _account_name(
        self, principal: Principal, key: EnvironmentKey, sign_in_as: str | SignInCredentials | None
    ) -> str | None:
        """The name of the account that is wanted, which is made where credentials were given."""
        if not isinstance(sign_in_as, SignInCredentials):
            return sign_in_as
        try:
            return (await self._accounts.put(principal, key.id, sign_in_as)).name
        except Invalid as refused:
            # Errors of the credentials are named as fields of signInAs; those of the environment keep their names.
            raise Invalid(
                [
                    replace(error, field=f"signInAs.{error.field}") if error.field in _CREDENTIALS else error
                    for error in refused.errors
                ]
            ) from None

    async def _owned(
        self, work: UnitOfWork, links: Sequence[ShareLink], accounts: Sequence[Account]
    ) -> list[OwnedLink]:
        """The links as their owner sees them, in the same order."""
        ids, now = [link.id for link in links], self._clock.now()
        sealed = await work.links.sealed_tokens(ids)
        live = await work.visits.live(ids, now - LIVE)
        limited = [link.id for link in links if link.max_visitors is not None]
        taken = await work.places.places_taken(limited, now) if limited else {}
        closed = await closed_to_visitors(work, {link.environment for link in links})
        named = {(account.environment, account.name): account for account in accounts}
        return [
            OwnedLink(
                link,
                self._addresses.share_url(self._vault.open(sealed[link.id], link.id)),
                link.status(now),
                named.get((link.environment, link.account or "")),
                live.get(link.id, 0),
                taken.get(link.id, 0),
                closed.get(link.environment, ()),
            )
            for link in links
        ]


_CREDENTIALS: Final = ("login", "password", "allowAdmin")
_CHANGED: Final[Mapping[str, str]] = {
    term.attribute or name: external_name(name) for name, term in LINK_TERMS.items() if term.words
}
"""What a history calls the attributes of a link that can be changed."""
_KEY_TYPES: Final[Mapping[LinkSort, type[datetime | str | int]]] = {
    LinkSort.CREATED: datetime,
    LinkSort.EXPIRES: datetime,
    LinkSort.LAST_OPENED: datetime,
    LinkSort.LABEL: str,
    LinkSort.VISITS: int,
}


def _sort_key(link: ShareLink, sort: LinkSort) -> datetime | str | int | None:
    keys: dict[LinkSort, datetime | str | int | None] = {
        LinkSort.CREATED: link.created_at,
        LinkSort.EXPIRES: link.expires_at,
        LinkSort.LAST_OPENED: link.last_opened_at,
        LinkSort.LABEL: link.label_key,
        LinkSort.VISITS: link.visits,
    }
    return keys[sort]


def _share_type(password_hash: str | None) -> ShareType:
    return ShareType.TOKEN if password_hash is None else ShareType.PASSWORD


def _switched(link: ShareLink, now: datetime, *, active: bool) -> ShareLink:
    """The link deactivated or open again; raises Invalid where it has expired and would open nothing."""
    if not active:
        return replace(link, deactivated_at=link.deactivated_at or now)
    if now >= link.expires_at:
        raise Invalid.one("expiresIn", "is needed too: the link has expired, so give it a new lifetime, such as 24h")
    return replace(link, deactivated_at=None)


def _promises(link: ShareLink) -> dict[str, object]:
    """What a link wants of its environment, as an owner gives it."""
    return {"access": link.access, "sign_in_as": link.account, "start_path": link.start_path}


def _events(before: ShareLink, after: ShareLink, at: datetime, actor: str) -> list[LinkEvent]:
    """Return the history's events for a change; empty where nothing changed."""
    # Setting the same password is a change too: it ends the passes.
    changed = [
        name
        for attribute, name in _CHANGED.items()
        if getattr(before, attribute) != getattr(after, attribute)
        or (name == "password" and before.version != after.version)
    ]
    events = [LinkEvent(after.id, at, EventKind.CHANGED, actor, ",".join(changed))] if changed else []
    if (before.deactivated_at is None) is not (after.deactivated_at is None):
        kind = EventKind.ACTIVATED if after.deactivated_at is None else EventKind.DEACTIVATED
        events.append(LinkEvent(after.id, at, kind, actor))
    return events


async def _named_account(work: UnitOfWork, key: EnvironmentKey, name: str) -> Account:
    if (account := await work.accounts.get(key, name)) is not None:
        return account
    known = ", ".join(account.name for account in await work.accounts.all(key))
    remedy = f"known are {known}" if known else "it has none yet: add one, or give login and password"
    raise Invalid.one("signInAs", f"is not the name of an account of this environment; {remedy}")


def _new_id(entropy: Entropy) -> str:
    """An id of 80 random bits that is a DNS label too: a link's own host name is made of it."""
    return base64.b32encode(entropy.bytes(10)).decode().lower()
