"""What all candidates have in common."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx2
from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined

from bench.browser import Jar
from bench.machine import Cores
from bench.processes import NotReady, Server, free_ports, pinned
from bench.upstream import SESSION_COOKIE, Environment

PASS_COOKIE = "guestpass"
_START_SECONDS = 60
_BENCH = Path(__file__).parents[1]
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
# Configurations, in which nothing has to be escaped as it would in a page.
_TEMPLATES = Templates(
    loader=FileSystemLoader(_BENCH / "configurations"), undefined=StrictUndefined, keep_trailing_newline=True
)


class Candidate(ABC):
    """A proxy on its cores; a context manager that ends what it started.

    `programs` are those that it needs; `authorises` says whether it refuses requests without a pass and chooses the
    environment by the pass; `appends_forwarded_for` that it adds to an X-Forwarded-For of the visitor's instead of
    replacing it.
    """

    name: str
    title: str
    programs: tuple[str, ...] = ()
    authorises = True
    appends_forwarded_for = False

    def __init__(self, *, folder: Path, cores: Cores, environments: Sequence[Environment], workers: int = 1) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.cores = cores.proxy
        self.environments = environments
        self.workers = workers
        self.port, self.second_port = free_ports(2)
        self.servers: list[Server] = []
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            self._exits = exits
            self.start()
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def origin(self) -> str:
        """Where visitors reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        """All its processes, an authorisation service's included."""
        return [pid for server in self.servers for pid in server.pids]

    def keep(self, server: Server) -> Server:
        """Count a server as part of this candidate, and end it with it."""
        self.servers.append(self._exits.enter_context(server))
        return server

    def run(self, command: Sequence[str], address: tuple[str, int] | Path, *, log: str = "log") -> None:
        """Start a server of this candidate on its cores and return when it listens."""
        server = self.keep(Server(self.title, pinned(self.cores, command), log=self.folder / log))
        server.wait_until_listening(address)

    @abstractmethod
    def start(self) -> None:
        """Start every process and return when they listen."""

    @abstractmethod
    def visit(self, environment: Environment) -> Jar:
        """Become a visitor of an environment; returns the cookies that a browser holds then."""

    @abstractmethod
    def version(self) -> str:
        """Its version."""


class Peer(Candidate):
    """A proxy that is configured with files, and knows one pass for each environment."""

    def __init__(self, *, folder: Path, cores: Cores, environments: Sequence[Environment], workers: int = 1) -> None:
        super().__init__(folder=folder, cores=cores, environments=environments, workers=workers)
        self.passes = {self.make_pass(environment): environment for environment in environments}

    def make_pass(self, _: Environment) -> str:
        """A value as long as one of Guestpass's own."""
        return f"1.{secrets.token_hex(8)}.1.{secrets.token_urlsafe(16)}.1790000000.{secrets.token_urlsafe(32)}"

    def render(self, template: str, **values: object) -> str:
        """One of the files in `configurations`, filled in."""
        known = {
            "environments": self.environments,
            "folder": self.folder,
            "pass_cookie": PASS_COOKIE,
            "port": self.port,
        }
        return _TEMPLATES.get_template(template).render(known | values)

    def write(self, file: str, template: str, **values: object) -> Path:
        """The path of a filled-in configuration."""
        path = self.folder / file
        path.write_text(self.render(template, **values))
        return path

    def start_auth_service(
        self, name_of: Callable[[Environment], str], *, at: tuple[str, int] | Path, edits_cookie: bool
    ) -> None:
        """Start the service that is asked about each request; `name_of` is what it answers for an environment."""
        command = [sys.executable, "-m", "uvicorn", "auth_app:application", "--app-dir", str(_BENCH)]
        command += ["--uds", str(at)] if isinstance(at, Path) else ["--host", at[0], "--port", str(at[1])]
        command += ["--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "off"]
        command += ["--no-access-log", "--log-level", "warning", "--no-server-header", "--no-date-header"]
        command += ["--no-proxy-headers", "--timeout-keep-alive", "75"]
        environ = os.environ | {
            "BENCH_PASSES": json.dumps({value: name_of(environment) for value, environment in self.passes.items()}),
            "BENCH_COOKIE": "less-pass" if edits_cookie else "",
        }
        log = self.folder / "auth.log"
        service = self.keep(Server("the auth app", pinned(self.cores, command), log=log, environ=environ))
        service.wait_until_listening(at)

    def visit(self, environment: Environment) -> Jar:
        """The pass, and what the application itself sets."""
        value = next(value for value, other in self.passes.items() if other == environment)
        with httpx2.Client(cookies={PASS_COOKIE: value}) as browser:
            browser.get(self.origin).raise_for_status()
            cookies = {name: value.strip('"') for name, value in dict(browser.cookies).items()}
        return Jar({PASS_COOKIE: value} | cookies, SESSION_COOKIE)


def wait_until_answered(url: str, cookies: Mapping[str, str]) -> None:
    """Return when a server that listens answers with 200, too; raises NotReady when it does not within a minute."""
    deadline = time.monotonic() + _START_SECONDS
    with httpx2.Client(cookies=dict(cookies), timeout=_START_SECONDS) as client:
        while True:
            try:
                answer: object = client.get(url).status_code
            except httpx2.TransportError as error:
                answer = error
            if answer == 200:
                return
            if time.monotonic() > deadline:
                raise NotReady(f"{url} does not answer with 200: {answer}")
            time.sleep(0.05)


def version_told_by(command: Sequence[str]) -> str:
    """The first thing that looks like a version in what a command prints; raises NotReady where nothing does."""
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = _VERSION.search(told.stdout + told.stderr)
    if found is None:
        raise NotReady(f"{command[0]} does not tell its version: {told.stdout}{told.stderr}")
    return found[0]
