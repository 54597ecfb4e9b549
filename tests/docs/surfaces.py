"""What people read of the product, by where they read it; code, names of fields and of options are left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import typer
from babel.messages.pofile import read_po
from tests.docs.calls import openapi_document
from typer.core import TyperGroup

from guestpass.cli.application import app

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "guestpass"
# What was said of a release stays as it was said; the rest is made from the code, whose texts are looked at themselves.
_LEFT_OUT = {"CHANGELOG.md", "docs/glossary.md", "docs/reference/cli.md", "docs/reference/calls.md"}
_SAID_IN = {"API": ("web/api", "web/visitor"), "CLI": ("cli",), "dashboard": ("web/dashboard",)}
# What use cases and rules say is shown by all three.
_SAID_BY_ALL = ("app", "domain", "odoo", "outbound", "settings")


@cache
def surfaces() -> Mapping[str, Mapping[str, str]]:
    """For API, dashboard, CLI, visitors and docs: the texts by where each stands."""
    return {
        "API": dict(_api()) | dict(_said_in("API")),
        "dashboard": dict(_templates()) | dict(_said_in("dashboard")),
        "CLI": dict(_commands()) | dict(_said_in("CLI")),
        "visitors": dict(_source("web/texts.py")) | dict(_translated()),
        "docs": dict(_documents()),
        "all": {file: text for folder in _SAID_BY_ALL for file, text in _source(folder)},
    }


def prose(text: str) -> str:
    """The text in one line, without code and without targets of links."""
    text = re.sub(r"^```.*?^```", " ", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]+`", " ` ", text)
    text = re.sub(r"\]\([^)\s]*\)", "]", text)
    return " ".join(re.sub(r"<[a-z/!][^>]*>", " ", text).split())


def _documents() -> Iterator[tuple[str, str]]:
    for document in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        name = document.relative_to(ROOT).as_posix()
        if name not in _LEFT_OUT:
            yield name, prose(document.read_text(encoding="utf-8"))


def _api() -> Iterator[tuple[str, str]]:
    yield "OpenAPI", prose("\n".join(_described(openapi_document())))


def _described(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("summary", "description") and isinstance(value, str):
                yield value
            else:
                yield from _described(value)
    elif isinstance(node, list):
        for each in node:
            yield from _described(each)


def _commands() -> Iterator[tuple[str, str]]:
    def below(command: Any, name: str) -> Iterator[tuple[str, str]]:
        helps = [command.help or "", *(getattr(each, "help", None) or "" for each in command.params)]
        yield name, prose("\n".join(helps))
        if isinstance(command, TyperGroup):
            for each in command.commands.values():
                yield from below(each, f"{name} {each.name}")

    yield from below(typer.main.get_command(app), "guestpass")


def _templates() -> Iterator[tuple[str, str]]:
    for template in sorted((SOURCE / "web" / "templates").rglob("*.html")):
        text = re.sub(r"{#.*?#}", " ", template.read_text(encoding="utf-8"), flags=re.DOTALL)
        expressions = " ".join(re.findall(r"{[{%].*?[}%]}", text, flags=re.DOTALL))
        # A text has a blank or begins with a capital letter; what has neither is the name of something.
        quoted = [each for each in re.findall(r'"([^"]*)"', expressions) if " " in each or each[:1].isupper()]
        text = re.sub(r"{[{%].*?[}%]}", " ", text, flags=re.DOTALL)
        labels = re.findall(r'(?:title|alt|aria-label|placeholder)="([^"]*)"', text)
        yield f"templates/{template.name}", prose("\n".join([text, *quoted, *labels]))


def _translated() -> Iterator[tuple[str, str]]:
    """What visitors read in their language, as it is in English."""
    with (SOURCE / "languages" / "locale" / "de.po").open("rb") as file:
        messages = [message.id for message in read_po(file) if message.id]
    yield "languages", prose("\n".join(each if isinstance(each, str) else "\n".join(each) for each in messages))


def _said_in(surface: str) -> Iterator[tuple[str, str]]:
    for folder in _SAID_IN[surface]:
        yield from _source(folder)


def _source(folder: str) -> Iterator[tuple[str, str]]:
    at = SOURCE / folder
    for file in sorted(at.rglob("*.py")) if at.is_dir() else [at]:
        yield file.relative_to(SOURCE).as_posix(), prose("\n".join(_strings(file)))


def _strings(file: str | Path) -> Iterator[str]:
    """The texts of a module that are more than a name, without docstrings of any kind."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    alone = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for each in ast.walk(tree):
        text = each.value if isinstance(each, ast.Constant) and id(each) not in alone else None
        if isinstance(text, str) and " " in text:
            yield text
