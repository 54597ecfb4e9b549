"""How much of a worker one address, one link and all together may take: connections, requests and guesses.

Each worker counts for itself, since what is protected is its own: a core, its memory and its descriptors. Behind a
trusted proxy all connections are the proxy's, so that there only requests are counted.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guestpass.domain.networks import counted_as
from guestpass.gateway.peers import TrustedProxies
from guestpass.gateway.rate_limiter import LocalRate

_SPARE_DESCRIPTORS: Final = 128
"""For listeners, the database, log, spools and assets."""
_LARGEST_GRANT: Final = 64
_GRANTS: Final = 20_000
_NOTES: Final = "5/minute"
HANDSHAKE: Final = 10
"""What a TLS handshake costs, in requests that the gateway answers itself."""
APPLICATION: Final = 10
"""The same for a request that our own application answers, or that needs a write to the database first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """The limits of one worker.

    `connections` are all clients', `connections_per_address` those from one address. `open_per_link` are requests and
    WebSockets under way through one link at a time. Then there are rates such as ``30000/minute``. `unsent` are bytes
    that wait in memory for clients to take them, and `patience` the seconds for which a client may keep one waiting.
    """

    connections: int = 20_000
    connections_per_address: int = 600
    open_per_link: int = 2_000
    requests_per_address: str = "30000/minute"
    requests_per_link: str = "60000/minute"
    unknown_tokens: str = "240/10minute"
    unsent: int = 256 * 1024**2
    patience: float = 75.0


class Limits:
    """Counts what comes; `time` are Unix seconds."""

    def __init__(self, caps: LimitSettings, proxies: TrustedProxies, time: Callable[[], float]) -> None:
        self.caps = caps
        self._proxies = proxies
        self._connections: dict[str, int] = {}
        self._of_address = _Grants(LocalRate(caps.requests_per_address, time), counted_as)
        self._of_link = _Grants(LocalRate(caps.requests_per_link, time), str)
        self._guesses = LocalRate(caps.unknown_tokens, time)
        self._notes = LocalRate(_NOTES, time)

    def enter(self, peer: str) -> bool:
        """Count a connection; False, and nothing counted, where its address has as many as it may."""
        if self._proxies.is_trusted(peer):
            return True
        key = counted_as(peer)
        count = self._connections.get(key, 0)
        if count >= self.caps.connections_per_address:
            return False
        self._connections[key] = count + 1
        return True

    def leave(self, peer: str) -> None:
        """A connection that was counted has ended."""
        if self._proxies.is_trusted(peer):
            return
        key = counted_as(peer)
        count = self._connections[key] - 1
        if count:
            self._connections[key] = count
        else:
            del self._connections[key]

    def take_request(self, address: str, *, cost: int = 1) -> float | None:
        """Count a request, or what costs as much as so many.

        Returns the seconds until there may be another where its address has used up its own.
        """
        grants = self._of_address
        grant = grants.left.get(address)
        if grant is not None and grant.left >= cost:
            grant.left -= cost
            return None
        return grants.take(address, cost)

    def take_handshake(self, peer: str) -> bool:
        """Count a TLS handshake; False where its address has used up its own."""
        return self._proxies.is_trusted(peer) or self._of_address.take(peer, HANDSHAKE) is None

    def take_request_of(self, link_id: str, *, cost: int = 1) -> float | None:
        """Count a request through a link, or what costs as much as so many.

        Returns the seconds until there may be another where the link has had too many.
        """
        grants = self._of_link
        grant = grants.left.get(link_id)
        if grant is not None and grant.left >= cost:
            grant.left -= cost
            return None
        return grants.take(link_id, cost)

    def take_guess(self, address: str) -> float | None:
        """Count an unknown token, before the database is asked; the seconds to wait where no look-up is left."""
        return self._guesses.spend(counted_as(address))

    def give_back_guess(self, address: str) -> None:
        """It was none: the token opens something, or did."""
        self._guesses.refund(counted_as(address))

    def is_worth_noting(self, link_id: str) -> bool:
        """Whether one more of those who are turned back becomes part of what a link's owner sees."""
        return self._notes.spend(link_id) is None


class _Grants:
    """A rate of which each name gets many at once, so that most requests cost one look-up.

    Names with the same `key` share the rate. `left` is what each name has left of its grants.
    """

    def __init__(self, rate: LocalRate, key: Callable[[str], str]) -> None:
        self._rate = rate
        self._key = key
        self._size = _grant_of(rate)
        self.left: dict[str, _Grant] = {}

    def take(self, name: str, cost: int) -> float | None:
        grant = self.left.get(name)
        cost = min(cost, self._size)  # Where a name has little it must not be nothing.
        if grant is not None and grant.left >= cost:
            grant.left -= cost
            return None
        if (wait := self._rate.spend(self._key(name), cost=self._size)) is not None:
            return wait
        if grant is None:
            if len(self.left) >= _GRANTS:
                self.left.clear()
            grant = self.left[name] = _Grant()
        grant.left += self._size - cost
        return None


class _Grant:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = 0


def _grant_of(rate: LocalRate) -> int:
    """How many are granted at once: few enough that what is left unused of them doesn't matter."""
    return max(1, min(_LARGEST_GRANT, rate.amount // 100))


def connections_for(wanted: int) -> int:
    """How many connections of clients a process can have, `wanted` at most; allows it more descriptors where it may.

    Each may need another one to an environment.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (soft - _SPARE_DESCRIPTORS) // 2))
