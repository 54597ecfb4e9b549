"""One worker of Guestpass on one core, with as many environments and links as are wanted, and where they lead."""

from __future__ import annotations

import base64
import http.client
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import insert

from bench.machine import resident_bytes, workers_among
from bench.processes import NotReady, Server, free_ports, pinned
from guestpass.settings import Settings
from guestpass.signing.keys import Keys
from guestpass.signing.tokens import SealedTokens
from guestpass.storage import migrate, tables
from guestpass.storage.connecting import writing
from guestpass.storage.location import locate
from guestpass.system import SystemEntropy

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
_BATCH = 5000
_READY_SECONDS = 60.0
# More than any of these rooms asks for: what is measured is not how one address is held off.
_LIMITS = {
    "CONNECTIONS": "20000",
    "CONNECTIONS_PER_ADDRESS": "20000",
    "CONNECTIONS_PER_LINK": "20000",
    "REQUESTS_PER_ADDRESS": "1000000/minute",
    "REQUESTS_PER_LINK": "1000000/minute",
}


class Stand:
    """The application behind the links, in a process of its own; a context manager that ends it."""

    def __init__(self, folder: Path, core: int, *, niceness: int = 0) -> None:
        (self.port,) = free_ports(1)
        command = ["nice", "-n", str(niceness), sys.executable, "-m", "bench.scale.stand", str(self.port)]
        self.server = Server("the application", pinned([core], command), log=folder / f"stand-{self.port}.log")
        self.server.wait_until_listening(("127.0.0.1", self.port))

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()


class Installation:
    """A database with `environments` and `links`, written at once, and the tokens that open these links.

    `environment_fields` and `link_fields` differ from the usual ones, for one after the other in turn.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environments: int,
        links: int,
        upstream_port: int,
        environment_fields: Sequence[Mapping[str, Any]] = ({},),
        link_fields: Sequence[Mapping[str, Any]] = ({},),
    ) -> None:
        folder.mkdir()
        self.folder = folder
        self._secret = secrets.token_urlsafe(48)
        url = f"sqlite:///{folder / 'guestpass.db'}"
        self._url = url
        migrate.upgrade(url)
        vault = SealedTokens(Keys.from_secret(self._secret), SystemEntropy())
        self.tokens = [vault.new() for _ in range(links)]
        with writing(locate(url)) as connection:
            for rows in _batches(
                {**_environment(number, upstream_port), **environment_fields[number % len(environment_fields)]}
                for number in range(environments)
            ):
                connection.execute(insert(tables.environments), rows)
            ids = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in self.tokens]
            for rows in _batches(
                {**_link(id, number % environments), "access": "full", **link_fields[number % len(link_fields)]}
                for number, id in enumerate(ids)
            ):
                connection.execute(insert(tables.links), rows)
            made = (
                {"token_hash": vault.hash(token), "link_id": id, "sealed": vault.seal(token, id), "created_at": _now()}
                for id, token in zip(ids, self.tokens, strict=True)
            )
            for rows in _batches(made):
                connection.execute(insert(tables.link_tokens), rows)

    def serve(self, core: int) -> RunningWorker:
        """Start one worker for it."""
        return RunningWorker(self.folder, self._url, self._secret, core)


class RunningWorker:
    """A running worker; `seconds_to_ready` from the command to the first right answer of /readyz."""

    def __init__(self, folder: Path, database_url: str, secret: str, core: int) -> None:
        self.port, admin_port = free_ports(2)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")} | {
            "GUESTPASS_DATA_DIR": str(folder / "data"),
            "GUESTPASS_DATABASE_URL": database_url,
            "GUESTPASS_SECRET_KEY": secret,
            "GUESTPASS_LISTEN": f"127.0.0.1:{self.port}",
            "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
            **{f"GUESTPASS_{name}": value for name, value in _LIMITS.items() if name.lower() in Settings.model_fields},
        }
        command = [sys.executable, "-m", "guestpass", "serve", "--workers", "1"]
        began = time.monotonic()
        self._server = Server("Guestpass", pinned([core], command), log=folder / "serve.log", environ=environ)
        try:
            self._wait_until_ready(admin_port, folder / "serve.log")
        except BaseException:
            self._server.stop()
            raise
        self.seconds_to_ready = time.monotonic() - began

    def __enter__(self) -> RunningWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def origin(self) -> str:
        """Where visitors reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def worker_pid(self) -> int:
        """The process that serves."""
        [worker] = workers_among(self._server.pids)
        return worker

    @property
    def resident_bytes(self) -> int:
        """Memory of the worker (RSS)."""
        return resident_bytes(self.worker_pid)

    def forget_peak(self) -> None:
        """Let `peak_bytes` begin with what there is now."""
        Path(f"/proc/{self.worker_pid}/clear_refs").write_text("5")

    @property
    def peak_bytes(self) -> int:
        """The most memory that the worker has had."""
        status = Path(f"/proc/{self.worker_pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def times(self, cookie: str) -> Iterator[float]:
        """Seconds of each request of 1 KB, one after the other on one connection, for as long as they are taken."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as browser:
            browser.connect()
            while True:
                began = time.perf_counter()
                browser.request("GET", "/small", headers={"Cookie": cookie})
                answer = browser.getresponse()
                body = answer.read()
                took = time.perf_counter() - began
                if answer.status != 200 or len(body) != 1024:
                    raise NotReady(f"A request answered {answer.status} with {len(body)} bytes.")
                yield took

    def open(self, token: str) -> str:
        """Open a link as a browser does; returns its pass as a Cookie field."""
        with httpx2.Client(base_url=self.origin, headers=NAVIGATION) as browser:
            answer = browser.get(f"/share/{token}")
            if answer.status_code != 303:
                raise NotReady(f"Opening a link answered {answer.status_code} instead of 303: {answer.text[:300]}")
            return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)

    def _wait_until_ready(self, port: int, log: Path) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        with closing(httpx2.Client()) as client:
            while True:
                try:
                    if client.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                if time.monotonic() > deadline or not self._server.pids:
                    raise NotReady(f"Guestpass did not get ready: {log.read_text()[-2000:]}")
                time.sleep(0.01)


def _now() -> datetime:
    return datetime.now(UTC)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _environment(number: int, port: int) -> dict[str, Any]:
    return {
        "org": "default",
        "id": f"environment{number}",
        "name": f"Environment {number}",
        "url": f"http://127.0.0.1:{port}",
        "kind": "web",
        "tls_verify": True,
        "body_limit": 4 * 1024**3,
        "response_timeout": timedelta(minutes=10),
        "revision": 1,
        "created_at": _now(),
        "created_by": "bench",
    }


def _link(id: str, environment: int) -> dict[str, Any]:
    return {
        "id": id,
        "org": "default",
        "environment_id": f"environment{environment}",
        "share_type": "token",
        "version": 1,
        "created_at": _now(),
        "created_by": "bench",
        "expires_at": _now() + timedelta(days=30),
        "visits": 0,
        "visitors": 0,
        "label_key": "\U0010ffff",
        "searched": id,
    }
