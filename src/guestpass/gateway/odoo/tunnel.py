"""A visitor's bus socket: passed on untouched, with a word of ours where a link is about to end or has ended."""

from __future__ import annotations

import asyncio
from typing import Final

from guestpass.gateway.exchange import Exchange
from guestpass.gateway.heads import ResponseHead
from guestpass.gateway.odoo.endings import WARN_BEFORE, warning
from guestpass.gateway.odoo.frames import (
    ClientFrames,
    ServerFrames,
    ViewOnlyFrames,
    close_frame,
    notification,
    resume_id,
    text_frame,
)

_GOING_AWAY: Final = 1001
_POLICY_VIOLATION: Final = 1008
_SOON: Final = 1.0
_AGAIN: Final = 5.0
# The sweep comes twice a second, so that a socket is gone one second after its Close at the latest.
_CLOSE_SECONDS: Final = 0.5


class BusTunnel(Exchange):
    """An exchange that becomes a bus socket; before that, and if it never does, an exchange like any other."""

    _from_odoo: ServerFrames
    _from_visitor: ClientFrames
    _timer: asyncio.TimerHandle | None = None
    _pending: bytes = b""
    view_only: ViewOnlyFrames | None = None
    """What a visitor who may only look is held to say; given before the exchange begins."""

    def from_client(self, data: bytes) -> bytes:
        """Follow the visitor's frames: they say from where the bus is to go on."""
        if self.is_tunnel:
            self._from_visitor.feed(data)
            if self.view_only is not None:
                data = self.view_only.pass_on(data)
                if self.view_only.refused is not None:
                    self._close_with(_POLICY_VIOLATION, self.view_only.refused)
                    return b""
        return super().from_client(data)

    def from_upstream(self, data: bytes) -> None:
        """Follow Odoo's frames; what waits to be said goes between two messages."""
        if self.is_tunnel:
            boundaries = self._from_odoo.feed(data)
            if self._pending and boundaries:
                frame, self._pending = self._pending, b""
                data = data[: boundaries[0]] + frame + data[boundaries[0] :]
        super().from_upstream(data)

    def cut(self) -> None:
        """Say that the socket goes away, where a frame of ours can be put in, and close it."""
        if not self.is_tunnel or not self._from_odoo.at_boundary:
            super().cut()
        else:
            self._close_with(_GOING_AWAY, "This share link has ended.")

    def _close_with(self, code: int, reason: str) -> None:
        if not self._from_odoo.at_boundary:
            super().cut()
            return
        self._end()
        self._drop_upstream()
        self._client.write(close_frame(code, reason))
        self._client.linger(_CLOSE_SECONDS)

    def _switch(self, head: ResponseHead, data: bytes) -> None:
        self._from_odoo, self._from_visitor = ServerFrames(), ClientFrames()
        super()._switch(head, b"")
        if not self.is_tunnel:
            return
        self._warn_in(max(_SOON, self._seconds_left() - WARN_BEFORE))
        if data:
            self.from_upstream(data)

    def _seconds_left(self) -> float:
        return (self.entry.expires_at if self.entry else 0.0) - self._client.gateway.time()

    def _warn_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(min(seconds, 86_400.0), self._warn)

    def _warn(self) -> None:
        """Notify whoever works in Odoo, once: the link may have got more time since this was set."""
        self._timer = None
        left = self._seconds_left()
        if not self.is_tunnel or left <= 0:
            return
        if left > WARN_BEFORE + _SOON:
            self._warn_in(left - WARN_BEFORE)
            return
        id = resume_id(self._from_odoo, self._from_visitor)
        if id is None:
            # Its client would ask the bus to go on from an id that we invented, so it must have said one first.
            self._warn_in(_AGAIN)
            return
        frame = text_frame(notification(id, *warning(left, self._request.languages)))
        if self._from_odoo.at_boundary:
            self._client.write(frame)
        else:
            self._pending = frame

    def _end(self) -> None:
        super()._end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
