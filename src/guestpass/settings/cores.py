"""Count the cores that this process may use, which may be fewer than the machine has."""

from __future__ import annotations

import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def usable_cores(*, groups: Path = _GROUPS, own_group: Path = _OWN_GROUP) -> int:
    """Cores by the scheduler's affinity, or fewer where a control group (cgroup v2) has a quota; at least one.

    A container of two CPUs on a machine of 64 may use all 64, but only for two cores' worth of time.
    """
    cores = len(os.sched_getaffinity(0))
    for folder in _own_folders(groups, own_group):
        try:
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
            if quota != "max":
                cores = min(cores, -(-int(quota) // int(period)))
        except (OSError, ValueError):
            continue
    return max(1, cores)


def _own_folders(groups: Path, own_group: Path) -> list[Path]:
    """The folder of our control group and of those around it, since each of them may have a quota."""
    try:
        lines = own_group.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    path = next((line[3:] for line in lines if line.startswith("0::/")), None)
    if path is None or ".." in path.split("/"):
        return []
    own = groups / path.lstrip("/")
    return [own, *(folder for folder in own.parents if folder.is_relative_to(groups))]
