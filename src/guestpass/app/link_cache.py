"""Cache links and their environments in memory, updated with every change.

A visitor's hot path reads only this cache. An entry is one object for its whole life: changes are written into it, so
everything that refers to it sees them at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from weakref import WeakValueDictionary

import structlog

from guestpass.app.ports import Change, ChangeKind, EndsWithLink, Store, TokenRecord, TokenVault
from guestpass.domain.account import Account
from guestpass.domain.branding import Branding
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.link import ShareLink, Status
from guestpass.domain.networks import is_within, read_networks
from guestpass.domain.visitor_pass import PREVIEW_SECONDS, VisitorPass

_log = structlog.get_logger(__name__)

_LONGEST_TIMER: Final = 86_400.0
_USELESS_KEPT: Final = 10_000
_USELESS_SECONDS: Final = 30.0


class LinkEntry:
    """One link, its environment and what is open through it.

    `http_only` are the cookie names that the environment is known to set HttpOnly. `live` are the exchanges
    and tunnels that end when the link does. `account` is whom visitors are signed in as, None where the link names
    nobody or the account is gone. `ended` are the visitors whose passes open nothing any more. `expires_at` is the
    link's end in Unix seconds. `is_restricted` says that not every address may come. `maintenance` is the
    environment's, copied since every request asks for it.
    """

    __slots__ = (
        "_networks",
        "account",
        "ended",
        "environment",
        "expires_at",
        "gone",
        "http_only",
        "is_restricted",
        "link",
        "live",
        "maintenance",
        "timer",
    )

    def __init__(
        self,
        link: ShareLink,
        environment: Environment,
        http_only: frozenset[bytes] = frozenset(),
        account: Account | None = None,
        ended: frozenset[str] = frozenset(),
    ) -> None:
        self.live: set[EndsWithLink] = set()
        self.timer: asyncio.TimerHandle | None = None
        self.gone = False
        self.set(link, environment, http_only, account, ended)

    def set(
        self,
        link: ShareLink,
        environment: Environment,
        http_only: frozenset[bytes],
        account: Account | None,
        ended: frozenset[str],
    ) -> None:
        """Update the entry."""
        self.link = link
        self.environment = environment
        self.maintenance = environment.maintenance
        self.http_only = http_only
        self.account = account
        self.ended = ended
        self.expires_at = link.expires_at.timestamp()
        self._networks = read_networks(link.allowed_ips)
        self.is_restricted = bool(self._networks)

    def admits(self, address: str) -> bool:
        """Return whether the link admits this address."""
        return not self._networks or is_within(address, self._networks)

    def status_at(self, now: float) -> Status:
        """The link's state at `now` (Unix seconds)."""
        if self.link.deactivated_at is not None or self.gone:
            return Status.DEACTIVATED
        return Status.ACTIVE if now < self.expires_at else Status.EXPIRED

    def cut(self, visitor: str | None = None) -> None:
        """Cut all exchanges and tunnels of the link, or only this visitor's."""
        for open_one in tuple(self.live):
            if visitor is None or open_one.visitor == visitor:
                try:
                    open_one.cut()
                except Exception as error:  # noqa: BLE001 -- a fault of one must not leave the others open
                    _log.error("unexpected_error", exc_info=error)


class TokenLookup:
    """What is known of a share token: its link (`entry`), or that a rotation has retired it (`was_replaced`).

    Where not `is_known`, memory can't tell, and the database must be asked. `token_hash` is empty for what is not even
    well-formed.
    """

    __slots__ = ("entry", "is_known", "token_hash", "was_replaced")

    def __init__(
        self, token_hash: bytes, *, is_known: bool, entry: LinkEntry | None = None, was_replaced: bool = False
    ) -> None:
        self.token_hash = token_hash
        self.is_known = is_known
        self.entry = entry
        self.was_replaced = was_replaced


