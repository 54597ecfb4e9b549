"""What a worker does without, and what it must have loaded before it is forked."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import guestpass

# Programs of their own, or what is done before the fork; with SQLite also what only PostgreSQL needs.
_OTHERS = (
    "guestpass.__main__",
    "guestpass.cli.",
    "guestpass.fork_server",
    "guestpass.odoo.assets.recompress",
    "guestpass.odoo.fairness.examiner_process",
    "guestpass.storage.copying",
    "guestpass.storage.feed.postgres",
    "guestpass.storage.migrations.",
    "guestpass.storage.patient_cursor",
    "guestpass.supervisor",
)


def _after_preloading(asked: str) -> Any:
    program = (
        "import json, sys; from guestpass import fork_server, worker_process; from guestpass.settings import load; "
        f"worker_process.preload(load({{}}).settings); print(json.dumps({asked}))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(told.stdout)


def test_a_worker_on_sqlite_does_without_what_it_does_not_need() -> None:
    """Alembic and psycopg take more than 10 MiB each, rich 4 MiB."""
    heavy = ["alembic", "psycopg", "rich", "typer"]
    assert _after_preloading(f"[name for name in {heavy} if name in sys.modules]") == []


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--workers", "4"]])
def test_a_supervisor_loads_little(arguments: list[str]) -> None:
    """It lives for months beside the workers, which load what reads settings and arguments once for all."""
    program = (
        "import json, sys; from guestpass import supervisor; from guestpass.cli.main import main; "
        "supervisor.supervise = lambda workers: print(json.dumps([workers, *sys.modules])) or 0; "
        f"sys.argv = ['guestpass', *{arguments}]; main()"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    workers, *loaded = json.loads(told.stdout)
    assert workers == (4 if "--workers" in arguments else None)
    assert [name for name in ("pydantic", "typer", "rich", "sqlalchemy", "cryptography") if name in loaded] == []


def test_all_that_a_worker_may_need_is_loaded_before_it_is_forked() -> None:
    """What was loaded later could be a newer version's by then."""
    source = Path(guestpass.__file__).parent
    files = {
        ".".join(("guestpass", *file.relative_to(source).with_suffix("").parts)).removesuffix(".__init__"): file
        for file in source.rglob("*.py")
    }
    needed = {
        imported
        for name, file in files.items()
        if not name.startswith(_OTHERS)
        for imported in _imports(file)
        if imported in files and not imported.startswith(_OTHERS)
    }
    assert len(needed) > 200
    assert sorted(needed - set(_after_preloading("list(sys.modules)"))) == []


def _imports(file: Path) -> Iterator[str]:
    """What a module imports at any time; names of what is in a module are among it."""
    for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            yield from (each.name for each in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield str(statement.module)
            yield from (f"{statement.module}.{each.name}" for each in statement.names)
