"""Python runs this first where PYTHONPATH names this folder: the machine's clock, as the program sees it, can be set.

The file that CLOCK_SET_BY names holds by how many seconds.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_set_by = Path(os.environ["CLOCK_SET_BY"])
_wall = time.time


def _time() -> float:
    return _wall() + float(_set_by.read_text(encoding="ascii"))


time.time = _time
