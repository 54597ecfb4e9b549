"""Making links, sending them, and finding them again."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
import segno
from tests.cli.command import COMMAND, Guestpass
from tests.cli.in_process import Elsewhere
from tests.cli.server import Server


def word() -> str:
    return uuid.uuid4().hex


def create(elsewhere: Elsewhere, *options: str) -> dict[str, Any]:
    link: dict[str, Any] = elsewhere.succeed("share", "create", "harbour", "--json", *options).json
    return link


def lifetime(link: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(link["expiresAt"]) - datetime.fromisoformat(link["createdAt"])


def test_everything_about_a_link_can_be_said_when_it_is_made(elsewhere: Elsewhere) -> None:
    link = create(
        elsewhere, "--expires", "2 weeks", "--label", "For Ada", "--note", "Until the audit", "--start", "/a/b?c=d",
        "--max-visitors", "3", "--allow-ip", "10.0.0.0/8", "--allow-ip", "2001:db8::1",
    )  # fmt: skip
    assert lifetime(link) == timedelta(days=14)
    assert (link["label"], link["note"], link["startPath"]) == ("For Ada", "Until the audit", "/a/b?c=d")
    assert (link["maxVisitors"], link["allowedIPs"]) == (3, ["10.0.0.0/8", "2001:db8::1"])
    shown = elsewhere.succeed("share", "show", link["id"]).out
    for words in ("Until the audit", "/a/b?c=d", "3 visitors", "10.0.0.0/8 2001:db8::1", "14d left"):
        assert words in shown


def test_an_end_may_be_a_day(elsewhere: Elsewhere) -> None:
    day = (datetime.now().astimezone() + timedelta(days=30)).date()
    link = create(elsewhere, "--expires", day.isoformat())
    assert link["expiresAt"] == f"{day + timedelta(days=1)}T00:00:00Z"
    assert "--expires" in elsewhere.refuse(2, "share", "create", "harbour", "--expires", "2001-01-01")


def test_every_wrong_option_is_named(elsewhere: Elsewhere) -> None:
    text = elsewhere.refuse(
        2, "share", "create", "harbour", "--start", "odoo", "--allow-ip", "nowhere", "--note", "x" * 1999 + "\a",
    )  # fmt: skip
    assert sorted(line.split()[1] for line in text.splitlines()) == ["--allow-ip", "--note", "--start"]
    link = create(elsewhere)["id"]
    assert "--max-visitors" in elsewhere.refuse(2, "share", "edit", link, "--max-visitors", "0")
    assert "--max-visitors" in elsewhere.refuse(2, "share", "edit", link, "--max-visitors", "many")
    assert "Say what to change" in elsewhere.refuse(2, "share", "edit", link)
    assert "DURATION must be in the future" in elsewhere.refuse(2, "share", "extend", link, "20000h")


@pytest.mark.parametrize(
    "options", [("--password",), ("--password", "--json"), ("--make-password",), ("--type", "password")]
)
def test_a_password_is_made_where_none_is_given(elsewhere: Elsewhere, options: tuple[str, ...]) -> None:
    result = elsewhere.succeed("share", "create", "harbour", *options)
    password = re.search(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", result.out)
    assert password is not None
    assert password[0] not in result.err


def test_a_password_may_be_given_beside_its_option(elsewhere: Elsewhere) -> None:
    for options in (("--password=correct horse",), ("--password", "correct horse")):
        result = elsewhere.succeed("share", "create", "harbour", *options, "--json")
        assert result.json["shareType"] == "password"
        assert "password" not in result.json
        assert "correct horse" not in result.out + result.err
    read = elsewhere.succeed("share", "create", "harbour", "--password", "-", "--json", stdin="correct horse\n")
    assert read.json["shareType"] == "password"
    # Behind -- nothing is an option.
    assert "There is no environment '--password'" in elsewhere.refuse(1, "share", "create", "--", "--password")
    assert "--make-password" in elsewhere.refuse(
        2, "share", "create", "harbour", "--password=correct horse", "--make-password"
    )


def test_a_password_is_never_lost_in_silence(elsewhere: Elsewhere) -> None:
    """An empty text comes from a variable that is not set, and an empty line from a pipe that has failed."""
    link = create(elsewhere, "--password=correct horse", "--max-visitors", "3", "--allow-ip", "10.0.0.0/8")
    for stdin in ("", "\n"):
        text = elsewhere.refuse(2, "share", "edit", link["id"], "--password", "-", stdin=stdin)
        assert "--password - came on standard input" in text
        assert "--password -" in elsewhere.refuse(2, "share", "create", "harbour", "--password", "-", stdin=stdin)
    for option in ("--password", "--max-visitors", "--allow-ip", "--sign-in-as"):
        text = elsewhere.refuse(2, "share", "edit", link["id"], option, "")
        assert option in text
        assert f"--clear {option.removeprefix('--')}" in text
    before = elsewhere.succeed("share", "list", "--json", "--limit", "1").json["total"]
    for option in ("--password", "--allow-ip", "--sign-in-as"):
        text = elsewhere.refuse(2, "share", "create", "harbour", option, "")
        assert option in text
        assert "leave the option out" in text
    assert elsewhere.succeed("share", "list", "--json", "--limit", "1").json["total"] == before
    assert elsewhere.succeed("share", "show", link["id"], "--json").json == link


def test_what_clears_has_a_word_of_its_own(elsewhere: Elsewhere) -> None:
    link = create(
        elsewhere, "--password=correct horse", "--max-visitors", "3", "--allow-ip", "10.0.0.0/8", "--label", "A label",
        "--note", "A note", "--start", "/a",
    )  # fmt: skip
    words = ("password", "max-visitors", "allow-ip", "label", "note", "start", "sign-in-as")
    assert "can't be given beside --note" in elsewhere.refuse(
        2, "share", "edit", link["id"], "--note", "Another", "--clear", "note"
    )
    assert all(word in elsewhere.refuse(2, "share", "edit", link["id"], "--clear", "everything") for word in words)
    options = [part for word in words for part in ("--clear", word)]
    bare = elsewhere.succeed("share", "edit", link["id"], *options, "--json").json
    assert (bare["shareType"], bare["maxVisitors"], bare["allowedIPs"]) == ("token", None, [])
    assert (bare["label"], bare["note"], bare["startPath"], bare["signInAs"]) == (None, None, None, None)


def test_a_message_never_has_url_and_password_together_unless_it_is_wanted(elsewhere: Elsewhere) -> None:
    apart = elsewhere.succeed("share", "create", "harbour", "--password", "--message", "de-AT")
    [password] = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", apart.err)
    assert "/share/gp_" in apart.out
    assert "Passwort" in apart.out
    assert password not in apart.out
    assert "/share/gp_" not in apart.err
    together = elsewhere.succeed(
        "share", "create", "harbour", "--password=correct horse", "--message", "fr", "--with-password"
    )
    assert "/share/gp_" in together.out
    assert "correct horse" in together.out
    shown = elsewhere.succeed("share", "create", "harbour", "--message", "es", "--json").json
    assert shown["url"] in shown["message"]["text"]
    assert shown["message"]["mailto"].startswith("mailto:?subject=")
    again = elsewhere.succeed("share", "show", shown["id"], "--message", "es", "--json").json
    assert again["message"] == shown["message"]


def test_a_message_that_can_not_be_written_is_said(elsewhere: Elsewhere) -> None:
    before = elsewhere.succeed("share", "list", "--json", "--limit", "1").json["total"]
    assert "en, es, fr, de, pt" in elsewhere.refuse(2, "share", "create", "harbour", "--message", "xx")
    assert "--message" in elsewhere.refuse(2, "share", "create", "harbour", "--with-password")
    assert "--password" in elsewhere.refuse(2, "share", "create", "harbour", "--message", "en", "--with-password")
    assert elsewhere.succeed("share", "list", "--json", "--limit", "1").json["total"] == before


def test_a_qr_code_is_one_of_the_url(elsewhere: Elsewhere) -> None:
    drawn = elsewhere.succeed("share", "create", "harbour", "--qr").out.splitlines()
    url, rows = drawn[0], drawn[1:]
    assert all(len(row) <= 80 for row in rows)
    # Each character is two modules, one above the other; what is drawn is what is light.
    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    modules = [[halves[character][half] for character in row] for row in rows for half in (0, 1)]
    code = segno.make(url, error="m", micro=False)
    border = (len(modules[0]) - len(code.matrix)) // 2
    assert border >= 2
    size = len(code.matrix)
    inside = [row[border : border + size] for row in modules[border : border + size]]
    assert inside == [list(row) for row in code.matrix]


def test_links_are_found_over_all_environments(elsewhere: Elsewhere) -> None:
    mark = word()
    other = elsewhere.succeed("env", "add", f"Other {mark}", "http://127.0.0.1:1", "--kind", "web", "--json").json["id"]
    soon = create(elsewhere, "--label", f"{mark} b", "--expires", "2h")["id"]
    late = create(elsewhere, "--label", f"{mark} a", "--expires", "20d", "--password")["id"]
    there = elsewhere.succeed("share", "create", other, "--note", f"About {mark}", "--json").json["id"]
    elsewhere.succeed("share", "pause", there)

    def found(*options: str) -> list[str]:
        body = elsewhere.succeed("share", "list", "--search", mark.upper(), "--json", *options).json
        assert body["total"] == len(body["shareLinks"])
        return [link["id"] for link in body["shareLinks"]]

    assert found() == [there, late, soon]
    assert found("--reverse") == [soon, late, there]
    assert found("--sort", "label") == [late, soon, there]
    assert found("--sort", "expires")[0] == soon
    assert found("--expiring", "1 day") == [soon]
    assert found("--status", "paused") == found("--status", "deactivated") == [there]
    assert found("--type", "password") == [late]
    assert found("--created-by", "somebody else") == []
    both = elsewhere.succeed("share", "list", "--search", mark, "--limit", "2")
    assert "2 of 3 links" in both.err
    assert [line.split()[0] for line in both.out.splitlines()] == ["ID", there, late]
    only = elsewhere.succeed("share", "list", f"other {mark}", "--json").json
    assert [link["id"] for link in only["shareLinks"]] == [there]
    line = elsewhere.succeed("share", "list", other).out.splitlines()[1]
    assert re.match(rf"{there}\s+-\s+paused\s+token\s+0\b", line)


def test_many_are_paused_after_a_question_and_removed_after_another(elsewhere: Elsewhere) -> None:
    mark = word()
    ids = [create(elsewhere, "--label", f"{mark} {number}")["id"] for number in (1, 2)]
    named = [f"{mark} 1", ids[1], ids[0]]
    refused = elsewhere.refuse(1, "share", "pause", *named, stdin="n\n")
    assert "these 2 share links" in refused
    assert all(id in refused for id in ids)
    paused = elsewhere.succeed("share", "pause", *named, "--yes", "--json").json
    assert paused == {"deactivated": ids, "alreadyDeactivated": [], "notFound": []}
    # A single one can be opened again at any time, so nobody is asked.
    assert "before" in elsewhere.succeed("share", "deactivate", ids[0]).out
    elsewhere.succeed("share", "remove", *ids, stdin="y\n")
    assert elsewhere.succeed("share", "list", "--search", mark, "--json").json["total"] == 0


def test_a_new_url_is_made_after_a_question(elsewhere: Elsewhere) -> None:
    link = create(elsewhere)
    assert "Nothing was changed" in elsewhere.refuse(1, "share", "rotate", link["id"], stdin="n\n")
    assert elsewhere.succeed("share", "show", link["id"], "--json").json["url"] == link["url"]
    assert link["url"] not in elsewhere.succeed("share", "rotate", link["id"], stdin="y\n").out


def test_more_time_is_added_to_what_is_left(elsewhere: Elsewhere) -> None:
    link = create(elsewhere, "--expires", "2d")
    longer = elsewhere.succeed("share", "extend", link["id"], "1 week", "--json").json
    assert lifetime(longer) == timedelta(days=9)
    day = (datetime.now().astimezone() + timedelta(days=40)).date()
    until = elsewhere.succeed("share", "extend", link["id"], day.isoformat(), "--json").json
    assert until["expiresAt"] == f"{day + timedelta(days=1)}T00:00:00Z"


@pytest.mark.parametrize("arguments", [("share", "list"), ("share", "list", "harbour"), ("env", "list")])
def test_a_terminal_of_80_columns_is_wide_enough(server: Server, arguments: tuple[str, ...]) -> None:
    beside = server.beside
    id = beside.succeed("share", "create", "harbour", "--label", "A label of some length, for the auditors", "--json")
    lines = on_a_terminal(beside, *arguments).splitlines()
    plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in lines]
    assert max(len(line.rstrip()) for line in plain) <= 80
    if arguments[0] == "share":
        assert any(line.startswith(id.json["id"]) for line in plain)


def test_who_waits_at_a_terminal_sees_what_for(server: Server) -> None:
    assert "Checking the environment" in on_a_terminal(server.beside, "env", "check", "harbour")
    assert "Looking" not in server.beside.succeed("env", "check", "harbour").err


def test_a_password_is_asked_for_twice_and_not_shown(server: Server) -> None:
    seen = type_passwords(server.beside, ["one thing it is", "another thing", "correct horse", "correct horse"])
    assert "not the same" in seen
    assert "/share/gp_" in seen
    for password in ("one thing it is", "another thing", "correct horse"):
        assert password not in seen


def on_a_terminal(command: Guestpass, *arguments: str) -> str:
    """All that a command writes to a terminal of 80 columns."""
    terminal, end = pty.openpty()
    environ = command.environ(TERM="xterm-256color", COLUMNS="80")
    process = subprocess.Popen([*COMMAND, *arguments], env=environ, stdin=end, stdout=end, stderr=end)
    os.close(end)
    seen = b""
    try:
        while chunk := _read(terminal):
            seen += chunk
    finally:
        os.close(terminal)
        assert process.wait(timeout=60) == 0, seen
    return seen.decode()


def type_passwords(command: Guestpass, passwords: list[str]) -> str:
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "share", "create", "harbour", "--password", "-"],
        env=command.environ(TERM="xterm"),
        stdin=end,
        stdout=end,
        stderr=end,
    )
    os.close(end)
    seen = b""
    try:
        for number, password in enumerate(passwords, 1):
            # Each prompt ends with a colon; nobody types before it is there.
            while seen.count(b": ") < number:
                chunk = _read(terminal)
                assert chunk, seen
                seen += chunk
            os.write(terminal, f"{password}\n".encode())
        while chunk := _read(terminal):
            seen += chunk
    finally:
        os.close(terminal)
        assert process.wait(timeout=60) == 0, seen
    return seen.decode()


def _read(terminal: int) -> bytes:
    """What a terminal holds; empty once the program at its other end is gone (EIO on Linux)."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
