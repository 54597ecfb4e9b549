"""Keep the listeners open and one worker running on each core.

The supervisor handles sockets and processes and knows nothing of links. Each slot has a pair of listeners that stays
open for the supervisor's whole life: a connection that waits in one when a worker dies is accepted by the next worker.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from guestpass import telemetry
from guestpass.app.installation_findings import admin_beside_visitors
from guestpass.app.public_urls import PublicUrls
from guestpass.children import Child, Children, adopt_orphans
from guestpass.forking import (
    READY,
    RETIRE,
    ForkRequest,
    ForkServer,
    NotStartedError,
    Plan,
    Refused,
    ending,
    socket_pair,
)
from guestpass.listeners import ListenerUnusable, sharing

FORKS: Final = sys.platform == "linux"
"""Whether workers are forked. On macOS each is started as a program: its libraries are not safe to use after a fork,
and it has no child subreaper."""

_READY_SECONDS: Final = 120.0
_KILL_SECONDS: Final = 15.0
_BACK_OFF: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_LONG_LIFE_SECONDS: Final = 60.0
_TERMINAL_SECONDS: Final = 5.0
"""How often the terminal is checked, and how soon after its end its SIGHUP arrives."""


def supervise(workers: int | None = None) -> int:
    """Serve with so many workers (WORKERS where None) until SIGTERM, SIGINT or the end of the terminal.

    Returns the exit status. Raises ListenerUnusable for an address that is taken. Other errors at the start are printed
    by the fork server or the first worker, whose exit status is then returned.
    """
    # Until LOG_FORMAT is known.
    telemetry.configure("console" if sys.stderr.isatty() else "json")
    return asyncio.run(Supervisor(workers).run())


@dataclass(slots=True)
class _BackOff:
    """The pause before a restart: none at first, then longer each time unless the process lived long."""

    failures: int = 0

    def note(self, lived: float = 0.0) -> None:
        """Note an end after `lived` seconds, or a failed start."""
        self.failures = 1 if lived >= _LONG_LIFE_SECONDS else self.failures + 1

    async def pause(self) -> None:
        """Wait before the next start."""
        if self.failures:
            await asyncio.sleep(_BACK_OFF[min(self.failures, len(_BACK_OFF)) - 1])


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker's process; `line` is the socket to it, whose end tells the worker that the supervisor is gone."""

    process: Child
    line: asyncio.StreamWriter
    ready_at: float


