"""End sessions at Odoo, retrying until it answers.

Sign-outs are queued in the database by the transaction that ends the session. A session that could not be stored at all
is ended from this worker's memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

import structlog

from guestpass.app.ports import Clock, Entropy, NotSignedOut, OdooAuthenticator, OdooSignOut, Sealer, Store, UnitOfWork
from guestpass.app.turns import BACKGROUND
from guestpass.domain.environment import OdooAddress

ROUND_SECONDS: Final = 2.0
RETRY_FOR: Final = timedelta(days=7)
"""How long a sign-out is retried. By then Odoo itself has dropped a session that nobody used."""
FIRST_PAUSE: Final = timedelta(seconds=5)
"""The pause after the first failure at an Odoo; doubled with each further one."""
LONGEST_PAUSE: Final = timedelta(hours=1)
CLAIM: Final = timedelta(minutes=2)
"""How long a worker may take for CLAIMED sessions before another ends them too, which does no harm."""
CLAIMED: Final = 5
ADDRESSES_AT_ONCE: Final = 50
"""How many Odoos a worker signs out of concurrently, one session after the other at each."""
KEPT_FOR_ADDRESS: Final = 10_000
"""How many sessions are queued for an Odoo that does not answer."""
REMEMBERED: Final = 1_000
"""How many sessions are kept in memory while the database can't be written."""
_NO_LINK: Final = ""
_log = structlog.get_logger(__name__)


def session_context(link_id: str, visitor: str) -> str:
    """The context that seals a session's id, so that it opens in this visitor's row alone."""
    return f"odoo-session:{link_id}:{visitor}"


