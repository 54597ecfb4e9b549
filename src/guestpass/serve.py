"""Serve: from settings and listening sockets to a running worker, and back to a clean end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from guestpass import telemetry
from guestpass.app.installation_findings import admin_beside_visitors
from guestpass.forking import READY, RETIRE
from guestpass.gateway.request_handler import RequestHandler
from guestpass.listeners import BACKLOG, listening
from guestpass.odoo.assets.folder import claim_folder
from guestpass.settings import Settings
from guestpass.storage.pruning import Pruning
from guestpass.storage.retention import VisitRetention
from guestpass.storage.write_watch import WriteWatch
from guestpass.tls import Certificate, Pair, warn_of_expiry
from guestpass.tls_listener import TlsListener
from guestpass.wire.client_connection import ClientConnection
from guestpass.wiring import Core, build_core, introduce, prepare
from guestpass.worker import OwnAnnouncer, Preloaded, Worker, build_worker, preload

Started = Callable[[Core], Awaitable[None]]
"""Called once when everything listens."""


# How long a worker that ends waits for writes under way.
_QUIET_SECONDS: Final = 5.0


class Orders:
    """Events that end a worker: `leaving` to accept nothing new, `stopping` if the whole server ends."""

    def __init__(self) -> None:
        self.leaving = asyncio.Event()
        self.stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)

    def stop(self) -> None:
        """End, as part of the whole server."""
        self.stopping.set()
        self.leaving.set()

    async def receive(self, reader: asyncio.StreamReader) -> None:
        """Receive orders from the supervisor until it is gone, which also ends the worker."""
        while line := await reader.readline():
            if line == RETIRE:
                self.leaving.set()
        self.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSlot:
    """A worker's listeners, the number of workers on the machine, and the path of its application's socket."""

    public: socket.socket
    admin: socket.socket
    workers: int
    application: Path
    logs_for_server: bool = True
    """Whether this worker logs what concerns the whole server."""


def run(settings: Settings, started: Started) -> int:
    """Serve in this process alone until SIGTERM or SIGINT and return the exit status.

    Raises GuestpassError where the start must stop: a port that is taken, a database or key that can't be used.
    """
    telemetry.configure(settings.log_format.value)
    with (
        # First of all: a second server on the same address must change nothing.
        listening(settings) as (public, admin),
        tempfile.TemporaryDirectory(prefix="guestpass-") as folder,
    ):
        prepare(settings)
        slot = WorkerSlot(public=public, admin=admin, workers=1, application=Path(folder) / "app.sock")
        uvloop.run(_serve_alone(settings, slot, preload(settings), started))
    return 0


def work(settings: Settings, slot: WorkerSlot, preloaded: Preloaded, line: socket.socket) -> int:
    """Serve as one of several workers until the supervisor ends it through `line`; return 0.

    Raises as `run` does, for what the supervisor has not checked before.
    """
    uvloop.run(_serve_supervised(settings, slot, preloaded, line))
    return 0


async def _serve_alone(settings: Settings, slot: WorkerSlot, preloaded: Preloaded, started: Started) -> None:
    log = telemetry.logger("guestpass.serve")

    async def log_started(core: Core) -> None:
        if (beside := admin_beside_visitors(settings.admin_url, core.addresses)) is not None:
            log.warning(beside.code, effect=beside.detail, remedy=beside.remedy)
        log.info(
            "serving", public_url=settings.public_url, admin_url=settings.admin_url, link_domain=settings.link_domain
        )
        await started(core)

    await _serve(settings, slot, preloaded, Orders(), log_started)
    log.info("stopped")


async def _serve_supervised(settings: Settings, slot: WorkerSlot, preloaded: Preloaded, line: socket.socket) -> None:
    orders = Orders()
    reader, writer = await asyncio.open_connection(sock=line)

    async def notify_ready(_core: Core) -> None:
        writer.write(READY)

    await _serve(settings, slot, preloaded, orders, notify_ready, lambda: orders.receive(reader))
    writer.close()


async def _serve(
    settings: Settings,
    slot: WorkerSlot,
    preloaded: Preloaded,
    orders: Orders,
    started: Started,
    *beside: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    pair = Pair.of(settings)
    certificate = Certificate(pair) if pair is not None else None
    announcer = OwnAnnouncer()
    with claim_folder(settings.data_dir / "assets", workers=slot.workers) as assets:
        core = build_core(settings, announcer)
        try:
            await introduce(core)
            async with asyncio.TaskGroup() as tasks:
                worker = build_worker(
                    core,
                    announcer,
                    preloaded,
                    application_path=slot.application,
                    asset_folder=assets.path,
                    workers=slot.workers,
                    is_ready=lambda: not orders.stopping.is_set(),
                    tasks=tasks,
                )
                background = [tasks.create_task(each()) for each in beside]
                if certificate is not None:
                    background.append(tasks.create_task(certificate.watch()))
                if pair is not None and slot.logs_for_server:
                    background.append(tasks.create_task(warn_of_expiry(pair, core.clock)))
                await _work(worker, slot, certificate, orders, tasks, started)
                for task in background:
                    task.cancel()
        finally:
            await _leave(core)
        if not orders.stopping.is_set():
            # The successor has its own folder, and the limit of size is for one of them.
            assets.empty()


async def _leave(core: Core) -> None:
    try:
        await core.sign_outs.write_down()
    except Exception:  # noqa: BLE001 - a database error doesn't prevent a clean end
        telemetry.logger("guestpass.serve").exception("odoo_sessions_lost")
    finally:
        await core.close()


async def _work(
    worker: Worker,
    slot: WorkerSlot,
    certificate: Certificate | None,
    orders: Orders,
    tasks: asyncio.TaskGroup,
    started: Started,
) -> None:
    await worker.feed.start()
    application = tasks.create_task(worker.application.serve())
    await worker.application.listening.wait()
    background = [
        tasks.create_task(work)
        for work in (
            worker.feed.run(),
            Pruning(worker.core.database, worker.core.clock).run(),
            VisitRetention(worker.core.database, worker.core.clock, worker.core.settings.visit_details_kept).run(),
            WriteWatch(worker.core.database, worker.core.clock).run(),
            worker.visits.run(),
            worker.sessions.run(),
            worker.core.sign_outs.run(),
            worker.reachability.run(),
            worker.gateway.lifecycle.sweep(),
            worker.assets.run(),
        )
    ]
    # Everything allocated by now stays. A full garbage collection would traverse it and block the loop for 0.2 s.
    gc.freeze()
    servers = [
        await _accept(worker, handler, listener, certificate)
        for handler, listener in ((worker.public, slot.public), (worker.admin, slot.admin))
    ]
    await started(worker.core)
    await orders.leaving.wait()
    for server in servers:
        server.close()
    await worker.gateway.lifecycle.drain(worker.core.settings.drain.total_seconds(), orders.stopping)
    worker.gateway.services.profiles.close()
    worker.application.should_exit = True
    await application
    with suppress(TimeoutError):
        async with asyncio.timeout(_QUIET_SECONDS):
            await worker.core.database.quiet()
    for task in background:
        task.cancel()
    worker.link_cache.close()
    try:
        await worker.visits.finish()
    except Exception:  # noqa: BLE001 - a database error doesn't prevent a clean end
        telemetry.logger("guestpass.serve").exception("last_visits_lost")


async def _accept(
    worker: Worker, handler: RequestHandler, listener: socket.socket, certificate: Certificate | None
) -> asyncio.Server | TlsListener:
    lifecycle = worker.gateway.lifecycle

    def connection() -> ClientConnection:
        arrived = lifecycle.new_connection(handler)
        lifecycle.await_arrival(arrived)
        return arrived

    if certificate is not None:
        runtime, context = worker.gateway.runtime, certificate.context
        return TlsListener(runtime, lifecycle, listener, context, lambda: lifecycle.new_connection(handler))
    return await asyncio.get_running_loop().create_server(connection, sock=listener, backlog=BACKLOG)
