"""Collect the findings of environments."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from guestpass.app.accounts import refusal_of
from guestpass.app.ports import Store, UnitOfWork, Unreachable
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.finding import OUT_OF_REACH, Finding

SHARED_ORIGIN = Finding(
    code="shared_origin",
    detail=(
        "All links open on one address, and there is more than one environment: in a visitor's browser they share an "
        "origin, so a tab that is still open on one of them can write into the one that was opened after it, and so "
        "can cookies that a script has set for a path of their own."
    ),
    remedy="Set LINK_DOMAIN, so that each link has an origin of its own.",
)

IN_MAINTENANCE: Final = Finding(
    code="maintenance",
    detail="The environment is in maintenance: visitors of all its links read that, and get no further.",
    remedy="End the maintenance before the link is opened.",
)


class Findings:
    """Collect findings of checks, of visitors' requests, and of how environments are served."""

    def __init__(self, store: Store, addresses: PublicUrls) -> None:
        self._store = store
        self._addresses = addresses

    async def of(self, environments: Collection[Environment]) -> dict[EnvironmentKey, tuple[Finding, ...]]:
        """The findings of each environment; none is an empty tuple."""
        if not environments:
            return {}
        keys = [environment.key for environment in environments]
        found: dict[EnvironmentKey, tuple[Finding, ...]] = {}
        lost: dict[EnvironmentKey, Unreachable] = {}
        refused: dict[EnvironmentKey, list[Finding]] = {key: [] for key in keys}
        one = keys[0].id if len(keys) == 1 else None
        async with self._store.reading() as work:
            for org in {key.org for key in keys}:
                found |= await work.environments.findings(org, id=one)
                for id, unreachable in (await work.reachabilities.of_org(org)).items():
                    lost[EnvironmentKey(org, id)] = unreachable
                for account in await work.accounts.of_org(org, id=one):
                    if account.environment in refused and (finding := refusal_of(account)) is not None:
                        refused[account.environment].append(finding)
            shared = self._addresses.link_domain is None and await work.environments.count(up_to=2) > 1
        derived = (SHARED_ORIGIN,) if shared else ()
        return {key: (*_with_loss(found.get(key, ()), lost.get(key)), *refused[key], *derived) for key in keys}


async def closed_to_visitors(
    work: UnitOfWork, keys: Collection[EnvironmentKey]
) -> dict[EnvironmentKey, tuple[Finding, ...]]:
    """What keeps visitors out of these environments at the moment, for who sends them there.

    The number of queries does not grow with the environments, which are of one organisation.
    """
    if not keys:
        return {}
    first = next(iter(keys))
    if len(keys) == 1:
        environment, lost = await work.environments.get(first), {first.id: await work.reachabilities.get(first)}
        environments = [] if environment is None else [environment]
        found = await work.environments.findings(first.org, id=first.id)
    else:
        environments, lost = await work.environments.all(first.org), {**await work.reachabilities.of_org(first.org)}
        found = await work.environments.findings(first.org)
    return {
        each.key: closing(each, _with_loss(found.get(each.key, ()), lost.get(each.key.id)))
        for each in environments
        if each.key in keys
    }


def closing(environment: Environment, found: Collection[Finding]) -> tuple[Finding, ...]:
    """Which of an environment's findings keep visitors out, and that it is in maintenance."""
    closed = tuple(finding for finding in found if finding.code in OUT_OF_REACH)
    return closed if environment.maintenance is None else (*closed, IN_MAINTENANCE)


def _with_loss(found: tuple[Finding, ...], lost: Unreachable | None) -> tuple[Finding, ...]:
    """Return the findings of a check, preceded by that the environment became unreachable since."""
    # The check may have found it unreachable already.
    if lost is None or any(finding.code in OUT_OF_REACH for finding in found):
        return found
    finding = Finding(
        code="unreachable",
        detail=f"The environment can't be used: {lost.why}. Visitors get an error page.",
        remedy="Start it, or correct url; it must be reachable from the machine that Guestpass runs on. It is checked "
        "every minute.",
        at=lost.since,
    )
    return (finding, *found)
