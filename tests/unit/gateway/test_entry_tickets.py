from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from guestpass.app.ports import Budget
from guestpass.domain.visitor_pass import EntryTicket, VisitorPass
from guestpass.gateway.entry_tickets import EntryTickets

NOW = 1_800_000_000
PASS = VisitorPass("a" * 16, 1, "visitor", NOW)
ONE, OTHER = (EntryTicket(PASS, NOW, nonce) for nonce in ("one", "other"))


@dataclass
class Played:
    """A budget that all workers have in common."""

    spent: list[str] = field(default_factory=list)
    broken: Exception | None = None

    async def spend(self, *key: str) -> float | None:
        if self.broken is not None:
            raise self.broken
        is_first = key[0] not in self.spent
        self.spent.append(key[0])
        return None if is_first else 600.0


def entries(budget: Played, told: list[Exception]) -> EntryTickets:
    return EntryTickets(cast("Budget", budget), lambda: NOW, told.append)


async def test_a_ticket_lets_in_once_over_all_workers() -> None:
    budget, told = Played(), list[Exception]()
    here, there = entries(budget, told), entries(budget, told)
    assert await here.spend(ONE)
    assert not await here.spend(ONE)
    assert not await there.spend(ONE)
    assert await there.spend(OTHER)
    assert budget.spent == ["one", "one", "other"], "what this worker has seen is not asked again"
    assert told == []


async def test_without_a_database_each_worker_lets_it_in_once() -> None:
    budget, told = Played(broken=OSError("the disk is full")), list[Exception]()
    here = entries(budget, told)
    assert await here.spend(ONE)
    assert not await here.spend(ONE)
    assert told == [budget.broken]
    budget.broken = None
    assert not await here.spend(ONE)
    assert await here.spend(OTHER)


async def test_what_has_been_over_for_long_is_forgotten() -> None:
    now = float(NOW)
    budget = Played()
    here = EntryTickets(cast("Budget", budget), lambda: now, lambda _: None)
    assert await here.spend(ONE)
    now += 121
    assert await here.spend(OTHER)
    assert not await here.spend(ONE), "the database still knows it"
    assert budget.spent == ["one", "other", "one"]
