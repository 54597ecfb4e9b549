"""Take a response as fast as an Odoo gives it: what its visitor is too slow for is spooled."""

from __future__ import annotations

from collections.abc import Callable

from guestpass.odoo.fairness.spool import Holder, Spool, SpoolRoom
from guestpass.odoo.http.response_filter import OdooResponse
from guestpass.odoo.signed_in.session_mask import SessionMask
from guestpass.wire.chunked import LAST_CHUNK, frame
from guestpass.wire.runtime import Runtime
from guestpass.wire.stages import ExchangeControl


class SpooledOutflow:
    """The body of one response; what `holder` has in the spool counts for them. `mask` is asked when the body begins.

    It makes what takes a session's id out of the body.
    """

    __slots__ = (
        "_chunked",
        "_exchange",
        "_finished",
        "_holder",
        "_in_pieces",
        "_mask",
        "_mask_of",
        "_pumping",
        "_response",
        "_room",
        "_runtime",
        "_spool",
        "_waits",
    )

    def __init__(
        self,
        runtime: Runtime,
        response: OdooResponse,
        room: SpoolRoom,
        holder: Holder,
        mask: Callable[[], SessionMask] | None = None,
    ) -> None:
        self._runtime = runtime
        self._response = response
        self._room = room
        self._holder = holder
        self._exchange: ExchangeControl | None = None
        self._spool: Spool | None = None
        self._mask_of = mask
        self._mask: SessionMask | None = None
        self._chunked = False
        self._in_pieces = False
        self._waits = False
        self._pumping = False
        self._finished = False

    @property
    def recodes(self) -> bool:
        """Whether the body is compressed."""
        return self._response.is_encoded

    def begin_with(self, data: bytes, *, is_whole: bool) -> bytes:
        """Take the session's ids out of what is written with the head."""
        if self._mask_of is None:
            return data
        mask = self._mask = self._mask_of()
        return mask.without(data) if is_whole else mask.feed(data)

    def begin(self, exchange: ExchangeControl, *, chunked: bool, in_pieces: bool, waits: bool) -> None:
        """The head was written."""
        self._exchange = exchange
        self._chunked = chunked
        self._in_pieces = in_pieces
        self._waits = waits
        if self._mask_of is not None and self._mask is None:
            self._mask = self._mask_of()

    def take(self, data: bytes) -> None:
        """Compress a piece, and write it or keep it."""
        if self._mask is not None:
            data = self._mask.feed(data)
        self._encode(data)

    def _encode(self, data: bytes) -> None:
        encoder = self._response.encoder
        if encoder is not None:
            data = encoder.feed(data)
            if self._in_pieces:
                data += encoder.flush()
        if data:
            self._write(frame(data) if self._chunked else data)

    def finish(self) -> bool:
        """Write or keep what is left; returns whether nothing waits."""
        if self._mask is not None and (held := self._mask.finish()):
            self._encode(held)
        encoder = self._response.encoder
        if encoder is not None and (rest := encoder.finish()):
            self._write(frame(rest) if self._chunked else rest)
        if self._chunked:
            self._write(LAST_CHUNK)
        self._finished = True
        return self._spool is None or not self._keeps

    @property
    def _keeps(self) -> bool:
        """Whether something waits, behind which all else has to."""
        return self._pumping or (self._spool is not None and self._spool.pending > 0)

    def _write(self, data: bytes) -> None:
        """Write what the client takes at once; the rest waits in its order."""
        exchange = self._exchange
        if exchange is None:
            return
        client = exchange.client
        if self._waits or not (client.write_paused or self._keeps):
            client.write(data)
            return
        if self._spool is None:
            self._spool = Spool(self._room, self._holder, self._runtime.spawn, self._relieved)
        if (not self._spool.put(data) or self._spool.is_congested) and exchange.upstream is not None:
            # Past the quotas, or faster than the disk, Odoo has to wait after all.
            exchange.upstream.pause_reading()

    def _relieved(self) -> None:
        """The spool has caught up with its file, or lost it."""
        exchange = self._exchange
        if exchange is None:
            return
        if self._spool is not None and self._spool.failed:
            exchange.cut()
        elif exchange.upstream is not None:
            exchange.upstream.resume_reading()

    def client_takes_more(self) -> None:
        """Go on with what is spooled."""
        if self._exchange is not None and self._spool is not None and self._spool.pending and not self._pumping:
            self._pumping = True
            self._runtime.spawn(self._pump(self._exchange, self._spool))

    async def _pump(self, exchange: ExchangeControl, spool: Spool) -> None:
        """Bring what is spooled to the client for as long as it takes any."""
        try:
            while spool.pending and not exchange.client.write_paused and not exchange.is_over:
                exchange.client.write(await spool.take())
        except OSError:
            exchange.cut()
            return
        finally:
            self._pumping = False
        if exchange.is_over or spool.pending:
            return
        if exchange.upstream is not None:
            exchange.upstream.resume_reading()
        elif self._finished:
            exchange.conclude()

    def close(self) -> None:
        """Let go of what is spooled."""
        if self._spool is not None:
            self._spool.close()
