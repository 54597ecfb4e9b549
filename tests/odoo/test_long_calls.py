"""Calls that take long to look at are looked at beside the worker: others are served, and nothing is let through."""

from __future__ import annotations

import json
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.odoo.handle import Odoo
from tests.gateway.raw_client import RawClient
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.odoo.slow import Slow
from tests.odoo.visitor import Visitor, opened

from guestpass.odoo.http.json_bodies import MOST_VALUES

pytestmark = pytest.mark.asyncio(loop_scope="session")

AS_ADMIN = {"signInAs": {"login": "admin", "password": "admin", "allowAdmin": True}}
VIEW_ONLY = {"access": "readOnly", **AS_ADMIN}
CALL_KW = "/web/dataset/call_kw"
BOMB = b'{"id":3,"jsonrpc":"2.0","method":"call","params":{"args":[' + b"[[]]," * 209_000 + b"0]}}"


def call(model: str, method: str, *args: Any, **kwargs: Any) -> bytes:
    params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
    return json.dumps({"id": 3, "jsonrpc": "2.0", "method": "call", "params": params}).encode()


def reading(count: int) -> bytes:
    """A call that may be made by who may only look, with so many values."""
    return call("res.partner", "web_search_read", [["id", "in", list(range(count))]], {"name": {}})


