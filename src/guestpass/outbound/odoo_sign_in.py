"""Sign somebody in to an Odoo, and out: the OdooDoor of the product."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from guestpass.app.ports import NotSignedOut, SignedIn, SignInRefused
from guestpass.domain.account import SignInRefusal
from guestpass.domain.environment import Environment, OdooAddress
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.odoo.signed_in.session_cookie import session_set_by
from guestpass.outbound.http_client import HttpClient, HttpResponse, NoAnswerError
from guestpass.outbound.odoo_client import OdooClient, answered_object

_SECONDS: Final = 20.0
# What Odoo's own throttle says, in the language of somebody whom it does not know yet.
_THROTTLED: Final = re.compile(r"too many login failures", re.IGNORECASE)
_NO_DATABASE: Final = re.compile(r"database .*(not found|does not exist)", re.IGNORECASE | re.DOTALL)
_REFUSED: Final = {
    SignInRefusal.CREDENTIALS: "Odoo does not accept this login and password.",
    SignInRefusal.SECOND_FACTOR: "The account has two-factor authentication, which only a person can pass.",
    SignInRefusal.DATABASE: "Odoo has no such database.",
    SignInRefusal.THROTTLED: "Odoo has seen too many failures and wants no more tries for a minute.",
}


class OdooSignIn:
    """Signs in by ``/web/session/authenticate``, as Odoo's own programs do; the session is a fresh one each time."""

    def __init__(self, asker: HttpClient) -> None:
        self._asker = asker

    async def sign_in(self, environment: Environment, login: str, password: str, *, address: str | None) -> SignedIn:
        """A new session of this user; raises SignInRefused and DescriptorsUsedUp."""
        calls = OdooClient(environment.odoo_address, self._asker, address=address)
        try:
            async with asyncio.timeout(_SECONDS):
                database = environment.database or await _only_database(calls)
                params: dict[str, object] = {"db": database, "login": login, "password": password}
                reply = await calls.call("/web/session/authenticate", params)
        except (NoAnswerError, TimeoutError) as error:
            why = str(error) or f"it did not answer within {_SECONDS:g} s"
            raise SignInRefused(SignInRefusal.UNREACHABLE, f"Odoo can't be asked: {why}.") from None
        return _signed_in(reply)

    async def sign_out(self, at: OdooAddress, session_id: str) -> None:
        """End a session; raises NotSignedOut."""
        try:
            async with asyncio.timeout(_SECONDS):
                reply = await OdooClient(at, self._asker).get("/web/session/logout", session=session_id, body=False)
        except (NoAnswerError, DescriptorsUsedUp, TimeoutError) as error:
            why = str(error) or f"it did not answer within {_SECONDS:g} s"
            raise NotSignedOut(why, answered=False) from None
        # Odoo redirects, whether or not it knows the session. 404 is what it says under a name that is not the
        # database's, and 502 what a proxy says for an Odoo that is down.
        if reply.status >= 400:
            raise NotSignedOut(f"it answered with status {reply.status}", answered=True)


async def _only_database(calls: OdooClient) -> str:
    """The one database of a server whose environment names none; raises SignInRefused and NoAnswerError."""
    reply = await calls.call("/web/database/list", {})
    names = answered_object(reply).get("result")
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        return names[0]
    if isinstance(names, list) and names:
        raise SignInRefused(SignInRefusal.DATABASE, "Odoo has several databases, and the environment names none.")
    raise SignInRefused(SignInRefusal.DATABASE, "Odoo does not say which database it has, and the environment neither.")


def _signed_in(reply: HttpResponse) -> SignedIn:
    answer = answered_object(reply)
    result, error = answer.get("result"), answer.get("error")
    if isinstance(error, dict):
        raise _refused(_why(error))
    if not isinstance(result, dict) or "uid" not in result:
        raise SignInRefused(SignInRefusal.UNREACHABLE, f"Odoo gave no usable answer (status {reply.status}).")
    uid = result["uid"]
    if not isinstance(uid, int) or isinstance(uid, bool):
        raise _refused(SignInRefusal.SECOND_FACTOR)
    session_id = session_set_by(reply.fields)
    if not session_id:
        raise SignInRefused(SignInRefusal.UNREACHABLE, "Odoo signed the account in but gave no session.")
    return SignedIn(session_id.decode("latin-1"), is_admin=bool(result.get("is_system") or result.get("is_admin")))


def _why(error: dict[str, object]) -> SignInRefusal:
    data = error.get("data")
    told = data if isinstance(data, dict) else {}
    name, message = str(told.get("name")), str(told.get("message"))
    if _THROTTLED.search(message):
        return SignInRefusal.THROTTLED
    if name.startswith("psycopg2") or _NO_DATABASE.search(message):
        return SignInRefusal.DATABASE
    return SignInRefusal.CREDENTIALS if name == "odoo.exceptions.AccessDenied" else SignInRefusal.UNREACHABLE


def _refused(why: SignInRefusal) -> SignInRefused:
    return SignInRefused(why, _REFUSED.get(why, "Odoo gave no usable answer."))
