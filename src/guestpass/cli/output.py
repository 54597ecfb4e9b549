"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import typer
from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from guestpass.domain.finding import Finding
from guestpass.domain.link import Status
from guestpass.web.api.account_models import WarningBody
from guestpass.web.api.link_models import ShareLinkBody
from guestpass.web.api.models import FindingBody

# Wide enough to fold nothing when the output goes to another program.
_PIPE_WIDTH: Final = 100_000
_GAP: Final = "  "
# Headings of what is copied or compared, all of it.
_WHOLE: Final = frozenset({"ENV", "ID", "LOGIN", "MODEL/METHOD", "REQUEST", "SETTING", "TABLE", "URL"})
_LONGEST_WORD: Final = 12
"""Characters of a word in other columns that is not broken."""

Cell = str | Text
"""What stands in a table, with its colour where it has one."""


def print_json(data: BaseModel | dict[str, Any]) -> None:
    """Print a JSON document on standard output, in the API's form."""
    if isinstance(data, BaseModel):
        data = data.model_dump(mode="json", by_alias=True)
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, width: int = _PIPE_WIDTH) -> None:
    """Print a table as wide as the terminal (`width` without one); nothing is cut off.

    Cells go on below themselves, between words. What is copied or compared, such as an id, is never broken: a terminal
    that is too narrow for that gets each row as a block: its first cell, and names and values below.
    """
    console, cells = _console(width), [[_text(cell) for cell in row] for row in rows]
    columns = zip(map(Text, headings), *cells, strict=True)
    least = [_least_width(heading, column) for heading, column in zip(headings, columns, strict=True)]
    if sum(least) + len(_GAP) * (len(headings) - 1) > console.width:
        names = [f"{_GAP}{heading.lower()}" for heading in headings[1:]]
        for first, *others in cells:
            console.print(first, soft_wrap=True)
            print_fields(list(zip(names, others, strict=True)))
        return
    table = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0))
    for heading, of_column in zip(headings, least, strict=True):
        table.add_column(heading, overflow="fold", no_wrap=heading in _WHOLE, min_width=of_column)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def print_fields(fields: Sequence[tuple[str, Cell]]) -> None:
    """Print names and values, one pair a line, without folding, so that a long URL can be copied whole."""
    console, width = _console(_PIPE_WIDTH), max(len(name) for name, _ in fields)
    for name, value in fields:
        console.print(Text.assemble((name.ljust(width), "bold"), _GAP, _text(value)), soft_wrap=True)


def note(text: str) -> None:
    """Print a note on standard error; standard output has only results."""
    typer.echo(text, err=True)


def tell(findings: Iterable[Finding | FindingBody | WarningBody]) -> None:
    """Print findings as notes."""
    for finding in findings:
        note(printable(f"guestpass: {finding.code}: {in_words(finding)}"))


def in_words(finding: Finding | FindingBody | WarningBody) -> str:
    """Format a finding as text, with its time if it has one."""
    when = None if isinstance(finding, WarningBody) else finding.at
    at = f"{moment(when)}: " if when is not None else ""
    return f"{at}{finding.detail} {finding.remedy}"


def moment(at: datetime | None) -> str:
    """Format a time to the minute, in UTC; ``-`` for None."""
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}Z"


def state(link: ShareLinkBody, now: datetime) -> Text:
    """Describe a link's status in two or three words, such as ``6d 4h left``."""
    if link.status is Status.DEACTIVATED:
        return Text("paused", "yellow")
    if link.status is Status.EXPIRED or link.expires_at <= now:
        return Text(f"expired {link.expires_at:%Y-%m-%d}", "dim")
    return Text(f"{time_left(link.expires_at - now)} left", "green")


def time_left(left: timedelta) -> str:
    """Format a duration to the minute, in its two largest units, such as ``6d 4h``."""
    minutes = round(left.total_seconds() / 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    parts = [f"{days}d"] if days else []
    parts += [f"{hours}h"] if hours else []
    parts += [f"{minutes % 60}m"] if minutes % 60 and not days else []
    return " ".join(parts) or "under 1m"


def printable(text: str) -> str:
    """Replace control characters by U+FFFD, so that owners' text can't control the terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)


def _least_width(heading: str, column: Iterable[Text]) -> int:
    """Characters that a column needs, with its heading."""
    if heading in _WHOLE:
        return max(cell.cell_len for cell in column)
    return min(_LONGEST_WORD, max(cell_len(word) for cell in column for word in cell.plain.split() or [""]))


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell))


def _console(pipe_width: int) -> Console:
    # rich respects NO_COLOR, and writes no colour unless standard output is a terminal.
    width = None if sys.stdout.isatty() else pipe_width
    return Console(width=width, highlight=False, markup=False, emoji=False)
