"""Processes that do the same thing at the same time, each many times over a database of its own.

Run as a program it is one of them: it says that it is ready, waits for a line, and prints what its tries brought.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from tests import preloaded
from tests.storage.samples import KEY, LINK_ID, NOON, make_environment, make_session

from guestpass.app.counters import Exhausted, Limit, charge
from guestpass.app.ports import Activity, RefusedCall, SlotResult
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database
from guestpass.system import SystemClock


async def race(url: str, what: str, *, processes: int = 2, tries: int = 15) -> list[Any]:
    """What each of `tries` tries in each of so many processes brought, in no order."""
    async with AsyncExitStack() as stack:
        racers = [
            await stack.enter_async_context(preloaded.talking_to("racer", url, what, str(number), str(tries)))
            for number in range(processes)
        ]
        async with asyncio.timeout(60):
            for said, _ in racers:
                assert await said.readline() == b"ready\n"
            for _, to in racers:
                to.write(b"go\n")
            return [result for said, _ in racers for result in json.loads(await said.readline())]


async def claim(database: Database, own: str) -> str | None:
    async with database.writing() as work:
        wanted = make_session(sealed=None, revision=0)
        until = NOON + timedelta(seconds=30)
        return own if await work.odoo_sessions.claim(wanted, claim=own, now=NOON, until=until) else None


async def rotate(database: Database, own: str) -> str | None:
    async with database.writing() as work:
        rotated = await work.odoo_sessions.rotate(LINK_ID, "bert", revision=1, sealed=own.encode())
        return own if rotated else None


async def end(database: Database, own: str) -> str | None:
    async with database.writing() as work:
        return own if await work.odoo_sessions.end(LINK_ID, "bert", NOON) else None


async def end_finished(database: Database, _: str) -> list[str]:
    async with database.writing() as work:
        looked_at = await work.odoo_sessions.scan(NOON, after=("", ""), count=100)
        over = [key for key, is_over in looked_at if is_over][:7]
        return [visitor for _, visitor in await work.odoo_sessions.end_finished(over, NOON)]


async def claim_sign_outs(database: Database, _: str) -> list[str]:
    async with database.writing() as work:
        at, soon = make_environment().odoo_address, NOON + timedelta(minutes=2)
        return [each.visitor for each in await work.odoo_sign_outs.claim(at, now=NOON, until=soon, limit=7)]


async def claim_retry(database: Database, own: str) -> str | None:
    async with database.writing() as work:
        now, before = NOON + timedelta(minutes=1), NOON + timedelta(seconds=1)
        return own if await work.accounts.claim_retry(KEY, "anna", now=now, before=before) else None


async def refuse(database: Database, own: str) -> None:
    """Each tells of one method that all know, and of one of its own."""
    async with database.writing() as work:
        calls = [RefusedCall("res.partner", "everybodys", 2, NOON), RefusedCall("res.partner", own, 1, NOON)]
        await work.environments.add_refused_calls({KEY: calls})


async def take_place(database: Database, own: str) -> str | None:
    """The first try of each process is for a visitor whom all know."""
    visitor = "everybody" if own.endswith("_0") else own
    async with database.writing() as work:
        place = await work.places.take_place(LINK_ID, visitor, 3, NOON, reserved_until=NOON + timedelta(minutes=1))
        return visitor if place in (SlotResult.TAKEN, SlotResult.HELD) else None


CROWD = [f"visitor{number}" for number in range(20)]


async def record(database: Database, own: str) -> None:
    """All tell of the same visitors, each in an order of its own, and of one whom nobody else knows."""
    process, _, turn = own.partition("_")
    at = NOON + timedelta(minutes=int(turn), seconds=int(process))
    back = NOON + timedelta(days=1, seconds=int(process))
    shift = 7 * int(process) + int(turn)
    activities = [
        *(Activity(LINK_ID, visitor, ((at, True), (at, True)), at) for visitor in CROWD[shift % 20 :]),
        *(Activity(LINK_ID, visitor, ((at, True), (at, True)), at) for visitor in CROWD[: shift % 20]),
        Activity(LINK_ID, own, ((at, True),), at),
        # Whoever tells first of this one has seen a visit, and the others what belongs to it.
        Activity(LINK_ID, "returning", ((back, False),), back),
    ]
    async with database.writing() as work:
        await work.visits.record(activities)


async def spend(database: Database, _: str) -> float | None:
    return await DatabaseBudget(database, SystemClock(), "25/hour", "race").spend("192.0.2.7")


async def charge_and_settle(database: Database, own: str) -> str:
    """Each third is right and given back, as right passwords are; who finds all pending looks again."""
    clock, right = SystemClock(), int(own.partition("_")[2]) % 3 == 0
    address, link = Limit("12/hour", "race-address").counter("one"), Limit("100/hour", "race-link").counter("link")
    while isinstance(charged := await charge(database, clock, [[address, link]], pending=True), Exhausted):
        if not charged.may_open:
            return "shut"
    async with database.writing() as work:
        await work.counters.settle(charged.counters, clock.now(), refund=right)
    return "right" if right else "wrong"


WHAT: dict[str, Callable[[Database, str], Awaitable[object]]] = {
    do.__name__: do
    for do in (
        claim,
        rotate,
        end,
        end_finished,
        claim_sign_outs,
        claim_retry,
        refuse,
        record,
        take_place,
        spend,
        charge_and_settle,
    )
}


async def take_part(url: str, what: str, number: str, tries: str) -> None:
    database = Database(url, SystemClock())
    try:
        async with database.writing(), database.reading():
            pass
        print("ready", flush=True)  # noqa: T201 -- its way to answer
        await asyncio.to_thread(sys.stdin.readline)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_try(WHAT[what], database, f"{number}_{turn}")) for turn in range(int(tries))]
        print(json.dumps([task.result() for task in tasks]), flush=True)  # noqa: T201 -- the same
    finally:
        await database.close()


async def _try(what: Callable[[Database, str], Awaitable[object]], database: Database, own: str) -> object:
    return await what(database, own)


def main() -> int:
    """Take part as the arguments say: the database, what to do, the process's number, and how many tries."""
    asyncio.run(take_part(*sys.argv[1:]))
    return 0
