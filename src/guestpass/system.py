"""The machine: its clock, its source of chance, and its users."""

from __future__ import annotations

import pwd
import secrets
from datetime import UTC, datetime


class SystemClock:
    """The machine's time of day."""

    def now(self) -> datetime:
        """Now, as an aware UTC datetime."""
        return datetime.now(UTC)


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
