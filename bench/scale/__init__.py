"""Whether cost grows with what is used: many links, many sockets, large files, each through one worker."""

from __future__ import annotations

from bench.scale.attacks import measure_attacks
from bench.scale.large import measure_large
from bench.scale.links import measure_links
from bench.scale.memory import measure_memory
from bench.scale.report import document, print_report
from bench.scale.sockets import measure_sockets

__all__ = [
    "document",
    "measure_attacks",
    "measure_large",
    "measure_links",
    "measure_memory",
    "measure_sockets",
    "print_report",
]
