"""A visitor's bus socket: passed on untouched, with a word of ours where a link is about to end or has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from guestpass.wire.stages import TunnelControl
from guestpass.wire.websocket_frames import POLICY_VIOLATION

_SOON: Final = 1.0
_AGAIN: Final = 5.0


class BusSocket:
    """Follows both sides of one socket.

    `seconds_left` are those until the link ends. `view_only` is what a visitor who may only look is held to say.
    """

    link_ended: Final = "This share link has ended."
    idle: Final = "Nothing was said for too long."

    def __init__(
        self, seconds_left: Callable[[], float], languages: str, view_only: ViewOnlyFrames | None = None
    ) -> None:
        self._seconds_left = seconds_left
        self._languages = languages
        self._view_only = view_only
        self._from_odoo = ServerFrames()
        self._from_visitor = ClientFrames()
        self._tunnel: TunnelControl | None = None
        self._timer: asyncio.TimerHandle | None = None

    def follow_upstream(self) -> ServerFrames:
        """What finds where Odoo's frames end, and from which notification the client will go on."""
        return self._from_odoo

    def opened(self, tunnel: TunnelControl) -> None:
        """Have the visitor warned before the link ends."""
        self._tunnel = tunnel
        self._warn_in(max(_SOON, self._seconds_left() - WARN_BEFORE))

    def from_client(self, data: bytes, start: int) -> int:
        """Follow the visitor's frames: they say from where the bus is to go on."""
        tunnel, frames = self._tunnel, self._from_visitor
        if tunnel is None:
            return len(data)
        before = frames.units
        frames.feed(data, start)
        end = frames.position
        said = data[start:end]
        if self._view_only is not None:
            said = self._view_only.pass_on(said)
            if self._view_only.refused is not None:
                tunnel.end_with(POLICY_VIOLATION, self._view_only.refused)
                return len(data)
        tunnel.to_upstream(said)
        tunnel.charge(frames.units - before)
        return end

    def closed(self) -> None:
        """Cancel the warning."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _warn_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(min(seconds, 86_400.0), self._warn)

    def _warn(self) -> None:
        """Notify the visitor once that the link is about to end; it may have been extended since the timer was set."""
        self._timer = None
        left, tunnel = self._seconds_left(), self._tunnel
        if tunnel is None or tunnel.is_over or left <= 0:
            return
        if left > WARN_BEFORE + _SOON:
            self._warn_in(left - WARN_BEFORE)
            return
        id = resume_id(self._from_odoo, self._from_visitor)
        if id is None:
            # Its client would ask the bus to go on from an id that we invented, so it must have said one first.
            self._warn_in(_AGAIN)
            return
        tunnel.send_frame(text_frame(notification(id, *warning(left, self._languages))))
