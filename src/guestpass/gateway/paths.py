"""Which paths are ours: one table; everything else belongs to the environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote_to_bytes


class PathKind(Enum):
    """What a path means."""

    OPEN = "open"  # /share/{token}
    LOGIN = "login"  # /share/{token}/login
    ENTER = "enter"  # /share/enter, on a link's own host
    PROXY = "proxy"  # /s-proxy/{path}
    API = "api"  # the JSON API and its description
    MISSPELT = "misspelt"  # a share token where none belongs
    ELSEWHERE = "elsewhere"  # the environment's


@dataclass(frozen=True, slots=True)
class Route:
    """What a path means to us: the token in it, or the environment's own path behind ``/s-proxy``."""

    room: PathKind
    token: str | None = None
    path: bytes | None = None


_ELSEWHERE: Final = Route(PathKind.ELSEWHERE)
_MISSPELT: Final = Route(PathKind.MISSPELT)
_ENTER: Final = Route(PathKind.ENTER)
ENTRY_PATH: Final = b"/share/enter"
_API: Final = Route(PathKind.API)
# A slash that somebody typed behind the token must not hand it to the environment that is open in this browser.
_SHARE = re.compile(rb"(?:/api)?/share/([^/]*)(/login|/)?")
_PROXY = re.compile(rb"(?:/api)?/s-proxy(/.*)", re.DOTALL)
_API_PATHS: Final = frozenset({b"/api/environments", b"/api/installation", b"/api/share-links", b"/api/openapi.json"})
# What else the API has, which an environment may well have too: it is that of whoever holds a pass on this name.
_API_ALONE: Final = frozenset({b"/api/branding"})
# What tokens look like (signing/tokens.py), also where the end was lost.
_TOKEN = re.compile(rb"gp_[0-9A-Za-z]{40}")
_MOST_ESCAPES: Final = 3
_BEGINNINGS: Final = (b"/share/", b"/s-proxy/", b"/api/")


def is_api(route: Route, path: bytes, *, alone: bool) -> bool:
    """Whether a path is the API's; `alone` says that the caller reaches no environment under the requested name."""
    return route.room is PathKind.API or (alone and path in _API_ALONE)


def read_path(path: bytes) -> Route:
    """Look a path up in the table, as it came: an encoded spelling of our names is the environment's.

    But no environment is to see a token: not behind two slashes, not before another segment, in no spelling.
    """
    if not path.startswith(_BEGINNINGS) and b"gp_" not in path and b"%" not in path:
        return _ELSEWHERE
    if path == ENTRY_PATH:
        return _ENTER
    if share := _SHARE.fullmatch(path):
        token = share[1].decode("latin-1")
        return Route(PathKind.LOGIN if share[2] == b"/login" else PathKind.OPEN, token=token)
    if proxied := _PROXY.fullmatch(path):
        return _MISSPELT if _names_token(path) else Route(PathKind.PROXY, path=proxied[1])
    if path in _API_PATHS or path.startswith((b"/api/environments/", b"/api/share-links/")):
        return _API
    return _elsewhere(path)


def _elsewhere(path: bytes) -> Route:
    return _MISSPELT if (b"gp_" in path or b"%" in path) and _names_token(path) else _ELSEWHERE


def _names_token(path: bytes) -> bool:
    """Whether a share token stands anywhere in the path, however often a server takes off its escapes."""
    for _ in range(_MOST_ESCAPES):
        if _TOKEN.search(path) is not None:
            return True
        if b"%" not in path:
            return False
        path = unquote_to_bytes(path)
    return _TOKEN.search(path) is not None
