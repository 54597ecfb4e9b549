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
from guestpass.gateway.odoo.json_bodies import read_call

MAX_MESSAGE: Final = 1024 * 1024
"""Bytes of a server's message that are kept to read its id; Odoo's own limit for what it takes."""
MAX_SUBSCRIPTION: Final = 64 * 1024
"""The same for a client's message: what visitors send is read with less patience."""

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_DATA: Final = frozenset({_TEXT, _BINARY})
_CONTROL: Final = frozenset({_CLOSE, _PING, _PONG})
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_LONGEST_CONTROL: Final = 125


class _Frames:
    """Follows one direction: `_masked` says whether its frames must be masked, `_limit` how much text is kept."""

    __slots__ = (
        "_final",
        "_head",
        "_in_message",
        "_left",
        "_mask",
        "_need",
        "_opcode",
        "_payload",
        "_text",
        "closing",
        "lost",
    )

    _masked: bool
    _limit: int

    def __init__(self) -> None:
        self.closing = False  # a Close has begun: nothing may follow it
        self.lost = False  # the bytes are no frames: nothing that follows has a certain meaning
        self._head = bytearray()  # of the frame that begins
        self._need = 2  # bytes that its head has, as far as is known
        self._left = 0  # bytes that its payload still has
        self._opcode = 0
        self._final = True
        self._mask = b""
        self._payload: bytearray | None = None  # of a frame of text that is kept
        self._in_message = False  # a fragmented message has begun and not ended
        self._text: bytearray | None = None  # of a message that is kept; None where it is not or no longer

    @property
    def at_boundary(self) -> bool:
        """Whether all messages are complete that have begun, and another one may begin."""
        return not (self.lost or self.closing or self._in_message or self._left or self._head)

    def feed(self, data: bytes) -> list[int]:
        """Follow `data`; returns the offsets in it, in order, behind which another message may begin."""
        boundaries: list[int] = []
        position, end = 0, len(data)
        while position < end and not self.lost:
            if self._left:
                piece = min(self._left, end - position)
                if self._payload is not None:
                    self._payload += data[position : position + piece]
                self._left -= piece
                position += piece
            else:
                piece = min(self._need - len(self._head), end - position)
                self._head += data[position : position + piece]
                position += piece
                if len(self._head) < self._need or not self._read_head():
                    continue
            if not self._left:
                self._end_frame()
                if self.at_boundary:
                    boundaries.append(position)
        return boundaries

    def _read_head(self) -> bool:
        """Whether the head is complete; else `_need` has grown, or the bytes are `lost`."""
        head = self._head
        first, second = head[0], head[1]
        length = second & 0x7F
        if self._need == 2:
            self._need += (0, 2, 8)[max(0, length - 125)] + (4 if second & _MASKED else 0)
            if not self._is_allowed(first, second):
                self.lost = True
                return False
            if self._need > 2:
                return False
        extended = {126: 2, 127: 8}.get(length, 0)
        if extended:
            length = int.from_bytes(head[2 : 2 + extended])
            if length >> 63:
                self.lost = True
                return False
        self._mask = bytes(head[2 + extended :])
        head.clear()
        self._need = 2
        self._begin_frame(first, length)
        return True

    def _is_allowed(self, first: int, second: int) -> bool:
        """Whether a frame may begin so: no reserved bits, masked as it must be, and where its kind belongs."""
        opcode = first & 0x0F
        if self.closing or first & 0x70 or bool(second & _MASKED) is not self._masked:
            return False
        if opcode in _CONTROL:
            return bool(first & _FINAL) and (second & 0x7F) <= _LONGEST_CONTROL
        return self._in_message if opcode == _CONTINUATION else opcode in _DATA and not self._in_message

    def _begin_frame(self, first: int, length: int) -> None:
        self._opcode = opcode = first & 0x0F
        self._final = bool(first & _FINAL)
        self._left = length
        self._payload = None
        if opcode == _CLOSE:
            self.closing = True
        elif opcode not in _CONTROL:
            self._in_message = True
            if opcode == _TEXT:
                self._text = bytearray()
            if self._text is not None:
                if len(self._text) + length > self._limit:
                    self._text = None
                    self._pass_over()
                else:
                    self._payload = bytearray()

    def _end_frame(self) -> None:
        if self._opcode in _CONTROL:
            return
        if self._text is not None and self._payload is not None:
            self._text += _unmask(self._payload, self._mask) if self._mask else self._payload
        self._payload = None
        if not self._final:
            return
        self._in_message = False
        text, self._text = self._text, None
        if text is not None:
            self._read(bytes(text))

    def _read(self, text: bytes) -> None:
        """Take a complete message of text."""
        raise NotImplementedError

    def _pass_over(self) -> None:
        """A message of text is too long to be kept."""


