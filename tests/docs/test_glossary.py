"""One term for one thing: in the API, the dashboard, the CLI, visitors' pages and the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.surfaces import prose, surfaces

GLOSSARY = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the glossary: the term, how else it may be said, where it is met, and what it is not called."""

    terms: tuple[str, ...]
    where: tuple[str, ...]
    unwanted: tuple[str, ...]


def entries() -> list[Entry]:
    rows = re.findall(
        r"^\| (?!term \|)([^|]+) \|[^|]+\| ([^|]+) \| ([^|]+) \|$", GLOSSARY.read_text("utf-8"), re.MULTILINE
    )
    return [
        Entry(tuple(re.split(r", or |, ", terms)), tuple(where.split(", ")), tuple(unwanted.split(", ")))
        for terms, where, unwanted in rows
    ]


ENTRIES = entries()


def found(words: str, text: str) -> list[str]:
    """Where the words stand in the text, in any case, in the singular or the plural, with what is around them."""
    pattern = re.compile(rf"(?<![\w-]){re.escape(words)}(?:s|es)?(?![\w-])", re.IGNORECASE)
    return [text[max(0, each.start() - 50) : each.end() + 50] for each in pattern.finditer(text)]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.terms[0])
def test_nothing_is_called_by_another_word(entry: Entry) -> None:
    offenders = [
        f"{place}: say {entry.terms[0]!r}, not {words!r}: …{around}…"
        for texts in surfaces().values()
        for place, text in texts.items()
        for words in entry.unwanted
        for around in found(words, text)
    ]
    assert offenders == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.terms[0])
def test_a_term_is_used_where_the_glossary_says(entry: Entry) -> None:
    assert entry.where
    if entry.terms == ("people",):
        return
    for where in entry.where:
        texts = {**surfaces()[where], **({} if where in ("docs", "visitors") else surfaces()["all"])}
        stems = [re.sub(r"y$", "", term) for term in entry.terms]
        assert any(re.search(rf"\b{stem}", text, re.IGNORECASE) for stem in stems for text in texts.values()), where


def test_each_term_stands_once_and_none_is_unwanted() -> None:
    assert len(ENTRIES) > 50
    terms = [term for entry in ENTRIES for term in entry.terms]
    assert len(terms) == len(set(terms))
    assert {words for entry in ENTRIES for words in entry.unwanted}.isdisjoint(terms)


@pytest.mark.parametrize(
    ("words", "text", "times"),
    [
        ("door", "Its doors that don't end with a link.", 1),
        ("door", "indoors and a `door` in code", 0),
        ("looked at", "It was looked\nat again, `looked at`", 1),
        ("seat", "See [seats](seats.md): no Seat is free.\n```sh\nseat\n```\n", 2),
    ],
)
def test_words_are_found_in_prose_alone(words: str, text: str, times: int) -> None:
    assert len(found(words, prose(text))) == times
