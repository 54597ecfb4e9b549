"""Count visits in memory and write them in batches; the hot path never writes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import structlog

from guestpass.app.ports import Activity, ChangeKind, Clock, Origin, Rate, RefusedCall, Store, UnitOfWork
from guestpass.app.turns import BACKGROUND
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.finding import Finding
from guestpass.domain.link import VISIT_SILENCE
from guestpass.domain.networks import counted_as
from guestpass.domain.visit import OTHERS, REFUSALS_KEPT, AddressDetail, Agent, Refusal, shown_address
from guestpass.domain.visitor_pass import OTHERS as _OTHERS

FLUSH_SECONDS: Final = 1.0
# Both together are well within the minute for which a visitor counts as present.
_ACTIVITY_SECONDS: Final = 25.0
_PRESENCE_SECONDS: Final = 10.0
_MAX_PENDING: Final = 1000
_AT_ONCE: Final = 1000
"""How many visitors one transaction writes, so that no other writer waits long."""
_STARTS: Final = 20
"""How many openings of a visitor are written one by one in a flush."""
_LINKS_AT_ONCE: Final = 100
_COOKIE_NAMES: Final = 100
"""How many cookie names of one environment wait to be written; more than are stored."""
_LONGEST_NAME: Final = 256
NEWCOMERS_PER_ADDRESS: Final = "200/hour"
"""How many new visitors of a link and address (in IPv6 a /64) each worker counts individually."""
NEWCOMERS_PER_LINK: Final = "2000/hour"
"""The same from all addresses together."""
_SILENCE: Final = VISIT_SILENCE.total_seconds()
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Address and User-Agent of a request, unshortened; what is stored of them is decided when writing."""

    address: str
    user_agent: str


class _Mark:
    """The activity of one visitor; times in Unix seconds.

    `starts` and `further` are unwritten starts of visits, one by one (with whether the link was opened) and by hour.
    `newcomers` counts OTHERS. `last` is the newest request, `present` when something was last open, `written` the
    newest of them in the database, and `written_at` when it was written. `sender` is the newest opening's.
    `link_version` is the pass's; `came_back` is whether a request has brought the pass, `is_known_back` whether the
    database knows that.
    """

    __slots__ = (
        "came_back",
        "further",
        "is_known_back",
        "last",
        "link_version",
        "newcomers",
        "present",
        "sender",
        "starts",
        "written",
        "written_at",
    )

    def __init__(self) -> None:
        self.starts: list[tuple[float, bool]] = []
        self.further: dict[float, int] = {}
        self.newcomers = 0
        self.last = 0.0
        self.present = 0.0
        self.written = 0.0
        self.written_at = 0.0
        self.sender: _Sender | None = None
        self.link_version: int | None = None
        self.came_back = False
        self.is_known_back = False

    @property
    def newest(self) -> float:
        """The newest request or presence."""
        return max(self.last, self.present)

    @property
    def counts(self) -> bool:
        """Whether there is something to count."""
        return bool(self.starts or self.further or self.newcomers)


@dataclass(frozen=True, slots=True)
class _Told:
    """The activity of one visitor in a batch."""

    link_id: str
    visitor: str
    starts: tuple[tuple[float, bool], ...]
    further: tuple[tuple[float, int], ...]
    newcomers: int
    last: float
    present: float
    sender: _Sender | None
    link_version: int | None
    came_back: bool

    @property
    def counts(self) -> bool:
        """Whether it counts something."""
        return bool(self.starts or self.further or self.newcomers)


@dataclass(frozen=True, slots=True)
class _Refused:
    link_id: str
    at: float
    reason: str
    request_id: str | None
    sender: _Sender


@dataclass(frozen=True, slots=True)
class _Learned:
    environment: EnvironmentKey
    name: str


@dataclass(frozen=True, slots=True)
class _Found:
    environment: Environment
    finding: Finding


@dataclass(frozen=True, slots=True)
class _Call:
    environment: EnvironmentKey
    model: str
    method: str
    refusals: int
    at: float


