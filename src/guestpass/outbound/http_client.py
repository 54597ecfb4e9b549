"""Ask an upstream something ourselves: one small request, and as much of the answer as is needed.

What is sent to upstreams for visitors has its own way; this is for looking at an environment. It goes through the
connector, so what must not be reached is not reached here either.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, cast
from weakref import WeakValueDictionary

from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.wire.chunked import BrokenChunkError, ChunkedDecoder
from guestpass.wire.connector import (
    AddressRefusedError,
    CertificateRefusedError,
    Connector,
    UnreachableError,
    UpstreamOrigin,
)
from guestpass.wire.descriptors import NoDescriptorError
from guestpass.wire.heads import MAX_HEAD, MAX_INTERIM, Field, ResponseHead, read_response_head

MAX_BODY: Final = 256 * 1024
"""How much of an answer's body is read, in bytes; what lies behind is not waited for."""
ANSWER_SECONDS: Final = 10.0
AT_ONCE: Final = 2
"""An organisation's connections to one upstream at a time: an Odoo may have no more workers than that."""

_END: Final = b"\r\n\r\n"
_MAX_CHUNK_LINES: Final = 8192


class NoAnswerError(Exception):
    """There was no usable answer. The text says why, for an owner: it names neither addresses nor what was said."""


class NotAllowedError(NoAnswerError):
    """The address is one that this installation does not connect to."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer; of a long body, `body` is the beginning."""

    head: ResponseHead
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    @property
    def fields(self) -> list[Field]:
        """Its fields, in order."""
        return self.head.fields

    def value(self, lower_name: bytes) -> bytes:
        """The first field of that name; empty where there is none."""
        return next((value for lower, _, value in self.fields if lower == lower_name), b"")


class HttpClient:
    """Asks upstreams, each over AT_ONCE connections of an organisation at most; none is kept."""

    def __init__(self, connector: Connector, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._connector = connector
        self._seconds = answer_seconds
        self._turns: WeakValueDictionary[tuple[str, str, int], asyncio.Semaphore] = WeakValueDictionary()

    async def ask(self, origin: UpstreamOrigin, request: bytes, *, body: bool = True) -> HttpResponse:
        """Send a request's bytes and return the answer, its head alone without `body`; raises NoAnswerError.

        Raises DescriptorsUsedUp too, as the connector does.
        """
        async with self._turn(origin):
            try:
                async with asyncio.timeout(self._seconds):
                    connection = await self._connector.connect(origin, lambda: _Conversation(request, wants_body=body))
                    try:
                        return await connection.reply
                    finally:
                        connection.end()
            except NoDescriptorError as error:
                raise DescriptorsUsedUp(str(error)) from None
            except AddressRefusedError as error:
                raise NotAllowedError("no environment may be at that address") from error
            except UnreachableError as error:
                raise NoAnswerError(_why(error)) from error
            except TimeoutError:
                raise NoAnswerError(f"it did not answer within {self._seconds:g} s") from None

    async def reach(self, origin: UpstreamOrigin) -> None:
        """Connect, shake hands where it is https, and say nothing; raises NoAnswerError."""
        async with self._turn(origin):
            try:
                async with asyncio.timeout(self._seconds):
                    connection = await self._connector.connect(origin, lambda: _Conversation(b"", wants_body=False))
            except NoDescriptorError as error:
                raise DescriptorsUsedUp(str(error)) from None
            except AddressRefusedError as error:
                raise NotAllowedError("no environment may be at that address") from error
            except UnreachableError as error:
                raise NoAnswerError(_why(error)) from error
            except TimeoutError:
                raise NoAnswerError(f"there was no connection within {self._seconds:g} s") from None
            connection.leave()

    def _turn(self, origin: UpstreamOrigin) -> asyncio.Semaphore:
        # Behind one proxy may be the Odoos of many: one that hangs must not hold up another organisation's.
        at = (origin.org, origin.host, origin.port)
        turn = self._turns.get(at)
        if turn is None:
            turn = self._turns[at] = asyncio.Semaphore(AT_ONCE)
        return turn


class _Conversation(asyncio.Protocol):
    """One request and its answer. The request leaves with the connection: a silent one would hold a worker."""

    def __init__(self, request: bytes, *, wants_body: bool) -> None:
        self._request = request
        self._has_no_body = request.startswith(b"HEAD ") or not wants_body
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._head: ResponseHead | None = None
        self._body = bytearray()
        self._decoder: ChunkedDecoder | None = None
        self._interim = 0
        self._is_whole = False
        self.reply: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read on, until it is enough."""
        if self.reply.done():
            return
        try:
            self._take(data)
        except (ValueError, BrokenChunkError):
            self._fail("what it answers is not valid HTTP")

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the connection ends a body that has no other."""
        if self.reply.done():
            return
        head = self._head
        if head is None or error is not None or head.chunked or head.content_length is not None:
            self._fail("it ended the connection before its answer was complete")
        else:
            self._conclude(head)

    def end(self) -> None:
        """Let go of the connection; in the middle of an answer as well, which is then not waited for."""
        if self._is_whole:
            self.leave()
        elif self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Close the connection in good order."""
        if not self.reply.done():
            self.reply.cancel()
        if self._transport is not None:
            self._transport.close()

    def _take(self, data: bytes) -> None:
        head = self._head
        if head is None:
            self._buffer += data
            head = self._read_head()
            if head is None:
                return
            self._head, data, self._buffer = head, self._buffer, b""
            if self._has_no_body or head.status in (101, 204, 304) or head.content_length == 0:
                self._is_whole = True
                self._conclude(head)
                return
            self._decoder = ChunkedDecoder() if head.chunked else None
        length = head.content_length
        if self._decoder is not None:
            self._decode(self._decoder, data)
        elif length is None or len(self._body) + len(data) < length:
            self._body += data
        else:
            self._body += data[: length - len(self._body)]
            self._is_whole = True
        if self._is_whole or len(self._body) > MAX_BODY:
            del self._body[MAX_BODY:]
            self._conclude(head)

    def _decode(self, decoder: ChunkedDecoder, data: bytes) -> None:
        """Read chunks; raises ValueError for too many, since all that arrives together is read in one turn."""
        at = 0
        while at < len(data) and not decoder.done and len(self._body) <= MAX_BODY:
            self._body += b"".join(decoder.feed(data, at))
            at = decoder.position
            if decoder.units > _MAX_CHUNK_LINES:
                raise ValueError("too many small chunks")
        self._is_whole = decoder.done

    def _read_head(self) -> ResponseHead | None:
        """The final head, with what follows it left in the buffer; raises ValueError."""
        while (end := self._buffer.find(_END)) >= 0:
            if end > MAX_HEAD:
                break
            head = read_response_head(self._buffer[: end + 4])
            self._buffer = self._buffer[end + 4 :]
            if head.status >= 200 or head.status == 101:
                return head
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ValueError("too many interim answers")
        if len(self._buffer) > MAX_HEAD:
            raise ValueError("the head is too large")
        return None

    def _conclude(self, head: ResponseHead) -> None:
        self.reply.set_result(HttpResponse(head, bytes(self._body)))

    def _fail(self, why: str) -> None:
        self.reply.set_exception(NoAnswerError(why))


def _why(error: UnreachableError) -> str:
    """In words for the owner, who knows his certificate and not our network."""
    if isinstance(error, CertificateRefusedError):
        return f"its certificate is not accepted ({error.why})"
    return "no connection can be made"
