"""Workers are forked from a process that has loaded everything, and that process comes and goes as they do."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.faults.owner import ignore_broken
from tests.gateway.raw_client import RawClient
from tests.gateway.shared import sharing
from tests.installation import SERVE, Installation, installation
from tests.links.waiting import until
from tests.supervisor.processes import (
    SECONDS,
    children,
    descriptors,
    fork_server_id,
    said,
    threads,
    until_gone,
    until_said,
    worker_ids,
)
from tests.supervisor.serving import Kept
from tests.supervisor.upstream import answering

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The command with a part of it changed, as nothing outside of the program can change it.
CHANGED = "from guestpass import forking, supervisor; {}; from guestpass.cli.application import app; app(['serve'])"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lone() -> AsyncIterator[Installation]:
    async with installation(workers=1, drain="8s", program=SERVE) as running:
        await until_said(running, "serving")
        yield running


async def _kill_worker(server: Installation) -> int:
    """Kill the one worker, and return its successor once it serves."""
    [old] = worker_ids(server)
    os.kill(old, signal.SIGKILL)
    await until_gone(old)
    # The listeners are the supervisor's, so whoever comes waits until there is somebody to answer.
    client = await RawClient.connect(server.admin_port)
    client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % server.admin_port)
    assert (await Kept(client).patiently()).status == 200
    await client.close()
    await ignore_broken(server.client)
    [new] = worker_ids(server)
    assert new != old
    return new


async def test_the_fork_server_has_nothing_that_a_worker_must_not_inherit(lone: Installation) -> None:
    """One thread, or locks could be held for ever; of descriptors the standard streams and its line."""
    fork_server = fork_server_id(lone)
    assert len(threads(fork_server)) == 1
    assert [what.partition(":")[0] for number, what in descriptors(fork_server).items() if number > 2] == ["socket"]


async def test_a_worker_is_the_supervisors_and_in_a_group_of_its_own(lone: Installation) -> None:
    """Else it would end unseen with the fork server, or by a Ctrl-C that is the supervisor's to hear."""
    [worker] = worker_ids(lone)
    assert worker in children(lone.process.pid)
    assert os.getpgid(worker) == worker


async def test_where_the_fork_server_is_killed_nobody_notices_and_another_forks_the_next_worker(
    lone: Installation,
) -> None:
    async with answering() as url, sharing(lone) as share:
        shared = await share(url)
        client = await shared.connect()
        client.send(shared.get(b"/quick"))
        assert (await client.answer()).status == 200
        workers, fork_server = worker_ids(lone), fork_server_id(lone)
        os.kill(fork_server, signal.SIGKILL)
        line = await until_said(lone, "fork_server_died")
        assert line["pid"] == fork_server
        client.send(shared.get(b"/quick"))
        assert (await client.answer()).status == 200
        assert worker_ids(lone) == workers
        await _kill_worker(lone)
        assert fork_server_id(lone) != fork_server
        assert (await shared.ask(b"GET /quick HTTP/1.1")).status == 200


async def test_where_worker_and_fork_server_die_together_both_are_replaced(lone: Installation) -> None:
    [worker], fork_server = worker_ids(lone), fork_server_id(lone)
    for each in (fork_server, worker):
        os.kill(each, signal.SIGKILL)
    await until_gone(worker, fork_server)
    await ignore_broken(lone.client)
    async with answering() as url, sharing(lone) as share:
        shared = await share(url)
        assert (await shared.ask(b"GET /quick HTTP/1.1")).status == 200


async def test_a_fork_server_that_hangs_is_killed_and_replaced() -> None:
    program = ("-c", CHANGED.format("forking._FORK_SECONDS = 0.5"))
    async with installation(workers=1, program=program) as running:
        await until_said(running, "serving")
        os.kill(fork_server_id(running), signal.SIGSTOP)
        await _kill_worker(running)
        [line, *_] = said(running, "worker_not_started")
        assert line["ended"] == "the fork server does not answer"
        assert said(running, "fork_server_died")


async def test_systems_without_forks_start_each_worker_as_a_program() -> None:
    program = ("-c", CHANGED.format("supervisor.FORKS = False"))
    async with installation(workers=2, program=program) as running:
        await until_said(running, "serving")
        before = worker_ids(running)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        await until_said(running, "worker_died")
        running.process.send_signal(signal.SIGHUP)
        await until_said(running, "workers_replaced")
        await until_gone(*before)

        async def only_the_new_are_left() -> bool:
            return len(worker_ids(running)) == 2

        # What took the place of the killed one finishes what it has begun.
        await until(only_the_new_are_left, SECONDS)
        async with answering() as url, sharing(running) as share:
            shared = await share(url)
            assert (await shared.ask(b"GET /quick HTTP/1.1")).status == 200
