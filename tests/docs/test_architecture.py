"""The page on how it works tells the truth: its files are there, and a request crosses them in that order."""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import get_args

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.playbook import playing, request

from guestpass.domain.environment import Kind
from guestpass.gateway.decisions import Decision

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "guestpass"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DIAGRAMS = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FILES = sorted(set(re.findall(r"\b(?:[a-z_]+/)*[a-z_]+\.py\b", PAGE)))
FOLDERS = sorted(set(re.findall(r"`((?:[a-z_]+/)+)`", PAGE)))
GET = request(b"GET /web HTTP/1.1", b"Accept-Encoding: gzip")
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000


def files_of(diagram: str) -> list[str]:
    """The files of a diagram, each where it is met first."""
    return list(dict.fromkeys(re.findall(r"^ +([a-z_/]+\.py)", diagram, re.MULTILINE)))


async def crossed(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that a warm request to such an environment and its response cross, each where it is met first."""
    monkeypatch.setattr(playbook, "_ENVIRONMENT", replace(playbook._ENVIRONMENT, kind=kind, body_limit=100_000))
    met: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (name := frame.f_code.co_filename).startswith(str(SOURCE)):
            met[Path(name).relative_to(SOURCE).as_posix()] = None

    async with playing() as book:
        for profile in (None, note):
            await _one_request(book, profile)
        assert len(book.upstreams) == 1, "the second request found the connection of the first"
    return list(met)


async def _one_request(book: playbook.Playbook, profile: Callable[[FrameType, str, object], None] | None) -> None:
    sys.setprofile(profile)
    try:
        book.client.deliver(GET)
        await book.settle()
        book.upstreams[0].deliver(RESPONSE)
        async with asyncio.timeout(60):
            while b"\r\n\r\n" not in book.client.written:
                await book.settle()
        await book.settle()
    finally:
        sys.setprofile(None)
    assert book.client.take().startswith(b"HTTP/1.1 200 ")


def test_a_request_crosses_the_files_of_the_diagram_in_that_order(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = files_of(DIAGRAMS[0])
    assert len(drawn) > 20
    met = asyncio.run(crossed(Kind.WEB, monkeypatch))
    assert [name for name in met if name in drawn] == drawn


def test_a_request_to_an_odoo_crosses_the_stages_in_that_order(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = files_of(DIAGRAMS[1])
    assert len(drawn) > 8
    met = asyncio.run(crossed(Kind.ODOO, monkeypatch))
    assert [name for name in met if name in drawn] == drawn


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_what_the_page_names_is_there(name: str) -> None:
    assert (SOURCE / name).exists()


def test_each_decision_is_explained() -> None:
    told = re.findall(r"^\| `([A-Z]\w+)` \|", PAGE, re.MULTILINE)
    assert told == [each.__name__ for each in get_args(Decision)]
    assert "one of seven" in " ".join(PAGE.split())
    assert len(told) == 7


def test_the_database_is_imported_by_those_alone_that_the_page_names() -> None:
    allowed = {"wiring.py", "gateway_wiring.py", "worker.py", "serve.py", "worker_process.py"}
    assert {f"`{name}`" for name in allowed} <= set(re.findall(r"`[^`\n]*`", PAGE))
    for file in SOURCE.rglob("*.py"):
        name = file.relative_to(SOURCE).as_posix()
        if name in allowed or name.startswith(("cli/", "storage/")):
            continue
        imported = [
            each.module or ""
            for each in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(each, ast.ImportFrom)
        ]
        wrong = [each for each in imported if each.startswith("guestpass.storage") and not each.endswith(".outages")]
        assert wrong == [], name
