"""Link passwords: Argon2id, computed by a few threads so that neither the event loop nor the memory suffers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager

import argon2

from guestpass.app.fair_queue import FairQueue


class Argon2Hasher:
    """Hashes with m=19456 KiB, t=2, p=1 (OWASP's first choice).

    Up to `concurrency` are verified at a time, and one is made, so that making many delays no visitor.
    """

    def __init__(self, concurrency: int = 2) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._to_verify, self._to_make = FairQueue(concurrency), FairQueue(1)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="argon2")
        self._making = ThreadPoolExecutor(1, thread_name_prefix="argon2-new")

    async def hash(self, password: str, org: str) -> str:
        """The encoded hash, once this organisation has its turn; raises TooManyWaiting."""
        async with self._to_make.turn(org, org):
            return await asyncio.get_running_loop().run_in_executor(self._making, self._hasher.hash, password)

    def turn(self, link_id: str, address: str) -> AbstractAsyncContextManager[None]:
        """Wait until `verify` can begin at once; raises TooManyWaiting."""
        return self._to_verify.turn(link_id, address)

    async def verify(self, encoded: str, password: str) -> bool:
        """Whether the password is right; raises for an encoded hash that is damaged."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, encoded, password)

    def close(self) -> None:
        """Let the threads go."""
        for threads in (self._threads, self._making):
            threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
