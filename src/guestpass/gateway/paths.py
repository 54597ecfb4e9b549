"""Which paths are ours: one table; everything else belongs to the environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Room(Enum):
    """What a path means."""

    OPEN = "open"  # /share/{token}
    LOGIN = "login"  # /share/{token}/login
    PROXY = "proxy"  # /s-proxy/{path}
    API = "api"  # the JSON API and its description
    ELSEWHERE = "elsewhere"  # the environment's


@dataclass(frozen=True, slots=True)
class Route:
    """What a path means to us: the token in it, or the environment's own path behind ``/s-proxy``."""

    room: Room
    token: str | None = None
    path: bytes | None = None


_ELSEWHERE: Final = Route(Room.ELSEWHERE)
_API: Final = Route(Room.API)
# A slash that somebody typed behind the token must not hand it to the environment that is open in this browser.
_SHARE = re.compile(rb"(?:/api)?/share/([^/]*)(/login|/)?")
_PROXY = re.compile(rb"(?:/api)?/s-proxy(/.*)", re.DOTALL)
_API_PATHS: Final = frozenset({b"/api/environments", b"/api/installation", b"/api/share-links", b"/api/openapi.json"})
# What else the API has, which an environment may well have too: it is that of whoever holds a pass on this name.
_API_ALONE: Final = frozenset({b"/api/branding"})
_BEGINNINGS: Final = (b"/share/", b"/s-proxy/", b"/api/")


def is_api(route: Route, path: bytes, *, alone: bool) -> bool:
    """Whether a path is the API's; `alone` says that the caller reaches no environment under the requested name."""
    return route.room is Room.API or (alone and path in _API_ALONE)


def read_path(path: bytes) -> Route:
    """Look a path up in the table, as it came: an encoded spelling of our names is the environment's."""
    if not path.startswith(_BEGINNINGS):
        return _ELSEWHERE
    if share := _SHARE.fullmatch(path):
        token = share[1].decode("latin-1")
        return Route(Room.LOGIN if share[2] == b"/login" else Room.OPEN, token=token)
    if proxied := _PROXY.fullmatch(path):
        return Route(Room.PROXY, path=proxied[1])
    if path in _API_PATHS or path.startswith((b"/api/environments/", b"/api/share-links/")):
        return _API
    return _ELSEWHERE
