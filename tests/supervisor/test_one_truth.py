"""What one worker does, all of them know: a link that ended, places that are taken, a visitor who is signed in."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles.odoo.handle import running_odoo
from tests.gateway.raw_client import BrokenOffError, RawClient
from tests.gateway.shared import Shared, sharing
from tests.installation import Installation
from tests.odoo.visitor import opened
from tests.supervisor.processes import SECONDS
from tests.supervisor.serving import kept_connections
from tests.supervisor.upstream import answering

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUNDS = 5


async def test_every_worker_refuses_a_link_that_was_switched_off(server: Installation) -> None:
    """The one that was told does so before it answers; how soon the other does, `python -m bench promises` measures."""
    async with answering() as url, sharing(server) as share:
        for _ in range(ROUNDS):
            shared = await share(url)
            kept = list((await kept_connections(shared, workers=2)).values())
            assert [await _status(client, shared) for client in kept] == [200, 200]
            await server.deactivate(shared.environment["id"], shared.link["id"])
            assert 0 in await asyncio.gather(*(_served_until_refused(client, shared) for client in kept))


async def _status(client: RawClient, shared: Shared) -> int:
    client.send(shared.get(b"/quick"))
    return (await client.answer()).status


async def _served_until_refused(client: RawClient, shared: Shared) -> int:
    """How many more requests the worker serves."""
    served = 0
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                status = await _status(client, shared)
            except BrokenOffError:
                # It was on its way to the environment when its link ended, and was cut.
                return served + 1
            if status != 200:
                assert status == 410
                return served
            served += 1


async def test_places_are_given_once_whichever_worker_is_asked(server: Installation) -> None:
    async with answering() as url:
        environment = await server.add_environment(name="Few places", url=url, kind="web")
        link = await server.create_link(environment["id"], maxVisitors=5)
        path, host = link["url"].removeprefix(server.public_url), f"127.0.0.1:{server.public_port}"
        confirmation = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 0\r\n"
            "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n"
        )
        clients = [await RawClient.connect(server.public_port) for _ in range(30)]
        for client in clients:
            client.send(confirmation.encode())
        assert sorted([(await client.answer()).status for client in clients]) == [303] * 5 + [403] * 25
        for client in clients:
            await client.close()


async def test_a_visitor_is_signed_in_once_whichever_worker_is_asked(server: Installation) -> None:
    with running_odoo() as odoo:
        async with opened(server, odoo, link_fields={"signInAs": {"login": "demo", "password": "demo"}}) as visitor:
            odoo.forget()
            cookies = "; ".join(f"{name}={value}" for name, value in visitor.web.cookies.items())
            head = f"GET /odoo HTTP/1.1\r\nHost: {visitor.host}\r\nCookie: {cookies}\r\n\r\n"
            clients = [await RawClient.connect(server.public_port) for _ in range(12)]
            for client in clients:
                client.send(head.encode())
            assert [(await client.answer()).status for client in clients] == [200] * 12
            assert len(odoo.requests("/web/session/authenticate")) == 1
            assert len([each for each in odoo.state()["sessions"] if each["login"] == "demo"]) == 1
            for client in clients:
                await client.close()
