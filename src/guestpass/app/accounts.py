"""Manage the Odoo accounts that visitors are signed in as, with findings about them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final

from guestpass.app.ports import (
    Announcer,
    ChangeKind,
    Clock,
    OdooAuthenticator,
    Sealer,
    SignedIn,
    SignInRefused,
    Store,
    UnitOfWork,
)
from guestpass.app.sign_outs import SignOuts
from guestpass.app.turns import owner
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import (
    ACCOUNT_NAME_PATTERN,
    ACCOUNT_PASSWORD_LENGTH,
    LOGIN_LENGTH,
    Account,
    AccountRight,
    SignInRefusal,
    account_name_from_login,
)
from guestpass.domain.environment import Environment, EnvironmentKey, Kind
from guestpass.domain.errors import FieldError, InUse, Invalid, NotFound
from guestpass.domain.finding import Finding
from guestpass.domain.link import Access

ADMIN_ACCOUNT: Final = Finding(
    code="admin_account",
    detail="The account administers Odoo: whoever has a link that signs in as it can read and change everything there, "
    "and run code on Odoo's server.",
    remedy="Use an account that may do no more than the visitor needs.",
)


RIGHT: Final = "account_right_"
"""How the codes of findings about rights begin."""
_LESS: Final = "Use an account without that right, unless visitors need it."


def _right(right: AccountRight, detail: str) -> Finding:
    return Finding(code=f"{RIGHT}{right.value}", detail=detail, remedy=_LESS)


_RIGHTS: Final = {
    AccountRight.ACCESS_RIGHTS: _right(
        AccountRight.ACCESS_RIGHTS,
        "The account manages users and their rights: whoever has a link that signs in as it could take more.",
    ),
    AccountRight.WEBSITE_DESIGN: _right(
        AccountRight.WEBSITE_DESIGN,
        "The account designs the website. Odoo runs the code in its pages with all rights; Guestpass lets no code be "
        "written through a link, but scripts and whole pages can be.",
    ),
    AccountRight.CONTACTS: _right(
        AccountRight.CONTACTS,
        "The account edits contacts, and Odoo mails new passwords to their addresses. Guestpass guards the contacts of "
        "all who sign in; an account without the right needs no guard.",
    ),
    AccountRight.EMPLOYEES: _right(
        AccountRight.EMPLOYEES,
        "The account edits employees: it reads personal data, and an employee's address can become a user's.",
    ),
    AccountRight.MAIL_TEMPLATES: _right(
        AccountRight.MAIL_TEMPLATES,
        "The account edits mail templates with placeholders, which Odoo fills with anything that it knows. Guestpass "
        "lets none be written through a link; those that are there can be sent.",
    ),
    AccountRight.IMPERSONATION: _right(
        AccountRight.IMPERSONATION,
        "The account may become another user in Odoo: whoever has a link that signs in as it can do what anybody can.",
    ),
}


@dataclass(frozen=True, slots=True)
class _RefusalTexts:
    """The texts for a refusal: the error of a `field` when adding an account, and the finding of a stored one.

    ``{cause}`` in the message is replaced by the adapter's error.
    """

    field: str
    message: str
    detail: str
    remedy: str


_RETRY: Final = "Nothing, if it works again by now: the next visitor's sign-in shows it."
_REFUSALS: Final = {
    SignInRefusal.CREDENTIALS: _RefusalTexts(
        "password",
        "Odoo does not accept this login and password; correct whichever is wrong",
        "Odoo does not accept its login and password: the password was changed, the user was archived, or another "
        "database was restored.",
        "Add the account again under its name, with the password that is right now; links go on with it.",
    ),
    SignInRefusal.SECOND_FACTOR: _RefusalTexts(
        "login",
        "has two-factor authentication, which only a person can pass; switch it off for this user in Odoo, or take "
        "another user",
        "Odoo asks for its second factor, which only a person can give.",
        "Switch two-factor authentication off for this user in Odoo, or add the account again under its name with "
        "another user's login; links go on with it.",
    ),
    SignInRefusal.DATABASE: _RefusalTexts(
        "database",
        "of the environment must be the name of one that this Odoo has; correct it, then try again. {cause}",
        "Odoo does not have the environment's database, or none is set and Odoo has several.",
        "Correct the environment's database.",
    ),
    SignInRefusal.ADMINISTRATOR: _RefusalTexts(
        "allowAdmin",
        "must be true for a user that administers Odoo",
        "It administers Odoo by now, which it did not when it was added.",
        "Take the rights back in Odoo; or, if it is meant, add the account again under its name and allow it.",
    ),
    SignInRefusal.THROTTLED: _RefusalTexts(
        "password",
        "could not be tried: after several wrong passwords Odoo takes no more for about a minute; wait, then try again",
        "After several wrong passwords Odoo takes no more for about a minute.",
        _RETRY,
    ),
    SignInRefusal.UNREACHABLE: _RefusalTexts(
        "url",
        "of the environment must lead to an Odoo that answers; start it or correct url, then try again. {cause}",
        "Odoo gave no usable answer when a visitor was to be signed in.",
        f"Start Odoo, or correct the environment's url. {_RETRY}",
    ),
}


_ON_BASE_URL: Final = frozenset({"base_url_unknown", "base_url_differs"})
"""The findings about a web.base.url that an administrator's login may change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInCredentials:
    """An Odoo user's credentials; `allow_admin` accepts a user who administers Odoo."""

    login: str
    password: str = field(repr=False)
    allow_admin: bool = False


