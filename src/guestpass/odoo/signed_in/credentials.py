"""Keep fields that hold credentials from a visitor who is signed in, and what Odoo knows of other sessions of theirs.

Up to 17 Odoo tells the link by which anybody sets a person's password anew as a contact's field to whoever may read
contacts, once it was asked for on the login page.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

from guestpass.odoo.http.blocked_paths import readings
from guestpass.odoo.http.json_bodies import may_have_escapes
from guestpass.odoo.secret_fields import CREDENTIALS, reads_all_fields
from guestpass.odoo.signed_in.addresses import Inquiry

# Those that have the fields: to read them without naming fields is to read these.
_HAVE_LINKS: Final = frozenset({"res.partner", "res.users"})
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
# Where fields are named outside of calls: what a file holds, and what it is called.
_FILES = re.compile(rb"/web/(?:export|content|image)(?:/.*)?|/website/image(?:/.*)?|/report/.*")
# What renders a template of a mail, which may be Odoo's own that invites people to set a password.
_RENDERERS: Final = frozenset({"mail.compose.message", "mail.template.preview"})
_TEMPLATE: Final = re.compile(r"(?:default_)?(?:mail_)?template_id")
_OF_USERS: Final = ["model", "in", ["portal.wizard.user", "res.users"]]


@lru_cache(maxsize=256)
def makes_file_of_fields(path: bytes) -> bool:
    """Whether Odoo makes a file at this path (without its query) of fields that the request names."""
    return any(_FILES.fullmatch(plain) for plain in readings(path))


def without_credentials(call: dict[str, Any], body: bytes) -> bytes | None:
    """The call without these fields among those that it reads; None where it could tell them all the same.

    `call` is what `body` was parsed to, and is changed; where it names none, `body` comes back.
    """
    may_be_named = CREDENTIALS.may_be_in(body)
    if not may_be_named and not (b"read" in body and (b"res.partner" in body or b"res.users" in body)):
        return body
    params = call.get("params")
    if not isinstance(params, dict):
        return body
    model, method = params.get("model"), params.get("method")
    args, kwargs = params.get("args") or [], params.get("kwargs") or {}
    is_named = may_be_named and CREDENTIALS.are_in(params)
    if not isinstance(method, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        return None if is_named else body
    if model in _HAVE_LINKS and reads_all_fields(method, args, kwargs):
        return None
    if not is_named:
        return body
    others: dict[str, Any] = {name: value for name, value in params.items() if name not in ("args", "kwargs")}
    if not CREDENTIALS.leave_out(method, args, kwargs) or CREDENTIALS.are_in(others):
        return None
    try:
        return _ENCODER.encode(call).encode()
    except ValueError:
        return None


def may_render_template(body: bytes) -> bool:
    """Whether a call is worth a closer look."""
    return b"mail.template" in body or b"mail.compose" in body or may_have_escapes(body)


def inquiries_about_templates(call: dict[str, Any]) -> tuple[Inquiry, ...]:
    """What has to be asked before a call that renders templates: none may be about users."""
    params = call.get("params")
    if not isinstance(params, dict):
        return ()
    model, method = params.get("model"), params.get("method")
    ids: set[int] = set()
    if model == "mail.template" and isinstance(method, str) and method.startswith(("send_mail", "generate")):
        args, kwargs = params.get("args"), params.get("kwargs")
        named = kwargs.get("ids") if isinstance(kwargs, dict) else None
        ids.update(_numbers(args[0] if isinstance(args, list) and args else named))
    elif model in _RENDERERS:
        values: list[object] = [params]
        for each in values:  # Those within are put behind it.
            if isinstance(each, dict):
                for name, value in each.items():
                    if _TEMPLATE.fullmatch(name):
                        ids.update(_numbers(value))
                values += each.values()
            elif isinstance(each, list):
                values += each
    return (Inquiry("mail.template", [["id", "in", sorted(ids)], _OF_USERS]),) if ids else ()


def _numbers(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if type(each) is int]
