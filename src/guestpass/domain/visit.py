"""Visitors of a link, refusals, and how addresses are shortened."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LIVE = timedelta(seconds=60)
"""How long after their last request or open connection a visitor counts as present."""
REFUSALS_KEPT = 50
"""How many refusals of one link are kept, the newest."""
OPENINGS_KEPT = 5_000
"""How many openings are kept in the history of one link, the newest; all are counted."""
OTHERS = "others"
"""The shared id of a link's visitors who are not counted individually."""


class AddressDetail(StrEnum):
    """How much of visitors' addresses is stored and shown to owners."""

    FULL = "full"
    SHORTENED = "shortened"  # the network: /24 of IPv4, /48 of IPv6
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Agent:
    """What a User-Agent says of its sender, such as ``Firefox 142`` on ``Linux``; None for what it doesn't say."""

    browser: str | None = None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """One browser that a link let in; all times aware UTC.

    `number` counts a link's visitors in the order in which they came; it is 0 for OTHERS, who are many. `last_seen` is
    the newest request, or the newest moment at which something of theirs was open. `address` is as the installation's
    setting left it. `ended_at` is when the visit ended.
    """

    link_id: str
    id: str
    number: int
    first_seen: datetime
    last_seen: datetime
    visits: int
    browser: str | None = None
    system: str | None = None
    address: str | None = None
    ended_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether the visitor is there: a request or something open within the last minute."""
        return self.ended_at is None and now - self.last_seen <= LIVE


@dataclass(frozen=True, slots=True)
class Refusal:
    """Somebody who was turned away at a link: when, why (a reason's code), and which request the page named."""

    link_id: str
    at: datetime
    reason: str
    request_id: str | None = None
    browser: str | None = None
    system: str | None = None
    address: str | None = None


def shown_address(address: str | None, detail: AddressDetail) -> str | None:
    """As much of an address as `detail` allows; what was shortened before stays as it is."""
    if address is None or detail is AddressDetail.NONE:
        return None
    if detail is AddressDetail.FULL:
        return address
    try:
        parsed = ipaddress.ip_network(address, strict=False)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Network) and (mapped := parsed.network_address.ipv4_mapped) is not None:
        parsed = ipaddress.IPv4Network(mapped)
    longest = 24 if parsed.version == 4 else 48
    return str(parsed if parsed.prefixlen <= longest else parsed.supernet(new_prefix=longest))
