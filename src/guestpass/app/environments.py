"""Register, change and remove environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Final

from guestpass.app.environment_check import CheckReport
from guestpass.app.paging import Page, check_limit, read_cursor, write_cursor
from guestpass.app.ports import Announcer, ChangeKind, Clock, Entropy, EnvironmentCheck, RefusedCall, Store, UnitOfWork
from guestpass.app.terms import Term, check_fields, given_fields, terms_of
from guestpass.app.turns import owner
from guestpass.app.unset import UNSET, Unset
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import (
    DEFAULT_RESPONSE_TIMEOUT,
    ID_PATTERN,
    Environment,
    EnvironmentKey,
    Kind,
    id_from_name,
    parse_allowed_paths,
    parse_public_url,
    parse_read_only_allow,
    parse_upstream_url,
)
from guestpass.domain.errors import AlreadyExists, FieldError, Invalid, NotFound
from guestpass.domain.finding import OUT_OF_REACH
from guestpass.domain.link import Access, Status
from guestpass.domain.text import check_readable

_BY_NAME: Final = "environments"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentTerms:
    """The fields of an environment that owners set; UNSET ones are not given. `body_limit` is in bytes."""

    name: Annotated[str | Unset, _text(200)] = UNSET
    description: Annotated[str | Unset | None, _text(2000, lines=True)] = UNSET
    maintenance: Annotated[str | Unset | None, _text(2000, lines=True)] = UNSET
    url: Annotated[str | Unset, Term(parse_upstream_url)] = UNSET
    websocket_url: Annotated[str | Unset | None, Term(parse_upstream_url)] = UNSET
    kind: Annotated[Kind | Unset, Term(Kind)] = UNSET
    tls_verify: Annotated[bool | Unset, Term(bool)] = UNSET
    body_limit: Annotated[int | Unset | None, _number(2**50, "a number of bytes")] = UNSET
    response_timeout: Annotated[timedelta | Unset, Term(_response_timeout)] = UNSET
    public_url: Annotated[str | Unset | None, Term(parse_public_url)] = UNSET
    database: Annotated[str | Unset | None, _text(63)] = UNSET
    allow_paths: Annotated[Sequence[str] | Unset, Term(parse_allowed_paths, empty=())] = UNSET
    max_concurrent: Annotated[int | Unset, _number(1000, "a number of requests")] = UNSET
    read_only_allow: Annotated[Sequence[str] | Unset, Term(parse_read_only_allow, empty=())] = UNSET

    def given(self) -> dict[str, Any]:
        """The fields that are given, by name."""
        return given_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEnvironment(EnvironmentTerms):
    """What an owner gives to register an environment; the `id` is made from the name where it is None."""

    name: str
    url: str
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentChange(EnvironmentTerms):
    """What an owner wants changed; the rest stays as it is."""


class EnvironmentService:
    """The use cases around environments; every call acts for a principal within its organisation.

    An environment that is registered, or changed in how it is reached, is checked, and the findings are returned. It
    is committed before the check, and stays whatever is found.
    """

    def __init__(
        self, store: Store, announcer: Announcer, clock: Clock, entropy: Entropy, checker: EnvironmentCheck
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._entropy = entropy
        self._checker = checker

    async def list_all(self, principal: Principal) -> list[Environment]:
        """Every environment of the principal's organisation, by name."""
        principal.require(Scope.ENVIRONMENTS_READ)
        async with self._store.reading() as work:
            return await work.environments.all(principal.org)

    async def page(self, principal: Principal, *, limit: int, cursor: str | None) -> Page[Environment]:
        """The same, a page at a time; raises Invalid."""
        principal.require(Scope.ENVIRONMENTS_READ)
        check_limit(limit)
        after = None
        if cursor is not None:
            name, id = read_cursor(cursor, _BY_NAME, str, str)
            after = str(name), str(id)
        async with self._store.reading() as work:
            environments = await work.environments.page(principal.org, after=after, limit=limit + 1)
            total = await work.environments.count_of(principal.org)
        shown, more = environments[:limit], len(environments) > limit
        return Page(tuple(shown), write_cursor(_BY_NAME, shown[-1].name, shown[-1].id) if more else None, total)

    async def get(self, principal: Principal, id: str) -> Environment:
        """One environment; raises NotFound, also for another organisation's."""
        principal.require(Scope.ENVIRONMENTS_READ)
        async with self._store.reading() as work:
            environment = await work.environments.get(EnvironmentKey(principal.org, id))
        if environment is None:
            raise NotFound("environment", id)
        return environment

    async def add(self, principal: Principal, new: NewEnvironment) -> Environment:
        """Register an environment; raises Invalid with each wrong field, AlreadyExists for a taken id."""
        principal.require(Scope.ENVIRONMENTS_WRITE)
        checked = _checked_new(new)
        async with self._store.writing(owner(principal)) as work:
            id = new.id or await self._free_id(work.environments.get, principal.org, checked["name"])
            environment = self._new(principal, id, checked)
            if new.id is not None and await work.environments.get(environment.key) is not None:
                raise AlreadyExists("environment", id)
            await work.environments.add(environment)
            await work.changes.append(ChangeKind.ENVIRONMENT, str(environment.key))
        await self._announcer.announce()
        return await self._check(principal, environment)

    def errors_of(self, change: EnvironmentChange) -> tuple[FieldError, ...]:
        """Return the errors that don't depend on the environment, for callers that parsed only some fields."""
        try:
            _checked(change.given(), None)
        except Invalid as error:
            return error.errors
        return ()

    async def try_out(self, principal: Principal, new: NewEnvironment) -> tuple[Environment, CheckReport]:
        """Check an environment that is not registered; raises Invalid with each wrong field. Nothing is stored."""
        principal.require(Scope.ENVIRONMENTS_WRITE)
        environment = self._new(principal, new.id or id_from_name(new.name) or "environment", _checked_new(new))
        return environment, await self._checker.check(environment)

    async def change(
        self,
        principal: Principal,
        id: str,
        change: EnvironmentChange,
        *,
        check: Callable[[Environment], None] | None = None,
    ) -> Environment:
        """Change some fields; a new address closes what is open to the old one and keeps links and passes.

        Visitors who are signed in are signed out at the Odoo where they were, and in at the other when they come back.
        `check` is shown what is there and raises what forbids the change. What is as it was before changes nothing.
        """
        principal.require(Scope.ENVIRONMENTS_WRITE)
        checked = _checked(change.given(), None)
        async with self._store.writing(owner(principal)) as work:
            before = await work.environments.get(EnvironmentKey(principal.org, id))
            if before is None:
                raise NotFound("environment", id)
            if check is not None:
                check(before)
            after = replace(before, **checked)
            if after.kind is not before.kind:
                await self._check_links(work, before)
            signed_in_elsewhere = not after.is_same_odoo(before)
            if signed_in_elsewhere:
                if Kind.ODOO in {before.kind, after.kind}:
                    after = replace(after, moves=before.moves + 1)
                await work.odoo_sessions.end_all(before.key, self._clock.now())
            if signed_in_elsewhere or _address(after) != _address(before):
                # Results of a check of the former address don't apply.
                after = replace(
                    after,
                    revision=before.revision + 1,
                    odoo_version=None,
                    canonical_url=None,
                    base_url=None,
                    websocket_on=None,
                    found_websocket_url=None,
                    checked_at=None,
                )
                await work.environments.set_findings(after.key, ())
                await work.reachabilities.regain(after.key)
            if after != before:
                await work.environments.update(after)
                await work.changes.append(ChangeKind.ENVIRONMENT, str(after.key))
        await self._announcer.announce()
        return after if _check_inputs(after) == _check_inputs(before) else await self._check(principal, after)

    async def refused_calls(self, principal: Principal, id: str) -> list[RefusedCall]:
        """What view-only links refused, most frequent first, so that the owner can allow what only reads."""
        principal.require(Scope.ENVIRONMENTS_READ)
        key = EnvironmentKey(principal.org, id)
        async with self._store.reading() as work:
            if await work.environments.get(key) is None:
                raise NotFound("environment", id)
            return await work.environments.refused_calls(key)

    async def check(self, principal: Principal, id: str) -> Environment:
        """Check an environment again; what is found replaces what was found before."""
        principal.require(Scope.ENVIRONMENTS_WRITE)
        async with self._store.reading() as work:
            environment = await work.environments.get(EnvironmentKey(principal.org, id))
        if environment is None:
            raise NotFound("environment", id)
        return await self._check(principal, environment)

    async def remove(self, principal: Principal, id: str) -> None:
        """Remove an environment with all its links; their visitors are cut off, and its Odoo ends their sessions."""
        principal.require(Scope.ENVIRONMENTS_WRITE)
        key = EnvironmentKey(principal.org, id)
        async with self._store.writing(owner(principal)) as work:
            if await work.environments.get(key) is None:
                raise NotFound("environment", id)
            await work.odoo_sessions.end_all(key, self._clock.now())
            await work.environments.remove(key)
            await work.changes.append(ChangeKind.ENVIRONMENT, str(key))
        await self._announcer.announce()

    def _new(self, principal: Principal, id: str, checked: Mapping[str, Any]) -> Environment:
        key, now = EnvironmentKey(principal.org, id), self._clock.now()
        return Environment(key=key, revision=1, created_at=now, created_by=principal.sub, **checked)

    async def _check_links(self, work: UnitOfWork, environment: Environment) -> None:
        """Raise Invalid where active links depend on the environment's kind."""
        links = await work.links.by_environment(environment.key, now=self._clock.now(), status=Status.ACTIVE)
        bound = [link for link in links if link.access is not Access.FULL or link.account is not None]
        if bound:
            raise Invalid.one(
                "kind",
                f"must stay {environment.kind} while active share links are view-only or sign their visitors in (there "
                f"{'are' if len(bound) > 1 else 'is'} {len(bound)}); deactivate them first",
            )

    async def _check(self, principal: Principal, environment: Environment) -> Environment:
        """Check outside of any transaction, store what is found, and return the environment as it is then."""
        report = await self._checker.check(environment)
        async with self._store.writing(owner(principal)) as work:
            now = await work.environments.get(environment.key)
            if now is None or now.created_at != environment.created_at:
                return environment
            if _check_inputs(now) != _check_inputs(environment):
                # The change made meanwhile has started its own check.
                return now
            after = replace(
                now,
                odoo_version=report.odoo_version,
                canonical_url=report.canonical_url,
                websocket_on=report.websocket,
                found_websocket_url=report.found_websocket_url,
                checked_at=self._clock.now(),
            )
            await work.environments.update(after)
            await work.environments.set_findings(after.key, report.findings)
            if not any(finding.code in OUT_OF_REACH for finding in report.findings):
                # It has just answered, whatever the last round of `Reachability` found.
                await work.reachabilities.regain(after.key)
            await work.changes.append(ChangeKind.ENVIRONMENT, str(after.key))
        await self._announcer.announce()
        return after

    async def _free_id(self, get: Callable[[EnvironmentKey], Any], org: str, name: str) -> str:
        base = id_from_name(name) or "environment"
        id = base
        while await get(EnvironmentKey(org, id)) is not None:
            id = f"{base}-{self._entropy.bytes(2).hex()}"
        return id


