"""Several workers on one address: each serves, and what becomes of one concerns nobody else."""

from __future__ import annotations

import os
import signal

import pytest
from tests.gateway.raw_client import RawClient
from tests.gateway.shared import sharing
from tests.installation import Installation
from tests.supervisor.processes import said, until_gone, until_said, worker_ids
from tests.supervisor.serving import Kept, kept_connections
from tests.supervisor.upstream import answering

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_connections_are_spread_over_all_workers(server: Installation) -> None:
    async with answering() as url, sharing(server) as share:
        kept = await kept_connections(await share(url), workers=2)
        assert len(kept) == 2


async def test_connections_that_wait_for_a_worker_that_dies_are_served_by_the_next(server: Installation) -> None:
    async with answering() as url, sharing(server) as share:
        shared = await share(url)
        doomed = worker_ids(server)[0]
        times = len(said(server, "worker_died"))
        os.kill(doomed, signal.SIGSTOP)
        waiting: list[RawClient] = []
        try:
            for _ in range(60):
                client = await shared.connect()
                client.send(shared.get(b"/quick"))
                waiting.append(client)
        finally:
            os.kill(doomed, signal.SIGKILL)
        line = await until_said(server, "worker_died", times + 1)
        assert (line["pid"], line["ended"]) == (doomed, "SIGKILL")
        answers = [(await Kept(client).patiently()).status for client in waiting]
        assert answers == [200] * 60
        assert doomed not in worker_ids(server)
        assert len(worker_ids(server)) == 2


async def test_a_worker_that_dies_again_is_replaced_again(server: Installation) -> None:
    for _ in range(2):
        times = len(said(server, "worker_died"))
        [first, *_] = before = worker_ids(server)
        os.kill(first, signal.SIGTERM)
        await until_gone(first)
        await until_said(server, "worker_died", times + 1)
        async with answering() as url, sharing(server) as share:
            assert len(await kept_connections(await share(url), workers=2)) == 2
        assert set(before) - {first} < set(worker_ids(server))