@dataclass(slots=True, eq=False)
class _Slot:
    """The listeners of one worker, and that worker. Hold the lock while starting or replacing it."""

    number: int
    public: socket.socket
    admin: socket.socket
    worker: _Worker | None = None
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Supervisor:
    """Keep a worker in each of `workers` slots (WORKERS where None)."""

    def __init__(self, workers: int | None) -> None:
        self._workers = workers
        self._plan: Plan
        self._drain_seconds = 0.0
        self._folder = ""
        self._slots: list[_Slot] = []
        self._unusable: ListenerUnusable | None = None
        self._log = telemetry.logger("guestpass.supervisor")
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Event()
        self._children: Children
        self._forks = False
        self._fork_server: ForkServer | None = None
        self._fork_server_lock = asyncio.Lock()
        self._status = 0
        # Ignored by nohup, to outlive the terminal.
        self._ends_with_terminal = _has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    async def run(self) -> int:
        """Start, restart, replace and at last end the workers; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

        def hang_up() -> None:
            (self._stopping if self._ends_with_terminal and not _has_terminal() else self._reloading).set()

        loop.add_signal_handler(signal.SIGHUP, hang_up)
        self._children = Children()
        self._forks = FORKS and adopt_orphans()
        with ExitStack() as resources:
            try:
                async with asyncio.TaskGroup() as tasks:
                    work = [tasks.create_task(each) for each in (self._work(resources), self._watch_terminal())]
                    await self._stopping.wait()
                    for task in work:
                        task.cancel()
            finally:
                await self._end_all()
        if self._unusable is not None:
            raise self._unusable
        return self._status

    async def _work(self, resources: ExitStack) -> None:
        try:
            await self._begin(resources)
        except ListenerUnusable as error:
            self._unusable = error
            self._stopping.set()
            return
        except NotStartedError as error:
            self._status = error.status if error.status is not None and error.status > 0 else 1
            if self._status != error.status:
                self._log.error("worker_not_started", ended=str(error))
            self._stopping.set()
            return
        async with asyncio.TaskGroup() as tasks:
            for slot in self._slots:
                tasks.create_task(self._keep(slot))
            if self._forks:
                tasks.create_task(self._keep_fork_server())
            for slot in self._slots:
                await slot.filled.wait()
            plan = self._plan
            beside = admin_beside_visitors(plan.admin_url, PublicUrls(plan.public_url, plan.link_domain))
            if beside is not None:
                self._log.warning(beside.code, effect=beside.detail, remedy=beside.remedy)
            self._log.info(
                "serving",
                public_url=plan.public_url,
                admin_url=plan.admin_url,
                link_domain=plan.link_domain,
                workers=len(self._slots),
            )
            _notify("READY=1")
            await self._reload_on_request(tasks)

    async def _begin(self, resources: ExitStack) -> None:
        """Take the addresses and start the first worker; raises ListenerUnusable and NotStartedError."""
        fork_server = await self._start_fork_server("--prepare")
        plan = self._plan = fork_server.plan
        self._drain_seconds = plan.drain
        telemetry.configure(plan.log_format)
        # First of all: a second server on the same addresses must change nothing.
        listeners = resources.enter_context(sharing(plan, self._workers or plan.workers))
        self._folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="guestpass-"))
        self._slots = [_Slot(number, public, admin) for number, (public, admin) in enumerate(listeners)]
        await fork_server.load()
        # One first: it prints what prevents a start.
        first = self._slots[0]
        first.worker = await self._start(first, fork_server)
        if self._forks:
            self._fork_server = fork_server

    async def _watch_terminal(self) -> None:
        """Notice if the terminal ends without SIGHUP, as after a shell's `exit`: a later one replaces the workers."""
        while self._ends_with_terminal:
            was_there = _has_terminal()
            await asyncio.sleep(_TERMINAL_SECONDS)
            if not was_there:
                self._ends_with_terminal = False
                self._log.info("terminal_gone", effect="the server goes on, and SIGHUP replaces the workers")

    async def _keep(self, slot: _Slot) -> None:
        """Start a worker whenever the slot has none, with a growing pause where none lives long."""
        back_off = _BackOff()
        while True:
            async with slot.lock:
                if slot.worker is None:
                    await back_off.pause()
                    try:
                        slot.worker = await self._start(slot, await self._living_fork_server())
                    except NotStartedError as error:
                        back_off.note()
                        self._log.error("worker_not_started", worker=slot.number, ended=str(error))
                        continue
                worker = slot.worker
            slot.filled.set()
            status = await worker.process.wait()
            if worker is slot.worker:
                slot.worker = None
                lived = asyncio.get_running_loop().time() - worker.ready_at
                back_off.note(lived)
                self._log.error(
                    "worker_died",
                    worker=slot.number,
                    pid=worker.process.pid,
                    ended=ending(status),
                    lived_seconds=round(lived),
                )

    async def _keep_fork_server(self) -> None:
        """Restart the fork server when it dies, so that it is loaded before a worker is needed."""
        loop, back_off = asyncio.get_running_loop(), _BackOff()
        while True:
            await back_off.pause()
            try:
                fork_server = await self._living_fork_server()
            except NotStartedError as error:
                back_off.note()
                self._log.error("fork_server_not_started", ended=str(error), effect="the workers that serve go on")
                continue
            began = loop.time()
            await fork_server.process.wait()
            back_off.note(loop.time() - began)

    async def _living_fork_server(self) -> ForkServer:
        """Return the fork server, or a new one where it has died; raises NotStartedError."""
        if not self._forks:
            return await self._load_fork_server()
        async with self._fork_server_lock:
            if self._fork_server is not None and not self._fork_server.is_usable:
                self._log.error(
                    "fork_server_died", pid=self._fork_server.process.pid, effect="the workers that serve go on"
                )
                self._fork_server = None
            if self._fork_server is None:
                self._fork_server = await self._load_fork_server()
            return self._fork_server

    async def _start_fork_server(self, *options: str) -> ForkServer:
        return await ForkServer.start(self._children, *options, *([] if self._forks else ["--once"]))

    async def _load_fork_server(self) -> ForkServer:
        fork_server = await self._start_fork_server()
        await fork_server.load()
        return fork_server

    async def _reload_on_request(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._reloading.wait()
            self._reloading.clear()
            try:
                new = await self._start_fork_server("--prepare", "--refuse")
                self._take_plan(new)
                await new.load()
            except Refused as error:
                self._log_refused(error)
                continue
            except NotStartedError as error:
                self._log_not_replaced(self._slots[0], error)
                continue
            self._log.info("replacing_workers", workers=len(self._slots))
            if await self._replace_all(new, tasks):
                self._log.info("workers_replaced", workers=len(self._slots))

    def _take_plan(self, fork_server: ForkServer) -> None:
        """Adopt the settings of a new fork server; where they need a restart, end it and raise Refused."""
        before, plan = self._plan, fork_server.plan
        if (plan.listen, plan.admin_listen) != (before.listen, before.admin_listen):
            fork_server.end()
            raise Refused("GUESTPASS_LISTEN or GUESTPASS_ADMIN_LISTEN has changed, which needs a restart.")
        if plan.workers != before.workers:
            self._log.warning("workers_not_changed", cause="another number of workers needs a restart")
        self._plan, self._drain_seconds = plan, plan.drain

    async def _replace_all(self, new: ForkServer, tasks: asyncio.TaskGroup) -> bool:
        """Replace all workers with those of a new fork server that has loaded; return False where one failed."""
        first, *others = self._slots
        if not await self._replace(first, new, tasks):
            new.end()
            return False
        if self._forks:
            async with self._fork_server_lock:
                old, self._fork_server = self._fork_server, new
            if old is not None:
                old.end()
        for slot in others:
            if not await self._replace(slot, None, tasks):
                return False
        return True

    async def _replace(self, slot: _Slot, fork_server: ForkServer | None, tasks: asyncio.TaskGroup) -> bool:
        """Replace a slot's worker; return False, and keep the old one, where the new one does not become ready."""
        async with slot.lock:
            try:
                new = await self._start(slot, fork_server or await self._living_fork_server())
            except Refused as error:
                self._log_refused(error)
                return False
            except NotStartedError as error:
                self._log_not_replaced(slot, error)
                return False
            old, slot.worker = slot.worker, new
        if old is not None:
            old.line.write(RETIRE)
            tasks.create_task(self._await_end(old.process))
        return True

    def _log_refused(self, error: Refused) -> None:
        self._log.error("reload_refused", cause=str(error), effect="the workers go on as they are")

    def _log_not_replaced(self, slot: _Slot, error: NotStartedError) -> None:
        self._log.error(
            "worker_not_replaced",
            worker=slot.number,
            ended=str(error),
            effect="the workers that serve go on",
            remedy="mend what it, or the lines before, name as the cause, and reload again",
        )

    async def _start(self, slot: _Slot, fork_server: ForkServer) -> _Worker:
        """Start a worker and wait until it is ready; raises NotStartedError."""
        request = ForkRequest(slot=slot.number, workers=len(self._slots), folder=self._folder)
        ours, theirs = socket_pair()
        try:
            with theirs:
                sockets = (slot.public, slot.admin, theirs)
                process = fork_server.fork(self._children, request, [each.fileno() for each in sockets])
        except NotStartedError:
            ours.close()
            raise
        reader, line = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                ready = await reader.readline() == READY
        except TimeoutError:
            ready = False
            process.send_signal(signal.SIGKILL)
        if not ready:
            status = await process.wait()
            line.close()
            raise NotStartedError(ending(status), status)
        return _Worker(process, line, asyncio.get_running_loop().time())

    async def _end_all(self) -> None:
        _notify("STOPPING=1")
        for slot in self._slots:
            slot.public.close()
            slot.admin.close()
        serves = any(slot.worker for slot in self._slots)
        if serves:
            self._log.info("stopping")
        async with asyncio.TaskGroup() as tasks:
            for child in self._children:
                child.send_signal(signal.SIGTERM)
                tasks.create_task(self._await_end(child))
        if serves:
            self._log.info("stopped")

    async def _await_end(self, child: Child) -> None:
        """Wait for a process that was sent SIGTERM; kill one that hangs."""
        try:
            async with asyncio.timeout(self._drain_seconds + _KILL_SECONDS):
                await child.wait()
        except TimeoutError:
            self._log.error("worker_killed", pid=child.pid, cause="it did not end in time")
            child.send_signal(signal.SIGKILL)
            await child.wait()


def _has_terminal() -> bool:
    """Return whether the process has a controlling terminal; under systemd it has none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _notify(state: str) -> None:
    """Notify systemd (sd_notify(3)), where the unit has ``Type=notify``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        try:
            manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            manager.sendall(state.encode())
        except OSError as error:
            telemetry.logger("guestpass.supervisor").warning("systemd_not_notified", cause=str(error))
