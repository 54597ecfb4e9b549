"""What the gateway logs of faults: each once when it begins, and in which request a person met it."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable

import structlog

from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.domain.visit import AddressDetail, shown_address
from guestpass.storage.outages import OUTAGES, cause_of
from guestpass.telemetry import Faults
from guestpass.wire.descriptors import NoDescriptorError


class FaultLog:
    """Logs faults; `addresses` says how much of a client's address the log may have.

    `descriptors_used_up` is called where a task could open no file or socket.
    """

    def __init__(self, addresses: AddressDetail) -> None:
        self.log = structlog.get_logger("guestpass.gateway")
        self.faults = Faults(self.log)
        self.descriptors_used_up: Callable[[NoDescriptorError | DescriptorsUsedUp], None] = lambda _: None
        self._addresses = addresses
        self._request_ids = map(f"{secrets.token_hex(4)}-{{:x}}".format, itertools.count(1))

    def next_request_id(self) -> str:
        """An id for one request, unique over workers: what a page shows, the log has."""
        return next(self._request_ids)

    def of_client(self, event: str, address: str, **values: object) -> None:
        """Log what a client does; many at once are one fault, since whoever has many addresses would fill the log."""
        self.faults.warn(event, address=shown_address(address, self._addresses), **values)

    def of_database(self, error: Exception) -> str:
        """Log that the database didn't answer, under the id of a request, which this returns."""
        request_id = self.next_request_id()
        self.faults.warn("database_unavailable", request_id=request_id, exc_info=error)
        return request_id

    def of_task(self, error: Exception) -> None:
        """Log what ended a task."""
        if isinstance(error, (NoDescriptorError, DescriptorsUsedUp)):
            self.descriptors_used_up(error)
        elif isinstance(error, OUTAGES):
            self.faults.warn("database_unavailable", cause=cause_of(error))
        else:
            self.log.error("unexpected_error", exc_info=error)
