"""What stays open: a WebSocket that ticks, one that echoes, and an event stream."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

_SHORTEST, _LONGEST = 0.01, 60.0


def routes() -> list[BaseRoute]:
    """The routes of this file."""
    return [Route("/events", events), WebSocketRoute("/ws/ticks", ticks), WebSocketRoute("/ws/echo", echo)]


async def ticks(websocket: WebSocket) -> None:
    """Send ``{"tick": n, "at": time}`` every `?interval=` seconds (1) until the other side leaves."""
    interval = _interval(websocket)
    await websocket.accept()
    loop = asyncio.get_running_loop()
    due = loop.time()
    try:
        for number in itertools.count(1):
            await websocket.send_json({"tick": number, "at": _now()})
            due = max(due + interval, loop.time())
            await _listen_until(websocket, due)
    except WebSocketDisconnect:
        return


async def echo(websocket: WebSocket) -> None:
    """Send every message back as it came, in the first subprotocol that was offered."""
    offered = websocket.scope["subprotocols"]
    await websocket.accept(subprotocol=offered[0] if offered else None)
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        if message.get("text") is not None:
            await websocket.send_text(message["text"])
        else:
            await websocket.send_bytes(message["bytes"])


async def events(request: Request) -> Response:
    """Server-sent events (one every `?interval=` seconds) until the other side leaves."""
    return StreamingResponse(
        _events(_interval(request)), media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
    )


async def _events(interval: float) -> AsyncIterator[str]:
    for number in itertools.count(1):
        yield f"id: {number}\ndata: {_now()}\n\n"
        await asyncio.sleep(interval)


async def _listen_until(websocket: WebSocket, due: float) -> None:
    """Wait for the loop's time `due`; raises WebSocketDisconnect when the other side leaves before."""
    try:
        async with asyncio.timeout_at(due):
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(message["code"])
    except TimeoutError:
        return


def _interval(connection: HTTPConnection) -> float:
    try:
        wanted = float(connection.query_params.get("interval", "1"))
    except ValueError:
        return 1.0
    return min(max(wanted, _SHORTEST), _LONGEST) if math.isfinite(wanted) else 1.0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
