"""A visitor's pass, the entry ticket, and how long each is valid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

PREVIEW: Final = "preview-"
"""The prefix of `visitor` in a preview's pass (an owner who opens their link as a visitor)."""
OTHERS: Final = "others-"
"""The prefix of `visitor` in the pass of one who is not counted individually."""
PREVIEW_SECONDS: Final = 15 * 60
"""How long a preview's pass is valid."""
PROMISE_SECONDS: Final = 10 * 60
"""How long a browser that asks for a place again counts as the same visitor."""
TICKET_SECONDS: Final = 60
"""How long an entry ticket, or the address of a preview, is valid."""


_SKEW_SECONDS: Final = 60
"""The tolerated difference between two machines' clocks."""


@dataclass(frozen=True, slots=True)
class VisitorPass:
    """A visitor's pass for a link, issued at `issued_at` (Unix seconds).

    Whether it opens anything depends on the link's present state. `is_preview` marks an owner's preview, which counts
    neither as a visit nor as a visitor.
    """

    link_id: str
    link_version: int
    visitor: str
    issued_at: int
    is_preview: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_preview", self.visitor.startswith(PREVIEW))

    def is_within(self, seconds: int, now: float) -> bool:
        """Return whether it is at most `seconds` old; one from the future (a clock was set back) is not."""
        return -_SKEW_SECONDS <= now - self.issued_at <= seconds


@dataclass(frozen=True, slots=True)
class EntryTicket:
    """A ticket that carries a pass from PUBLIC_URL's host to the link's own host.

    It is part of a URL, so it works once (by its `nonce`) and for TICKET_SECONDS.
    """

    visitor_pass: VisitorPass
    issued_at: int
    nonce: str

    def is_within(self, seconds: int, now: float) -> bool:
        """As VisitorPass.is_within."""
        return -_SKEW_SECONDS <= now - self.issued_at <= seconds
