"""Search for differences, and for bytes that cost too much: ``python -m tests.hostile.fuzz.campaign --seconds 3600``.

Each example has a seed, which is told with a difference; ``--seed N --examples 1`` repeats it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import suppress
from random import Random

import structlog
from tests.hostile.fuzz.checks import check_answers, check_requests
from tests.hostile.fuzz.effort import check_effort

CHECKS = {"requests": check_requests, "answers": check_answers, "effort": check_effort}


def main() -> int:
    """Search; 1 where there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of processor time")
    parser.add_argument("--seed", type=int, default=0, help="of the first example")
    parser.add_argument("--examples", type=int, default=sys.maxsize, help="at most so many of each kind")
    parser.add_argument("--only", choices=CHECKS, help="one kind")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    counts: Counter[str] = Counter()
    with suppress(KeyboardInterrupt):
        _search(arguments, counts)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    sys.stdout.write(f"{time.process_time():.0f} s: {told}\n")
    return 1 if counts["differences"] else 0


def _search(arguments: argparse.Namespace, counts: Counter[str]) -> None:
    seed, end = arguments.seed, arguments.seed + arguments.examples
    while seed < end and time.process_time() < arguments.seconds:
        for kind, check in CHECKS.items():
            if arguments.only not in (None, kind):
                continue
            counts[kind] += 1
            try:
                counts[f"{kind} passed on"] += check(Random(seed))
            except AssertionError as difference:
                counts["differences"] += 1
                sys.stdout.write(f"{kind}, seed {seed}:\n{difference}\n\n")
                sys.stdout.flush()
        seed += 1


if __name__ == "__main__":
    sys.exit(main())
