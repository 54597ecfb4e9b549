"""The proxies that are compared: how each is started, and how a browser comes to hold its cookies."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2

from bench.browser import Jar
from bench.nginx import PROXYING, start_nginx
from bench.processes import NotReady, Server, free_ports, pinned
from bench.upstream import SESSION_COOKIE

_HERE = Path(__file__).parent
PASS_COOKIE = "guestpass"
_NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


class Candidate(ABC):
    """A proxy on one core; a context manager that ends what it started.

    `authorises` says whether it refuses requests without a pass.
    """

    name: str
    title: str
    authorises: bool

    def __init__(self, *, folder: Path, core: int, upstream_port: int) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.core = core
        self.upstream_port = upstream_port
        self.port, self.second_port = free_ports(2)
        self.servers: list[Server] = []
        self._exits = ExitStack()

    def __enter__(self) -> Candidate:
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

    @abstractmethod
    def start(self) -> None:
        """Start every process and return when they listen."""

    @abstractmethod
    def fill_jar(self) -> Jar:
        """Become a visitor; returns the cookies that a browser holds then."""


class Guestpass(Candidate):
    """`guestpass serve` with default settings, one environment of kind web, one token link."""

    name = "guestpass"
    title = "Guestpass"
    authorises = True

    def start(self) -> None:
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")} | {
            "GUESTPASS_DATA_DIR": str(self.folder / "data"),
            "GUESTPASS_LISTEN": f"127.0.0.1:{self.port}",
            "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{self.second_port}",
        }
        command = pinned(self.core, [sys.executable, "-m", "guestpass", "serve"])
        server = self.keep(Server(self.title, command, log=self.folder / "serve.log", environ=self._environ))
        server.wait_until_listening(("127.0.0.1", self.second_port))

    def fill_jar(self) -> Jar:
        with httpx2.Client(headers=_NAVIGATION) as browser:
            opened = browser.get(self._share_url())
            if opened.status_code != 303:
                raise NotReady(f"Opening the link answered {opened.status_code} instead of 303: {opened.text[:500]}")
            browser.get(self.origin + opened.headers["Location"]).raise_for_status()
            cookies = dict(browser.cookies)
        session = next((name for name in cookies if name.endswith(SESSION_COOKIE)), SESSION_COOKIE)
        return Jar({name: value.strip('"') for name, value in cookies.items()}, session)

    def _share_url(self) -> str:
        command = [sys.executable, "-m", "guestpass", "token", "--sub", "bench"]
        token = subprocess.run(command, env=self._environ, capture_output=True, text=True, timeout=30, check=True)
        bearer = token.stdout.strip()
        admin = f"http://127.0.0.1:{self.second_port}"
        with httpx2.Client(base_url=admin, headers={"Authorization": f"Bearer {bearer}"}) as owner:
            environment = {
                "id": "bench",
                "name": "Bench",
                "kind": "web",
                "url": f"http://127.0.0.1:{self.upstream_port}",
            }
            _created(owner.post("/api/environments", json=environment))
            link = _created(owner.post("/api/environments/bench/share", json={"shareType": "token"}))
        return str(link["url"])


class NginxPlain(Candidate):
    """nginx as a reverse proxy that asks nobody: the reference."""

    name = "nginx"
    title = "nginx plain"
    authorises = False

    def start(self) -> None:
        servers = f"""\
    upstream application {{
        server 127.0.0.1:{self.upstream_port};
        keepalive 128;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=1024;
        location / {{
{PROXYING}
            proxy_pass http://application;
        }}
    }}"""
        self.keep(start_nginx(self.title, servers, folder=self.folder / "nginx", core=self.core, port=self.port))

    def fill_jar(self) -> Jar:
        return _plain_jar(self.origin, _foreign_pass())


class NginxAuthRequest(Candidate):
    """nginx that asks a small Python application about each request."""

    name = "auth_request"
    title = "nginx auth_request"
    authorises = True

    def start(self) -> None:
        self._pass = _foreign_pass()
        socket = self.folder / "auth.sock"
        command = [sys.executable, "-m", "uvicorn", "auth_app:application", "--uds", str(socket)]
        command += ["--app-dir", str(_HERE)]
        command += ["--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "off"]
        command += ["--no-access-log", "--log-level", "warning", "--no-server-header", "--no-date-header"]
        command += ["--no-proxy-headers", "--timeout-keep-alive", "75"]
        environ = os.environ | {"BENCH_PASSES": json.dumps({self._pass: "application"})}
        service = self.keep(
            Server("the auth app", pinned(self.core, command), log=self.folder / "auth.log", environ=environ)
        )
        service.wait_until_listening(socket)
        servers = f"""\
    upstream auth {{
        server unix:{socket};
        keepalive 128;
    }}
    upstream application {{
        server 127.0.0.1:{self.upstream_port};
        keepalive 128;
    }}
    # nginx can't edit a cookie: what stands before and behind the pass is joined again.
    map $http_cookie $cookie_upstream {{
        default $http_cookie;
        "~^(?<before>.*?;\\s*)??{PASS_COOKIE}=[^;]*(?:;\\s*(?<after>.*))?$" $before$after;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=1024;
        location = /-/auth {{
            internal;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_pass_request_headers off;
            proxy_set_header Content-Length "";
            proxy_set_header Cookie $http_cookie;
            proxy_pass http://auth/;
        }}
        location / {{
            auth_request /-/auth;
            auth_request_set $environment $upstream_http_x_environment;
{PROXYING}
            proxy_set_header Cookie $cookie_upstream;
            proxy_pass http://$environment;
        }}
    }}"""
        self.keep(start_nginx(self.title, servers, folder=self.folder / "nginx", core=self.core, port=self.port))

    def fill_jar(self) -> Jar:
        return _plain_jar(self.origin, self._pass)


CANDIDATES: dict[str, type[Candidate]] = {kind.name: kind for kind in (NginxPlain, NginxAuthRequest, Guestpass)}


def _foreign_pass() -> str:
    """A value as long as one of our own passes."""
    return f"1.{secrets.token_hex(8)}.1.{secrets.token_urlsafe(16)}.1790000000.{secrets.token_urlsafe(32)}"


def _plain_jar(origin: str, visitor_pass: str) -> Jar:
    """The pass, and what the application itself sets."""
    with httpx2.Client(cookies={PASS_COOKIE: visitor_pass}) as browser:
        browser.get(origin).raise_for_status()
        cookies = {name: value.strip('"') for name, value in dict(browser.cookies).items()}
    return Jar({PASS_COOKIE: visitor_pass} | cookies, SESSION_COOKIE)


def _created(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code != 201:
        raise NotReady(f"Guestpass answered {answer.status_code} instead of 201: {answer.text[:500]}")
    created: dict[str, Any] = answer.json()
    return created
