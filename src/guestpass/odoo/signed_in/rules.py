"""What a visitor whom their link signs in may not do: become somebody else, or get a credential that outlives the link.

Odoo guards most of this itself by asking for the password again, which a visitor doesn't know. These rules don't rest
on that.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from guestpass.domain.credentials import CREDENTIAL_METHODS, CREDENTIAL_MODELS
from guestpass.domain.reasons import Reason
from guestpass.languages.marks import mark
from guestpass.odoo.http.blocked_paths import LONGEST_REMEMBERED, readings
from guestpass.wire.heads import RequestHead

NOT_FOR_VISITORS: Final = mark(
    "Your link signs you in, so passwords and other ways to sign in can't be used or changed."
)
ADDRESS_OF_USER: Final = mark("Your link signs you in, so the e-mail addresses of people who sign in can't be changed.")
CODE_OF_TEMPLATE: Final = mark("Your link signs you in, so templates with code in them can't be changed.")


class SignInRuling(Enum):
    """What becomes of a request through a link that signs its visitors in."""

    PASS = "pass"
    LEAVES = "leaves"  # it ends the visit, and Odoo hears of that from us
    REFUSED = "refused"


_LEAVING: Final = frozenset({b"/web/session/logout", b"/web/session/destroy"})
# Pages that sign in, whatever the method, and the form at /web/login, which is only looked at by a GET.
# Whatever a module calls its own (``auth_oauth``, ``auth-timeout``), and pages that make a customer another one.
_SHUT = re.compile(
    rb"/web/(?:session/(?:authenticate|change_password|identity(?:/.*)?)|login/.+|reset_password|signup|become|"
    rb"webauthn(?:/.*)?|passkey(?:/.*)?)|/auth(?:[_-][a-z0-9_-]+)?/.+|/my/(?:security|deactivate_account)(?:/.*)?|"
    rb"/(?:oauth2?|passkeys?|webauthn|mcp)(?:/.*)?|"
    rb"/\.well-known/(?:oauth|openid|device-bound|webauthn|passkey)[a-z0-9_-]*(?:/.*)?"
)
_FORM: Final = b"/web/login"
_SECOND_STEP: Final = b"/web/login/totp"

# As names of values that are written, wherever they stand: relational commands nest other models' values.
_CREDENTIALS: Final = frozenset(
    {
        "api_key_ids",
        "auth_passkey_key_ids",
        "new_password",
        "oauth_access_token",
        "oauth_uid",
        "password",
        "signup_token",
        "signup_type",
        "totp_secret",
        "totp_trusted_device_ids",
    }
)
# Methods that name the fields that they write in a list, as ``user_ids/password``.
IMPORTERS: Final = frozenset({"execute_import", "load"})
# Where a person signs in next, where a new password would be sent, and what they may do.
_IDENTITY: Final = frozenset(
    {"email", "email_normalized", "group_ids", "groups_id", "login", "partner_id", "private_email", "work_email"}
)
# The same where they are nested in another model's values, which have names of their own for an address.
_NESTED_IDENTITY: Final = frozenset({"group_ids", "groups_id", "login"})
# Fields by which users are hung onto a contact or put into a group, by model; Odoo's forms send them empty.
_OF_USERS: Final = frozenset({"user_ids"})
_MEMBERS: Final = {
    "res.groups": frozenset({"all_user_ids", "user_ids", "users"}),
    "res.partner": _OF_USERS,
    "res.users": _OF_USERS,
}
CONTACTS = re.compile(r"(?:\w+_)?(?:partner|contact|recipient)_ids")
"""Fields whose commands write several contacts, beside those below a contact."""
_GROUP_FIELD = re.compile(r"(?:in_group|sel_groups)_[0-9_]+")
_USER_FIELDS: Final = frozenset({"all_user_ids", "user_ids", "users"})
_USERS_CONTACT: Final = frozenset({"partner_id"})
_NOBODY: Final[frozenset[str]] = frozenset()
_DEFAULT: Final = "default_"
_UNWRITTEN: Final = frozenset({"context", "specification"})
_CALL_NAMES: Final = frozenset({"args", "context", "kwargs", "method", "model"})
# As Odoo's own client spells them; what is spelled otherwise gets no exemption.
_METHOD_ROUTES = re.compile(rb"/web/dataset/call(?:_kw|_button)?(?:/[A-Za-z_][A-Za-z0-9_.]*)*")
_READERS = re.compile(r"(?:web_)?(?:search_)?read|(?:web_)?(?:name_)?search|fields_get|get_views|onchange|default_get")


def rule_on_sign_in(method: bytes, path: bytes) -> SignInRuling:
    """Rule on a request's method and path (without its query)."""
    return _rule_again(method, path) if len(path) <= LONGEST_REMEMBERED else _rule(method, path)


def _rule(method: bytes, path: bytes) -> SignInRuling:
    for plain in readings(path):
        if plain in _LEAVING:
            return SignInRuling.LEAVES
        if _SHUT.fullmatch(plain) or (plain == _FORM and method not in (b"GET", b"HEAD")):
            return SignInRuling.REFUSED
    return SignInRuling.PASS


# Visitors ask for the same paths again and again.
_rule_again = lru_cache(maxsize=1024)(_rule)


