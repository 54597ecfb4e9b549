"""The result of checking an environment."""

from __future__ import annotations

from dataclasses import dataclass

from guestpass.domain.environment import BusPlace
from guestpass.domain.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What is known of an environment after a check; what the check could not find out is as it was before.

    None means unknown. `canonical_url` is the origin that its pages call canonical, `found_websocket_url` where its bus
    was found if not at its own address.
    """

    odoo_version: str | None = None
    canonical_url: str | None = None
    websocket: BusPlace | None = None
    found_websocket_url: str | None = None
    findings: tuple[Finding, ...] = ()
