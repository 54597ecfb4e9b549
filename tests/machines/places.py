"""Where two machines and a database server stand, and the network between them.

Where this may be done they are three network namespaces with wires of their own, as three machines are. A container
often may not, and nor may who is not root; there they are three addresses of one loopback interface, and what leads to
the database is a wire that the test passes bytes along. Both tell the same story. ``TEST_MACHINES_ON=loopback`` chooses
the second way where the first may be gone.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from tests.ports import reserve_ports
from tests.postgres.wire import wire_to

POSTGRES_PORT: Final = 5432
IP: Final = shutil.which("ip") or "/usr/sbin/ip"
# Set aside for tests of networks (RFC 2544); each run takes sixteen of these addresses.
NETWORK: Final = ipaddress.IPv4Network("198.18.0.0/15")


class Line(Protocol):
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
    neighbour: str
    """Whom it takes the load balancer for: the address that our connections come from."""
    database_host: str
    database_port: int
    line: Line = field(repr=False)


@dataclass(frozen=True)
class Places:
    """Two machines, and where the database and what they share are."""

    kind: str
    machines: tuple[Place, Place]
    run_database: Sequence[str]
    database_hosts: str
    database_port: int
    upstream_host: str


@asynccontextmanager
async def two_machines() -> AsyncIterator[Places]:
    """The most real that is permitted."""
    if os.environ.get("TEST_MACHINES_ON") != "loopback" and namespaces_are_permitted():
        with namespaces() as places:
            yield places
    else:
        async with loopback() as places:
            yield places


def namespaces_are_permitted() -> bool:
    """Whether we may make network namespaces, enter them, and lay wires between them."""
    try:
        with _space() as one, _space() as two:
            _ip(one, "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(two))
            _ip(two, "link", "set", "there", "up")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def namespaces() -> Iterator[Places]:
    """Three network namespaces: each machine has a wire to us and one to the database."""
    number = os.getpid() % (NETWORK.num_addresses // 16)
    networks = list(ipaddress.IPv4Network((NETWORK.network_address + 16 * number, 28)).subnets(new_prefix=30))
    with ExitStack() as stack:
        database = stack.enter_context(_space())
        machines = []
        for name in ("a", "b"):
            space, end = stack.enter_context(_space()), f"gp{os.getpid()}{name}"
            neighbour, host = _lay(networks.pop(), None, end, space, "front")
            stack.callback(_ip, None, "link", "delete", end)
            _ip(space, "route", "add", "default", "via", neighbour)
            database_host, _ = _lay(networks.pop(), database, f"to-{name}", space, "back")
            machines.append(
                Place(
                    run=_inside(space),
                    host=host,
                    public_port=8080,
                    admin_port=8081,
                    neighbour=neighbour,
                    database_host=database_host,
                    database_port=POSTGRES_PORT,
                    line=_Cable(database, f"to-{name}"),
                )
            )
        yield Places(
            kind="network namespaces",
            machines=(machines[0], machines[1]),
            run_database=_inside(database),
            database_hosts=",".join(place.database_host for place in machines),
            database_port=POSTGRES_PORT,
            upstream_host=machines[0].neighbour,
        )


@contextmanager
def _space() -> Iterator[int]:
    """A network namespace, as the process that keeps it; it ends with us, whatever becomes of us."""
    command = ["unshare", "--net", "cat"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        keeper.stdin.write(b"there\n")
        if keeper.stdout.readline() != b"there\n":
            raise PermissionError("no network namespace can be made")
        _ip(keeper.pid, "link", "set", "lo", "up")
        yield keeper.pid


def _inside(space: int) -> list[str]:
    return ["nsenter", f"--net=/proc/{space}/ns/net"]


def _ip(space: int | None, *arguments: str) -> None:
    command = [*([] if space is None else _inside(space)), IP, *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def _lay(network: ipaddress.IPv4Network, near: int | None, end: str, far: int, far_end: str) -> tuple[str, str]:
    """Lay a wire from a namespace, or from where we are, to another one; returns the addresses of its ends."""
    _ip(near, "link", "add", end, "type", "veth", "peer", "name", far_end, "netns", str(far))
    here, there = (str(address) for address in network.hosts())
    for space, name, address in ((near, end, here), (far, far_end, there)):
        _ip(space, "address", "add", f"{address}/{network.prefixlen}", "dev", name)
        _ip(space, "link", "set", name, "up")
    return here, there


class _Cable:
    """A wire between two namespaces; pulled out at the database's end, so that nothing at the other end says so."""

    def __init__(self, space: int, end: str) -> None:
        self._space, self._end = space, end

    def cut(self) -> None:
        _ip(self._space, "link", "set", self._end, "down")

    def mend(self) -> None:
        _ip(self._space, "link", "set", self._end, "up")


@asynccontextmanager
async def loopback() -> AsyncIterator[Places]:
    """Each on a loopback address of its own, with a wire from each machine to the database."""
    [database_port] = reserve_ports(1)
    async with AsyncExitStack() as stack:
        machines = []
        for host in ("127.0.0.2", "127.0.0.3"):
            wire = await stack.enter_async_context(wire_to(database_port))
            public_port, admin_port = reserve_ports(2, host)
            machines.append(
                Place(
                    run=[],
                    host=host,
                    public_port=public_port,
                    admin_port=admin_port,
                    neighbour="127.0.0.1",
                    database_host="127.0.0.1",
                    database_port=wire.port,
                    line=wire,
                )
            )
        yield Places(
            kind="loopback addresses",
            machines=(machines[0], machines[1]),
            run_database=[],
            database_hosts="127.0.0.1",
            database_port=database_port,
            upstream_host="127.0.0.1",
        )
