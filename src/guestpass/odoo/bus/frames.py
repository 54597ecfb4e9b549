"""Follow the frames of a bus socket (RFC 6455, section 5.2) while their bytes pass on untouched.

A tunnel gives what it passes on to `ServerFrames` and `ClientFrames`. The first knows where a frame of ours may be put
in, both know from where the client will ask the bus to go on; so a message of ours can use the id that it knows.
With view-only access, the tunnel passes on what `ViewOnlyFrames` makes of the visitor's bytes instead of them.
Extensions must not have been negotiated.
"""

from __future__ import annotations

import json
from typing import Final, Protocol

from guestpass.app.ports import Entropy
from guestpass.odoo.http.json_bodies import read_call
from guestpass.wire.websocket_frames import BINARY, CONTROL, MASKED, TEXT, Frames, frame_head

MAX_MESSAGE: Final = 1024 * 1024
"""Bytes of a server's message that are kept to read its id; Odoo's own limit for what it takes."""
MAX_SUBSCRIPTION: Final = 64 * 1024
"""The same for a client's message: what visitors send is read with less patience."""
_MOST_VALUES: Final = 10_000
"""Values in a message that is read. A parser takes some 0.1 us for each, and a bus says hundreds at a time."""
_BYTES_A_UNIT: Final = 1024
_SIGN_OF_LIFE: Final = b"\x00"
"""A binary message by which Odoo's client, from 19 on, finds out whether its socket is still open."""


class _Messages(Protocol):
    """Who reads whole messages of text."""

    has_stopped: bool

    def read(self, text: bytes) -> None:
        """Take a complete message."""
        ...

    def pass_over(self) -> None:
        """A message is too long to be kept."""
        ...

    def control(self, opcode: int, payload: bytes) -> None:
        """Take a control frame."""
        ...

    def binary(self, payload: bytes | None) -> None:
        """Take a message that is no text: all of it where that is a byte at most, else None."""
        ...


class _TextReader:
    """Gives the messages of text in one direction to `messages`, and keeps `limit` bytes of one at most."""

    __slots__ = ("_limit", "_messages", "_payload", "_reads_control", "_text", "has_stopped")

    def __init__(self, messages: _Messages, limit: int, *, reads_control: bool = False) -> None:
        self._messages = messages
        self._limit = limit
        self._reads_control = reads_control
        self._payload: bytearray | None = None  # of a frame that is kept
        self._text: bytearray | None = None  # of a message that is kept; None where it is not or no longer
        self.has_stopped = False

    def begin(self, opcode: int, length: int) -> None:
        """Keep the payload of frames that belong to a message of text."""
        self._payload = None
        if opcode in CONTROL:
            if self._reads_control:
                self._payload = bytearray()
            return
        if opcode == TEXT:
            self._text = bytearray()
        elif opcode == BINARY:
            if length <= len(_SIGN_OF_LIFE):
                self._payload = bytearray()
            else:
                self._messages.binary(None)
        if self._text is not None:
            if len(self._text) + length > self._limit:
                self._text = None
                self._messages.pass_over()
            else:
                self._payload = bytearray()
        self.has_stopped = self._messages.has_stopped

    def take(self, data: bytes, start: int, end: int) -> None:
        """Keep a piece."""
        if self._payload is not None:
            self._payload += data[start:end]

    def end(self, opcode: int, mask: bytes, *, final: bool) -> int:
        """Give a message on that is complete."""
        payload, self._payload = self._payload, None
        if payload is not None and mask:
            payload = bytearray(_unmask(payload, mask))
        if opcode in CONTROL:
            if payload is not None:
                self._messages.control(opcode, bytes(payload))
            return 0
        if opcode == BINARY and payload is not None:
            self._messages.binary(bytes(payload) if final else None)
            self.has_stopped = self._messages.has_stopped
            return 0
        if self._text is not None and payload is not None:
            self._text += payload
        if not final:
            return 0
        text, self._text = self._text, None
        if text is None:
            return 0
        self._messages.read(bytes(text))
        self.has_stopped = self._messages.has_stopped
        return len(text) // _BYTES_A_UNIT


class _Notifications:
    """What a bus says: see `ServerFrames`."""

    __slots__ = ("has_stopped", "last_id", "unsure")

    def __init__(self) -> None:
        self.has_stopped = False
        self.last_id: int | None = None
        self.unsure = False

    def read(self, text: bytes) -> None:
        """Read the last notification's id."""
        if _holds_many_values(text):
            # What does not end as a list does is none, and its client reads nothing in it either.
            self.unsure = self.unsure or text.rstrip().endswith(b"]")
            return
        notifications = _json(text)
        last = notifications[-1] if isinstance(notifications, list) and notifications else None
        found = _whole(last.get("id")) if isinstance(last, dict) else None
        if found is not None:
            self.last_id = found
            self.unsure = False

    def pass_over(self) -> None:
        """It may have been a list of notifications."""
        self.unsure = True

    def control(self, opcode: int, payload: bytes) -> None:
        """Nothing is read in control frames."""

    def binary(self, payload: bytes | None) -> None:
        """A bus says nothing in binary that its client reads."""


class ServerFrames(Frames):
    """What a bus says to its client."""

    __slots__ = ("_notifications",)

    def __init__(self) -> None:
        self._notifications = _Notifications()
        super().__init__(masked=False, reader=_TextReader(self._notifications, MAX_MESSAGE))

    @property
    def last_id(self) -> int | None:
        """The id of the last notification that was read, the one from which the client will go on."""
        return self._notifications.last_id

    @property
    def unsure(self) -> bool:
        """Whether a notification has gone by since that was too long to be read."""
        return self._notifications.unsure


