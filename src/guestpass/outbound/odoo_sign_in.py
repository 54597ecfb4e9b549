"""Sign users in to an Odoo, and out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from guestpass.app.ports import Counted, NotAskedError, NotSignedOut, SessionEndedError, SignedIn, SignInRefused
from guestpass.domain.account import AccountRight, SignInRefusal
from guestpass.domain.environment import Environment, OdooAddress, parse_public_url
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.odoo.signed_in.session_cookie import session_set_by
from guestpass.odoo.signed_in.session_filter import EXPIRED_CODE
from guestpass.outbound.http_client import HttpClient, HttpResponse, NoResponseError
from guestpass.outbound.odoo_client import OdooClient, json_object

_SECONDS: Final = 20.0
_IS_BASE_URL: Final = [["key", "=", "web.base.url"]]
# The response to a sign-in lists each company and currency.
_MOST_VALUES: Final = 20_000
# Odoo's throttle answers in English, since it does not know the user's language yet.
_THROTTLED: Final = re.compile(r"too many login failures", re.IGNORECASE)
_NO_DATABASE: Final = re.compile(r"database .*(not found|does not exist)", re.IGNORECASE | re.DOTALL)
_GROUPS: Final = {
    AccountRight.ACCESS_RIGHTS: "base.group_erp_manager",
    AccountRight.WEBSITE_DESIGN: "website.group_website_designer",
    AccountRight.CONTACTS: "base.group_partner_manager",
    AccountRight.EMPLOYEES: "hr.group_hr_user",
    AccountRight.MAIL_TEMPLATES: "mail.group_mail_template_editor",
    AccountRight.IMPERSONATION: "impersonate_login.group_impersonate_login",
}
_ASKS_OF_A_USER: Final = 18
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

    async def sign_in(
        self, environment: Environment, login: str, password: str, *, address: str | None, may_administer: bool
    ) -> SignedIn:
        """Return a new session of the user; raises SignInRefused and DescriptorsUsedUp.

        An administrator's login stores the name that Odoo is called by as web.base.url. So Odoo is called by the name
        that is stored there, and if that did not keep it, as without proxy_mode, it is written back.
        """
        address_of_odoo = environment.odoo_address
        odoo = OdooClient.at(address_of_odoo, self._http, client_address=address)
        try:
            async with asyncio.timeout(_SECONDS):
                database = environment.database or await _only_database(odoo)
                credentials: dict[str, object] = {"db": database, "login": login, "password": password}
                known = await _base_url(odoo, database, login, password) if may_administer else None
                known = known or environment.base_url
                own_name = _origin(known)
                if own_name is None or own_name == address_of_odoo.called:
                    signed_in = _signed_in(await odoo.call("/web/session/authenticate", credentials))
                else:
                    called = OdooClient.at(
                        replace(address_of_odoo, called=own_name), self._http, client_address=address
                    )
                    try:
                        signed_in = _signed_in(await called.call("/web/session/authenticate", credentials))
                    except SignInRefused as refused:
                        if refused.refusal is not SignInRefusal.DATABASE:
                            raise
                        # The dbfilter goes by the host, and knows this one by another.
                        signed_in = _signed_in(await odoo.call("/web/session/authenticate", credentials))
                if not signed_in.is_admin or known is None or signed_in.base_url == known:
                    return replace(signed_in, base_url=_origin(signed_in.base_url))
                await _put_back(odoo, signed_in.session_id, known)
                return replace(signed_in, base_url=own_name)
        except (NoResponseError, TimeoutError) as error:
            why = str(error) or f"it did not answer within {_SECONDS:g} s"
            raise SignInRefused(SignInRefusal.UNREACHABLE, f"Odoo can't be asked: {why}.") from None

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

    async def rights(self, at: OdooAddress, signed_in: SignedIn) -> frozenset[AccountRight]:
        """Ask for one group after the other; what Odoo does not answer is passed over."""
        odoo = OdooClient.at(at, self._http)
        found = set()
        try:
            async with asyncio.timeout(_SECONDS):
                for right, group in _GROUPS.items():
                    # Before version 18 the method was the model's, and said so of whoever asks.
                    of_user = signed_in.major is None or signed_in.major >= _ASKS_OF_A_USER
                    params: dict[str, object] = {
                        "model": "res.users",
                        "method": "has_group",
                        "args": [[signed_in.uid], group] if of_user else [group],
                        "kwargs": {},
                    }
                    answer = await odoo.call(
                        "/web/dataset/call_kw/res.users/has_group", params, session=signed_in.session_id
                    )
                    if json_object(answer).get("result") is True:
                        found.add(right)
        except (NoResponseError, TimeoutError):
            pass
        return frozenset(found)

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


async def _base_url(odoo: OdooClient, database: str, login: str, password: str) -> str | None:
    """Return web.base.url as an administrator reads it; None for others, who don't change it. Raises NoResponseError.

    Only a remote call leaves it as it is: it names no address that Odoo was called by.
    """

    async def ask(service: str, method: str, args: list[object]) -> object:
        params: dict[str, object] = {"service": service, "method": method, "args": args}
        return json_object(await odoo.call("/jsonrpc", params), _MOST_VALUES).get("result")

    uid = await ask("common", "authenticate", [database, login, password, {}])
    if not isinstance(uid, int) or isinstance(uid, bool):
        return None
    asked = [database, uid, password, "ir.config_parameter", "search_read", [_IS_BASE_URL, ["value"]]]
    return _value_in(await ask("object", "execute_kw", asked))


async def _put_back(odoo: OdooClient, session_id: str, value: str) -> None:
    """Write web.base.url, unless web.base.url.freeze had kept it; raises NoResponseError."""

    async def call(method: str, args: list[object]) -> object:
        params: dict[str, object] = {"model": "ir.config_parameter", "method": method, "args": args, "kwargs": {}}
        path = f"/web/dataset/call_kw/ir.config_parameter/{method}"
        return json_object(await odoo.call(path, params, session=session_id)).get("result")

    found = await call("search_read", [_IS_BASE_URL, ["value"]])
    if isinstance(found, list) and found and _value_in(found) != value:
        await call("write", [[found[0].get("id")], {"value": value}])


def _value_in(found: object) -> str | None:
    """The value of a parameter that was read."""
    row = found[0] if isinstance(found, list) and found else None
    value = row.get("value") if isinstance(row, dict) else None
    return value if isinstance(value, str) else None


def _origin(url: str | None) -> str | None:
    """A URL as an origin; None where it is none."""
    try:
        return parse_public_url(url or "")
    except ValueError:
        return None


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
    base_url = result.get("web.base.url")
    # Up to 16 only who works in Odoo's own pages is told of companies.
    internal = result.get("is_internal_user", True if "user_companies" in result else None)
    version = result.get("server_version_info")
    major = version[0] if isinstance(version, list) and version else None
    return SignedIn(
        session_id.decode("latin-1"),
        is_admin=bool(result.get("is_system") or result.get("is_admin")),
        base_url=base_url if isinstance(base_url, str) else None,
        uid=uid,
        is_internal=internal if isinstance(internal, bool) else None,
        major=major if isinstance(major, int) else None,
    )


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
