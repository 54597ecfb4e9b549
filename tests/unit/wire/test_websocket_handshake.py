"""Which requests ask for a WebSocket, and which answers grant it."""

from __future__ import annotations

import pytest
from tests.unit.gateway.requests import request

from guestpass.wire.heads import RefusedHeadError, read_request_head, read_response_head
from guestpass.wire.websocket_handshake import is_accepted, is_upgrade

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
RIGHT = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
)
# RFC 6455, section 1.3, gives this answer for that key.
GRANTED = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
)


def changed(fields: tuple[str, ...], name: str, value: str | None) -> tuple[str, ...]:
    """The fields with one of them changed, or left out."""
    rest = tuple(field for field in fields if not field.startswith(f"{name}:"))
    return rest if value is None else (*rest, f"{name}: {value}")


def test_a_right_handshake_is_an_upgrade() -> None:
    assert is_upgrade(request("GET /", *RIGHT))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Connection", "keep-alive, upgrade"),
        ("Connection", "UPGRADE"),
        ("Upgrade", "WebSocket"),
        ("Upgrade", "h2c, websocket"),
    ],
)
def test_case_and_further_tokens_do_not_matter(name: str, value: str) -> None:
    assert is_upgrade(request("GET /", *changed(RIGHT, name, value)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Connection", None),
        ("Connection", "keep-alive"),
        ("Upgrade", None),
        ("Upgrade", "h2c"),
        ("Upgrade", "websocket2"),
        ("Upgrade", "TLS/1.0"),
    ],
)
def test_without_both_words_a_request_is_a_plain_one(name: str, value: str | None) -> None:
    assert not is_upgrade(request("GET /", *changed(RIGHT, name, value)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-WebSocket-Version", None),
        ("Sec-WebSocket-Version", "8"),
        ("Sec-WebSocket-Version", "13, 8"),
        ("Sec-WebSocket-Key", None),
        ("Sec-WebSocket-Key", ""),
        ("Sec-WebSocket-Key", "short"),
        ("Sec-WebSocket-Key", KEY[:-1]),
        ("Sec-WebSocket-Key", "!" + KEY[1:]),
        ("Sec-WebSocket-Key", KEY + ", " + KEY),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZXg="),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_a_handshake_that_breaks_the_rules_is_refused(name: str, value: str | None) -> None:
    with pytest.raises(RefusedHeadError):
        is_upgrade(request("GET /", *changed(RIGHT, name, value)))


def test_only_get_on_http_1_1_can_ask() -> None:
    with pytest.raises(RefusedHeadError):
        is_upgrade(request("POST /", *RIGHT))
    old = "\r\n".join(("GET / HTTP/1.0", "Host: a.test", *RIGHT, "", ""))
    with pytest.raises(RefusedHeadError):
        is_upgrade(read_request_head(old.encode()))


@pytest.mark.parametrize("token", ["h2c", "TLS/1.0", "websocket"])
def test_any_upgrade_with_a_body_is_refused(token: str) -> None:
    with pytest.raises(RefusedHeadError, match="body"):
        is_upgrade(request("POST /", "Connection: upgrade", f"Upgrade: {token}", "Content-Length: 1"))


def granted(*fields: str) -> bool:
    head = "\r\n".join(("HTTP/1.1 101 Switching Protocols", *fields, "", ""))
    return is_accepted(KEY.encode(), read_response_head(head.encode()))


def test_the_right_accept_grants() -> None:
    assert granted(*GRANTED)
    assert granted(*changed(GRANTED, "Upgrade", "WebSocket"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-WebSocket-Accept", None),
        ("Sec-WebSocket-Accept", KEY),
        ("Sec-WebSocket-Accept", "S3PPLMBITXAQ9KYGZZHZRBK+XOO="),
        ("Upgrade", "h2c"),
    ],
)
def test_anything_else_does_not_grant(name: str, value: str | None) -> None:
    assert not granted(*changed(GRANTED, name, value))
