"""What is measured: links end in each way there is, while a visitor watches at each of two workers."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tests.doubles.odoo.handle import running_odoo
from tests.installation import Installation, installation
from tests.odoo.visitor import bus_of, opened

from bench.changes.place import Place, place
from bench.changes.run import HOST, changed_at, machine, opened_pass
from bench.changes.upstream import listening
from bench.processes import NotReady
from bench.promises.report import BUS, CUT, REFUSED, Results
from guestpass.storage.database import Database
from guestpass.system import SystemClock

Tell = Callable[[str], None]

# The first ones open connections to the database and fill caches, and are not counted.
_WARM_UP: Final = 2
_EXPIRES_IN: Final = "1s"


@dataclass(frozen=True, slots=True)
class _Link:
    """A link, its environment, and the installation that has both."""

    server: Installation
    changes: Database
    environment: str
    id: str

    @property
    def path(self) -> str:
        return f"/api/environments/{self.environment}/share/{self.id}"

    async def call(self, method: str, path: str, **fields: object) -> dict[str, Any]:
        answer = await self.server.client.request(method, path, json=fields or None)
        if answer.is_error:
            raise NotReady(f"Guestpass answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


async def _switch_off(link: _Link) -> float:
    await link.call("DELETE", link.path)
    return time.time()


async def _remove(link: _Link) -> float:
    await link.call("DELETE", f"{link.path}/permanent")
    return time.time()


async def _remove_environment(link: _Link) -> float:
    await link.call("DELETE", f"/api/environments/{link.environment}")
    return time.time()


async def _maintain(link: _Link) -> float:
    await link.call("PATCH", f"/api/environments/{link.environment}", maintenance={"message": "Back at noon"})
    return time.time()


async def _command(link: _Link) -> float:
    await link.server.command("share", "deactivate", link.id)
    return await changed_at(link.changes, link.id)


async def _expire(link: _Link) -> float:
    changed = await link.call("PATCH", link.path, expiresIn=_EXPIRES_IN)
    return datetime.fromisoformat(changed["expiresAt"]).timestamp()


# How a link ends and with which status it is refused then. Times count from the answer of the API, from the commit of a
# command, and from a link's own end.
_WAYS: Final[dict[str, tuple[Callable[[_Link], Awaitable[float]], int]]] = {
    "switched off": (_switch_off, 410),
    "removed": (_remove, 401),
    "its environment removed": (_remove_environment, 401),
    "maintenance": (_maintain, 503),
    "switched off by a command": (_command, 410),
    "expired": (_expire, 410),
}


async def measure(*, rounds: int, tell: Tell) -> Results:
    """Start everything, measure, end everything; raises NotReady where something does not do its work."""
    results = Results()
    tell("starting Guestpass with two workers")
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as folder:
        async with listening() as upstream, machine(f"sqlite:///{folder}/guestpass.db", workers=2) as server:
            environment = await server.add_environment(name="Stays", url=upstream, kind="web")
            stays = await opened_pass(server, (await server.create_link(environment["id"]))["url"])
            first = await place(server, HOST, stays)
            places = [first, await place(server, HOST, stays, lambda worker: worker != first.worker)]
            changes = Database(server.environ["GUESTPASS_DATABASE_URL"], SystemClock())
            for turn in range(-_WARM_UP, rounds):
                tell(f"round {max(turn + 1, 0)} of {rounds}")
                for how, (end, status) in _WAYS.items():
                    for awaited, milliseconds in await _ending(server, changes, upstream, places, end, status):
                        if turn >= 0:
                            results.add(how, awaited, milliseconds)
            await changes.close()
            for each in places:
                await each.close()
    await _buses(results, rounds=rounds, tell=tell)
    return results


async def _ending(
    server: Installation,
    changes: Database,
    upstream: str,
    places: list[Place],
    end: Callable[[_Link], Awaitable[float]],
    status: int,
) -> list[tuple[str, float]]:
    """End one link; what was waited for at each worker, and the milliseconds after its end."""
    environment = await server.add_environment(name="Bench", url=upstream, kind="web")
    made = await server.create_link(environment["id"])
    cookie = await opened_pass(server, made["url"])
    for each in places:
        await each.open(cookie)
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(each.watch(status)) for each in places]
        since = await end(_Link(server, changes, environment["id"], made["id"]))
    seen = [task.result() for task in watching]
    return [(REFUSED, 1000 * (each.refused_at - since)) for each in seen] + [
        (CUT, 1000 * (each.closed_at - since)) for each in seen
    ]


async def _buses(results: Results, *, rounds: int, tell: Tell) -> None:
    """Links to an Odoo are switched off while a bus socket is open."""
    tell("starting an Odoo")
    with running_odoo() as odoo:
        async with installation(workers=2) as server:
            for turn in range(rounds):
                tell(f"bus: round {turn + 1} of {rounds}")
                async with opened(server, odoo, name=f"Bench {turn}") as visitor, bus_of(visitor) as socket:
                    await server.deactivate(visitor.environment["id"], visitor.link["id"])
                    since = time.time()
                    await socket.wait_closed()
                    results.add("switched off", BUS, 1000 * (time.time() - since))
