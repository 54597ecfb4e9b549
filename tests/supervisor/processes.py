"""What Linux knows of a server's workers, and what its log says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.installation import Installation
from tests.links.waiting import until

SECONDS = 90.0
"""A worker's start takes about two seconds of one core; a busy machine may have little of one."""


def worker_ids(server: Installation) -> list[int]:
    """The process ids of the workers that live, also of those that only finish what they had begun."""
    return [child for child in _children(server.process.pid) if b"guestpass.worker_process" in _arguments(child)]


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def said(server: Installation, message: str) -> list[dict[str, Any]]:
    """The log's lines with this message."""
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["message"] == message]


async def until_said(server: Installation, message: str, times: int = 1) -> dict[str, Any]:
    """Wait until the log has so many such lines; returns the last of them."""

    async def is_said() -> bool:
        return len(said(server, message)) >= times

    await until(is_said, SECONDS)
    return said(server, message)[-1]


async def until_gone(*process_ids: int) -> None:
    async def are_gone() -> bool:
        return not any(map(is_alive, process_ids))

    await until(are_gone, SECONDS)


def _children(process_id: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process_id}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def _arguments(process_id: int) -> bytes:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