def password_context(environment: EnvironmentKey, name: str) -> str:
    """The context that seals an account's password."""
    return f"account:{environment}/{name}"


def warnings_of(account: Account, access: Access = Access.FULL) -> tuple[Finding, ...]:
    """Return what an owner should consider before using the account for a link; who only looks has no such rights."""
    if account.is_admin:
        return (ADMIN_ACCOUNT,)
    if access is Access.READ_ONLY:
        return ()
    return tuple(_RIGHTS[right] for right in AccountRight if right in account.rights)


def refusal_of(account: Account) -> Finding | None:
    """Return the finding of an account that Odoo last refused, else None."""
    if account.refusal is None:
        return None
    words = _REFUSALS[account.refusal]
    return Finding(
        code="account_refused",
        detail=f"Links can't sign their visitors in as the account {account.name} ({account.login}). {words.detail}",
        remedy=words.remedy,
        at=account.refused_at,
    )


class AccountService:
    """The use cases around accounts; every call acts for a principal within its organisation.

    Credentials are tried before they are stored, so that owners see mistakes before visitors do.
    """

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        sealer: Sealer,
        authenticator: OdooAuthenticator,
        sign_outs: SignOuts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._sealer = sealer
        self._authenticator = authenticator
        self._sign_outs = sign_outs
        self._clock = clock

    async def list_all(self, principal: Principal, environment_id: str) -> list[Account]:
        """The environment's accounts, by name."""
        principal.require(Scope.ENVIRONMENTS_READ)
        key = EnvironmentKey(principal.org, environment_id)
        async with self._store.reading() as work:
            await _existing(work, key)
            return await work.accounts.all(key)

    async def get(self, principal: Principal, environment_id: str, name: str) -> Account:
        """One account; raises NotFound when it is not one of that environment's."""
        principal.require(Scope.ENVIRONMENTS_READ)
        async with self._store.reading() as work:
            return await _account_of(work, EnvironmentKey(principal.org, environment_id), name)

    async def put(
        self,
        principal: Principal,
        environment_id: str,
        credentials: SignInCredentials,
        *,
        name: str | None = None,
        check: Callable[[Account | None], None] | None = None,
    ) -> Account:
        """Keep credentials that Odoo accepts at this moment, under a new name or in place of those that were there.

        Without a name, an account of the same login gets them, or else a new one that is named after the login.
        Links keep working; visitors' sessions made with credentials that were replaced end. A new account has
        revision 1. Raises NotFound for the environment and Invalid with what is wrong. `check` is shown the account
        that is there and raises what forbids to replace it.
        """
        principal.require(Scope.ENVIRONMENTS_WRITE)
        login = credentials.login.strip()
        _check(login, credentials.password, name)
        key = EnvironmentKey(principal.org, environment_id)
        async with self._store.reading() as work:
            environment = await _existing(work, key)
        if environment.kind is not Kind.ODOO:
            raise Invalid.one("kind", "of the environment must be odoo: visitors can't be signed in to others")
        # Outside of any transaction, since Odoo may take seconds.
        signed_in, rights = await self._try(environment, login, credentials)
        async with self._store.writing(owner(principal)) as work:
            present = await _existing(work, key)
            if _tried(present) != _tried(environment):
                raise Invalid.one("url", "or database of the environment changed while this was tried; try again")
            others = await work.accounts.all(key)
            name = name or _name_for(login, others)
            before = next((other for other in others if other.name == name), None)
            if check is not None:
                check(before)
            account = Account(
                environment=key,
                name=name,
                login=login,
                sealed_password=self._sealer.seal(credentials.password, password_context(key, name)),
                is_admin=signed_in.is_admin,
                revision=before.revision + 1 if before is not None else 1,
                created_at=before.created_at if before is not None else self._clock.now(),
                created_by=before.created_by if before is not None else principal.sub,
                is_internal=signed_in.is_internal,
                rights=rights,
            )
            await work.accounts.put(account)
            await learn_base_url(work, present, signed_in)
            await work.changes.append(ChangeKind.ENVIRONMENT, str(key))
        await self._announcer.announce()
        return account

    async def remove(self, principal: Principal, environment_id: str, name: str) -> None:
        """Forget an account; raises NotFound, and InUse while active links sign their visitors in as it."""
        principal.require(Scope.ENVIRONMENTS_WRITE)
        key = EnvironmentKey(principal.org, environment_id)
        async with self._store.writing(owner(principal)) as work:
            account = await _account_of(work, key, name)
            links = await work.accounts.links_using(key, account.name, now=self._clock.now())
            if links:
                raise InUse(
                    "account",
                    f"{links} active share link{'s sign' if links > 1 else ' signs'} visitors in as this account; "
                    f"deactivate {'them' if links > 1 else 'it'} first.",
                )
            await work.accounts.remove(key, account.name)
            await work.changes.append(ChangeKind.ENVIRONMENT, str(key))
        await self._announcer.announce()

    async def _try(
        self, environment: Environment, login: str, credentials: SignInCredentials
    ) -> tuple[SignedIn, frozenset[AccountRight]]:
        """Sign in once, ask for the user's rights, and sign out again.

        Raises Invalid where Odoo refuses, or for an administrator not allowed.
        """
        try:
            signed_in = await self._authenticator.sign_in(
                environment, login, credentials.password, address=None, may_administer=True
            )
        except SignInRefused as refused:
            words = _REFUSALS[refused.refusal]
            raise Invalid.one(words.field, words.message.format(cause=refused)) from None
        try:
            rights = await self._authenticator.rights(environment.odoo_address, signed_in)
        finally:
            await self._sign_outs.end(environment.odoo_address, signed_in.session_id)
        if signed_in.is_admin and not credentials.allow_admin:
            raise Invalid.one(
                "allowAdmin",
                "must be true for a user that administers Odoo, because whoever has a link that signs in as it can "
                "run code there; better take a user with fewer rights",
            )
        return signed_in, rights


