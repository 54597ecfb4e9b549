"""Entry point of the command `guestpass`."""

from __future__ import annotations

import os
import re
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command and exit with its status."""
    # Created files, above all the database's, must be private.
    os.umask(0o077)
    match sys.argv[1:]:
        case ["serve"]:
            status = _serve(None)
        case ["serve", "--workers", number] if re.fullmatch(r"[1-9][0-9]?", number):
            status = _serve(int(number))
        case arguments:
            from guestpass.cli.commands import run  # noqa: PLC0415 - see `_serve`

            status = run(arguments)
    sys.exit(status)


def _serve(workers: int | None) -> int:
    """Run `serve` without loading typer, which would be half of the supervisor's memory."""
    from guestpass.domain.errors import GuestpassError  # noqa: PLC0415 - the other commands need no sockets and signals
    from guestpass.supervisor import supervise  # noqa: PLC0415

    try:
        return supervise(workers)
    except GuestpassError as error:
        print(f"guestpass: {error}", file=sys.stderr)  # noqa: T201 - the command's way to speak
        return 1
