"""How much memory a server takes at most while something happens."""

from __future__ import annotations

from pathlib import Path

from tests.installation import Installation
from tests.supervisor.processes import worker_ids


class Memory:
    """The highest resident size of a server's one worker since this was made."""

    def __init__(self, server: Installation) -> None:
        [worker] = worker_ids(server)
        self._folder = Path(f"/proc/{worker}")
        (self._folder / "clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    @property
    def growth(self) -> int:
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        [line] = [line for line in (self._folder / "status").read_text().splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024
