"""One machine that serves, and people who come to it or to the load balancer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from tests.machines.places import Place

READY_WITHIN = 120.0


class Machine:
    """``guestpass serve`` with a data directory of its own."""

    def __init__(self, place: Place, folder: Path, settings: dict[str, str], *, names: tuple[str, str]) -> None:
        self.place = place
        self.public_url = f"http://{place.host}:{place.public_port}"
        self.admin_url = f"http://{place.host}:{place.admin_port}"
        self._names = names
        self._log = folder / "serve.log"
        folder.mkdir()
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")}
        self.environ |= {
            "GUESTPASS_DATA_DIR": str(folder / "data"),
            "GUESTPASS_LISTEN": f"{place.host}:{place.public_port}",
            "GUESTPASS_ADMIN_LISTEN": f"{place.host}:{place.admin_port}",
            "GUESTPASS_TRUSTED_PROXIES": place.gateway,
            "GUESTPASS_WORKERS": "1",
            "GUESTPASS_LOG_FORMAT": "json",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    async def start(self) -> None:
        """Start it and wait until it is ready for visitors."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.place.run,
                *(sys.executable, "-m", "guestpass", "serve"),
                env=self.environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(READY_WITHIN):
            while not await self.is_ready():
                assert self._process.returncode is None, f"it ended at once: {self.log}"
                await asyncio.sleep(0.1)

    async def is_ready(self) -> bool:
        """What a load balancer asks."""
        return await self._readiness() == 200

    async def is_blind(self) -> bool:
        """Whether it says that it must not serve visitors."""
        return await self._readiness() == 503

    async def _readiness(self) -> int | None:
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            try:
                answer = await client.get(f"{self.admin_url}/readyz", headers={"Host": self._names[1]})
            except httpx2.TransportError:
                return None
        return answer.status_code

    async def kill(self) -> None:
        """End it and its workers as a power failure does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.terminate()
            async with asyncio.timeout(60):
                await self._process.wait()

    async def command(self, *arguments: str) -> str:
        """Run a command there."""
        process = await asyncio.create_subprocess_exec(
            *self.place.run,
            *(sys.executable, "-m", "guestpass", *arguments),
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return out.decode()


@dataclass
class Guest:
    """A visitor with a pass, who asks at one address for as long as he is there."""

    url: str
    name: str
    cookie: str
    answers: int = 0
    trouble: list[str] = field(default_factory=list)

    async def ask(self, client: httpx2.AsyncClient) -> int:
        """Ask once; returns the status."""
        answer = await client.get(f"{self.url}/", headers={"Host": self.name, "Cookie": self.cookie})
        return answer.status_code

    async def stay(self) -> None:
        """Ask again and again until cancelled, and note what goes wrong and when."""
        began = time.monotonic()
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            while True:
                try:
                    status = await self.ask(client)
                except httpx2.TransportError as error:
                    self.trouble.append(f"{time.monotonic() - began:.1f} s: {error!r}")
                else:
                    self.answers += 1
                    if status != 200:
                        self.trouble.append(f"{time.monotonic() - began:.1f} s: {status}")
                await asyncio.sleep(0.05)


async def enter(link_url: str, at: str, name: str) -> Guest:
    """Open a link at this address."""
    path = link_url[len(f"http://{name}") :]
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
        answer = await client.get(f"{at}{path}", headers={"Host": name})
    assert answer.status_code == 200, answer.text
    return Guest(at, name, "; ".join(cookie.partition(";")[0] for cookie in answer.headers.get_list("set-cookie")))


@asynccontextmanager
async def staying(*guests: Guest) -> AsyncIterator[None]:
    """These visitors go on asking during the block: each must have been answered, and nobody have had any trouble."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(guest.stay()) for guest in guests]
        yield
        async with asyncio.timeout(60):
            while any(guest.answers < 5 and not guest.trouble for guest in guests):  # noqa: ASYNC110 -- as in `until`
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
    assert [guest.trouble for guest in guests] == [[] for _ in guests]
