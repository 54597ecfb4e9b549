"""Count visits in memory and tell the database in batches; the hot path never writes."""

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
# Both together are well within the minute for which a visitor counts as being there.
_ACTIVITY_SECONDS: Final = 25.0
_PRESENCE_SECONDS: Final = 10.0
_MAX_PENDING: Final = 1000
_AT_ONCE: Final = 1000
"""How many visitors one transaction tells of, so that no writer waits long."""
_STARTS: Final = 20
"""How many openings of a visitor are told one by one between two flushes."""
_LINKS_AT_ONCE: Final = 100
_COOKIE_NAMES: Final = 100
"""How many names of one environment wait to be told; more than are kept."""
_LONGEST_NAME: Final = 256
NEWCOMERS_PER_ADDRESS: Final = "200/hour"
"""How many new visitors of a link that come from one address (in IPv6 one /64) each worker tells apart."""
NEWCOMERS_PER_LINK: Final = "2000/hour"
"""The same from all addresses together."""
_SILENCE: Final = VISIT_SILENCE.total_seconds()
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sent a request, as it came; what of that is kept is decided when it is written."""

    address: str
    user_agent: str


class _Mark:
    """What is known of one visitor.

    Unflushed starts of visits, how many more openings there were in each hour, how many OTHERS came, the newest
    request, the newest moment at which something was open, when those were last told, and what an opening that was not
    told yet says of the visitor. The link's version in the pass, whether that has come back, and whether the database
    knows.
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
        """The newest sign of life."""
        return max(self.last, self.present)

    @property
    def counts(self) -> bool:
        """Whether there is something to be counted."""
        return bool(self.starts or self.further or self.newcomers)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is written of one visitor."""

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
        """Whether something is counted by it."""
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
"""What one transaction writes. It stays as it is until it is known to be written, or never to be."""


class VisitLog:
    """Collects what visitors do; all times are Unix seconds.

    Lost with the process are at most FLUSH_SECONDS of visits; that a visitor is there is told every half minute. What
    is counted is counted once, also where a commit's answer is lost: decision 38 has the details. `worker` is nobody
    else's name, and `is_refusal` says of an error that the database took none of what it was told, and never will.
    `agent_of` reads a User-Agent, `addresses` says how much of visitors' addresses is kept, and `present` names the
    link and visitor of everything that is open. `of_address` and `of_link` say how many newcomers are told apart.
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
        # What was taken up to be written, and the number of the first of these batches.
        self._batches: deque[_Batch] = deque()
        self._number = 1
        self._flushing = asyncio.Lock()

    def distinguish(self, link_id: str, address: str) -> bool:
        """Whether somebody new is kept apart from others; where many come at once, they are counted among OTHERS."""
        if (self._of_address is None or self._of_address.spend(f"{link_id} {counted_as(address)}") is None) and (
            self._of_link is None or self._of_link.spend(link_id) is None
        ):
            return True
        mark = self._mark(link_id, OTHERS)
        mark.newcomers += 1
        # They may open nothing after this, and what is written of them needs a time.
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
        """A visitor opened a link: a visit starts. `came_back` says that they had their pass, of `link_version`."""
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
        """A visitor asked for something with a pass; after thirty silent minutes that starts a visit too."""
        mark = self._marks.get((link_id, visitor))
        if mark is None:
            mark = self._mark(link_id, visitor)
            if visitor.startswith(_OTHERS):
                mark.last = at  # Whether it was this one who was silent, nobody knows.
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
        """Somebody was refused at a link that exists; beyond a bound within one flush older ones are dropped."""
        refusals = self._refusals.get(link_id)
        if refusals is None:
            if len(self._refusals) >= _MAX_PENDING:
                return
            refusals = self._refusals[link_id] = deque(maxlen=REFUSALS_KEPT)
        refusals.append(_Refused(link_id, at, reason, request_id, _Sender(address, user_agent)))

    def learned(self, environment: EnvironmentKey, name: str) -> None:
        """An environment sets a cookie of this name HttpOnly."""
        names = self._cookies.setdefault(environment, set())
        if len(names) < _COOKIE_NAMES and len(name) <= _LONGEST_NAME:
            names.add(name)

    def found(self, environment: Environment, finding: Finding) -> None:
        """A visitor met with something that the environment's owner should know."""
        self._findings[environment.key, finding.code] = environment, finding

    def refused_call(self, environment: EnvironmentKey, model: str, method: str, at: float) -> None:
        """A view-only link refused a method; beyond a bound within one flush others are dropped."""
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
            except Exception:  # noqa: BLE001 - whatever the database raises, counting goes on
                # Nothing is lost: what could not be written is still here for the next round.
                if not self._failing:
                    _log.exception("visits_not_written", remedy="check the database; it is tried again each second")
                self._failing = True
            else:
                self._failing = False

    async def finish(self) -> None:
        """Write what is left, before the process ends; a lost connection gets a second try."""
        try:
            await self.flush()
        except Exception:  # noqa: BLE001 - as in `run`, and the second one is raised
            await self.flush()

    async def flush(self) -> None:
        """Write what is new, so much in each transaction; raises what the database raises, and keeps what is left."""
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
        """Write what was taken up; what the database refuses is taken apart, until only that is dropped.

        A batch keeps its number until it is known whether it was written, and nothing else is written before.
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
                # Not what the error says: that may be a visitor's address.
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
        """What is new at this moment, and whether there may be more; it is no longer new then."""
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
        """Take from a mark what is to be told."""
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
        # Who looks at a link's numbers hears of it; each row stands beside one that says what happened.
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
        """Note who has something open; that is no request, and doesn't end a silence."""
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
