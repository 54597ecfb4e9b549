"""SIGHUP: each worker is replaced by one with the settings of the moment, and nobody is cut off or turned away."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.gateway.shared import sharing
from tests.installation import SERVE, Installation, installation
from tests.supervisor.load import Load
from tests.supervisor.processes import said, until_gone, until_said, worker_ids
from tests.supervisor.upstream import answering, echoing
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SETTINGS = 'drain = "8s"\n'

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One worker, with a settings file: when it is replaced, its drain has just begun."""
    file = tmp_path_factory.mktemp("settings") / "guestpass.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    async with installation(workers=1, config=str(file), program=SERVE) as running:
        yield running


def _write_settings(server: Installation, text: str) -> None:
    Path(server.environ["GUESTPASS_CONFIG"]).write_text(text, encoding="utf-8")


async def _replace(server: Installation) -> datetime:
    """Ask for new workers, and return when they serve since when they do.

    The old ones may still finish what they had begun.
    """
    times = len(said(server, "workers_replaced"))
    server.process.send_signal(signal.SIGHUP)
    line = await until_said(server, "workers_replaced", times + 1)
    return datetime.fromisoformat(line["timestamp"])


async def test_no_request_fails_while_all_workers_are_replaced(server: Installation) -> None:
    async with answering() as url, sharing(server) as share:
        load = Load(await share(url))
        async with load.running():
            before = worker_ids(server)
            await _replace(server)
            await until_gone(*before)
        assert len(worker_ids(server)) == 2
        assert load.failures == []
        assert set(load.done) == {"stays", "comes anew", "reads", "uploads"}


async def test_a_websocket_goes_on_while_its_worker_drains_and_is_then_told_to_go_away(lone: Installation) -> None:
    async with echoing() as url, sharing(lone) as share:
        shared = await share(url)
        cookie = {"Cookie": shared.cookie.decode()}
        async with connect(f"ws://127.0.0.1:{lone.public_port}/", additional_headers=cookie) as socket:
            old = worker_ids(lone)
            replaced_at = await _replace(lone)
            assert set(old) < set(worker_ids(lone)), "the old worker still drains"
            await socket.send("still here")
            assert await socket.recv() == "still here"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1001
            # Of eight seconds of drain the last two are for this.
            assert datetime.now(UTC) - replaced_at > timedelta(seconds=5)
        await until_gone(*old)


async def test_a_connection_that_waits_has_its_next_request_answered_and_is_then_closed(lone: Installation) -> None:
    async with answering() as url, sharing(lone) as share:
        shared = await share(url)
        client = await shared.connect()
        client.send(shared.get(b"/quick"))
        assert (await client.answer()).get(b"connection") is None
        await _replace(lone)
        client.send(shared.get(b"/quick"))
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection")) == (200, b"close")
        assert await client.rest() == b""


async def test_new_workers_have_the_settings_of_the_moment(lone: Installation) -> None:
    environment = await lone.add_environment(name="Any", url="http://127.0.0.1:1", kind="web")
    share = f"/api/environments/{environment['id']}/share"
    three_hours = {"expiresIn": "3h"}
    assert (await lone.client.post(share, json=three_hours)).status_code == 201
    _write_settings(lone, SETTINGS + 'max_link_lifetime = "2h"\n')
    await _replace(lone)
    # The connection that is kept belongs to the worker before, which answers once more.
    await lone.client.get("/healthz")
    refused = await lone.client.post(share, json=three_hours)
    assert refused.status_code == 422
    assert "2h" in refused.text
    _write_settings(lone, SETTINGS)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("lissten = 1", "lissten"),
        ('drain = "never"', "GUESTPASS_DRAIN"),
        ('tls_cert = "/none.pem"', "GUESTPASS_TLS_KEY"),
    ],
)
async def test_settings_that_are_wrong_change_nothing(lone: Installation, text: str, cause: str) -> None:
    before = worker_ids(lone)
    times = len(said(lone, "reload_refused"))
    _write_settings(lone, text)
    lone.process.send_signal(signal.SIGHUP)
    refused = await until_said(lone, "reload_refused", times + 1)
    _write_settings(lone, SETTINGS)
    assert cause in refused["cause"]
    assert set(worker_ids(lone)) <= set(before)
    assert (await lone.client.get("/readyz")).status_code == 200


async def test_a_worker_that_does_not_start_leaves_the_old_one_in_its_place(lone: Installation) -> None:
    key = Path(lone.environ["GUESTPASS_DATA_DIR"]) / "secret_key"
    text = key.read_text(encoding="ascii")
    key.write_text("another key, with which this database was not made", encoding="ascii")
    lone.process.send_signal(signal.SIGHUP)
    try:
        line = await until_said(lone, "worker_not_replaced")
    finally:
        key.write_text(text, encoding="ascii")
    assert (line["worker"], line["ended"]) == (0, "exit status 2")
    assert "guestpass: " in lone.log
    async with answering() as url, sharing(lone) as share:
        shared = await share(url)
        assert (await shared.ask(b"GET /quick HTTP/1.1")).status == 200
    await _replace(lone)
