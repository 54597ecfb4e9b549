"""The order of the bench's runs, and what becomes of samples that something disturbed."""

from __future__ import annotations

from collections.abc import Iterator

from bench.load import Sample
from bench.plan import Patience, Results, measure
from tests.bench.samples import sample

_CELLS = [("nginx", "1k"), ("guestpass", "1k"), ("nginx", "100k"), ("guestpass", "100k")]


class _Machine:
    """A machine on which other work goes on during the samples that are told, counted from the first."""

    def __init__(self, *disturbed: int) -> None:
        self.taken: list[tuple[str, str, int]] = []
        self._disturbed = disturbed

    def take(self, name: str, load: str, seconds: int) -> Sample:
        self.taken.append((name, load, seconds))
        return sample(name, load, others=0.5 if len(self.taken) in self._disturbed else 0.0)


def _measure(
    machine: _Machine, *, rounds: int, patience: Patience | None = None, quiet: Iterator[bool] | None = None
) -> Results:
    return measure(
        _CELLS,
        machine.take,
        rounds=rounds,
        seconds=5,
        patience=patience or Patience(60),
        tell=lambda _: None,
        watch=lambda: next(quiet or iter([True])),
    )


def test_candidates_take_turns_under_each_load_and_nothing_is_measured_cold() -> None:
    machine = _Machine()
    results = _measure(machine, rounds=2)
    assert machine.taken[:4] == [(*cell, 1) for cell in _CELLS]
    assert [taken[:2] for taken in machine.taken[4:8]] == _CELLS
    assert [taken[:2] for taken in machine.taken[8:]] == [_CELLS[1], _CELLS[0], _CELLS[3], _CELLS[2]]
    assert all(len(samples.counting) == 2 for samples in results.cells.values())
    assert results.is_complete


def test_a_disturbed_sample_is_thrown_away_and_taken_again_when_the_machine_is_quiet() -> None:
    machine = _Machine(5, 6)
    results = _measure(machine, rounds=1, quiet=iter([False, False, True, True]))
    first = results.cells["nginx", "1k"]
    assert len(first.counting) == 1
    assert first.counting[0].is_quiet
    assert len(first.thrown_away) == 2
    assert results.is_complete


def test_what_was_measured_is_kept_when_patience_ends() -> None:
    results = _measure(_Machine(6), rounds=3, patience=Patience(0))
    assert not results.is_complete
    assert len(results.cells["nginx", "1k"].counting) == 1
    assert results.cells["guestpass", "1k"].counting == []


def test_disturbed_samples_count_where_that_was_asked_for() -> None:
    results = _measure(_Machine(5), rounds=1, patience=Patience(0, anyway=True))
    assert results.is_complete
    assert not results.cells["nginx", "1k"].counting[0].is_quiet
