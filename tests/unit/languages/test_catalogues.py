"""Every text in every language: what must not be left out, and what only a program would notice."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from string import Formatter

import pytest
from babel.core import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from guestpass.languages.language import LANGUAGES, language_for

ROOT = Path(__file__).parents[3]
LOCALE = ROOT / "src/guestpass/languages/locale"
TRANSLATED = LANGUAGES[1:]

Id = str | tuple[str, ...]


def said() -> set[Id]:
    """What the code marks as something that people read."""
    [mapping] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    found = extract_from_dir(
        ROOT / "src",
        method_map=[(mapping["pattern"], mapping["method"])],
        keywords={"mark": None, "translate": None, "translate_count": (1, 2), "mark_count": (1, 2)},
    )
    return {message for _, _, message, _, _ in found}


def catalogue(tag: str) -> Catalog:
    with (LOCALE / f"{tag}.po").open("rb") as file:
        return read_po(file, locale=tag, abort_invalid=True)


def forms(text: object) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text) if isinstance(text, Iterable) else ()


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_there_are_no_other_catalogues_than_for_the_languages_that_are_offered() -> None:
    assert {file.stem for file in LOCALE.iterdir()} == set(TRANSLATED)
    assert LANGUAGES == ("en", "es", "fr", "de", "pt")


@pytest.mark.parametrize("tag", TRANSLATED)
def test_every_text_is_translated_and_nothing_else(tag: str) -> None:
    """`make texts` brings a catalogue in line; what is empty or fuzzy then is for the translator."""
    entries = {entry.id: entry for entry in catalogue(tag) if entry.id}
    wanted = said()
    assert len(wanted) > 100

    assert wanted - set(entries) == set(), "not in the catalogue"
    assert set(entries) - wanted == set(), "said nowhere"
    assert [entry.id for entry in entries.values() if not all(forms(entry.string))] == []
    assert [entry.id for entry in entries.values() if entry.fuzzy] == []


@pytest.mark.parametrize("tag", TRANSLATED)
def test_a_translation_has_the_places_and_the_end_of_its_text(tag: str) -> None:
    read = catalogue(tag)
    for entry in read:
        if not entry.id:
            continue
        originals, translations = forms(entry.id), forms(entry.string)
        assert len(translations) == (1 if isinstance(entry.id, str) else read.num_plurals)
        # A language with more than two forms would need the places of the last one for those behind it.
        for original, translation in zip(originals, translations, strict=True):
            assert places(translation) == places(original), translation
            assert translation == translation.strip()
            for mark in ".?:":
                assert translation.endswith(mark) == originals[-1].endswith(mark), translation


@pytest.mark.parametrize("tag", TRANSLATED)
def test_a_catalogue_counts_as_its_language_does(tag: str) -> None:
    read = catalogue(tag)
    assert read.locale == Locale(tag)
    assert "nplurals=2" in read.plural_forms


@pytest.mark.parametrize(
    ("accepted", "one", "many"),
    [
        ("", "expires in 1 minute.", "expires in 5 minutes."),
        ("de-CH", "in 1 Minute ab.", "in 5 Minuten ab."),
        ("es", "en 1 minuto.", "en 5 minutos."),
        ("fr", "dans 1 minute.", "dans 5 minutes."),
        ("pt-BR", "em 1 minuto.", "em 5 minutos."),
    ],
)
def test_things_are_counted(accepted: str, one: str, many: str) -> None:
    language = language_for(accepted)
    texts = (
        "This share link expires in {count} minute. Save what you are working on.",
        "This share link expires in {count} minutes. Save what you are working on.",
    )
    assert one in language.translate_count(*texts, 1)
    assert many in language.translate_count(*texts, 5)