class ServerFrames(_Frames):
    """What a bus says to its client.

    `last_id` is the id of the last notification that was read, the one from which the client will go on; `unsure`
    says that one went by since that was too long to be read.
    """

    __slots__ = ("last_id", "unsure")

    _masked = False
    _limit = MAX_MESSAGE

    def __init__(self) -> None:
        super().__init__()
        self.last_id: int | None = None
        self.unsure = False

    def _read(self, text: bytes) -> None:
        notifications = _json(text)
        last = notifications[-1] if isinstance(notifications, list) and notifications else None
        found = _whole(last.get("id")) if isinstance(last, dict) else None
        if found is not None:
            self.last_id = found
            self.unsure = False

    def _pass_over(self) -> None:
        self.unsure = True


class ClientFrames(_Frames):
    """What a client says to the bus: `last` is where its latest subscription wants to go on."""

    __slots__ = ("last",)

    _masked = True
    _limit = MAX_SUBSCRIPTION

    def __init__(self) -> None:
        super().__init__()
        self.last: int | None = None

    def _read(self, text: bytes) -> None:
        if b"subscribe" not in text:
            return
        event = _json(text)
        if not isinstance(event, dict) or event.get("event_name") != "subscribe":
            return
        data = event.get("data")
        found = _whole(data.get("last")) if isinstance(data, dict) else None
        if found is not None:
            self.last = found


class ViewOnlyFrames(_Frames):
    """What a client may say to the bus that only looks: subscriptions and control frames, each written anew.

    Its presence, and what else Odoo's own client sends by itself, is left out in silence. `refused` is a sentence for
    the Close (1008) of a socket on which something came that the client never sends; nothing passes from then on.
    `entropy` gives the mask of each frame (section 5.3).
    """

    __slots__ = ("_entropy", "_passing", "refused")

    _masked = True
    _limit = MAX_SUBSCRIPTION

    def __init__(self, entropy: Entropy) -> None:
        super().__init__()
        self.refused: str | None = None
        self._entropy = entropy
        self._passing = bytearray()

    def pass_on(self, data: bytes) -> bytes:
        """The bytes for Odoo in the place of these; empty where they complete nothing that passes."""
        self.feed(data)
        if self.lost and self.refused is None:
            self.refused = "These are no frames of a client."
        passing = bytes(self._passing)
        self._passing.clear()
        return passing

    def _begin_frame(self, first: int, length: int) -> None:
        super()._begin_frame(first, length)
        if self._opcode in _CONTROL:
            self._payload = bytearray()
        elif self._opcode == _BINARY:
            self._refuse("Binary messages are not accepted.")

    def _end_frame(self) -> None:
        if self._opcode in _CONTROL and self._payload is not None:
            self._pass(self._opcode, _unmask(self._payload, self._mask))
        super()._end_frame()

    def _read(self, text: bytes) -> None:
        try:
            event = read_call(text)
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
        self._pass(_TEXT, json.dumps(subscription, separators=(",", ":")).encode())

    def _pass_over(self) -> None:
        self._refuse(f"A message has at most {MAX_SUBSCRIPTION // 1024} KiB.")

    def _refuse(self, words: str) -> None:
        self.lost = True
        self.refused = words

    def _pass(self, opcode: int, payload: bytes) -> None:
        mask = self._entropy.bytes(4)
        self._passing += _frame_head(opcode, len(payload), _MASKED) + mask + _unmask(bytearray(payload), mask)


def resume_id(server: ServerFrames, client: ClientFrames) -> int | None:
    """The id for a notification of ours: the client will go on from it, so it must be the one that it knows.

    None where that can't be known: then nothing may be put in, or notifications would be lost or shown twice.
    """
    if server.unsure:
        return None
    return client.last if server.last_id is None else server.last_id


def notification(id: int, title: str, message: str, *, type: str = "warning", sticky: bool = True) -> bytes:
    """A message of the bus that Odoo's web client shows as its own notification; `type` is its colour."""
    payload = {"title": title, "message": message, "type": type, "sticky": sticky}
    shown = [{"id": id, "message": {"type": "simple_notification", "payload": payload}}]
    return json.dumps(shown, separators=(",", ":")).encode()


def text_frame(payload: bytes) -> bytes:
    """A whole message of text from a server."""
    return _frame(_TEXT, payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """A server's Close (RFC 6455, section 7.4); raises ValueError for a reason of more than 123 bytes."""
    payload = code.to_bytes(2) + reason.encode()
    if len(payload) > _LONGEST_CONTROL:
        raise ValueError("the reason of a Close has at most 123 bytes")
    return _frame(_CLOSE, payload)


def _frame(opcode: int, payload: bytes) -> bytes:
    return _frame_head(opcode, len(payload)) + payload


def _frame_head(opcode: int, length: int, masked: int = 0) -> bytes:
    if length <= _LONGEST_CONTROL:
        return bytes((_FINAL | opcode, masked | length))
    if length < 1 << 16:
        return bytes((_FINAL | opcode, masked | 126)) + length.to_bytes(2)
    return bytes((_FINAL | opcode, masked | 127)) + length.to_bytes(8)


def _unmask(payload: bytearray, mask: bytes) -> bytes:
    """Section 5.3: each byte is XORed with one of the mask's four, which as one number is quick."""
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length)


def _json(text: bytes) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
