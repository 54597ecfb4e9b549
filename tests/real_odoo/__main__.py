"""``scripts/odoo``: make, run and read a real Odoo from a source tree of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.real_odoo import server

_COMMANDS = """commands:
  make SOURCE               an environment, a PostgreSQL cluster and a database with demo data, from a source tree
  start VERSION             run an instance; --name gives it a database of its own, --fresh a new copy of it
  stop [VERSION]            end an instance, or all of them and PostgreSQL; --forget removes its database
  list                      instances, with their ports, databases and logs
  sql VERSION STATEMENT     run SQL in an instance's database; `SELECT * FROM guestpass.changes` lists what was written
  test SOURCE [ARGUMENT…]   run tests/odoo on a fresh copy of that Odoo; arguments are pytest's
  walk VERSION              open its menus, views, buttons and pages in Chromium, directly and through a view-only link,
                            and print what differs; --only TEXT for some menus, --one-address, --json FILE for all of it
  sweep VERSION [MODEL…]    make each call that a view-only link lets through, and print as JSON what was written
  survey SOURCE             write down its routes, and what its JavaScript calls, in tests/odoo/surveys

Logins are admin, demo and portal, each with its name as the password. What is made is kept in build/odoo, or in the
folder that GUESTPASS_ODOO_HOME names.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; the exit status is 1 where something has to be mended first."""
    parser = argparse.ArgumentParser(
        prog="scripts/odoo", description=__doc__, epilog=_COMMANDS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["make", "start", "stop", "list", "sql", "test", "walk", "sweep", "survey"])
    parser.add_argument("operands", nargs="*", metavar="SOURCE|VERSION")
    parser.add_argument("--name", default="main", help="which instance; each has a database of its own")
    parser.add_argument("--fresh", action="store_true", help="begin with the demo data again")
    parser.add_argument("--forget", action="store_true", help="remove the database and its files too")
    parser.add_argument(
        "--only", metavar="TEXT", help="menus whose path, as CRM / Pipeline, begins with this expression"
    )
    parser.add_argument("--one-address", action="store_true", help="walk on the one address of all links")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write what a walk has seen to a file")
    parser.add_argument("--after", default="", metavar="MODEL", help="go on with a sweep that was interrupted here")
    given, rest = parser.parse_known_args(arguments)
    given.operands += rest
    try:
        globals()[f"_{given.command}"](given)
    except server.OdooError as error:
        sys.stderr.write(f"scripts/odoo: {error}\n")
        return 1
    return 0


def _make(given: argparse.Namespace) -> None:
    print(server.make(_source(given)))


def _start(given: argparse.Namespace) -> None:
    _show(server.start(_operand(given, "VERSION"), given.name, fresh=given.fresh))


def _stop(given: argparse.Namespace) -> None:
    if given.operands:
        server.stop(server.find(given.operands[0], given.name), forget=given.forget)
        return
    for each in server.instances():
        server.stop(each, forget=given.forget)
    server.stop_cluster()


def _list(_given: argparse.Namespace) -> None:
    for each in server.instances():
        _show(each)


def _sql(given: argparse.Namespace) -> None:
    instance = server.find(_operand(given, "VERSION"), given.name)
    for row in server.query(instance, " ".join(given.operands[1:])):
        print("\t".join(str(each) for each in row))


def _test(given: argparse.Namespace) -> None:
    version = server.make(_source(given))
    # Two that run at a time have databases of their own.
    instance = server.start(version, f"test{os.getpid()}", fresh=True)
    try:
        told = {"GUESTPASS_TEST_ODOO": json.dumps(asdict(instance))}
        command = [sys.executable, "-m", "pytest", *(given.operands[1:] or ["-q", "tests/odoo"])]
        done = subprocess.run(command, env={**os.environ, **told}, check=False)
    finally:
        server.stop(instance, forget=True)
    sys.exit(done.returncode)


def _walk(given: argparse.Namespace) -> None:
    from tests.real_odoo.walk import walk

    instance = server.find(_operand(given, "VERSION"), given.name)
    seen = asyncio.run(walk(instance, print, only=given.only, link_domain=None if given.one_address else "localhost"))
    if given.json is not None:
        given.json.write_text(json.dumps(seen.as_json(), indent=1) + "\n", encoding="utf-8")
    print(seen)


def _sweep(given: argparse.Namespace) -> None:
    from tests.real_odoo.sweep import sweep

    instance = server.start(_operand(given, "VERSION"), given.name, fresh=given.fresh)
    report = asyncio.run(sweep(instance, given.operands[1:], given.after))
    print(report.text())
    if report.faults:
        raise server.OdooError("\n".join(["what only reads has written:", *report.faults]))


def _survey(given: argparse.Namespace) -> None:
    from tests.real_odoo.survey import write_survey

    print(write_survey(_source(given)))


def _source(given: argparse.Namespace) -> Path:
    return Path(_operand(given, "SOURCE"))


def _operand(given: argparse.Namespace, name: str) -> str:
    if not given.operands:
        raise server.OdooError(f"{given.command} needs a {name}; see scripts/odoo --help.")
    return str(given.operands[0])


def _show(instance: server.Instance) -> None:
    state = "running" if instance.is_running else "stopped"
    print(
        f"{instance.version} {instance.name}: {state}, {instance.url}, bus {instance.websocket_url}, database "
        f"{instance.database}, log {instance.folder / 'odoo.log'}"
    )


if __name__ == "__main__":
    sys.exit(main())
