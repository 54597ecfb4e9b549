"""Who writes next, in one process and among several: counted in turns."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Iterable
from itertools import pairwise

from sqlalchemy import text
from tests.storage.samples import make_environment

from guestpass.app.turns import BACKGROUND, VISITORS, Turn, owner, visitors_of
from guestpass.domain.access import Principal
from guestpass.storage.database import Database
from guestpass.storage.location import SQLiteFile
from guestpass.storage.write_turns import PATIENCE

ANNA, BERT = Principal("anna", "acme"), Principal("bert", "acme")
GUSTAV = Principal("gustav", "globex")


async def served(database: Database, turns: Iterable[Turn]) -> list[Turn]:
    """The order in which they write who ask in this order while somebody else writes."""
    order: list[Turn] = []

    async def write(turn: Turn) -> None:
        async with database.writing(turn):
            order.append(turn)

    async with asyncio.TaskGroup() as tasks, database.writing():
        for turn in turns:
            tasks.create_task(write(turn))
        # Each task has asked when all of them have had a turn of the loop.
        await asyncio.sleep(0)
    return order


async def test_a_visitor_goes_before_a_hundred_owners(database: Database) -> None:
    order = await served(database, [*[owner(ANNA)] * 100, visitors_of("late")])
    assert order.index(visitors_of("late")) == 0


async def test_organisations_take_turns_and_so_do_their_principals(database: Database) -> None:
    order = await served(database, [*[owner(ANNA)] * 40, *[owner(BERT)] * 5, *[owner(GUSTAV)] * 10])
    assert order[:20:2] + order[1:20:2] == [owner(ANNA), owner(BERT)] * 5 + [owner(GUSTAV)] * 10
    assert order[20:] == [owner(ANNA)] * 35


async def test_visitors_of_one_link_are_not_all_before_those_of_another(database: Database) -> None:
    order = await served(database, [*[visitors_of("flooded")] * 50, visitors_of("quiet")])
    assert order.index(visitors_of("quiet")) == 1


async def test_whoever_is_overtaken_is_served_all_the_same(database: Database) -> None:
    lanes = [VISITORS, owner(ANNA), BACKGROUND]
    order = await served(database, [turn for turn in lanes for _ in range(40)])
    while_all_wait = order[: order.index(VISITORS) + 60]
    for turn in (owner(ANNA), BACKGROUND):
        places = [place for place, each in enumerate(while_all_wait) if each == turn]
        # A lane that is due at the same moment may go first.
        assert places[0] <= PATIENCE[turn.lane] + 1
        assert all(later - earlier <= PATIENCE[turn.lane] + 2 for earlier, later in pairwise(places))
    visits = [place for place, each in enumerate(while_all_wait) if each == VISITORS]
    assert all(later - earlier <= 3 for earlier, later in pairwise(visits))


async def test_who_gives_up_keeps_nobody_waiting(database: Database) -> None:
    async def write(turn: Turn) -> None:
        async with database.writing(turn):
            pass

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        async with database.writing():
            given_up = [tasks.create_task(write(owner(ANNA))) for _ in range(10)]
            kept = tasks.create_task(write(owner(ANNA)))
            await asyncio.sleep(0)
            given_up[0].cancel()
        # The one whose turn it is now is cancelled before it knows.
        for task in given_up[1:]:
            task.cancel()
        await kept
    assert all(task.cancelled() for task in given_up)
    await write(VISITORS)


async def write_without_a_pause(database: Database, count: list[int], stop: asyncio.Event) -> None:
    while not stop.is_set():
        async with database.writing(owner(ANNA)) as work:
            await work.environments.update(make_environment(revision=count[0]))
        count[0] += 1


async def until_somebody_waits(database: Database) -> None:
    """Return once another process waits for its turn to write."""
    location = database.location
    while not await (_next_is_taken(location) if isinstance(location, SQLiteFile) else _waits(database)):  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def _next_is_taken(location: SQLiteFile) -> bool:
    with location.path.with_name(f"{location.path.name}-next").open() as following:
        try:
            fcntl.flock(following, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


async def _waits(database: Database) -> bool:
    async with database.reading() as work:
        found = await work.connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
        return bool(found.scalar_one())


async def test_another_process_waits_for_whoever_writes_and_nobody_else(
    database: Database, open_database: Callable[[], Database]
) -> None:
    """Whoever writes all the while is not served again before another worker's visitor who stands in the line."""
    async with database.writing() as work:
        await work.environments.add(make_environment())
    order = list[str]()
    writes, may_end = asyncio.Event(), asyncio.Event()

    async def write_again_and_again(owners: Database) -> None:
        while "visitor" not in order:
            async with owners.writing(owner(ANNA)) as work:
                await work.environments.update(make_environment(revision=len(order)))
                order.append("owner")
                writes.set()
                await may_end.wait()

    async def visit() -> None:
        async with database.writing(visitors_of("late")):
            order.append("visitor")

    owners, watcher = open_database(), open_database()
    async with asyncio.timeout(60):
        for _ in range(10):
            order.clear()
            writes.clear()
            may_end.clear()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(write_again_and_again(owners))
                await writes.wait()
                tasks.create_task(visit())
                await until_somebody_waits(watcher)
                may_end.set()
            assert order[:2] == ["owner", "visitor"]


async def test_processes_take_turns(database: Database, open_database: Callable[[], Database]) -> None:
    """A visitor of one worker waits for no more than a few writes of owners at others, who write all the while."""
    others = 3
    async with database.writing() as work:
        await work.environments.add(make_environment())
    stop, count, waited = asyncio.Event(), [0], list[int]()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for _ in range(others):
            tasks.create_task(write_without_a_pause(open_database(), count, stop))
        try:
            while len(waited) < 20:
                until = count[0] + 3
                while count[0] < until:  # noqa: ASYNC110 -- it is their turns that are counted
                    await asyncio.sleep(0)
                before = count[0]
                async with database.writing(visitors_of("late")):
                    waited.append(count[0] - before)
        finally:
            stop.set()
    # Whoever writes, whoever was next before it came, and the others in the order of chance.
    assert sorted(waited)[10] <= 2 * others
