from __future__ import annotations

import pytest

from guestpass.app.public_urls import PublicUrls
from guestpass.gateway.hosts import HostKind, HostTable, RequestedHost

LINK = "aaaaaaaaaaaaaaaa"


def table(
    main_url: str = "https://share.example.com",
    *,
    link_domain: str | None = None,
    on_loopback: bool = False,
    former_urls: tuple[str, ...] = (),
) -> HostTable:
    return HostTable(
        main_url=main_url,
        on_loopback=on_loopback,
        addresses=PublicUrls(main_url, link_domain),
        former_urls=former_urls,
    )


@pytest.mark.parametrize("host", ["share.example.com", "share.example.com:443"])
def test_the_main_host_and_its_origin(host: str) -> None:
    expected = RequestedHost(HostKind.MAIN, b"https://share.example.com")
    assert table().read(host.encode()) == expected


def test_a_port_of_the_public_url_belongs_to_the_host() -> None:
    hosts = table("http://share.example.com:8080")
    assert hosts.read(b"share.example.com:8080") == RequestedHost(HostKind.MAIN, b"http://share.example.com:8080")
    assert hosts.read(b"share.example.com").kind is HostKind.UNKNOWN
    assert hosts.read(b"share.example.com:8081").kind is HostKind.UNKNOWN


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "x.share.example.com",
        "share.example.com.evil.test",
        "share.example.com:80",
        "evil.test",
        "10.0.0.1",
        "[2001:db8::1]",
    ],
)
def test_any_other_name_is_unknown(host: str) -> None:
    assert table().read(host.encode()).kind is HostKind.UNKNOWN


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", b"http://localhost"),
        ("localhost:80", b"http://localhost"),
        ("localhost:9999", b"http://localhost:9999"),
        ("127.0.0.1:8080", b"http://127.0.0.1:8080"),
        ("127.8.9.10", b"http://127.8.9.10"),
        ("[::1]:8080", b"http://[::1]:8080"),
    ],
)
def test_loopback_names_are_the_main_host_on_a_loopback_listener_only(host: str, origin: bytes) -> None:
    for main_url in ("http://127.0.0.1:8080", "http://share.example.com", "https://share.example.com"):
        assert table(main_url, on_loopback=True).read(host.encode()) == RequestedHost(HostKind.MAIN, origin)
    assert table(on_loopback=False).read(host.encode()).kind is HostKind.UNKNOWN


def test_a_name_that_only_resembles_a_loopback_name_is_unknown() -> None:
    for host in (
        b"localhost.evil.test",
        b"127.0.0.1.evil.test",
        b"x.localhost",
        b"10.127.0.1",
        b"0.0.0.0",
        b"[::ffff:7f00:1]",
    ):
        assert table(on_loopback=True).read(host).kind is HostKind.UNKNOWN


def test_a_links_own_host() -> None:
    hosts = table(link_domain="links.example.net")
    host = f"{LINK}.links.example.net"
    assert hosts.read(host.encode()) == RequestedHost(HostKind.LINK, f"https://{host}".encode(), LINK, 1)
    later = f"{LINK}-12.links.example.net"
    assert hosts.read(later.encode()) == RequestedHost(HostKind.LINK, f"https://{later}".encode(), LINK, 12)
    for other in ("links.example.net", f"x.{host}", f"{host}:8443", f"{LINK}.example.net", f"{LINK}-links.example.net"):
        assert hosts.read(other.encode()).kind is HostKind.UNKNOWN


def test_links_below_localhost_leave_localhost_itself_the_main_host() -> None:
    hosts = table("http://127.0.0.1:8080", link_domain="localhost", on_loopback=True)
    assert hosts.read(b"localhost:8080").kind is HostKind.MAIN
    expected = RequestedHost(HostKind.LINK, f"http://{LINK}.localhost:8080".encode(), LINK, 1)
    assert hosts.read(f"{LINK}.localhost:8080".encode()) == expected
    assert hosts.read(f"{LINK}.localhost".encode()).kind is HostKind.UNKNOWN


def test_without_a_link_domain_no_link_has_a_host() -> None:
    assert table(link_domain=None).read(f"{LINK}.share.example.com".encode()).kind is HostKind.UNKNOWN


def test_former_addresses() -> None:
    hosts = table(former_urls=("http://old.example.com:8080", "old-links.example.net"))
    for former in ("old.example.com:8080", "old.example.com", f"{LINK}.old-links.example.net"):
        assert hosts.read(former.encode()).kind is HostKind.FORMER
    for other in ("old-links.example.net", f"x.{LINK}.old-links.example.net", "x.old.example.com"):
        assert hosts.read(other.encode()).kind is HostKind.UNKNOWN


def test_todays_address_wins_over_a_former_one() -> None:
    hosts = table(former_urls=("http://share.example.com:8080",))
    assert hosts.read(b"share.example.com").kind is HostKind.MAIN
    assert hosts.read(b"share.example.com:8080").kind is HostKind.FORMER


def test_a_loopback_name_that_the_operator_calls_former_is_former() -> None:
    hosts = table(on_loopback=True, former_urls=("http://127.0.0.1:8080", "http://share.example.com"))
    assert hosts.read(b"127.0.0.1:8080").kind is HostKind.FORMER
    for other in (b"127.0.0.1:8081", b"localhost:8080", b"[::1]:8080", b"share.example.com"):
        assert hosts.read(other).kind is HostKind.MAIN
    today = table("http://127.0.0.1:8080", on_loopback=True, former_urls=("http://127.0.0.1:8080",))
    assert today.read(b"127.0.0.1:8080").kind is HostKind.MAIN


@pytest.mark.parametrize(
    ("main_url", "host", "trustworthy"),
    [
        ("https://share.example.com", "share.example.com", True),
        ("http://share.example.com", "share.example.com", False),
        ("http://192.168.0.9:8080", "192.168.0.9:8080", False),
        ("http://share.example.com", "localhost:8080", True),
        ("http://share.example.com", "127.0.0.1:8080", True),
        ("http://share.example.com", "[::1]:8080", True),
        ("http://[::ffff:7f00:1]:8080", "[::ffff:7f00:1]:8080", False),
    ],
)
def test_which_origins_browsers_trust(main_url: str, host: str, *, trustworthy: bool) -> None:
    assert table(main_url, on_loopback=True).read(host.encode()).is_trustworthy is trustworthy


def test_browsers_trust_names_below_localhost() -> None:
    hosts = table("http://127.0.0.1:8080", link_domain="localhost", on_loopback=True)
    assert hosts.read(f"{LINK}.localhost:8080".encode()).is_trustworthy
