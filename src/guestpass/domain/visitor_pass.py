"""The pass: what a visitor's browser holds after a link was opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VisitorPass:
    """The facts that a pass vouches for.

    It says which link was opened, by which visitor and when (`issued_at`, Unix seconds). What it is
    worth is decided by the link as it is now: an ended link's pass names it and opens nothing.
    """

    link_id: str
    link_version: int
    visitor: str
    issued_at: int
