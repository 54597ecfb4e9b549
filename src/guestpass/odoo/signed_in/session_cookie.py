"""Odoo's session cookie, of visitors who must not hold it: put into their requests, taken out of their answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from guestpass.wire.heads import Field, ResponseHead

NAME: Final = b"session_id"
# What Odoo makes, and what a header can hold: anything else is no session that could be sent back.
_ID = re.compile(rb"[A-Za-z0-9_-]{20,200}")


def with_session(cookie: bytes, id: bytes | None) -> bytes:
    """A visitor's Cookie field with our session and none of their own: of two with one name Odoo takes the first."""
    if NAME in cookie.lower():
        # Some readers trim more than blanks around a name, so nothing that could be read as one is passed on.
        cookie = b"; ".join(pair for pair in cookie.split(b"; ") if NAME not in pair.partition(b"=")[0].lower())
    if id is None:
        return cookie
    session = NAME + b"=" + id
    return session + b"; " + cookie if cookie else session


def session_set_by(fields: Sequence[Field]) -> bytes | None:
    """The id that an answer sets, the last where it says it repeatedly; None for none that could be used."""
    found = None
    for lower, _, value in fields:
        if lower == b"set-cookie" and _sets_session(value):
            id = value.partition(b";")[0].partition(b"=")[2].strip(b' \t"')
            found = id if _ID.fullmatch(id) else found
    return found


def without_session(head: ResponseHead) -> ResponseHead:
    """The answer without the fields that set the session."""
    kept = [each for each in head.fields if not (each[0] == b"set-cookie" and _sets_session(each[2]))]
    if len(kept) == len(head.fields):
        return head
    return head.with_fields(kept)


def _sets_session(set_cookie: bytes) -> bool:
    return set_cookie.partition(b"=")[0].strip(b" \t").lower() == NAME
