"""Follow the frames of a bus socket (RFC 6455, section 5.2) while their bytes pass on untouched.

A tunnel gives what it passes on to `ServerFrames` and `ClientFrames`. The first knows where a frame of ours may be put
in, both know from where the client will ask the bus to go on; so a message of ours can use the id that it knows.
Where a visitor may only look, the tunnel passes on what `ViewOnlyFrames` makes of his bytes instead of them.
Extensions must not have been negotiated.
"""

from __future__ import annotations

import json
from typing import Final

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


class _TextFrames(Frames):
    """Follows one direction and reads its messages of text: `_limit` says how much of one is kept."""

    __slots__ = ("_payload", "_text")

    _limit: int

    def __init__(self, *, masked: bool) -> None:
        super().__init__(masked=masked)
        self._payload: bytearray | None = None  # of a frame of text that is kept
        self._text: bytearray | None = None  # of a message that is kept; None where it is not or no longer

    def _begin_frame(self, first: int, length: int) -> None:
        super()._begin_frame(first, length)
        self._payload = None
        if self._opcode == TEXT:
            self._text = bytearray()
        if self._text is not None and self._opcode not in CONTROL:
            if len(self._text) + length > self._limit:
                self._text = None
                self._pass_over()
            else:
                self._payload = bytearray()

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._payload is not None:
            self._payload += data[start:end]

    def _end_frame(self) -> None:
        if self._opcode in CONTROL:
            return
        if self._text is not None and self._payload is not None:
            self._text += _unmask(self._payload, self._mask) if self._mask else self._payload
        self._payload = None
        super()._end_frame()
        if not self._final:
            return
        text, self._text = self._text, None
        if text is not None:
            self.units += len(text) // _BYTES_A_UNIT
            self._read(bytes(text))

    def _read(self, text: bytes) -> None:
        """Take a complete message of text."""
        raise NotImplementedError

    def _pass_over(self) -> None:
        """A message of text is too long to be kept."""


class ServerFrames(_TextFrames):
    """What a bus says to its client.

    `last_id` is the id of the last notification that was read, the one from which the client will go on; `unsure`
    says that one went by since that was too long to be read.
    """

    __slots__ = ("last_id", "unsure")

    _limit = MAX_MESSAGE

    def __init__(self) -> None:
        super().__init__(masked=False)
        self.last_id: int | None = None
        self.unsure = False

    def _read(self, text: bytes) -> None:
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

    def _pass_over(self) -> None:
        self.unsure = True


class ClientFrames(_TextFrames):
    """What a client says to the bus: `last` is where its latest subscription wants to go on."""

    __slots__ = ("last",)

    _limit = MAX_SUBSCRIPTION

    def __init__(self) -> None:
        super().__init__(masked=True)
        self.last: int | None = None

    def _read(self, text: bytes) -> None:
        if b"subscribe" not in text or _holds_many_values(text):
            return
        event = _json(text)
        if not isinstance(event, dict) or event.get("event_name") != "subscribe":
            return
        data = event.get("data")
        found = _whole(data.get("last")) if isinstance(data, dict) else None
        if found is not None:
            self.last = found


class ViewOnlyFrames(_TextFrames):
    """What a client may say to the bus that only looks: subscriptions and control frames, each written anew.

    Its presence, and what else Odoo's own client sends by itself, is left out in silence. `refused` is a sentence for
    the Close (1008) of a socket on which something came that the client never sends; nothing passes from then on.
    `entropy` gives the mask of each frame (section 5.3).
    """

    __slots__ = ("_entropy", "_passing", "refused")

    _limit = MAX_SUBSCRIPTION

    def __init__(self, entropy: Entropy) -> None:
        super().__init__(masked=True)
        self.refused: str | None = None
        self._entropy = entropy
        self._passing = bytearray()

    def pass_on(self, data: bytes) -> bytes:
        """The bytes for Odoo in the place of these; empty where they complete nothing that passes."""
        at = 0
        while at < len(data):
            self.feed(data, at)
            at = self.position
        if self.lost and self.refused is None:
            self.refused = "These are no frames of a client."
        passing = bytes(self._passing)
        self._passing.clear()
        return passing

    def _begin_frame(self, first: int, length: int) -> None:
        super()._begin_frame(first, length)
        if self._opcode in CONTROL:
            self._payload = bytearray()
        elif self._opcode == BINARY:
            self._refuse("Binary messages are not accepted.")

    def _end_frame(self) -> None:
        if self._opcode in CONTROL and self._payload is not None:
            self._pass(self._opcode, _unmask(self._payload, self._mask))
        super()._end_frame()

    def _read(self, text: bytes) -> None:
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

    def _pass_over(self) -> None:
        self._refuse(f"A message has at most {MAX_SUBSCRIPTION // 1024} KiB.")

    def _refuse(self, words: str) -> None:
        self.lost = True
        self.refused = words

    def _pass(self, opcode: int, payload: bytes) -> None:
        mask = self._entropy.bytes(4)
        self._passing += frame_head(opcode, len(payload), MASKED) + mask + _unmask(bytearray(payload), mask)


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
