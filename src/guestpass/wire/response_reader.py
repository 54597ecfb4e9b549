"""Read one response, whatever pieces it comes in: interim heads, the head, and the body (RFC 9112, section 6.3)."""

from __future__ import annotations

from typing import Final

from guestpass.wire.chunked import BrokenChunkError, ChunkedDecoder
from guestpass.wire.heads import MAX_HEAD, MAX_INTERIM, ResponseHead, read_response_head

# How the end of a body is found. Plain numbers: to find the member of an enumeration costs three times as much.
NO_BODY: Final = 1
COUNTED: Final = 2
CHUNKED: Final = 3
UNTIL_CLOSE: Final = 4

_END: Final = b"\r\n\r\n"
_LONGEST: Final = MAX_HEAD + len(_END)


class BrokenResponseError(Exception):
    """The response breaks HTTP/1.1, or is not whole; the text is for the operator's log."""


class ResponseReader:
    """Read the response to one request.

    Feed `next_head` until `head` is set, then `read_body` from `rest` on until `is_complete`. `framing` and `left`, the
    outstanding bytes of a COUNTED body, are valid once `head` is set. `position` is where `read_body` stopped, `units`
    counts the lines of chunks. `is_reusable` says whether the next bytes on the connection can only be the next
    response; it is final once the response is complete.
    """

    __slots__ = (
        "_decoder",
        "_held",
        "_interim",
        "_method",
        "framing",
        "head",
        "is_complete",
        "is_reusable",
        "left",
        "position",
        "rest",
    )

    def __init__(self, method: bytes) -> None:
        self._method = method
        self._interim = 0
        self._held: bytearray | None = None  # the beginning of a head
        self._decoder: ChunkedDecoder | None = None
        self.head: ResponseHead | None = None
        self.framing = NO_BODY
        self.left = 0
        self.rest = b""
        self.position = 0
        self.is_complete = False
        self.is_reusable = False

    @property
    def units(self) -> int:
        """The lines of chunks that were read so far."""
        return 0 if self._decoder is None else self._decoder.units

    def next_head(self, data: bytes) -> ResponseHead | None:
        """Return the next head, an interim one or the final one; None if more bytes are needed.

        An interim head leaves `head` unset; go on with `next_head(b"")`. A 101 is final (RFC 9110, section 15.2.2), and
        whether it was asked for is for the caller to say. Raises BrokenResponseError, for a head of more than MAX_HEAD
        bytes and more than MAX_INTERIM interim heads as well.
        """
        held = self._held
        if held is not None:
            is_part = (held[1 - len(_END) :] + data).find(_END) < 0
            held += data
            if is_part and len(held) < _LONGEST:
                return None
            data, self._held = bytes(held), None
        elif self.rest:
            data = self.rest + data
            self.rest = b""
        end = data.find(_END, 0, _LONGEST)
        if end < 0:
            if len(data) >= _LONGEST:
                raise BrokenResponseError(f"its answer's head is larger than {MAX_HEAD} bytes")
            self._held = bytearray(data)
            return None
        try:
            head = read_response_head(data[: end + 4])
        except ValueError as error:
            raise BrokenResponseError(f"its answer is refused: {error}") from None
        self.rest = data[end + 4 :]
        status = head.status
        if status < 200 and status != 101:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise BrokenResponseError(f"it sent more than {MAX_INTERIM} interim answers")
            return head
        self.head = head
        length = head.content_length
        if self._method == b"HEAD" or status in (101, 204, 304):
            self.is_complete = True
            # A 204 must not announce a body (RFC 9110, section 8.6); a server that does may send it yet. A server whose
            # response to GET would end with the connection closes it after the response to HEAD, too.
            self.is_reusable = head.keep_alive and (
                not (head.chunked or length) if status == 204 else status == 304 or head.chunked or length is not None
            )
        elif length is not None:
            self.framing = COUNTED
            self.left = length
            self.is_complete = not length
            self.is_reusable = head.keep_alive
        elif head.chunked:
            self.framing = CHUNKED
            self._decoder = ChunkedDecoder()
            self.is_reusable = head.keep_alive
        else:
            self.framing = UNTIL_CLOSE
        return head

    def final_head(self, data: bytes) -> ResponseHead | None:
        """Return the final head and pass over interim ones; None if more bytes are needed. Raises as `next_head`."""
        head = self.next_head(data)
        while head is not None and self.head is None:
            head = self.next_head(b"")
        return head

    def read_body(self, data: bytes, start: int = 0) -> bytes:
        """Return the payload in `data` from `start` to `position`.

        `position` is the end of `data`, the end of the response, or where enough chunks were read for one step (see
        ChunkedDecoder). Raises BrokenResponseError.
        """
        decoder = self._decoder
        if decoder is not None:
            try:
                pieces = decoder.feed(data, start)
            except BrokenChunkError as error:
                raise BrokenResponseError(f"its answer's body is not valid: {error}") from None
            self.position = decoder.position
            self.is_complete = decoder.done
            payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        elif self.framing == UNTIL_CLOSE:
            self.position = len(data)
            payload = data[start:] if start else data
        else:
            end = min(len(data), start + self.left)
            self.position = end
            self.left -= end - start
            self.is_complete = not self.left
            payload = data[start:end]
        if self.is_complete and self.position < len(data):
            # Nobody asked for what comes behind: the connection has lost its meaning.
            self.is_reusable = False
        return payload

    def end(self) -> None:
        """Note that the connection has ended; raises BrokenResponseError if that leaves the response incomplete."""
        if self.framing == UNTIL_CLOSE:
            self.is_complete = True
        elif not self.is_complete:
            raise BrokenResponseError("it closed the connection before its answer was complete")
