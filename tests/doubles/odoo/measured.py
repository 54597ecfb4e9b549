"""What was measured on a real Odoo 18.0: one exchange a line, without content. See the README for its origin."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("measured.jsonl")


@dataclass(frozen=True)
class Measured:
    """One exchange. Sizes are bytes of the body; `framing` is ``cl``, ``close`` or None for a WebSocket."""

    n: int
    step: str
    upstream: str
    method: str
    path: str
    status: int
    version: str
    framing: str | None
    request_bytes: int
    response_bytes: int | None
    gzip6_bytes: int | None
    cookies: tuple[str, ...]
    request: tuple[tuple[str, str], ...]
    response: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Bytes of the body, 0 where there was none."""
        return self.response_bytes or 0

    def field(self, name: str) -> str | None:
        """The first response field of that name."""
        return next((value for key, value in self.response if key == name), None)


@cache
def exchanges() -> tuple[Measured, ...]:
    """All of them, in the order of the session."""
    return tuple(_read(line) for line in _FILE.read_text().splitlines())


def _read(line: str) -> Measured:
    raw: dict[str, Any] = json.loads(line)
    for name in ("request", "response"):
        raw[name] = tuple((key, value) for key, value in raw[name])
    raw["cookies"] = tuple(raw["cookies"])
    return Measured(**raw)


@cache
def _by_target() -> dict[tuple[str, str], list[Measured]]:
    found: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for exchange in exchanges():
        found[exchange.method, exchange.path].append(exchange)
        without_query = exchange.path.partition("?")[0]
        if without_query != exchange.path:
            found[exchange.method, without_query].append(exchange)
    return found


def fetched(target: str) -> Measured | None:
    """The whole answer (200) to a GET of `target`; without its query if only another query was measured."""
    for key in (target, target.partition("?")[0]):
        for exchange in _by_target().get(("GET", key), ()):
            if exchange.status == 200:
                return exchange
    return None


def called(path: str, request_bytes: int, variant: int = 0) -> Measured | None:
    """The answer to a POST of `path`: of the same request size if there is one, else the first; `variant` tells apart
    requests of one size."""
    found = _by_target().get(("POST", path), [])
    same = [exchange for exchange in found if exchange.request_bytes == request_bytes]
    if same:
        distinct = list({exchange.response_bytes: exchange for exchange in same}.values())
        return distinct[variant % len(distinct)]
    return found[0] if found else None
