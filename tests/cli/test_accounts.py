"""`guestpass account`, and links that sign their visitors in, beside the double of an Odoo."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.cli.command import COMMAND, Guestpass
from tests.doubles.odoo import Odoo, running_odoo

from guestpass.app.ports import RefusedCall
from guestpass.domain.account import SignInRefusal
from guestpass.domain.environment import EnvironmentKey
from guestpass.storage.database import Database
from guestpass.system import SystemClock

KEY = EnvironmentKey("default", "staging")


@pytest.fixture
def odoo() -> Iterator[Odoo]:
    with running_odoo() as running:
        yield running


@pytest.fixture
def staging(installed: Guestpass, odoo: Odoo) -> Guestpass:
    """The command beside a database with one environment, `staging`, at that Odoo."""
    installed.succeed("env", "add", "Staging", odoo.url)
    return installed


def database_of(command: Guestpass) -> Database:
    return Database(f"sqlite:///{command.data_dir / 'guestpass.db'}", SystemClock())


def test_who_registers_an_odoo_reads_which_it_is(installed: Guestpass, odoo: Odoo) -> None:
    assert "Odoo 18.0 Community answers at the address." in installed.succeed("env", "add", "Staging", odoo.url).err


def test_an_account_from_its_first_day_to_its_last(staging: Guestpass, odoo: Odoo) -> None:
    added = staging.succeed("account", "add", "staging", "demo", stdin="demo\n")
    assert "The account demo is added." in added.out
    assert "share create staging --sign-in-as demo" in added.out
    [account] = staging.succeed("account", "list", "staging", "--json").json["accounts"]
    assert (account["name"], account["login"], account["isAdmin"]) == ("demo", "demo", False)
    assert re.search(r"demo\s+demo\s+user, contacts\s", staging.succeed("account", "list", "staging").out)
    again = staging.succeed("account", "add", "staging", "demo", "--name", "demo", "--json", stdin="demo\n")
    assert again.json == account
    assert "renewed" in staging.succeed("account", "add", "staging", "demo", stdin="demo").out

    link = staging.succeed("share", "create", "staging", "--sign-in-as", "demo", "--view-only", "--json")
    assert (link.json["access"], link.json["signInAs"]) == ("readOnly", {"account": "demo", "login": "demo"})
    assert link.err == ""
    shown = staging.succeed("share", "show", link.json["id"]).out
    assert re.search(r"access +view-only\n", shown)
    assert re.search(r"signed in as +demo \(demo\)\n", shown)
    assert re.search(r"7d left\s+token, view-only, as demo\s", staging.succeed("share", "list", "staging").out)

    refused = staging.refuse(1, "account", "remove", "staging", "demo", "--yes")
    assert "1 active share link signs visitors in as this account; deactivate it first." in refused
    staging.succeed("share", "deactivate", link.json["id"])
    assert "--yes" in staging.refuse(1, "account", "remove", "staging", "demo")
    staging.succeed("account", "remove", "staging", "demo", "--yes")
    assert staging.succeed("account", "list", "staging", "--json").json == {"accounts": [], "total": 0}
    assert "demo" in staging.refuse(1, "account", "remove", "staging", "demo", "--yes")
    # Nothing stays signed in of what was only tried.
    assert not [session for session in odoo.state()["sessions"] if session["login"] == "demo"]


def test_a_password_that_odoo_does_not_accept_is_said_at_once(staging: Guestpass) -> None:
    text = staging.refuse(2, "account", "add", "staging", "demo", stdin="wrong\n")
    assert "Odoo does not accept this login and password" in text
    assert "wrong\n" not in text
    assert "LOGIN has two-factor authentication" in staging.refuse(
        2, "account", "add", "staging", "second", stdin="second\n"
    )
    staging.succeed("env", "edit", "staging", "--database", "elsewhere")
    assert "--database of the environment" in staging.refuse(2, "account", "add", "staging", "demo", stdin="demo\n")
    staging.succeed("env", "edit", "staging", "--url", "http://127.0.0.1:1", "--database", "")
    assert "URL of the environment" in staging.refuse(2, "account", "add", "staging", "demo", stdin="demo\n")
    assert staging.succeed("account", "list", "staging", "--json").json["total"] == 0


def test_an_administrator_is_taken_on_purpose_only(staging: Guestpass) -> None:
    refused = staging.refuse(2, "account", "add", "staging", "admin", stdin="admin\n")
    assert "--allow-admin must be true" in refused
    added = staging.succeed("account", "add", "staging", "admin", "--allow-admin", "--name", "boss", stdin="admin\n")
    assert "boss" in added.out
    assert "run code" in added.err
    made = staging.succeed("share", "create", "staging", "--sign-in-as", "boss")
    assert "admin_account" in made.err
    assert "admin_account" not in made.out


def test_a_view_only_link_says_what_guards_it(staging: Guestpass) -> None:
    made = staging.succeed("share", "create", "staging", "--view-only")
    assert "Odoo's access rights are the boundary" in made.err
    assert "--sign-in-as is not the name of an account" in staging.refuse(
        2, "share", "create", "staging", "--sign-in-as", "nobody"
    )


def test_a_password_that_is_typed_is_not_shown(staging: Guestpass) -> None:
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "account", "add", "staging", "demo"],
        env=staging.environ(TERM="xterm"),
        stdin=end,
        stdout=end,
        stderr=end,
    )
    os.close(end)
    seen = b""
    try:
        while b"Password" not in seen:
            seen += os.read(terminal, 4096)
        os.write(terminal, b"demo\n")
        while chunk := _read(terminal):
            seen += chunk
    finally:
        process.wait(timeout=60)
        os.close(terminal)
    assert process.returncode == 0, seen
    text = seen.decode()
    assert "The account demo is added." in text
    # It is asked for once, since Odoo is asked whether it is right.
    assert text.count("Password") == 1
    assert "demo" not in text.partition("Password")[2].partition("The account")[0]


def _read(terminal: int) -> bytes:
    """What a terminal holds; empty once the program at its other end is gone (EIO on Linux)."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


async def test_an_account_that_odoo_refused_later_is_told_of(staging: Guestpass) -> None:
    staging.succeed("account", "add", "staging", "demo", stdin="demo\n")
    database = database_of(staging)
    async with database.writing() as work:
        await work.accounts.refuse(KEY, "demo", 1, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), SignInRefusal.CREDENTIALS)
    await database.close()
    listed = staging.succeed("account", "list", "staging")
    assert "2026-03-04 05:06Z" in listed.out
    assert "account_refused" in listed.err
    shown = staging.succeed("env", "show", "staging").out
    assert re.search(r"finding account_refused +2026-03-04 05:06Z: Links can't sign their visitors in", shown)
    staging.succeed("account", "add", "staging", "demo", stdin="demo\n")
    assert "account_refused" not in staging.succeed("env", "show", "staging").out


async def test_refused_methods_are_listed(staging: Guestpass) -> None:
    database = database_of(staging)
    async with database.writing() as work:
        at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
        await work.environments.add_refused_calls({KEY: [RefusedCall("sale.order", "get_figures", 3, at)]})
    await database.close()
    listed = staging.succeed("env", "refused-calls", "staging").out
    assert re.search(r"sale\.order/get_figures\s+3\s+2026-03-04 05:06Z", listed)
    body = staging.succeed("env", "refused-calls", "staging", "--json").json
    assert [(each["model"], each["method"], each["count"]) for each in body["refusedCalls"]] == [
        ("sale.order", "get_figures", 3)
    ]
