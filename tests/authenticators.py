"""An Odoo to sign in to that no network is needed for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from guestpass.app.ports import (
    Clock,
    Counted,
    NotSignedOut,
    Sealer,
    SessionEndedError,
    SignedIn,
    SignInRefused,
    Store,
)
from guestpass.app.sign_outs import SignOuts
from guestpass.domain.account import AccountRight, SignInRefusal
from guestpass.domain.environment import Environment, OdooAddress
from guestpass.signing.keys import Keys
from guestpass.signing.sealing import SealedSecrets
from guestpass.system import SystemEntropy

KEYS = Keys.from_secret("s" * 32)


async def _nothing() -> None:
    pass


class FakeAuthenticator:
    """Knows some users, and refuses everybody while `refusal` is set.

    `tried` are logins, passwords and addresses in order, `sessions` those that nobody ended. `meanwhile` runs while
    an answer is awaited. `announced` says of each try whether it may be an administrator's, and `base_url` is what Odoo
    says of itself. `told` are the logouts, in order; while `closed` or `refusing` say so, nobody is signed out.
    """

    def __init__(self) -> None:
        self.passwords = {"demo": "demo's own", "second": "second's own", "admin": "admin's own"}
        self.admins = {"admin"}
        self.refusal: SignInRefusal | None = None
        self.meanwhile: Callable[[], Awaitable[None]] = _nothing
        self.tried: list[tuple[str, str, str | None]] = []
        self.sessions: set[str] = set()
        self.told: list[tuple[OdooAddress, str]] = []
        self.closed: set[str] = set()
        self.refusing: set[str] = set()
        self.asked: list[tuple[str, list[object]]] = []
        self.count_of: dict[str, int] = {}
        self.announced: list[bool] = []
        self.base_url: str | None = None
        self.rights_of: dict[str, frozenset[AccountRight]] = {}

    async def sign_in(
        self, environment: Environment, login: str, password: str, *, address: str | None, may_administer: bool
    ) -> SignedIn:
        del environment
        self.announced.append(may_administer)
        self.tried.append((login, password, address))
        session = f"session {len(self.tried)}"
        await self.meanwhile()
        if self.refusal is not None:
            raise SignInRefused(self.refusal, "So it is told.")
        if self.passwords.get(login) != password:
            raise SignInRefused(SignInRefusal.CREDENTIALS, "Odoo does not accept this login and password.")
        self.sessions.add(session)
        return SignedIn(session, login in self.admins, self.base_url)

    async def sign_out(self, at: OdooAddress, session_id: str) -> None:
        self.told.append((at, session_id))
        if at.url in self.closed:
            raise NotSignedOut("it is closed", answered=False)
        if session_id in self.refusing:
            raise NotSignedOut("it answered with status 404", answered=True)
        self.sessions.discard(session_id)

    async def rights(self, at: OdooAddress, signed_in: SignedIn) -> frozenset[AccountRight]:
        del at
        return self.rights_of.get(signed_in.session_id, self.rights_of.get("", frozenset()))

    async def count(
        self, at: OdooAddress, session_id: str, model: str, domain: Sequence[object], *, address: str | None
    ) -> Counted:
        del at, address
        if session_id not in self.sessions:
            raise SessionEndedError("It was ended.")
        self.asked.append((model, list(domain)))
        return Counted(self.count_of.get(model, 0), None)


def sign_outs(store: Store, clock: Clock, authenticator: FakeAuthenticator, sealer: Sealer | None = None) -> SignOuts:
    """Opens what the tests' `KEYS` sealed, where no other sealer is given."""
    return SignOuts(store, sealer or SealedSecrets(KEYS, SystemEntropy()), authenticator, clock, SystemEntropy())