def why_nobody_leaves(head: RequestHead) -> Reason | None:
    """Why a request to log out doesn't end the visit; None where the visitor means it (Fetch Metadata, W3C).

    A link on another site, a picture in a message or a browser that loads ahead would cost them their place.
    """
    if head.method not in (b"GET", b"POST"):
        return Reason.METHOD_NOT_ALLOWED
    values = head.values
    is_own = values.get(b"sec-fetch-site", b"none") in (b"same-origin", b"none")
    if is_own and values.get(b"sec-fetch-mode") != b"no-cors" and b"prefetch" not in values.get(b"sec-purpose", b""):
        return None
    return Reason.FOREIGN_ORIGIN


def is_own_sign_in(method: bytes, path: bytes) -> bool:
    """Whether a request is how a person signs in or out themselves, which changes nothing but their own session."""
    again = len(path) <= LONGEST_REMEMBERED
    return _is_own_sign_in_again(method, path) if again else _is_own_sign_in(method, path)


def _is_own_sign_in(method: bytes, path: bytes) -> bool:
    for plain in readings(path):
        if plain in (_FORM, _SECOND_STEP) and method == b"POST":
            return True
        if plain in _LEAVING and method in (b"GET", b"HEAD"):
            return True
        if plain == _SECOND_STEP:
            return True
    return False


_is_own_sign_in_again = lru_cache(maxsize=1024)(_is_own_sign_in)


def calls_method(path: bytes) -> bool:
    """Whether the route calls the method of a model that the body names; any other ignores those names."""
    return _METHOD_ROUTES.fullmatch(path) is not None


def takes_credentials(call: dict[str, Any], *, is_method: bool = True) -> bool:
    """Whether a JSON-RPC call would use, change or make a credential; `is_method` says whether it `calls_method`."""
    params = call.get("params", {})
    if not isinstance(params, dict):
        # Odoo takes pairs for an object, too; its own client never sends any.
        return True
    model, method = params.get("model"), params.get("method")
    if isinstance(model, str) and CREDENTIAL_MODELS.fullmatch(model):
        return True
    if isinstance(method, str) and method in CREDENTIAL_METHODS:
        return True
    if is_method and reads_only(method):
        return False
    kwargs = params.get("kwargs")
    named = kwargs if is_method and isinstance(kwargs, dict) else {}
    contexts = [each for each in (named.get("context"), params.get("context")) if isinstance(each, dict)]
    # What shall be read back names fields without writing them; of the context only defaults are written. A route of
    # another kind has its values beside each other.
    given = (
        {name: value for name, value in named.items() if name not in _UNWRITTEN},
        {name: value for name, value in params.items() if name not in (_CALL_NAMES if is_method else _UNWRITTEN)},
        *map(defaults_in, contexts),
    )
    wanted = _CREDENTIALS | _IDENTITY if model == "res.users" else _CREDENTIALS
    members = _MEMBERS.get(model, _NOBODY) if isinstance(model, str) else _NOBODY
    if any(_has_name(each, wanted) or _has_value(each, members) for each in given):
        return True
    if method == "execute_import":
        wanted |= _NESTED_IDENTITY  # the model that it imports to isn't said
    values = [("", params.get("args")), *(item for each in given for item in each.items())]
    return _names(values, wanted, members, in_lists=isinstance(method, str) and method in IMPORTERS)


def defaults_in(context: dict[str, Any]) -> dict[str, Any]:
    """The values of new records that a call's context gives, by field."""
    return {name.removeprefix(_DEFAULT): value for name, value in context.items() if name.startswith(_DEFAULT)}


def reads_only(method: object) -> bool:
    """Whether a method only reads, whatever its arguments name."""
    return isinstance(method, str) and _READERS.fullmatch(method) is not None


def _has_name(values: dict[str, Any], names: frozenset[str]) -> bool:
    return not names.isdisjoint(values) or any(map(_GROUP_FIELD.fullmatch, values))


def _has_value(values: dict[str, Any], names: frozenset[str]) -> bool:
    return any(values.get(name) for name in names)


def _names(values: list[tuple[str, Any]], names: frozenset[str], members: frozenset[str], *, in_lists: bool) -> bool:
    """Whether one of the names is a name in an object at any depth; strict reading has bounded the depth.

    Each of `values` stands below a name. `members` are the names that may be there without a value. With `in_lists`
    also whether one is a text, or a part of one that slashes divide. Nested values may be a user's.
    """
    nested = names | _NESTED_IDENTITY
    open_ones: list[tuple[Any, frozenset[str], frozenset[str]]] = [
        (value, *_below(name, names, members)) for name, value in values
    ]
    while open_ones:
        each, wanted, filled = open_ones.pop()
        if isinstance(each, dict):
            if _has_name(each, wanted) or _has_value(each, filled):
                return True
            open_ones.extend((within, *_below(name, nested, filled)) for name, within in each.items() if within)
        elif isinstance(each, list):
            open_ones.extend((within, wanted, filled) for within in each if within)
        elif in_lists and isinstance(each, str):
            parts = each.split("/")
            if not ((nested if len(parts) > 1 else wanted) | members).isdisjoint(parts):
                return True
    return False


def _below(name: str, names: frozenset[str], members: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """What is looked for in the values that stand below a name: those of users have a contact, and the reverse."""
    if name in _USER_FIELDS:
        return names | _USERS_CONTACT, members
    return names, members | _OF_USERS if CONTACTS.fullmatch(name) else members
