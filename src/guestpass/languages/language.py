"""Translate texts with gettext catalogues, and format times and numbers by Unicode's CLDR.

The catalogues are read as translators write them (.po), when somebody first needs one, so nothing has to be compiled.
"""

from __future__ import annotations

import gettext
import io
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Final

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from guestpass.languages.preference import LONGEST_FIELD, choose

LANGUAGES: Final = ("en", "es", "fr", "de", "pt")
"""Tags (RFC 5646); the first is the one that texts are written in."""


class Language:
    """One language. `tag` is for `lang` attributes and Content-Language."""

    __slots__ = ("_locale", "_translations", "tag")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._locale = Locale(tag)
        self._translations = _translations(tag)

    def translate(self, text: str, **values: object) -> str:
        """Translate a text and fill in its `{fields}`; unchanged where it is not in the catalogue."""
        translated = self._translations.gettext(text) if text else ""
        return translated.format(**values) if values else translated

    def translate_count(self, one: str, many: str, count: int, **values: object) -> str:
        """Translate the plural form for `count`, which fills `{count}`."""
        return self._translations.ngettext(one, many, count).format(count=count, **values)

    def knows(self, text: str) -> bool:
        """Whether `translate` would give the text in this language."""
        return self.tag == LANGUAGES[0] or self._translations.gettext(text) != text

    def date(self, moment: datetime) -> str:
        """The day in UTC, as it is written in a sentence."""
        return format_date(moment.astimezone(UTC), "long", locale=self._locale)

    def time(self, moment: datetime) -> str:
        """The time of day in UTC, to the minute and with the zone's name."""
        # CLDR separates AM and PM by a narrow space that many fonts lack.
        shown = format_time(moment.astimezone(UTC), "short", locale=self._locale).replace("\u202f", "\u00a0")
        return f"{shown}\u00a0UTC"

    def number(self, value: float) -> str:
        """The number with two digits after the point at most."""
        return format_decimal(value, "0.##", locale=self._locale)


def language_for(accepted: str) -> Language:
    """The language that suits a request's Accept-Language field; an empty one is English.

    So is one whose catalogue can't be opened at the moment: people are told in English rather than not at all.
    """
    try:
        return _language(_chosen(accepted[:LONGEST_FIELD]))
    except OSError:
        return _language(LANGUAGES[0])


def load_languages() -> None:
    """Read all catalogues now; afterwards no file is needed."""
    for tag in LANGUAGES:
        _language(tag)


@lru_cache(maxsize=256)
def _chosen(accepted: str) -> str:
    return choose(accepted, LANGUAGES)


@lru_cache
def _language(tag: str) -> Language:
    return Language(tag)


def _translations(tag: str) -> gettext.NullTranslations:
    if tag == LANGUAGES[0]:
        return gettext.NullTranslations()
    with resources.files("guestpass.languages").joinpath(f"locale/{tag}.po").open("rb") as file:
        catalogue = read_po(file, locale=tag)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
