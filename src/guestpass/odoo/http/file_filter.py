"""Refuse responses that leave their body to a web server which is not there (``--x-sendfile``)."""

from __future__ import annotations

from collections.abc import Callable

from guestpass.domain.reasons import Reason
from guestpass.odoo.http.response_filter import OdooResponse
from guestpass.odoo.http.responses import HIDES_FILE
from guestpass.wire.heads import ResponseHead
from guestpass.wire.stages import ExchangeControl


class FileFilter:
    """Passes on all but those; `found` is told of one."""

    __slots__ = ("_found", "_response")

    def __init__(self, response: OdooResponse, found: Callable[[], None]) -> None:
        self._response = response
        self._found = found

    def take(self, exchange: ExchangeControl, head: ResponseHead, data: bytes) -> None:
        """Pass the response on, or fail it."""
        block = head.block
        if (block is not None and HIDES_FILE.isdisjoint(block.names)) or not self.fails(exchange, head):
            exchange.pass_on(head, data)

    def more(self, held: bytearray, *, ended: bool) -> None:
        """Nothing is ever held here."""

    def takes(self, exchange: ExchangeControl, head: ResponseHead, _data: bytes) -> bool:
        """Whether the response goes no further, since it names such a file."""
        block = head.block
        return not (block is not None and HIDES_FILE.isdisjoint(block.names)) and self.fails(exchange, head)

    def fails(self, exchange: ExchangeControl, head: ResponseHead) -> bool:
        """Whether the response names such a file, so that the request has failed."""
        if not self._response.names_a_file(head):
            return False
        self._found()
        exchange.fail(Reason.ACCELERATED_FILE, "it answered with X-Accel-Redirect, which only its own nginx can serve")
        return True
