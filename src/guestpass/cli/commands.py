"""Run a command and turn what stops it into an exit status."""

from __future__ import annotations

import typer
from typer.exceptions import TyperException

from guestpass.cli import environment_options, link_options, options
from guestpass.cli.application import app
from guestpass.cli.session import WRONG, Stopped
from guestpass.cli.stopping import fail, stopping


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    if any("\udc80" <= character <= "\udcff" for argument in arguments for character in argument):
        return fail(WRONG, "The arguments must be valid text in the locale's encoding, which should be UTF-8.")
    names = {**options.NAMES, **environment_options.NAMES, **link_options.NAMES}
    return stopping(lambda: _command(arguments), names)


def _command(arguments: list[str]) -> object:
    """Let typer parse the arguments and run the command; rephrase its usage errors."""
    try:
        return typer.main.get_command(app).main(args=arguments, prog_name="guestpass", standalone_mode=False)
    except TyperException as error:
        # Without a command, the message is the whole help.
        if error.format_message().startswith("Usage:"):
            typer.echo(error.format_message(), err=True)
            return WRONG
        # click's message, without terms that only programmers know.
        raise Stopped(error.exit_code, error.format_message().replace("Value error, ", "")) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
