"""Which addresses are connected to, how names are remembered, and what a failure says."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from tests.operate.certificates import write_pair
from tests.unit.wire.descriptors import no_descriptor

from guestpass.gateway.address_policy import AddressPolicy
from guestpass.wire import connector
from guestpass.wire.connector import Connector, UnreachableError, UpstreamOrigin
from guestpass.wire.descriptors import NoDescriptorError
from guestpass.wire.resolver import Resolver


class _Denying:
    """Denies some addresses."""

    def __init__(self, *denied: str) -> None:
        self._denied = denied

    def refusal(self, address: str, port: int) -> str | None:
        del port
        return "it is denied" if address in self._denied else None


async def test_every_address_of_a_name_is_tried_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _Attempts(monkeypatch, {"odoo": ["169.254.169.254", "10.0.0.1", "10.0.0.2"]}, reachable={"10.0.0.2"})
    await made.connector.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)
    assert made.connections == ["10.0.0.1", "10.0.0.2"]


async def test_a_name_that_leads_only_to_refused_and_dead_addresses_says_what_each_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = _Attempts(monkeypatch, {"odoo": ["169.254.169.254", "10.0.0.1"]}, reachable=set())
    with pytest.raises(UnreachableError, match=r"169\.254\.169\.254.*it is denied.*10\.0\.0\.1.*refused"):
        await made.connector.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)


async def test_a_name_is_remembered_for_seconds_and_then_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"odoo": ["10.0.0.1"]}
    made = _Attempts(monkeypatch, names, reachable={"10.0.0.1", "10.0.0.2"})
    connecting = made.connector
    for _ in range(3):
        await connecting.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)
    assert made.lookups == ["odoo"]
    names["odoo"] = ["10.0.0.2"]
    made.forward(30)
    await connecting.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)
    assert made.lookups == ["odoo", "odoo"]
    assert made.connections[-1] == "10.0.0.2"


async def test_a_name_that_moves_to_a_denied_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"odoo": ["10.0.0.1"]}
    made = _Attempts(monkeypatch, names, reachable={"10.0.0.1", "169.254.169.254"})
    connecting = made.connector
    await connecting.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)
    names["odoo"] = ["169.254.169.254"]
    made.forward(30)
    with pytest.raises(UnreachableError):
        await connecting.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)
    assert made.connections == ["10.0.0.1"]


async def test_an_unknown_name_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _Attempts(monkeypatch, {}, reachable=set())
    with pytest.raises(UnreachableError, match=r"odoo can't be resolved"):
        await made.connector.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)


@pytest.mark.parametrize("name", ["a" * 64, "a." * 200, "a..b"])
async def test_a_name_that_none_can_have_is_unreachable_too(name: str) -> None:
    with pytest.raises(UnreachableError):
        await Connector(_Denying(), Resolver()).connect(UpstreamOrigin(name, 8069, None), asyncio.Protocol)


async def test_connecting_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "CONNECT_TIMEOUT", 0.05)
    made = _Attempts(monkeypatch, {"odoo": ["10.0.0.1"]}, reachable=None)
    with pytest.raises(UnreachableError, match="no connection within"):
        await made.connector.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "odoo.example.invalid"])
@pytest.mark.parametrize("own", [(), (("0.0.0.0", 8069),)])
async def test_whoever_has_no_descriptor_left_blames_nobody_else(host: str, own: tuple[tuple[str, int], ...]) -> None:
    connecting = Connector(AddressPolicy(allow=[], deny=[], own_listeners=own), Resolver())
    with no_descriptor(), pytest.raises(NoDescriptorError, match="Too many open files"):
        await connecting.connect(UpstreamOrigin(host, 8069, None), asyncio.Protocol)


async def test_authorities_that_could_not_be_read_are_read_when_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(tmp_path / "pem", tmp_path / "key")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    connecting, loop = Connector(_Denying(), Resolver()), asyncio.get_running_loop()
    async with await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context) as server:
        origin = UpstreamOrigin("127.0.0.1", server.sockets[0].getsockname()[1], True)
        with no_descriptor(), pytest.raises(NoDescriptorError):
            await connecting.connect(origin, asyncio.Protocol)
        connected = loop.create_future()

        class Asking(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                connected.set_result(transport)

        await connecting.connect(origin, Asking)
        (await connected).abort()


class _Gone(asyncio.Transport):
    """A connection that was closed as soon as it was there, so that nothing is asked of it."""

    def is_closing(self) -> bool:
        return True


class _Attempts:
    """Stands in for the network of the running loop: what was looked up and connected to, and who can be reached.

    With `reachable` None, every connection takes for ever.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]], *, reachable: set[str] | None
    ) -> None:
        self.connector = Connector(_Denying("169.254.169.254"), Resolver(self._look_up))
        self.lookups: list[str] = []
        self.connections: list[str] = []
        self._names = names
        self._reachable = reachable
        self._loop = asyncio.get_running_loop()
        self._monkeypatch = monkeypatch
        self._time = self._loop.time
        monkeypatch.setattr(self._loop, "create_connection", self._create_connection)

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        time = self._time
        self._monkeypatch.setattr(self._loop, "time", lambda: time() + seconds)

    def _look_up(self, host: str) -> list[str]:
        self.lookups.append(host)
        if host not in self._names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._names[host]

    async def _create_connection(
        self, factory: type[asyncio.Protocol], address: str, _port: int, **_: object
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        self.connections.append(address)
        if self._reachable is None:
            await asyncio.Event().wait()
        elif address not in self._reachable:
            raise ConnectionRefusedError(111, "Connection refused")
        return _Gone(), factory()