class SignOuts:
    """Ends sessions at the Odoos where they were made."""

    def __init__(
        self, store: Store, sealer: Sealer, authenticator: OdooAuthenticator, clock: Clock, entropy: Entropy
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._authenticator = authenticator
        self._clock = clock
        self._entropy = entropy
        self._remembered: deque[tuple[OdooAddress, str]] = deque()
        self._busy: set[OdooAddress] = set()
        self._woken = asyncio.Event()
        self._failing = False

    def wake(self) -> None:
        """Begin the next round now: a session was ended."""
        self._woken.set()

    async def end(self, at: OdooAddress, id: str) -> None:
        """End a session that is not stored: now, or later where Odoo does not answer."""
        with self.ending_what_fails(at, id):
            try:
                await self._authenticator.sign_out(at, id)
            except NotSignedOut:
                async with self._store.writing(BACKGROUND) as work:
                    await self.record(work, at, id)

    async def record(self, work: UnitOfWork, at: OdooAddress, id: str) -> None:
        """Queue the end of a session that has no row."""
        visitor = self._entropy.bytes(16).hex()
        sealed = self._sealer.seal(id, session_context(_NO_LINK, visitor))
        await work.odoo_sign_outs.add(at, _NO_LINK, visitor, sealed, self._clock.now())
        self.wake()

    @contextmanager
    def ending_what_fails(self, at: OdooAddress, id: str) -> Iterator[None]:
        """End the session if the block raises, since then it exists at Odoo and is not stored."""
        try:
            yield
        except BaseException:
            if len(self._remembered) == REMEMBERED:
                self._remembered.popleft()
                _log.error("odoo_session_lost", remedy="it ends when its Odoo forgets it, after a week")
            self._remembered.append((at, id))
            self.wake()
            raise

    async def run(self) -> None:
        """End queued sessions until cancelled. An Odoo that hangs does not delay the others."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ROUND_SECONDS):
                        await self._woken.wait()
                self._woken.clear()
                await self._try(self._begin(tasks))

    async def end_due(self) -> None:
        """Run one round of `run`; return when each Odoo has answered or failed."""
        async with asyncio.TaskGroup() as tasks:
            await self._try(self._begin(tasks))

    async def write_down(self) -> None:
        """Move sessions from memory to the queue in the database."""
        if not self._remembered:
            return
        remembered = tuple(self._remembered)
        async with self._store.writing(BACKGROUND) as work:
            for at, id in remembered:
                await self.record(work, at, id)
        for each in remembered:
            self._forget(each)

    async def _try(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 -- database errors are retried in the next round
            if not self._failing:
                _log.exception("odoo_sessions_not_ended", remedy="check the database; it is tried again")
            self._failing = True
        else:
            self._failing = False

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        try:
            await self.write_down()
        except Exception:
            for at in {at for at, _ in self._remembered}:
                self._start(tasks, at, self._end_remembered)
            raise
        async with self._store.reading() as work:
            due = await work.odoo_sign_outs.due(self._clock.now(), limit=ADDRESSES_AT_ONCE + len(self._busy))
        for at in due:
            self._start(tasks, at, self._end_at)

    def _start(
        self, tasks: asyncio.TaskGroup, at: OdooAddress, end: Callable[[OdooAddress], Coroutine[None, None, None]]
    ) -> None:
        if at not in self._busy and len(self._busy) < ADDRESSES_AT_ONCE:
            self._busy.add(at)
            task = tasks.create_task(self._try(end(at)))
            task.add_done_callback(lambda _: self._busy.discard(at))

    async def _end_remembered(self, at: OdooAddress) -> None:
        with suppress(NotSignedOut):
            for each in [each for each in self._remembered if each[0] == at]:
                await self._authenticator.sign_out(*each)
                self._forget(each)

    def _forget(self, remembered: tuple[OdooAddress, str]) -> None:
        with suppress(ValueError):
            self._remembered.remove(remembered)

    async def _end_at(self, at: OdooAddress) -> None:
        """End all sessions that are due at one Odoo, until it does not answer."""
        while True:
            now = self._clock.now()
            async with self._store.writing(BACKGROUND) as work:
                few = await work.odoo_sign_outs.claim(at, now=now, until=now + CLAIM, limit=CLAIMED)
            if not few:
                return
            ended: list[int] = []
            failed: list[tuple[OdooSignOut, NotSignedOut]] = []
            for each in few:
                if (id := self._opened(each)) is not None:
                    try:
                        await self._authenticator.sign_out(at, id)
                    except NotSignedOut as error:
                        failed.append((each, error))
                        if not error.answered:
                            break
                        continue
                ended.append(each.number)
            async with self._store.writing(BACKGROUND) as work:
                await work.odoo_sign_outs.remove(ended)
                for each, why in failed:
                    await self._put_off(work, each, why)
            if any(not why.answered for _, why in failed):
                return

    async def _put_off(self, work: UnitOfWork, each: OdooSignOut, why: NotSignedOut) -> None:
        queue, now = work.odoo_sign_outs, self._clock.now()
        tries = 1 + (each.tries if why.answered else await queue.most_tries(each.at))
        until = now + min(FIRST_PAUSE * 2 ** min(tries - 1, 20), LONGEST_PAUSE)
        if not why.answered:
            await queue.put_off_all(each.at, until)
        await queue.put_off(each.number, until, tries=tries)
        environment = str(each.at.environment)
        if tries == 1:
            _log.info("odoo_session_not_ended", environment=environment, cause=str(why), retry=until.isoformat())
        if given_up := await queue.give_up(each.at, before=now - RETRY_FOR, keep=KEPT_FOR_ADDRESS):
            _log.warning(
                "odoo_sessions_given_up",
                environment=environment,
                sessions=given_up,
                cause=str(why),
                remedy="if that Odoo still runs, restart it without its stored sessions",
            )

    def _opened(self, sign_out: OdooSignOut) -> str | None:
        """Return the session's id; None where another SECRET_KEY sealed it, so that it can't be ended."""
        try:
            return self._sealer.open(sign_out.sealed, session_context(sign_out.link_id, sign_out.visitor))
        except ValueError:
            _log.warning(
                "odoo_session_unreadable", environment=str(sign_out.at.environment), remedy="SECRET_KEY changed"
            )
            return None
