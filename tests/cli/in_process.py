"""Run commands that ask a server somewhere else in this process, which spares them the start of an interpreter."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field

import pytest
from tests.cli.command import Result

from guestpass.cli.commands import run


@dataclass(frozen=True)
class Elsewhere:
    """A machine without a data directory."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        """What a user sees of a command."""
        with self.patch.context() as patch:
            for name in [name for name in os.environ if name.startswith("GUESTPASS_")]:
                patch.delenv(name)
            for name, value in (self.variables | variables).items():
                patch.setenv(name, value)
            if "GUESTPASS_DATA_DIR" not in self.variables | variables:
                patch.setenv("GUESTPASS_DATA_DIR", "/nonexistent")
            patch.setattr("sys.stdin", io.StringIO(stdin))
            self.capture.readouterr()
            status = run(list(arguments))
        return Result(status, *self.capture.readouterr())

    def succeed(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        """The result of a command that must end well."""
        result = self.run(*arguments, stdin=stdin, **variables)
        assert result.status == 0, result
        return result

    def refuse(self, status: int, *arguments: str, stdin: str = "", **variables: str) -> str:
        """What is said by a command that must end with this status and print no result."""
        result = self.run(*arguments, stdin=stdin, **variables)
        assert (result.status, result.out) == (status, ""), result
        return result.err
