from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from guestpass.app.owner_writes import AT_ONCE, WAITING, OwnerWrites, TooManyWrites
from guestpass.domain.access import Principal
from guestpass.gateway.rate_limiter import LocalRate

ANNA, EVA, OTHERS_ANNA = Principal("anna"), Principal("eva"), Principal("anna", "acme")


class Busy:
    """Changes of one owner that are under way until they are let go."""

    def __init__(self, writes: OwnerWrites, who: Principal) -> None:
        self._writes, self._who = writes, who
        self._let_go = asyncio.Event()
        self.working = self.most = 0
        self.refused: list[TooManyWrites] = []

    async def change(self) -> None:
        try:
            async with self._writes.admit(self._who):
                self.working += 1
                self.most = max(self.most, self.working)
                await self._let_go.wait()
                self.working -= 1
        except TooManyWrites as error:
            self.refused.append(error)

    def let_go(self) -> None:
        self._let_go.set()


async def test_so_many_work_at_once_so_many_wait_and_the_rest_is_refused() -> None:
    busy = Busy(OwnerWrites(), ANNA)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE + WAITING + 3):
            tasks.create_task(busy.change())
        await asyncio.sleep(0)
        assert (busy.working, len(busy.refused)) == (AT_ONCE, 3)
        assert (busy.refused[0].retry_after, "Send fewer" in str(busy.refused[0])) == (1, True)
        busy.let_go()
    assert (busy.working, busy.most, len(busy.refused)) == (0, AT_ONCE, 3)


@pytest.mark.parametrize("other", [EVA, OTHERS_ANNA])
async def test_another_owner_is_let_in_meanwhile(other: Principal) -> None:
    writes = OwnerWrites()
    async with AsyncExitStack() as stack:
        for _ in range(AT_ONCE):
            await stack.enter_async_context(writes.admit(ANNA))
        await stack.enter_async_context(writes.admit(other))
        # And nothing is kept of who is done.
    assert writes._at_once == {}


async def test_a_change_that_fails_makes_room_for_the_next() -> None:
    writes = OwnerWrites()
    for _ in range(AT_ONCE + WAITING + 1):
        with pytest.raises(ZeroDivisionError):
            async with writes.admit(ANNA):
                raise ZeroDivisionError
    assert writes._at_once == {}


async def test_who_changes_too_often_is_told_when_to_ask_again() -> None:
    now = [0.0]
    writes = OwnerWrites(LocalRate("2/minute", lambda: now[0]))
    for _ in range(2):
        async with writes.admit(ANNA):
            pass
    with pytest.raises(TooManyWrites, match="more than one owner may") as raised:
        async with writes.admit(ANNA):
            pytest.fail("it was let in")
    assert 0 < raised.value.retry_after <= 60
    async with writes.admit(EVA):
        pass
    now[0] = raised.value.retry_after + 1
    async with writes.admit(ANNA):
        pass
