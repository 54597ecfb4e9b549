"""Examine bodies for one worker, one after the other (``python -m guestpass.odoo.fairness.examiner_process``).

It reads questions from its standard input and writes findings to its standard output, which are one socket, and ends
when the worker's end of that is shut.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from typing import IO, Final

from guestpass.odoo.fairness.examinations import BodyFinding, Outcome, read_question, write_finding

CPU_SECONDS: Final = 5
"""What one body may cost. The kernel ends a process that takes more, and the worker starts another."""
MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of address space, for 32 MiB of text with characters of four bytes, and what is made of it."""

_TOO_MUCH: Final = BodyFinding(Outcome.UNREADABLE, text="The body of a call is too large to be examined.")


def main() -> None:
    """Examine until there is nobody left who asks."""
    # It ends with its worker, which may have requests to finish when the terminal or systemd says that it is time.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Whoever asks for little is served by the worker, and comes first.
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with open(0, "rb") as questions, open(1, "wb", buffering=0) as findings:
        while line := questions.readline():
            _allow_time()
            # A file's own write may take a part only.
            rest = memoryview(write_finding(_examine(line, questions)))
            while rest:
                rest = rest[findings.write(rest) :]


def _examine(line: bytes, questions: IO[bytes]) -> BodyFinding:
    question, size = read_question(line)
    body = questions.read(size)
    if len(body) < size:
        sys.exit()
    try:
        return question.answer(body)
    except MemoryError:
        return _TOO_MUCH


def _allow_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + CPU_SECONDS, -1))


if __name__ == "__main__":
    main()
