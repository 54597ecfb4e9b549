"""Compress one asset as well as it can be done: a process of its own, so that it can have the lowest priority.

``python -m guestpass.odoo.assets.recompress CODING FILE`` writes a file beside FILE and prints its name; it prints
nothing where the result would not be smaller.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Final

from guestpass.odoo.assets.files import compress
from guestpass.odoo.http.compression import Effort, Encoding

CPU_SECONDS: Final = 90
"""What one asset may cost; the kernel ends a process that takes more."""


def main(coding: str, source: str) -> None:
    """Compress the file; an error ends the process with its traceback."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    made = compress(Path(source), Encoding(coding.encode()), Effort.BEST)
    if made is not None:
        sys.stdout.write(made[1].name)


if __name__ == "__main__":
    main(*sys.argv[1:])
