"""The authorisation service beside proxies that ask one, as fast as Python has it: an ASGI callable with a dictionary.

BENCH_PASSES is a JSON object from passes to what the proxy calls their environments. With BENCH_COOKIE=less-pass the
answer holds the visitor's Cookie without the pass, for proxies that can't edit cookies themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_PASS = b"guestpass="
_ENVIRONMENTS: dict[bytes, bytes] = {
    value.encode(): name.encode() for value, name in json.loads(os.environ.get("BENCH_PASSES", "{}")).items()
}
_EDITS_COOKIE = os.environ.get("BENCH_COOKIE") == "less-pass"
_REFUSED: dict[str, Any] = {"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]}
_ALLOWED: dict[bytes, dict[str, Any]] = {
    name: {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", b"0"), (b"x-environment", name)],
    }
    for name in _ENVIRONMENTS.values()
}
_END = {"type": "http.response.body", "body": b""}


async def application(scope: Mapping[str, Any], _receive: object, send: Send) -> None:
    """200 and the environment's name for a known pass, 401 for anything else."""
    answer = _REFUSED
    for name, value in scope["headers"]:
        if name == b"cookie":
            cookies = value.split(b"; ")
            for position, cookie in enumerate(cookies):
                if cookie.startswith(_PASS):
                    environment = _ENVIRONMENTS.get(cookie[len(_PASS) :])
                    if environment is not None:
                        answer = _ALLOWED[environment]
                        if _EDITS_COOKIE:
                            del cookies[position]
                            answer = answer | {"headers": [*answer["headers"], (b"cookie", b"; ".join(cookies))]}
                    break
    await send(answer)
    await send(_END)
