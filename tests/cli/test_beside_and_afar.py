"""Every command does the same beside the server and from afar, option by option, whatever is given.

The cases are made from the commands themselves. Each is run on two installations with the same rows: on the data
directory of one, and over the API of the other. What is compared is the exit status, what is printed, and the rows.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import typer
from tests.cli.command import Guestpass
from tests.cli.in_process import Elsewhere
from tests.cli.server import serving
from tests.doubles.odoo import running_odoo

from guestpass.cli.application import app
from guestpass.system import user_name

ONLY_BESIDE: Final = {
    "serve": "is the server",
    "settings": "reads the settings, which a machine elsewhere has none of",
    "doctor": "looks at this machine, or else at the server from where it is",
    "open": "makes an invitation with the keys",
    "db": "works on the database",
    "sessions": "ends what the keys vouch for",
    "token": "signs with the keys",
}
"""Commands that are not for both, by their first word, and why."""
ONLY_BESIDE_OPTIONS: Final = {
    "--org": "elsewhere the token says which organisation it is for",
    "--help": "runs nothing",
}

TEXTS: Final = ("", "-", "  ", "x" * 5000, "Zoe\u0308", "a\0b", "8\n9", "..")
"""What somebody may give for anything, by a mistake of theirs or of a script's. No id has an 8 or a 9 in it."""
NUMBERS: Final = ("-1", "9" * 30, "9" * 5000)
"""What they may give besides for what is no mere text."""
LINES: Final = ("", "\n", "correct horse\n", "demo\n", "Zoe\u0308 Zoe\u0308\n", "a\0bcdefgh\n", "x" * 2000)
"""What may stand on standard input."""
GOOD: Final[Mapping[str, Sequence[str]]] = {
    "--expires": ("24h", "2 weeks", "2001-01-01", "2099-01-01", "30 days", "0s", "1.5h"),
    "--start": ("/odoo/crm?a=b#c", "odoo", "/web/database/manager"),
    "--type": ("password", "token"),
    "--sign-in-as": ("demo", "DEMO"),
    "--max-visitors": (*NUMBERS, "3", "100000", "100001"),
    "--allow-ip": ("10.0.0.0/8", "192.0.2.7", "nowhere"),
    "--message": ("de", "xx"),
    "--password": ("correct horse", "short", "e\u0301" * 513),
    "--label": ("For Ada", "x" * 200, "x" * 201),
    "--note": ("x" * 2001, "one\r\ntwo"),
    "--status": ("paused", "active"),
    "--created-by": ("somebody", "x" * 201),
    "--search": ("first", "x" * 201, "FIRST"),
    "--expiring": ("30 days", "0s"),
    "--sort": ("label", "visits"),
    "--limit": ("1", "2", "501"),
    "--id": ("other", "odoo", "UP", "a" * 64),
    "--kind": ("web", "odoo"),
    "--url": ("http://127.0.0.1:2", "ftp://x", "http://127.0.0.1:1/path"),
    "--websocket-url": ("http://127.0.0.1:2", "ftp://x"),
    "--public-url": ("https://odoo.example.com", "ftp://x"),
    "--name": ("Other", "a/b", "%2e%2e", "x" * 201),
    "--description": ("About it", "x" * 2001),
    "--maintenance": ("Back at noon", "x" * 2001),
    "--database": ("staging", "x" * 64),
    "--body-limit": ("1", "1125899906842625"),
    "--response-timeout": ("2 minutes", "25h", "1ms", "1.2345678s"),
    "--max-concurrent": ("1", "1001"),
    "--allow-path": ("/jsonrpc", "jsonrpc", "/web/database", "/" + "x" * 300),
    "--read-only-allow": ("sale.order/read_it", "sale.order", "sale.order/write"),
    "--request": ("some-request",),
    "--clear": ("password", "label", "allow-ip", "database", "maintenance", "LABEL"),
}
"""What else is given for an option: what is right, and what is nearly."""


