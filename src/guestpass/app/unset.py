"""The value of what a change leaves alone."""

from __future__ import annotations

from typing import Final, final


@final
class Unset:
    """The type of UNSET."""


UNSET: Final = Unset()
