"""The command in a process of its own, with a data directory of its own."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import preloaded
from tests.markers import starts

# What a user types, with an interpreter of its own; `Guestpass` spares itself that.
COMMAND = [sys.executable, "-m", "guestpass"]


@dataclass(frozen=True)
class Result:
    """What a user sees of a command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Guestpass:
    """Runs commands; nothing of the caller's environment but the search path reaches them."""

    data_dir: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environ(self, **variables: str) -> dict[str, str]:
        ours = {"GUESTPASS_DATA_DIR": str(self.data_dir), **self.variables, **variables}
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.data_dir.parent), **ours}

    @starts("slow")
    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        process = preloaded.run(arguments, self.environ(**variables), stdin)
        # No way through the program may end in a traceback or in a warning.
        assert "Traceback" not in process.stderr, process.stderr
        assert "Warning" not in process.stderr, process.stderr
        return Result(process.returncode, process.stdout, process.stderr)

    def succeed(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        result = self.run(*arguments, stdin=stdin, **variables)
        assert result.status == 0, result
        return result

    def refuse(self, status: int, *arguments: str, stdin: str = "", **variables: str) -> str:
        """What is said on standard error by a command that must end with this status and print no result."""
        result = self.run(*arguments, stdin=stdin, **variables)
        assert result.status == status, result
        assert result.out == "", result
        return result.err
