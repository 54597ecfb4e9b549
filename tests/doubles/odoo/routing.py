"""Which handler a path belongs to, and what a handler asks of its visitor."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.doubles.odoo.answers import Refusal
from tests.doubles.odoo.visit import Visit

Handler = Callable[..., Any]
_CONVERTERS = {"int": r"\d+", "path": r".+?", "str": r"[^/]+"}


@dataclass(frozen=True)
class Route:
    """A handler and its conditions.

    `auth`: "none" (no database is needed), "public" or "user". `kind`: "http" handlers give an Answer, "json" ones a
    value for JSON-RPC. `database` says whether the route exists before a database is chosen.
    """

    pattern: re.Pattern[str]
    methods: frozenset[str]
    auth: str
    kind: str
    csrf: bool
    database: bool
    saves_session: bool
    handler: Handler


ROUTES: list[Route] = []


def route(
    *paths: str,
    methods: tuple[str, ...] = (),
    auth: str = "public",
    kind: str = "http",
    csrf: bool = True,
    database: bool = True,
    saves_session: bool = True,
) -> Callable[[Handler], Handler]:
    """Register a handler for paths such as ``/web/image/<model>/<int:id>``.

    A route that names no methods answers any, as Odoo's do: JSON-RPC by PUT or GET as well. GET allows HEAD too.
    """
    allowed = frozenset({*methods, *({"HEAD"} if "GET" in methods else ())})

    def register(handler: Handler) -> Handler:
        for path in paths:
            pattern = re.compile(_regular(path), re.DOTALL)
            ROUTES.append(
                Route(pattern, allowed, auth, kind, csrf, database and auth != "none", saves_session, handler)
            )
        return handler

    return register


def _regular(path: str) -> str:
    pieces = re.split(r"<(?:(\w+):)?(\w+)>", path)
    made = re.escape(pieces[0])
    for kind, name, literal in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        made += f"(?P<{name}>{_CONVERTERS[kind or 'str']}){re.escape(literal)}"
    return made


def find(visit: Visit) -> tuple[Route, dict[str, str]]:
    """The route of a visit's path, with what it captured; a slash at the end changes nothing.

    Raises Refusal: 404, or 405 where the path knows other methods.
    """
    path = visit.path.rstrip("/") or "/"
    known = False
    for each in ROUTES:
        matched = each.pattern.fullmatch(path)
        if matched is None or (each.database and visit.db is None):
            continue
        if not each.methods or visit.method in each.methods:
            return each, matched.groupdict()
        known = True
    raise Refusal(405 if known else 404)
