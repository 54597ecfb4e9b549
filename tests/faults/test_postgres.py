"""PostgreSQL goes away, comes back, is taken over by a standby and is restored from an older backup, under load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from psycopg import sql
from tests.faults.said import Heard, assert_tells_no_secret
from tests.faults.visitors import SECONDS, Visitor, asking, until_true
from tests.gateway.raw_client import Answer, RawClient
from tests.gateway.shared import Shared, sharing
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.ports import reserve_ports
from tests.postgres.cluster import PASSWORD, Cluster, own_folder, running_cluster
from tests.postgres.wire import COMMIT, Loss, Wire, wire_to
from tests.supervisor.upstream import answering, echoing
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRACE = 8.0
SECRET = "a secret key of this test, which is long enough"


class Site:
    """A server whose way to its database can be cut and led elsewhere."""

    def __init__(self, server: Installation, cluster: Cluster, wire: Wire) -> None:
        self.server = server
        self.cluster = cluster
        self.wire = wire

    def execute(self, statement: sql.Composed) -> list[tuple[object, ...]]:
        """What somebody else does to the database, whom nothing keeps from it."""
        return self.cluster.execute(statement, "share")

    async def readiness(self) -> int | None:
        """What a load balancer is told; None for nothing."""
        async with httpx2.AsyncClient(timeout=5) as client:
            try:
                return (await client.get(f"{self.server.admin_url}/readyz")).status_code
            except httpx2.TransportError:
                return None

    async def until_ready(self) -> None:
        async def is_ready() -> bool:
            return await self.readiness() == 200

        await until(is_ready, SECONDS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site() -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(running_cluster())
        cluster.create("share")
        wire = await stack.enter_async_context(wire_to(cluster.port))
        server = await stack.enter_async_context(
            installation(
                workers=1,
                database_url=cluster.url("share", port=wire.port),
                secret_key=SECRET,
                jwt_secret=f"another one: {SECRET}",
                database_grace=f"{GRACE:.0f}s",
            )
        )
        yield Site(server, cluster, wire)


@pytest_asyncio.fixture(loop_scope="session")
async def url() -> AsyncIterator[str]:
    async with answering() as answers:
        yield answers


def _deactivated_by_another(site: Site, shared: Shared) -> None:
    """As another machine writes it, with a row that says so."""
    id = shared.link["id"]
    site.execute(sql.SQL("UPDATE links SET deactivated_at = now() WHERE id = {}").format(id))
    site.execute(
        sql.SQL(
            "INSERT INTO changes (number, kind, id, at) SELECT max(number) + 1, 'link', {}, now() FROM changes"
        ).format(id)
    )


async def test_cut_off_it_serves_for_the_grace_then_says_so_and_catches_up_before_it_serves_again(
    site: Site, url: str
) -> None:
    async with sharing(site.server) as share:
        kept, revoked = await share(url, name="Kept"), await share(url, name="Revoked")
        staying, turned_out = Visitor(kept), Visitor(revoked)
        heard = Heard(site.server)
        socket_url = f"ws://{kept.host.decode()}/"
        async with (
            echoing() as echoes,
            asking(staying, turned_out),
            _talking(await share(echoes, name="Socket"), socket_url) as socket,
        ):
            site.wire.cut()
            _deactivated_by_another(site, revoked)
            await staying.until(503)
            await turned_out.until(503)
            assert await site.readiness() in {503, None}
            # What is open ends too, since nobody knows whether it may go on.
            async with asyncio.timeout(SECONDS):
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
            client = await kept.connect()
            client.send(kept.get(b"/quick", b"Sec-Fetch-Mode: navigate", b"Accept: text/html"))
            page = await client.answer()
            assert (page.status, page.get(b"retry-after")) == (503, b"5")
            assert page.get(b"refresh") is not None
            assert b"One moment, please" in page.body
            site.wire.mend()
            await staying.until(200)
            await turned_out.until(410)
            await site.until_ready()
            await until_true(lambda: heard.messages["visitors_served_again"] == 1)
        # Served, then not, then served: nothing in between, and nothing cut off.
        assert _phases(staying) == [200, 503, 200]
        assert _phases(turned_out) == [200, 503, 410]
        said = heard.messages
        assert said["visitors_suspended"] == 1
        assert said["feed_failed"] <= 1
        assert sum(said.values()) < 20, said
        assert_tells_no_secret(site.server, PASSWORD, SECRET, kept.cookie.decode(), kept.link["url"].rpartition("/")[2])


@asynccontextmanager
async def _talking(shared: Shared, url: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket that is open."""
    async with connect(url, additional_headers={"Cookie": shared.cookie.decode()}) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        yield socket


def _phases(visitor: Visitor) -> list[int | str]:
    """The outcomes, each once for as long as it lasted."""
    outcomes = visitor.outcomes
    return [each for each, before in zip(outcomes, [None, *outcomes], strict=False) if each != before]


