"""What the owner of an environment should know about it, each with its remedy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from guestpass.app.addresses import Addresses
from guestpass.app.ports import Store
from guestpass.domain.environment import Environment, EnvironmentKey


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `code` is stable, `detail` says what is so and why it matters, `remedy` what to do."""

    code: str
    detail: str
    remedy: str


SHARED_ORIGIN = Finding(
    code="shared_origin",
    detail=(
        "All links open on one address, and there is more than one environment: in a visitor's browser they share an "
        "origin, so a tab that is still open on one of them can write into the one that was opened after it."
    ),
    remedy="Set LINK_DOMAIN, so that each link has an origin of its own.",
)


class Findings:
    """Looks at environments."""

    def __init__(self, store: Store, addresses: Addresses) -> None:
        self._store = store
        self._addresses = addresses

    async def of(self, environments: Collection[Environment]) -> dict[EnvironmentKey, tuple[Finding, ...]]:
        """The findings of each environment; none is an empty tuple."""
        shared = False
        if environments and self._addresses.link_domain is None:
            async with self._store.reading() as work:
                shared = await work.environments.count() > 1
        return {environment.key: (SHARED_ORIGIN,) if shared else () for environment in environments}
