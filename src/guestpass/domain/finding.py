"""What the owner of an environment should know about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `code` is stable, `detail` says what is so and why it matters, `remedy` what to do.

    `at` is when it happened, for what happens at a time.
    """

    code: str
    detail: str
    remedy: str
    at: datetime | None = None
