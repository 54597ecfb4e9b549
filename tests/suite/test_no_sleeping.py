"""No test waits for a time to pass: it waits for what can be observed, or counts turns of the loop.

Who polls needs a pause between two looks, and who plays somebody slow has to be slow. Each such pause is listed here
with its reason; a test that sleeps because something should have happened by then has none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
LOOKS: Final = "between two looks at another process or thread, which sets no event of ours"
SLOW: Final = "plays somebody who is slow, or who does something again and again"
CHANCE: Final = "so that something is cut off at a moment that differs from time to time"
LONGER: Final = "longer than a limit of the product that nothing tells the end of; nothing must happen meanwhile"

ALLOWED: Final = {
    "api/face.py": (1, LOOKS),
    "api/test_login.py": (1, LOOKS),
    "applications/processes.py": (1, LOOKS),
    "cli/server.py": (1, LOOKS),
    "cli/test_records.py": (1, LOOKS),
    "dashboard/sharing.py": (2, LOOKS),
    "doubles/odoo/control.py": (1, SLOW),
    "doubles/odoo/handle.py": (1, LOOKS),
    "doubles/test_odoo.py": (1, SLOW),
    "doubles/wire.py": (1, LOOKS),
    "examples/test_demo.py": (1, LOOKS),
    "faults/owner.py": (1, SLOW),
    "faults/test_power_loss.py": (1, CHANCE),
    "faults/test_processes.py": (1, LOOKS),
    "faults/upstream.py": (1, LOOKS),
    "faults/visitors.py": (2, SLOW),
    "gateway/test_failing.py": (1, LONGER),
    "gateway/test_shutdown.py": (1, LOOKS),
    "gateway/test_streaming.py": (2, LONGER),
    "gateway/test_time_limits.py": (1, SLOW),
    "hostile/fuzz/test_servers.py": (1, LOOKS),
    "hostile/test_slow_and_many.py": (3, SLOW),
    "installation.py": (1, LOOKS),
    "links/opened.py": (1, SLOW),
    "links/waiting.py": (1, LOOKS),
    "machines/guest.py": (1, SLOW),
    "machines/machine.py": (1, LOOKS),
    "odoo/test_check.py": (1, SLOW),
    "postgres/cluster.py": (1, LOOKS),
    "real_odoo/server.py": (1, LOOKS),
    "storage/test_turns.py": (1, LOOKS),
    "storage/test_units_of_work.py": (1, CHANCE),
    "storage/waiting.py": (1, LOOKS),
    "supervisor/load.py": (3, SLOW),
    "supervisor/upstream.py": (1, SLOW),
    "unit/app/test_link_cache.py": (1, LOOKS),
    "unit/app/test_visits.py": (2, LOOKS),
    "unit/odoo/assets/test_cache.py": (2, LOOKS),
    "unit/wire/test_resolver.py": (1, LOOKS),
}
"""How many pauses a file has, and why."""


def pauses(source: str) -> Iterator[int]:
    """The lines where something sleeps, but for a turn of the loop: ``asyncio.sleep(0)``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            is_turn = len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
            if name in {"sleep", "wait_for_timeout"} and not is_turn:
                yield node.lineno


def test_what_is_looked_for_is_found() -> None:
    source = "sleep(0)\nawait asyncio.sleep(0)\nawait sleep(1)\ntime.sleep(x)\npage.wait_for_timeout(5)"
    assert sorted(pauses(source)) == [3, 4, 5]


def test_nobody_sleeps_without_a_reason() -> None:
    found = {
        str(file.relative_to(TESTS)): lines
        for file in sorted(TESTS.rglob("*.py"))
        if (lines := list(pauses(file.read_text(encoding="utf-8"))))
    }
    assert {name: len(lines) for name, lines in found.items()} == {
        name: count for name, (count, _) in ALLOWED.items()
    }, found
