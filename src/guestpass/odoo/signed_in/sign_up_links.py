"""Keep the link by which anybody sets a person's password anew from a visitor who is signed in.

Up to 17 Odoo tells it as a contact's field to whoever may read contacts, once it was asked for on the login page.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

from guestpass.odoo.http.blocked_paths import readings
from guestpass.odoo.http.json_bodies import read_call
from guestpass.odoo.secret_fields import SIGN_UP_LINKS, reads_all_fields

# Those that have the fields: to read them without naming fields is to read these.
_HAVE_LINKS: Final = frozenset({"res.partner", "res.users"})
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
# Where fields are named outside of calls: what a file holds, and what it is called.
_FILES = re.compile(rb"/web/(?:export|content|image)(?:/.*)?|/website/image(?:/.*)?|/report/.*")


@lru_cache(maxsize=256)
def makes_file_of_fields(path: bytes) -> bool:
    """Whether Odoo makes a file at this path (without its query) of fields that the request names."""
    return any(_FILES.fullmatch(plain) for plain in readings(path))


def may_read_sign_up_link(body: bytes) -> bool:
    """Whether a call is worth a closer look."""
    return SIGN_UP_LINKS.may_be_in(body) or (b"read" in body and (b"res.partner" in body or b"res.users" in body))


def without_sign_up_links(body: bytes) -> bytes | None:
    """The call without these fields among those that it reads; None where it could tell them all the same.

    It is a call that `read_call` takes, and comes back as it was where it names none.
    """
    call = read_call(body)
    params = call.get("params")
    if not isinstance(params, dict):
        return body
    model, method = params.get("model"), params.get("method")
    args, kwargs = params.get("args") or [], params.get("kwargs") or {}
    is_named = SIGN_UP_LINKS.may_be_in(body) and SIGN_UP_LINKS.are_in(params)
    if not isinstance(method, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        return None if is_named else body
    if model in _HAVE_LINKS and reads_all_fields(method, args, kwargs):
        return None
    if not is_named:
        return body
    others: dict[str, Any] = {name: value for name, value in params.items() if name not in ("args", "kwargs")}
    if not SIGN_UP_LINKS.leave_out(method, args, kwargs) or SIGN_UP_LINKS.are_in(others):
        return None
    try:
        return _ENCODER.encode(call).encode()
    except ValueError:
        return None
