"""kill -9 and SIGTERM, of a worker and of the supervisor, while visitors ask and an owner makes links."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from tests.faults.owner import Owner, assert_kept, ignore_broken, making
from tests.faults.visitors import SECONDS, Visitor, asking, until_true
from tests.gateway.raw_client import RawClient
from tests.gateway.shared import Shared, sharing
from tests.installation import Installation
from tests.links.waiting import until
from tests.supervisor.processes import said, until_gone, until_said, worker_ids
from tests.supervisor.serving import worker_of
from tests.supervisor.upstream import DRIPS, answering

pytestmark = pytest.mark.asyncio(loop_scope="session")

VISITORS = 8


async def _visitors_of_each_worker(shared: Shared, times: int) -> dict[str, list[Visitor]]:
    """Visitors with a connection each, by the worker that serves it; at least one of each of two workers."""
    found: dict[str, list[Visitor]] = {}
    while sum(map(len, found.values())) < times or len(found) < 2:
        client = await shared.connect()
        found.setdefault(await worker_of(client, shared), []).append(Visitor(shared, client=client))
    return found


async def test_a_worker_that_is_killed_costs_its_visitors_one_request_each_and_the_others_none(
    pair: Installation,
) -> None:
    async with answering() as url, sharing(pair) as share:
        shared = await share(url)
        owner = Owner(pair, shared.environment["id"])
        by_worker = await _visitors_of_each_worker(shared, VISITORS)
        everybody = [visitor for some in by_worker.values() for visitor in some]
        deaths = len(said(pair, "worker_died"))
        async with asking(*everybody), making(owner):
            doomed = worker_ids(pair)[0]
            os.kill(doomed, signal.SIGKILL)
            died = await until_said(pair, "worker_died", deaths + 1)
            for visitor in everybody:
                await visitor.until(200, times=5)
            await until_true(lambda: len(owner.made) >= 3)
        failed = {worker: [len(visitor.failed) for visitor in some] for worker, some in by_worker.items()}
        touched = [worker for worker, some in by_worker.items() if any(each.failed or each.repeated for each in some)]
        # A request was cut, or none was under way and the next one opened another connection.
        assert len(touched) <= 1, failed
        assert all(count <= 1 for some in failed.values() for count in some), failed
        assert sum(each.repeated for each in everybody) + sum(map(sum, failed.values())) <= len(
            by_worker[touched[0]] if touched else []
        )
        assert (died["pid"], died["ended"]) == (doomed, "SIGKILL")
        assert len(said(pair, "worker_died")) == deaths + 1
        assert owner.made
        assert owner.unsure <= 1
        assert owner.refused == []
        await ignore_broken(pair.client)
        await assert_kept(owner)


async def test_a_worker_that_is_told_to_end_answers_what_it_has_begun_and_nobody_is_refused(
    pair: Installation,
) -> None:
    async with answering() as url, sharing(pair) as share:
        shared = await share(url)
        by_worker = await _visitors_of_each_worker(shared, 4)
        everybody = [visitor for some in by_worker.values() for visitor in some]
        async with asking(*everybody):
            before = worker_ids(pair)
            deaths = len(said(pair, "worker_died"))
            readers = [await shared.connect() for _ in range(4)]
            for reader in readers:
                reader.send(shared.get(b"/drip"))
            assert [(await reader.head()).status for reader in readers] == [200] * 4
            os.kill(before[0], signal.SIGTERM)
            assert [await reader.read(DRIPS) for reader in readers] == [b"." * DRIPS] * 4
            await until_said(pair, "worker_died", deaths + 1)
            for visitor in everybody:
                await visitor.until(200, times=5)
        assert [visitor.failed for visitor in everybody] == [[] for _ in everybody]


async def test_where_the_supervisor_is_killed_its_workers_finish_and_a_new_server_starts_at_once(
    pair: Installation,
) -> None:
    async with answering() as url, sharing(pair) as share:
        shared = await share(url)
        owner = Owner(pair, shared.environment["id"])
        visitor, reader = Visitor(shared), await shared.connect()
        await visitor.ask()
        reader.send(shared.get(b"/drip"))
        assert (await reader.head()).status == 200
        starts = len(said(pair, "serving"))
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(owner.keep_making())
            while len(owner.made) < 3:  # noqa: ASYNC110 -- another task's list
                await asyncio.sleep(0.01)
            before = worker_ids(pair)
            pair.process.kill()
            await pair.process.wait()
            await _until_nobody_listens(pair.public_port)
            await pair.start()
            # What they had begun.
            assert await reader.read(DRIPS) == b"." * DRIPS
            writing.cancel()
        await until_said(pair, "serving", starts + 1)
        await until_gone(*before)
        # The pass that was given before is worth as much as it was.
        await visitor.until_served()
        assert visitor.outcomes[-1] == 200
        await ignore_broken(pair.client)
        await assert_kept(owner)


async def test_a_server_that_is_told_to_end_under_load_answers_all_that_has_arrived(pair: Installation) -> None:
    async with answering() as url, sharing(pair) as share:
        shared = await share(url)
        readers = [await shared.connect() for _ in range(6)]
        for reader in readers:
            reader.send(shared.get(b"/drip"))
        heads = [await reader.head() for reader in readers]
        starts = len(said(pair, "serving"))
        pair.process.send_signal(signal.SIGTERM)
        assert [head.status for head in heads] == [200] * 6
        assert [await reader.read(DRIPS) for reader in readers] == [b"." * DRIPS] * 6
        assert await pair.stop() == 0
        assert said(pair, "requests_cut") == []
        await pair.start()
        await until_said(pair, "serving", starts + 1)
        await ignore_broken(pair.client)


async def _until_nobody_listens(port: int) -> None:
    async def is_refused() -> bool:
        try:
            client = await RawClient.connect(port)
        except ConnectionRefusedError:
            return True
        await client.close()
        return False

    await until(is_refused, SECONDS)
