"""What the owner of an environment should know about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `code` is stable, `detail` says what is so and why it matters, `remedy` what to do."""

    code: str
    detail: str
    remedy: str