async def learn_base_url(work: UnitOfWork, environment: Environment, signed_in: SignedIn) -> bool:
    """Store what Odoo says that its web.base.url is; return whether that was new.

    `environment` is as it is stored. Nothing remains to be said of a value that is known: no login changes it.
    """
    if signed_in.base_url is None or signed_in.base_url == environment.base_url:
        return False
    findings = (await work.environments.findings(environment.key.org, id=environment.id)).get(environment.key, ())
    await work.environments.update(replace(environment, base_url=signed_in.base_url))
    await work.environments.set_findings(environment.key, [each for each in findings if each.code not in _ON_BASE_URL])
    return True


def _check(login: str, password: str, name: str | None) -> None:
    errors = []
    if name is not None and not ACCOUNT_NAME_PATTERN.fullmatch(name):
        errors.append(FieldError("name", "must be 1 to 63 of a-z, 0-9, ., _ and -, and begin with a letter or digit"))
    if not 1 <= len(login) <= LOGIN_LENGTH:
        errors.append(FieldError("login", f"must be 1 to {LOGIN_LENGTH} characters"))
    elif not login.isprintable():
        errors.append(FieldError("login", "must not hold control characters"))
    if not 1 <= len(password) <= ACCOUNT_PASSWORD_LENGTH:
        errors.append(FieldError("password", f"must be 1 to {ACCOUNT_PASSWORD_LENGTH} characters"))
    if errors:
        raise Invalid(errors)


def _name_for(login: str, others: Collection[Account]) -> str:
    """The name of the account that this login has, or a free one that resembles it."""
    if (known := next((other.name for other in others if other.login == login), None)) is not None:
        return known
    taken = {other.name for other in others}
    name = base = account_name_from_login(login)
    number = 1
    while name in taken:
        number += 1
        name = f"{base[:58]}-{number}"
    return name


def _tried(environment: Environment) -> tuple[object, ...]:
    """What a trial of credentials depends on."""
    return (environment.created_at, environment.revision, environment.database)


async def _existing(work: UnitOfWork, key: EnvironmentKey) -> Environment:
    environment = await work.environments.get(key)
    if environment is None:
        raise NotFound("environment", key.id)
    return environment


async def _account_of(work: UnitOfWork, key: EnvironmentKey, name: str) -> Account:
    await _existing(work, key)
    account = await work.accounts.get(key, name)
    if account is None:
        raise NotFound("account", name)
    return account
