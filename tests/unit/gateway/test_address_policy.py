"""Which addresses may be connected to, in every spelling."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from guestpass.gateway.address_policy import AddressPolicy
from guestpass.settings.model import DEFAULT_DENY


def policy(
    *, allow: tuple[str, ...] = (), deny: tuple[str, ...] | None = None, own: tuple[tuple[str, int], ...] = ()
) -> AddressPolicy:
    denied = DEFAULT_DENY if deny is None else tuple(ip_network(text) for text in deny)
    return AddressPolicy(allow=[ip_network(text) for text in allow], deny=denied, own_listeners=own)


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