def examiner(server: Installation) -> int | None:
    """The process that examines bodies for this server's one worker."""
    parents, examiners = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if b"examiner_process" in (folder / "cmdline").read_bytes():
                examiners.append(int(folder.name))
        except OSError:
            continue
    for found in examiners:
        above = found
        while above in parents:
            above = parents[above]
            if above == server.process.pid:
                return found
    return None


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def post(visitor: Visitor, body: bytes) -> dict[str, Any]:
    answer = await visitor.web.post(CALL_KW, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sent(visitor: Visitor, stack: AsyncExitStack, body: bytes) -> RawClient:
    """A call that is on its way."""
    client = await Slow(visitor, stack).send(
        f"POST {CALL_KW} HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(body)}"
    )
    client.send(body)
    return client


async def ended(pid: int) -> None:
    """Return when the process is gone."""

    async def is_gone() -> bool:
        return not is_alive(pid)

    await until(is_gone)


async def test_a_long_call_is_looked_at_beside_the_worker_and_goes_on_as_it_is_written_anew(
    server: Installation, odoo: Odoo
) -> None:
    if (before := examiner(server)) is not None:
        os.kill(before, signal.SIGKILL)
        await ended(before)
    async with opened(server, odoo, link_fields=VIEW_ONLY) as looker:
        assert "result" in await post(looker, reading(100))
        assert examiner(server) is None
        assert "result" in await post(looker, reading(30_000))
        process = examiner(server)
        assert process is not None
        shortest = json.dumps(json.loads(reading(30_000)), separators=(",", ":"))
        assert odoo.requests(CALL_KW)[-1]["body_bytes"] == len(shortest) < len(reading(30_000))
        assert "error" in await post(looker, call("res.partner", "unlink", list(range(30_000))))
        assert not odoo.calls("unlink")
        assert examiner(server) == process


async def test_of_what_an_odoo_page_would_never_send_nothing_is_made(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields=VIEW_ONLY) as looker:
        told = await post(looker, BOMB)
        assert f"at most {MOST_VALUES} names and values" in told["error"]["data"]["message"]
        told = await post(looker, call("res.partner", "read", json.loads("[" * 70 + "]" * 70)))
        assert "deeper than 64" in told["error"]["data"]["message"]
    async with opened(server, odoo, link_fields=AS_ADMIN) as visitor:
        answer = await visitor.web.post(CALL_KW, content=BOMB, headers={"Content-Type": "application/json"})
        assert (answer.status_code, f"at most {MOST_VALUES} names and values" in answer.text) == (400, True)


async def test_long_calls_of_who_is_signed_in_go_on_byte_for_byte(server: Installation, odoo: Odoo) -> None:
    """Three MiB wait in a file, half a MiB in memory."""
    async with opened(server, odoo, link_fields=AS_ADMIN) as visitor:
        for size in (3 * 1024 * 1024, 512 * 1024):
            name = "é\\" * (size // 3)
            body = call("res.partner", "write", [3], {"name": name})
            assert "result" in await post(visitor, body)
            assert odoo.requests(CALL_KW)[-1]["body_bytes"] == len(body)
            assert odoo.changes("res.partner")[-1]["values"] == {"name": name}
            assert "error" in await post(visitor, call("res.users", "write", [2], {"password": name}))
        assert len(odoo.calls("write")) == 2


async def test_a_form_of_nothing_but_separators_is_one_too(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo) as visitor:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await visitor.web.post("/web/login", content=b"&" * 1_000_000 + b"db=other&login=demo", headers=form)
        assert answer.status_code < 500
        assert examiner(server) is not None
        [arrived] = odoo.requests("/web/login")
        assert "db=other" not in str(arrived)


async def test_a_process_that_is_killed_is_replaced(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields=VIEW_ONLY) as looker, AsyncExitStack() as stack:
        await post(looker, reading(30_000))
        first = examiner(server)
        assert first is not None

        async def is_gone() -> bool:
            return examiner(server) is None

        os.kill(first, signal.SIGKILL)
        # What is sent to a process that is ending is answered as below.
        await until(is_gone)
        assert "result" in await post(looker, reading(30_000))
        second = examiner(server)
        assert second not in (None, first)

        # In the middle of a body.
        assert second is not None
        os.kill(second, signal.SIGSTOP)
        client = await sent(looker, stack, call("res.partner", "web_read", list(range(30_000))))
        assert "result" in await post(looker, reading(100)), "others are served meanwhile"
        os.kill(second, signal.SIGKILL)
        assert (await client.answer()).status == 200, "Odoo's client is told in its own words"
        assert "body_not_examined" in server.log
        assert not odoo.calls("web_read")
        assert "result" in await post(looker, reading(30_000))


async def test_who_waits_for_it_is_cut_with_his_link_and_nothing_goes_on(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields=AS_ADMIN) as visitor, AsyncExitStack() as stack:
        assert "result" in await post(visitor, reading(30_000))
        process = examiner(server)
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        try:
            body = call("res.partner", "create", [{"name": "x", "comment": "y" * 100_000}])
            clients = [await sent(visitor, stack, body) for _ in range(3)]
            await server.deactivate(visitor.environment["id"], visitor.link["id"])
            for client in clients:
                await client.gone()
        finally:
            os.kill(process, signal.SIGCONT)
        # What was asked next is answered, so what came before has been.
        async with opened(server, odoo, link_fields=AS_ADMIN) as other:
            assert "result" in await post(other, reading(30_000))
        assert not odoo.calls("create")


async def test_it_ends_with_its_worker_and_not_before(odoo: Odoo) -> None:
    async with installation() as own, opened(own, odoo, link_fields=VIEW_ONLY) as looker:
        await post(looker, reading(30_000))
        process = examiner(own)
        assert process is not None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(process, number)
        await post(looker, reading(30_000))
        assert examiner(own) == process
        # So dies a worker that the kernel takes, too: with no word to anybody.
        own.process.kill()
        await own.process.wait()
        await ended(process)
        await own.start()


async def test_long_calls_count_by_their_length(odoo: Odoo) -> None:
    """To look at a MiB takes as long as some thirty requests, so that a link may have fewer of them."""
    async with (
        installation(requests_per_link="2000/hour") as server,
        opened(server, odoo, link_fields=VIEW_ONLY) as looker,
    ):
        looked_at = 0
        while looked_at < 150:
            answer = await looker.web.post(CALL_KW, content=BOMB, headers={"Content-Type": "application/json"})
            if "Too many" in answer.text:
                break
            looked_at += 1
        assert 60 < looked_at < 120
