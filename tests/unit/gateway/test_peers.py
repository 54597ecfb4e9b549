from __future__ import annotations

from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs
from tests.unit.gateway.requests import request

from guestpass.gateway.peers import TrustedProxies
from guestpass.wire.heads import RefusedHeadError

PROXY = "10.0.0.1"
NETWORKS = (ip_network("10.0.0.0/24"), ip_network("fd00::/64"))


def proxies() -> TrustedProxies:
    return TrustedProxies(NETWORKS)


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("evil, 192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7, 10.0.0.3,10.0.0.2", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, fd00::2", "192.0.2.7"),
        ("10.0.0.9", "10.0.0.9"),
        ("junk", PROXY),
        ("192.0.2.7, junk", PROXY),
        ("192.0.2.7, junk, 10.0.0.2", "10.0.0.2"),
        ("", PROXY),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("192.0.2.9:1, 203.0.113.7:4711, 10.0.0.2:8080", "203.0.113.7"),
        ("192.0.2.7, [fd00::2]:443", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        # Without brackets all of it is the address.
        ("2001:db8::1:4711", "2001:db8::1:4711"),
        ("203.0.113.7:", PROXY),
        ("203.0.113.7:junk", PROXY),
        ("203.0.113.7:471100", PROXY),
        ("203.0.113.7:1:2", PROXY),
        ("[203.0.113.7]:80", PROXY),
        ("[2001:db8::1", PROXY),
        ("[2001:db8::1]80", PROXY),
        ("[]:80", PROXY),
    ],
)
def test_the_client_is_the_rightmost_that_is_no_proxy_of_ours(chain: str, client: str) -> None:
    assert proxies().client_address(PROXY, request("GET /", f"X-Forwarded-For: {chain}")) == client


def test_several_fields_are_one_chain() -> None:
    head = request("GET /", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 192.0.2.7, 10.0.0.2")
    assert proxies().client_address(PROXY, head) == "192.0.2.7"


def test_a_proxy_is_known_by_its_ipv4_mapped_address_too() -> None:
    head = request("GET /", "X-Forwarded-For: 192.0.2.7")
    assert proxies().client_address("::ffff:10.0.0.1", head) == "192.0.2.7"


@pytest.mark.parametrize("peer", ["10.0.1.1", "127.0.0.1", "192.0.2.1", "::1"])
def test_nobody_else_is_believed(peer: str) -> None:
    head = request("GET /", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: evil.test", host="share.example.com")
    assert proxies().client_address(peer, head) == peer
    assert proxies().requested_host(peer, head) == b"share.example.com"


@pytest.mark.parametrize(
    ("forwarded", "host"),
    [
        ("Share.Example.com:8443", b"share.example.com:8443"),
        ("evil.test, share.example.com", b"share.example.com"),
        ("[2001:db8::1]:80", b"[2001:db8::1]:80"),
    ],
)
def test_a_trusted_proxy_names_the_host(forwarded: str, host: bytes) -> None:
    head = request("GET /", f"X-Forwarded-Host: {forwarded}", host="internal:8080")
    assert proxies().requested_host(PROXY, head) == host


def test_without_the_field_a_trusted_proxys_own_host_counts() -> None:
    assert proxies().requested_host(PROXY, request("GET /", host="Share.example.com")) == b"share.example.com"


@pytest.mark.parametrize("junk", ["", "a b", "a/b", "caf\xe9.test", "a:b", "share.example.com,"])
def test_a_host_that_is_none_is_refused(junk: str) -> None:
    with pytest.raises(RefusedHeadError, match="Host"):
        proxies().requested_host(PROXY, request("GET /", f"X-Forwarded-Host: {junk}"))


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "192.168.7.7", "::ffff:192.168.7.7", "fd12::1"])
@pytest.mark.parametrize("field", ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7"])
def test_an_untrusted_neighbour_that_forwards_is_warned_of_once(peer: str, field: str) -> None:
    trusted, head = proxies(), request("GET /", field)
    with capture_logs() as logs:
        for _ in range(3):
            trusted.client_address(peer, head)
    [warning] = logs
    assert warning["log_level"] == "warning"
    assert f"GUESTPASS_TRUSTED_PROXIES={peer}" in warning["remedy"]


@pytest.mark.parametrize("field", ["X-Forwarded-Proto: https", "X-Forwarded-Host: a.test", "X-Real-IP: 192.0.2.7"])
def test_any_forwarding_field_of_a_neighbour_is_reason_to_warn(field: str) -> None:
    with capture_logs() as logs:
        proxies().client_address("127.0.0.1", request("GET /", field))
    assert len(logs) == 1


def test_strangers_on_the_internet_are_no_reason_to_warn() -> None:
    with capture_logs() as logs:
        proxies().client_address("198.41.0.4", request("GET /", "X-Forwarded-For: 192.0.2.7"))
        proxies().client_address("127.0.0.1", request("GET /"))
        proxies().client_address(PROXY, request("GET /", "X-Forwarded-For: 192.0.2.7"))
    assert logs == []
