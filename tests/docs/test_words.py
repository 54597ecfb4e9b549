"""What the documents quote is there: commands with their options, and the titles of pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from guestpass.cli.application import app
from guestpass.web.texts import NOTICES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guide").glob("*.md")]
COMMANDS = typer.main.get_command(app)
TITLES = {words.title for words in NOTICES.values()}


def commands_in(text: str) -> Iterator[str]:
    """What follows `guestpass` in lines of shell and between backticks."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"\bguestpass ([a-z][^\n|)#]*)", block.replace("\\\n", " "))
    yield from re.findall(r"`guestpass ([a-z][^`]*)`", text)


def options_of(words: list[str]) -> set[str]:
    """The options of the command with which those words begin."""
    command = COMMANDS
    while isinstance(command, TyperGroup) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    # A group that does something by itself takes options and arguments; any other wants one of its commands.
    lone = isinstance(command, TyperGroup) and not command.invoke_without_command and words
    assert not (lone and re.match("[a-z]", words[0])), f"there is no command {words[0]}"
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_command_that_is_quoted_can_be_typed(document: Path) -> None:
    for command in commands_in(document.read_text(encoding="utf-8")):
        words = command.split()
        given = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", command))
        assert given <= options_of(words), command


@pytest.mark.parametrize("command", ["share creat x", "share create x --expire 7d", "env edit x --websocket http://x"])
def test_what_can_not_be_typed_is_found(command: str) -> None:
    with pytest.raises(AssertionError):
        assert set(re.findall(r"(?<!\S)--[a-z][a-z-]*", command)) <= options_of(command.split())


def test_the_pages_that_visitors_may_meet_are_called_what_they_are_called() -> None:
    text = (ROOT / "docs" / "guide" / "visitors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][^|]*) \|", text, re.MULTILINE)
    assert len(rows) > 10
    assert {title for row in rows for title in row.split(", ")} <= TITLES


def test_owners_read_the_same_titles_as_their_visitors() -> None:
    text = (ROOT / "docs" / "guide" / "sharing.md").read_text(encoding="utf-8")
    [told] = re.findall(r"^Pages of ours that they may meet:.*?\n\n", text, re.MULTILINE | re.DOTALL)
    quoted = {" ".join(title.split()) for title in re.findall(r'"([^"]*)"', told)}
    assert len(quoted) > 8
    assert quoted <= TITLES


def test_quoted_titles_in_headings_of_remedies_are_those_of_pages() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    gateway = text[text.index("## Errors from the gateway") : text.index("## Owners")]
    quoted = re.findall(r'"([A-Z][^"]*)"', gateway)
    assert len(quoted) > 5
    assert set(quoted) <= TITLES
