"""Classes are composed: none overrides a method that another class keeps to itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import guestpass

SOURCES: Final = Path(guestpass.__file__).parent


def _classes() -> Iterator[tuple[str, list[str], set[str]]]:
    """Name, bases and methods of each class of ours."""
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                bases = [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]
                methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
                yield node.name, bases, methods


def test_no_class_overrides_a_private_method_of_another() -> None:
    bases: dict[str, set[str]] = {}
    private: dict[str, set[str]] = {}
    for name, parents, methods in _classes():
        bases.setdefault(name, set()).update(parents)
        private.setdefault(name, set()).update(
            each for each in methods if each.startswith("_") and not each.endswith("__")
        )

    def ancestors(name: str) -> set[str]:
        found: set[str] = set()
        waiting = set(bases.get(name, ()))
        while waiting:
            parent = waiting.pop()
            if parent not in found and parent != name:
                found.add(parent)
                waiting |= bases.get(parent, set())
        return found

    overriding = [
        f"{name} overrides {', '.join(sorted(both))} of {parent}"
        for name in private
        for parent in ancestors(name)
        if (both := private[name] & private.get(parent, set()))
    ]
    assert overriding == []
