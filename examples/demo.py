"""What ``make run`` starts: a whole installation with a sample application and two links, gone when it ends.

However it ends: by Ctrl-C, SIGTERM or a terminal that is closed (SIGHUP), also while it starts. Where it is killed, the
sample ends by itself.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from guestpass import serve
from guestpass.app.environments import NewEnvironment
from guestpass.app.links import NewLink
from guestpass.domain.access import Principal
from guestpass.domain.environment import Kind
from guestpass.domain.errors import GuestpassError
from guestpass.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from guestpass.wiring import Core

_PORTS: Final = range(8080, 8180)
_OWNER: Final = Principal("demo")
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 10.0


def main() -> int:
    """Start everything, print the links, serve until Ctrl-C; returns the exit status."""
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGHUP, _hang_up)
    with tempfile.TemporaryDirectory(prefix="guestpass-demo-") as folder:
        try:
            ports = _ports()
            environ = {
                "GUESTPASS_LISTEN": f"127.0.0.1:{ports[0]}",
                "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{ports[1]}",
                "GUESTPASS_LOG_FORMAT": "console",
                **os.environ,
                # A trial must not touch an installation that this machine may have.
                "GUESTPASS_DATA_DIR": folder,
                "GUESTPASS_DATABASE_URL": f"sqlite:///{folder}/guestpass.db",
            }
            settings = load(environ, system_file=Path(folder) / "none.toml").settings
            with _sample(ports[2]) as url:

                async def show(core: Core) -> None:
                    await _show(core, url)

                try:
                    status = serve.run(settings, show)
                finally:
                    # What is left to do takes a second, and another Ctrl-C must not leave half of it.
                    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                        signal.signal(number, signal.SIG_IGN)
        except (GuestpassError, SettingsError) as error:
            typer.echo(f"guestpass: {error}", err=True)
            return 2
    typer.echo("Stopped; the sample and its links are gone.")
    return status


def _stop(number: int, _frame: FrameType | None) -> None:
    """End what has begun; once it serves, the server itself listens to these signals."""
    raise SystemExit(128 + number)


def _hang_up(_number: int, _frame: FrameType | None) -> None:
    """End as by SIGTERM, without a word to a terminal that may be gone."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    signal.raise_signal(signal.SIGTERM)


async def _show(core: Core, sample_url: str) -> None:
    """Register the sample, make both links, and print what a newcomer needs."""
    environment = await core.environments.add(
        _OWNER, NewEnvironment(id="sample", name="Sample application", url=sample_url, kind=Kind.WEB)
    )
    password = secrets.token_urlsafe(9)
    open_link = await core.links.create(_OWNER, environment.id, NewLink(label="For anyone with the link"))
    protected = await core.links.create(
        _OWNER, environment.id, NewLink(label="For those who know the password", password=password)
    )
    invitation = await core.dashboard_sessions.invite(_OWNER)
    bearer = core.bearer.issue(_OWNER, now=core.clock.now(), lifetime=timedelta(hours=12))
    typer.echo(
        f"""
Guestpass is running. Open a link in a browser:

  Link                  {open_link.url}
  Link with a password  {protected.url}
  Its password          {password}

The dashboard, where links are made and watched (this address works once, within five minutes; after that paste the
bearer token at {core.settings.admin_url}):

  {core.settings.admin_url}/open/{invitation}

The API, and what it can do: {core.settings.admin_url}/api/docs
A bearer token for it:

  {bearer}

Make another link:

  curl -X POST {core.settings.admin_url}/api/environments/{environment.id}/share \\
    -H 'Authorization: Bearer {bearer}' \\
    -H 'Content-Type: application/json' -d '{{"expiresIn": "24h", "label": "For a client"}}'

Ctrl-C stops everything.
"""
    )


def _ports() -> tuple[int, int, int]:
    """Ports for visitors, owners and the sample: the usual ones, or the next that are free, and says so."""
    free = [port for port in _PORTS if _is_free(port)][:3]
    if len(free) < 3:
        raise GuestpassError(f"There are no three free ports from {_PORTS.start} to {_PORTS.stop - 1}; free some.")
    if free[:2] != [_PORTS.start, _PORTS.start + 1]:
        typer.echo(f"Port {_PORTS.start} or {_PORTS.start + 1} is taken; using {free[0]} and {free[1]}.")
    return free[0], free[1], free[2]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def _sample(port: int) -> Iterator[str]:
    """The sample application in a process of its own, as real environments are."""
    # Ctrl-C reaches the whole group; the sample must outlive the gateway that still drains to it.
    process = subprocess.Popen(  # noqa: S603 - our own module, and a number
        [sys.executable, "-m", "examples.sample.serve", "--port", str(port), "--until-input-ends"],
        start_new_session=True,
        stdin=subprocess.PIPE,
    )
    try:
        end = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > end:
                raise GuestpassError("The sample application did not start; its own message is above.")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("HEAD", "/")
        connection.getresponse()
    except OSError:
        return False
    finally:
        connection.close()
    return True


if __name__ == "__main__":
    sys.exit(main())
