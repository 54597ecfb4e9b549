"""The figures as charts: SVG that can be read on light and on dark pages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import pygal  # type: ignore[import-untyped]
from pygal.style import Style  # type: ignore[import-untyped]

from bench.candidates import Guestpass
from bench.load import LOADS, RATE
from bench.report import Row

# Python 3.11 warns, at each import from then on, of the finder that pygal adds for plug-ins; later ones pass over it.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

_SVG = "{http://www.w3.org/2000/svg}"
_WIDTH, _ROW_HEIGHT, _AROUND = 760, 34, 110
# Each chart has a ground of its own, so that it can be read whatever the page around it thinks is dark.
_LIGHT = Style(
    background="#ffffff",
    plot_background="#ffffff",
    foreground="#33373d",
    foreground_strong="#16181b",
    foreground_subtle="#c9ced6",
    opacity="1",
    colors=("#0f766e", "#d97706"),
    font_family="system-ui, sans-serif",
    label_font_size=14,
    major_label_font_size=14,
    value_font_size=13,
    title_font_size=16,
    legend_font_size=14,
    value_colors=("#16181b", "#16181b"),
)
# Figures stand beside the ends of their bars instead of on them.
_BESIDE = "inline:.text-overlay text { text-anchor: start; } .guide { stroke-opacity: 0.2; }"
_OWN_COLOUR = "#d97706"
_DARK = """\
inline:@media (prefers-color-scheme: dark) {
  svg, .plot .background, .graph > .background { background-color: #16181b; fill: #16181b; }
  text, .title, .axis text, .axis .major text, .legends .legend text, .text-overlay text { fill: #e6e8eb !important; }
  .axis .line { stroke: #4a505a; }
  .color-0, .color-0 a:visited { stroke: #2dd4bf; fill: #2dd4bf; }
  .color-1, .color-1 a:visited { stroke: #fbbf24; fill: #fbbf24; }
}
"""


def draw_charts(measured: Sequence[Row], titles: Mapping[str, str]) -> dict[str, str]:
    """SVG by file name, of what was measured; `titles` are the candidates' by name."""
    chosen: dict[str, list[Row]] = {load: [row for row in measured if row.load == load] for load in LOADS}
    bodies = [load for load in ("100k", "1536k") if chosen[load]]
    charts = {}
    if chosen["1k"]:
        charts["bench-1k.svg"] = _bars(
            "1 KB: thousand requests for each second of one core",
            {"": {titles[row.candidate]: row.per_core / 1000 for row in chosen["1k"]}},
            lambda value: f"{value:.1f}",
        )
    if bodies:
        charts["bench-bodies.svg"] = _bars(
            "Larger answers: GB for each second of one core",
            {
                LOADS[load].title: {
                    titles[row.candidate]: row.per_core * LOADS[load].size.bytes / 1e9 for row in chosen[load]
                }
                for load in bodies
            },
            lambda value: f"{value:.2f}",
        )
    on_time = [row for row in chosen["rate"] if row.keeps_up]
    if on_time:
        charts["bench-latency.svg"] = _bars(
            f"At {RATE:,} requests/s: milliseconds until the answer is there",
            {
                "half of them": {titles[row.candidate]: row.p50_us / 1000 for row in on_time},
                "99 of 100": {titles[row.candidate]: row.p99_us / 1000 for row in on_time},
            },
            lambda value: f"{value:.2f}",
        )
    return charts


def draw_costs(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """SVG of microseconds by name, one colour for each group."""
    return _bars(title, groups, lambda value: f"{value:.0f}")


def _bars(title: str, groups: Mapping[str, Mapping[str, float]], show: Callable[[float], str]) -> str:
    """Horizontal bars, the first candidate at the top, with one colour for each group."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    # pygal counts from the bottom.
    names.reverse()
    chart = pygal.HorizontalBar(
        width=_WIDTH,
        height=_AROUND + _ROW_HEIGHT * len(names) * len(groups),
        style=_LIGHT,
        css=("file://style.css", "file://graph.css", _BESIDE, _DARK),
        js=(),
        no_prefix=True,
        title=title,
        show_legend=len(groups) > 1,
        legend_at_bottom=True,
        show_x_guides=False,
        show_y_guides=False,
        print_values=True,
        print_values_position="top",
        value_formatter=show,
        range=(0, 1.12 * max(value for group in groups.values() for value in group.values())),
        spacing=8,
        rounded_bars=2,
    )
    chart.x_labels = names
    for group, values in groups.items():
        chart.add(group, [_bar(name, values.get(name), is_alone=len(groups) == 1) for name in names])
    return _still(chart.render_tree())


def _bar(name: str, value: float | None, *, is_alone: bool) -> Any:  # noqa: ANN401 - pygal has no types
    """Where colours don't tell groups apart, they tell our own bar from the others."""
    return {"value": value, "color": _OWN_COLOUR} if is_alone and name == Guestpass.title else value


def _still(drawn: Any) -> str:  # noqa: ANN401 - pygal has no types
    """The picture without what a script would have used and what differs each time."""
    ET.register_namespace("", _SVG.strip("{}"))
    svg = ET.fromstring(ET.tostring(drawn))
    svg.attrib.pop("id", None)
    for parent in list(svg.iter()):
        for child in list(parent):
            if child.tag == f"{_SVG}script" or child.get("class") == "tooltip":
                parent.remove(child)
    return ET.tostring(svg, encoding="unicode") + "\n"
