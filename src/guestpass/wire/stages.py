"""The stages of an exchange that a profile may plug in; where one is absent, bytes pass on as they come.

1. The intake takes the request's body before anything is sent.
2. The gate lets so many requests at an upstream at a time.
3. The response rewriter makes the head for the client, and the response filter may hold it back or do something else.
4. The outflow carries the response's body to the client.
5. The socket follows a WebSocket once it is open.
"""

from __future__ import annotations

from typing import Protocol

from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.heads import RequestHead, ResponseHead
from guestpass.wire.upstream_connection import UpstreamConnection
from guestpass.wire.websocket_frames import Frames


class ExchangeControl(Protocol):
    """An exchange as its stages see it."""

    @property
    def client(self) -> ClientConnection:
        """The client's connection."""
        ...

    @property
    def request(self) -> RequestHead:
        """The request's head."""
        ...

    @property
    def visitor(self) -> str | None:
        """Whose it is, by the identity in the pass."""
        ...

    @property
    def request_done(self) -> bool:
        """Whether the request's last byte has arrived."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether it has ended, so that nothing may be done any more; asked after each wait."""
        ...

    @property
    def upstream(self) -> UpstreamConnection | None:
        """The connection that serves it now."""
        ...

    def proceed(self) -> None:
        """The request may go on to the gate."""
        ...

    def take_turn(self) -> None:
        """Send the request, if it may still go on. It holds its place behind the gate until it ends."""
        ...

    def pass_on(self, head: ResponseHead, data: bytes) -> None:
        """Let the response go on; `data` is what is there of its body."""
        ...

    def hold(self, data: bytes, *, pause: bool) -> None:
        """Keep the response back, `data` and what follows; with `pause` the upstream is not read meanwhile."""
        ...

    def release(self, head: ResponseHead) -> None:
        """Let the response that was held go on under this head."""
        ...

    def discard_response(self) -> None:
        """Drop the connection and what was held of its response: the request is going to be sent again."""
        ...

    def conclude(self) -> None:
        """All of a complete response was written."""
        ...

    def refuse(self, reason: str, detail: str | None, *, read: bool = False, request_id: str | None = None) -> None:
        """Refuse the request; `read` says that nothing of it is still to come."""
        ...

    def fail(self, reason: str, cause: str) -> None:
        """The upstream did not answer as it should; the visitor learns that, the log learns why."""
        ...

    def withdraw(self) -> None:
        """The request goes nowhere: its client is answered otherwise."""
        ...

    def cut(self) -> None:
        """End both sides at once, so that nothing looks complete."""
        ...


class Intake(Protocol):
    """Takes the request in the exchange's place, and sends it when its turn has come."""

    def begin(self, exchange: ExchangeControl, /) -> None:
        """The request's head is there; call `exchange.proceed` when the request may go on."""
        ...

    def take(self, payload: bytes, /) -> None:
        """Take a piece of the body; `exchange.request_done` says whether it is the last."""
        ...

    def compose(self) -> bytes | None:
        """The request's head for the upstream; None where it has to wait, and will call `exchange.take_turn` again."""
        ...

    def send(self, connection: UpstreamConnection, head: bytes, /) -> None:
        """Send the request."""
        ...

    def upstream_takes_no_more(self) -> None:
        """Send nothing further."""
        ...

    def upstream_takes_more(self) -> None:
        """Send on."""
        ...

    @property
    def is_sent(self) -> bool:
        """Whether the upstream was given the whole body."""
        ...

    def timed_out(self) -> None:
        """What was done with the whole request has taken too long."""
        ...

    def close(self) -> None:
        """The exchange is over."""
        ...


class Gate(Protocol):
    """Lets so many requests at an upstream at a time."""

    @property
    def patience(self) -> float:
        """For how many seconds a request waits at most."""
        ...

    def enter(self, exchange: ExchangeControl, /) -> bool:
        """Call `exchange.take_turn`, now or later; False where too many wait already."""
        ...

    def leave(self, exchange: ExchangeControl, /) -> None:
        """The exchange needs its turn no more, or no longer waits for one."""
        ...


class ResponseRewriter(Protocol):
    """How a response's head is changed on its way to the client."""

    def fields(self, head: ResponseHead) -> list[bytes]:
        """The field lines for the client, without those that frame the message."""
        ...


class ResponseFilter(Protocol):
    """Decides what becomes of a response once its head has arrived."""

    def take(self, exchange: ExchangeControl, head: ResponseHead, data: bytes, /) -> None:
        """Pass it on, hold it, fail it, or discard it and send the request again."""
        ...

    def more(self, held: bytearray, /, *, ended: bool) -> None:
        """More has arrived of a response that is held, or its connection has `ended`."""
        ...


class Outflow(Protocol):
    """Carries the response's body to the client, changed or kept for as long as the client is slow."""

    @property
    def recodes(self) -> bool:
        """Whether the body's length will be another one; known when the head has been rewritten."""
        ...

    def begin_with(self, data: bytes, /, *, is_whole: bool) -> bytes:
        """What is written with the head, of a body whose length stays and of which `data` is there."""
        ...

    def begin(self, exchange: ExchangeControl, /, *, chunked: bool, in_pieces: bool, waits: bool) -> None:
        """The head was written.

        With `chunked` each piece becomes a chunk. `in_pieces` says that pieces may be meant to arrive one by one,
        `waits` that the upstream waits for the client by itself, so that nothing is kept.
        """
        ...

    def take(self, data: bytes, /) -> None:
        """Take a piece of the body."""
        ...

    def finish(self) -> bool:
        """The body is complete; False where some of it waits: then call `exchange.conclude` when it is written."""
        ...

    def client_takes_more(self) -> None:
        """Write on."""
        ...

    def close(self) -> None:
        """The exchange is over."""
        ...


class TunnelControl(Protocol):
    """An open WebSocket as its socket stage sees it."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        ...

    def to_upstream(self, data: bytes) -> None:
        """Pass on what the client says."""
        ...

    def charge(self, units: int) -> None:
        """Count frames of the client's; closes the tunnel where they are too many."""
        ...

    def send_frame(self, frame: bytes) -> None:
        """Send the client a whole message, now or when the upstream's present one is complete."""
        ...

    def end_with(self, code: int, reason: str) -> None:
        """Close in order, where no message is under way, else cut."""
        ...


class Socket(Protocol):
    """Follows a WebSocket, and gives the reasons for which it is closed."""

    @property
    def link_ended(self) -> str:
        """What is said when the link ends."""
        ...

    @property
    def idle(self) -> str:
        """What is said when it has been silent for too long."""
        ...

    def follow_upstream(self) -> Frames:
        """What finds where the upstream's frames end."""
        ...

    def opened(self, tunnel: TunnelControl, /) -> None:
        """It is open."""
        ...

    def from_client(self, data: bytes, start: int, /) -> int:
        """Take what the client says from `start` on, as many frames as one step may; returns where the others begin."""
        ...

    def closed(self) -> None:
        """It is over."""
        ...
