"""Resolve names as the system does, without any name or organisation keeping the others waiting.

Only getaddrinfo knows the system's way (nsswitch, /etc/hosts, mDNS), and it can't be stopped: a server of names that is
silent holds a thread for as long as resolv.conf says. So threads are many, each name has one of them at most, and each
organisation has a share.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from guestpass.wire.descriptors import NoDescriptorError, require_descriptor

PATIENCE: Final = 10.0
"""For how long a name is waited for, in seconds."""
FRESH_SECONDS: Final = 5.0
"""For how long an answer is used without asking anew, so that a name that moves is followed soon."""
STALE_SECONDS: Final = 300.0
"""For how long an answer may be used where asking anew fails or takes long (RFC 8767)."""
STALE_AFTER: Final = 1.8
"""For how long a newer answer is waited for before that, in seconds: RFC 8767, section 5, recommends it."""
FAILED_SECONDS: Final = 1.0
"""For how long a failure is remembered; twice as long, up to PATIENCE, after each further one that took PATIENCE."""
THREADS: Final = 256
"""How many look-ups there are at a time. An organisation has at most a quarter as many as are left for others."""
_PARTS: Final = 4
_NAMES: Final = 256
"""How many names of one organisation are remembered."""
# Answers, unlike those that say that nobody could be asked.
_NO_ADDRESS: Final = frozenset({socket.EAI_NONAME, socket.EAI_NODATA})

LookUp = Callable[[str], list[str]]


class UnresolvedError(Exception):
    """No address was found; the text says why."""


class NoAddressError(UnresolvedError):
    """The name has no address, which is an answer: an older one counts no more."""


def look_up(host: str) -> list[str]:
    """The host's addresses, in the system's order; blocks, and raises OSError and UnicodeError."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


@dataclass(slots=True, eq=False)
class _Name:
    """What is known of a name, and what waits for an answer: `asking` is None when nobody does any more."""

    host: str
    share: _Share
    addresses: list[str] = field(default_factory=list)
    found_at: float = 0.0
    failure: tuple[type[Exception], str] | None = None
    ask_again_at: float = 0.0
    unanswered: int = 0
    asking: asyncio.Future[None] | None = None
    asked_at: float = 0.0
    is_held: bool = False  # by a thread, or by the queue for one


@dataclass(slots=True, eq=False)
class _Share:
    """One organisation's names, those of them that wait for a thread, and how many threads the others have."""

    names: dict[str, _Name] = field(default_factory=dict)
    queue: deque[_Name] = field(default_factory=deque)
    threads: int = 0


