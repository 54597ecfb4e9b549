"""Send a visitor an asset from the cache: what serves the request then has no upstream."""

from __future__ import annotations

from guestpass.gateway.context import AdmittedRequest
from guestpass.gateway.head_rewriting import EnvironmentResponse
from guestpass.odoo.assets.bodies import Body, GoneError
from guestpass.odoo.assets.files import PIECE
from guestpass.odoo.assets.responses import AssetResponse
from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.heads import RequestHead
from guestpass.wire.response_heads import STATUS_LINES
from guestpass.wire.runtime import Runtime


class AssetExchange:
    """One response on its way; it ends with its link, as an exchange does."""

    takes_bytes = False
    is_endless = False
    request_done = True

    def __init__(
        self,
        client: ClientConnection,
        runtime: Runtime,
        request: RequestHead,
        reply: AssetResponse,
        answer: EnvironmentResponse,
        owner: AdmittedRequest,
    ) -> None:
        self._client = client
        self._request = request
        self._reply = reply
        self._answer = answer
        self._runtime = runtime
        self._live = owner.entry.live
        self._sending = False
        self._sent = 0  # of a body in memory
        self._over = False
        self._keeps = request.keep_alive and not runtime.draining
        self.visitor = owner.visitor

    def begin(self) -> None:
        """Send the head, and the body as fast as the client takes it. The body must have been opened."""
        client, body = self._client, self._reply.body
        self._live.add(self)
        head = self._reply.head
        lines = [STATUS_LINES[head.status], *self._answer.fields(head)]
        if head.content_length is not None:
            lines.append(b"Content-Length: %d\r\n" % head.content_length)
        if not self._keeps:
            lines.append(b"Connection: close\r\n")
        elif self._request.minor == 0:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        if body is None:
            client.respond(b"".join(lines), b"")
            self._finish()
            return
        memory = body.memory
        if memory is None:
            client.respond(b"".join(lines), b"")
            self._go_on(body)
        elif len(memory) <= PIECE:
            client.respond(b"".join([*lines, memory]), b"")
            self._finish()
        else:
            client.respond(b"".join(lines), b"")
            self._send_memory(memory)

    def from_client(self, data: bytes, start: int) -> int:  # noqa: ARG002 - as for all that serves
        """Nothing of these bytes belongs to a request without a body."""
        return start

    def client_lost(self) -> None:
        """The client is gone: stop sending."""
        self._end()

    def client_takes_no_more(self) -> None:
        """Reading stops by itself."""

    def client_takes_more(self) -> None:
        """Go on."""
        body = self._reply.body
        if body is None or self._over:
            return
        if body.memory is None:
            self._go_on(body)
        else:
            self._send_memory(body.memory)

    def timed_out(self) -> None:
        """Nothing here is waited for."""

    def cut(self) -> None:
        """The link has ended."""
        self._end()
        self._client.abort()

    def go_away(self) -> None:
        """It has an end of its own."""

    def _send_memory(self, memory: memoryview) -> None:
        """Send as much as the client takes now: its length is asked for again and again by who never reads."""
        while self._sent < len(memory):
            if self._client.write_paused:
                return
            piece = bytes(memory[self._sent : self._sent + PIECE])
            self._sent += len(piece)
            self._client.write(piece)
        self._finish()

    def _go_on(self, body: Body) -> None:
        if not self._sending:
            self._sending = True
            self._runtime.spawn(self._send(body))

    async def _send(self, body: Body) -> None:
        try:
            while not self._client.write_paused:
                piece = await body.read()
                if self._over:
                    return
                if not piece:
                    self._finish()
                    return
                self._client.write(piece)
        except GoneError:
            # The length was promised; a shorter body must not look whole.
            self.cut()
        finally:
            self._sending = False

    def _finish(self) -> None:
        self._end()
        self._client.hold_tail()
        self._client.exchange_over(keep_alive=self._keeps, request_done=True)

    def _end(self) -> None:
        self._over = True
        self._live.discard(self)
        if self._reply.body is not None:
            self._reply.body.close()
