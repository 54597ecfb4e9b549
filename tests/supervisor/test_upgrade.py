"""A new version is installed while a server runs: all of it counts from SIGHUP on, and nothing of it before."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest
from PIL import Image
from tests.cli.command import COMMAND
from tests.dashboard.owner import NAVIGATION, signed_in
from tests.gateway.shared import sharing
from tests.installation import SERVE, Installation, installation
from tests.links.waiting import until
from tests.supervisor.processes import fork_server_id, said, until_gone, until_said, worker_ids
from tests.supervisor.test_start_and_stop import alone
from tests.supervisor.upstream import answering

import guestpass
from guestpass.storage.migrations import versions

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEWER = "999.0"
_PACKAGE = Path(guestpass.__file__).parent


class Program:
    """A copy of the program that a server runs, whose files can be changed."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self._installed = site / "guestpass"
        self.install()

    def install(self, version: str = guestpass.__version__) -> None:
        """Put this version there."""
        shutil.rmtree(self._installed, ignore_errors=True)
        shutil.copytree(_PACKAGE, self._installed, ignore=shutil.ignore_patterns("__pycache__"))
        self._installed.joinpath("__init__.py").write_text(f'__version__ = "{version}"\n', encoding="utf-8")

    def change(self, module: str, old: str, new: str) -> None:
        """Replace a part of a module; `old` of "" is all of it."""
        file = self._installed / module
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new) if old else new, encoding="utf-8")

    def install_incompatible(self) -> None:
        """Put files there with which nothing of today's program would work, and a migration that it does not know."""
        self.install(NEWER)
        for file in self._installed.rglob("*"):
            if file.suffix == ".py":
                file.write_text("raise ImportError('this is a newer version')\n", encoding="utf-8")
            elif file.is_file():
                file.write_text("{{ newer(", encoding="utf-8")
        folder = self._installed / Path(str(versions.__file__)).parent.relative_to(_PACKAGE)
        folder.joinpath("9999_newer.py").write_text("raise ImportError\n", encoding="utf-8")


@asynccontextmanager
async def _running(program: Program, workers: int = 1) -> AsyncIterator[Installation]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(program.site))
        async with installation(workers=workers, drain="8s", program=SERVE) as running:
            await until_said(running, "serving")
            yield running


async def _version(server: Installation) -> str:
    async with httpx2.AsyncClient(base_url=server.admin_url, headers=server.client.headers, timeout=60) as anew:
        answer = await anew.get("/api/installation")
        assert answer.status_code == 200, answer.text
        version: str = answer.json()["version"]
        return version


async def _replace(server: Installation) -> None:
    [old] = worker_ids(server)
    os.kill(old, signal.SIGKILL)
    await until_gone(old)
    # The connections that are kept were the old worker's.
    assert await _version(server)
    assert worker_ids(server) != [old]


