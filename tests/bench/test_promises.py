"""How the bench of promises judges what it has measured; its speeds are no test."""

from __future__ import annotations

import pytest
from bench.promises.report import BUS, CUT, REFUSED, Results


@pytest.mark.parametrize(("awaited", "promised"), [(REFUSED, 50.0), (CUT, 100.0), (BUS, 1000.0)])
def test_each_promise_is_judged_by_its_99th_percentile(awaited: str, promised: float) -> None:
    results = Results()
    for milliseconds in [-3.0] * 99 + [promised]:
        results.add("removed", awaited, milliseconds)
    [verdict] = results.verdicts
    assert (verdict.what, verdict.reached, verdict.word) == (f"removed: {awaited}", 0.0, "kept")
    results.add("removed", awaited, promised + 0.1)
    assert [(each.reached, each.word) for each in results.verdicts] == [(promised, "kept")]
    results.add("removed", awaited, promised + 0.1)
    assert [each.word for each in results.verdicts] == ["broken"]
