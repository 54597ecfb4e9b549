"""The families of hostile answers."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import ResponseFamily
from tests.hostile.responses import bodiless, chunks, early, fields, framing, heads, interim, unasked

FAMILIES: Final[tuple[ResponseFamily, ...]] = (
    heads.FAMILY,
    framing.FAMILY,
    chunks.FAMILY,
    bodiless.FAMILY,
    unasked.FAMILY,
    interim.FAMILY,
    interim.UPGRADES,
    early.FAMILY,
    fields.FAMILY,
)
