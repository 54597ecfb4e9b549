"""The page on security names a test behind each promise: all of them exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


def promises() -> list[str]:
    """The rows of the tables of what is promised."""
    promised = PAGE.partition("\n## What is promised\n")[2].partition("\n## What is not promised\n")[0]
    rows = [line for line in promised.splitlines() if line.startswith("| ")]
    return [row for row in rows if not row.startswith("| Promise |")]


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).exists()
    if function:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        defined = [each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert function in defined


def test_each_promise_has_a_test() -> None:
    assert len(promises()) >= 20
    assert [row for row in promises() if "`tests/" not in row.rpartition(" | ")[2]] == []