async def test_a_database_that_is_down_for_less_than_the_grace_costs_no_visitor_a_request(site: Site, url: str) -> None:
    async with sharing(site.server) as share:
        shared = await share(url)
        unopened = await site.server.create_link(shared.environment["id"])
        visitor, heard = Visitor(shared), Heard(site.server)
        async with asking(visitor):
            site.cluster.stop()
            await until_true(lambda: heard.messages["feed_failed"] == 1)
            refused = await site.server.client.get("/api/environments")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert refused.json()["code"] == "unavailable"
            assert await site.readiness() == 503
            # What nobody had opened here can't be known.
            assert (await _opened(site, unopened)).status == 503
            await asyncio.to_thread(site.cluster.start)
            await site.until_ready()
            await visitor.until(200)
        # On a busy machine the server may take longer to start than visitors may be served.
        assert set(visitor.outcomes) <= {200, 503}
        if heard.messages["visitors_suspended"] == 0:
            assert visitor.failed == []
        assert (heard.messages["feed_failed"], heard.messages["feed_recovered"]) == (1, 1)
        assert heard.messages["database_unavailable"] <= 2
        # A visit that began meanwhile is counted.
        await shared.open_link()

        async def is_counted() -> bool:
            visits = {link["id"]: link["visits"] for link in await site.server.links(shared.environment["id"])}
            return visits == {shared.link["id"]: 2, unopened["id"]: 0}

        await until(is_counted, SECONDS)


@pytest.mark.parametrize("where", Loss)
async def test_visits_whose_commit_was_not_answered_are_counted_once(site: Site, url: str, where: Loss) -> None:
    async with sharing(site.server) as share:
        shared = await share(url)

        async def is_counted(visits: int) -> bool:
            [link] = await site.server.links(shared.environment["id"])
            assert link["visits"] <= visits
            return bool(link["visits"] == visits)

        for visits in (2, 3):
            tried = site.wire.lost + 2
            site.wire.lose(COMMIT, where)
            await shared.open_link()
            # It was tried, and it was tried again.
            await until_true(partial(lambda tried: site.wire.lost >= tried, tried))
            site.wire.mend()
            await until(partial(is_counted, visits), SECONDS)
        # Whatever was taken up next is counted by itself.
        await shared.open_link()
        await until(partial(is_counted, 4), SECONDS)


async def test_a_standby_that_takes_over_serves_the_same_visitors(site: Site, url: str) -> None:
    async with sharing(site.server) as share:
        shared = await share(url)
        visitor, heard = Visitor(shared), Heard(site.server)
        with own_folder() as folder:
            [port] = reserve_ports(1)
            standby = await asyncio.to_thread(site.cluster.copy_to, folder, port)
            await asyncio.to_thread(standby.start, until_writable=False)
            primary = site.cluster
            try:
                async with asking(visitor):
                    await asyncio.to_thread(site.cluster.stop)
                    await asyncio.to_thread(standby.promote)
                    site.wire.lead_to(port)
                    site.cluster = standby
                    await site.until_ready()
                    await visitor.until(200)
                    link = await site.server.create_link(shared.environment["id"], label="afterwards")
                assert set(visitor.outcomes) <= {200, 503}
                assert link["id"] in {each["id"] for each in await site.server.links(shared.environment["id"])}
                assert heard.messages["feed_failed"] <= 1
            finally:
                await asyncio.to_thread(primary.start)
                site.wire.lead_to(primary.port)
                site.cluster = primary
                await asyncio.to_thread(standby.stop)
            await site.until_ready()


async def test_after_a_restore_from_an_older_backup_what_is_not_in_it_opens_nothing(site: Site, url: str) -> None:
    async with sharing(site.server) as share:
        older = await share(url, name="In the backup")
        backup, share_ = sql.Identifier("backup"), sql.Identifier("share")
        site.wire.cut()
        _let_nobody_in(site)
        site.cluster.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(backup, share_))
        site.wire.mend()
        await site.until_ready()
        newer = await share(url, name="After the backup")
        visitors = Visitor(older), Visitor(newer)
        heard = Heard(site.server)
        async with asking(*visitors):
            site.wire.cut()
            _let_nobody_in(site)
            site.cluster.drop("share")
            site.cluster.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(backup, share_))
            site.wire.mend()
            await visitors[0].until(200)
            await visitors[1].until(401)
            await site.until_ready()
        assert set(visitors[0].outcomes) <= {200, 503}
        assert _phases(visitors[1])[-1] == 401
        assert heard.messages["feed_reset"] == 1
        assert (await _opened(site, newer.link)).status == 404


async def _opened(site: Site, link: dict[str, Any]) -> Answer:
    """What a browser gets that opens a link."""
    client = await RawClient.connect(site.server.public_port)
    path, host = link["url"].partition(site.server.public_url)[2], f"127.0.0.1:{site.server.public_port}"
    client.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Mode: navigate\r\n\r\n".encode())
    async with asyncio.timeout(SECONDS):
        answer = await client.answer()
    await client.close()
    return answer


def _let_nobody_in(site: Site) -> None:
    """PostgreSQL copies and renames no database that somebody uses."""
    site.cluster.execute(
        sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format("share")
    )
