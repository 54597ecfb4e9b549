"""Two machines behind a load balancer, and one PostgreSQL: one machine is cut off, killed, and brought back."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.applications.processes import running
from tests.links.waiting import until
from tests.machines.machine import Machine, enter, staying
from tests.machines.places import Places, two_machines
from tests.ports import free_ports
from tests.postgres.cluster import Cluster, own_folder

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
KEYS = {"GUESTPASS_JWT_SECRET": "the jwt secret of both machines.........", "GUESTPASS_SECRET_KEY": "s" * 40}


class Site:
    """Both machines, the load balancer in front of them, and the owner."""

    def __init__(self, one: Machine, two: Machine, names: tuple[str, str], bearer: str) -> None:
        self.one, self.two = one, two
        self.public_name, self.admin_name = names
        self.public_url = f"http://{names[0]}"
        self._bearer = bearer

    async def call(self, machine: Machine, method: str, path: str, **fields: Any) -> Any:
        """The owner's call to the API of one machine."""
        headers = {"Host": self.admin_name, "Authorization": f"Bearer {self._bearer}"}
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.request(
                method, f"{machine.admin_url}/api/environments{path}", headers=headers, json=fields or None
            )
        assert answer.is_success, answer.text
        return answer.json()

    async def balances(self) -> bool:
        """Whether the load balancer gives visitors to both machines."""
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.get(f"http://127.0.0.1:{self.admin_name.partition(':')[2]}/")
        assert answer.status_code in {200, 503}
        return answer.status_code == 200

    async def share(self, machine: Machine, label: str) -> tuple[str, str]:
        """Make a link at one machine; its id and URL."""
        made = await self.call(machine, "POST", "/sample/share", expiresIn="2h", label=label)
        return made["id"], made["url"]

    async def revoke(self, machine: Machine, link_id: str) -> None:
        """Switch a link off at one machine."""
        await self.call(machine, "DELETE", f"/sample/share/{link_id}")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        places = await stack.enter_async_context(two_machines())
        cluster = await _database(stack, places)
        public_port, admin_port = free_ports(2)
        names = f"127.0.0.1:{public_port}", f"localhost:{admin_port}"
        one, two = (_machine(cluster, places, number, tmp_path, names) for number in (0, 1))
        for machine in (one, two):
            stack.push_async_callback(machine.stop)
        # Both for the first time, and at once.
        async with asyncio.TaskGroup() as group:
            group.create_task(one.start())
            group.create_task(two.start())
        _start_load_balancer(stack, places, tmp_path, names)
        bearer = (await two.command("token", "--sub", "owner@example.com")).strip()
        site = Site(one, two, names, bearer)
        upstream = await stack.enter_async_context(_sample(places, tmp_path))
        await site.call(one, "POST", "", id="sample", name="Sample", url=upstream, kind="web")
        yield site


async def _database(stack: AsyncExitStack, places: Places) -> Cluster:
    folder = stack.enter_context(own_folder())
    cluster = Cluster(folder, places.database_port, host=places.database_hosts, run=places.run_database)
    await asyncio.to_thread(cluster.make)
    await asyncio.to_thread(cluster.start)
    stack.callback(cluster.stop)
    cluster.create("share")
    return cluster


def _machine(cluster: Cluster, places: Places, number: int, folder: Path, names: tuple[str, str]) -> Machine:
    place = places.machines[number]
    settings = {
        **KEYS,
        "GUESTPASS_DATABASE_URL": cluster.url("share", host=place.database_host, port=place.database_port),
        "GUESTPASS_PUBLIC_URL": f"http://{names[0]}",
        "GUESTPASS_ADMIN_URL": f"http://{names[1]}",
    }
    return Machine(place, folder / f"machine-{number}", settings, names=names)


