"""Which text people can read as it is written."""

from __future__ import annotations

import pytest

from guestpass.domain.text import check_readable


@pytest.mark.parametrize(
    "text",
    ["", " ", "For the accountant", "Größe 10 €", "עברית", "日本語", "👩‍👩‍👧 family", "नमस्ते", "e\u0301"],
)
def test_what_people_write_can_be_read(text: str) -> None:
    check_readable(text)


@pytest.mark.parametrize("text", ["\x00", "two\nlines", "\x1b[2J", "a\x85b", "\x9b2J", "a\u2028b", "a\u2029b"])
def test_a_line_holds_no_control_character(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must not hold control characters$"):
        check_readable(text)


def test_lines_may_be_broken_and_indented() -> None:
    check_readable("two\n\tlines", lines=True)
    for text in ("\x0b", "\r", "\x85", "\u2028"):
        with pytest.raises(ValueError, match="but for line breaks and tabs"):
            check_readable(text, lines=True)


@pytest.mark.parametrize(
    "control", ["\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
)
def test_nothing_turns_the_direction_round(control: str) -> None:
    with pytest.raises(ValueError, match="direction"):
        check_readable(f"invoice{control}fdp.exe")


@pytest.mark.parametrize("text", ["\u200b", "\u2060 \ufeff", "\u3164", "\u2800\u2800", "\u00ad", "\u034f", "\ufe0f"])
def test_something_is_to_be_seen(text: str) -> None:
    with pytest.raises(ValueError, match="can be seen"):
        check_readable(text)
