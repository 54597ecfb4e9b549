"""Count visits in memory and tell the database in batches; the hot path never writes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
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
_TELL_SECONDS: Final = 25.0
_LOOK_SECONDS: Final = 10.0
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


@dataclass(frozen=True, slots=True)
class _Refused:
    at: float
    reason: str
    request_id: str | None
    sender: _Sender


class _Mark:
    """What is known of one visitor.

    Unflushed starts of visits, how many more openings there were in each hour, how many OTHERS came, the newest
    request, the newest moment at which something was open, when those were last told, and what an opening that was not
    told yet says of the visitor.
    """

    __slots__ = ("further", "last", "newcomers", "present", "sender", "starts", "told", "told_at")

    def __init__(self) -> None:
        self.starts: list[tuple[float, bool]] = []
        self.further: dict[float, int] = {}
        self.newcomers = 0
        self.last = 0.0
        self.present = 0.0
        self.told = 0.0
        self.told_at = 0.0
        self.sender: _Sender | None = None

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

    starts: int
    further: dict[float, int]
    newcomers: int
    last: float
    present: float
    sender: _Sender | None


@dataclass(frozen=True, slots=True)
class _Pending:
    """What one transaction writes, and whether there may be more."""

    visitors: dict[tuple[str, str], _Told]
    refusals: dict[str, tuple[_Refused, ...]]
    cookies: dict[EnvironmentKey, set[str]]
    findings: dict[tuple[EnvironmentKey, str], tuple[Environment, Finding]]
    calls: dict[EnvironmentKey, dict[tuple[str, str], tuple[int, float]]]

    def is_worth_writing(self) -> bool:
        """Whether there is anything."""
        return any((self.visitors, self.refusals, self.cookies, self.findings, self.calls))


class VisitLog:
    """Collects what visitors do; all times are Unix seconds.

    Lost with the process are at most FLUSH_SECONDS of visits; that a visitor is there is told every half minute.
    `agent_of` reads a User-Agent, `addresses` says how much of visitors' addresses is kept, and `present` names the
    link and visitor of everything that is open. `of_address` and `of_link` say how many newcomers are told apart.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        agent_of: Callable[[str], Agent] = lambda _: Agent(),
        addresses: AddressDetail = AddressDetail.SHORTENED,
        present: Callable[[], Iterable[tuple[str, str]]] = tuple,
        of_address: Rate | None = None,
        of_link: Rate | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._agent_of = agent_of
        self._addresses = addresses
        self._present = present
        self._of_address = of_address
        self._of_link = of_link
        self._looked_at = 0.0
        self._marks: dict[tuple[str, str], _Mark] = {}
        self._refusals: dict[str, deque[_Refused]] = {}
        self._cookies: dict[EnvironmentKey, set[str]] = {}
        self._findings: dict[tuple[EnvironmentKey, str], tuple[Environment, Finding]] = {}
        self._calls: dict[EnvironmentKey, dict[tuple[str, str], tuple[int, float]]] = {}
        self._failing = False

    def tell_apart(self, link_id: str, address: str) -> bool:
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

    def opened(self, link_id: str, visitor: str, at: float, *, address: str = "", user_agent: str = "") -> None:
        """A visitor opened a link: a visit starts."""
        mark = self._mark(link_id, visitor)
        mark.last = at
        if visitor.startswith(_OTHERS) or len(mark.starts) >= _STARTS:
            hour = at - at % 3600
            mark.further[hour] = mark.further.get(hour, 0) + 1
            return
        mark.starts.append((at, True))
        mark.sender = _Sender(address, user_agent)

    def seen(self, link_id: str, visitor: str, at: float) -> None:
        """A visitor asked for something; after thirty silent minutes that starts a visit too."""
        mark = self._marks.get((link_id, visitor))
        if mark is None:
            mark = self._mark(link_id, visitor)
            if visitor.startswith(_OTHERS):
                mark.last = at  # Whether it was this one who was silent, nobody knows.
                return
        if at - mark.last >= _SILENCE:
            mark.starts.append((at, False))
        mark.last = at

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
        refusals.append(_Refused(at, reason, request_id, _Sender(address, user_agent)))

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

    async def flush(self) -> None:
        """Write what is new, so much in each transaction; raises what the database raises, and keeps what is left."""
        now = self._clock.now().timestamp()
        self._look_who_is_present(now)
        is_full = True
        while is_full:
            pending = self._pending(now)
            if pending.is_worth_writing():
                async with self._store.writing(BACKGROUND) as work:
                    await self._write(work, pending)
            self._forget(pending, now)
            is_full = len(pending.visitors) == _AT_ONCE or len(pending.refusals) == _LINKS_AT_ONCE

    def _pending(self, now: float) -> _Pending:
        """What is new at this moment; more may come while it is written."""
        told = (
            (key, _Told(len(mark.starts), dict(mark.further), mark.newcomers, mark.last, mark.present, mark.sender))
            for key, mark in self._marks.items()
            if mark.counts or (mark.newest > mark.told and now - mark.told_at >= _TELL_SECONDS)
        )
        return _Pending(
            visitors=dict(islice(told, _AT_ONCE)),
            refusals={link_id: tuple(refusals) for link_id, refusals in islice(self._refusals.items(), _LINKS_AT_ONCE)},
            cookies={key: set(names) for key, names in self._cookies.items()},
            findings=dict(self._findings),
            calls={key: dict(refused) for key, refused in self._calls.items()},
        )

    async def _write(self, work: UnitOfWork, pending: _Pending) -> None:
        activities = [
            Activity(
                link_id,
                visitor,
                self._starts(link_id, visitor, told.starts),
                _time(told.last) if told.last else None,
                _time(told.present) if told.present else None,
                self._origin(told.sender) if told.sender is not None else None,
                tuple((_time(hour), count) for hour, count in told.further.items()),
                told.newcomers,
            )
            for (link_id, visitor), told in pending.visitors.items()
        ]
        await work.visits.record(activities)
        await work.refusals.add([self._refusal(id, each) for id, some in pending.refusals.items() for each in some])
        # Who looks at a link's numbers hears of it; each row stands beside one that says what happened.
        concerned = dict.fromkeys([*(each.link_id for each in activities if _counts(each)), *pending.refusals])
        await work.changes.append(ChangeKind.VISIT, *concerned)
        for environment, names in pending.cookies.items():
            await work.environments.learn_http_only_cookies(environment, names)
        for found_at, finding in pending.findings.values():
            await work.environments.add_finding(found_at, finding)
        await work.environments.add_refused_calls(
            {
                environment: [RefusedCall(*pair, count, _time(at)) for pair, (count, at) in refused.items()]
                for environment, refused in pending.calls.items()
            }
        )

    def _forget(self, written: _Pending, now: float) -> None:
        """Take off what was written, and visitors who are long gone."""
        for key, told in written.visitors.items():
            mark = self._marks[key]
            del mark.starts[: told.starts]
            for hour, count in told.further.items():
                mark.further[hour] -= count
                if not mark.further[hour]:
                    del mark.further[hour]
            mark.newcomers -= told.newcomers
            mark.told, mark.told_at = max(told.last, told.present), now
            if mark.sender is told.sender:
                mark.sender = None
        for link_id, refusals in written.refusals.items():
            self._forget_refusals(link_id, refusals)
        for environment, names in written.cookies.items():
            self._cookies[environment] -= names
            if not self._cookies[environment]:
                del self._cookies[environment]
        for found, finding in written.findings.items():
            if self._findings[found] is finding:
                del self._findings[found]
        for environment, refused in written.calls.items():
            self._forget_calls(environment, refused)
        gone = now - _SILENCE
        for key in [key for key, mark in self._marks.items() if not mark.counts and mark.newest < gone]:
            del self._marks[key]

    def _look_who_is_present(self, now: float) -> None:
        """Note who has something open; that is no request, and doesn't end a silence."""
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        for link_id, visitor in self._present():
            self._mark(link_id, visitor).present = now

    def _origin(self, sender: _Sender) -> Origin:
        agent = self._agent_of(sender.user_agent)
        return Origin(shown_address(sender.address, self._addresses), agent.browser, agent.system)

    def _refusal(self, link_id: str, refused: _Refused) -> Refusal:
        origin = self._origin(refused.sender)
        return Refusal(
            link_id,
            _time(refused.at),
            refused.reason,
            refused.request_id,
            origin.browser,
            origin.system,
            origin.address,
        )

    def _forget_refusals(self, link_id: str, written: tuple[_Refused, ...]) -> None:
        """Take off what was written; more may have come meanwhile, and pushed some of it out."""
        kept, known = self._refusals[link_id], {id(each) for each in written}
        while kept and id(kept[0]) in known:
            kept.popleft()
        if not kept:
            del self._refusals[link_id]

    def _forget_calls(self, environment: EnvironmentKey, written: dict[tuple[str, str], tuple[int, float]]) -> None:
        """Take off what was written; more may have been refused meanwhile."""
        kept = self._calls[environment]
        for pair, (count, _) in written.items():
            left, at = kept[pair]
            if left > count:
                kept[pair] = left - count, at
            else:
                del kept[pair]
        if not kept:
            del self._calls[environment]

    def _mark(self, link_id: str, visitor: str) -> _Mark:
        key = link_id, OTHERS if visitor.startswith(_OTHERS) else visitor
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = _Mark()
        return mark

    def _starts(self, link_id: str, visitor: str, count: int) -> tuple[tuple[datetime, bool], ...]:
        return tuple((_time(at), opening) for at, opening in self._marks[link_id, visitor].starts[:count])


def _counts(activity: Activity) -> bool:
    return bool(activity.starts or activity.further or activity.newcomers)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
