"""The command `guestpass`: run what was asked for, and end with an exit status."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from guestpass.cli.application import app
from guestpass.cli.session import WRONG
from guestpass.cli.stopping import say, stopping


def main() -> NoReturn:
    """The command `guestpass`."""
    # What we make (the database and its companions above all) is nobody else's to read.
    os.umask(0o077)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    if any("\udc80" <= character <= "\udcff" for argument in arguments for character in argument):
        return say(WRONG, "The arguments must be valid text in the locale's encoding, which should be UTF-8.")
    return stopping(
        lambda: typer.main.get_command(app).main(args=arguments, prog_name="guestpass", standalone_mode=False)
    )
