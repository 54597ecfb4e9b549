"""What is measured: links are switched off one after the other at one worker, while others are watched."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.gateway.raw_client import RawClient
from tests.installation import Installation, installation
from tests.postgres.cluster import running_cluster

from bench.changes.place import Place, connection_to, expect, place, worker_of
from bench.changes.report import MACHINE, OWN, POSTGRES, SQLITE, WORKER, Results, Seen, after
from bench.changes.upstream import listening
from guestpass.storage.database import Database
from guestpass.system import SystemClock

Tell = Callable[[str], None]

HOST = b"share.test"
# The first ones open connections to the database and fill caches, and are not counted.
_WARM_UP = 5
# Among so many of the newest changes is that of the link that was just switched off.
_RECENT = 10


async def measure(*, rounds: int, tell: Tell) -> Results:
    """Start everything, measure, end everything; raises NotReady where something does not do its work."""
    results = Results()
    async with listening() as upstream:
        tell("starting a machine on SQLite")
        with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as folder:
            async with machine(f"sqlite:///{folder}/guestpass.db", workers=2) as one:
                await _rounds(SQLITE, [one], upstream, results, rounds=rounds, tell=tell)
        tell("starting two machines on PostgreSQL")
        with running_cluster(fsync="on", full_page_writes="on") as cluster:
            cluster.create("share")
            url = cluster.url("share")
            async with machine(url, workers=2) as one, machine(url, workers=1) as other:
                await _rounds(POSTGRES, [one, other], upstream, results, rounds=rounds, tell=tell)
    return results


def machine(database_url: str, *, workers: int) -> AbstractAsyncContextManager[Installation]:
    """``guestpass serve`` with so many workers."""
    return installation(
        workers=workers,
        database_url=database_url,
        jwt_secret="the jwt secret of both machines, made up",
        secret_key="the secret key of both machines, too",
        public_url=f"http://{HOST.decode()}",
    )


async def _rounds(
    database: str, machines: list[Installation], upstream: str, results: Results, *, rounds: int, tell: Tell
) -> None:
    """Measure on one database: the first machine is where links are switched off."""
    owner = await _Owner.of(machines[0])
    environment = await owner.call("POST", "/api/environments", name="Bench", url=upstream, kind="web")
    path = f"/api/environments/{environment['id']}/share"
    stays = await opened_pass(machines[0], (await owner.call("POST", path))["url"])
    places = {
        OWN: await place(machines[0], HOST, stays, lambda worker: worker == owner.worker),
        WORKER: await place(machines[0], HOST, stays, lambda worker: worker != owner.worker),
    }
    if len(machines) > 1:
        places[MACHINE] = await place(machines[1], HOST, stays)
    changes = Database(machines[0].environ["GUESTPASS_DATABASE_URL"], SystemClock())
    for turn in range(-_WARM_UP, rounds):
        tell(f"{database}: round {max(turn + 1, 0)} of {rounds}")
        link = await owner.call("POST", path)
        seen = await _switch_off(owner, f"{path}/{link['id']}", await opened_pass(machines[0], link["url"]), places)
        since = await changed_at(changes, link["id"])
        if turn >= 0:
            results.add(database, {name: after(since, each) for name, each in seen.items()})
    await changes.close()
    await owner.close()
    for each in places.values():
        await each.close()


async def _switch_off(owner: _Owner, path: str, cookie: bytes, places: Mapping[str, Place]) -> dict[str, Seen]:
    """Switch one link off, and say by place when it was seen."""
    for each in places.values():
        await each.open(cookie)
    async with asyncio.TaskGroup() as group:
        watching = {name: group.create_task(each.watch()) for name, each in places.items()}
        await owner.call("DELETE", path)
    return {name: task.result() for name, task in watching.items()}


async def changed_at(changes: Database, id: str) -> float:
    """When the newest change of a link was written, which is just before it was committed; seconds since 1970."""
    async with changes.reading() as work:
        newest = await work.changes.last()
        rows = await work.changes.since(newest - _RECENT)
    return max(row.at.timestamp() for row in rows if row.id == id)


async def opened_pass(server: Installation, url: str) -> bytes:
    """Open a link as a browser does; returns the cookie."""
    client = await RawClient.connect(server.public_port)
    path = url.partition(HOST.decode())[2].encode()
    client.send(b"GET %b HTTP/1.1\r\nHost: %b\r\nSec-Fetch-Mode: navigate\r\n\r\n" % (path, HOST))
    answer = await client.answer()
    expect(answer, 303)
    [cookie] = answer.all(b"set-cookie")
    await client.close()
    return cookie.partition(b";")[0]


class _Owner:
    """Calls the API on one connection, so that one worker answers all of them."""

    def __init__(self, client: RawClient, worker: str, fields: bytes) -> None:
        self.worker = worker
        self._client = client
        self._fields = fields.decode() + "Content-Type: application/json\r\n"

    @classmethod
    async def of(cls, machine: Installation) -> _Owner:
        """An owner at some worker of this machine."""
        host, bearer = machine.admin_url.partition("://")[2], machine.client.headers["Authorization"]
        fields = f"Host: {host}\r\nAuthorization: {bearer}\r\n".encode()
        client = await connection_to(machine.admin_port, fields, lambda _: True)
        return cls(client, await worker_of(client, fields), fields)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def call(self, method: str, path: str, **fields: str) -> dict[str, Any]:
        """One call; returns what the answer holds."""
        body = json.dumps(fields) if method == "POST" else ""
        self._client.send(
            f"{method} {path} HTTP/1.1\r\n{self._fields}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        answer = await self._client.answer()
        expect(answer, {"POST": 201, "DELETE": 200}[method])
        found: dict[str, Any] = json.loads(answer.body)
        return found
