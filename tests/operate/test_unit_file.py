"""The systemd unit of deploy/."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest
from tests.operate.proxies import DEPLOY

from guestpass.settings import Source, load

UNIT = DEPLOY / "guestpass.service"


@pytest.mark.applications
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    # Its program is installed elsewhere, and systemd looks whether it is there.
    unit = tmp_path / "guestpass.service"
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/guestpass/bin/guestpass", "/bin/true"), encoding="utf-8"
    )
    found = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_systemd_leaves_the_workers_of_a_killed_supervisor_to_finish() -> None:
    """They end by themselves (tests/faults/test_processes.py); decision 14 says what other modes did."""
    assert re.findall(r"^KillMode=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE) == ["process"]


def test_systemd_tries_for_as_long_as_former_workers_may_hold_the_addresses() -> None:
    """Else one that is slow to let go would keep the service down until somebody comes."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    starts, pause = unit.getint("Unit", "StartLimitBurst"), unit.getint("Service", "RestartSec")
    assert starts * pause >= load({}).settings.drain.total_seconds() + 15
    # Where no start ever succeeds, as with wrong settings, it gives up.
    assert unit.getint("Unit", "StartLimitIntervalSec") > starts * pause


def test_the_page_installs_what_the_unit_starts() -> None:
    page = (DEPLOY.parent / "docs" / "operate" / "deploying.md").read_text(encoding="utf-8")
    [program] = re.findall(r"^ExecStart=(\S+) serve$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert f"python3 -m venv {Path(program).parents[1]}" in page


def test_commands_beside_the_unit_look_into_its_data_directory(tmp_path: Path) -> None:
    """The unit's user has it as its home, below which a command would look without the page's settings."""
    page = (DEPLOY.parent / "docs" / "operate" / "deploying.md").read_text(encoding="utf-8")
    [settings] = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "guestpass.toml"
    file.write_text(settings, encoding="utf-8")
    [data_dir] = re.findall(r"^Environment=GUESTPASS_DATA_DIR=(\S+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    loaded = load({}, system_file=file)
    assert (str(loaded.settings.data_dir), loaded.sources["data_dir"]) == (data_dir, Source.FILE)
