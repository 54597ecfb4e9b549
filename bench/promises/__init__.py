"""Whether the times are kept that Guestpass promises when a link ends."""

from __future__ import annotations

from bench.promises.report import document, print_report
from bench.promises.run import measure

__all__ = ["document", "measure", "print_report"]