@dataclass(frozen=True)
class Case:
    """A command with one thing about it that is odd."""

    arguments: tuple[str, ...]
    stdin: str = ""

    def __str__(self) -> str:
        shown = [each if len(each) < 80 else f"{each[:9]}… ({len(each)} characters)" for each in self.arguments]
        return f"{shown} < {self.stdin[:20]!r}"


LINK: Final = "First link"
GIVEN: Final[Mapping[str, str]] = {
    "environment": "odoo",
    "environment_name": "harbour",
    "link_name": LINK,
    "link_names": LINK,
    "more": "2 days",
    "visitor_name": "1",
    "login": "demo",
    "url": "http://127.0.0.1:1",
    "name": "Some name",
}
"""What stands for an argument where another thing is odd."""
ENDED: Final[Mapping[str, str]] = {"share remove": "Gone", "env remove": "gone"}
"""Commands that leave nothing for the next case, with the beginning of what each case has for itself."""
SPARE: Final = 24
CLOSE: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Both:
    """The two installations, on one machine."""

    machine: Elsewhere
    beside: Mapping[str, str]
    afar: Mapping[str, str]
    databases: Sequence[Path]

    def link(self) -> str:
        """The id of the link that cases are about, which has its label again."""
        with closing(sqlite3.connect(f"{self.databases[0].as_uri()}?mode=ro", uri=True)) as connection:
            [(id,)] = connection.execute("SELECT id FROM links ORDER BY rowid LIMIT 1").fetchall()
        for variables in (self.beside, self.afar):
            self.machine.succeed("share", "edit", str(id), "--label", LINK, **variables)
        return str(id)

    def differences(self, case: Case, differed: dict[str, tuple[str, str]]) -> Iterator[str]:
        """In what the two differ once the command was run on each; `differed` are the rows that did, and do now."""
        here, there = (
            self.machine.run(*case.arguments, stdin=case.stdin, **variables) for variables in (self.beside, self.afar)
        )
        if "Traceback" in here.err + there.err:
            yield f"a traceback\n  {here.err}\n  {there.err}"
        for name in ("status", "out", "err"):
            one, other = str(getattr(here, name)), str(getattr(there, name))
            if "--sort" in case.arguments:
                # What is alike is sorted by ids, which chance has made.
                one, other = ("\n".join(sorted(map(masked, text.splitlines()))) for text in (one, other))
            if not same(one, other):
                yield f"{name}\n  beside: {one[-900:]!r}\n  afar:   {other[-900:]!r}"
        before, now = differed.copy(), self.rows_that_differ()
        differed.clear()
        differed.update(now)
        # What differed before is not told again.
        for query, (one, other) in now.items():
            if query not in before:
                yield f"rows of {query}\n  beside: {one}\n  afar:   {other}"

    def rows_that_differ(self) -> dict[str, tuple[str, str]]:
        """What the queries find in one and the other, where that is not the same."""
        here, there = map(rows, self.databases)
        return {query: (here[query], there[query]) for query in QUERIES if not same(here[query], there[query])}


MASKS: Final = (
    (re.compile(r"\$argon2id[^'\" ]*"), "<hash>"),
    (re.compile(r"gp_[A-Za-z0-9_-]+"), "<token>"),
    (re.compile(r"\b[a-z2-7]{4}(-[a-z2-7]{4}){3}\b"), "<made>"),
    (re.compile(r"\b[a-z2-7]{16}\b"), "<id>"),
    (re.compile(r"\b((\d+d|\d+h|\d+m) ?)+left"), "<some time> left"),
    (re.compile(r"(?m)^[█▀▄ ]{20,}$"), "<code>"),
    (re.compile(r"(?<=-)[0-9a-f]{4}\b(?!-)"), "<chance>"),
    (re.compile(r" {2,}"), "  "),
)  # fmt: skip
MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:Z|\+00:00)?")


