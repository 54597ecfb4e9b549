"""A visitor's bus socket: passed on untouched, with a word of ours where a link is about to end or has ended."""

from __future__ import annotations

import asyncio
from typing import Final

from guestpass.odoo.bus.frames import (
    ClientFrames,
    ServerFrames,
    ViewOnlyFrames,
    notification,
    resume_id,
    text_frame,
)
from guestpass.odoo.http.jsonrpc_errors import WARN_BEFORE, warning
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import ResponseHead
from guestpass.wire.websocket_frames import GOING_AWAY, POLICY_VIOLATION, Frames

_SOON: Final = 1.0
_AGAIN: Final = 5.0


class BusSocket(Exchange):
    """An exchange that becomes a bus socket; before that, and if it never does, an exchange like any other."""

    _from_odoo: ServerFrames
    _from_visitor: ClientFrames
    _timer: asyncio.TimerHandle | None = None
    view_only: ViewOnlyFrames | None = None
    """What a visitor who may only look is held to say; given before the exchange begins."""

    def from_client(self, data: bytes, start: int) -> int:
        """Follow the visitor's frames: they say from where the bus is to go on."""
        if not self.is_tunnel:
            return super().from_client(data, start)
        frames = self._from_visitor
        before = frames.units
        frames.feed(data, start)
        end = frames.position
        said = data[start:end]
        if self.view_only is not None:
            said = self.view_only.pass_on(said)
            if self.view_only.refused is not None:
                self._end_with(POLICY_VIOLATION, self.view_only.refused)
                return len(data)
        super().from_client(said, 0)
        if not self._charge(frames.units - before, also_address=True):
            self._overrun()
        return end

    def cut(self) -> None:
        """Say that the socket goes away, where a frame of ours can be put in, and close it."""
        if self.is_tunnel:
            self._end_with(GOING_AWAY, "This share link has ended.")
        else:
            super().cut()

    def timed_out(self) -> None:
        """An idle socket is closed in order, and the client connects again; anything else is told as ever."""
        if self.is_tunnel:
            self._end_with(GOING_AWAY, "Nothing was said for too long.")
        else:
            super().timed_out()

    def _end_with(self, code: int, reason: str) -> None:
        if self._from_odoo.at_boundary:
            self._close_with(code, reason)
        else:
            super().cut()

    def _offers_extensions(self) -> bool:
        return False

    def _follow_server(self) -> Frames:
        return self._from_odoo

    def _switch(self, head: ResponseHead, data: bytes) -> None:
        self._from_odoo, self._from_visitor = ServerFrames(), ClientFrames()
        super()._switch(head, data)
        if self.is_tunnel:
            self._warn_in(max(_SOON, self._seconds_left() - WARN_BEFORE))

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
        self._say(text_frame(notification(id, *warning(left, self._request.languages))))

    def _end(self) -> None:
        super()._end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