def _start_load_balancer(stack: AsyncExitStack, places: Places, folder: Path, names: tuple[str, str]) -> None:
    """HAProxy with the file that the documentation gives, behind the names of PUBLIC_URL and ADMIN_URL."""
    (one, two), own_port = places.machines, names[1].partition(":")[2]
    changes = {
        "bind :443 ssl crt /etc/haproxy/guestpass.pem alpn http/1.1": f"bind {names[0]}",
        "X-Forwarded-Proto https": "X-Forwarded-Proto http",
        "admin.example.com": names[1],
        "    http-check connect port 8081\n": "    http-check connect\n",
        "server one 10.0.0.11:8080": f"server one {one.host}:{one.public_port} port {one.admin_port}",
        "server two 10.0.0.12:8080": f"server two {two.host}:{two.public_port} port {two.admin_port}",
    }
    text = (DEPLOY / "haproxy.cfg").read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    # And it tells us whether it finds both machines fit for visitors.
    text += f"\nfrontend itself\n    bind 127.0.0.1:{own_port}\n"
    text += "    monitor-uri /\n    monitor fail if { nbsrv(machines) lt 2 }\n"
    (folder / "haproxy.cfg").write_text(text)
    command = [HAPROXY, "-db", "-f", str(folder / "haproxy.cfg")]
    stack.enter_context(running(command, ready=f"http://127.0.0.1:{own_port}/", log=folder / "haproxy.log"))


@asynccontextmanager
async def _sample(places: Places, folder: Path) -> AsyncIterator[str]:
    [port] = free_ports(1)
    url = f"http://{places.upstream_host}:{port}"
    command = [sys.executable, "-m", "guestpass.sample.serve", "--host", places.upstream_host, "--port", str(port)]
    with running(command, ready=f"{url}/", log=folder / "sample.log"):
        yield url


async def test_one_machine_is_cut_off_killed_and_brought_back_and_nobody_else_notices(site: Site) -> None:
    one, two = site.one, site.two
    kept_id, kept = await site.share(one, "Stays")
    first_id, first = await site.share(one, "Revoked while all is well")
    second_id, second = await site.share(two, "Revoked while one machine is cut off")
    third_id, third = await site.share(two, "Revoked while one machine is down")
    # A pass that one machine gave opens at the other, and at either behind the load balancer.
    everywhere = (one.public_url, two.public_url, site.public_url)
    at_one, at_two, anywhere = [await enter(kept, at, site.public_name) for at in everywhere]
    guests = {
        link: [await enter(link, machine.public_url, site.public_name) for machine in (one, two)]
        for link in (first, second, third)
    }

    async def statuses(link: str) -> list[int]:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            return [await guest.ask(client) for guest in guests[link]]

    async with staying(at_two, anywhere):
        assert await statuses(first) == [200, 200]
        await site.revoke(two, first_id)
        assert (await statuses(first))[1] == 410
        await until(lambda: are(statuses(first), [410, 410]), 5)

        one.place.link.cut()
        await site.revoke(two, second_id)
        # What it knows it goes on with, until it knows that it knows too little; then it gets no visitors any more.
        assert await statuses(second) == [200, 410]
        await until(one.is_blind, 60)
        await until(lambda: is_not(site.balances()), 60)
        assert await two.is_ready()

        one.place.link.mend()
        await until(site.balances, 60)
        assert await statuses(second) == [410, 410]
        assert await statuses(third) == [200, 200]
        assert '"feed_gap"' not in one.log

        await one.kill()
        await site.revoke(two, third_id)
        await one.start()
        assert await statuses(third) == [410, 410]
        async with staying(at_one):
            await site.share(one, "Made after all that")
            await until(site.balances, 60)
        links = await site.call(two, "GET", "/sample/share")
        assert len(links["shareLinks"]) == 5
        assert {link["id"] for link in links["shareLinks"] if link["status"] == "active"} >= {kept_id}


async def are(found: Awaitable[list[int]], wanted: list[int]) -> bool:
    return await found == wanted


async def is_not(found: Awaitable[bool]) -> bool:
    return not await found
