"""Who may use the API, and for what."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from guestpass.domain.environment import DEFAULT_ORG
from guestpass.domain.errors import Forbidden


class Scope(StrEnum):
    """What a bearer token may be used for."""

    SHARES_READ = "shares:read"
    SHARES_WRITE = "shares:write"
    ENVIRONMENTS_READ = "environments:read"
    ENVIRONMENTS_WRITE = "environments:write"


ALL_SCOPES: frozenset[Scope] = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated owner: subject (recorded in what they change), organisation and scopes."""

    sub: str
    org: str = DEFAULT_ORG
    scopes: Set[Scope] = ALL_SCOPES

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the principal holds `scope`."""
        if scope not in self.scopes:
            raise Forbidden(scope)
