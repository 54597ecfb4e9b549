"""Secrets: made, hashed, sealed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class PasswordHasher(Protocol):
    """Slow hashes of passwords, few at a time; none of the calls blocks the event loop.

    Turns are shared out fairly. Waiting for one raises TooManyWaiting where too many do.
    """

    async def hash(self, password: str, org: str) -> str:
        """An encoded hash that `verify` understands, for this organisation, once it has its turn."""
        ...

    def turn(self, link_id: str, address: str) -> AbstractAsyncContextManager[None]:
        """Wait until `verify` can begin at once, for a visitor of this link at this address."""
        ...

    async def verify(self, encoded: str, password: str) -> bool:
        """Whether `password` is the one that was hashed; call it within a turn."""
        ...


class TokenVault(Protocol):
    """Share tokens: made, recognised by a keyed hash, and kept encrypted so that an owner can see the URL again."""

    def new(self) -> str:
        """A fresh token of 256 bits."""
        ...

    def is_well_formed(self, token: str) -> bool:
        """Whether `token` has our form and a right checksum: what fails here was mistyped or guessed."""
        ...

    def hash(self, token: str) -> bytes:
        """The keyed hash (32 bytes) by which the token is looked up."""
        ...

    def seal(self, token: str, link_id: str) -> bytes:
        """The token encrypted and bound to its link."""
        ...

    def open(self, sealed: bytes, link_id: str) -> str:
        """The reverse of `seal`; raises ValueError when the key or the link is another."""
        ...


class Sealer(Protocol):
    """Keeps secrets that we must be able to read again; `context` says what a secret is for and whose it is."""

    def seal(self, text: str, context: str) -> bytes:
        """The text encrypted and bound to its context."""
        ...

    def open(self, sealed: bytes, context: str) -> str:
        """The reverse of `seal`; raises ValueError when the key or the context is another."""
        ...


class SessionTokens(Protocol):
    """Secrets of the dashboard: made, and recognised by a keyed hash."""

    def new(self) -> str:
        """A fresh token of 256 bits, in characters that a URL and a cookie can hold."""
        ...

    def hash(self, token: str) -> bytes:
        """The keyed hash (32 bytes) by which the token is looked up."""
        ...
