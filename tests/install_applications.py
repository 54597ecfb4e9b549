"""Install the real applications that the tests share, where they are missing.

`make test` runs this before the tests. Debian's packages are installed as root; anybody else is told what
to install. JupyterLab gets an environment of its own, from pinned requirements; axe-core, which finds what keeps
people from using a page, is one script of a pinned version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements" / "jupyterlab.txt"
JUPYTERLAB = ROOT / ".venv-jupyterlab"
AXE = ROOT / ".venv-axe" / "axe.min.js"
AXE_VERSION = "4.14.1"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
PYTHON_MODULES = Path("/usr/lib/python3/dist-packages")
# Each Debian package, and the file by which it is known to be there. nginx stands in an administrator's PATH only.
PACKAGES = {
    "caddy": shutil.which("caddy"),
    "chromium": shutil.which("chromium"),
    "npm": shutil.which("npm"),
    "haproxy": shutil.which("haproxy") or "/usr/sbin/haproxy",
    "iproute2": shutil.which("ip") or "/usr/sbin/ip",
    "nginx": shutil.which("nginx") or "/usr/sbin/nginx",
    "postgresql": next(Path("/usr/lib/postgresql").glob("*/bin/initdb"), None),
    "python3-venv": next(Path("/usr/lib").glob("python3.*/ensurepip/__main__.py"), None),
    "systemd": shutil.which("systemd-analyze"),
    "tryton-server": "/usr/bin/trytond-admin",
    "tryton-sao": "/usr/share/tryton-sao/www/index.html",
    "tryton-modules-party": PYTHON_MODULES / "trytond" / "modules" / "party" / "party.py",
}


def main() -> int:
    """Install what is missing; the exit status is 1 when that needs somebody else."""
    missing = [package for package, file in PACKAGES.items() if file is None or not Path(file).exists()]
    if missing and not install_packages(missing):
        return 1
    install_environment(JUPYTERLAB, REQUIREMENTS)
    _install_axe()
    return 0


def install_packages(packages: list[str]) -> bool:
    """Install Debian's packages as root; False, and words to whoever runs this, where that can't be done."""
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        _say(f"missing: {names}. Install that (sudo apt-get install {names}) and try again.")
        return False
    _say(f"installing {names}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        result = subprocess.run(
            ["apt-get", "--quiet", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if result.returncode != 0:
            _say(f"apt-get {command[0]} failed:\n{result.stdout.decode()[-2000:]}{result.stderr.decode()[-2000:]}")
            return False
    return True


def install_environment(folder: Path, requirements: Path, python: str = sys.executable) -> None:
    """Make a Python environment with exactly these pinned requirements, unless `folder` is that already."""
    stamp = folder / "installed"
    which = sys.version if python == sys.executable else python
    wanted = f"{which}\n{hashlib.sha256(requirements.read_bytes()).hexdigest()}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _say(f"installing what is in {requirements.name}")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, folder], check=True)
    own = folder / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", own, "--require-hashes", "-r", requirements], check=True
    )
    stamp.write_text(wanted)


def _install_axe() -> None:
    if AXE.exists() and hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256:
        return
    _say("installing axe-core")
    with TemporaryDirectory() as directory:
        subprocess.run(
            ["npm", "pack", "--silent", f"axe-core@{AXE_VERSION}"], cwd=directory, check=True, stdout=subprocess.DEVNULL
        )
        with tarfile.open(Path(directory) / f"axe-core-{AXE_VERSION}.tgz") as package:
            member = package.extractfile(f"package/{AXE.name}")
            assert member is not None
            script = member.read()
    if hashlib.sha256(script).hexdigest() != AXE_SHA256:
        raise RuntimeError(f"axe-core {AXE_VERSION} is not what it was when its checksum was written down.")
    AXE.parent.mkdir(exist_ok=True)
    AXE.write_bytes(script)


def _say(text: str) -> None:
    sys.stderr.write(f"guestpass: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
