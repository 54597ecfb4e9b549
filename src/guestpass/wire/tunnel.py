"""A WebSocket between a client and an upstream: frames are followed, and pass on as they come."""

from __future__ import annotations

from typing import Final

from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.roles import RequestOwner
from guestpass.wire.runtime import Runtime
from guestpass.wire.stages import Socket
from guestpass.wire.steps import Steps
from guestpass.wire.upstream_connection import UpstreamConnection
from guestpass.wire.websocket_frames import GOING_AWAY, POLICY_VIOLATION, Frames, close_frame

WEBSOCKET_IDLE: Final = 90.0
"""Seconds of silence after which a WebSocket is closed."""
# The sweep comes twice a second, so that a socket is gone one second after its Close at the latest.
_CLOSE_SECONDS: Final = 0.5


class Tunnel:
    """Both sides talk WebSocket; it takes the place of the exchange that opened it."""

    __slots__ = (
        "_client",
        "_from_upstream",
        "_is_over",
        "_leaving",
        "_live",
        "_socket",
        "_steps",
        "_to_say",
        "_upstream",
        "visitor",
    )

    request_done: Final = True
    takes_bytes: Final = True
    is_endless: Final = True

    def __init__(
        self,
        client: ClientConnection,
        runtime: Runtime,
        upstream: UpstreamConnection | None,
        owner: RequestOwner | None,
        socket: Socket | None,
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._live = owner.live if owner is not None else None
        self.visitor = owner.visitor if owner is not None else None
        self._socket = socket
        self._from_upstream = Frames(masked=False, extensions=True) if socket is None else socket.follow_upstream()
        self._steps = Steps(self, runtime.run_queue, upstream)
        self._to_say = b""  # a frame of ours, until a message of the upstream's is complete
        self._leaving = False
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._is_over

    @property
    def takes_steps(self) -> bool:
        """Whether more of what the upstream has said is wanted."""
        return not self._is_over

    def begin(self) -> None:
        """Both sides have agreed."""
        if self._upstream is not None:
            self._upstream.exchange = self
        if self._live is not None:
            self._live.add(self)
        self._client.set_deadline(WEBSOCKET_IDLE)
        if self._socket is not None:
            self._socket.opened(self)

    # What the client's side brings

    def from_client(self, data: bytes, start: int) -> int:
        """Pass on what the client says, as much as one step may; returns where the rest begins."""
        self._client.set_deadline(WEBSOCKET_IDLE)
        if self._socket is not None:
            return self._socket.from_client(data, start)
        self.to_upstream(data[start:] if start else data)
        return len(data)

    def to_upstream(self, data: bytes) -> None:
        """Pass on what the client says."""
        if self._upstream is not None:
            self._upstream.write(data)

    def charge(self, units: int) -> None:
        """Count frames of the client's; closes the tunnel where they are too many."""
        if not self._client.charge(units, also_address=True):
            self._overrun()

    def client_lost(self) -> None:
        """Close the upstream behind what is on its way to it: the last frame, a Close perhaps."""
        connection, self._upstream = self._upstream, None
        self._end()
        if connection is not None:
            connection.exchange = None
            connection.close()

    def client_takes_no_more(self) -> None:
        """Stop reading from the upstream until the client has taken what is buffered."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def client_takes_more(self) -> None:
        """Read on from the upstream."""
        if self._upstream is not None:
            self._upstream.resume_reading()

    def timed_out(self) -> None:
        """Close a WebSocket in which neither side has said anything for long."""
        if self._socket is not None:
            self.end_with(GOING_AWAY, self._socket.idle)
        else:
            self._break()

    def cut(self) -> None:
        """End with the link: in order where the socket's stage has a reason to give, else at once."""
        if self._socket is not None:
            self.end_with(GOING_AWAY, self._socket.link_ended)
        else:
            self._break()

    def go_away(self) -> None:
        """This worker ends: say so as soon as no message is under way."""
        if self._from_upstream.at_boundary:
            self._close_with(GOING_AWAY, "The server restarts.")
        else:
            self._leaving = True

    # What the upstream's side brings

    def from_upstream(self, data: bytes) -> None:
        """Take bytes of the upstream's frames."""
        self._steps.take(data)

    def take_step(self, data: bytes, start: int) -> int:
        """Pass on the frames of one step, and put what we have to say between two messages.

        Returns where the step ends.
        """
        client, frames = self._client, self._from_upstream
        client.set_deadline(WEBSOCKET_IDLE)
        before = frames.units
        boundaries = frames.feed(data, start)
        end = frames.position
        if not boundaries or not (self._to_say or self._leaving):
            client.write(data[start:end])
        elif self._leaving:
            client.write(data[start : boundaries[0]])
            self._close_with(GOING_AWAY, "The server restarts.")
        else:
            said, self._to_say = self._to_say, b""
            client.write(data[start : boundaries[0]] + said + data[boundaries[0] : end])
        if not client.charge(frames.units - before) and not self._is_over:
            self._overrun()
        return end

    def upstream_lost(self, error: Exception | None) -> None:
        """Close the client's side behind what was said last, however the upstream's has ended."""
        self._upstream = None
        if self._is_over or self._steps.ends(error):
            return
        self._end()
        self._client.hold_tail()
        self._client.tunnel_over()

    def hold_client(self) -> None:
        """The upstream takes no more: stop reading what the client says."""
        self._client.pause_for_upstream()

    def release_client(self) -> None:
        """The upstream takes more."""
        self._client.resume_for_upstream()

    # Ends

    def send_frame(self, frame: bytes) -> None:
        """Send the client a whole message, now or when the upstream's present one is complete."""
        if self._from_upstream.at_boundary:
            self._client.write(frame)
        else:
            self._to_say = frame

    def end_with(self, code: int, reason: str) -> None:
        """Close in order, where no message is under way, else cut."""
        if self._from_upstream.at_boundary:
            self._close_with(code, reason)
        else:
            self._break()

    def _overrun(self) -> None:
        self.end_with(POLICY_VIOLATION, "Too many frames.")

    def _close_with(self, code: int, reason: str) -> None:
        """Say why in a Close; no message of the upstream's may be under way."""
        self._end()
        self._drop_upstream()
        self._client.write(close_frame(code, reason))
        self._client.linger(_CLOSE_SECONDS)

    def _break(self) -> None:
        self._end()
        self._drop_upstream()
        self._client.abort()

    def _end(self) -> None:
        self._is_over = True
        if self._live is not None:
            self._live.discard(self)
        if self._socket is not None:
            self._socket.closed()

    def _drop_upstream(self) -> None:
        connection, self._upstream = self._upstream, None
        if connection is not None:
            connection.exchange = None
            connection.abort()
