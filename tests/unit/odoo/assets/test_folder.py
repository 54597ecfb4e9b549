"""Whose folder is whose, also when workers come, go and die."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from guestpass.odoo.assets.folder import claim_folder

_CLAIM_AND_DIE = """
import os, sys
from pathlib import Path
from guestpass.odoo.assets.folder import claim_folder
claim = claim_folder(Path(sys.argv[1]), workers=2)
folder = claim.__enter__()
(folder.path / "kept").touch()
print(folder.path.name, flush=True)
os._exit(1)
"""


def _names(parent: Path) -> list[str]:
    return sorted(path.name for path in parent.iterdir())


def test_workers_at_once_have_a_folder_each_and_nobody_else_may_look_in(tmp_path: Path) -> None:
    with claim_folder(tmp_path, workers=2) as first, claim_folder(tmp_path, workers=2) as second:
        assert first.path != second.path
        assert {path.stat().st_mode & 0o777 for path in (first.path, second.path)} == {0o700}


def test_what_a_worker_leaves_is_the_next_ones(tmp_path: Path) -> None:
    with claim_folder(tmp_path, workers=1) as first:
        (first.path / "kept").touch()
    with claim_folder(tmp_path, workers=1) as second:
        assert second.path == first.path
        assert _names(second.path) == ["kept"]


def test_what_a_worker_leaves_that_was_killed_is_the_next_ones(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", _CLAIM_AND_DIE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    with claim_folder(tmp_path, workers=2) as second:
        assert second.path.name == died.stdout.strip()
        assert _names(second.path) == ["kept"]


def test_a_replaced_worker_leaves_nothing_and_its_successor_keeps_what_it_has(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with claim_folder(tmp_path, workers=1) as old:
            (old.path / "asset").touch()
            new = stack.enter_context(claim_folder(tmp_path, workers=1))
            (new.path / "asset").touch()
            old.empty()
        assert _names(tmp_path) == [new.path.name]
        assert _names(new.path) == ["asset"]
    with claim_folder(tmp_path, workers=1) as next_one:
        assert _names(next_one.path) == ["asset"]


@pytest.mark.parametrize("workers", [1, 2])
def test_there_are_never_more_folders_left_than_workers(tmp_path: Path, workers: int) -> None:
    for name in ("0", "3", "4", "7"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "asset").touch()
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(claim_folder(tmp_path, workers=workers))
        assert len(_names(tmp_path)) == workers


def test_assets_of_the_time_of_one_folder_for_all_are_removed(tmp_path: Path) -> None:
    (tmp_path / "0123456789.asset").touch()
    (tmp_path / "0123456789.part").touch()
    with claim_folder(tmp_path, workers=1) as folder:
        assert _names(tmp_path) == [folder.path.name]


@pytest.mark.parametrize("stray", ["a file", "a pipe", "a link", "a link to a folder"])
def test_what_stands_in_the_place_of_a_folder_stops_no_worker(tmp_path: Path, stray: str) -> None:
    parent, elsewhere = tmp_path / "assets", tmp_path / "elsewhere"
    parent.mkdir()
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    match stray:
        case "a file":
            (parent / "0").touch()
        case "a pipe":
            os.mkfifo(parent / "0")
        case "a link":
            (parent / "0").symlink_to("nowhere")
        case "a link to a folder":
            (parent / "0").symlink_to(elsewhere)
    with claim_folder(parent, workers=1) as folder:
        assert folder.path == parent / "0"
        assert not folder.path.is_symlink()
        assert _names(folder.path) == []
    assert _names(elsewhere) == ["kept"]
