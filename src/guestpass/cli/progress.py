"""Show progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def progress(doing: str | None) -> Iterator[None]:
    """Show a line on standard error while the block runs; nothing without a terminal, or for None."""
    if doing is None or not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True, highlight=False, markup=False).status(f"{doing} …"):
        yield
