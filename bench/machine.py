"""What the machine and single processes have used: processor time and memory, from /proc."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT, _GUEST = 3, 4, 8


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of the proxies, and those that load generator and upstream share."""

    proxy: tuple[int, ...]
    load: tuple[int, ...]

    @classmethod
    def apart(cls) -> Cores:
        """One core for the proxy alone, and another for the load."""
        first, second = _first_two()
        return cls((first,), (second,))

    @classmethod
    def shared(cls, count: int) -> Cores:
        """One core or two on which proxy and load run beside each other."""
        cores = _first_two()[:count]
        return cls(cores, cores)


def _first_two() -> tuple[int, int]:
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise OSError("The benchmark needs two cores: one for the proxy, one for the load. This process has one.")
    return usable[0], usable[1]


def process_tree(pid: int) -> list[int]:
    """The process and all that it has started, as far as they still run."""
    pids, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        try:
            children = Path(f"/proc/{current}/task/{current}/children").read_text()
        except OSError:
            continue
        pids.append(current)
        waiting += map(int, children.split())
    return pids


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the processes have used so far."""
    return sum(_ticks_of(pid) for pid in pids) / _TICKS


def _ticks_of(pid: int) -> int:
    try:
        # The command's name may hold spaces and brackets, so fields are counted from behind it (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def memory_bytes(pids: Iterable[int]) -> int:
    """Memory of the processes (PSS): a page that several share counts in equal parts for each that has it."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def resident_bytes(pid: int) -> int:
    """Memory of a process (RSS): a page that it shares counts as if it were its own."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def workers_among(pids: Iterable[int]) -> list[int]:
    """Those of Guestpass's processes that serve."""
    return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().startswith("guestpass-w")]


def machine_busy_seconds() -> float:
    """Time that all cores together have not been idle so far; time that a hypervisor took away is included."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:_GUEST]) - fields[_IDLE] - fields[_IOWAIT]) / _TICKS


def is_quiet(limit: float, seconds: float) -> bool:
    """Watch the machine for so long; returns whether others used no more than `limit` of a core.

    Others are all processes but this one and what it has started: servers that wait for their turn are no disturbance.
    """
    before, began = _others_busy_seconds(), time.monotonic()
    time.sleep(seconds)
    return (_others_busy_seconds() - before) / (time.monotonic() - began) <= limit


def _others_busy_seconds() -> float:
    return machine_busy_seconds() - cpu_seconds(process_tree(os.getpid()))


def describe_machine() -> dict[str, str | int]:
    """What kind of machine this is and when it was asked, for the report."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
