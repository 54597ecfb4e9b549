"""Guestpass."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import httpx2

from bench.browser import Jar
from bench.candidates.candidate import Candidate, wait_until_answered
from bench.installing import installed
from bench.processes import NotReady, Server, pinned
from bench.upstream import SESSION_COOKIE, Environment
from guestpass import __version__

_UNREACHED = "1000000000/minute"
_NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


class Guestpass(Candidate):
    """`guestpass serve`; environments, and a token link for each that is visited.

    Settings are the default ones, but for how many requests one address and one link may send: the load is all from
    one address. They are counted all the same.
    """

    name = "guestpass"
    title = "Guestpass"
    environment_fields: Mapping[str, Any] = {"kind": "web"}
    link_fields: Mapping[str, Any] = {}

    @property
    def _python(self) -> str:
        return sys.executable

    def start(self) -> None:
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")} | {
            "GUESTPASS_DATA_DIR": str(self.folder / "data"),
            "GUESTPASS_LISTEN": f"127.0.0.1:{self.port}",
            "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{self.second_port}",
            "GUESTPASS_REQUESTS_PER_ADDRESS": _UNREACHED,
            "GUESTPASS_REQUESTS_PER_LINK": _UNREACHED,
        }
        command = [self._python, "-m", "guestpass", "serve", "--workers", str(self.workers)]
        log = self.folder / "serve.log"
        server = self.keep(Server(self.title, pinned(self.cores, command), log=log, environ=self._environ))
        server.wait_until_listening(("127.0.0.1", self.second_port))
        wait_until_answered(f"http://127.0.0.1:{self.second_port}/readyz", {})
        self._owner = self._exits.enter_context(self._sign_in())
        for environment in self.environments:
            _created(
                self._owner.post(
                    "/api/environments",
                    json={
                        "id": environment.name,
                        "name": environment.name,
                        "url": f"http://127.0.0.1:{environment.port}",
                        **self.environment_fields,
                    },
                )
            )

    def visit(self, environment: Environment) -> Jar:
        terms = {"shareType": "token", **self.link_fields}
        link = _created(self._owner.post(f"/api/environments/{environment.name}/share", json=terms))
        with httpx2.Client(headers=_NAVIGATION) as browser:
            opened = browser.get(link["url"])
            if opened.status_code != 303:
                raise NotReady(f"Opening the link answered {opened.status_code} instead of 303: {opened.text[:500]}")
            browser.get(self.origin + opened.headers["Location"]).raise_for_status()
            cookies = dict(browser.cookies)
        session = next((name for name in cookies if name.endswith(SESSION_COOKIE)), None)
        return Jar({name: value.strip('"') for name, value in cookies.items()}, session)

    def version(self) -> str:
        return __version__

    def _sign_in(self) -> httpx2.Client:
        command = [self._python, "-m", "guestpass", "token", "--sub", "bench"]
        token = subprocess.run(command, env=self._environ, capture_output=True, text=True, timeout=30, check=True)
        admin = f"http://127.0.0.1:{self.second_port}"
        return httpx2.Client(base_url=admin, headers={"Authorization": f"Bearer {token.stdout.strip()}"}, timeout=30)


class GuestpassCompiled(Guestpass):
    """The same from the wheel whose gateway is compiled."""

    name = "guestpass_compiled"
    title = "Guestpass, compiled"
    programs = ("guestpass-compiled",)

    @property
    def _python(self) -> str:
        return installed("guestpass-compiled")


def _created(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code != 201:
        raise NotReady(f"Guestpass answered {answer.status_code} instead of 201: {answer.text[:500]}")
    created: dict[str, Any] = answer.json()
    return created
