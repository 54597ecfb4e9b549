"""One machine that serves, as a load balancer and its owner see it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx2
from tests.machines.places import Place

READY_WITHIN = 120.0


class Machine:
    """``guestpass serve`` with a data directory of its own; `names` are the hosts of PUBLIC_URL and ADMIN_URL."""

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
            "GUESTPASS_TRUSTED_PROXIES": place.neighbour,
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
        try:
            async with asyncio.timeout(READY_WITHIN):
                while await self.readiness() != 200:
                    assert self._process.returncode is None, f"it ended at once: {self.log}"
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise TimeoutError(f"{self.admin_url} was not ready in time: {self.log}") from None

    async def readiness(self) -> int | None:
        """What it tells a load balancer: 200 for visitors, 503 for none; None where it says nothing in time."""
        # Neither a certificate nor a proxy is needed, and reading the system's certificates would take a while.
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=5) as client:
            try:
                answer = await client.get(f"{self.admin_url}/readyz", headers={"Host": self._names[1]})
            except httpx2.TransportError:
                return None
        return answer.status_code

    async def kill(self) -> None:
        """End it and its workers at once, without a word to anybody."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """End it in order, where it runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            async with asyncio.timeout(60):
                await self._process.wait()

    async def command(self, *arguments: str) -> str:
        """Run a command there and return what it prints."""
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
