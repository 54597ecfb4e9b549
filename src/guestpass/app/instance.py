"""Facts that a server stores about itself, for commands that run beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guestpass.domain.errors import GuestpassError


class AnotherKey(GuestpassError):
    """SECRET_KEY is not the one that the database was made with."""

    def __init__(self, known: str, ours: str) -> None:
        super().__init__(
            "SECRET_KEY is not the one that this database was made with "
            f"(fingerprint {known[:8]}, and this one's is {ours[:8]}): no link in it could be opened. "
            "Set GUESTPASS_SECRET_KEY to that key, or put its file secret_key back into DATA_DIR."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The server's public addresses and the fingerprint of its SECRET_KEY; None where not stored yet."""

    public_url: str | None = None
    admin_url: str | None = None
    link_domain: str | None = None
    key_fingerprint: str | None = None

    @classmethod
    def from_facts(cls, facts: Mapping[str, str]) -> Instance:
        """From what the database holds; facts that we don't know are another version's."""
        return cls(
            public_url=facts.get("public_url"),
            admin_url=facts.get("admin_url"),
            link_domain=facts.get("link_domain"),
            key_fingerprint=facts.get("key_fingerprint"),
        )

    def facts(self) -> dict[str, str | None]:
        """As the database holds it; None forgets a fact."""
        return {
            "public_url": self.public_url,
            "admin_url": self.admin_url,
            "link_domain": self.link_domain,
            "key_fingerprint": self.key_fingerprint,
        }

    def require_key(self, fingerprint: str) -> None:
        """Raise AnotherKey unless the database is new or was made with the key of this fingerprint."""
        if self.key_fingerprint is not None and self.key_fingerprint != fingerprint:
            raise AnotherKey(self.key_fingerprint, fingerprint)
