"""Which addresses are connected to, how names are remembered, and what a failure says."""

from __future__ import annotations

import asyncio
import socket
import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest
from tests.operate.certificates import write_pair
from tests.storage.samples import KEY, make_environment
from tests.unit.wire.descriptors import no_descriptor

from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.settings.model import DEFAULT_DENY
from guestpass.wire import connector
from guestpass.wire.connector import AddressPolicy, Connector, UnreachableError, UpstreamOrigin
from guestpass.wire.resolver import Resolver


def policy(
    *, allow: tuple[str, ...] = (), deny: tuple[str, ...] | None = None, own: tuple[tuple[str, int], ...] = ()
) -> AddressPolicy:
    denied = DEFAULT_DENY if deny is None else tuple(ip_network(text) for text in deny)
    return AddressPolicy(allow=[ip_network(text) for text in allow], deny=denied, own_listeners=own)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://odoo", UpstreamOrigin("odoo", 80, None, KEY.org)),
        ("https://odoo", UpstreamOrigin("odoo", 443, True, KEY.org)),
        ("http://10.0.0.5:8069", UpstreamOrigin("10.0.0.5", 8069, None, KEY.org)),
        ("https://[2001:db8::1]:8443", UpstreamOrigin("2001:db8::1", 8443, True, KEY.org)),
    ],
)
def test_an_origin_has_its_schemes_port_where_it_names_none(url: str, origin: UpstreamOrigin) -> None:
    assert UpstreamOrigin.of(make_environment(url=url, tls_verify=True)) == origin


def test_an_origin_knows_whose_it_is_also_where_it_is_another_address_of_the_environment() -> None:
    theirs = make_environment(url="http://odoo", key=EnvironmentKey("theirs", "odoo"))
    assert UpstreamOrigin.of(theirs, "http://odoo:8072") == UpstreamOrigin("odoo", 8072, None, "theirs")


def test_verification_is_a_matter_of_https_alone() -> None:
    assert UpstreamOrigin.of(make_environment(url="https://odoo", tls_verify=False)).tls is False
    assert UpstreamOrigin.of(make_environment(url="http://odoo", tls_verify=False)).tls is None


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:ffa9:fe:a9fe::",
        "64:ff9b:1:ffff:a9:fea9:fe00:0",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "2001:0:a9fe:a9fe::",
        "2001:0:4136:e378:8000:63bf:5601:5601",
        "2001:db8::5efe:169.254.169.254",
        "2001:db8::200:5efe:169.254.169.254%eth0",
    ],
)
def test_by_default_what_no_environment_lives_at_is_refused_in_every_spelling(address: str) -> None:
    refusal = policy().refusal(address, 80)
    assert refusal is not None
    assert "GUESTPASS_UPSTREAM_DENY" in refusal


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.5",
        "172.16.3.4",
        "192.168.1.1",
        "fd12::1",
        "203.0.113.1",
        "2001:db8::1",
        "::ffff:10.0.0.5",
        "64:ff9b::10.0.0.5",
        "64:ff9b:1::10.0.0.5",
        "64:ff9b:1:a00:0:500::",
        "2002:cb00:7101::1",
    ],
)
def test_by_default_private_and_public_addresses_are_fine(address: str) -> None:
    assert policy().refusal(address, 8069) is None


def test_allow_goes_before_deny() -> None:
    lists = policy(allow=("10.0.0.5/32",), deny=("10.0.0.0/8",))
    assert lists.refusal("10.0.0.5", 80) is None
    assert lists.refusal("::ffff:10.0.0.5", 80) is None
    assert lists.refusal("10.0.0.6", 80) is not None


def test_what_an_address_embeds_and_the_address_itself_must_both_be_allowed() -> None:
    translated = "64:ff9b::10.0.0.5"
    assert policy(deny=("64:ff9b::/96",)).refusal(translated, 80) is not None
    assert policy(deny=("10.0.0.0/8",)).refusal(translated, 80) is not None
    assert policy(allow=("64:ff9b::/96",), deny=("10.0.0.0/8",)).refusal(translated, 80) is not None
    assert policy(allow=("10.0.0.5/32",), deny=("10.0.0.0/8",)).refusal(translated, 80) is None


def test_our_own_listeners_go_before_allow() -> None:
    lists = policy(allow=("0.0.0.0/0", "::/0"), own=(("127.0.0.1", 8080),))
    refusal = lists.refusal("127.0.0.1", 8080)
    assert refusal is not None
    assert "our own listeners" in refusal
    assert lists.refusal("::ffff:127.0.0.1", 8080) is not None
    assert lists.refusal("::127.0.0.1", 8080) is not None
    assert lists.refusal("127.0.0.1", 8081) is None
    assert lists.refusal("127.0.0.2", 8080) is None


@pytest.mark.parametrize("own", ["0.0.0.0", "::"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::ffff:127.0.0.1"])
def test_a_listener_on_every_address_is_ours_on_each_of_this_machine(own: str, address: str) -> None:
    lists = policy(own=((own, 8080),))
    assert lists.refusal(address, 8080) is not None
    assert lists.refusal("203.0.113.1", 8080) is None


async def test_every_address_of_a_name_is_tried_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _Attempts(monkeypatch, {"odoo": ["169.254.169.254", "10.0.0.1", "10.0.0.2"]}, reachable={"10.0.0.2"})
    await made.connector.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)
    assert made.connections == ["10.0.0.1", "10.0.0.2"]


async def test_a_name_that_leads_only_to_refused_and_dead_addresses_says_what_each_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = _Attempts(monkeypatch, {"odoo": ["169.254.169.254", "10.0.0.1"]}, reachable=set())
    with pytest.raises(UnreachableError, match=r"169\.254\.169\.254.*GUESTPASS_UPSTREAM_DENY.*10\.0\.0\.1.*refused"):
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
        await Connector(policy(), Resolver()).connect(UpstreamOrigin(name, 8069, None), asyncio.Protocol)


async def test_connecting_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "CONNECT_TIMEOUT", 0.05)
    made = _Attempts(monkeypatch, {"odoo": ["10.0.0.1"]}, reachable=None)
    with pytest.raises(UnreachableError, match="no connection within"):
        await made.connector.connect(UpstreamOrigin("odoo", 8069, None), asyncio.Protocol)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "odoo.example.invalid"])
@pytest.mark.parametrize("own", [(), (("0.0.0.0", 8069),)])
async def test_whoever_has_no_descriptor_left_blames_nobody_else(host: str, own: tuple[tuple[str, int], ...]) -> None:
    connecting = Connector(policy(own=own), Resolver())
    with no_descriptor(), pytest.raises(DescriptorsUsedUp, match="Too many open files"):
        await connecting.connect(UpstreamOrigin(host, 8069, None), asyncio.Protocol)


async def test_authorities_that_could_not_be_read_are_read_when_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(tmp_path / "pem", tmp_path / "key")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    connecting, loop = Connector(policy(), Resolver()), asyncio.get_running_loop()
    async with await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context) as server:
        origin = UpstreamOrigin("127.0.0.1", server.sockets[0].getsockname()[1], True)
        with no_descriptor(), pytest.raises(DescriptorsUsedUp):
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
        self.connector = Connector(policy(), Resolver(self._look_up))
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
