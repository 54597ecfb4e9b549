"""What a look at an environment tells."""

from __future__ import annotations

from dataclasses import dataclass

from guestpass.domain.environment import BusPlace
from guestpass.domain.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What is known of an environment after a look at it; what that could not tell is as it was before.

    None is not known. `canonical_url` is the origin that its pages call their own, `found_websocket_url` where the
    bus was found beside it.
    """

    odoo_version: str | None = None
    canonical_url: str | None = None
    websocket: BusPlace | None = None
    found_websocket_url: str | None = None
    findings: tuple[Finding, ...] = ()
