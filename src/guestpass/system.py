"""The system's clock, random numbers and users."""

from __future__ import annotations

import pwd
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from guestpass import telemetry

STEP_S: Final = 1.0
"""The least step of the machine's clock, in seconds, that is logged."""


class SystemClock:
    """The machine's time of day, which never goes back as long as this process runs.

    Where the machine's clock is set back, time goes on from where it was, at its usual pace: otherwise links that have
    ended would open again, and what is about to end would live longer. A clock that is set forward is followed at once.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._last = wall()
        self._at = monotonic()
        self._ahead = 0.0
        self._log = telemetry.logger("guestpass.clock")

    def timestamp(self) -> float:
        """Now, in Unix seconds."""
        # In this order: what passes between the two readings then makes the time that must have passed no longer.
        wall, at = self._wall(), self._monotonic()
        least = self._last + at - self._at
        step = wall - least + self._ahead
        if not -STEP_S < step < STEP_S:
            self._log_step(step)
        self._at = at
        if wall >= least:
            self._ahead, self._last = 0.0, wall
        else:
            self._ahead, self._last = least - wall, least
        return self._last

    def now(self) -> datetime:
        """Now, as an aware UTC datetime."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def _log_step(self, seconds: float) -> None:
        if seconds > 0:
            self._log.warning("clock_set_forward", seconds=round(seconds), effect="what ends by then has ended")
        else:
            self._log.warning(
                "clock_set_back",
                seconds=round(-seconds),
                effect="time goes on from where it was, so that nothing opens again",
                remedy="where the clock is right now, restart Guestpass",
            )


class SystemEntropy:
    """The operating system's random numbers."""

    def bytes(self, count: int) -> bytes:
        """`count` bytes fit for secrets."""
        return secrets.token_bytes(count)


def user_name(uid: int) -> str:
    """The name of an operating system user, or its number where it has none (as in many containers)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def as_user(name: str) -> str:
    """How to run a command as that user."""
    return f"sudo -u {f'#{name}' if name.isdigit() else name} guestpass ..."
