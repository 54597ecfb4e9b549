"""``guestpass serve`` without a supervisor: a worker that is alone, as `make run` has one, for tests to fork."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from guestpass import serve
from guestpass.cli.stopping import stopping
from guestpass.settings import Settings, load
from guestpass.web.dashboard.application import create_dashboard
from guestpass.wiring import Core
from guestpass.worker import Preloaded, preload

# What takes longest to make. Whoever imports this has it, and who is forked from there need not make it again.
_PRELOADED: Final = preload(Settings())


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    os.umask(0o077)
    setattr(serve, "preload", preloaded)  # noqa: B010  # it is imported there, and no part of the module
    return stopping(lambda: serve.run(load().settings, _started))


def preloaded(settings: Settings) -> Preloaded:
    """What a worker has loaded, without its taking long."""
    return replace(_PRELOADED, dashboard=create_dashboard(settings.admin_url))


async def _started(_core: Core) -> None:
    """Whoever waits asks for ``/readyz``."""