def same(one: str, other: str) -> bool:
    """Whether two texts say the same, but for what chance has made and for moments that lie close together."""
    if one == other:
        return True
    moments = [[datetime.fromisoformat(f"{day}T{time}") for day, time in MOMENT.findall(text)] for text in (one, other)]
    return masked(one) == masked(other) and all(abs(here - there) < CLOSE for here, there in zip(*moments, strict=True))


def masked(text: str) -> str:
    """A text without moments and what chance has made."""
    for pattern, mask in ((MOMENT, "<moment>"), *MASKS):
        text = pattern.sub(mask, text)
    return text


QUERIES: Final = (
    "SELECT * FROM links ORDER BY rowid LIMIT 1",  # What most cases are about, whatever it is called by then.
    "SELECT * FROM links WHERE label LIKE 'Gone%' ORDER BY rowid",
    "SELECT * FROM links ORDER BY rowid DESC LIMIT 2",
    "SELECT * FROM environments WHERE id IN ('harbour', 'odoo') ORDER BY rowid",
    "SELECT * FROM environments ORDER BY rowid DESC LIMIT 2",
    "SELECT count(*) FROM environments",
    "SELECT name, login, is_admin, revision FROM accounts ORDER BY rowid",
    "SELECT link_id, kind, actor, detail FROM link_events ORDER BY id DESC LIMIT 2",
    "SELECT visitor, ended_at FROM visitors ORDER BY visitor",
    "SELECT count(*) FROM links",
)


def rows(path: Path) -> dict[str, str]:
    """What a database holds of what commands change, as one text for each query."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return {query: "\n".join("\t".join(map(str, row)) for row in connection.execute(query)) for query in QUERIES}


COMMAND: Final = typer.main.get_command(app)


def commands() -> dict[str, Any]:
    """Every command that there is, by its words."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if not getattr(command, "commands", None):
            yield " ".join(words), command
        for name, each in getattr(command, "commands", {}).items():
            yield from below(each, (*words, name))

    return dict(below(COMMAND, ()))


FOR_BOTH: Final = {words: each for words, each in commands().items() if words.split()[0] not in ONLY_BESIDE}


def cases(words: str, **instead: str) -> Iterator[Case]:
    """A command as it is meant, and then with each thing about it that may be odd; `instead` comes before GIVEN."""
    parameters = FOR_BOTH[words].params
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [
        each for each in parameters if each.param_type_name == "option" and each.opts[0] not in ONLY_BESIDE_OPTIONS
    ]
    given = {each.name: GIVEN[each.name] for each in arguments if each.required} | instead
    if words.startswith("account"):
        given["environment_name"] = "odoo"
    if words == "account remove":
        given["name"] = "spare"
    may_ask = any(each.name == "yes" for each in options)
    reads = "demo\n" if words == "account add" else ""
    number = count()

    def case(*chosen: str, stdin: str | None = None, **named: str) -> Case:
        if words in ENDED:
            named = {arguments[0].name: f"{ENDED[words]}-{next(number)}"} | named
        elif words == "env add":
            # Two of one name would get ids that chance has made.
            named = {"name": f"Name {next(number)}"} | named
        confirmed = ("--yes",) if may_ask and stdin is None else ()
        values = (given | named).values()
        return Case((*words.split(), *confirmed, *chosen, "--", *values), reads if stdin is None else stdin)

    yield from (case(stdin=line) for line in (LINES if reads else ("", "y\n", "n\n")))
    for option in options:
        odd = TEXTS if option.type_descriptor.annotation in {str, list[str]} else (*TEXTS, *NUMBERS)
        for name in (*option.opts[:1], *option.secondary_opts):
            if option.is_flag:
                yield case(name)
                yield case("--json", name)
                continue
            yield from (case(name, value) for value in (*odd, *GOOD.get(name, ())))
            yield from (case(name, "-", stdin=line) for line in (LINES if name == "--password" else ()))
            if option.multiple:
                yield case(name, "", name, GOOD[name][0])
                yield case(name, GOOD[name][0], name, GOOD[name][0])
                yield case(*(part for each in range(201) for part in (name, f"{GOOD[name][0]}{each}")))
    for argument in arguments:
        yield from (case(**{argument.name: value}) for value in (*TEXTS, *NUMBERS))
    if arguments:
        yield Case((*words.split(), "--"))


