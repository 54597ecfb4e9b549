"""Fields of Odoo's records whose values let in whoever has them, and whether a request names one to read it.

Calls are told from what was parsed of them; forms and addresses from their text. Views of Odoo name some of these
fields, so they are left out of what a call wants to read, and refused where it searches, groups or sorts by them, from
which they could be found out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote_plus

from guestpass.odoo.http.json_bodies import may_have_escapes

# Where the methods that read have the names of fields: by position and by name.
_WANTED: Final = {
    "default_get": (0, "fields_list"),
    "onchange": (3, "fields_spec"),
    "read": (1, "fields"),
    "search_read": (1, "fields"),
    "web_name_search": (1, "specification"),
    "web_read": (1, "specification"),
    "web_resequence": (1, "specification"),
    "web_save": (2, "specification"),
    "web_save_multi": (2, "specification"),
    "web_search_read": (1, "specification"),
}
# By name alone, whatever the method: groups that are unfolded as soon as they are read.
_UNFOLDED: Final = ("groupby_read_specification", "unfold_read_specification")
_READ_ALL: Final = frozenset({"read", "search_read"})
_HARMLESS: Final = frozenset({"fields_get", "get_views"})


def reads_all_fields(method: str, args: list[Any], kwargs: dict[str, Any]) -> bool:
    """Whether the call names no fields where Odoo then reads all of them."""
    return method in _READ_ALL and not _wanted(method, args, kwargs)


def _wanted(method: str, args: list[Any], kwargs: dict[str, Any]) -> object:
    position, name = _WANTED.get(method, (0, ""))
    if not name:
        return None
    return kwargs[name] if name in kwargs else args[position] if position < len(args) else None


class SecretFields:
    """The fields of these names, on whatever model."""

    __slots__ = ("_bytes", "_names", "_pattern")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._bytes = tuple(name.encode() for name in sorted(self._names))
        # Alone, on a path, in an order or in an aggregate.
        self._pattern = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(sorted(self._names))})(?![A-Za-z0-9_])")

    def may_be_in(self, body: bytes) -> bool:
        """Whether a call is worth a closer look: it has one of the names, or could by an escape."""
        if may_have_escapes(body):
            return True
        for name in self._bytes:  # noqa: SIM110 - a generator takes longer than the searches
            if name in body:
                return True
        return False

    def leave_out(self, method: str, args: list[Any], kwargs: dict[str, Any]) -> bool:
        """Take them out of what is to be read, in place; False where the call could tell them all the same."""
        wanted = _wanted(method, args, kwargs)
        had_some = bool(wanted)
        self._take_out(wanted)
        for name in _UNFOLDED:
            self._take_out(kwargs.get(name))
        if method in _READ_ALL and had_some and not wanted:
            return False
        if method in _HARMLESS:
            return True
        # What a form holds is no question, and the context names no fields.
        said = args[:1] + args[2:] if method == "onchange" else args
        named = {key: value for key, value in kwargs.items() if key not in ("context", "values")}
        return not self.are_in([said, named])

    def are_in(self, value: object) -> bool:
        """Whether a name or a text in what was parsed names one, at any depth."""
        open_ones = [value]
        while open_ones:
            each = open_ones.pop()
            if isinstance(each, str):
                if self.are_in_text(each):
                    return True
            elif isinstance(each, list):
                open_ones += each
            elif isinstance(each, dict):
                open_ones += each
                open_ones += each.values()
        return False

    def are_in_text(self, text: str) -> bool:
        """The same for a text that may be JSON or a literal of Python, in which a letter can be an escape."""
        if self._pattern.search(text):
            return True
        return "\\" in text and self._pattern.search(_ESCAPE.sub(_escaped, text)) is not None

    def are_in_target(self, target: bytes) -> bool:
        """Whether a path or the value of a parameter names one; the names of parameters are no fields."""
        if b"%" not in target and b"\\" not in target:
            for name in self._bytes:
                if name in target:
                    break
            else:
                return False
        path, _, query = target.partition(b"?")
        texts = [path, *(pair.partition(b"=")[2] for pair in query.split(b"&"))]
        return any(self.are_in_text(unquote_plus(each.decode("latin-1"))) for each in texts if each)

    def _take_out(self, wanted: object) -> None:
        """Depth is bounded by strict reading."""
        if isinstance(wanted, list):
            wanted[:] = [each for each in wanted if not isinstance(each, str) or each not in self._names]
            for each in wanted:
                self._take_out(each)
        elif isinstance(wanted, dict):
            for name in [name for name in wanted if not self._names.isdisjoint(name.split("."))]:
                del wanted[name]
            for each in wanted.values():
                self._take_out(each)


_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")


def _escaped(found: re.Match[str]) -> str:
    return chr(int(found[1] or found[2], 16))


CREDENTIALS: Final = SecretFields(("device_ids", "session_identifier", "signup_token", "signup_url"))
"""By which anybody sets a person's password anew (up to 17; later versions have no such fields), and what Odoo knows of
the sessions of a user: half of each one's id, and whence they come."""
TOKENS: Final = SecretFields(
    (
        "access_token",
        "device_ids",
        "invite_token",
        "session_code",
        "session_identifier",
        "session_link",
        "signup_token",
        "signup_url",
        "survey_start_url",
        "videocall_location",
    )
)
"""By which whoever has one opens a record without signing in, computed links with one in them, and credentials."""
