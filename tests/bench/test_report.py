"""The arithmetic of the bench's report."""

from __future__ import annotations

import json

import pytest
from bench.load import Sample
from bench.plan import Results, Samples
from bench.report import Verdict, document, rows, verdicts
from tests.bench.samples import sample


def _results(*taken: Sample) -> Results:
    results = Results()
    for each in taken:
        results.cells.setdefault((each.candidate, each.load), Samples()).counting.append(each)
    return results


def _verdict(what: str, *taken: Sample) -> Verdict:
    (found,) = (verdict for verdict in verdicts(rows(_results(*taken))) if verdict.target.what.startswith(what))
    return found


def test_a_row_tells_medians_and_the_most_memory() -> None:
    (row,) = rows(
        _results(
            sample(rate=9_000, cpu_us=110, p99_us=8_000, memory_bytes=5),
            sample(rate=100, cpu_us=90, p99_us=900_000, memory_bytes=7),
            sample(rate=10_000, cpu_us=100, p99_us=4_000, memory_bytes=6),
        )
    )
    assert (row.requests_per_second, row.cpu_us, row.p99_us, row.samples) == (9_000, 100, 8_000, 3)
    assert row.memory_bytes == 7
    assert row.per_core == 10_000
    assert row.ratio is None


def test_the_ratio_to_nginx_is_that_of_processor_time_under_the_same_load() -> None:
    measured = rows(
        _results(
            sample("nginx", cpu_us=20, rate=40_000, load_core=0.97),
            sample("nginx", "100k", cpu_us=90),
            sample("guestpass", cpu_us=50, rate=20_000),
        )
    )
    by_name = {(row.candidate, row.load): row for row in measured}
    assert by_name["guestpass", "1k"].ratio == pytest.approx(0.4)
    assert by_name["nginx", "1k"].ratio == 1
    assert [row.is_bound for row in measured] == [True, False, False]


def test_one_disturbed_sample_among_those_that_count_is_told() -> None:
    calm, disturbed = rows(_results(sample("nginx"), sample(), sample(others=0.4)))
    assert not calm.is_disturbed
    assert disturbed.is_disturbed


@pytest.mark.parametrize(
    ("cpu_us", "reached", "word"), [(30, 2 / 3, "reached"), (40, 0.5, "at least"), (50, 0.4, "missed")]
)
def test_a_share_of_nginxs_work_is_judged_by_processor_time(cpu_us: float, reached: float, word: str) -> None:
    own = sample(cpu_us=cpu_us, rate=1)
    found = _verdict("1 KB per core, x nginx plain", sample("nginx", cpu_us=20), own)
    assert found.reached == pytest.approx(reached)
    assert found.word == word


@pytest.mark.parametrize(("p99_us", "word"), [(1_500, "reached"), (1_900, "at least"), (2_100, "missed")])
def test_a_longer_wait_is_worse(p99_us: int, word: str) -> None:
    at_rate = sample("nginx", "rate", rate=2_000, p99_us=1_000)
    found = _verdict("p99", at_rate, sample(load="rate", rate=2_000, p99_us=p99_us))
    assert found.reached == pytest.approx(p99_us / 1_000)
    assert found.word == word


def test_a_wait_is_compared_with_that_of_a_proxy_which_kept_up() -> None:
    behind = sample("nginx", "rate", rate=1_900, p99_us=1_000)
    assert verdicts(rows(_results(behind, sample(load="rate", rate=2_000)))) == []


def test_two_workers_are_compared_with_one_of_their_own_by_what_was_answered() -> None:
    one, two = sample(load="one-worker", rate=7_000, cpu_us=70), sample(load="two-workers", rate=12_600, cpu_us=90)
    assert _verdict("two workers", one, two).reached == pytest.approx(1.8)


def test_nothing_is_said_about_what_was_not_measured() -> None:
    assert verdicts(rows(_results(sample(), sample("chp")))) == []


def test_the_file_has_every_sample_and_says_which_count() -> None:
    results = _results(sample("nginx"), sample())
    results.cells["nginx", "1k"].thrown_away.append(sample("nginx", others=0.7))
    written = json.loads(json.dumps(document({}, {}, {"nginx": "1.26.3"}, results), allow_nan=False))
    assert [each["counts"] for each in written["samples"] if each["candidate"] == "nginx"] == [True, False]
    assert written["rows"][0]["thrown_away"] == 1
    assert written["candidates"]["nginx"] == {"title": "nginx plain", "version": "1.26.3"}
