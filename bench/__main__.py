"""``python -m bench [web-client]``: measure Guestpass beside nginx, print a table and write a JSON file."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import web_client
from bench.browser import browser_requests
from bench.candidates import CANDIDATES, Candidate
from bench.load import Sample, run_load, write_script
from bench.machine import Cores, describe_machine
from bench.plan import Results, measure
from bench.probe import probe
from bench.processes import NotReady, find_program
from bench.report import document, print_report, rows
from bench.upstream import SIZES, Upstream

_WIDTH = 118  # where there is no terminal that has one


def main() -> int:
    """Read the command line and measure; returns the exit status: 0, or 2 where it could not be measured."""
    options = _parser().parse_args()
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    try:
        measured: dict[str, Any] = options.measure(options, console)
    except (NotReady, OSError) as error:
        console.print(f"[red]bench:[/] {error}", highlight=False)
        return 2
    except KeyboardInterrupt:
        return 130
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(measured, indent=1) + "\n")
    console.print(f"Every sample: {options.output}")
    return 0


def _measure_proxies(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    for program in ("nginx", "wrk", "taskset"):
        find_program(program)
    machine = describe_machine()
    with console.status("starting") as status:
        results = _run(options, status.update)
    print_report(console, machine, rows(results))
    chosen = {"rounds": options.rounds, "seconds": options.seconds, "sizes": options.sizes, "only": options.only}
    return document(machine, chosen, results)


def _measure_web_client(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    for program in ("nginx", "chromium"):
        find_program(program)
    machine = describe_machine()
    with console.status("starting") as status:
        results = asyncio.run(web_client.measure(rounds=options.rounds, tell=status.update))
    web_client.print_report(console, machine, results)
    return web_client.document(machine, {"rounds": options.rounds}, results)


def _run(options: argparse.Namespace, tell: Callable[[str], None]) -> Results:
    cores = Cores.choose()
    sizes = [SIZES[name] for name in options.sizes]
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="guestpass-bench-")))
        upstream = Upstream(sizes, folder=folder, core=cores.load)
        exits.enter_context(upstream.server)
        candidates: dict[str, Candidate] = {}
        scripts: dict[tuple[str, str], Path] = {}
        for name in options.only:
            tell(f"starting and checking {name}")
            candidate = CANDIDATES[name](folder=folder, core=cores.proxy, upstream_port=upstream.port)
            candidates[name] = exits.enter_context(candidate)
            requests = browser_requests(candidate.origin, candidate.fill_jar())
            probe(candidate, requests, upstream.digests)
            for size in sizes:
                scripts[name, size.name] = write_script(requests, size, candidate.folder)

        def take(name: str, size: str, seconds: int) -> Sample:
            others = [server for other in candidates.values() if other.name != name for server in other.servers]
            return run_load(
                candidates[name],
                SIZES[size],
                scripts[name, size],
                seconds,
                core=cores.load,
                bystanders=[upstream.server, *others],
            )

        return measure(options.only, options.sizes, take, rounds=options.rounds, seconds=options.seconds, tell=tell)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure Guestpass beside nginx on one core each. Takes about two minutes unless told otherwise.",
    )
    parser.add_argument("--rounds", type=_positive, default=3, help="samples of each proxy and size (default 3)")
    parser.add_argument("--seconds", type=_positive, default=3, help="length of a sample (default 3)")
    parser.add_argument("--sizes", type=_names(SIZES), default=list(SIZES), help=f"of {','.join(SIZES)} (default all)")
    parser.add_argument(
        "--only", type=_names(CANDIDATES), default=list(CANDIDATES), help=f"of {','.join(CANDIDATES)} (default all)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("build/bench.json"), help="the JSON file (default build/bench.json)"
    )
    parser.set_defaults(measure=_measure_proxies)
    modes = parser.add_subparsers(title="measure something else")
    loading = modes.add_parser(
        "web-client",
        help="bytes and seconds until Odoo's web client is there, with an empty cache",
        description="Load Odoo's web client with an empty cache: directly, through nginx and through Guestpass.",
    )
    loading.add_argument("--rounds", type=_positive, default=5, help="loads on each way (default 5)")
    output = Path("build/bench-web-client.json")
    loading.add_argument("--output", type=Path, default=output, help=f"the JSON file (default {output})")
    loading.set_defaults(measure=_measure_web_client)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 600:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 600")
    return number


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = list(dict.fromkeys(text.split(",")))
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
