"""Two machines, the load balancer in front of them, one database, one application, and the owner of it all."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from tests.applications.processes import FINDING_EXAMPLES, running
from tests.machines.guest import Guest, enter
from tests.machines.machine import Machine
from tests.machines.places import Places, two_machines
from tests.markers import starts
from tests.ports import reserve_ports
from tests.postgres.cluster import Cluster, own_folder
from websockets.asyncio.client import connect

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
KEYS = {"GUESTPASS_JWT_SECRET": "the jwt secret of both machines.........", "GUESTPASS_SECRET_KEY": "s" * 40}
# Behind a machine that was cut off in the middle of a change, others wait for fifteen seconds.
PATIENCE = 60.0


class Site:
    """What a test does with all of it; `kind` says where the machines stand."""

    def __init__(self, kind: str, one: Machine, two: Machine, names: tuple[str, str], bearer: str) -> None:
        self.kind = kind
        self.one, self.two = one, two
        self.public_name, self.admin_name = names
        self.public_url = f"http://{names[0]}"
        self._bearer = bearer

    async def call(self, machine: Machine, method: str, path: str, **fields: Any) -> Any:
        """The owner's call to the API of one machine."""
        headers = {"Host": self.admin_name, "Authorization": f"Bearer {self._bearer}"}
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:
            answer = await client.request(
                method, f"{machine.admin_url}/api/environments{path}", headers=headers, json=fields or None
            )
        assert answer.is_success, answer.text
        return answer.json()

    async def share(self, machine: Machine, label: str) -> tuple[str, str]:
        """Make a link at one machine; its id and URL."""
        made = await self.call(machine, "POST", "/sample/share", expiresIn="2h", label=label)
        return made["id"], made["url"]

    async def revoke(self, machine: Machine, link_id: str) -> None:
        """Switch a link off at one machine."""
        await self.call(machine, "DELETE", f"/sample/share/{link_id}")

    async def enter(self, link_url: str, *addresses: str) -> list[Guest]:
        """Open a link at each of these addresses."""
        return [await enter(link_url, address, self.public_name) for address in addresses]

    def echo(self, guest: Guest, machine: Machine) -> connect:
        """A WebSocket of this visitor at one machine, to an application that sends back what it gets."""
        return connect(
            f"ws://{self.public_name}/ws/echo",
            host=machine.place.host,
            port=machine.place.public_port,
            additional_headers={"Cookie": guest.cookie},
            open_timeout=PATIENCE,
        )

    async def machines_in_use(self) -> int:
        """To how many machines the load balancer gives visitors."""
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:
            answer = await client.get(f"http://127.0.0.1:{self.admin_name.partition(':')[2]}/")
        return int(answer.text)


async def statuses(guests: list[Guest]) -> list[int]:
    """What each of them is answered now."""
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:
        return [await guest.ask(client) for guest in guests]


@starts("applications", "slow")
@asynccontextmanager
async def running_site(folder: Path) -> AsyncIterator[Site]:
    """All of it, with an environment called `sample`; the machines began at once, with an empty database."""
    async with AsyncExitStack() as stack:
        places = await stack.enter_async_context(two_machines())
        cluster = await asyncio.to_thread(stack.enter_context, _database(places))
        public_port, admin_port = reserve_ports(2)
        names = f"127.0.0.1:{public_port}", f"localhost:{admin_port}"
        one, two = (_machine(cluster, places, number, folder, names) for number in (0, 1))
        for machine in (one, two):
            stack.push_async_callback(machine.stop)
        async with asyncio.TaskGroup() as group:
            group.create_task(one.start())
            group.create_task(two.start())
        bearer = (await two.command("token", "--sub", "owner@example.com")).strip()
        upstream = await asyncio.to_thread(stack.enter_context, _sample(places, folder))
        await asyncio.to_thread(stack.enter_context, _load_balancer(places, folder, names))
        site = Site(places.kind, one, two, names, bearer)
        await site.call(one, "POST", "", id="sample", name="Sample", url=upstream, kind="web")
        yield site


@contextmanager
def _database(places: Places) -> Iterator[Cluster]:
    with own_folder() as folder:
        cluster = Cluster(folder, places.database_port, host=places.database_hosts, run=places.run_database)
        cluster.make()
        cluster.start()
        try:
            cluster.create("share")
            yield cluster
        finally:
            cluster.stop()


def _machine(cluster: Cluster, places: Places, number: int, folder: Path, names: tuple[str, str]) -> Machine:
    place = places.machines[number]
    settings = {
        **KEYS,
        "GUESTPASS_DATABASE_URL": cluster.url("share", host=place.database_host, port=place.database_port),
        "GUESTPASS_PUBLIC_URL": f"http://{names[0]}",
        "GUESTPASS_ADMIN_URL": f"http://{names[1]}",
    }
    return Machine(place, folder / f"machine-{number}", settings, names=names)


@contextmanager
def _load_balancer(places: Places, folder: Path, names: tuple[str, str]) -> Iterator[None]:
    """HAProxy with the file that the documentation gives, behind the name of PUBLIC_URL."""
    (one, two), own_port = places.machines, names[1].partition(":")[2]
    changes = {
        "bind :443 ssl crt /etc/haproxy/guestpass.pem alpn http/1.1": f"bind {names[0]}",
        "X-Forwarded-Proto https": "X-Forwarded-Proto http",
        "admin.example.com": names[1],
        "    http-check connect port 8081\n": "    http-check connect\n",
        "server one 10.0.0.11:8080": f"server one {one.host}:{one.public_port} port {one.admin_port}",
        "server one 10.0.0.11:8081": f"server one {one.host}:{one.admin_port}",
        "server two 10.0.0.12:8081": f"server two {two.host}:{two.admin_port}",
        "server two 10.0.0.12:8080": f"server two {two.host}:{two.public_port} port {two.admin_port}",
    }
    text = (DEPLOY / "haproxy.cfg").read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    # And it tells us how many machines it finds fit for visitors.
    text += f'\nfrontend itself\n    bind 127.0.0.1:{own_port}\n    http-request return content-type "text/plain"'
    text += " lf-string %[nbsrv(machines)]\n"
    (folder / "haproxy.cfg").write_text(text)
    command = [HAPROXY, "-db", "-f", str(folder / "haproxy.cfg")]
    with running(command, ready=f"http://127.0.0.1:{own_port}/", log=folder / "haproxy.log"):
        yield


@contextmanager
def _sample(places: Places, folder: Path) -> Iterator[str]:
    [port] = reserve_ports(1, places.upstream_host)
    url = f"http://{places.upstream_host}:{port}"
    command = [sys.executable, "-m", "examples.sample.serve", "--host", places.upstream_host, "--port", str(port)]
    with running(command, ready=f"{url}/", log=folder / "sample.log", environment=FINDING_EXAMPLES):
        yield url
