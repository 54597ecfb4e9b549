"""What a person types on the command line names one thing, or nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from guestpass.cli.lookup import find_visitor
from guestpass.cli.session import Stopped

LINK = cast("Any", SimpleNamespace(id="ga5t3mthd75v7b3p", environment_id="staging"))
VISITORS = [SimpleNamespace(number=1, id="2abc"), SimpleNamespace(number=3, id="def2")]


class _Backend:
    async def visitors(self, *_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(visitors=VISITORS, next_cursor=None)


async def _found(text: str) -> int:
    return (await find_visitor(cast("Any", _Backend()), LINK, text)).number


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("#3", 3), ("2abc", 1), ("2a", 1), ("d", 3)])
async def test_a_visitor_is_found_by_number_id_or_prefix(text: str, number: int) -> None:
    assert await _found(text) == number


@pytest.mark.parametrize("text", ["2", "#2", "", "x"])
async def test_a_number_that_nobody_has_is_nobody_although_an_id_begins_with_it(text: str) -> None:
    with pytest.raises(Stopped, match="no visitor"):
        await _found(text)
