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
    if server.forked == "alone":
        return [server.process.pid]
    return [child for child in children(server.process.pid) if _name(child).startswith("guestpass-w")]


def fork_server_id(server: Installation) -> int:
    """The process id of what workers are forked from."""
    [found] = [
        child
        for child in children(server.process.pid)
        if b"guestpass.fork_server" in _arguments(child) and not _name(child).startswith("guestpass-w")
    ]
    return found


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


def children(process_id: int) -> list[int]:
    """The process ids of its children."""
    found = []
    for task in Path(f"/proc/{process_id}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def threads(process_id: int) -> list[int]:
    """The ids of its threads."""
    return [int(each.name) for each in Path(f"/proc/{process_id}/task").iterdir()]


def descriptors(process_id: int) -> dict[int, str]:
    """What each of its descriptors leads to, such as ``socket:[12345]``."""
    return {int(each.name): str(each.readlink()) for each in Path(f"/proc/{process_id}/fd").iterdir()}


def _name(process_id: int) -> str:
    """What ps and top call it."""
    try:
        return Path(f"/proc/{process_id}/comm").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _arguments(process_id: int) -> bytes:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
