"""What the supervisor starts: one worker on listeners that it inherits (``python -m guestpass.worker_process``).

It is a program of its own and no fork, so that a replacement runs what is installed and set by then.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path

import structlog

from guestpass import serve, telemetry
from guestpass.cli.session import installation
from guestpass.cli.stopping import stopping
from guestpass.settings import Listen, load
from guestpass.wiring import prepare


def main() -> int:
    """Serve until told to end; returns the exit status, as `guestpass serve` does."""
    os.umask(0o077)
    # It is the supervisor who acts on it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="guestpass.worker_process")
    for descriptor in ("--public", "--admin", "--line"):
        parser.add_argument(descriptor, type=int, required=True, help="the descriptor of an inherited socket")
    parser.add_argument("--slot", type=int, required=True, help="which of the workers this is, in the log")
    parser.add_argument("--workers", type=int, required=True, help="how many share this machine")
    parser.add_argument("--folder", type=Path, required=True, help="a folder for this worker's own socket")
    parser.add_argument("--prepare", action="store_true", help="make what is missing and upgrade the database first")
    return stopping(lambda: _work(parser.parse_args()))


def _work(given: argparse.Namespace) -> int:
    public, admin = socket.socket(fileno=given.public), socket.socket(fileno=given.admin)
    # Whatever the settings have become meanwhile, it is these addresses that it listens on.
    settings = load().settings.model_copy(
        update={name: Listen(*each.getsockname()[:2]) for name, each in (("listen", public), ("admin_listen", admin))}
    )
    telemetry.configure(settings.log_format.value)
    if given.workers > 1:
        structlog.contextvars.bind_contextvars(worker=given.slot)
    place = serve.WorkerPlace(
        public=public,
        admin=admin,
        workers=given.workers,
        desk=given.folder / f"{os.getpid()}.sock",
    )
    with installation():
        if given.prepare:
            prepare(settings)
        return serve.work(settings, place, socket.socket(fileno=given.line))


if __name__ == "__main__":
    sys.exit(main())
