"""The option --clear, which removes optional fields; an empty value never does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import typer

_CLEAR: Final = "--clear"


def clear_option(words: Iterable[str]) -> Any:  # noqa: ANN401 - typer gives its options no type
    """Return the --clear option for these names of options."""
    return typer.Option(
        _CLEAR,
        metavar="OPTION",
        help=f"Remove the value of another option: {', '.join(words)}. May be given several times.",
    )


def require_given(**options: str | Sequence[str] | None) -> None:
    """Refuse an empty value, likely a script's mistake, for options that restrict access; raises BadParameter."""
    for name, value in options.items():
        if value is not None and "" in ((value,) if isinstance(value, str) else value):
            raise typer.BadParameter("must not be empty; for none, leave the option out", param_hint=_option(name))


def require_given_or_cleared(**options: str | Sequence[str] | None) -> None:
    """Refuse an empty value as `require_given` does, and name --clear as the way to remove the present one."""
    for name, value in options.items():
        if value is not None and "" in ((value,) if isinstance(value, str) else value):
            word = _option(name).removeprefix("--")
            raise typer.BadParameter(
                f"must not be empty; to take away what is there: {_CLEAR} {word}", param_hint=_option(name)
            )


def cleared(words: Sequence[str], fields: Mapping[str, tuple[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cleared fields; `fields` maps each name to its field and the field's value when cleared."""
    for word in words:
        if fields[word][0] in given:
            raise typer.BadParameter(f"{word} can't be given beside --{word}", param_hint=_CLEAR)
    return dict(fields[word] for word in words)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
