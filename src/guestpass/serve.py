"""Serve: from settings to listening sockets, and back to a clean end."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import uvloop

from guestpass import telemetry
from guestpass.app.installation_findings import admin_beside_visitors
from guestpass.domain.errors import GuestpassError
from guestpass.gateway.client_side import ClientConnection
from guestpass.gateway.reception import Reception
from guestpass.settings import Listen, Settings
from guestpass.wiring import Core, build_core, introduce, prepare
from guestpass.worker import OwnAnnouncer, Worker, build_worker

_BACKLOG = 1024

Started = Callable[[Core], Awaitable[None]]
"""Called once when everything listens."""


class ListenerUnusable(GuestpassError):
    """An address can't be listened on; the text names the setting and the remedy."""


def run(settings: Settings, started: Started | None = None) -> int:
    """Serve until SIGTERM or SIGINT and return the exit status.

    Raises GuestpassError where the start must stop: a port that is taken, a database or key that can't be used.
    """
    telemetry.configure(settings.log_format.value)
    with ExitStack() as stack:
        # Before anything is made: a second server on the same address must leave no trace.
        public = stack.enter_context(_listening(settings.listen, "LISTEN"))
        admin = stack.enter_context(_listening(settings.admin_listen, "ADMIN_LISTEN"))
        prepare(settings)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guestpass-")))
        uvloop.run(_serve(settings, public, admin, folder / "desk.sock", started))
    return 0


async def _serve(
    settings: Settings, public: socket.socket, admin: socket.socket, desk_path: Path, started: Started | None
) -> None:
    announcer = OwnAnnouncer()
    core = build_core(settings, announcer)
    try:
        await introduce(core)
        async with asyncio.TaskGroup() as tasks:
            stopping = _stop_signal()
            worker = build_worker(
                core,
                announcer,
                desk_path=desk_path,
                listeners=[
                    (settings.listen.host, settings.listen.port),
                    (settings.admin_listen.host, settings.admin_listen.port),
                ],
                is_ready=lambda: not stopping.is_set(),
                tasks=tasks,
            )
            await _work(worker, public, admin, stopping, tasks, started)
    finally:
        await core.close()


async def _work(
    worker: Worker,
    public: socket.socket,
    admin: socket.socket,
    stopping: asyncio.Event,
    tasks: asyncio.TaskGroup,
    started: Started | None,
) -> None:
    log, settings = telemetry.logger("guestpass.serve"), worker.core.settings
    await worker.feed.start()
    desk = tasks.create_task(worker.desk.serve())
    await worker.desk.listening.wait()
    background = [
        tasks.create_task(work)
        for work in (
            worker.feed.run(),
            worker.visits.run(),
            worker.sessions.run(),
            worker.reachability.run(),
            worker.gateway.sweep(),
            worker.gateway.odoo.assets.run(),
        )
    ]
    servers = [await _accept(worker, worker.public, public), await _accept(worker, worker.admin, admin)]
    if (beside := admin_beside_visitors(settings.admin_url, worker.core.addresses)) is not None:
        log.warning(beside.code, effect=beside.detail, remedy=beside.remedy)
    log.info("serving", public_url=settings.public_url, admin_url=settings.admin_url, link_domain=settings.link_domain)
    if started is not None:
        await started(worker.core)
    await stopping.wait()
    log.info("stopping")
    for server in servers:
        server.close()
    await worker.gateway.drain()
    worker.desk.should_exit = True
    await desk
    for task in background:
        task.cancel()
    worker.directory.close()
    await worker.visits.flush()
    log.info("stopped")


async def _accept(worker: Worker, reception: Reception, listener: socket.socket) -> asyncio.Server:
    def connection() -> ClientConnection:
        return ClientConnection(worker.gateway, reception)

    return await asyncio.get_running_loop().create_server(connection, sock=listener, backlog=_BACKLOG)


def _stop_signal() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _listening(listen: Listen, setting: str) -> socket.socket:
    """A bound socket; raises ListenerUnusable."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(listen.host != "::"))
        listener.bind((listen.host, listen.port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        cause = "something else listens there" if taken else error.strerror or str(error)
        raise ListenerUnusable(
            f"GUESTPASS_{setting} is {listen}, and {cause}: end that, or set GUESTPASS_{setting} to another address."
        ) from None
    return listener
