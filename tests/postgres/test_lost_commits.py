"""A connection is lost between COMMIT and its answer: nobody knows what became of it, and all is counted once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from tests.postgres.databases import Databases
from tests.postgres.wire import COMMIT, Loss, Wire, wire_to
from tests.storage.samples import KEY, LINK_ID, NOON, SetClock, keep, link_of, make_environment, make_link, visit_log

from guestpass.app.visits import VisitLog
from guestpass.domain.visit import OTHERS
from guestpass.gateway.rate_limiter import LocalRate
from guestpass.storage.database import Database
from guestpass.storage.tables import link_events, visit_hours, visitors

AT = NOON.timestamp()


@pytest.fixture
async def wire(postgres_databases: Databases) -> AsyncIterator[Wire]:
    async with wire_to(postgres_databases.cluster.port) as wire:
        yield wire


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Database]:
    """The database as it is."""
    store = Database(postgres_url, SetClock())
    await keep(store, make_environment(), make_link())
    yield store
    await store.close()


@pytest.fixture
async def afar(postgres_databases: Databases, postgres_database: str, wire: Wire) -> AsyncIterator[Database]:
    """The same behind the wire."""
    store = Database(postgres_databases.cluster.url(postgres_database, port=wire.port), SetClock())
    yield store
    await store.close()


def happens(log: VisitLog) -> None:
    """One of everything that is counted, and 30 openings of one visitor, most of which are told as a number."""
    for _ in range(30):
        log.opened(LINK_ID, "anna", AT, address="192.0.2.7", user_agent="Firefox")
    log.opened(LINK_ID, "bert", AT)
    assert not log.distinguish(LINK_ID, "192.0.2.8")
    log.refused(LINK_ID, AT, "link_full", "192.0.2.9")
    log.refused_call(KEY, "sale.order", "write", AT)


async def counted(store: Database) -> dict[str, object]:
    """All that is counted, from every place."""
    link = await link_of(store)
    async with store.reading() as work:
        refusals = await work.refusals.of_link(LINK_ID)
        calls = await work.environments.refused_calls(KEY)
        rows = await work.connection.execute(select(visitors.c.visitor, visitors.c.visits))
        of_visitors = {row.visitor: row.visits for row in rows}
        hours = (await work.connection.execute(select(func.sum(visit_hours.c.visits)))).scalar()
        events = (await work.connection.execute(select(func.count()).select_from(link_events))).scalar()
    return {
        "link": (link.visits, link.visitors),
        "visitors": of_visitors,
        "hours": hours,
        "events": events,
        "refusals": len(refusals),
        "calls": [each.count for each in calls],
    }


def of(rounds: int) -> dict[str, object]:
    """What must be counted after so many rounds of what happens."""
    return {
        "link": (31 * rounds, 2 + rounds),
        "visitors": {"anna": 30 * rounds, "bert": rounds, OTHERS: 0},
        "hours": 31 * rounds,
        "events": 21 * rounds,
        "refusals": rounds,
        "calls": [rounds],
    }


def a_log(store: Database) -> VisitLog:
    rate = LocalRate("1/hour", NOON.timestamp)
    log = visit_log(store, SetClock(), of_address=rate)
    rate.spend(f"{LINK_ID} 192.0.2.8")
    return log


@pytest.mark.parametrize("where", Loss)
async def test_what_happened_is_counted_once_and_so_is_what_happens_meanwhile(
    store: Database, afar: Database, wire: Wire, where: Loss
) -> None:
    log, other = a_log(afar), a_log(store)
    await log.flush()
    for rounds in range(1, 8, 2):
        happens(log)
        wire.lose(COMMIT, where)
        for _ in range(2):
            with pytest.raises(OperationalError):
                await log.flush()
        wire.mend()
        # Another worker writes of the same visitors before this one tries again.
        happens(other)
        await other.flush()
        happens(log)
        await log.flush()
        assert await counted(store) == of(rounds + rounds // 2 + 2)
    assert wire.lost == 8


@pytest.mark.parametrize("where", Loss)
async def test_the_last_flush_of_a_worker_is_tried_again_and_counted_once(
    store: Database, afar: Database, wire: Wire, where: Loss
) -> None:
    log = a_log(afar)
    happens(log)
    await log.flush()
    happens(log)
    wire.lose(COMMIT, where, times=1)
    await log.finish()
    assert wire.lost == 1
    assert await counted(store) == of(2)
