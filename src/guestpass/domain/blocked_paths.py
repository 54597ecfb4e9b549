"""Which of Odoo's paths are shut, in whatever spelling they are asked for.

Rules look at the path as Odoo will read it: %-escapes decoded once. A path that two servers could read in two ways is
malformed; one that leads to a door which no visitor of a link needs is refused. The path itself is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes


class Ruling(Enum):
    """What becomes of a path."""

    PASS = "pass"
    REFUSED = "refused"  # it leads to a door that is shut: 403
    MALFORMED = "malformed"  # servers would disagree about it: 400


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ruling, with a sentence for the person who asked where it is not PASS."""

    ruling: Ruling
    detail: str = ""


PASS: Final = Verdict(Ruling.PASS)


@dataclass(frozen=True, slots=True)
class _Blocked:
    """A part of Odoo that is shut; `name` is how it is written in the settings and to people."""

    name: str
    pattern: re.Pattern[bytes]
    can_allow: bool = True


def _blocked(name: str, *, prefix: bool = False, can_allow: bool = True) -> _Blocked:
    """The door at `name` and all that lies below it, and with `prefix` all that begins so.

    Where Odoo doesn't know a path, it takes off the first segment if a language is called so in URLs, whatever the
    method, and serves the rest. That name is for whoever runs the Odoo to choose, so the door is looked for behind any.
    """
    spelled = re.escape(name.encode())
    below = b"(?:/.*)?"
    return _Blocked(name, re.compile(spelled + (b".*" if prefix else below) + b"|/[^/]+" + spelled + below), can_allow)


_BLOCKED_PATHS: Final = (
    # The database manager: creates, copies, drops and hands out whole databases.
    _blocked("/web/database", prefix=True, can_allow=False),
    # The same as a service, called in any version of the interface.
    _Blocked("/xmlrpc/db", re.compile(rb"(?:/[^/]+)?/xmlrpc[^/]*(?:/[^/]+)?/db(?:/.*)?"), can_allow=False),
    # The programming interfaces: they take a password with each call, outside of any session that we could end.
    _blocked("/xmlrpc", prefix=True),
    _blocked("/jsonrpc"),
    _blocked("/json"),
    # These take a password from whoever sends one, and the second installs code with it.
    _blocked("/web/session/authenticate"),
    _blocked("/base_import_module/login_upload"),
    # An administrator becomes the superuser, whom no access rule holds.
    _blocked("/web/become"),
    # Odoo's own test suite, which runs in the visitor's browser with the visitor's session.
    _blocked("/web/tests", prefix=True),
)
LONGEST_REMEMBERED: Final = 512
"""Bytes of a path up to which rules remember what they decided about it: others must not fill the memory."""
# A path without any of these words leads to none of the doors.
_SUSPECT = re.compile(rb"database|xmlrpc|json|authenticate|login_upload|become|tests")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_DOT_SEGMENT = re.compile(rb"/\.{1,2}(?:/|$)")
_BEHIND_FIRST = re.compile(rb"/[^/]+(/.*)")
_JSON_API = re.compile(rb"(?:/[^/]+)?/json(?:/.*)?")
_JSONRPC = re.compile(rb"(?:/[^/]+)?/jsonrpc(?:/.*)?")


def judge(path: bytes, allow_paths: Sequence[str] = ()) -> Verdict:
    """Rule on a request's path (without its query), as it is forwarded.

    `allow_paths` are the environment's exceptions, such as ``/jsonrpc``, ``/xmlrpc/2/common`` or ``/json/*``: each
    opens what lies at or below it, if it names a shut door itself (so ``/web`` or ``/`` open nothing). The database
    manager and the `db` service stay shut.
    """
    exceptions = tuple(allow_paths)
    return _judge_again(path, exceptions) if len(path) <= LONGEST_REMEMBERED else _judge(path, exceptions)


def _judge(path: bytes, allow_paths: tuple[str, ...]) -> Verdict:
    if detail := _what_is_wrong(path):
        return Verdict(Ruling.MALFORMED, detail)
    plain = _plain(path)
    if not _SUSPECT.search(plain):
        return PASS
    allowed = [entry for entry in map(_exception, allow_paths) if entry and _blocked_at(entry)]
    for blocked in _blocked_at(plain):
        if not blocked.can_allow or not _allows(allowed, plain):
            return Verdict(
                Ruling.REFUSED, f"{blocked.name} is not shared: it is blocked for everybody who comes by a link."
            )
    return PASS


# Visitors ask for the same paths again and again.
_judge_again = lru_cache(maxsize=1024)(_judge)


def needs_body_check(path: bytes) -> bool:
    """Whether `path` is ``/jsonrpc``, whose body names the service.

    Where it is allowed, the body is looked at before anything is sent.
    """
    return _JSONRPC.fullmatch(_plain(path)) is not None


def is_json_api(path: bytes) -> bool:
    """Whether `path` is below ``/json``, whose callers go by HTTP statuses and not by JSON-RPC."""
    return _JSON_API.fullmatch(_plain(path)) is not None


def is_path(path: bytes, wanted: bytes) -> bool:
    """Whether `path` is `wanted` (lower case, no trailing slash) in some spelling."""
    return _plain(path) == wanted


def readings(path: bytes) -> tuple[bytes, ...]:
    """What Odoo may take `path` for, lower case and without a final slash: the path, and what is behind a language."""
    return _readings(_plain(path))


def _what_is_wrong(path: bytes) -> str | None:
    if not path.startswith(b"/"):
        return "The path must begin with a slash."
    if _BAD_ESCAPE.search(path):
        return "The path holds a % that begins no escape."
    if b"%2f" in path or b"%2F" in path:
        return "The path holds an encoded slash."
    decoded = unquote_to_bytes(path)
    if _CONTROL.search(decoded):
        return "The path holds a control character."
    if b"\\" in decoded:
        return "The path holds a backslash."
    if b"//" in decoded:
        return "The path holds an empty segment."
    if _DOT_SEGMENT.search(decoded):
        return "The path holds a segment . or .. that servers resolve differently."
    return None


# A request's path is looked at by several rules in turn, and 5,000 escapes fit into one.
@lru_cache(maxsize=256)
def _plain(path: bytes) -> bytes:
    """The path for matching: decoded once, lower case, without the trailing slash that Odoo overlooks."""
    decoded = unquote_to_bytes(path).lower()
    return decoded.removesuffix(b"/") or decoded


def _blocked_at(plain: bytes) -> list[_Blocked]:
    return [blocked for blocked in _BLOCKED_PATHS if blocked.pattern.fullmatch(plain)]


def _exception(text: str) -> bytes:
    return text.lower().removesuffix("*").rstrip("/").encode()


def _allows(allowed: list[bytes], plain: bytes) -> bool:
    return any(each == entry or each.startswith(entry + b"/") for entry in allowed for each in _readings(plain))


@lru_cache(maxsize=256)
def _readings(plain: bytes) -> tuple[bytes, ...]:
    split = _BEHIND_FIRST.fullmatch(plain)
    return (plain, split[1]) if split else (plain,)
