"""Sign users in to an Odoo, and out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from guestpass.app.ports import Counted, NotAskedError, NotSignedOut, SessionEndedError, SignedIn, SignInRefused
from guestpass.domain.account import SignInRefusal
from guestpass.domain.environment import Environment, OdooAddress
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.odoo.signed_in.session_cookie import session_set_by
from guestpass.odoo.signed_in.session_filter import EXPIRED_CODE
from guestpass.outbound.http_client import HttpClient, HttpResponse, NoResponseError
from guestpass.outbound.odoo_client import OdooClient, json_object

_SECONDS: Final = 20.0
# The response to a sign-in lists each company and currency.
_MOST_VALUES: Final = 20_000
# Odoo's throttle answers in English, since it does not know the user's language yet.
_THROTTLED: Final = re.compile(r"too many login failures", re.IGNORECASE)
_NO_DATABASE: Final = re.compile(r"database .*(not found|does not exist)", re.IGNORECASE | re.DOTALL)
_REFUSED: Final = {
    SignInRefusal.CREDENTIALS: "Odoo does not accept this login and password.",
    SignInRefusal.SECOND_FACTOR: "The account has two-factor authentication, which only a person can pass.",
    SignInRefusal.DATABASE: "Odoo has no such database.",
    SignInRefusal.THROTTLED: "Odoo has seen too many failures and wants no more tries for a minute.",
}


class OdooSignIn:
    """The product's OdooAuthenticator: sign in by ``/web/session/authenticate``, to a new session each time."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def sign_in(self, environment: Environment, login: str, password: str, *, address: str | None) -> SignedIn:
        """Return a new session of the user; raises SignInRefused and DescriptorsUsedUp."""
        odoo = OdooClient.at(environment.odoo_address, self._http, client_address=address)
        try:
            async with asyncio.timeout(_SECONDS):
                database = environment.database or await _only_database(odoo)
                params: dict[str, object] = {"db": database, "login": login, "password": password}
                response = await odoo.call("/web/session/authenticate", params)
        except (NoResponseError, TimeoutError) as error:
            why = str(error) or f"it did not answer within {_SECONDS:g} s"
            raise SignInRefused(SignInRefusal.UNREACHABLE, f"Odoo can't be asked: {why}.") from None
        return _signed_in(response)

    async def sign_out(self, at: OdooAddress, session_id: str) -> None:
        """End a session; raises NotSignedOut."""
        try:
            async with asyncio.timeout(_SECONDS):
                odoo = OdooClient.at(at, self._http)
                response = await odoo.get("/web/session/logout", session=session_id, body=False)
        except (NoResponseError, DescriptorsUsedUp, TimeoutError) as error:
            why = str(error) or f"it did not answer within {_SECONDS:g} s"
            raise NotSignedOut(why, answered=False) from None
        # Odoo redirects, whether or not it knows the session. It answers 404 under a name that is not the database's,
        # and a proxy answers 502 for an Odoo that is down.
        if response.status >= 400:
            raise NotSignedOut(f"it answered with status {response.status}", answered=True)

    async def count(
        self, at: OdooAddress, session_id: str, model: str, domain: Sequence[object], *, address: str | None
    ) -> Counted:
        """Count records; raises SessionEndedError, NotAskedError and DescriptorsUsedUp."""
        odoo = OdooClient.at(at, self._http, client_address=address)
        params: dict[str, object] = {
            "model": model,
            "method": "search_count",
            "args": [domain],
            "kwargs": {"context": {"active_test": False}},
        }
        try:
            async with asyncio.timeout(_SECONDS):
                response = await odoo.call(f"/web/dataset/call_kw/{model}/search_count", params, session=session_id)
        except (NoResponseError, TimeoutError) as error:
            raise NotAskedError(str(error) or f"it did not answer within {_SECONDS:g} s") from None
        answer = json_object(response)
        count, said = answer.get("result"), answer.get("error")
        if isinstance(said, dict):
            if said.get("code") == EXPIRED_CODE:
                raise SessionEndedError("Odoo has ended the session.")
            if not _lacks_field(said):
                raise NotAskedError("it answered with an error")
            count = 0
        if not isinstance(count, int):
            raise NotAskedError(f"it gave no usable answer (status {response.status})")
        moved_to = session_set_by(response.fields)
        return Counted(count, None if moved_to is None else moved_to.decode("latin-1"))


async def _only_database(odoo: OdooClient) -> str:
    """Return the server's only database; raises SignInRefused if there is not exactly one, and NoResponseError."""
    names = json_object(await odoo.call("/web/database/list", {}), _MOST_VALUES).get("result")
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        return names[0]
    if isinstance(names, list) and names:
        raise SignInRefused(SignInRefusal.DATABASE, "Odoo has several databases, and the environment names none.")
    raise SignInRefused(SignInRefusal.DATABASE, "Odoo does not say which database it has, and the environment neither.")


def _signed_in(response: HttpResponse) -> SignedIn:
    answer = json_object(response, _MOST_VALUES)
    result, error = answer.get("result"), answer.get("error")
    if isinstance(error, dict):
        raise _refused(_refusal_in(error))
    if not isinstance(result, dict) or "uid" not in result:
        raise SignInRefused(SignInRefusal.UNREACHABLE, f"Odoo gave no usable answer (status {response.status}).")
    uid = result["uid"]
    if not isinstance(uid, int) or isinstance(uid, bool):
        raise _refused(SignInRefusal.SECOND_FACTOR)
    session_id = session_set_by(response.fields)
    if not session_id:
        raise SignInRefused(SignInRefusal.UNREACHABLE, "Odoo signed the account in but gave no session.")
    return SignedIn(session_id.decode("latin-1"), is_admin=bool(result.get("is_system") or result.get("is_admin")))


def _lacks_field(error: dict[str, object]) -> bool:
    """Whether Odoo knows no field, or no model, of the name that was asked about."""
    data = error.get("data")
    details = data if isinstance(data, dict) else {}
    name, message = str(details.get("name")), str(details.get("message"))
    return name in ("builtins.ValueError", "builtins.KeyError") and "field" in message.lower()


def _refusal_in(error: dict[str, object]) -> SignInRefusal:
    data = error.get("data")
    details = data if isinstance(data, dict) else {}
    name, message = str(details.get("name")), str(details.get("message"))
    if _THROTTLED.search(message):
        return SignInRefusal.THROTTLED
    if name.startswith("psycopg2") or _NO_DATABASE.search(message):
        return SignInRefusal.DATABASE
    return SignInRefusal.CREDENTIALS if name == "odoo.exceptions.AccessDenied" else SignInRefusal.UNREACHABLE


def _refused(why: SignInRefusal) -> SignInRefused:
    return SignInRefused(why, _REFUSED.get(why, "Odoo gave no usable answer."))
