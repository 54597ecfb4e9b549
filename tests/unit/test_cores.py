"""How many cores may be used, by affinity and by the quotas of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guestpass.settings.cores import usable_cores


def _cores(tmp_path: Path, own: str, quotas: dict[str, str]) -> int:
    groups, own_group = tmp_path / "groups", tmp_path / "own"
    own_group.write_text(own, encoding="utf-8")
    for folder, text in quotas.items():
        (groups / folder).mkdir(parents=True, exist_ok=True)
        (groups / folder / "cpu.max").write_text(text, encoding="ascii")
    return usable_cores(groups=groups, own_group=own_group)


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("own", "quotas", "cores"),
    [
        ("0::/a/b\n", {}, 8),
        ("0::/a/b\n", {"a/b": "max 100000\n"}, 8),
        ("0::/a/b\n", {"a/b": "200000 100000\n"}, 2),
        ("0::/a/b\n", {"a/b": "150000 100000\n"}, 2),
        ("0::/a/b\n", {"a/b": "5000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b": "1600000 100000\n"}, 8),
        ("0::/a/b\n", {"a/b": "max 100000\n", "a": "300000 100000\n"}, 3),
        ("0::/\n", {"": "400000 100000\n"}, 4),
        ("0::/a\n", {"a": "rubbish"}, 8),
        ("0::/../../a\n", {"": "100000 100000\n"}, 8),
        ("4:cpu:/a\n", {"a": "100000 100000\n"}, 8),
    ],
)
def test_a_quota_counts_where_it_is_below_the_affinity(
    tmp_path: Path, own: str, quotas: dict[str, str], cores: int
) -> None:
    assert _cores(tmp_path, own, quotas) == cores


def test_on_this_machine_it_is_at_least_one_and_no_more_than_there_are() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
