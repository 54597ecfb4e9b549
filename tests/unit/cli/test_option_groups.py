"""What typer sees of a command whose parameters stand for groups of options."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.testing import CliRunner

from guestpass.cli.option_groups import option_of, values_of, with_groups


@dataclass(frozen=True, kw_only=True)
class Size:
    """Two options."""

    width: Annotated[int, typer.Option("--width", help="How wide.")] = 3
    how_high: Annotated[int | None, typer.Option("--how-high", help="How high.")] = None


def test_a_group_stands_for_its_fields_where_it_stands_itself() -> None:
    @with_groups
    def draw(what: str, *, size: Size, loudly: bool = False) -> None:
        """Draw it."""

    parameters = inspect.signature(draw).parameters
    assert list(parameters) == ["what", "width", "how_high", "loudly"]
    assert [parameters[name].default for name in ("width", "how_high", "loudly")] == [3, None, False]
    assert parameters["what"].default is inspect.Parameter.empty
    assert draw.__doc__ == "Draw it."


def test_a_command_is_given_its_groups_as_they_were_typed() -> None:
    drawn: list[Any] = []
    app = typer.Typer()

    @app.command()
    @with_groups
    def draw(what: str, *, size: Size, loudly: bool = False) -> None:
        drawn.append((what, size, loudly))

    for arguments in (["a house", "--how-high", "5"], ["a tree", "--width", "1", "--loudly"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    assert drawn == [("a house", Size(width=3, how_high=5), False), ("a tree", Size(width=1), True)]
    assert CliRunner().invoke(app, ["a house", "--how-high", "high"]).exit_code == 2


def test_options_are_read_and_typed_by_their_names() -> None:
    assert values_of(Size(how_high=2), Size()) == {"width": 3, "how_high": None}
    assert option_of("how_high") == "--how-high"
