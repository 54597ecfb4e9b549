from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from guestpass.web.envelope import Envelope


async def _ask(app: ASGIApp, method: str = "GET") -> list[Message]:
    """What the server would be told to send."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "query_string": b"",
        "headers": [(b"x-guestpass-request-id", b"req-9")],
    }
    await Envelope(app)(scope, receive, send)
    return sent


def _fields(message: Message) -> dict[bytes, bytes]:
    fields: list[tuple[bytes, bytes]] = message["headers"]
    assert len(dict(fields)) == len(fields)
    return dict(fields)


async def test_head_is_answered_with_the_head_of_get_alone() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["method"] == "GET"
        await PlainTextResponse("seven b")(scope, receive, send)

    start, *rest = await _ask(app, "HEAD")

    assert _fields(start)[b"content-length"] == b"7"
    assert b"".join(message["body"] for message in rest) == b""


async def test_what_an_answer_says_itself_is_left_alone() -> None:
    start, _ = await _ask(PlainTextResponse("x", headers={"Cache-Control": "max-age=1"}))

    assert _fields(start)[b"cache-control"] == b"max-age=1"
    assert _fields(start)[b"x-content-type-options"] == b"nosniff"


async def test_an_error_before_the_answer_becomes_the_problem() -> None:
    async def app(*_: Any) -> None:
        raise LookupError("the secret is 42")

    with capture_logs() as entries:
        start, body = await _ask(app)

    assert start["status"] == 500
    assert json.loads(body["body"])["requestId"] == "req-9"
    assert b"42" not in body["body"]
    assert [(entry["event"], entry["request_id"]) for entry in entries] == [("request failed", "req-9")]


async def test_an_error_within_the_answer_reaches_the_server_so_that_it_aborts() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError

    with capture_logs(), pytest.raises(LookupError):
        await _ask(app)


async def test_a_client_that_left_is_no_error() -> None:
    async def app(*_: Any) -> None:
        raise ClientDisconnect

    with capture_logs() as entries:
        assert await _ask(app) == []
    assert entries == []
