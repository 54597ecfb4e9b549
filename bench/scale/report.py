"""Show what was measured: what was wanted and what was reached, and every figure as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured; `wanted` is the most that it should be, None where it only explains another."""

    what: str
    value: float
    unit: str
    wanted: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether it is within what is wanted; None where nothing is."""
        return None if self.wanted is None else self.value <= self.wanted


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures, each single sample by a name, and what the machine did not allow."""

    figures: Sequence[Figure]
    samples: Mapping[str, Any]
    remarks: Sequence[str] = ()


def print_report(console: Console, machine: Mapping[str, str | int], measured: Measured) -> None:
    """A line for each figure."""
    title = f"{machine['processor']}, {machine['cores']} cores, {machine['measured_at']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("what", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("wanted", justify="right", no_wrap=True)
    table.add_column("")
    signs = {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}
    for each in measured.figures:
        wanted = "" if each.wanted is None else f"<= {_shown(each.wanted)}"
        table.add_row(each.what, f"{_shown(each.value)} {each.unit}", wanted, signs[each.holds])
    console.print(table)
    for remark in measured.remarks:
        console.print(f"[yellow]![/] {remark}", highlight=False)


def document(machine: Mapping[str, str | int], options: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
    """All of it for the JSON file."""
    return {
        "machine": dict(machine),
        "options": dict(options),
        "figures": [dataclasses.asdict(each) | {"holds": each.holds} for each in measured.figures],
        "remarks": list(measured.remarks),
        "samples": dict(measured.samples),
    }


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"
