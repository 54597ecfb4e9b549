"""The authorisation service beside nginx, as fast as Python has it: a bare ASGI callable with a dictionary."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_ENVIRONMENTS: dict[bytes, bytes] = {
    value.encode(): name.encode() for value, name in json.loads(os.environ.get("BENCH_PASSES", "{}")).items()
}
_REFUSED = {"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]}
_ALLOWED = {
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
            for cookie in value.split(b"; "):
                if cookie.startswith(b"guestpass="):
                    environment = _ENVIRONMENTS.get(cookie[10:])
                    answer = _REFUSED if environment is None else _ALLOWED[environment]
    await send(answer)
    await send(_END)
