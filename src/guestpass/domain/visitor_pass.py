"""The pass: what a visitor's browser holds after a link was opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

PREVIEW: Final = "preview-"
"""With this begins the visitor in the pass of an owner who looks at a link as a visitor would."""
OTHERS: Final = "others-"
"""With this begins the visitor in the pass of one of many, whom what is kept does not tell apart."""
PREVIEW_SECONDS: Final = 15 * 60
"""How long such a pass opens anything."""
PROMISE_SECONDS: Final = 10 * 60
"""How long a browser that asks for a place again is known for the same one."""
TICKET_SECONDS: Final = 60
"""Within which time the address that leads to it, or to a link's own host, must be opened."""


_SKEW_SECONDS: Final = 60
"""How far apart the clocks of two machines may be."""


@dataclass(frozen=True, slots=True)
class VisitorPass:
    """The facts that a pass vouches for.

    It says which link was opened, by which visitor and when (`issued_at`, Unix seconds). What it is
    worth is decided by the link as it is now: an ended link's pass names it and opens nothing. `is_preview` says
    that it is an owner's who looks: neither a visit nor a visitor, and soon over.
    """

    link_id: str
    link_version: int
    visitor: str
    issued_at: int
    is_preview: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_preview", self.visitor.startswith(PREVIEW))

    def is_within(self, seconds: int, now: float) -> bool:
        """Whether it was issued so many seconds ago at most; a clock that was set back makes nothing live longer."""
        return -_SKEW_SECONDS <= now - self.issued_at <= seconds


@dataclass(frozen=True, slots=True)
class EntryTicket:
    """What takes a pass from PUBLIC_URL's host, where a link is opened, to the link's own host.

    It stands in an address, so it works once (`nonce` tells it from all others) and soon after `issued_at` only.
    """

    visitor_pass: VisitorPass
    issued_at: int
    nonce: str

    def is_within(self, seconds: int, now: float) -> bool:
        """As for a pass."""
        return -_SKEW_SECONDS <= now - self.issued_at <= seconds
