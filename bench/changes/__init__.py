"""How soon a change is seen by the other workers of a machine, and by another machine."""

from __future__ import annotations

from bench.changes.report import document, print_report
from bench.changes.run import measure

__all__ = ["document", "measure", "print_report"]
