"""Read a JSON-RPC body so strictly that no other reader can understand something else (RFC 8259, section 4)."""

from __future__ import annotations

import json
from typing import Any, Final

DEPTH: Final = 64
"""How deep objects and arrays may lie in each other."""
_DIGITS: Final = 400


def read_call(body: bytes) -> dict[str, Any]:
    """The one JSON object that the body is; raises ValueError with a sentence for whoever sent it.

    Names that occur twice are refused, since readers disagree on which counts; so are bytes that are no UTF-8, which
    Odoo would replace, and what is no JSON at all, such as NaN.
    """
    try:
        call = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_number)
    except (ValueError, RecursionError):
        raise ValueError("The body of a call must be one JSON object in UTF-8 whose names occur once.") from None
    if not isinstance(call, dict):
        raise ValueError("The body of a call must be one JSON object: several at once are not accepted.")  # noqa: TRY004
    _check_depth(call)
    return call


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEPTH):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        level = [each for each in below if isinstance(each, dict | list)]
        if not level:
            return
    raise ValueError(f"The body of a call must not nest deeper than {DEPTH} levels.")


def _number(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("a number is too long")
    return int(digits)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