class _Subscriptions:
    """What a client says: see `ClientFrames`."""

    __slots__ = ("has_stopped", "last")

    def __init__(self) -> None:
        self.has_stopped = False
        self.last: int | None = None

    def read(self, text: bytes) -> None:
        """Read from where a subscription goes on."""
        if b"subscribe" not in text or _holds_many_values(text):
            return
        event = _json(text)
        if not isinstance(event, dict) or event.get("event_name") != "subscribe":
            return
        data = event.get("data")
        found = _whole(data.get("last")) if isinstance(data, dict) else None
        if found is not None:
            self.last = found

    def pass_over(self) -> None:
        """No client subscribes at such length."""

    def control(self, opcode: int, payload: bytes) -> None:
        """Nothing is read in control frames."""

    def binary(self, payload: bytes | None) -> None:
        """No subscription is binary."""


class ClientFrames(Frames):
    """What a client says to the bus."""

    __slots__ = ("_subscriptions",)

    def __init__(self) -> None:
        self._subscriptions = _Subscriptions()
        super().__init__(masked=True, reader=_TextReader(self._subscriptions, MAX_SUBSCRIPTION))

    @property
    def last(self) -> int | None:
        """Where the latest subscription wants to go on."""
        return self._subscriptions.last


class _Looks:
    """What a client may say that only looks: see `ViewOnlyFrames`."""

    __slots__ = ("_entropy", "has_stopped", "passing", "refused")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self.has_stopped = False
        self.passing = bytearray()
        self.refused: str | None = None

    def read(self, text: bytes) -> None:
        """Pass a subscription on."""
        try:
            event = read_call(text, _MOST_VALUES)
        except ValueError:
            self._refuse("A message must be one JSON object.")
            return
        data = event.get("data")
        if event.get("event_name") != "subscribe" or not isinstance(data, dict):
            return
        channels, last = data.get("channels"), _whole(data.get("last"))
        if last is None or not isinstance(channels, list) or not all(isinstance(each, str) for each in channels):
            return
        subscription = {"event_name": "subscribe", "data": {"channels": channels, "last": last}}
        self._pass(TEXT, json.dumps(subscription, separators=(",", ":")).encode())

    def pass_over(self) -> None:
        """Refuse what is too long to be read."""
        self._refuse(f"A message has at most {MAX_SUBSCRIPTION // 1024} KiB.")

    def control(self, opcode: int, payload: bytes) -> None:
        """Pass a control frame on."""
        self._pass(opcode, payload)

    def binary(self, payload: bytes | None) -> None:
        """Leave out the client's sign of life, which Odoo passes over too, and refuse what it never sends."""
        if payload != _SIGN_OF_LIFE:
            self._refuse("Binary messages are not accepted.")

    def _refuse(self, words: str) -> None:
        self.has_stopped = True
        self.refused = words

    def _pass(self, opcode: int, payload: bytes) -> None:
        mask = self._entropy.bytes(4)
        self.passing += frame_head(opcode, len(payload), MASKED) + mask + _unmask(bytearray(payload), mask)


class ViewOnlyFrames:
    """What a client may say to the bus that only looks: subscriptions and control frames, each written anew.

    Its presence, and what else Odoo's own client sends by itself, is left out in silence. `entropy` gives the mask of
    each frame (section 5.3).
    """

    __slots__ = ("_frames", "_looks")

    def __init__(self, entropy: Entropy) -> None:
        self._looks = _Looks(entropy)
        self._frames = Frames(masked=True, reader=_TextReader(self._looks, MAX_SUBSCRIPTION, reads_control=True))

    @property
    def refused(self) -> str | None:
        """A sentence for the Close (1008) of a socket on which something came that the client never sends.

        Nothing passes from then on.
        """
        return self._looks.refused

    def pass_on(self, data: bytes) -> bytes:
        """The bytes for Odoo in the place of these; empty where they complete nothing that passes."""
        frames, looks = self._frames, self._looks
        at = 0
        while at < len(data):
            frames.feed(data, at)
            at = frames.position
        if frames.lost and looks.refused is None:
            looks.refused = "These are no frames of a client."
        passing = bytes(looks.passing)
        looks.passing.clear()
        return passing


def resume_id(server: ServerFrames, client: ClientFrames) -> int | None:
    """The id for a notification of ours: the client will go on from it, so it must be the one that it knows.

    None where that can't be known: then nothing may be put in, or notifications would be lost or shown twice.
    """
    if server.unsure:
        return None
    return client.last if server.last_id is None else server.last_id


def notification(id: int, title: str, message: str) -> bytes:
    """A message of the bus that Odoo's web client shows as its own warning, until it is closed."""
    payload = {"title": title, "message": message, "type": "warning", "sticky": True}
    shown = [{"id": id, "message": {"type": "simple_notification", "payload": payload}}]
    return json.dumps(shown, separators=(",", ":")).encode()


def text_frame(payload: bytes) -> bytes:
    """A whole message of text from a server."""
    return _frame(TEXT, payload)


def _frame(opcode: int, payload: bytes) -> bytes:
    return frame_head(opcode, len(payload)) + payload


def _unmask(payload: bytearray, mask: bytes) -> bytes:
    """Section 5.3: each byte is XORed with one of the mask's four, which as one number is quick."""
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length)


def _holds_many_values(text: bytes) -> bool:
    """Whether to parse the text would take long; each value but the first stands behind one of these."""
    return text.count(b",") + text.count(b"[") + text.count(b"{") > _MOST_VALUES


def _json(text: bytes) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
