"""Prepare, preload and run a worker, as called by the fork server."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Final

import structlog

from guestpass import serve, telemetry, wiring, worker
from guestpass.cli.session import installation
from guestpass.forking import ForkRequest
from guestpass.languages.language import load_languages
from guestpass.settings import Listen, Settings
from guestpass.storage.migrate import known_revisions
from guestpass.worker import Preloaded

_NEEDED_LATE: Final = ("guestpass.web.logo_resize",)
_NEEDED_FOR_POSTGRES: Final = ("psycopg", "guestpass.storage.patient_cursor", "guestpass.storage.feed.postgres")


def prepare(settings: Settings) -> int:
    """Create what a first start needs and upgrade the database; return the exit status, and raise as commands do."""
    telemetry.configure(settings.log_format.value)
    with installation():
        wiring.prepare(settings)
    return 0


def preload(settings: Settings) -> Preloaded:
    """Load all that a worker may need later, since an upgrade may replace the files."""
    for name in _NEEDED_LATE + (_NEEDED_FOR_POSTGRES if settings.uses_postgresql else ()):
        import_module(name)
    load_languages()
    known_revisions()
    return worker.preload(settings)


def work(
    settings: Settings,
    preloaded: Preloaded,
    request: ForkRequest,
    public: socket.socket,
    admin: socket.socket,
    line: socket.socket,
) -> int:
    """Serve until the supervisor ends it; return the exit status, and raise as commands do."""
    # A process group of its own, so that Ctrl-C and signals to the fork server's group don't reach it.
    os.setpgid(0, 0)
    with suppress(OSError):
        # The name in ps, top and the kernel's log; Linux only.
        Path("/proc/self/comm").write_text(f"guestpass-w{request.slot}", encoding="ascii")
    # The listeners' addresses count, whatever the settings are by now.
    settings = settings.model_copy(
        update={name: Listen(*each.getsockname()[:2]) for name, each in (("listen", public), ("admin_listen", admin))}
    )
    telemetry.configure(settings.log_format.value)
    if request.workers > 1:
        structlog.contextvars.bind_contextvars(worker=request.slot)
    slot = serve.WorkerSlot(
        public=public,
        admin=admin,
        workers=request.workers,
        application=Path(request.folder) / f"{os.getpid()}.sock",
        logs_for_server=request.slot == 0,
    )
    with installation():
        return serve.work(settings, slot, preloaded, line)


if __name__ == "__main__":
    # A supervisor of a version that does not fork (docs/decisions/0039) runs this module at SIGHUP. Where that fails,
    # its workers go on.
    sys.exit("guestpass: this version needs a restart instead of a reload: systemctl restart guestpass")
