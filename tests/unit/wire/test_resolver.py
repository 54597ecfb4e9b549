"""How names are looked up: none keeps the others waiting, and what was known serves where nobody answers."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.unit.wire.descriptors import no_descriptor

from guestpass.wire.descriptors import NoDescriptorError
from guestpass.wire.resolver import THREADS, NoAddressError, Resolver, UnresolvedError


class Names:
    """A server of names: what it knows, what it was asked for, and for what it says nothing until `answer`.

    That is `silent`, and each name that begins so while `is_slow`.
    """

    def __init__(self, **known: str) -> None:
        self.known = {name.replace("_", "."): address for name, address in known.items()}
        self.silent: set[str] = set()
        self.is_slow = True
        self.is_down = False
        self.asked: list[str] = []
        self.threads: set[threading.Thread] = set()
        self._answer = threading.Event()

    def look_up(self, host: str) -> list[str]:
        self.asked.append(host)
        if host in self.silent or (self.is_slow and host.startswith("silent")):
            self.threads.add(threading.current_thread())
            self._answer.wait()
        if self.is_down:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [self.known[host]]

    def answer(self) -> None:
        """Answer all that wait, and end their threads."""
        self.silent.clear()
        self._answer.set()
        for thread in tuple(self.threads):
            thread.join()
        self.threads.clear()
        self._answer.clear()


class Clock:
    """The running loop's time, which a test sets forward; timers that are due then end in the next turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = asyncio.get_running_loop()
        self._time, self._ahead = self._loop.time, 0.0
        monkeypatch.setattr(self._loop, "time", lambda: self._time() + self._ahead)

    async def forward(self, seconds: float) -> None:
        """Let time pass, and those who waited for it go on."""
        self._ahead += seconds
        await _turns()


@pytest.fixture
def names() -> Iterator[Names]:
    server = Names(odoo="10.0.0.1", other="10.0.0.2")
    yield server
    server.answer()


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _asking(resolving: Resolver, *asked: tuple[str, str]) -> asyncio.Future[list[list[str] | BaseException]]:
    """Ask for each of these names, for an organisation, at the same time."""
    return asyncio.gather(*(resolving.addresses(host, org) for host, org in asked), return_exceptions=True)


async def _asked(names: Names, count: int) -> None:
    """Wait until so many look-ups were begun."""
    async with asyncio.timeout(30):
        while len(names.asked) < count:  # noqa: ASYNC110 -- threads tell nobody
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("address", ["10.0.0.9", "2001:db8::1", "::ffff:10.0.0.9"])
async def test_an_address_is_not_looked_up(names: Names, address: str) -> None:
    assert await Resolver(names.look_up).addresses(address, "a") == [address]
    assert names.asked == []


async def test_all_who_ask_for_a_name_at_once_share_one_look_up(names: Names) -> None:
    resolving = Resolver(names.look_up)
    assert await asyncio.gather(*(resolving.addresses("odoo", "a") for _ in range(50))) == [["10.0.0.1"]] * 50
    assert names.asked == ["odoo"]