_Item = _Told | _Refused | _Learned | _Found | _Call
_Batch = Sequence[_Item]
"""What one transaction writes. Unchanged until it is known to be committed or refused."""


class VisitLog:
    """Collect what visitors do; all times are Unix seconds.

    A crash loses at most FLUSH_SECONDS of visits; presence is written every half minute. Each visit is counted once,
    also where the answer to a commit is lost (decision 38). `worker` is a unique name. `is_refusal` returns whether an
    error means that the database rejected the batch for good. `agent_of` parses a User-Agent, `addresses` is how much
    of addresses is stored, and `present` yields link and visitor of everything open. `of_address` and `of_link` limit
    how many newcomers are counted individually.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        worker: str,
        is_refusal: Callable[[Exception], bool] = lambda _: False,
        agent_of: Callable[[str], Agent] = lambda _: Agent(),
        addresses: AddressDetail = AddressDetail.SHORTENED,
        present: Callable[[], Iterable[tuple[str, str]]] = tuple,
        of_address: Rate | None = None,
        of_link: Rate | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._is_refusal = is_refusal
        self._agent_of = agent_of
        self._addresses = addresses
        self._present = present
        self._of_address = of_address
        self._of_link = of_link
        self._presence_at = 0.0
        self._marks: dict[tuple[str, str], _Mark] = {}
        self._refusals: dict[str, deque[_Refused]] = {}
        self._cookies: dict[EnvironmentKey, set[str]] = {}
        self._findings: dict[tuple[EnvironmentKey, str], tuple[Environment, Finding]] = {}
        self._calls: dict[EnvironmentKey, dict[tuple[str, str], tuple[int, float]]] = {}
        self._failing = False
        # Batches to write, and the number of the first of them.
        self._batches: deque[_Batch] = deque()
        self._number = 1
        self._flushing = asyncio.Lock()

    def distinguish(self, link_id: str, address: str) -> bool:
        """Return whether to count a new visitor individually; beyond the limits they are counted among OTHERS."""
        if (self._of_address is None or self._of_address.spend(f"{link_id} {counted_as(address)}") is None) and (
            self._of_link is None or self._of_link.spend(link_id) is None
        ):
            return True
        mark = self._mark(link_id, OTHERS)
        mark.newcomers += 1
        # They may make no request after this one, and the row needs a time.
        mark.last = max(mark.last, self._clock.now().timestamp())
        return False

    def opened(
        self,
        link_id: str,
        visitor: str,
        at: float,
        *,
        address: str = "",
        user_agent: str = "",
        link_version: int | None = None,
        came_back: bool = False,
    ) -> None:
        """Note that a visitor opened a link, which starts a visit. `came_back`: with their pass, of `link_version`."""
        mark = self._mark(link_id, visitor)
        mark.last = at
        mark.link_version = link_version
        mark.came_back |= came_back
        if visitor.startswith(_OTHERS) or len(mark.starts) >= _STARTS:
            hour = at - at % 3600
            mark.further[hour] = mark.further.get(hour, 0) + 1
            return
        mark.starts.append((at, True))
        mark.sender = _Sender(address, user_agent)

    def seen(self, link_id: str, visitor: str, at: float, *, link_version: int | None = None) -> None:
        """Note a request with a pass; after thirty minutes without one it starts a visit."""
        mark = self._marks.get((link_id, visitor))
        if mark is None:
            mark = self._mark(link_id, visitor)
            if visitor.startswith(_OTHERS):
                mark.last = at  # Silence of one of OTHERS is unknown, so no visit starts.
                return
        if at - mark.last >= _SILENCE:
            mark.starts.append((at, False))
        mark.last = at
        mark.link_version = link_version
        mark.came_back = True

    def refused(
        self,
        link_id: str,
        at: float,
        reason: str,
        address: str,
        *,
        request_id: str | None = None,
        user_agent: str = "",
    ) -> None:
        """Note a refusal at a link that exists; beyond REFUSALS_KEPT in one flush the oldest are dropped."""
        refusals = self._refusals.get(link_id)
        if refusals is None:
            if len(self._refusals) >= _MAX_PENDING:
                return
            refusals = self._refusals[link_id] = deque(maxlen=REFUSALS_KEPT)
        refusals.append(_Refused(link_id, at, reason, request_id, _Sender(address, user_agent)))

    def learned(self, environment: EnvironmentKey, name: str) -> None:
        """Note that an environment sets a cookie of this name HttpOnly."""
        names = self._cookies.setdefault(environment, set())
        if len(names) < _COOKIE_NAMES and len(name) <= _LONGEST_NAME:
            names.add(name)

    def found(self, environment: Environment, finding: Finding) -> None:
        """Note a finding for the environment's owner that a visitor's request showed."""
        self._findings[environment.key, finding.code] = environment, finding

    def refused_call(self, environment: EnvironmentKey, model: str, method: str, at: float) -> None:
        """Note that a view-only link refused a method or route; beyond _MAX_PENDING in one flush others are dropped."""
        if len(model) + len(method) > _LONGEST_NAME:
            return
        calls = self._calls.setdefault(environment, {})
        if (model, method) in calls or len(calls) < _MAX_PENDING:
            count, _ = calls.get((model, method), (0, 0.0))
            calls[model, method] = count + 1, at

    async def run(self) -> None:
        """Flush until cancelled; the caller flushes once more at the end."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception:  # noqa: BLE001 - counting goes on after any database error
                # Nothing is lost: the next round writes it.
                if not self._failing:
                    _log.exception("visits_not_written", remedy="check the database; it is tried again each second")
                self._failing = True
            else:
                self._failing = False

    async def finish(self) -> None:
        """Write what is left before the process ends; try twice, since the connection may be lost."""
        try:
            await self.flush()
        except Exception:  # noqa: BLE001 - as in `run`, and the second one is raised
            await self.flush()

    async def flush(self) -> None:
        """Write what is new, in several transactions. Raises what the database raises, and keeps the rest."""
        async with self._flushing:
            now = self._clock.now().timestamp()
            self._update_presence(now)
            await self._settle()
            is_full = True
            while is_full:
                batch, is_full = self._take_up(now)
                if batch:
                    self._batches.append(batch)
                    await self._settle()
            self._forget_idle(now)

    async def _settle(self) -> None:
        """Write the pending batches; bisect one that the database refuses, and drop only the refused items.

        A batch keeps its number until it is known whether it was committed; nothing else is written before.
        """
        dropped = list[tuple[_Item, Exception]]()
        try:
            while self._batches:
                batch = self._batches[0]
                parts = list[_Batch]()
                try:
                    await self._write_once(batch)
                except Exception as error:
                    if not self._is_refusal(error):
                        raise
                    if len(batch) == 1:
                        dropped.append((batch[0], error))
                    else:
                        middle = len(batch) // 2
                        parts += batch[:middle], batch[middle:]
                self._number += 1
                self._batches.popleft()
                self._batches.extendleft(reversed(parts))
        finally:
            if dropped:
                item, cause = dropped[0]
                # Without the error's text, which may hold a visitor's address.
                _log.error(
                    "visits_dropped",
                    count=len(dropped),
                    first=type(item).__name__.lstrip("_"),
                    cause=type(cause).__name__,
                    effect="the rest is counted",
                    remedy="report this as a bug",
                )

    async def _write_once(self, batch: _Batch) -> None:
        async with self._store.writing(BACKGROUND) as work:
            if await work.batches.begin(self._worker, self._number, self._clock.now()):
                await self._write(work, batch)

    def _take_up(self, now: float) -> tuple[_Batch, bool]:
        """Take what is new as a batch; also return whether there may be more."""
        visitors = [
            self._take_mark(*key, mark, now)
            for key, mark in islice(
                (
                    (key, mark)
                    for key, mark in self._marks.items()
                    if mark.counts
                    or mark.came_back is not mark.is_known_back
                    or (mark.newest > mark.written and now - mark.written_at >= _ACTIVITY_SECONDS)
                ),
                _AT_ONCE,
            )
        ]
        links = list(islice(self._refusals, _LINKS_AT_ONCE))
        batch: list[_Item] = [*visitors, *(each for id in links for each in self._refusals.pop(id))]
        batch += [_Learned(environment, name) for environment, names in self._cookies.items() for name in names]
        batch += [_Found(*found) for found in self._findings.values()]
        batch += [
            _Call(environment, *pair, *refused)
            for environment, calls in self._calls.items()
            for pair, refused in calls.items()
        ]
        for taken in (self._cookies, self._findings, self._calls):
            taken.clear()
        return batch, len(visitors) == _AT_ONCE or len(links) == _LINKS_AT_ONCE

    @staticmethod
    def _take_mark(link_id: str, visitor: str, mark: _Mark, now: float) -> _Told:
        """Take what is unwritten from a mark."""
        written = _Told(
            link_id,
            visitor,
            tuple(mark.starts),
            tuple(mark.further.items()),
            mark.newcomers,
            mark.last,
            mark.present,
            mark.sender,
            mark.link_version,
            mark.came_back,
        )
        mark.is_known_back = mark.came_back
        mark.starts.clear()
        mark.further.clear()
        mark.newcomers, mark.sender = 0, None
        mark.written, mark.written_at = mark.newest, now
        return written

    async def _write(self, work: UnitOfWork, batch: _Batch) -> None:
        visitors = [each for each in batch if isinstance(each, _Told)]
        refusals = [each for each in batch if isinstance(each, _Refused)]
        await work.visits.record([self._activity(each) for each in visitors])
        await work.refusals.add([self._refusal(each) for each in refusals])
        # Notifies pages that show the link's numbers.
        concerned = [*(each.link_id for each in visitors if each.counts), *(each.link_id for each in refusals)]
        await work.changes.append(ChangeKind.VISIT, *dict.fromkeys(concerned))
        cookies: dict[EnvironmentKey, set[str]] = {}
        calls: dict[EnvironmentKey, list[RefusedCall]] = {}
        for each in batch:
            match each:
                case _Learned():
                    cookies.setdefault(each.environment, set()).add(each.name)
                case _Found():
                    await work.environments.add_finding(each.environment, each.finding)
                case _Call():
                    refused = RefusedCall(each.model, each.method, each.refusals, _time(each.at))
                    calls.setdefault(each.environment, []).append(refused)
        for environment, names in cookies.items():
            await work.environments.learn_http_only_cookies(environment, names)
        await work.environments.add_refused_calls(calls)

    def _forget_idle(self, now: float) -> None:
        gone = now - _SILENCE
        for key in [key for key, mark in self._marks.items() if not mark.counts and mark.newest < gone]:
            del self._marks[key]

    def _update_presence(self, now: float) -> None:
        """Note who has something open. It is no request, so it starts no visit."""
        if now - self._presence_at < _PRESENCE_SECONDS:
            return
        self._presence_at = now
        for link_id, visitor in self._present():
            self._mark(link_id, visitor).present = now

    def _origin(self, sender: _Sender) -> Origin:
        agent = self._agent_of(sender.user_agent)
        return Origin(shown_address(sender.address, self._addresses), agent.browser, agent.system)

    def _activity(self, written: _Told) -> Activity:
        return Activity(
            written.link_id,
            written.visitor,
            tuple((_time(at), opening) for at, opening in written.starts),
            _time(written.last) if written.last else None,
            _time(written.present) if written.present else None,
            self._origin(written.sender) if written.sender is not None else None,
            tuple((_time(hour), count) for hour, count in written.further),
            written.newcomers,
            written.link_version,
            written.came_back,
        )

    def _refusal(self, refused: _Refused) -> Refusal:
        origin = self._origin(refused.sender)
        return Refusal(
            refused.link_id,
            _time(refused.at),
            refused.reason,
            refused.request_id,
            origin.browser,
            origin.system,
            origin.address,
        )

    def _mark(self, link_id: str, visitor: str) -> _Mark:
        key = link_id, OTHERS if visitor.startswith(_OTHERS) else visitor
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = _Mark()
        return mark


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