async def test_a_worker_that_is_replaced_before_sighup_runs_the_version_before_from_memory(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with _running(program) as server, signed_in(server, "--sub", "owner@example.com") as owner:
        program.install_incompatible()
        await _replace(server)
        assert await _version(server) == guestpass.__version__
        async with answering() as url, sharing(server) as share:
            shared = await share(url)
            assert (await shared.ask(b"GET /quick HTTP/1.1")).status == 200
            guarded = await server.create_link(shared.environment["id"], password="correct horse")
            async with httpx2.AsyncClient(headers={**NAVIGATION, "Accept-Language": "es"}, timeout=60) as visitor:
                assert "contraseña" in (await visitor.get(guarded["url"])).text
            picture = io.BytesIO()
            Image.new("RGB", (200, 80), "#2f5bd7").save(picture, "PNG")
            logo = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
            assert (await server.client.put("/api/branding", json={"logo": logo})).status_code == 200
            for path in ("/environments", f"/environments/{shared.environment['id']}", "/links", "/branding"):
                assert (await owner.get(path)).status_code == 200, path
        assert "newer version" not in server.log


async def test_sighup_puts_the_new_version_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with _running(program) as server:
        program.install(NEWER)
        await _replace(server)
        assert await _version(server) == guestpass.__version__
        [old] = worker_ids(server)
        server.process.send_signal(signal.SIGHUP)
        await until_said(server, "workers_replaced")
        await until_gone(old)
        assert await _version(server) == NEWER
        await _replace(server)
        assert await _version(server) == NEWER


async def test_a_version_that_does_not_start_leaves_the_one_before_in_its_place(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with _running(program) as server:
        program.install_incompatible()
        server.process.send_signal(signal.SIGHUP)
        line = await until_said(server, "worker_not_replaced")
        assert line["ended"] == "exit status 1"
        await _replace(server)
        assert await _version(server) == guestpass.__version__
        assert not said(server, "fork_server_died")


# In the place of `worker_process.py`: the fork server has sent its plan and ends while it loads.
_UNREAD = """
import os, select, signal, sys
[line] = [int(each.removeprefix("--line=")) for each in sys.argv if each.startswith("--line=")]
select.select([line], [], [])
os.kill(os.getpid(), signal.SIGKILL)
"""
_AT_ONCE = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
_PLAN = "json.dumps(asdict(self))"
_NEWER_PLAN = "json.dumps(asdict(self) | {'newer': 1})"
_REQUEST = "    slot: int\n    workers: int\n"
_NEWER_REQUEST = f"{_REQUEST}    newer: int\n"
# The fork server closes its line and does not end.
_DEAF = """
import os, signal, sys
[line] = [int(each.removeprefix("--line=")) for each in sys.argv if each.startswith("--line=")]
os.close(line)
signal.pause()
"""


async def _serve_still(server: Installation, workers: list[int]) -> None:
    assert server.process.returncode is None
    assert worker_ids(server) == workers
    for _ in range(8):
        # Each connection goes to either worker.
        assert await _version(server) == guestpass.__version__


@pytest.mark.parametrize(
    ("changed", "message", "field", "cause"),
    [
        (("worker_process.py", "", "import guestpass.half"), "reload_refused", "cause", "install it again"),
        (("worker.py", "", "def half(:"), "reload_refused", "cause", "install it again"),
        (("web/logo_resize.py", "", "import guestpass.half"), "reload_refused", "cause", "guestpass.half"),
        (("worker_process.py", "", _UNREAD), "worker_not_replaced", "ended", "SIGKILL"),
        (("worker_process.py", "", _AT_ONCE), "worker_not_replaced", "ended", "SIGKILL"),
        (("forking.py", _PLAN, _NEWER_PLAN), "reload_refused", "cause", "systemctl restart guestpass"),
        (("forking.py", _REQUEST, _NEWER_REQUEST), "reload_refused", "cause", "systemctl restart guestpass"),
        (("worker_process.py", "", _DEAF), "worker_not_replaced", "ended", "SIGKILL"),
    ],
    ids=[
        "a module is missing",
        "half a module",
        "needed late",
        "killed while told",
        "killed at once",
        "newer plan",
        "newer request",
        "line closed",
    ],
)
async def test_however_a_reload_fails_both_workers_go_on_and_the_log_names_the_cause(
    tmp_path: Path, changed: tuple[str, str, str], message: str, field: str, cause: str
) -> None:
    program = Program(tmp_path)
    async with _running(program, workers=2) as server:
        before = worker_ids(server)
        assert len(before) == 2
        program.change(*changed)
        server.process.send_signal(signal.SIGHUP)
        line = await until_said(server, message)
        assert cause in line[field]
        assert line["effect"]
        await _serve_still(server, before)
        assert "Traceback" not in server.log
        program.install()
        server.process.send_signal(signal.SIGHUP)
        await until_said(server, "workers_replaced")
        await until_gone(*before)

        async def are_two() -> bool:
            # While a process ends, the kernel's list of its siblings may lack one (proc(5)).
            return len(worker_ids(server)) == 2

        await until(are_two)


async def test_where_the_fork_server_dies_beside_a_newer_version_the_workers_go_on(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with _running(program, workers=2) as server:
        before = worker_ids(server)
        program.change("forking.py", _PLAN, _NEWER_PLAN)
        os.kill(fork_server_id(server), signal.SIGKILL)
        line = await until_said(server, "fork_server_not_started")
        assert "systemctl restart guestpass" in line["ended"]
        await _serve_still(server, before)


async def test_where_no_program_can_be_started_at_a_reload_the_workers_go_on(tmp_path: Path) -> None:
    """As while a virtual environment is made anew."""
    interpreter = tmp_path / "python"

    def install() -> None:
        interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        interpreter.chmod(0o755)

    install()
    command = f"import sys; sys.executable = {str(interpreter)!r}; from guestpass.cli.main import main; "
    command += "sys.argv = ['guestpass', 'serve']; main()"
    async with installation(workers=2, drain="8s", program=("-c", command)) as server:
        await until_said(server, "serving")
        before = worker_ids(server)
        interpreter.unlink()
        server.process.send_signal(signal.SIGHUP)
        line = await until_said(server, "worker_not_replaced")
        assert "No such file or directory" in line["ended"]
        await _serve_still(server, before)
        install()
        server.process.send_signal(signal.SIGHUP)
        await until_said(server, "workers_replaced")


@pytest.mark.parametrize(
    ("changed", "said_instead"),
    [
        (("worker_process.py", "", "import guestpass.half"), "guestpass.half"),
        (("worker_process.py", "", _AT_ONCE), "SIGKILL"),
        (("forking.py", _PLAN, _NEWER_PLAN), "systemctl restart guestpass"),
    ],
    ids=["a module is missing", "killed at once", "newer plan"],
)
async def test_a_first_start_that_fails_says_why(
    tmp_path: Path, changed: tuple[str, str, str], said_instead: str
) -> None:
    program = Program(tmp_path / "site")
    program.change(*changed)
    environ = {**alone(tmp_path / "data"), "PYTHONPATH": str(program.site)}
    command = partial(subprocess.run, env=environ, capture_output=True, text=True, timeout=120, check=False)
    told = await asyncio.to_thread(command, [*COMMAND, "serve"])
    assert told.returncode == 1
    assert said_instead in told.stderr
    assert "Traceback" not in told.stderr
