"""From nothing to all workers serving, and to the end, whoever brings it about."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.command import COMMAND, Guestpass
from tests.gateway.raw_client import RawClient
from tests.installation import SERVE, Installation, installation
from tests.ports import reserve_ports
from tests.supervisor.processes import fork_server_id, is_alive, said, until_gone, until_said, worker_ids
from tests.terminals import PATIENCE, Shown, await_end, children, terminal


def _beside(server: Installation, tmp_path: Path) -> Guestpass:
    """The command for another server on the same addresses."""
    names = ("GUESTPASS_LISTEN", "GUESTPASS_ADMIN_LISTEN")
    return Guestpass(tmp_path / "another", {name: server.environ[name] for name in names})


@pytest.mark.asyncio(loop_scope="session")
async def test_one_line_says_that_all_serve(server: Installation) -> None:
    [line] = said(server, "serving")
    assert line["workers"] == 2


def test_a_second_server_is_refused_and_leaves_no_trace(server: Installation, tmp_path: Path) -> None:
    another = _beside(server, tmp_path)
    told = another.refuse(1, "serve", "--workers", "2")
    assert "GUESTPASS_LISTEN" in told
    assert "something else listens there" in told
    assert not another.data_dir.exists()


def test_an_address_that_is_not_this_machines_is_named(tmp_path: Path) -> None:
    here, elsewhere = reserve_ports(2)
    addresses = {"GUESTPASS_LISTEN": f"127.0.0.1:{here}", "GUESTPASS_ADMIN_LISTEN": f"192.0.2.1:{elsewhere}"}
    told = Guestpass(tmp_path / "data", addresses).refuse(1, "serve")
    assert "GUESTPASS_ADMIN_LISTEN is 192.0.2.1:" in told
    assert "this machine has no such address: set GUESTPASS_ADMIN_LISTEN to another" in told
    assert not (tmp_path / "data").exists()


def alone(tmp_path: Path) -> dict[str, str]:
    """The environment of a server with one worker."""
    public, admin = reserve_ports(2)
    return {name: value for name, value in os.environ.items() if not name.startswith("GUESTPASS_")} | {
        "GUESTPASS_DATA_DIR": str(tmp_path),
        "GUESTPASS_LISTEN": f"127.0.0.1:{public}",
        "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "GUESTPASS_WORKERS": "1",
    }


def test_a_terminal_that_is_closed_ends_what_was_started_there(tmp_path: Path) -> None:
    with terminal([sys.executable, "-m", "guestpass", "serve"], alone(tmp_path)) as (process, shown):
        shown.until(b"serving")
        fork_server_and_worker = children(process)
        assert len(fork_server_and_worker) == 2
        shown.close()
        assert process.wait(PATIENCE) == 0
        await_end(fork_server_and_worker)


def test_what_a_shell_left_behind_takes_sighup_for_a_reload(tmp_path: Path) -> None:
    """Its terminal has gone without a SIGHUP, so that the next one comes from somebody who wants new workers."""
    ours, log = os.openpty()
    quickly = (
        "import guestpass.supervisor as it; it._TERMINAL_SECONDS = 0.1; "
        "from guestpass.cli.application import app; app(['serve'])"
    )
    in_background = 'set -m; "$0" -c "$1" <"$2" >"$2" 2>&1 & wait'
    command = ["bash", "-c", in_background, sys.executable, quickly, os.ttyname(log)]
    said = Shown(ours)
    with terminal(command, alone(tmp_path)) as (shell, _):
        said.until(b"serving")
        [server] = children(shell)
        shell.kill()
        said.until(b"terminal_gone")
        signal.pidfd_send_signal(server, signal.SIGHUP)
        said.until(b"workers_replaced")
        signal.pidfd_send_signal(server, signal.SIGTERM)
        await_end([server])
    said.close()
    os.close(log)


@contextmanager
def starting(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Shown]]:
    """A server that has just begun to start what workers are forked from, that process, and what the server says."""
    ours, log = os.openpty()
    environ = alone(tmp_path) | {"GUESTPASS_LOG_FORMAT": "json"}
    shown = Shown(ours)
    with subprocess.Popen([*COMMAND, "serve"], env=environ, stderr=log, start_new_session=True) as process:
        os.close(log)
        try:
            while not (found := children(process)):
                assert process.poll() is None
            yield process, found[0], shown
        finally:
            process.kill()
            shown.close()


def test_a_stop_during_a_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with starting(tmp_path) as (process, fork_server, _):
        process.terminate()
        assert process.wait(PATIENCE) == 0
        await_end([fork_server])


def test_a_supervisor_that_is_killed_during_a_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with starting(tmp_path) as (process, fork_server, _):
        process.kill()
        await_end([fork_server])


def test_a_reload_that_is_asked_for_during_a_start_comes_after_it(tmp_path: Path) -> None:
    with starting(tmp_path) as (process, fork_server, shown):
        process.send_signal(signal.SIGHUP)
        shown.until(b"workers_replaced")
        await_end([fork_server])
        process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.mark.asyncio(loop_scope="session")
async def test_ctrl_c_ends_all_of_it_with_status_0() -> None:
    async with installation(workers=2, program=SERVE) as running:
        await until_said(running, "serving")
        workers = worker_ids(running)
        assert len(workers) == 2
        running.process.send_signal(signal.SIGINT)
        assert await running.process.wait() == 0
        assert not any(map(is_alive, workers))
        assert said(running, "stopped")
        assert not said(running, "worker_died")


@pytest.mark.asyncio(loop_scope="session")
async def test_all_processes_end_when_their_supervisor_is_killed() -> None:
    async with installation(workers=2, program=SERVE) as running:
        await until_said(running, "serving")
        processes = [*worker_ids(running), fork_server_id(running)]
        running.process.kill()
        await until_gone(*processes)
        with pytest.raises(ConnectionRefusedError):
            await RawClient.connect(running.public_port)


def test_a_start_that_must_fail_says_why_once(tmp_path: Path) -> None:
    public, admin = reserve_ports(2)
    guestpass = Guestpass(
        tmp_path / "data", {"GUESTPASS_LISTEN": f"127.0.0.1:{public}", "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin}"}
    )
    guestpass.succeed("db", "upgrade")
    (guestpass.data_dir / "secret_key").chmod(0o644)
    told = guestpass.refuse(2, "serve", "--workers", "3")
    assert told.count("\n") == 1
    assert "chmod 600" in told


def test_what_only_a_worker_finds_out_is_said_once_too(tmp_path: Path) -> None:
    public, admin = reserve_ports(2)
    guestpass = Guestpass(
        tmp_path / "data", {"GUESTPASS_LISTEN": f"127.0.0.1:{public}", "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin}"}
    )
    guestpass.succeed("db", "upgrade")
    guestpass.succeed("env", "list")
    (guestpass.data_dir / "secret_key").write_text("another key, with which this database was not made")
    told = guestpass.refuse(2, "serve", "--workers", "3")
    assert told.count("\n") == 1, told
    assert "secret_key" in told


def test_systemd_hears_when_it_serves_and_when_it_stops(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(120)
        public, admin = reserve_ports(2)
        variables = {"LISTEN": f"127.0.0.1:{public}", "ADMIN_LISTEN": f"127.0.0.1:{admin}", "WORKERS": "1"}
        guestpass = Guestpass(tmp_path / "data", {f"GUESTPASS_{name}": value for name, value in variables.items()})
        process = subprocess.Popen(
            [*COMMAND, "serve"], env=guestpass.environ(NOTIFY_SOCKET=str(address)), stderr=subprocess.DEVNULL
        )
        assert manager.recv(100) == b"READY=1"
        os.kill(process.pid, signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(120) == 0
