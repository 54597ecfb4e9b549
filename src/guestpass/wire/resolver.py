"""Resolve names as the system does, so that no name and no organisation blocks the others.

Only getaddrinfo resolves as the system is configured (nsswitch, /etc/hosts, mDNS), and it can't be cancelled: a silent
DNS server holds a thread for as long as resolv.conf says. So there are many threads, at most one for each name, and
each organisation gets a share of them.
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
"""Seconds to wait for a look-up."""
FRESH_SECONDS: Final = 5.0
"""Seconds to use an answer without looking up again: short, to follow a name that moves."""
STALE_SECONDS: Final = 300.0
"""Seconds to use an answer where another look-up fails or takes long (RFC 8767)."""
STALE_AFTER: Final = 1.8
"""Seconds to wait for the new answer before that, as RFC 8767, section 5, recommends."""
FAILED_SECONDS: Final = 1.0
"""Seconds to remember a failure; doubled, up to PATIENCE, after each further one that took PATIENCE."""
THREADS: Final = 256
"""Concurrent look-ups. An organisation gets at most a quarter as many as are left for the others."""
_PARTS: Final = 4
_NAMES: Final = 256
"""Names of one organisation to remember."""
# These are answers; other errors mean that no server could be asked.
_NO_ADDRESS: Final = frozenset({socket.EAI_NONAME, socket.EAI_NODATA})

LookUp = Callable[[str], list[str]]


class UnresolvedError(Exception):
    """No address was found; the text says why."""


class NoAddressError(UnresolvedError):
    """The name has no address: an answer, which replaces older ones."""


def look_up(host: str) -> list[str]:
    """Return the host's addresses in the system's order. Blocks; raises OSError and UnicodeError."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


@dataclass(slots=True, eq=False)
class _Name:
    """What is known of a name. `pending` is the look-up that is waited for; None where nobody waits any more."""

    host: str
    share: _Share
    addresses: list[str] = field(default_factory=list)
    answered_at: float = 0.0
    failure: tuple[type[Exception], str] | None = None
    retry_at: float = 0.0
    unanswered: int = 0
    pending: asyncio.Future[None] | None = None
    started_at: float = 0.0
    is_busy: bool = False  # looked up by a thread, or queued for one


@dataclass(slots=True, eq=False)
class _Share:
    """One organisation's names, the queue of those that wait for a thread, and the number of its threads."""

    names: dict[str, _Name] = field(default_factory=dict)
    queue: deque[_Name] = field(default_factory=deque)
    threads: int = 0


class Resolver:
    """Look up addresses and remember them, for each organisation separately."""

    def __init__(self, look_up: LookUp = look_up) -> None:
        self._look_up = look_up
        self._shares: dict[str, _Share] = {}
        self._threads = 0

    async def addresses(self, host: str, org: str) -> list[str]:
        """Return the host's addresses for an environment of the organisation.

        Raises UnresolvedError, and NoDescriptorError if this process can't open a socket to ask.
        """
        if "%" not in host:
            with suppress(ValueError):
                ip_address(host)
                return [host]
        loop = asyncio.get_running_loop()
        now = loop.time()
        name = self._name(host, org, now)
        if name.addresses and name.failure is None and now < name.answered_at + FRESH_SECONDS:
            return name.addresses
        if now >= name.answered_at + STALE_SECONDS:
            name.addresses = []
        if not name.is_busy and now >= name.retry_at:
            self._start_look_up(loop, name)
        if name.pending is not None:
            enough = max(0.0, name.started_at + STALE_AFTER - now) if name.addresses else None
            await asyncio.wait((name.pending,), timeout=enough)
        if name.addresses:
            return name.addresses
        kind, why = name.failure or (UnresolvedError, "it has no address")
        raise kind(why)

    def _name(self, host: str, org: str, now: float) -> _Name:
        """Return the record of the name; forget others where there are too many."""
        share = self._shares.get(org)
        if share is None:
            share = self._shares[org] = _Share()
        name = share.names.get(host)
        if name is None:
            if len(share.names) >= _NAMES:
                share.names = {
                    known.host: known
                    for known in share.names.values()
                    if known.is_busy or now < max(known.retry_at, known.answered_at + FRESH_SECONDS)
                }
            name = share.names[host] = _Name(host, share)
        return name

    def _start_look_up(self, loop: asyncio.AbstractEventLoop, name: _Name) -> None:
        """Look the name up in a thread, as soon as its organisation may have one more."""
        pending = name.pending = loop.create_future()
        name.started_at, name.is_busy = loop.time(), True
        loop.call_later(PATIENCE, self._give_up, name, pending)
        name.share.queue.append(name)
        self._start(loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start threads for waiting names, round robin over the organisations."""
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
        except RuntimeError as error:  # the machine has no thread left
            # Later, since `_end` calls `_start`, which is running.
            loop.call_soon(self._end, loop, name, (UnresolvedError, str(error)))

    def _run(self, loop: asyncio.AbstractEventLoop, name: _Name) -> None:
        """Look up, in a thread, and report to the loop, which may be closed by then."""
        outcome: list[str] | tuple[type[Exception], str]
        try:
            outcome = list(dict.fromkeys(self._look_up(name.host))) or (NoAddressError, "it has no address")
        except OSError as error:
            outcome = _failure_of(error)
        except Exception as error:  # noqa: BLE001 - UnicodeError for what can't be a name; whoever waits must be woken
            outcome = (UnresolvedError, str(error))
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._end, loop, name, outcome)

    def _end(
        self, loop: asyncio.AbstractEventLoop, name: _Name, outcome: list[str] | tuple[type[Exception], str]
    ) -> None:
        """Free the thread and take its answer, however late it comes."""
        name.share.threads -= 1
        self._threads -= 1
        name.is_busy = False
        if name.pending is not None:
            name.unanswered = 0
        if isinstance(outcome, list):
            name.addresses, name.answered_at, name.failure = outcome, loop.time(), None
            name.retry_at = 0.0
        else:
            self._fail(name, outcome, loop.time())
        self._wake(name)
        self._start(loop)

    def _give_up(self, name: _Name, pending: asyncio.Future[None]) -> None:
        """Stop waiting. The thread can't be stopped, and the name gets no other until it ends."""
        if name.pending is not pending:
            return
        now = asyncio.get_running_loop().time()
        if name in name.share.queue:
            name.share.queue.remove(name)
            name.is_busy = False
            name.failure = (UnresolvedError, "too many other names of its organisation are being looked up")
        else:
            name.unanswered += 1
            self._fail(name, (UnresolvedError, f"no answer within {PATIENCE:g} s"), now)
        self._wake(name)

    def _fail(self, name: _Name, failure: tuple[type[Exception], str], now: float) -> None:
        name.failure = failure
        if failure[0] is NoAddressError:
            name.addresses = []
        if failure[0] is not NoDescriptorError:
            pause = FAILED_SECONDS * 2 ** max(0, name.unanswered - 1)
            name.retry_at = now + min(pause, PATIENCE)

    def _wake(self, name: _Name) -> None:
        if name.pending is not None:
            name.pending.set_result(None)
            name.pending = None


def _failure_of(error: OSError) -> tuple[type[Exception], str]:
    """What getaddrinfo's error means: it reports an unknown name also where it could not open a socket."""
    try:
        require_descriptor()
    except NoDescriptorError as lack:
        return NoDescriptorError, str(lack)
    has_none = isinstance(error, socket.gaierror) and error.errno in _NO_ADDRESS
    return NoAddressError if has_none else UnresolvedError, error.strerror or str(error)
