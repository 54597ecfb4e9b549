"""The families of hostile requests."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import RequestFamily
from tests.hostile.requests import (
    chunks,
    codings,
    connection,
    expectations,
    fields,
    first_line,
    hosts,
    identity,
    lengths,
    targets,
    trailers,
    upgrades,
)

FAMILIES: Final[tuple[RequestFamily, ...]] = (
    first_line.FAMILY,
    targets.FAMILY,
    hosts.FAMILY,
    fields.FAMILY,
    lengths.FAMILY,
    codings.FAMILY,
    chunks.FAMILY,
    trailers.FAMILY,
    connection.FAMILY,
    upgrades.FAMILY,
    expectations.FAMILY,
    identity.FAMILY,
)
