"""Where two machines and a database server stand, and the network between them.

Where this may be done they are three network namespaces with wires of their own, as three machines are. A container
often may not; there they are servers on one loopback interface, and what leads to the database is a wire that the test
passes bytes along.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tests.ports import free_ports
from tests.postgres.wire import Wire, wire_to

POSTGRES_PORT = 5432


class Link(Protocol):
    """What leads from a machine to the database."""

    def cut(self) -> None:
        """Let nothing through, and say nothing about it."""
        ...

    def mend(self) -> None:
        """Let everything through again."""
        ...


@dataclass(frozen=True)
class Place:
    """Where one machine stands: how to run something there, where it is reached, and how it reaches the database."""

    run: Sequence[str]
    host: str
    public_port: int
    admin_port: int
    gateway: str
    database_host: str
    database_port: int
    link: Link = field(repr=False)


@dataclass(frozen=True)
class Places:
    """Two machines, and where the database and what they share are."""

    machines: tuple[Place, Place]
    run_database: Sequence[str]
    database_hosts: str
    database_port: int
    upstream_host: str


def namespaces_are_permitted() -> bool:
    """Whether we may make network namespaces and wires between them."""
    if os.geteuid() != 0:
        return False
    name = f"gp{os.getpid()}-try"
    made = _ip("netns", "add", name, check=False) == 0
    wired = made and _ip("-n", name, "link", "add", "one", "type", "veth", "peer", "name", "two", check=False) == 0
    if made:
        _ip("netns", "delete", name)
    return wired


@contextmanager
def namespaces() -> Iterator[Places]:
    """Three network namespaces: each machine has a wire to us and one to the database."""
    prefix = f"gp{os.getpid()}"
    with ExitStack() as stack:
        for name in ("a", "b", "db"):
            _ip("netns", "add", f"{prefix}{name}")
            stack.callback(_ip, "netns", "delete", f"{prefix}{name}")
            _ip("-n", f"{prefix}{name}", "link", "set", "lo", "up")
        machines = [_machine(prefix, name, number) for number, name in enumerate(("a", "b"))]
        yield Places(
            machines=(machines[0], machines[1]),
            run_database=["ip", "netns", "exec", f"{prefix}db"],
            database_hosts=",".join(place.database_host for place in machines),
            database_port=POSTGRES_PORT,
            upstream_host=machines[0].gateway,
        )


def _machine(prefix: str, name: str, number: int) -> Place:
    space, far_end = f"{prefix}{name}", f"to-{name}"
    front, back = f"10.213.{2 * number}", f"10.213.{2 * number + 1}"
    ours = f"{space}-f"
    _ip("link", "add", ours, "type", "veth", "peer", "name", "front", "netns", space)
    _ip("address", "add", f"{front}.1/30", "dev", ours)
    _ip("link", "set", ours, "up")
    _ip("-n", space, "address", "add", f"{front}.2/30", "dev", "front")
    _ip("-n", space, "link", "set", "front", "up")
    _ip("-n", space, "route", "add", "default", "via", f"{front}.1")
    _ip("-n", space, "link", "add", "back", "type", "veth", "peer", "name", far_end, "netns", f"{prefix}db")
    _ip("-n", space, "address", "add", f"{back}.2/30", "dev", "back")
    _ip("-n", space, "link", "set", "back", "up")
    _ip("-n", f"{prefix}db", "address", "add", f"{back}.1/30", "dev", far_end)
    _ip("-n", f"{prefix}db", "link", "set", far_end, "up")
    return Place(
        run=["ip", "netns", "exec", space],
        host=f"{front}.2",
        public_port=8080,
        admin_port=8081,
        gateway=f"{front}.1",
        database_host=f"{back}.1",
        database_port=POSTGRES_PORT,
        link=_Cable(f"{prefix}db", far_end),
    )


class _Cable:
    """A wire between two namespaces; pulled out at the database's end, so that nothing at the other end says so."""

    def __init__(self, space: str, end: str) -> None:
        self._end = ("-n", space, "link", "set", end)

    def cut(self) -> None:
        _ip(*self._end, "down")

    def mend(self) -> None:
        _ip(*self._end, "up")


@asynccontextmanager
async def loopback() -> AsyncIterator[Places]:
    """Everything on the loopback interface, with a wire from each machine to the database."""
    database_port, *ports = free_ports(5)
    async with AsyncExitStack() as stack:
        wires: list[Wire] = [await stack.enter_async_context(wire_to(database_port)) for _ in range(2)]
        machines = [
            Place(
                run=[],
                host="127.0.0.1",
                public_port=ports[2 * number],
                admin_port=ports[2 * number + 1],
                gateway="127.0.0.1",
                database_host="127.0.0.1",
                database_port=wire.port,
                link=wire,
            )
            for number, wire in enumerate(wires)
        ]
        yield Places(
            machines=(machines[0], machines[1]),
            run_database=[],
            database_hosts="127.0.0.1",
            database_port=database_port,
            upstream_host="127.0.0.1",
        )


@asynccontextmanager
async def two_machines() -> AsyncIterator[Places]:
    """The most real that is permitted."""
    if namespaces_are_permitted():
        with namespaces() as places:
            yield places
    else:
        async with loopback() as places:
            yield places


def _ip(*arguments: str, check: bool = True) -> int:
    return subprocess.run(["ip", *arguments], check=check, capture_output=not check).returncode
