"""What the owner of an environment should know about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

OUT_OF_REACH: Final = frozenset({"unreachable", "address_refused"})
"""The codes of what keeps every visitor out of an environment."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `code` is stable, `detail` says what is so and why it matters, `remedy` what to do.

    `at` is when it happened, for what happens at a time.
    """

    code: str
    detail: str
    remedy: str
    at: datetime | None = None
