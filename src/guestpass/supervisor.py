"""One small process that keeps the listeners and as many equal workers as there are cores.

It knows the settings and nothing of links, so there is little in it that could fail. Each slot has a pair of
listeners that stays open for the supervisor's whole life: a connection that waits in one outlives the worker that
would have taken it, and the slot's next worker takes it instead.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from guestpass import telemetry
from guestpass.app.installation_findings import admin_beside_visitors
from guestpass.app.public_urls import PublicUrls
from guestpass.listeners import sharing
from guestpass.settings import Settings, SettingsError, load
from guestpass.system import SystemClock
from guestpass.tls import Pair, warn_of_expiry

READY: Final = b"ready\n"
"""What a worker tells its supervisor when it serves."""

RETIRE: Final = b"retire\n"
"""What a supervisor tells a worker whose successor serves."""

_READY_SECONDS: Final = 120.0
_KILL_SECONDS: Final = 15.0
_BACK_OFF: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_LONG_LIFE_SECONDS: Final = 60.0
_TERMINAL_SECONDS: Final = 5.0
"""How often we look for our terminal, and how soon after its end the SIGHUP comes that says so."""


def supervise(settings: Settings, workers: int | None = None) -> int:
    """Serve with so many workers (WORKERS where None) until SIGTERM, SIGINT or the end of the terminal.

    Returns the exit status. Raises ListenerUnusable for an address that is taken, and CertificateUnusable. What only a
    worker can find out, the first one says itself; its exit status is then ours.
    """
    telemetry.configure(settings.log_format.value)
    if (pair := Pair.of(settings)) is not None:
        pair.load()
    with (
        sharing(settings, workers or settings.workers) as listeners,
        tempfile.TemporaryDirectory(prefix="guestpass-") as folder,
    ):
        return asyncio.run(Supervisor(settings, listeners, Path(folder)).run())


class _NotReadyError(Exception):
    """A worker ended before it was ready, or took too long; `status` is what it ended with, as subprocesses count."""

    def __init__(self, status: int) -> None:
        super().__init__(_ending(status))
        self.status = status


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker's process; `line` is how we talk, and when it breaks the worker knows that we are gone."""

    process: asyncio.subprocess.Process
    line: asyncio.StreamWriter
    ready_at: float


