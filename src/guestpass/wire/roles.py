"""What connections, exchanges and the owners of requests need of each other, as Protocols.

A module that needs a role imports it from here instead of the class that plays it, so that imports form no circle.
"""

from __future__ import annotations

from typing import Protocol


class Cuttable(Protocol):
    """What is open through a link and ends with it; `visitor` is the identity in the pass."""

    @property
    def visitor(self) -> str | None:
        """Whose it is."""
        ...

    def cut(self) -> None:
        """End it at once; what was under way must not look complete."""
        ...


class Live(Protocol):
    """What is open through one link; a set of Cuttables is one."""

    def add(self, open_one: Cuttable, /) -> None:
        """It ends with the link from now on."""
        ...

    def discard(self, open_one: Cuttable, /) -> None:
        """It has ended by itself."""
        ...


class RequestOwner(Protocol):
    """What is known of a request besides its bytes: whose it is, what it counts for, and how its client is told."""

    @property
    def live(self) -> Live | None:
        """What is open through the request's link, None where it goes through none."""
        ...

    @property
    def visitor(self) -> str | None:
        """The identity in the pass."""
        ...

    def reason(self) -> str | None:
        """Why the request may not go on by what is known now, None where it may; asked after each wait."""
        ...

    def charge(self, requests: int, *, also_address: bool) -> bool:
        """Count work as so many requests of the link, and of the client's address; False where that is too much."""
        ...

    def refuse(self, reason: str, detail: str | None, *, close: bool, read: bool, request_id: str | None) -> None:
        """Answer that the request turned out to be wrong; `read` says that its body has been read."""
        ...

    def upstream_failed(self, reason: str, upstream: str, cause: str, *, close: bool) -> None:
        """Answer that the upstream did not answer as it should."""
        ...


class Serving(Protocol):
    """What a client's connection needs of whatever serves its present request."""

    @property
    def request_done(self) -> bool:
        """Whether the request's last byte has arrived."""
        ...

    @property
    def takes_bytes(self) -> bool:
        """Whether what the client sends next belongs to this: to the request's body, or to a tunnel."""
        ...

    @property
    def is_endless(self) -> bool:
        """Whether it has no end of its own that a shutdown could wait for."""
        ...

    def begin(self) -> None:
        """Start; the connection is ready."""
        ...

    def from_client(self, data: bytes, start: int) -> int:
        """Take bytes of the request's body or of the tunnel from `start` on, as many as one step may.

        Returns the offset of the first byte that was not taken.
        """
        ...

    def client_lost(self) -> None:
        """The client is gone."""
        ...

    def client_takes_no_more(self) -> None:
        """The client is slow: write nothing further."""
        ...

    def client_takes_more(self) -> None:
        """Write on."""
        ...

    def timed_out(self) -> None:
        """The deadline that was set has passed."""
        ...

    def cut(self) -> None:
        """End at once, so that nothing looks complete."""
        ...

    def go_away(self) -> None:
        """This worker ends, and so must what has no end of its own: in order, where that can be."""
        ...


class Receiver(Protocol):
    """What an upstream's connection needs of whatever it serves."""

    def from_upstream(self, data: bytes) -> None:
        """Take bytes of the response, or of the tunnel."""
        ...

    def upstream_lost(self, error: Exception | None) -> None:
        """The upstream has closed the connection, or it broke."""
        ...

    def hold_client(self) -> None:
        """The upstream takes no more: stop reading what the client sends."""
        ...

    def release_client(self) -> None:
        """The upstream takes more."""
        ...
