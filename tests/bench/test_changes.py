"""How the bench of changes judges what it has measured; its speeds are no test."""

from __future__ import annotations

import pytest
from bench.changes.report import MACHINE, SQLITE, WORKER, Results, Seen, after, percentile, verdicts


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile(range(1, 101), 50) == 50
    assert percentile(range(1, 101), 99) == 99
    assert percentile([7.0], 99) == 7


@pytest.mark.parametrize(("milliseconds", "word"), [(20, "reached"), (21, "enough"), (51, "missed")])
def test_each_place_is_held_to_what_is_wanted_of_it(milliseconds: float, word: str) -> None:
    results = Results()
    seen = after(100.0, Seen(100.0 + milliseconds / 1000, 100.101 + milliseconds / 1000))
    results.add(SQLITE, {WORKER: seen, MACHINE: seen})
    words = {verdict.what.rpartition(", ")[2]: verdict.word for verdict in verdicts(results)}
    assert words[f"{WORKER}: seen"] == word
    assert words[f"{MACHINE}: seen"] == "reached"
    assert words[f"{WORKER}: cut after that"] == "missed"