def _address(environment: Environment) -> tuple[object, ...]:
    return (environment.url, environment.websocket_url, environment.tls_verify, environment.kind)


def _check_inputs(environment: Environment) -> tuple[object, ...]:
    """The fields that decide what a check of the environment finds."""
    return (*_address(environment), environment.public_url, environment.database)


# What a new environment has where its owner gives nothing and the attribute has no default.
_NEW: Final[Mapping[str, Any]] = {
    "websocket_url": None,
    "kind": Kind.ODOO,
    "description": None,
    "tls_verify": True,
    "body_limit": None,
    "response_timeout": DEFAULT_RESPONSE_TIMEOUT,
    "maintenance": None,
}


def _checked_new(new: NewEnvironment) -> dict[str, Any]:
    """What a new environment consists of, besides its id; raises Invalid with every field that is wrong."""
    checked = {**_NEW, **_checked(new.given(), new.id)}
    if checked["body_limit"] is None:
        checked["body_limit"] = checked["kind"].default_body_limit
    return checked


def _checked(given: Mapping[str, Any], id: str | None) -> dict[str, Any]:
    """The fields as they are stored; raises Invalid with every field that is wrong."""
    errors = []
    if id is not None and not ID_PATTERN.fullmatch(id):
        errors.append(FieldError("id", "must be 1 to 63 of a-z, 0-9 and -"))
    checked = check_fields(given, ENVIRONMENT_TERMS, errors)
    if errors:
        raise Invalid(errors)
    return checked


def _text(longest: int, *, lines: bool = False) -> Term:
    """A text of so many characters at most, of one line or of several."""

    def check(text: str) -> str:
        text = text.strip()
        if not text:
            raise ValueError("must not be empty")
        if len(text) > longest:
            raise ValueError(f"must be at most {longest} characters")
        check_readable(text.replace("\r\n", "\n"), lines=lines)
        return text

    return Term(check, most=longest)


def _number(greatest: int, what: str) -> Term:
    """A number from one to the greatest."""

    def check(number: int) -> int:
        if not 1 <= number <= greatest:
            raise ValueError(f"must be {what} from 1 to {greatest}")
        return number

    return Term(check, most=greatest)


def _response_timeout(duration: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= duration <= timedelta(hours=24):
        raise ValueError("must be from 1s to 24h")
    return duration


ENVIRONMENT_TERMS: Final[Mapping[str, Term]] = terms_of(EnvironmentTerms)