@pytest.fixture(scope="module")
def installations(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[dict[str, str], dict[str, str], list[Path]]]:
    """What names the data directory of one and the address of the other, and the databases of both."""
    folder = tmp_path_factory.mktemp("both")
    copy = Guestpass(folder / "copy")
    copy.data_dir.mkdir()
    # Both sides ask one Odoo, and what the first was refused for must not shut the door to the second.
    with running_odoo(throttle_failures=0) as odoo, serving(folder, GUESTPASS_OWNER_WRITES="1000000/minute") as server:
        afar = server.elsewhere("--sub", user_name(os.geteuid()))
        fill(afar, odoo.url)
        databases = [each / "guestpass.db" for each in (copy.data_dir, server.beside.data_dir)]
        add_visitors(databases[1])
        for file in server.beside.data_dir.iterdir():
            if file.is_file() and not file.name.startswith("guestpass.db"):
                shutil.copy(file, copy.data_dir)
        with closing(sqlite3.connect(databases[1])) as source, closing(sqlite3.connect(databases[0])) as target:
            source.backup(target)
        yield {"GUESTPASS_DATA_DIR": str(copy.data_dir), **server.beside.variables}, afar, databases


def fill(afar: Mapping[str, str], odoo: str) -> None:
    """Make what commands are about."""
    bearer = {"Authorization": f"Bearer {afar['GUESTPASS_TOKEN']}"}
    with httpx2.Client(base_url=afar["GUESTPASS_URL"], headers=bearer, timeout=60) as api:

        def post(path: str, **fields: object) -> None:
            api.post(f"/api/environments{path}", json=fields).raise_for_status()

        post("", name="Harbour", url="http://127.0.0.1:1", kind="web")
        post("", name="Odoo", url=odoo)
        for name in ("demo", "spare"):
            post("/odoo/accounts", login="demo", password="demo", name=name)
        post("/odoo/share", label=LINK, note="\u00dcber", expiresIn="20d", maxVisitors=3)
        for number in range(SPARE):
            post("", name=f"gone-{number}", url="http://127.0.0.1:1", kind="web")
            post("/harbour/share", label=f"Gone-{number}")


def add_visitors(path: Path) -> None:
    """Add what no command makes."""
    with closing(sqlite3.connect(path)) as connection, connection:
        [(link,)] = connection.execute("SELECT id FROM links WHERE label = ?", (LINK,)).fetchall()
        connection.executemany(
            "INSERT INTO visitors (link_id, visitor, number, first_seen, last_seen, present_at, visits, "
            "visit_started_at, visit_opened) VALUES (?, ?, ?, ?, ?, ?, 1, ?, 1)",
            [(link, f"visitor{number}", number, *("2026-03-01 12:00:00.000000",) * 4) for number in (1, 2)],
        )


@pytest.fixture
def both(
    installations: tuple[dict[str, str], dict[str, str], list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Both:
    beside, afar, databases = installations
    # To put the commands together takes longer than most of them.
    monkeypatch.setattr("typer.main.get_command", lambda _: COMMAND)
    return Both(Elsewhere(monkeypatch, capsys), beside, afar, databases)


@pytest.mark.parametrize("words", FOR_BOTH)
def test_a_command_does_the_same_beside_the_server_and_from_afar(both: Both, words: str) -> None:
    link = both.link()
    # By its label it would not be found once that was changed, and all further cases would end alike.
    instead = {"link_name": link} if words == "share edit" else {}
    differed = both.rows_that_differ()
    found = [f"{case}: {each}" for case in cases(words, **instead) for each in both.differences(case, differed)]
    assert not found, "\n".join(found)
