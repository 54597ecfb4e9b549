"""What the other tests call a command is what a user starts."""

from __future__ import annotations

import subprocess

import pytest
from tests.cli.command import COMMAND, Guestpass


@pytest.mark.parametrize(
    "arguments", [["settings"], ["env", "list", "--json"], ["env", "lis"], ["account", "add", "x", "y"]]
)
def test_a_preloaded_command_does_what_a_started_one_does(installed: Guestpass, arguments: list[str]) -> None:
    started = subprocess.run(
        [*COMMAND, *arguments],
        env=installed.environ(),
        input="Grüße\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    preloaded = installed.run(*arguments, stdin="Grüße\n")
    assert (preloaded.status, preloaded.out, preloaded.err) == (started.returncode, started.stdout, started.stderr)
