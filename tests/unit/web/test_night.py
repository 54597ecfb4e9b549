"""Pages by night: other colours and nothing else, which is why only what depends on colours is looked at again."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

SHEETS = ("static/dashboard.css", "visitor/templates/style.css", "api/templates/docs.css")


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_night_has_other_colours_and_is_the_same_for_all_else(sheet: str) -> None:
    css = files("guestpass.web").joinpath(sheet).read_text()
    nights = re.findall(r"prefers-color-scheme: dark\) \{\s*:root \{([^{}]*)\}\s*\}", css)
    assert len(nights) == css.count("prefers-color-scheme") == 1
    for declaration in filter(None, map(str.strip, nights[0].split(";"))):
        assert re.fullmatch(r"--shadow(-high)?: .*|--[a-z-]+: #[0-9a-f]{6}", declaration), declaration
