"""However a fork server fails to start or to load, the supervisor gets a NotStartedError and nothing is left open."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from guestpass.forking import ForkRequest, Plan, Refused, refusal
from guestpass.listeners import Listen

# It must be a process of its own: Children reaps all child processes.
_STARTING = """
import asyncio, json, os, resource, sys
from guestpass import forking
from guestpass.children import Children

program, change, first = sys.argv[1:]
forking._PROGRAM = ("-c", program)

async def main():
    children = Children()
    before = os.listdir("/proc/self/fd")
    exec(change)
    try:
        server = await forking.ForkServer.start(children)
        if first == "ended":
            await server.process.wait()
        await server.load()
    except forking.NotStartedError as error:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        open_still = set(os.listdir("/proc/self/fd")) - set(before)
        print(json.dumps([type(error).__name__, error.status, str(error), sorted(open_still)]))

asyncio.run(main())
"""

# The fork server's end of the line is the descriptor that `--line` names.
_FORK_SERVER = "import os, signal, socket, sys; line = socket.socket(fileno=int(sys.argv[1].partition('=')[2])); "

PLAN = Plan(
    listen=Listen("127.0.0.1", 8080),
    admin_listen=Listen("::1", 8081),
    workers=2,
    drain=30.0,
    public_url="https://demo.example.com",
    admin_url="http://localhost:8081",
    link_domain=None,
    log_format="json",
)


def _starting(program: str, change: str = "", *, first: str = "") -> tuple[str, int | None, str]:
    """The error's class, exit status and text, where `program` is the fork server and `change` is made before it.

    With `first` "ended" it is told to go on when it has ended.
    """
    command = [sys.executable, "-c", _STARTING, _FORK_SERVER + program, change, first]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    kind, status, text, open_still = json.loads(told.stdout)
    assert open_still == []
    return kind, status, text


def test_a_fork_server_that_has_ended_before_it_is_told_to_go_on() -> None:
    program = f"line.sendall({PLAN.line()!r}); sys.exit(3)"
    assert _starting(program, first="ended") == ("NotStartedError", 3, "exit status 3")


def test_a_fork_server_that_ends_without_reading_that_it_may_go_on() -> None:
    program = f"line.sendall({PLAN.line()!r}); line.recv(1, socket.MSG_PEEK); os.kill(os.getpid(), signal.SIGKILL)"
    assert _starting(program) == ("NotStartedError", -9, "SIGKILL")


def test_a_fork_server_that_sends_half_a_plan() -> None:
    assert _starting(f"line.sendall({PLAN.line()[:40]!r})") == ("NotStartedError", 0, "exit status 0")


def test_a_plan_of_another_version_ends_its_fork_server() -> None:
    newer = json.dumps({**asdict(PLAN), "newer": 1}).encode() + b"\n"
    kind, _, text = _starting(f"line.sendall({newer!r}); signal.pause()")
    assert kind == "Refused"
    assert "systemctl restart guestpass" in text


def test_a_fork_server_that_closes_its_line_and_goes_on_is_killed() -> None:
    """While it loads, or before it has sent its plan: either would hold up each later reload."""
    for sent in (PLAN.line(), b""):
        program = f"line.sendall({sent!r}); line.close(); signal.pause()"
        assert _starting(program, "forking._END_SECONDS = 0.1") == ("NotStartedError", -9, "SIGKILL")


def test_an_answer_of_another_version_in_place_of_loaded_ends_its_fork_server() -> None:
    kind, _, text = _starting(f"line.sendall({PLAN.line()!r}); line.sendall(b'newer\\n'); line.shutdown(1)")
    assert kind == "Refused"
    assert "systemctl restart guestpass" in text


def test_a_cause_in_place_of_loaded_is_passed_on() -> None:
    why = refusal(ValueError("The cause."))
    # In one piece, as where it can't load so soon that the plan was not yet read.
    kind, _, text = _starting(f"line.sendall({PLAN.line() + why!r})", first="ended")
    assert (kind, text) == ("Refused", "The cause.")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ("sys.executable = '/nowhere/python'", "No such file or directory"),
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (len(before), 256))", "Too many open files"),
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 2, 256))", "Too many open files"),
    ],
)
def test_a_system_that_can_start_no_program(change: str, cause: str) -> None:
    kind, status, text = _starting("", change)
    assert (kind, status) == ("NotStartedError", None)
    assert cause in text


@pytest.mark.parametrize(
    "changed",
    [
        {**asdict(PLAN), "newer": 1},
        {name: value for name, value in asdict(PLAN).items() if name != "workers"},
        {name: value for name, value in asdict(PLAN).items() if name != "listen"},
        {**asdict(PLAN), "listen": {"host": "::1", "port": 8080, "tls": True}},
        {**asdict(PLAN), "listen": "[::1]:8080"},
        {**asdict(PLAN), "drain": None},
        {**asdict(PLAN), "drain": "30s"},
        {},
        [],
        "refused",
        7,
        None,
    ],
)
def test_a_plan_of_another_version_needs_a_restart(changed: Any) -> None:
    with pytest.raises(Refused, match="systemctl restart guestpass"):
        Plan.read(json.dumps(changed).encode() + b"\n")


@pytest.mark.parametrize("line", [b"\n", b"ready\n", b"\xff\n", b'{"refused": 7}\n'])
def test_a_line_that_is_no_plan_needs_a_restart(line: bytes) -> None:
    with pytest.raises(Refused, match="systemctl restart guestpass"):
        Plan.read(line)


REQUEST = ForkRequest(slot=1, workers=2, folder="/tmp/guestpass")


@pytest.mark.parametrize(
    "data",
    [
        json.dumps({**asdict(REQUEST), "newer": 1}).encode(),
        json.dumps({"slot": 1, "workers": 2}).encode(),
        b"[]",
        b"7",
        b"newer",
        b"\xff",
    ],
)
def test_a_request_of_another_version_needs_a_restart(data: bytes) -> None:
    with pytest.raises(Refused, match="systemctl restart guestpass"):
        ForkRequest.read(data)


def test_a_request_is_read_as_it_was_written() -> None:
    assert ForkRequest.read(REQUEST.data()) == REQUEST


def test_a_plan_and_a_refusal_are_read_as_they_were_written() -> None:
    assert Plan.read(PLAN.line()) == PLAN
    with pytest.raises(Refused, match=r"^The cause\.$"):
        Plan.read(refusal(ValueError("The cause.")))


def test_the_command_that_the_version_before_gave_its_workers_says_that_it_needs_a_restart() -> None:
    """An older supervisor runs it at SIGHUP, and goes on with its workers where it fails."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "guestpass.worker_process",
        "--public=3",
        "--admin=4",
        "--line=5",
        "--slot=0",
    ]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 1
    [line] = told.stderr.splitlines()
    assert "systemctl restart guestpass" in line