class Resolver:
    """Remembers addresses, for each organisation apart, and looks up what it doesn't know."""

    def __init__(self, look_up: LookUp = look_up) -> None:
        self._look_up = look_up
        self._shares: dict[str, _Share] = {}
        self._threads = 0

    async def addresses(self, host: str, org: str) -> list[str]:
        """The host's addresses, for one of the organisation's environments.

        Raises UnresolvedError, and NoDescriptorError where it is this process that can't ask.
        """
        if "%" not in host:
            with suppress(ValueError):
                ip_address(host)
                return [host]
        loop = asyncio.get_running_loop()
        now = loop.time()
        name = self._name(host, org, now)
        if name.addresses and name.failure is None and now < name.found_at + FRESH_SECONDS:
            return name.addresses
        if now >= name.found_at + STALE_SECONDS:
            name.addresses = []
        if not name.is_held and now >= name.ask_again_at:
            self._ask(loop, name)
        if name.asking is not None:
            enough = max(0.0, name.asked_at + STALE_AFTER - now) if name.addresses else None
            await asyncio.wait((name.asking,), timeout=enough)
        if name.addresses:
            return name.addresses
        kind, why = name.failure or (UnresolvedError, "it has no address")
        raise kind(why)

    def _name(self, host: str, org: str, now: float) -> _Name:
        """What is known of the name; forgets others where there are many."""
        share = self._shares.get(org)
        if share is None:
            share = self._shares[org] = _Share()
        name = share.names.get(host)
        if name is None:
            if len(share.names) >= _NAMES:
                share.names = {
                    known.host: known
                    for known in share.names.values()
                    if known.is_held or now < max(known.ask_again_at, known.found_at + FRESH_SECONDS)
                }
            name = share.names[host] = _Name(host, share)
        return name

    def _ask(self, loop: asyncio.AbstractEventLoop, name: _Name) -> None:
        """Have a thread look the name up, when its organisation may have one more."""
        asking = name.asking = loop.create_future()
        name.asked_at, name.is_held = loop.time(), True
        loop.call_later(PATIENCE, self._give_up, name, asking)
        name.share.queue.append(name)
        self._start(loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give threads to those who wait, to one of each organisation at a time."""
        waiting = [share for share in self._shares.values() if share.queue]
        while waiting := [share for share in waiting if share.queue and self._has_room(share)]:
            for share in waiting:
                if self._has_room(share):
                    self._start_thread(loop, share.queue.popleft())

    def _has_room(self, share: _Share) -> bool:
        return _PARTS * share.threads < THREADS - self._threads

    def _start_thread(self, loop: asyncio.AbstractEventLoop, name: _Name) -> None:
        name.share.threads += 1
        self._threads += 1
        try:
            threading.Thread(target=self._run, args=(loop, name), name="resolver", daemon=True).start()
        except RuntimeError as error:  # The machine has no thread left.
            # Not now: `_start` is at work, and it begins with what `_end` leaves.
            loop.call_soon(self._end, loop, name, (UnresolvedError, str(error)))

    def _run(self, loop: asyncio.AbstractEventLoop, name: _Name) -> None:
        """Ask, in a thread, and let the loop know; it may be gone by then."""
        outcome: list[str] | tuple[type[Exception], str]
        try:
            outcome = list(dict.fromkeys(self._look_up(name.host))) or (NoAddressError, "it has no address")
        except OSError as error:
            outcome = _failure_of(error)
        except Exception as error:  # noqa: BLE001 - UnicodeError for what can't be a name; whoever waits must be told
            outcome = (UnresolvedError, str(error))
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._end, loop, name, outcome)

    def _end(
        self, loop: asyncio.AbstractEventLoop, name: _Name, outcome: list[str] | tuple[type[Exception], str]
    ) -> None:
        """The thread is free; an answer counts whenever it comes."""
        name.share.threads -= 1
        self._threads -= 1
        name.is_held = False
        if name.asking is not None:
            name.unanswered = 0
        if isinstance(outcome, list):
            name.addresses, name.found_at, name.failure = outcome, loop.time(), None
            name.ask_again_at = 0.0
        else:
            self._fail(name, outcome, loop.time())
        self._tell(name)
        self._start(loop)

    def _give_up(self, name: _Name, asking: asyncio.Future[None]) -> None:
        """Wait no longer; its thread can't be stopped, and until it ends the name has no other."""
        if name.asking is not asking:
            return
        now = asyncio.get_running_loop().time()
        if name in name.share.queue:
            name.share.queue.remove(name)
            name.is_held = False
            name.failure = (UnresolvedError, "too many other names of its organisation are being looked up")
        else:
            name.unanswered += 1
            self._fail(name, (UnresolvedError, f"no answer within {PATIENCE:g} s"), now)
        self._tell(name)

    def _fail(self, name: _Name, failure: tuple[type[Exception], str], now: float) -> None:
        name.failure = failure
        if failure[0] is NoAddressError:
            name.addresses = []
        if failure[0] is not NoDescriptorError:
            pause = FAILED_SECONDS * 2 ** max(0, name.unanswered - 1)
            name.ask_again_at = now + min(pause, PATIENCE)

    def _tell(self, name: _Name) -> None:
        if name.asking is not None:
            name.asking.set_result(None)
            name.asking = None


def _failure_of(error: OSError) -> tuple[type[Exception], str]:
    """What the system's failure means: it says that there is no such name where it could not even ask, too."""
    try:
        require_descriptor()
    except NoDescriptorError as lack:
        return NoDescriptorError, str(lack)
    has_none = isinstance(error, socket.gaierror) and error.errno in _NO_ADDRESS
    return NoAddressError if has_none else UnresolvedError, error.strerror or str(error)
