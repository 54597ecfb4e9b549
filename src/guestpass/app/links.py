"""Create, show, deactivate and remove share links."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from guestpass.app.accounts import AccountService, SignInCredentials, warnings_of
from guestpass.app.addresses import Addresses
from guestpass.app.ports import Announcer, ChangeKind, Clock, Entropy, PasswordHasher, Store, TokenVault, UnitOfWork
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import Account
from guestpass.domain.durations import format_duration
from guestpass.domain.environment import Environment, EnvironmentKey, Kind
from guestpass.domain.errors import FieldError, Invalid, NotFound
from guestpass.domain.finding import Finding
from guestpass.domain.link import (
    DEFAULT_LIFETIME,
    LABEL_LENGTH,
    PASSWORD_BYTES,
    Access,
    EventKind,
    LinkEvent,
    ShareLink,
    ShareType,
    Status,
)

VIEW_ONLY_UNSIGNED: Final = Finding(
    code="view_only_unsigned",
    detail="This link signs nobody in: visitors see what Odoo shows to everybody, or sign in with a login of their own, "
    "whose rights may be wide. View-only is a guard; Odoo's access rights are the boundary.",
    remedy="Sign visitors in (signInAs) as a user who may read what they should see and write nothing.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """What an owner gives to make a link; None means not given. `share_type` follows from `password` then.

    `sign_in_as` is the name of an account of the environment, or credentials of which one is made.
    """

    expires_in: timedelta | None = None
    label: str | None = None
    password: str | None = None
    share_type: ShareType | None = None
    access: Access = Access.FULL
    sign_in_as: str | SignInCredentials | None = None


@dataclass(frozen=True, slots=True)
class OwnedLink:
    """A link as its owner sees it: with its URL, made at each reading from the encrypted token.

    `account` is who visitors are signed in as; None too where a link that ended has outlived its account.
    """

    link: ShareLink
    url: str
    status: Status
    account: Account | None = None

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What the owner should consider before the link is sent."""
        unsigned = self.link.access is Access.READ_ONLY and self.link.account is None
        return (*(warnings_of(self.account) if self.account else ()), *((VIEW_ONLY_UNSIGNED,) if unsigned else ()))


