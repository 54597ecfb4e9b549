from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import argon2
import pytest

from guestpass.signing.passwords import Argon2Hasher


@pytest.fixture
def hasher() -> Iterator[Argon2Hasher]:
    hasher = Argon2Hasher()
    yield hasher
    hasher.close()


async def test_a_password_is_known_again_and_no_other_is(hasher: Argon2Hasher) -> None:
    encoded = await hasher.hash("correct horse 🐎", "acme")
    assert await hasher.verify(encoded, "correct horse 🐎")
    assert not await hasher.verify(encoded, "correct horse")
    assert not await hasher.verify(encoded, "")


async def test_hashes_say_what_they_cost_and_are_salted(hasher: Argon2Hasher) -> None:
    one, two = await hasher.hash("the same", "acme"), await hasher.hash("the same", "acme")
    assert one != two
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_damaged_hash_is_an_error_and_no_answer(hasher: Argon2Hasher) -> None:
    with pytest.raises(argon2.exceptions.VerificationError, match="Decoding failed"):
        await hasher.verify("$argon2id$nonsense", "correct horse")


class SlowHashes:
    """Hashes that take until the test lets them end, and count how many are under way."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.begun = threading.Semaphore(0)
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.begun.release()
        assert self.release.wait(20)
        with self._lock:
            self.running -= 1
        return password

    def verify(self, _encoded: str, password: str) -> bool:
        return bool(self.hash(password))


async def test_the_loop_goes_on_while_a_few_are_verified_and_the_others_wait_whatever_is_made(
    hasher: Argon2Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowHashes()
    monkeypatch.setattr(hasher, "_hasher", slow)
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(hasher.hash(f"password {number}", "acme")) for number in range(8)]
        await asyncio.to_thread(slow.begun.acquire, timeout=20)
        assert slow.running == 1
        verified = [group.create_task(hasher.verify("encoded", "correct horse")) for _ in range(8)]
        # Only a loop that is not blocked comes here and sees both other threads at work.
        await asyncio.to_thread(lambda: [slow.begun.acquire(timeout=20) for _ in range(2)])
        assert slow.running == 3
        slow.release.set()
    assert [task.result() for task in made] == [f"password {number}" for number in range(8)]
    assert all(task.result() for task in verified)
    assert slow.most == 3


async def test_one_organisations_flood_of_new_passwords_holds_up_nobody(
    hasher: Argon2Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, done = SlowHashes(), list[str]()
    monkeypatch.setattr(hasher, "_hasher", slow)

    async def set_password(org: str) -> None:
        await hasher.hash("correct horse", org)
        done.append(org)

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(set_password("acme"))
        await asyncio.to_thread(slow.begun.acquire, timeout=20)
        group.create_task(set_password("other"))
        # Visitors don't wait for any of them.
        async with hasher.turn("link", "192.0.2.1"):
            pass
        slow.release.set()
    assert done.index("other") < 3