async def test_a_silent_name_holds_one_thread_however_often_it_is_asked_for(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    for _ in range(20):
        waiting = _asking(resolving, *[("silent", "a")] * 5)
        await _turns()
        await clock.forward(60)
        assert [str(failure) for failure in await waiting] == ["no answer within 10 s"] * 5
    assert names.asked == ["silent"]
    assert await resolving.addresses("odoo", "a") == ["10.0.0.1"]


async def test_a_thousand_silent_names_of_one_organisation_keep_no_other_waiting(names: Names) -> None:
    resolving = Resolver(names.look_up)
    waiting = _asking(resolving, *((f"silent{number}", "a") for number in range(1000)))
    await _turns()
    for org in ("b", "c", "d"):
        assert await resolving.addresses("odoo", org) == ["10.0.0.1"]
    assert 0 < sum(name.startswith("silent") for name in names.asked) <= THREADS / 4
    waiting.cancel()


async def test_ten_organisations_of_silent_names_leave_threads_for_an_eleventh(names: Names) -> None:
    resolving = Resolver(names.look_up)
    waiting = _asking(resolving, *((f"silent{number}", f"org{number % 10}") for number in range(1000)))
    await _turns()
    assert await resolving.addresses("odoo", "other") == ["10.0.0.1"]
    assert len(names.asked) < THREADS
    waiting.cancel()


async def test_names_that_wait_for_a_thread_get_one_when_others_end(names: Names) -> None:
    names.known |= {f"silent{number}": "10.0.0.3" for number in range(300)}
    resolving = Resolver(names.look_up)
    waiting = _asking(resolving, *((f"silent{number}", "a") for number in range(300)))
    await _turns()
    begun = len(names.asked)
    assert begun < 300
    names.is_slow = False
    names.answer()
    assert await waiting == [["10.0.0.3"]] * 300
    assert sorted(names.asked) == sorted(f"silent{number}" for number in range(300))


async def test_a_failure_is_remembered_for_a_second_and_then_asked_for_again(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    names.is_down = True
    for _ in range(20):
        with pytest.raises(UnresolvedError, match="Temporary failure"):
            await resolving.addresses("odoo", "a")
    assert names.asked == ["odoo"]
    names.is_down = False
    await clock.forward(1.1)
    assert await resolving.addresses("odoo", "a") == ["10.0.0.1"]


async def test_a_name_that_goes_on_being_silent_is_asked_for_less_and_less(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    pauses: list[int] = []
    pause = 0
    while len(pauses) < 7:
        asking = _asking(resolving, ("silent", "a"))
        await _turns()
        if asking.done():
            pause += 1
            await clock.forward(1)
            continue
        await _asked(names, len(pauses) + 1)
        await clock.forward(10.1)
        assert isinstance((await asking)[0], UnresolvedError)
        names.answer()
        await _turns()
        pauses.append(pause)
        pause = 0
    assert pauses == [0, 1, 2, 4, 8, 10, 10]


async def test_an_answer_that_comes_late_counts_all_the_same(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    names.silent.add("odoo")
    asking = _asking(resolving, ("odoo", "a"))
    await _asked(names, 1)
    await clock.forward(10.1)
    assert isinstance((await asking)[0], UnresolvedError)
    names.answer()
    await _turns()
    assert await resolving.addresses("odoo", "a") == ["10.0.0.1"]
    assert names.asked == ["odoo"]


async def test_what_was_known_serves_for_five_minutes_where_nobody_answers(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    await resolving.addresses("odoo", "a")
    names.is_down = True
    await clock.forward(290)
    assert await resolving.addresses("odoo", "a") == ["10.0.0.1"]
    await clock.forward(20)
    with pytest.raises(UnresolvedError):
        await resolving.addresses("odoo", "a")
    assert len(names.asked) == 3


async def test_what_was_known_serves_at_once_while_a_newer_answer_is_long_in_coming(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    await resolving.addresses("odoo", "a")
    names.silent.add("odoo")
    names.known["odoo"] = "10.0.0.9"
    await clock.forward(6)
    first = _asking(resolving, ("odoo", "a"))
    await _asked(names, 2)
    assert not first.done()
    await clock.forward(1.9)
    assert await first == [["10.0.0.1"]]
    for _ in range(20):
        asking = _asking(resolving, ("odoo", "a"))
        await _turns()
        assert asking.done()
        assert asking.result() == [["10.0.0.1"]]
    assert names.asked == ["odoo", "odoo"]
    names.answer()
    await _turns()
    assert await resolving.addresses("odoo", "a") == ["10.0.0.9"]


async def test_a_name_that_is_no_more_is_followed_although_it_was_known(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    await resolving.addresses("odoo", "a")
    del names.known["odoo"]
    await clock.forward(6)
    with pytest.raises(NoAddressError):
        await resolving.addresses("odoo", "a")
    names.is_down = True
    await clock.forward(6)
    with pytest.raises(UnresolvedError, match="Temporary failure"):
        await resolving.addresses("odoo", "a")


async def test_what_one_organisation_has_asked_for_decides_nothing_for_another(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    names.silent.add("odoo")
    asking = _asking(resolving, ("odoo", "a"))
    await _asked(names, 1)
    await clock.forward(10.1)
    assert isinstance((await asking)[0], UnresolvedError)
    names.silent.clear()
    assert await resolving.addresses("odoo", "b") == ["10.0.0.1"]


async def test_a_thousand_names_of_an_organisation_are_not_all_kept(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    for number in range(1000):
        with pytest.raises(UnresolvedError):
            await resolving.addresses(f"name{number}", "a")
        await clock.forward(2)
    assert sum(len(share.names) for share in resolving._shares.values()) <= 256


async def test_a_name_that_could_not_be_asked_for_without_a_descriptor_is_asked_for_when_there_is_one(
    names: Names,
) -> None:
    names.is_down = True
    resolving = Resolver(names.look_up)
    with no_descriptor(), pytest.raises(NoDescriptorError):
        await resolving.addresses("odoo", "a")
    names.is_down = False
    assert await resolving.addresses("odoo", "a") == ["10.0.0.1"]


async def test_without_a_thread_left_the_name_fails_and_is_asked_for_later(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    clock, resolving = Clock(monkeypatch), Resolver(names.look_up)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(UnresolvedError, match="can't start new thread"):
            await resolving.addresses("odoo", "a")
    await clock.forward(1.1)
    assert await resolving.addresses("odoo", "a") == ["10.0.0.1"]


async def test_the_systems_own_files_are_read() -> None:
    assert {"127.0.0.1", "::1"} & set(await Resolver().addresses("localhost", "a"))


async def test_where_the_machine_has_no_thread_left_each_name_fails_by_itself(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving = Resolver(names.look_up)
    waiting = _asking(resolving, *((f"silent{number}", org) for number in range(1000) for org in ("a", "b")))
    await _turns()
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        names.answer()
        async with asyncio.timeout(30):
            failures = [str(failure) for failure in await waiting]
    assert set(failures) == {"can't start new thread", "Name or service not known"}
    assert reported == []
    names.is_slow = False
    assert await resolving.addresses("odoo", "a") == ["10.0.0.1"]
