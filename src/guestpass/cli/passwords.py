"""The option --password of links: given, prompted for, or generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from typer.core import TyperCommand

from guestpass.app.passwords import suggest_password
from guestpass.cli.session import ask_password
from guestpass.system import SystemEntropy

_PASSWORD, _MAKE = "--password", "--make-password"

MakePassword = Annotated[bool, typer.Option(_MAKE, help="Make a password and print it; --password alone does it too.")]
Password = Annotated[
    str | None,
    typer.Option(
        _PASSWORD,
        metavar="[TEXT]",
        help="The password that visitors must type. With - it is asked for, or read from standard input, so that it "
        "stands in no list of processes. Alone (--password, and then nothing or another option) a password is made and "
        "printed.",
    ),
]


class PasswordCommand(TyperCommand):
    """A command whose --password takes an optional value, which typer doesn't support."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse the arguments; a --password without a value gets its default."""
        return super().parse_args(ctx, list(_spelled_out(args)))


def choose_password(given: str | None, *, make: bool) -> tuple[str | None, str | None]:
    """Return the password to set, and the same again if it was generated and must be printed; prompts for ``-``."""
    if given == "-":
        return ask_password("--password -", confirmed=True), None
    if given is not None and make:
        raise typer.BadParameter("can't be given beside --make-password", param_hint=_PASSWORD)
    made = suggest_password(SystemEntropy()) if make else None
    return given if made is None else made, made


def _spelled_out(args: Sequence[str]) -> Iterator[str]:
    options = True
    for position, argument in enumerate(args):
        options = options and argument != "--"
        following = args[position + 1] if position + 1 < len(args) else None
        alone = following is None or (following.startswith("-") and following != "-")
        yield _MAKE if options and argument == _PASSWORD and alone else argument
