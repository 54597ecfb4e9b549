"""What becomes of a route of Odoo, and of a method that its client calls: asked of the gateway's own rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal

from guestpass.domain.blocked_paths import Ruling, judge
from guestpass.odoo.signed_in.rules import SignInRuling, rule_on_sign_in, takes_credentials
from guestpass.odoo.view_only.calls import Asks, Passed, Quiet, is_ruled_by_body, rule_on_call
from guestpass.odoo.view_only.routes import RouteRuling, rule_on_route

Class = Literal["blocked", "signed-in-only", "view-only", "quiet", "open"]
"""Blocked for everybody who comes by a link; blocked only where the link signs in; served through a view-only link;
answered there in Odoo's place; or open: served where the link has full access, and refused through a view-only one."""

_CALL_KW: Final = b"/web/dataset/call_kw"
_PLACE = re.compile(r"<(?:(\w+)(?:\((.*?)\))?:)?\w+>")
_SAMPLES: Final = {"int": "1", "model": "a-1", "path": "a/b"}
_READ: Final = {
    "model": "res.partner",
    "method": "read",
    "args": [[1], ["name"]],
    "kwargs": {},
    # What may run server actions names them.
    "action_id": 1,
    "actions": [{"action": 1}],
}


def route_class(path: str, *, kind: str = "http", methods: Iterable[str] | None = None) -> Class:
    """The class of a route: that of the first method that has one of its own, in the order of `Class`."""
    target = _PLACE.sub(_sample, path).encode()
    if judge(target).ruling is Ruling.REFUSED:
        return "blocked"
    ways = tuple(methods or (("POST",) if kind == "json" else ("GET", "POST")))
    if all(rule_on_sign_in(way.encode(), target) is not SignInRuling.PASS for way in ways):
        return "signed-in-only"
    if kind == "json":
        return _call_class(target, _READ)
    reads = "GET" in ways and rule_on_route(b"GET", target, b"", False) is RouteRuling.READS
    return "view-only" if reads else "open"


def method_class(model: str, method: str) -> Class:
    """The class of a call of a model's method; ``*`` stands for a model that only the page knows."""
    of_one = "crm.lead" if model == "*" else model
    params = {"model": of_one, "method": method, "args": [[1], ["name"]], "kwargs": {}}
    if takes_credentials({"params": params}):
        return "signed-in-only"
    return _call_class(_CALL_KW, params)


def _call_class(target: bytes, params: dict[str, Any]) -> Class:
    if not is_ruled_by_body(target):
        return "open"
    body = json.dumps({"id": 1, "jsonrpc": "2.0", "method": "call", "params": params}).encode()
    match rule_on_call(target, body, ()):
        case Passed() | Asks():
            return "view-only"
        case Quiet():
            return "quiet"
        case _:
            return "open"


def _sample(place: re.Match[str]) -> str:
    if place[1] == "any":
        return place[2].split(",")[0].strip(" \"'")
    return _SAMPLES.get(place[1] or "model", "a")
