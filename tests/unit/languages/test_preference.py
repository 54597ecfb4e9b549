from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.languages.preference import choose

AVAILABLE = ("en", "es", "fr", "de", "pt")


@pytest.mark.parametrize(
    ("field", "chosen"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-AT", "de"),
        ("de-Latn-AT-1901", "de"),
        ("zh-x-de, fr", "fr"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("en;q=0.2, es ; q=0.9", "es"),
        ("fr;q=0.5,de;q=0.5", "fr"),
        ("ja, ko;q=0.9", "en"),
        ("ja, de;q=0.1", "de"),
        ("*", "en"),
        ("en;q=0, *", "es"),
        ("*;q=0.1, fr;q=0.2", "fr"),
        ("de;q=0", "en"),
        ("de-CH, de;q=0", "en"),
        ("fr;q=1.000", "fr"),
        ("fr;q=2, es;q=0.1", "es"),
        ("fr;q=x, es;q=0.1", "es"),
        ("de_DE, es;q=0.1", "es"),
        (" , ;q=1, \tes\t", "es"),
        ("desert, es;q=0.1", "es"),
    ],
)
def test_the_language_that_a_reader_likes_best(field: str, chosen: str) -> None:
    assert choose(field, AVAILABLE) == chosen


def test_a_more_special_language_comes_before_its_parent() -> None:
    assert choose("pt-BR", ("en", "pt", "pt-br")) == "pt-br"
    assert choose("pt-PT", ("en", "pt", "pt-br")) == "pt"


@given(st.text(max_size=1000))
def test_whatever_is_sent_there_is_a_language(field: str) -> None:
    assert choose(field, AVAILABLE) in AVAILABLE
