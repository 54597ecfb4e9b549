"""Each decision record has the same parts, and links to others lead to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PARTS = ["Context", "Decision", "Alternatives", "Consequences"]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
MODULES = re.compile(r"`((?:app|gateway|odoo|outbound|storage|web|wire)/[\w/]*)(?:\.py)?`")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_says_why_what_what_else_and_what_follows(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    number = int(record.name[:4])
    assert re.match(rf"# {number}\. \S", text), f"begin with: # {number}. and a title"
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS
    for part in PARTS:
        below = text.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
        assert below.strip(), f"nothing below {part}"


def test_numbers_are_given_once() -> None:
    numbers = [record.name[:4] for record in RECORDS]
    assert len(numbers) >= 38
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_a_link_to_a_record_names_its_number(document: Path) -> None:
    """And leads to it, which the build of the site would say later."""
    text = document.read_text(encoding="utf-8")
    for number, target in re.findall(r"\[decision\s+(\d+)\]\((?:[^)]*/)?(\d{4}-[^)#]*)", text):
        assert (ROOT / "docs" / "decisions" / target).is_file()
        assert int(number) == int(target[:4])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_the_modules_that_a_record_names_exist(record: Path) -> None:
    for name in MODULES.findall(record.read_text(encoding="utf-8")):
        place = ROOT / "src" / "guestpass" / name
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
