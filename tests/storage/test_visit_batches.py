"""What a batch of visits costs, and that it says the same as its parts, whoever else writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from tests.storage.hearing import Sent, counting
from tests.storage.racing import CROWD, race
from tests.storage.samples import (
    LINK_ID,
    NOON,
    SetClock,
    history_of,
    keep,
    link_of,
    make_environment,
    make_link,
    visit_log,
)

from guestpass.app.ports import Activity, Origin
from guestpass.app.visits import VisitLog
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import EventKind
from guestpass.storage.database import Database

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LINKS = [f"link{number:02}" for number in range(50)]
ENVIRONMENTS = [EnvironmentKey("default", f"environment{number}") for number in range(5)]
OPENING, REQUEST = True, False


@pytest.fixture
async def database(database: Database) -> Database:
    environments = (make_environment(key) for key in ENVIRONMENTS)
    await keep(database, make_environment(), *environments, make_link(), *(make_link(id) for id in LINKS))
    return database


async def flush(log: VisitLog, clock: SetClock) -> Sent:
    clock.advance(SECOND)
    with counting() as sent:
        await log.flush()
    return sent


async def test_500_visitors_of_50_links_cost_as_many_statements_as_one(database: Database, clock: SetClock) -> None:
    log = visit_log(database, clock)

    def happens(visitors: int, links: int, environments: int) -> None:
        """Openings, repeated ones among them, visits after silence, refusals and refused calls."""
        at = clock.now().timestamp()
        for number in range(visitors):
            link_id = LINKS[number % links]
            log.seen(link_id, f"returning{number}", at)
            for _ in range(1 + number % 3):
                log.opened(link_id, f"opening{number}", at, address="192.0.2.7")
            log.refused(link_id, at, "link_expired", "192.0.2.7")
            log.refused_call(ENVIRONMENTS[number % environments], f"model{number}", "write", at)

    # A first one, so that no statement is there to greet a new connection.
    happens(1, 1, 1)
    await flush(log, clock)
    happens(1, 1, 1)
    of_one = await flush(log, clock)
    happens(500, 50, 5)
    of_many = await flush(log, clock)
    assert of_many.texts == of_one.texts
    assert of_many.count == of_one.count == len(of_one.texts)
    assert (await link_of(database, LINKS[49])).visitors == 20
    async with database.reading() as work:
        assert len(await work.environments.refused_calls(ENVIRONMENTS[4])) == 100


async def test_openings_that_were_counted_from_requests_cost_no_statement_each(
    database: Database, clock: SetClock
) -> None:
    """The one that finds them is as good for many as for one."""

    async def follow(visitors: list[str]) -> Sent:
        opened, requested = visit_log(database, clock), visit_log(database, clock)
        at = clock.now()
        for visitor in visitors:
            opened.opened(LINK_ID, visitor, at.timestamp())
            requested.seen(LINK_ID, visitor, (at + SECOND).timestamp())
        await flush(requested, clock)
        return await flush(opened, clock)

    await follow(["first"])
    of_one = await follow(["one"])
    of_many = await follow([f"visitor{number}" for number in range(100)])
    assert of_many.texts == of_one.texts
    assert of_many.count == of_one.count
    link = await link_of(database)
    assert (link.visits, link.visitors) == (102, 102)


async def test_a_batch_may_be_larger_than_a_statement_has_parameters(database: Database) -> None:
    visitors = 10_000
    async with database.writing() as work:
        await work.visits.record(
            [Activity(LINK_ID, f"visitor{number}", ((NOON, OPENING),), NOON) for number in range(visitors)]
        )
    link = await link_of(database)
    assert (link.visits, link.visitors) == (visitors, visitors)


async def history(database: Database, link_id: str) -> tuple[object, ...]:
    async with database.reading() as work:
        link = await work.links.get(link_id)
        assert link is not None
        visitors = await work.visits.visitors(link_id, after=None, limit=1000)
        events = await history_of(work, link_id)
        hours = await work.visits.hours(link_id, datetime.min.replace(tzinfo=NOON.tzinfo))
    assert link.visits == len(events) == sum(hours.values()) == sum(each.visits for each in visitors)
    return (
        (link.visits, link.visitors, link.last_opened_at),
        sorted((each.id, each.first_seen, each.last_seen, each.visits, each.browser) for each in visitors),
        sorted((event.at, event.kind, event.actor) for event in events),
        hours,
    )


@pytest.mark.parametrize("seed", range(4))
async def test_a_batch_says_what_its_parts_would_one_by_one(database: Database, seed: int) -> None:
    """Times are few, so that they meet: equal ones, a silence to the microsecond, and what is told late."""
    random = Random(seed)
    tick = timedelta(microseconds=1)
    moments = [NOON + minutes * MINUTE + few * tick for minutes in range(0, 100, 10) for few in range(2)]

    def activity(visitor: str) -> Activity:
        starts = [(random.choice(moments), random.random() < 0.6) for _ in range(random.randrange(5))]
        # A clock that was set back makes others than these.
        if random.random() < 0.8:
            starts.sort()
        last_seen, present_at = (random.choice([None, *moments]) for _ in range(2))
        origin = random.choice([None, Origin(None, f"Browser {random.random()}", None)])
        return Activity(LINKS[0], visitor, tuple(starts), last_seen, present_at, origin)

    for _ in range(4):
        batch = [activity(visitor) for visitor in random.sample(CROWD, 12)]
        async with database.writing() as work:
            await work.visits.record(batch)
            for part in (part for each in batch for part in _parts(each)):
                await work.visits.record([replace(part, link_id=LINKS[1])])
    assert await history(database, LINKS[0]) == await history(database, LINKS[1])


def _parts(activity: Activity) -> Iterator[Activity]:
    for start in activity.starts:
        yield Activity(activity.link_id, activity.visitor, (start,))
    yield replace(activity, starts=())


async def test_new_visitors_of_a_batch_are_numbered_as_they_came(database: Database) -> None:
    async def tell(*visitors: tuple[str, timedelta]) -> None:
        async with database.writing() as work:
            await work.visits.record(
                [Activity(LINK_ID, visitor, ((NOON + since, OPENING),), NOON + since) for visitor, since in visitors]
            )

    await tell(("zoe", 0 * SECOND), ("carl", 2 * SECOND), ("bert", 1 * SECOND))
    await tell(("anna", 4 * SECOND), ("zoe", 3 * SECOND), ("dora", 3 * SECOND))
    async with database.reading() as work:
        visitors = await work.visits.visitors(LINK_ID, after=None, limit=10)
    assert {each.id: each.number for each in visitors} == {"zoe": 1, "bert": 2, "carl": 3, "dora": 4, "anna": 5}


async def test_several_processes_lose_no_visit_of_the_same_visitors(database: Database, database_url: str) -> None:
    """Each counts them in an order of its own, so that row locks alone could let them wait for each other."""
    processes, tries = 2, 10
    await race(database_url, "record", processes=processes, tries=tries)
    link = await link_of(database)
    batches = processes * tries
    assert link.visits == batches * (2 * len(CROWD) + 1) + 1
    assert link.visitors == len(CROWD) + batches + 1
    async with database.reading() as work:
        visitors = await work.visits.visitors(LINK_ID, after=None, limit=1000)
        events = await history_of(work, LINK_ID)
        hours = await work.visits.hours(LINK_ID, NOON - timedelta(days=1))
    assert {each.id: each.visits for each in visitors if each.id in CROWD} == dict.fromkeys(CROWD, 2 * batches)
    assert sorted(each.number for each in visitors) == list(range(1, link.visitors + 1))
    assert len([event for event in events if event.kind is EventKind.OPENED]) == link.visits
    assert sum(hours.values()) == link.visits


async def test_to_deactivate_500_links_costs_as_many_statements_as_one(database: Database) -> None:
    """Nobody else writes meanwhile."""
    made = [f"many{number}" for number in range(500)]
    await keep(database, *(make_link(id) for id in made))

    async def deactivate(*ids: str) -> tuple[Sent, tuple[set[str], set[str]]]:
        with counting() as sent:
            async with database.writing() as work:
                return sent, await work.links.deactivate_many("default", ids, NOON)

    await deactivate("absent")
    one, of_one = await deactivate(LINKS[0])
    many, of_many = await deactivate(*made, LINKS[0], "absent")
    assert many.texts == one.texts
    assert of_one == ({LINKS[0]}, set())
    assert of_many == ({*made, LINKS[0]}, {LINKS[0]})
    _, of_others = await deactivate()
    assert of_others == (set(), set())
    async with database.writing() as work:
        assert await work.links.deactivate_many("another", made, NOON) == (set(), set())
