from __future__ import annotations

from ipaddress import ip_network

import pytest

from guestpass.domain.networks import counted_as
from guestpass.gateway.limits import Limits, LimitSettings
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.rate_limiter import LocalRate

PROXIES = TrustedProxies((ip_network("10.0.0.0/8"),))


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("no address", "no address"),
    ],
)
def test_an_address_is_counted_as_what_one_customer_has(address: str, counted: str) -> None:
    assert counted_as(address) == counted


def test_connections_are_counted_for_each_network_and_given_back(time: Time) -> None:
    crowd = Limits(LimitSettings(connections_per_address=2), PROXIES, time)
    assert crowd.enter("2001:db8::1")
    assert crowd.enter("2001:db8::2")
    assert not crowd.enter("2001:db8::3")
    assert crowd.enter("2001:db8:0:1::1")
    crowd.leave("2001:db8::1")
    assert crowd.enter("2001:db8::3")
    assert not crowd.enter("2001:db8::1")


def test_a_trusted_proxy_may_have_any_number_of_connections(time: Time) -> None:
    crowd = Limits(LimitSettings(connections_per_address=1), PROXIES, time)
    assert all(crowd.enter("10.1.2.3") for _ in range(5))
    crowd.leave("10.1.2.3")
    assert crowd.enter("192.0.2.7")
    assert not crowd.enter("192.0.2.7")


def test_requests_are_counted_exactly_and_come_again_with_the_next_window(time: Time) -> None:
    crowd = Limits(LimitSettings(requests_per_address="1000/minute"), PROXIES, time)
    assert [crowd.take_request("192.0.2.7") for _ in range(1000)] == [None] * 1000
    time.now += 20
    assert crowd.take_request("192.0.2.7") == 40
    assert crowd.take_request("192.0.2.8") is None
    time.now += 40
    assert crowd.take_request("192.0.2.7") is None


def test_a_guess_that_was_none_is_given_back(time: Time) -> None:
    crowd = Limits(LimitSettings(unknown_tokens="2/10minute"), PROXIES, time)
    for _ in range(5):
        assert crowd.take_guess("192.0.2.7") is None
        crowd.give_back_guess("192.0.2.7")
    assert crowd.take_guess("192.0.2.7") is None
    assert crowd.take_guess("192.0.2.7") is None
    assert crowd.take_guess("192.0.2.7") == 600


def test_what_a_rate_remembers_is_bounded_and_the_newest_stay(time: Time) -> None:
    rate = LocalRate("1/hour", time)
    for number in range(25_000):
        assert rate.spend(f"address {number}") is None
    assert rate.spend("address 24999") is not None
    assert rate.spend("address 10") is None, "the oldest made room"


def test_a_link_is_noted_so_often_and_no_more(time: Time) -> None:
    crowd = Limits(LimitSettings(), PROXIES, time)
    assert [crowd.is_worth_noting("a") for _ in range(7)] == [True] * 5 + [False] * 2
    assert crowd.is_worth_noting("b")
