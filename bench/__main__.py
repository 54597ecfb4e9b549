"""``python -m bench``: measure Guestpass beside others, print a table, write a JSON file, and the docs from that."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import changes, odoo, promises, scale, web_client
from bench.candidates import CANDIDATES
from bench.flame import draw_flames
from bench.load import LOADS
from bench.machine import describe_machine
from bench.plan import Patience, Results
from bench.processes import NotReady, find_program
from bench.proxies import measure_proxies
from bench.publishing import publish, publish_odoo
from bench.report import document, print_report, rows

_WIDTH = 130  # where there is no terminal that has one
_FULL: dict[str, Any] = {"rounds": 5, "seconds": 5, "loads": list(LOADS), "only": list(CANDIDATES)}
_OWN = ("guestpass", "guestpass_compiled")
_SHORT: dict[str, Any] = _FULL | {"rounds": 3, "seconds": 2, "only": ["nginx", "auth_request", "guestpass"]}


def main() -> int:
    """Read the command line and measure; returns the exit status: 0, 1 for half of it, 2 for nothing."""
    options = _parser().parse_args()
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    try:
        if options.measure is None:
            options.write(options, console)
            return 0
        measured: dict[str, Any] = options.measure(options, console)
    except (NotReady, OSError) as error:
        console.print(f"[red]bench:[/] {error}", highlight=False)
        return 2
    except KeyboardInterrupt:
        return 130
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(measured, indent=1) + "\n")
    console.print(f"Every sample: {options.output}")
    return 0 if measured.get("is_complete", True) else 1


def _measure_proxies(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    full = _SHORT if options.short else _FULL
    chosen = {name: full[name] if (given := getattr(options, name)) is None else given for name in full}
    patience = Patience(options.patience * 60, anyway=options.anyway)
    with console.status("starting") as status:
        machine = describe_machine()
        measured = measure_proxies(
            chosen["only"],
            chosen["loads"],
            workers=not options.short,
            rounds=chosen["rounds"],
            seconds=chosen["seconds"],
            patience=patience,
            tell=status.update if console.is_terminal else console.print,
        )
    print_report(console, machine, rows(measured.results))
    _tell_whether_complete(measured.results, options, console)
    return document(machine, chosen | {"anyway": options.anyway}, measured.versions, measured.results)


def _measure_odoo(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    chosen = {name: getattr(options, name) for name in ("rounds", "seconds", "loads", "only")}
    patience = Patience(options.patience * 60, anyway=options.anyway)
    with console.status("starting") as status:
        machine = describe_machine()
        measured = odoo.measure_odoo(
            chosen["only"],
            chosen["loads"],
            rounds=chosen["rounds"],
            seconds=chosen["seconds"],
            patience=patience,
            tell=status.update if console.is_terminal else console.print,
        )
    odoo.print_report(console, machine, rows(measured.results))
    _tell_whether_complete(measured.results, options, console)
    return odoo.document(machine, chosen | {"anyway": options.anyway}, measured.versions, measured.results)


def _tell_whether_complete(results: Results, options: argparse.Namespace, console: Console) -> None:
    if not results.is_complete:
        console.print(
            f"[yellow]Not complete[/]: after {options.patience} minutes of waiting the machine was still not quiet. "
            "End what else runs, or let disturbed samples count with --anyway.",
            highlight=False,
        )


def _measure_web_client(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    for program in ("nginx", "chromium"):
        find_program(program)
    machine = describe_machine()
    with console.status("starting") as status:
        results = asyncio.run(web_client.measure(rounds=options.rounds, tell=status.update))
    web_client.print_report(console, machine, results)
    return web_client.document(machine, {"rounds": options.rounds}, results)


def _measure_changes(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    machine = describe_machine()
    with console.status("starting") as status:
        results = asyncio.run(changes.measure(rounds=options.rounds, tell=status.update))
    changes.print_report(console, machine, results)
    return changes.document(machine, {"rounds": options.rounds}, results)


def _measure_promises(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    machine = describe_machine()
    with console.status("starting") as status:
        results = asyncio.run(promises.measure(rounds=options.rounds, tell=status.update))
    promises.print_report(console, machine, results)
    return promises.document(machine, {"rounds": options.rounds}, results)


def _measure_scale(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    machine = describe_machine()
    chosen = {name: getattr(options, name) for name in options.chosen}
    with console.status("starting") as status:
        measured = options.room(**chosen, tell=status.update)
    scale.print_report(console, machine, measured)
    return scale.document(machine, chosen, measured)


def _publish(options: argparse.Namespace, console: Console) -> None:
    try:
        measured = json.loads(options.input.read_text())
    except FileNotFoundError:
        raise NotReady(f"There is no {options.input}. Measure first: python -m bench") from None
    for file in (publish_odoo if "ways" in measured else publish)(measured, options.page):
        console.print(f"Written: {file}", highlight=False)


def _draw(options: argparse.Namespace, console: Console) -> None:
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with console.status("starting") as status:
        draw_flames(options.only[0], options.output, seconds=options.seconds, tell=status.update)
    console.print(f"Written: {options.output}", highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=(
            "Measure Guestpass beside what one would use instead, on one core each. Takes about 25 minutes, and two "
            "with --short. A sample is thrown away and taken again where anything else uses over a tenth of a core."
        ),
    )
    parser.add_argument("--short", action="store_true", help="two minutes: nginx, auth_request and guestpass")
    parser.add_argument("--rounds", type=_positive, help="samples of each proxy and load (default 5, short 3)")
    parser.add_argument("--seconds", type=_positive, help="length of a sample (default 5, short 2)")
    parser.add_argument("--loads", type=_names(LOADS), help=f"of {','.join(LOADS)} (default all)")
    parser.add_argument("--only", type=_names(CANDIDATES), help=f"of {','.join(CANDIDATES)} (default all)")
    _add_waiting(parser)
    output = Path("build/bench.json")
    parser.add_argument("--output", type=Path, default=output, help=f"the JSON file (default {output})")
    parser.set_defaults(measure=_measure_proxies)
    modes = parser.add_subparsers(title="measure something else")
    loading = modes.add_parser(
        "web-client",
        help="bytes and seconds until Odoo's web client is there, with an empty cache",
        description="Load Odoo's web client with an empty cache: directly, through nginx and through Guestpass.",
    )
    loading.add_argument("--rounds", type=_positive, default=5, help="loads on each way (default 5)")
    loaded = Path("build/bench-web-client.json")
    loading.add_argument("--output", type=Path, default=loaded, help=f"the JSON file (default {loaded})")
    loading.set_defaults(measure=_measure_web_client)
    hearing = modes.add_parser(
        "changes",
        help="how soon other workers and machines refuse a link that was switched off",
        description="Switch links off, and see when other workers and another machine refuse them and cut WebSockets.",
    )
    hearing.add_argument("--rounds", type=_positive, default=200, help="links that are switched off (default 200)")
    heard = Path("build/bench-changes.json")
    hearing.add_argument("--output", type=Path, default=heard, help=f"the JSON file (default {heard})")
    hearing.set_defaults(measure=_measure_changes)
    promised = modes.add_parser(
        "promises",
        help="whether links end as soon as it is promised: 50 ms until refused, 100 ms until cut",
        description="End links in each way there is, and see whether two workers refuse and cut them as promised.",
    )
    promised.add_argument("--rounds", type=_positive, default=25, help="links that end in each way (default 25)")
    kept = Path("build/bench-promises.json")
    promised.add_argument("--output", type=Path, default=kept, help=f"the JSON file (default {kept})")
    promised.set_defaults(measure=_measure_promises)
    _add_odoo(modes)
    _add_scale(modes)
    flames = modes.add_parser(
        "flame",
        help="a flame graph of a worker under full load",
        description="Draw where the time of a request of 1 KB goes, with py-spy.",
    )
    flames.add_argument("--only", type=_names(_OWN), default=[_OWN[0]], help=f"{' or '.join(_OWN)} (default {_OWN[0]})")
    flames.add_argument("--seconds", type=_positive, default=10, help="how long to look (default 10)")
    drawn = Path("build/flame.svg")
    flames.add_argument("--output", type=Path, default=drawn, help=f"the picture (default {drawn})")
    flames.set_defaults(measure=None, write=_draw)
    docs = modes.add_parser(
        "docs",
        help="write the figures of the proxies, or of kind odoo, into docs/benchmarks.md",
        description="Write what was measured into docs/benchmarks.md, between its marks, and charts of the proxies.",
    )
    docs.add_argument("--input", type=Path, default=output, help=f"what was measured (default {output})")
    docs.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"), help="(default docs/benchmarks.md)")
    docs.set_defaults(measure=None, write=_publish)
    return parser


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    """What becomes of samples that something disturbed."""
    parser.add_argument("--anyway", action="store_true", help="let disturbed samples count, for trying things out")
    parser.add_argument(
        "--patience",
        type=_positive,
        default=20,
        metavar="MINUTES",
        help="time for waiting until the machine is quiet, and for samples that are taken again (default 20)",
    )


def _add_odoo(modes: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mode = modes.add_parser(
        "odoo",
        help="what a request to an Odoo costs: through each kind of link, kind web and nginx",
        description="Measure the processor time of requests to an Odoo, through each kind of link, kind web and nginx.",
    )
    mode.add_argument("--rounds", type=_positive, default=5, help="samples of each way and load (default 5)")
    mode.add_argument("--seconds", type=_positive, default=2, help="length of a sample (default 2)")
    for option, known in (("--loads", odoo.LOADS), ("--only", odoo.WAYS)):
        mode.add_argument(option, type=_names(known), default=list(known), help=f"of {','.join(known)} (default all)")
    _add_waiting(mode)
    output = Path("build/bench-odoo.json")
    mode.add_argument("--output", type=Path, default=output, help=f"the JSON file (default {output})")
    mode.set_defaults(measure=_measure_odoo)


def _add_scale(modes: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The rooms in which one worker has much to do at a time."""
    for name, room, text, counts in (
        (
            "scale",
            scale.measure_links,
            "100,000 links in 10,000 environments beside 100 in 10: opening, memory and start",
            {"rounds": (5, "starts on each"), "opened": (25_000, "links that are opened before memory is looked at")},
        ),
        (
            "memory",
            scale.measure_memory,
            "one worker and four: memory at rest (PSS), seconds until they serve, and until a killed one is replaced",
            {"rounds": (5, "starts of each")},
        ),
        (
            "sockets",
            scale.measure_sockets,
            "idle WebSockets through one worker: memory for each, and a request beside them",
            {"sockets": (10_000, "WebSockets"), "rounds": (3, "times that they are opened")},
        ),
        (
            "attacks",
            scale.measure_attacks,
            "attacks from six connections: what they cost another visitor, and memory",
            {"seconds": (5, "for which another visitor asks beside each")},
        ),
        (
            "large",
            scale.measure_large,
            "2 GiB up and down through one worker: how much its memory grows",
            {"rounds": (3, "times each way")},
        ),
    ):
        mode = modes.add_parser(name, help=text, description=f"Measure {text}.")
        for option, (default, meaning) in counts.items():
            mode.add_argument(f"--{option}", type=int, default=default, help=f"{meaning} (default {default})")
        written = Path(f"build/bench-{name}.json")
        mode.add_argument("--output", type=Path, default=written, help=f"the JSON file (default {written})")
        mode.set_defaults(measure=_measure_scale, room=room, chosen=tuple(counts))


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