class LinkCache:
    """Entries by link id. `size` bounds how many are kept while nothing is open through them.

    `renewed` is called with an environment that was checked again, or whose maintenance is over: its cached files may
    be out of date.
    """

    def __init__(
        self,
        store: Store,
        vault: TokenVault,
        time: Callable[[], float],
        *,
        renewed: Callable[[Environment], None] = lambda _: None,
        size: int = 5_000,
    ) -> None:
        self._store = store
        self._vault = vault
        self._time = time
        self._renewed = renewed
        self._size = size
        self._entries: dict[str, LinkEntry] = {}
        self.get: Callable[[str], LinkEntry | None] = self._entries.get
        """The entry if it is in memory; None says nothing about the database."""
        self._by_environment: dict[EnvironmentKey, set[str]] = {}
        self._brandings: dict[str, Branding | None] = {}
        self._tokens: dict[bytes, str] = {}
        self._tokens_of: dict[str, list[bytes]] = {}
        self._absent: dict[str, float] = {}
        self._useless: dict[bytes, tuple[float, TokenRecord | None]] = {}
        self._finding: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._previews: dict[VisitorPass, tuple[LinkEntry, asyncio.TimerHandle]] = {}
        self._generation = 0

    def branding(self, entry: LinkEntry) -> Branding | None:
        """The branding of the link's organisation."""
        return self._brandings.get(entry.environment.key.org)

    async def load(self, link_id: str) -> LinkEntry | None:
        """The entry, from the database where memory has none; None when there is no such link."""
        entry = self._entries.get(link_id)
        if entry is not None or self._time() < self._absent.get(link_id, 0.0):
            return entry
        return await self._refresh(link_id)

    def is_known(self, link_id: str) -> bool:
        """Whether `load` needs no database."""
        return link_id in self._entries or self._time() < self._absent.get(link_id, 0.0)

    def recall(self, token: str) -> TokenLookup:
        """Look a share token up in memory; a malformed one is known to open nothing."""
        if not self._vault.is_well_formed(token):
            return TokenLookup(b"", is_known=True)
        return self._recall(self._vault.hash(token))

    def _recall(self, token_hash: bytes) -> TokenLookup:
        if (link_id := self._tokens.get(token_hash)) is not None:
            entry = self._entries.get(link_id)
            return TokenLookup(token_hash, is_known=entry is not None, entry=entry)
        useless = self._useless.get(token_hash)
        if useless is None or self._time() >= useless[0]:
            return TokenLookup(token_hash, is_known=False)
        return TokenLookup(token_hash, is_known=True, was_replaced=_is_retired(useless[1]))

    async def look_up(self, lookup: TokenLookup) -> TokenLookup:
        """Look a token up in memory again, and then in the database."""
        token_hash = lookup.token_hash
        if not token_hash or (lookup := self._recall(token_hash)).is_known:
            return lookup
        # One query for many concurrent openings of a link: the others find it in memory.
        async with self._finding.setdefault(token_hash, asyncio.Lock()):
            entry = await self._find(token_hash)
        was_replaced = entry is None and _is_retired(await self._record(token_hash))
        return TokenLookup(token_hash, is_known=True, entry=entry, was_replaced=was_replaced)

    async def _find(self, token_hash: bytes) -> LinkEntry | None:
        while True:
            link_id, generation = self._tokens.get(token_hash), self._generation
            if link_id is None:
                link_id = await self._opened_by(token_hash)
            if link_id is None:
                return None
            entry = self._entries.get(link_id)
            if entry is None:
                entry = await self.load(link_id)
                # The link was read after its token: one that was replaced in between must not open what came then.
                if entry is not None and await self._opened_by(token_hash) is None:
                    return None
            # Read again if a change came meanwhile.
            if generation == self._generation:
                break
        if entry is not None:
            if len(self._tokens) >= self._size:
                self._tokens.clear()
                self._tokens_of.clear()
            if token_hash not in self._tokens:
                self._tokens[token_hash] = link_id
                self._tokens_of.setdefault(link_id, []).append(token_hash)
        return entry

    async def _opened_by(self, token_hash: bytes) -> str | None:
        record = await self._record(token_hash)
        return record.link_id if record is not None and record.retired_at is None else None

    def present(self) -> Iterator[tuple[str, str]]:
        """The link and the visitor of everything that is open; some more than once."""
        for link_id, entry in self._entries.items():
            for open_one in entry.live:
                if open_one.visitor is not None:
                    yield link_id, open_one.visitor

    async def apply(self, changes: Sequence[Change]) -> None:
        """Apply changes to the cache, and cut what must end before returning."""
        self._generation += 1
        for change in changes:
            if change.kind is ChangeKind.LINK:
                # Its token may be another one now.
                self._forget_tokens(change.id)
                self._useless.clear()
        for kind, id in dict.fromkeys((change.kind, change.id) for change in changes):
            if kind is ChangeKind.ENVIRONMENT:
                await self._refresh_environment(EnvironmentKey.parse(id))
            elif kind is ChangeKind.LINK and id in self._entries:
                await self._refresh(id)
            elif kind is ChangeKind.BRANDING and id in self._brandings:
                self._brandings[id] = await self._branding(id)

    async def reset(self) -> None:
        """Reload all entries: changes may have been missed."""
        self._generation += 1
        self._tokens.clear()
        self._tokens_of.clear()
        self._useless.clear()
        self._absent.clear()
        for org in tuple(self._brandings):
            self._brandings[org] = await self._branding(org)
        for link_id in tuple(self._entries):
            await self._refresh(link_id)

    def watch(self, entry: LinkEntry, preview: VisitorPass) -> None:
        """Cut what an owner's preview has open when PREVIEW_SECONDS are over."""
        if preview not in self._previews:
            left = max(0.0, preview.issued_at + PREVIEW_SECONDS - self._time())
            timer = asyncio.get_running_loop().call_later(left, self._end_preview, preview)
            self._previews[preview] = entry, timer

    def _end_preview(self, preview: VisitorPass) -> None:
        entry, timer = self._previews.pop(preview)
        timer.cancel()
        entry.cut(preview.visitor)

    def clock_moved(self) -> None:
        """Cut what has expired and restart all timers, after the clock was set."""
        for entry in self._entries.values():
            self._watch_expiry(entry)
        for preview in tuple(self._previews):
            if not preview.is_within(PREVIEW_SECONDS, self._time()):
                self._end_preview(preview)

    def cut_all(self) -> None:
        """Cut everything that is open; keep the entries."""
        for entry in self._entries.values():
            entry.cut()

    def close(self) -> None:
        """Cut everything that is open and drop the entries."""
        for _, timer in self._previews.values():
            timer.cancel()
        self._previews.clear()
        for entry in self._entries.values():
            _stop_timer(entry)
            entry.cut()
        self._entries.clear()

    async def _record(self, token_hash: bytes) -> TokenRecord | None:
        """Read a token's record; remember tokens that open nothing for a moment, so that a flood costs no queries."""
        now, generation = self._time(), self._generation
        known = self._useless.get(token_hash)
        if known is not None and now < known[0]:
            return known[1]
        async with self._store.reading() as work:
            record = await work.links.by_token_hash(token_hash)
        if (record is None or record.retired_at is not None) and generation == self._generation:
            if len(self._useless) >= _USELESS_KEPT:
                self._useless.clear()
            self._useless[token_hash] = (now + _USELESS_SECONDS, record)
        return record

    async def _branding(self, org: str) -> Branding | None:
        async with self._store.reading() as work:
            return await work.brandings.get(org)

    async def _refresh(self, link_id: str) -> LinkEntry | None:
        """Read link and environment; repeated while changes arrive meanwhile, so that no older state stays."""
        while True:
            generation = self._generation
            async with self._store.reading() as work:
                link = await work.links.get(link_id)
                environment = await work.environments.get(link.environment) if link is not None else None
                names = await work.environments.http_only_cookies(link.environment) if link is not None else ()
                named = (link.environment, link.account) if link is not None and link.account is not None else None
                account = await work.accounts.get(*named) if named is not None else None
                ended = await work.places.ended(link_id) if link is not None else frozenset()
                branding = await work.brandings.get(link.environment.org) if link is not None else None
            if generation == self._generation:
                break
        if link is None or environment is None:
            self._drop(link_id)
            if len(self._absent) >= _USELESS_KEPT:
                self._absent.clear()
            # A browser with the pass of a removed link sends it with each image of a page.
            self._absent[link_id] = self._time() + _USELESS_SECONDS
            return None
        self._brandings[environment.key.org] = branding
        http_only = frozenset(name.encode("latin-1") for name in names)
        return self._store_entry(link, environment, http_only, account, ended)

    async def _refresh_environment(self, key: EnvironmentKey) -> None:
        """Read an environment once for all entries that lead to it."""
        if key not in self._by_environment:
            return
        async with self._store.reading() as work:
            environment = await work.environments.get(key)
            names = await work.environments.http_only_cookies(key)
            accounts = {account.name: account for account in await work.accounts.all(key)}
        http_only = frozenset(name.encode("latin-1") for name in names)
        for link_id in tuple(self._by_environment.get(key, ())):
            entry = self._entries[link_id]
            # Another environment under the same id is not the one that the link led to, and the link went with that.
            if environment is None or environment.created_at != entry.environment.created_at:
                self._drop(link_id)
            else:
                account = accounts.get(entry.link.account or "")
                self._store_entry(entry.link, environment, http_only, account, entry.ended)

    def _shared(self, environment: Environment, http_only: frozenset[bytes]) -> tuple[Environment, frozenset[bytes]]:
        """Return the equal objects of another entry of the environment, to share memory."""
        sibling = next(iter(self._by_environment.get(environment.key, ())), None)
        if sibling is not None:
            held = self._entries[sibling]
            environment = held.environment if held.environment == environment else environment
            http_only = held.http_only if held.http_only == http_only else http_only
        return environment, http_only

    def _store_entry(
        self,
        link: ShareLink,
        environment: Environment,
        http_only: frozenset[bytes],
        account: Account | None,
        ended: frozenset[str],
    ) -> LinkEntry:
        entry = self._entries.get(link.id)
        if entry is None:
            self._evict_idle()
            environment, http_only = self._shared(environment, http_only)
            entry = self._entries[link.id] = LinkEntry(link, environment, http_only, account, ended)
            self._by_environment.setdefault(environment.key, set()).add(link.id)
        else:
            before_link, before_environment, before_account = entry.link, entry.environment, entry.account
            newly_ended = ended - entry.ended
            if environment.checked_at != before_environment.checked_at or (
                environment.maintenance is None and before_environment.maintenance is not None
            ):
                self._renewed(environment)
            # An equal set stays the same object: the memory of cookies compares by identity.
            names = entry.http_only if entry.http_only == http_only else http_only
            entry.set(link, environment, names, account, ended)
            moved = environment.revision != before_environment.revision or environment.maintenance is not None
            if (
                moved
                or link.deactivated_at is not None
                or _admits_less(link, before_link)
                or _credentials(account) != _credentials(before_account)
            ):
                entry.cut()
            for visitor in newly_ended:
                entry.cut(visitor)
        self._watch_expiry(entry)
        return entry

    def _drop(self, link_id: str) -> None:
        entry = self._entries.pop(link_id, None)
        if entry is None:
            return
        entry.gone = True
        self._forget_tokens(link_id)
        siblings = self._by_environment.get(entry.environment.key)
        if siblings is not None:
            siblings.discard(link_id)
            if not siblings:
                del self._by_environment[entry.environment.key]
        _stop_timer(entry)
        entry.cut()

    def _forget_tokens(self, link_id: str) -> None:
        self._absent.pop(link_id, None)
        for token_hash in self._tokens_of.pop(link_id, ()):
            self._tokens.pop(token_hash, None)

    def _evict_idle(self) -> None:
        if len(self._entries) < self._size:
            return
        idle = [id for id, entry in self._entries.items() if not entry.live]
        for link_id in idle[: max(1, self._size // 10)]:
            self._drop(link_id)

    def _watch_expiry(self, entry: LinkEntry) -> None:
        _stop_timer(entry)
        left = entry.expires_at - self._time()
        if left <= 0:
            entry.cut()
        elif entry.link.deactivated_at is None:
            # Wall clock and timer may drift apart over weeks, so the timer asks the clock again.
            delay = min(left, _LONGEST_TIMER)
            entry.timer = asyncio.get_running_loop().call_later(delay, self._watch_expiry, entry)


def _admits_less(link: ShareLink, before: ShareLink) -> bool:
    """Return whether the link now admits fewer visitors, or lets them do less."""
    return (
        link.version != before.version
        or link.access is not before.access
        or (link.allowed_ips != before.allowed_ips and bool(link.allowed_ips))
    )


def _is_retired(record: TokenRecord | None) -> bool:
    return record is not None and record.retired_at is not None


def _credentials(account: Account | None) -> tuple[str, int] | None:
    return None if account is None else (account.name, account.revision)


def _stop_timer(entry: LinkEntry) -> None:
    if entry.timer is not None:
        entry.timer.cancel()
        entry.timer = None
