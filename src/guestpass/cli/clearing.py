"""Take away what a link or an environment need not have: a word of its own, so that an empty text never does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import typer

_CLEAR: Final = "--clear"


def clear_option(words: Iterable[str]) -> Any:  # noqa: ANN401 - typer gives its options no type
    """The option that takes one of these words."""
    return typer.Option(
        _CLEAR,
        metavar="OPTION",
        help=f"Remove the value of another option: {', '.join(words)}. May be given several times.",
    )


def require_given(**options: str | Sequence[str] | None) -> None:
    """Refuse an empty text, which a script gives by mistake, for an option that says who gets in."""
    for name, value in options.items():
        if value is not None and "" in ((value,) if isinstance(value, str) else value):
            raise typer.BadParameter("must not be empty; for none, leave the option out", param_hint=_option(name))


def require_given_or_cleared(**options: str | Sequence[str] | None) -> None:
    """The same where something may be there already."""
    for name, value in options.items():
        if value is not None and "" in ((value,) if isinstance(value, str) else value):
            word = _option(name).removeprefix("--")
            raise typer.BadParameter(
                f"must not be empty; to take away what is there: {_CLEAR} {word}", param_hint=_option(name)
            )


def cleared(words: Sequence[str], fields: Mapping[str, tuple[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are taken away; `fields` says of each word which field it is, and what it is without a value."""
    for word in words:
        if fields[word][0] in given:
            raise typer.BadParameter(f"{word} can't be given beside --{word}", param_hint=_CLEAR)
    return dict(fields[word] for word in words)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
