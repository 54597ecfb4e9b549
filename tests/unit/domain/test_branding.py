from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.domain.branding import Contact, contrast, mix, read_contact, readable_on, text_on

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        # As WebAIM's contrast checker gives them.
        ("#ffffff", "#000000", 21),
        ("#777777", "#ffffff", 4.48),
        ("#0000ff", "#ffffff", 8.59),
        ("#ff0000", "#000000", 5.25),
        ("#123456", "#123456", 1),
    ],
)
def test_contrast_is_as_wcag_defines_it(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@given(colours)
def test_letters_on_any_colour_can_be_read(colour: str) -> None:
    assert text_on(colour) in {"#ffffff", "#000000"}
    assert contrast(text_on(colour), colour) >= 4.5


@given(colours, colours)
def test_any_colour_can_be_made_readable_on_any_ground(ground: str, colour: str) -> None:
    assert contrast(readable_on(ground, colour), ground) >= 4.5


def test_a_colour_is_changed_no_more_than_it_must() -> None:
    assert readable_on("#ffffff", "#0000ff") == "#0000ff"
    assert readable_on("#000000", "#ffd400") == "#ffd400"
    shade = readable_on("#ffffff", "#ffd400")
    assert contrast(shade, "#ffffff") < 4.8
    red, green, blue = (int(shade[place : place + 2], 16) for place in (1, 3, 5))
    assert red > green > blue, "still the colour that it was"


def test_colours_are_mixed() -> None:
    assert mix("#000000", "#ffffff", 0) == "#000000"
    assert mix("#000000", "#ffffff", 1) == "#ffffff"
    assert mix("#2040c0", "#40c020", 0.5) == "#308070"


@pytest.mark.parametrize(
    ("line", "contact"),
    [
        ("Ask Anna, room 12", Contact("Ask Anna, room 12", None)),
        ("mailto:help@example.com", Contact("help@example.com", "mailto:help@example.com")),
        ("tel:+49 (40) 123-45", Contact("+49 (40) 123-45", "tel:+494012345")),
        ("tel:112", Contact("112", "tel:112")),
        ("https://example.com", Contact("https://example.com", None)),
        ("javascript:alert(1)", Contact("javascript:alert(1)", None)),
        ("mailto:help@example.com?bcc=eve@example.org", None),
        ("mailto:help@example.com,eve@example.org", None),
        ("mailto:nobody", None),
        ("MAILTO:help@example.com", None),
        ("tel:anna", None),
        ("tel:", None),
    ],
)
def test_a_contact_line_leads_only_where_it_says(line: str, contact: Contact | None) -> None:
    assert read_contact(line) == contact
