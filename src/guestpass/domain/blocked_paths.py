"""Block paths of Odoo, in any spelling.

Rules match the path as Odoo reads it: %-escapes decoded once. A path that two servers could read differently is
malformed; one that is blocked is refused. The path itself is forwarded unchanged.
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
    """The outcome of `judge`."""

    PASS = "pass"
    REFUSED = "refused"  # blocked: 403
    MALFORMED = "malformed"  # servers would read it differently: 400


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ruling, with a sentence for the visitor where it is not PASS."""

    ruling: Ruling
    detail: str = ""


PASS: Final = Verdict(Ruling.PASS)


@dataclass(frozen=True, slots=True)
class _Blocked:
    """A blocked part of Odoo; `name` is the path that `allowPaths` and messages use."""

    name: str
    pattern: re.Pattern[bytes]
    can_allow: bool = True


def _blocked(name: str, *, prefix: bool = False, can_allow: bool = True) -> _Blocked:
    """Block `name` and all below it; with `prefix`, all paths that begin with it.

    Where Odoo has no route for a path, it drops a first segment that is the URL code of a language and serves the rest.
    Those codes are configurable, so the path is also matched behind any first segment.
    """
    spelled = re.escape(name.encode())
    below = b"(?:/.*)?"
    return _Blocked(name, re.compile(spelled + (b".*" if prefix else below) + b"|/[^/]+" + spelled + below), can_allow)


_BLOCKED_PATHS: Final = (
    # The database manager: creates, copies, drops and hands out whole databases.
    _blocked("/web/database", prefix=True, can_allow=False),
    # The same as a service, called in any version of the interface.
    _Blocked("/xmlrpc/db", re.compile(rb"(?:/[^/]+)?/xmlrpc[^/]*(?:/[^/]+)?/db(?:/.*)?"), can_allow=False),
    # The external APIs: each call authenticates with a password, outside of any session that could be ended.
    _blocked("/xmlrpc", prefix=True),
    _blocked("/jsonrpc"),
    _blocked("/json"),
    # Their documentation, which takes API keys; visitors have no use for it.
    _blocked("/doc"),
    _blocked("/doc-bearer"),
    # Hands an API key to a mail program's extension: it would outlive the link.
    _blocked("/mail_plugin"),
    _blocked("/mail_client_extension"),
    # These accept anybody's password, and the second installs code with it.
    _blocked("/web/session/authenticate"),
    _blocked("/base_import_module/login_upload"),
    # Makes an administrator the superuser, who bypasses all access rules.
    _blocked("/web/become"),
    # Odoo's own test suite, which runs in the visitor's browser with the visitor's session.
    _blocked("/web/tests", prefix=True),
)
LONGEST_REMEMBERED: Final = 512
"""The longest path, in bytes, whose verdict is cached, so that long ones don't fill the memory."""
# A path without any of these words is not blocked.
_SUSPECT = re.compile(rb"database|xmlrpc|json|doc|mail_plugin|mail_client|authenticate|login_upload|become|tests")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_DOT_SEGMENT = re.compile(rb"/\.{1,2}(?:/|$)")
_BEHIND_FIRST = re.compile(rb"/[^/]+(/.*)")
_JSON_API = re.compile(rb"(?:/[^/]+)?/json(?:/.*)?")
_JSONRPC = re.compile(rb"(?:/[^/]+)?/jsonrpc(?:/.*)?")


def judge(path: bytes, allow_paths: Sequence[str] = ()) -> Verdict:
    """Rule on a request's path (without its query), as it is forwarded.

    `allow_paths` are the environment's exceptions, such as ``/jsonrpc``, ``/xmlrpc/2/common`` or ``/json/*``: each
    allows what is at or below it, if it is a blocked path itself (so ``/web`` or ``/`` allow nothing). The database
    manager and the `db` service stay blocked.
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


# Requests repeat the same paths.
_judge_again = lru_cache(maxsize=1024)(_judge)


@lru_cache(maxsize=256)
def needs_body_check(path: bytes) -> bool:
    """Whether `path` is ``/jsonrpc``, whose body names the service.

    Where it is allowed, the body is checked before anything is sent.
    """
    return _JSONRPC.fullmatch(_plain(path)) is not None


def is_json_api(path: bytes) -> bool:
    """Return whether `path` is at or below ``/json``, which answers with HTTP statuses instead of JSON-RPC errors."""
    return _JSON_API.fullmatch(_plain(path)) is not None


def is_path(path: bytes, wanted: bytes) -> bool:
    """Return whether `path` is a spelling of `wanted` (lower case, without trailing slash)."""
    return _plain(path) == wanted


def readings(path: bytes) -> tuple[bytes, ...]:
    """Return the paths that Odoo may read `path` as (lower case, no final slash): itself, and without a language."""
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


# Cached, since several rules check the same path, and one can hold 5,000 escapes.
@lru_cache(maxsize=256)
def _plain(path: bytes) -> bytes:
    """Normalise a path for matching: decoded once, lower case, without trailing slash, which Odoo ignores."""
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
