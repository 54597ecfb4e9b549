"""The reference pages say what the program does, no less and no more."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.reference import FOLDER, commands_page, settings_page

from guestpass.settings import CONFIG_VARIABLE, REMOTE_VARIABLES, Settings, variable

DOCUMENTS = [*FOLDER.parents[1].glob("*.md"), *FOLDER.parent.rglob("*.md")]
REMEDY = "run: python -m tests.docs.reference"


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def known_variables() -> set[str]:
    return {CONFIG_VARIABLE, *(variable(name) for name in Settings.model_fields)}


def test_every_setting_has_one_row_and_every_row_is_a_setting() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", page("settings.md"), re.MULTILINE)
    assert sorted(rows) == sorted(known_variables())


def test_every_setting_has_its_help() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description in page("settings.md"), f"{name}: {REMEDY}"


def test_no_document_names_a_variable_that_there_is_not() -> None:
    for document in DOCUMENTS:
        named = set(re.findall(r"\bGUESTPASS_[A-Z_]+\b", document.read_text(encoding="utf-8")))
        assert named <= known_variables() | set(REMOTE_VARIABLES), document


def test_the_pages_are_those_that_the_code_makes() -> None:
    assert page("settings.md") == settings_page(), REMEDY
    assert page("cli.md") == commands_page(), REMEDY


def test_every_command_is_described() -> None:
    text = page("cli.md")
    for command in (
        "serve", "settings", "doctor", "db upgrade", "db copy", "open", "sessions list", "sessions end",
        "token", "token revoke", "env add", "env list", "env show", "env check",
        "env edit", "env refused-calls", "env remove", "account add", "account list", "account remove",
        "share create", "share list", "share show", "share pause", "share deactivate", "share remove", "share edit",
        "share extend", "share resume", "share unlock", "share rotate", "share why", "share history",
        "visitors list", "visitors end",
    ):  # fmt: skip
        assert re.search(rf"^#+ `guestpass {command}`$", text, re.MULTILINE), command


def test_the_pages_name_no_place_of_the_machine_that_made_them() -> None:
    assert str(Path.home()) + "/" not in page("settings.md") + page("cli.md")
