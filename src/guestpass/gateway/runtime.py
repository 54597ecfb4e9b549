"""What all requests of one worker share."""

from __future__ import annotations

from typing import Any, Protocol

from guestpass.telemetry import Faults
from guestpass.wire import roles


class Runtime(roles.Runtime, Protocol):
    """The event loop, the connections, the clock and the log of one worker."""

    @property
    def log(self) -> Any:  # noqa: ANN401 - structlog's loggers have no type of their own
        """Where mistakes of ours go."""
        ...

    @property
    def faults(self) -> Faults:
        """What the operator is told of, not of each one apart."""
        ...

    def next_request_id(self) -> str:
        """An id for one request, unique over workers."""
        ...

    def tell_of_client(self, event: str, address: str, **facts: object) -> None:
        """Say what a client does."""
        ...
