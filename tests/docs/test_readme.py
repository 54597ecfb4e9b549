"""The README's own commands, typed as they stand by somebody who has nothing but Debian, Python and this repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from tests.markers import starts
from tests.ports import reserve_ports

ROOT = Path(__file__).resolve().parents[2]
_NOT_CLONED = shutil.ignore_patterns(
    ".venv*", ".git", ".*_cache", ".hypothesis", "build", "dist", "__pycache__", "tests"
)
# Where packages come from is the machine's, not the account's.
_OF_THE_MACHINE = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_NOBODY = 65534


def blocks(heading: str) -> list[str]:
    """What is to be typed below a heading of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found


@dataclass(frozen=True)
class Account:
    """A user who has just been added: a home with nothing in it but their clone, and only what the machine has."""

    home: Path
    environ: dict[str, str]

    @property
    def clone(self) -> Path:
        """Where they cloned the repository to."""
        return self.home / "guestpass"

    def start(self, script: str) -> subprocess.Popen[str]:
        """Begin what the script says, in their clone."""
        account = _NOBODY if os.geteuid() == 0 else None
        return subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=self.clone,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            user=account,
            group=account,
            extra_groups=None if account is None else [],
        )

    def run(self, script: str) -> str:
        """Do it, and return what it printed."""
        process = self.start(script)
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0, printed
        return printed


@starts("slow")
@contextmanager
def new_account() -> Iterator[Account]:
    """A new user, called nobody where the tests run as root."""
    with TemporaryDirectory(prefix="guestpass-home-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        shutil.copytree(ROOT, home / "guestpass", ignore=_NOT_CLONED, symlinks=True)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{_NOBODY}:{_NOBODY}", home], check=True)
        environ = {name: value for name, value in os.environ.items() if name.startswith(_OF_THE_MACHINE)}
        yield Account(home, environ | {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"})


def test_use_it_is_used_as_it_stands() -> None:
    install, share, call = blocks("Use it")
    public, admin = reserve_ports(2)
    with new_account() as account:
        # Only what another program may have taken, or is not on this machine, is another.
        account.environ.update(GUESTPASS_LISTEN=f"127.0.0.1:{public}", GUESTPASS_ADMIN_LISTEN=f"127.0.0.1:{admin}")
        on_path = install.partition("guestpass serve")[0]
        call = call.replace("localhost:8081", f"localhost:{admin}")
        server = account.start(install)
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if str(admin) in line and _answers(admin):
                    break
            else:
                pytest.fail("the server ended")
            path = "".join(line for line in on_path.splitlines(keepends=True) if line.startswith("export PATH"))
            printed = account.run(path + share)
            assert f"\nhttp://127.0.0.1:{public}/share/" in printed, printed
            assert "is paused" in printed, printed
            made = account.run(path + call)
            assert json.loads(made[made.index("{") :])["url"].startswith(f"http://127.0.0.1:{public}/share/"), made
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.communicate(timeout=60)


def test_uv_installs_it_as_a_tool_of_the_users() -> None:
    assert "`uv tool install .`" in (ROOT / "README.md").read_text(encoding="utf-8")
    with new_account() as account:
        account.environ["PATH"] += f":{account.home}/.local/bin"
        # This project's own environment may lie where nobody else can read.
        uv = account.home / "uv"
        shutil.copy(Path(sys.executable).with_name("uv"), uv)
        uv.chmod(0o755)
        account.run(f"{uv} tool install --quiet . --python /usr/bin/python3")
        assert account.run("guestpass --version").startswith("guestpass ")


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://localhost:{port}/readyz") as answer:
            return bool(answer.status == 200)
    except URLError:
        return False
