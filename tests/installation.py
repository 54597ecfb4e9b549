"""A real installation: ``guestpass serve`` in a process of its own, with its own folder and ports."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
from tests import preloaded
from tests.markers import starts
from tests.ports import reserved_ports
from tests.storage.migrated import new_database

START_SECONDS = 120.0
SERVE = ("-m", "guestpass", "serve")


class Installation:
    """One running server and an owner's client for its API."""

    def __init__(
        self,
        environ: Mapping[str, str],
        public_port: int,
        admin_port: int,
        log: Path,
        trust: ssl.SSLContext | None = None,
        before: Sequence[str] = (),
        program: Sequence[str] = SERVE,
        *,
        forked: str | None = None,
    ) -> None:
        self.environ = dict(environ)
        self._command = (*before, sys.executable, *program)
        self.forked = forked
        """What was forked instead of an interpreter started with a program, see `tests/preloaded.py`."""
        self.verify = trust or True
        scheme = "https" if trust else "http"
        self.public_port = public_port
        self.admin_port = admin_port
        self.public_url = environ.get("GUESTPASS_PUBLIC_URL", f"{scheme}://127.0.0.1:{public_port}")
        # Tests come by its own listener, whatever ADMIN_URL says of a proxy in front.
        self.admin_url = f"{scheme}://localhost:{admin_port}"
        self.log_file = log
        self.process: asyncio.subprocess.Process | preloaded.Server
        self.client: httpx2.AsyncClient

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self.log_file.read_text()

    async def start(self) -> None:
        """Start the server and wait until it is ready."""
        with self.log_file.open("ab") as log:
            if self.forked:
                self.process = await asyncio.to_thread(preloaded.start_server, self.forked, self.environ, log.fileno())
            else:
                self.process = await asyncio.create_subprocess_exec(
                    *self._command, env=self.environ, stdout=log, stderr=log
                )
        async with httpx2.AsyncClient(verify=self.verify) as client:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    assert self.process.returncode is None, f"the server ended at once: {self.log}"
                    try:
                        answer = await client.get(f"{self.admin_url}/readyz")
                        if answer.status_code == 200:
                            return
                    except httpx2.TransportError:
                        pass
                    await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """Ask the server to end; returns its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            return await self.process.wait()

    async def command(self, *arguments: str) -> str:
        """Run ``guestpass ARGUMENTS`` beside the server and return what it prints."""
        process = await asyncio.to_thread(preloaded.run, arguments, self.environ)
        assert process.returncode == 0, process.stderr
        return process.stdout

    async def add_environment(self, **fields: Any) -> dict[str, Any]:
        """Register an environment through the API."""
        answer = await self.client.post("/api/environments", json=fields)
        assert answer.status_code == 201, answer.text
        environment: dict[str, Any] = answer.json()
        return environment

    async def create_link(self, environment_id: str, **fields: Any) -> dict[str, Any]:
        """Make a link through the API; fields as in the contract."""
        answer = await self.client.post(f"/api/environments/{environment_id}/share", json=fields)
        assert answer.status_code == 201, answer.text
        link: dict[str, Any] = answer.json()
        return link

    async def links(self, environment_id: str) -> list[dict[str, Any]]:
        """The links of an environment, as the API lists them."""
        answer = await self.client.get(f"/api/environments/{environment_id}/share")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["shareLinks"]
        return found

    async def deactivate(self, environment_id: str, link_id: str) -> None:
        """Switch a link off through the API."""
        answer = await self.client.delete(f"/api/environments/{environment_id}/share/{link_id}")
        assert answer.status_code == 200, answer.text


@starts("slow")
@asynccontextmanager
async def installation(
    *,
    link_domain: str | None = None,
    workers: int | None = None,
    trust: ssl.SSLContext | None = None,
    before: Sequence[str] = (),
    program: Sequence[str] | None = None,
    **settings: str,
) -> AsyncIterator[Installation]:
    """A running server; `settings` by their lower-case names (``max_link_lifetime="2h"``).

    So many `workers` are kept by a supervisor, as ``guestpass serve`` does it. Where nothing is said of them there is
    one without a supervisor, which is the same for visitors and owners. Either is forked, which takes a tenth of the
    time, unless there is a `program` for an interpreter of its own (`SERVE` to load what is installed), something that
    its command begins with (`before`), or a PYTHONPATH. `trust` is what its certificate is checked with, where it has
    one.
    """
    with TemporaryDirectory(prefix="guestpass-test-") as folder, reserved_ports(2) as [public_port, admin_port]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")}
        environ |= {
            "GUESTPASS_DATA_DIR": f"{folder}/data",
            "GUESTPASS_LISTEN": f"127.0.0.1:{public_port}",
            "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
            "GUESTPASS_LOG_FORMAT": "json",
            "GUESTPASS_WORKERS": str(workers or 1),
        }
        if link_domain:
            environ["GUESTPASS_LINK_DOMAIN"] = link_domain
        environ |= {f"GUESTPASS_{name.upper()}": value for name, value in settings.items()}
        # What is loaded already has not seen the modules that a test puts in front.
        own = before or program or environ.get("PYTHONPATH")
        forked = None if own else "alone" if workers is None else "supervised"
        if "database_url" not in settings and not before:
            # To migrate it anew would take as long as all the rest.
            (Path(folder) / "data").mkdir(0o700)
            new_database(Path(folder) / "data")
        server = Installation(
            environ, public_port, admin_port, Path(folder) / "serve.log", trust, before, program or SERVE, forked=forked
        )
        await server.start()
        try:
            bearer = (await server.command("token", "--sub", "owner@example.com")).strip()
            async with httpx2.AsyncClient(
                base_url=server.admin_url,
                headers={"Authorization": f"Bearer {bearer}"},
                timeout=30,
                verify=server.verify,
            ) as server.client:
                yield server
        finally:
            await server.stop()
