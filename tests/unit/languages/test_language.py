from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from guestpass.languages.language import LANGUAGES, language_for

NARROW = "\u202f"


@pytest.mark.parametrize(
    ("accepted", "date", "time"),
    [
        ("en-GB", "March 4, 2026", "3:06 PM UTC"),
        ("es-MX", "4 de marzo de 2026", "15:06 UTC"),
        ("fr-CA", "4 mars 2026", "15:06 UTC"),
        ("de", "4. März 2026", "15:06 UTC"),
        ("pt-PT", "4 de março de 2026", "15:06 UTC"),
    ],
)
def test_times_are_written_as_readers_write_them_and_name_their_zone(accepted: str, date: str, time: str) -> None:
    language = language_for(accepted)
    there = datetime(2026, 3, 4, 15, 6, 7, tzinfo=UTC).astimezone(timezone(timedelta(hours=13)))

    assert language.date(there) == date
    assert language.time(there).replace("\u00a0", " ") == time
    assert NARROW not in language.time(there)


def test_numbers_too() -> None:
    assert language_for("").number(1.5) == "1.5"
    assert language_for("de").number(1.5) == "1,5"
    assert language_for("de").number(256.0) == "256"


def test_what_nobody_marked_stays_as_it_is() -> None:
    for tag in LANGUAGES:
        language = language_for(tag)
        assert language.translate("Back at {five}, said the owner.") == "Back at {five}, said the owner."
        assert language.translate("") == "", "an empty text is no question for the catalogue's own head"
    assert not language_for("fr").knows("The path holds a backslash.")
    assert language_for("en").knows("The path holds a backslash.")
    assert language_for("fr").knows("Password")


def test_a_language_is_read_once() -> None:
    assert language_for("de-AT") is language_for("de;q=0.5")