class LinkService:
    """The use cases around share links; every call acts for a principal within its organisation."""

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        vault: TokenVault,
        hasher: PasswordHasher,
        addresses: Addresses,
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

    async def create(self, who: Principal, environment_id: str, new: NewLink) -> OwnedLink:
        """Make a link; raises NotFound for the environment and Invalid with each wrong field.

        Credentials become an account, so they need the scope for that too.
        """
        who.require(Scope.SHARES_WRITE)
        share_type = self._check(new)
        key = EnvironmentKey(who.org, environment_id)
        async with self._store.reading() as work:
            _check_kind(new, await _existing(work, key))
            if isinstance(new.sign_in_as, str):
                await _named_account(work, key, new.sign_in_as)
        account_name = await self._account_name(who, key, new.sign_in_as)
        # The slow hash is made outside the write transaction, so that it never holds the lock.
        password_hash = await self._hasher.hash(new.password) if new.password is not None else None
        now = self._clock.now()
        link = ShareLink(
            id=_new_id(self._entropy),
            environment=key,
            share_type=share_type,
            label=(new.label or "").strip() or None,
            password_hash=password_hash,
            version=1,
            created_at=now,
            created_by=who.sub,
            expires_at=now + (new.expires_in or min(DEFAULT_LIFETIME, self._longest)),
            access=new.access,
            account=account_name,
        )
        token = self._vault.new()
        async with self._store.writing() as work:
            _check_kind(new, await _existing(work, key))
            account = await _named_account(work, key, account_name) if account_name is not None else None
            await work.links.add(link, self._vault.hash(token), self._vault.seal(token, link.id))
            await work.visits.add_events([LinkEvent(link.id, now, EventKind.CREATED, who.sub)])
            await work.changes.append(ChangeKind.LINK, link.id)
        await self._announcer.announce()
        return OwnedLink(link, self._addresses.share_url(link.id, token), link.status(now), account)

    async def list_all(self, who: Principal, environment_id: str, status: Status | None = None) -> list[OwnedLink]:
        """The environment's links, newest first."""
        who.require(Scope.SHARES_READ)
        key, now = EnvironmentKey(who.org, environment_id), self._clock.now()
        async with self._store.reading() as work:
            await _existing(work, key)
            links = await work.links.by_environment(key, now=now, status=status)
            sealed = await work.links.sealed_tokens([link.id for link in links])
            accounts = {account.name: account for account in await work.accounts.all(key)}
        return [self._owned(link, sealed[link.id], accounts) for link in links]

    async def get(self, who: Principal, environment_id: str, id: str) -> OwnedLink:
        """One link; raises NotFound when it is not one of that environment's."""
        who.require(Scope.SHARES_READ)
        key = EnvironmentKey(who.org, environment_id)
        async with self._store.reading() as work:
            link = await _link_of(work, key, id)
            sealed = await work.links.sealed_tokens([id])
            accounts = {account.name: account for account in await work.accounts.all(key)}
        return self._owned(link, sealed[id], accounts)

    async def deactivate(self, who: Principal, environment_id: str, id: str) -> bool:
        """Switch a link off; its record stays. A second time changes nothing and returns False."""
        who.require(Scope.SHARES_WRITE)
        async with self._store.writing() as work:
            link = await _link_of(work, EnvironmentKey(who.org, environment_id), id)
            now = self._clock.now()
            changed = await work.links.deactivate(link.id, now)
            if changed:
                await work.visits.add_events([LinkEvent(link.id, now, EventKind.DEACTIVATED, who.sub)])
                await work.changes.append(ChangeKind.LINK, link.id)
        await self._announcer.announce()
        return changed

    async def remove(self, who: Principal, environment_id: str, id: str) -> None:
        """Remove a link's record for good; raises NotFound when it is gone already."""
        who.require(Scope.SHARES_WRITE)
        async with self._store.writing() as work:
            link = await _link_of(work, EnvironmentKey(who.org, environment_id), id)
            await work.links.remove(link.id)
            await work.changes.append(ChangeKind.LINK, link.id)
        await self._announcer.announce()

    async def _account_name(
        self, who: Principal, key: EnvironmentKey, sign_in_as: str | SignInCredentials | None
    ) -> str | None:
        """The name of the account that is wanted, which is made where credentials were given."""
        if not isinstance(sign_in_as, SignInCredentials):
            return sign_in_as
        try:
            return (await self._accounts.put(who, key.id, sign_in_as)).name
        except Invalid as refused:
            # What is wrong with the environment keeps its name, what is wrong with the credentials is within a field.
            raise Invalid(
                [
                    replace(error, field=f"signInAs.{error.field}") if error.field in _CREDENTIALS else error
                    for error in refused.errors
                ]
            ) from None

    def _owned(self, link: ShareLink, sealed: bytes, accounts: Mapping[str, Account]) -> OwnedLink:
        token = self._vault.open(sealed, link.id)
        url, account = self._addresses.share_url(link.id, token), accounts.get(link.account or "")
        return OwnedLink(link, url, link.status(self._clock.now()), account)

    def _check(self, new: NewLink) -> ShareType:
        """The link's type; raises Invalid with every field that is wrong."""
        errors: list[FieldError] = []
        share_type = new.share_type or (ShareType.TOKEN if new.password is None else ShareType.PASSWORD)
        if share_type is ShareType.PASSWORD and new.password is None:
            errors.append(FieldError("password", "is needed for a link of shareType password"))
        if share_type is ShareType.TOKEN and new.password is not None:
            errors.append(FieldError("shareType", "must be password, or not given, when a password is given"))
        if new.password is not None and len(new.password.encode()) not in PASSWORD_BYTES:
            errors.append(FieldError("password", "must be 8 to 1024 bytes long"))
        if new.label is not None and len(new.label) > LABEL_LENGTH:
            errors.append(FieldError("label", f"must be at most {LABEL_LENGTH} characters"))
        if new.label is not None and re.search(r"[\x00-\x1f\x7f]", new.label):
            errors.append(FieldError("label", "must not hold control characters"))
        if new.expires_in is not None and not timedelta(0) < new.expires_in <= self._longest:
            errors.append(FieldError("expiresIn", f"must be more than 0s and at most {format_duration(self._longest)}"))
        if errors:
            raise Invalid(errors)
        return share_type


_CREDENTIALS: Final = ("login", "password", "allowAdmin")


def _check_kind(new: NewLink, environment: Environment) -> None:
    """Raise Invalid with what only visitors of an Odoo can be given."""
    if environment.kind is Kind.ODOO:
        return
    errors = []
    if new.access is not Access.FULL:
        errors.append(FieldError("access", "must be full, or not given, for an environment that is not of kind odoo"))
    if new.sign_in_as is not None:
        errors.append(FieldError("signInAs", "can't be given for an environment that is not of kind odoo"))
    if errors:
        raise Invalid(errors)


async def _named_account(work: UnitOfWork, key: EnvironmentKey, name: str) -> Account:
    if (account := await work.accounts.get(key, name)) is not None:
        return account
    known = ", ".join(account.name for account in await work.accounts.all(key))
    remedy = f"known are {known}" if known else "it has none yet: add one, or give login and password"
    raise Invalid.one("signInAs", f"is not the name of an account of this environment; {remedy}")


async def _existing(work: UnitOfWork, key: EnvironmentKey) -> Environment:
    environment = await work.environments.get(key)
    if environment is None:
        raise NotFound("environment", key.id)
    return environment


async def _link_of(work: UnitOfWork, key: EnvironmentKey, id: str) -> ShareLink:
    await _existing(work, key)
    link = await work.links.get(id)
    if link is None or link.environment != key:
        raise NotFound("share link", id)
    return link


def _new_id(entropy: Entropy) -> str:
    """An id of 80 random bits that is a DNS label too: a link's own host name is made of it."""
    return base64.b32encode(entropy.bytes(10)).decode().lower()