@dataclass(slots=True, eq=False)
class _Slot:
    """A place for a worker, with its listeners. The lock is held while its worker is started or replaced."""

    number: int
    public: socket.socket
    admin: socket.socket
    worker: _Worker | None = None
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Supervisor:
    """Keeps a worker in each slot. `listeners` has a pair for each slot, `folder` is for the workers' sockets."""

    def __init__(self, settings: Settings, listeners: list[tuple[socket.socket, socket.socket]], folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._slots = [_Slot(number, public, admin) for number, (public, admin) in enumerate(listeners)]
        self._log = telemetry.logger("guestpass.supervisor")
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Event()
        self._running: set[asyncio.subprocess.Process] = set()
        self._status = 0
        # nohup asks to outlive the terminal.
        self._ends_with_terminal = _has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    async def run(self) -> int:
        """Start the workers, keep and replace them, and end them when it is time; returns the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

        def hang_up() -> None:
            (self._stopping if self._ends_with_terminal and not _has_terminal() else self._reloading).set()

        loop.add_signal_handler(signal.SIGHUP, hang_up)
        try:
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(each) for each in (self._work(), self._watch_terminal())]
                await self._stopping.wait()
                for task in work:
                    task.cancel()
        finally:
            await self._end_all()
        return self._status

    async def _work(self) -> None:
        first = self._slots[0]
        try:
            # Alone, since it makes what is missing and upgrades the database, and says what prevents a start.
            first.worker = await self._start(first, prepares=True)
        except _NotReadyError as error:
            self._status = error.status if error.status > 0 else 1
            if error.status <= 0:
                self._log.error("worker_not_started", ended=str(error))
            self._stopping.set()
            return
        async with asyncio.TaskGroup() as tasks:
            for slot in self._slots:
                tasks.create_task(self._keep(slot))
            tasks.create_task(warn_of_expiry(lambda: Pair.of(self._settings), SystemClock()))
            for slot in self._slots:
                await slot.filled.wait()
            settings = self._settings
            beside = admin_beside_visitors(settings.admin_url, PublicUrls(settings.public_url, settings.link_domain))
            if beside is not None:
                self._log.warning(beside.code, effect=beside.detail, remedy=beside.remedy)
            self._log.info(
                "serving",
                public_url=settings.public_url,
                admin_url=settings.admin_url,
                link_domain=settings.link_domain,
                workers=len(self._slots),
            )
            _notify("READY=1")
            await self._reload_when_asked(tasks)

    async def _watch_terminal(self) -> None:
        """Notice where it ends without a SIGHUP, as after a shell's `exit`: who sends one later wants new workers."""
        while self._ends_with_terminal:
            was_there = _has_terminal()
            await asyncio.sleep(_TERMINAL_SECONDS)
            if not was_there:
                self._ends_with_terminal = False
                self._log.info("terminal_gone", effect="the server goes on, and SIGHUP replaces the workers")

    async def _keep(self, slot: _Slot) -> None:
        """Start a worker wherever the slot has none, later and later where none lives long."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            async with slot.lock:
                if slot.worker is None:
                    if failures:
                        await asyncio.sleep(_BACK_OFF[min(failures, len(_BACK_OFF)) - 1])
                    try:
                        slot.worker = await self._start(slot)
                    except _NotReadyError as error:
                        failures += 1
                        self._log.error("worker_not_started", worker=slot.number, ended=str(error))
                        continue
                worker = slot.worker
            slot.filled.set()
            status = await worker.process.wait()
            if worker is slot.worker:
                slot.worker = None
                lived = loop.time() - worker.ready_at
                failures = 1 if lived >= _LONG_LIFE_SECONDS else failures + 1
                self._log.error(
                    "worker_died",
                    worker=slot.number,
                    pid=worker.process.pid,
                    ended=_ending(status),
                    lived_seconds=round(lived),
                )

    async def _reload_when_asked(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._reloading.wait()
            self._reloading.clear()
            if not self._read_settings():
                continue
            self._log.info("replacing_workers", workers=len(self._slots))
            for slot in self._slots:
                if not await self._replace(slot, tasks):
                    break
            else:
                self._log.info("workers_replaced", workers=len(self._slots))

    def _read_settings(self) -> bool:
        """Take the settings as they are now; False, and a line in the log, where no worker could start with them."""
        before, refused = self._settings, ""
        try:
            settings = load().settings
            if (pair := Pair.of(settings)) is not None:
                pair.load()
        except SettingsError as error:
            refused = str(error)
        else:
            if (settings.listen, settings.admin_listen) != (before.listen, before.admin_listen):
                refused = "GUESTPASS_LISTEN or GUESTPASS_ADMIN_LISTEN has changed, which needs a restart."
        if refused:
            self._log.error("reload_refused", cause=refused, effect="the workers go on as they are")
            return False
        if settings.workers != before.workers:
            self._log.warning("workers_not_changed", cause="another number of workers needs a restart")
        self._settings = settings
        return True

    async def _replace(self, slot: _Slot, tasks: asyncio.TaskGroup) -> bool:
        """Put a new worker into a slot; False where it does not become ready, and then the old one stays."""
        async with slot.lock:
            try:
                new = await self._start(slot, prepares=slot is self._slots[0])
            except _NotReadyError as error:
                self._log.error(
                    "worker_not_replaced", worker=slot.number, ended=str(error), effect="the workers that serve go on"
                )
                return False
            old, slot.worker = slot.worker, new
        if old is not None:
            old.line.write(RETIRE)
            tasks.create_task(self._await_end(old.process))
        return True

    async def _start(self, slot: _Slot, *, prepares: bool = False) -> _Worker:
        """Start a worker and wait until it is ready; raises _NotReadyError."""
        ours, theirs = socket.socketpair()
        descriptors = {"public": slot.public.fileno(), "admin": slot.admin.fileno(), "line": theirs.fileno()}
        arguments = [f"--{name}={number}" for name, number in descriptors.items()]
        arguments += [f"--slot={slot.number}", f"--workers={len(self._slots)}", f"--folder={self._folder}"]
        with theirs:
            # In a group of its own Ctrl-C doesn't reach it: it is our part to say what ends when.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "guestpass.worker_process", *arguments),
                *(["--prepare"] if prepares else []),
                pass_fds=tuple(descriptors.values()),
                process_group=0,
                env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
            )
        self._running.add(process)
        said, line = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                ready = await said.readline() == READY
        except TimeoutError:
            ready = False
            process.kill()
        if not ready:
            status = await process.wait()
            self._running.discard(process)
            line.close()
            raise _NotReadyError(status)
        return _Worker(process, line, asyncio.get_running_loop().time())

    async def _end_all(self) -> None:
        _notify("STOPPING=1")
        for slot in self._slots:
            slot.public.close()
            slot.admin.close()
        if not self._running:
            return
        self._log.info("stopping")
        for process in self._running:
            if process.returncode is None:
                process.terminate()
        async with asyncio.TaskGroup() as tasks:
            for process in self._running:
                tasks.create_task(self._await_end(process))
        self._log.info("stopped")

    async def _await_end(self, process: asyncio.subprocess.Process) -> None:
        """Wait for a worker that was told to end; one that hangs is killed."""
        try:
            async with asyncio.timeout(self._settings.drain.total_seconds() + _KILL_SECONDS):
                await process.wait()
        except TimeoutError:
            self._log.error("worker_killed", pid=process.pid, cause="it did not end in time")
            process.kill()
            await process.wait()


def _has_terminal() -> bool:
    """Whether there is a terminal whose end is ours too; systemd and other supervisors give us none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _ending(status: int) -> str:
    """What ended a process, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), where it is systemd that has started us with ``Type=notify``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        try:
            manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            manager.sendall(state.encode())
        except OSError as error:
            telemetry.logger("guestpass.supervisor").warning("systemd_not_notified", cause=str(error))
