"""Send small HTTP requests of our own to upstreams.

They go through the connector, so what visitors' requests must not reach is not reached here either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, cast
from weakref import WeakValueDictionary

from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.wire.connector import (
    AddressRefusedError,
    CertificateRefusedError,
    Connector,
    UnreachableError,
    UpstreamOrigin,
)
from guestpass.wire.descriptors import NoDescriptorError
from guestpass.wire.heads import Field, ResponseHead
from guestpass.wire.response_reader import BrokenResponseError, ResponseReader

MAX_BODY: Final = 256 * 1024
"""Bytes of a response's body that are read; the rest is not waited for."""
RESPONSE_SECONDS: Final = 10.0
CONNECTIONS: Final = 2
"""An organisation's connections to one upstream at a time: an Odoo may have no more workers than that."""

_MAX_CHUNK_LINES: Final = 8192


class NoResponseError(Exception):
    """There was no usable response. The text is for an owner: it quotes neither addresses nor the upstream."""


class AddressNotAllowedError(NoResponseError):
    """This installation does not connect to the address."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response; of a long body, `body` is the beginning."""

    head: ResponseHead
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    @property
    def fields(self) -> list[Field]:
        """The fields, in order."""
        return self.head.fields

    def value(self, lower_name: bytes) -> bytes:
        """The value of the first field of that name; empty without one."""
        return next((value for lower, _, value in self.fields if lower == lower_name), b"")


class HttpClient:
    """Send each request on its own connection, at most CONNECTIONS of an organisation to one upstream at a time."""

    def __init__(self, connector: Connector, *, response_seconds: float = RESPONSE_SECONDS) -> None:
        self._connector = connector
        self._seconds = response_seconds
        self._limits: WeakValueDictionary[tuple[str, str, int], asyncio.Semaphore] = WeakValueDictionary()

    async def send(self, origin: UpstreamOrigin, request: bytes, *, body: bool = True) -> HttpResponse:
        """Send a request and return its response, without waiting for its body unless `body` is true.

        Raises NoResponseError and DescriptorsUsedUp.
        """
        async with self._limit(origin):
            with _errors_for_owner(f"it did not answer within {self._seconds:g} s"):
                async with asyncio.timeout(self._seconds):
                    connection = await self._connector.connect(origin, lambda: _Connection(request, reads_body=body))
                    try:
                        return await connection.response
                    finally:
                        connection.end()

    async def connect(self, origin: UpstreamOrigin) -> None:
        """Connect, with a TLS handshake for https, and send nothing; raises NoResponseError and DescriptorsUsedUp."""
        async with self._limit(origin):
            with _errors_for_owner(f"there was no connection within {self._seconds:g} s"):
                async with asyncio.timeout(self._seconds):
                    connection = await self._connector.connect(origin, lambda: _Connection(b"", reads_body=False))
            connection.close()

    def _limit(self, origin: UpstreamOrigin) -> asyncio.Semaphore:
        # One proxy may stand before the Odoos of several organisations: one that hangs must not block the others.
        at = (origin.org, origin.host, origin.port)
        limit = self._limits.get(at)
        if limit is None:
            limit = self._limits[at] = asyncio.Semaphore(CONNECTIONS)
        return limit


@contextmanager
def _errors_for_owner(timed_out: str) -> Iterator[None]:
    """Turn what the connector raises into errors whose text an owner may read."""
    try:
        yield
    except NoDescriptorError as error:
        raise DescriptorsUsedUp(str(error)) from None
    except AddressRefusedError as error:
        raise AddressNotAllowedError("no environment may be at that address") from error
    except CertificateRefusedError as error:
        raise NoResponseError(f"its certificate is not accepted ({error.why})") from error
    except UnreachableError as error:
        raise NoResponseError("no connection can be made") from error
    except TimeoutError:
        raise NoResponseError(timed_out) from None


class _Connection(asyncio.Protocol):
    """One request and its response. The request leaves at once: a silent connection would occupy a worker of Odoo's."""

    def __init__(self, request: bytes, *, reads_body: bool) -> None:
        self._request = request
        self._reads_body = reads_body
        self._transport: asyncio.Transport | None = None
        self._reader = ResponseReader(request.partition(b" ")[0])
        self._body = bytearray()
        self.response: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the response until it is complete or long enough."""
        if self.response.done():
            return
        try:
            self._read(data)
        except BrokenResponseError:
            self._fail("what it answers is not valid HTTP")

    def connection_lost(self, error: Exception | None) -> None:
        """Conclude, or fail where the response is incomplete."""
        if self.response.done():
            return
        try:
            self._reader.end()
        except BrokenResponseError as broken:
            error = error or broken
        if error is not None:
            self._fail("it ended the connection before its answer was complete")
        else:
            self._conclude()

    def end(self) -> None:
        """Close the connection; abort it in the middle of a response."""
        if self._reader.is_complete or (self._reader.head is not None and not self._reads_body):
            self.close()
        elif self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close the connection in order."""
        if not self.response.done():
            self.response.cancel()
        if self._transport is not None:
            self._transport.close()

    def _read(self, data: bytes) -> None:
        reader, body = self._reader, self._body
        if reader.head is None:
            if reader.final_head(data) is None:
                return
            data = reader.rest
        at = 0
        while self._reads_body and at < len(data) and not reader.is_complete and len(body) <= MAX_BODY:
            body += reader.read_body(data, at)
            at = reader.position
            if reader.units > _MAX_CHUNK_LINES:
                # All that arrives together is read in one turn of the loop.
                raise BrokenResponseError("too many small chunks")
        if reader.is_complete or not self._reads_body or len(body) > MAX_BODY:
            del body[MAX_BODY:]
            self._conclude()

    def _conclude(self) -> None:
        self.response.set_result(HttpResponse(cast("ResponseHead", self._reader.head), bytes(self._body)))

    def _fail(self, why: str) -> None:
        self.response.set_exception(NoResponseError(why))
