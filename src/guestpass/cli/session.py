"""Set up a command: settings, logging, use cases and the acting principal."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from getpass import getpass
from typing import TYPE_CHECKING, TypeVar

from guestpass import telemetry
from guestpass.domain.access import Principal
from guestpass.settings import REMOTE_VARIABLES, Settings, load
from guestpass.system import user_name

if TYPE_CHECKING:
    from guestpass.wiring import Core

REFUSED = 1
WRONG = 2
UNAVAILABLE = 3

Result = TypeVar("Result")


class Stopped(Exception):
    """Ends a command: the text is one sentence for people, `status` the exit status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Unheard:
    """The Announcer of a process without a gateway: servers learn of changes through the database."""

    async def announce(self) -> None:
        """Do nothing: nothing in this process follows changes."""


def read_settings() -> Settings:
    """Load the settings and set up logging for a command: warnings and errors only."""
    settings = load().settings
    quieten(settings)
    return settings


def quieten(settings: Settings) -> None:
    """Log warnings and errors only."""
    telemetry.configure(settings.log_format.value, level=logging.WARNING)


def operator(org: str) -> Principal:
    """Return the operating system's user as a principal with all scopes in the organisation."""
    return Principal(user_name(os.geteuid()), org)


def act(org: str, action: Callable[[Core, Principal], Awaitable[Result]]) -> Result:
    """Run an action on the server's database; raises Stopped if GUESTPASS_URL names a remote server."""
    if os.environ.get(REMOTE_VARIABLES[0], "").strip():
        raise Stopped(
            WRONG,
            f"This command works beside the server only, and {REMOTE_VARIABLES[0]} names one somewhere else: run it "
            "there, or unset the variable to work on the data directory here.",
        )
    with installation():
        return asyncio.run(_act(read_settings(), operator(org), action))


@contextmanager
def installation() -> Iterator[None]:
    """Turn database errors within the block into Stopped."""
    # Loaded here: it takes longer than commands that need no database.
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from guestpass.storage.location import DatabaseUnusable  # noqa: PLC0415

    try:
        yield
    except DatabaseUnusable as error:
        raise Stopped(WRONG, str(error)) from None
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or type(error).__name__
        raise Stopped(REFUSED, f"The database can't be used: {cause}.") from None


async def _act(
    settings: Settings, principal: Principal, action: Callable[[Core, Principal], Awaitable[Result]]
) -> Result:
    from guestpass.wiring import build_core_beside_server  # noqa: PLC0415 - as in `installation`

    core = await build_core_beside_server(settings, Unheard())
    try:
        return await action(core, principal)
    finally:
        await core.close()


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation unless `yes`; raises Stopped if it isn't given."""
    if yes:
        return
    # On standard error, since only results belong on standard output.
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - the command's way to ask
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)  # noqa: T201
        raise Stopped(REFUSED, "Nobody confirmed it, so nothing was changed; --yes goes on without asking.")
    if answer.strip().lower() not in {"y", "yes"}:
        raise Stopped(REFUSED, "Nothing was changed.")


def ask_password(wanted_by: str, *, confirmed: bool) -> str:
    """Prompt for a password without echo, or read a line of standard input; never an argument, which others can see.

    Raises Stopped for an empty line, which a failed command before a pipe leaves.
    """
    if sys.stdin.isatty():
        return _type_password(confirmed=confirmed)
    password = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not password:
        raise Stopped(
            WRONG,
            f"No password for {wanted_by} came on standard input, so nothing was changed. Write it there as one line; "
            "did the command before the pipe fail?",
        )
    return password


def _type_password(*, confirmed: bool) -> str:
    # typer's prompt is printed before the terminal discards what was typed ahead.
    try:
        while True:
            password = getpass("Password: ", sys.stderr)
            if password and (not confirmed or getpass("The same again: ", sys.stderr) == password):
                return password
            print(  # noqa: T201
                "That was not the same; once more." if password else "It must not be empty.", file=sys.stderr
            )
    except EOFError:
        raise KeyboardInterrupt from None
