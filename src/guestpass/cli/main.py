"""Run a command and turn whatever stops it into one clear sentence and an exit status."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from guestpass.app.instance import AnotherKey
from guestpass.cli.application import app
from guestpass.cli.session import REFUSED, WRONG, Stopped
from guestpass.data_directory import DataDirectoryUnusable
from guestpass.domain.errors import GuestpassError, Invalid
from guestpass.settings import SettingsError

_STOPPED_BY_INTERRUPT = 130  # 128 and the number of SIGINT, as shells count.

# The names that the API has for what these options say.
_OPTIONS = {
    "expiresIn": "--expires",
    "shareType": "--type",
    "password": "--password",
    "label": "--label",
    "id": "--id",
    "name": "NAME",
    "url": "URL",
    "websocketUrl": "--websocket-url",
    "maintenance": "--maintenance",
    "kind": "--kind",
    "description": "--description",
    "bodyLimit": "--body-limit",
    "responseTimeout": "--response-timeout",
    "publicUrl": "--public-url",
    "database": "--database",
    "allowPaths": "--allow-path",
    "maxConcurrent": "--max-concurrent",
    "readOnlyAllow": "--read-only-allow",
    "access": "--view-only",
    "signInAs": "--sign-in-as",
    "login": "LOGIN",
    "allowAdmin": "--allow-admin",
}


def main() -> NoReturn:
    """The command `guestpass`."""
    # What we make (the database and its companions above all) is nobody else's to read.
    os.umask(0o077)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    if any("\udc80" <= character <= "\udcff" for argument in arguments for character in argument):
        return _stop(WRONG, "The arguments must be valid text in the locale's encoding, which should be UTF-8.")
    try:
        status = typer.main.get_command(app).main(args=arguments, prog_name="guestpass", standalone_mode=False)
    except TyperException as error:
        # Where a command is left out, the message is the whole help.
        if error.format_message().startswith("Usage:"):
            typer.echo(error.format_message(), err=True)
            return WRONG
        return _stop(error.exit_code, error.format_message())
    except (typer.Abort, KeyboardInterrupt):
        return _stop(_STOPPED_BY_INTERRUPT, "Stopped.")
    except Stopped as error:
        return _stop(error.status, str(error))
    except SettingsError as error:
        return _stop(WRONG, *error.problems)
    except (AnotherKey, DataDirectoryUnusable) as error:
        return _stop(WRONG, str(error))
    except Invalid as error:
        return _stop(WRONG, *(f"{_OPTIONS.get(each.field, each.field)} {each.message}." for each in error.errors))
    except GuestpassError as error:
        return _stop(REFUSED, str(error))
    return status if isinstance(status, int) else 0


def _stop(status: int, *sentences: str) -> int:
    for sentence in sentences:
        print(f"guestpass: {sentence}", file=sys.stderr)  # noqa: T201 - the command's way to speak
    return status
