"""Whoever has no parent left is waited for, as the first process of a container must."""

from __future__ import annotations

import subprocess
import sys

from guestpass.supervisor import FORKS

# It must be a process of its own: what it adopts stays its child.
_ADOPTING = """
import asyncio, os, subprocess, sys
from guestpass.children import Children, adopt_orphans

async def main():
    assert adopt_orphans()
    children = Children()
    told, tells = os.pipe()
    leave_another = "import os, sys; os.fork() and sys.exit(3); os.write(int(sys.argv[1]), b'%d' % os.getpid())"
    process = subprocess.Popen([sys.executable, "-c", leave_another, str(tells)], pass_fds=[tells])
    process.returncode = 0
    parent = children.add(process.pid)
    async with asyncio.timeout(60):
        assert await parent.wait() == 3
        orphan = int(os.read(told, 16))
        while os.path.exists(f"/proc/{orphan}"):
            await asyncio.sleep(0.01)
    assert list(children) == []

asyncio.run(main())
"""


def test_an_orphan_is_adopted_and_waited_for() -> None:
    assert FORKS
    subprocess.run([sys.executable, "-c", _ADOPTING], check=True, timeout=120)
