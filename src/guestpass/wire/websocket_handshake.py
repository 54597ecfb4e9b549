"""The opening handshake of a WebSocket (RFC 6455, section 4), as far as a gateway must understand it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from guestpass.wire.failures import Failure
from guestpass.wire.heads import RefusedHeadError, RequestHead, ResponseHead

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def names_websocket(head: RequestHead) -> bool:
    """Whether the request asks for a WebSocket, rightly or not."""
    offered = head.values.get(b"upgrade")
    if offered is None or b"upgrade" not in head.connection:
        return False
    return b"websocket" in [token.strip().lower() for token in offered.split(b",")]


def is_upgrade(head: RequestHead) -> bool:
    """Whether the request asks for a WebSocket, and rightly so.

    Other protocols are not offered: the field ends here and the request goes on as a plain one. Raises
    RefusedHeadError for a WebSocket request that breaks the rules, and for any upgrade with a body, which servers
    disagree about.
    """
    values = head.values
    if b"upgrade" not in values or b"upgrade" not in head.connection:
        return False
    if head.has_body:
        raise RefusedHeadError(Failure.BAD_REQUEST, "A request that asks for an upgrade must not have a body.")
    if not names_websocket(head):
        return False
    if head.method != b"GET" or head.minor != 1 or values.get(b"sec-websocket-version") != b"13":
        raise RefusedHeadError(Failure.BAD_REQUEST, "A WebSocket is asked for by GET, HTTP/1.1 and version 13.")
    if not _is_key(values.get(b"sec-websocket-key", b"")):
        raise RefusedHeadError(Failure.BAD_REQUEST, "The Sec-WebSocket-Key is not 16 bytes in base64.")
    return True


def is_accepted(key: bytes, response: ResponseHead) -> bool:
    """Whether a 101 really answers the request with this key."""
    expected = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324 - RFC 6455 prescribes it
    values = {lower: value for lower, _, value in response.fields}
    return (
        values.get(b"sec-websocket-accept") == expected
        and values.get(b"upgrade", b"").lower() == b"websocket"
        and b"upgrade" in response.connection
    )


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False
