"""Load everything once and fork workers on request (``python -m guestpass.fork_server``).

Workers share the memory of what is loaded, and have the code and settings of when this process started. It has one
thread and no event loop, connection or random state that a worker could inherit (docs/decisions/0039).
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from guestpass.cli.session import REFUSED, Stopped
from guestpass.cli.stopping import fail, stopping
from guestpass.forking import GO_ON, LOADED, ForkRequest, Plan, Refused, ending, receive_request, refusal
from guestpass.settings import Settings, SettingsError, load
from guestpass.tls import Pair


def main() -> int:
    """Serve requests until the supervisor is gone; return the exit status, in a forked worker the worker's."""
    os.umask(0o077)
    # The supervisor handles it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="guestpass.fork_server")
    parser.add_argument("--line", type=int, required=True, help="the descriptor of the supervisor's socket")
    parser.add_argument("--prepare", action="store_true", help="make what is missing and upgrade the database first")
    parser.add_argument("--once", action="store_true", help="become the first worker, instead of forking it")
    parser.add_argument("--refuse", action="store_true", help="tell the supervisor what can't be used")
    return stopping(lambda: _run(parser.parse_args()))


def _run(given: argparse.Namespace) -> int:
    # Garbage collected before a fork leaves gaps in shared pages, which each worker would fill, and so copy.
    gc.disable()
    line = socket.socket(fileno=given.line)
    refuse_on = line if given.refuse else None
    with _refusing(refuse_on):
        settings = _usable_settings()
    line.sendall(_plan(settings).line())
    with _refusing(refuse_on):
        from guestpass import worker_process  # noqa: PLC0415 - it takes long, and the supervisor is busy meanwhile

    if not line.recv(len(GO_ON)):
        return 0
    preparing = _fork_child(lambda: worker_process.prepare(settings)) if given.prepare else None
    with _refusing(refuse_on):
        preloaded = worker_process.preload(settings)
    if preparing is not None and (status := _end_of(preparing)) != 0:
        return status
    gc.freeze()
    line.sendall(LOADED)
    while (received := receive_request(line)) is not None:
        data, descriptors = received
        try:
            request = ForkRequest.read(data)
            pid = 0 if given.once else _fork_orphan()
        except Refused as error:
            line.sendall(refusal(error))
            pid = -1
        except OSError as error:
            line.sendall(f"it can't be forked: {error.strerror}\n".encode())
            pid = -1
        if pid == 0:
            if given.once:
                line.sendall(b"%d\n" % os.getpid())
            line.close()
            gc.enable()
            return worker_process.work(
                settings, preloaded, request, *(socket.socket(fileno=each) for each in descriptors)
            )
        for each in descriptors:
            os.close(each)
        if pid > 0:
            line.sendall(b"%d\n" % pid)
    return 0


@contextmanager
def _refusing(line: socket.socket | None) -> Iterator[None]:
    """Send why the settings or the installed files can't be used, and exit; without a line raise it for `stopping`."""
    try:
        try:
            yield
        except (ImportError, SyntaxError) as error:
            # While pip replaces the files, or after it was interrupted.
            raise Stopped(REFUSED, f"The installed version can't be loaded ({error}): install it again.") from error
    except (SettingsError, Stopped) as error:
        if line is None:
            raise
        line.sendall(refusal(error))
        raise SystemExit(REFUSED) from error


def _usable_settings() -> Settings:
    """The settings as they are now, with a certificate that can be used; raises SettingsError."""
    settings = load().settings
    if (pair := Pair.of(settings)) is not None:
        pair.load()
    return settings


def _plan(settings: Settings) -> Plan:
    return Plan(
        listen=settings.listen,
        admin_listen=settings.admin_listen,
        workers=settings.workers,
        drain=settings.drain.total_seconds(),
        public_url=settings.public_url,
        admin_url=settings.admin_url,
        link_domain=settings.link_domain,
        log_format=settings.log_format.value,
    )


def _fork_child(work: Callable[[], int]) -> int:
    """Run `work` in a child process, to free its memory; return the process id."""
    pid = os.fork()
    if pid == 0:
        gc.enable()
        raise SystemExit(work())
    return pid


def _end_of(pid: int) -> int:
    """Wait for a child and return its exit status."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else fail(1, f"What prepares DATA_DIR and the database was ended by {ending(status)}.")


def _fork_orphan() -> int:
    """Fork twice, so that the supervisor adopts the process; return its id, and 0 in it. Raises OSError."""
    read_end, write_end = os.pipe()
    try:
        between = os.fork()
        if between == 0:
            _fork_and_leave(write_end)
            return 0
        status = os.waitstatus_to_exitcode(os.waitpid(between, 0)[1])
        if status != 0:
            raise OSError(status, os.strerror(status))
        return int(os.read(read_end, 16))
    finally:
        os.close(read_end)
        os.close(write_end)


def _fork_and_leave(write_end: int) -> None:
    """Fork; return in the new process and exit in the parent."""
    try:
        pid = os.fork()
    except OSError as error:
        os._exit(error.errno or 1)
    if pid:
        os.write(write_end, b"%d" % pid)
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
