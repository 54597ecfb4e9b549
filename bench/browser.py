"""What browsers send: ten header fields and four cookies, from several visitors, for several kinds of things."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.upstream import PLACES

_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
_CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
_IMAGE = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
_KINDS = (
    # Sec-Fetch-Dest, Sec-Fetch-Mode, Accept
    ("document", "navigate", _PAGE),
    ("script", "no-cors", "*/*"),
    ("image", "no-cors", _IMAGE),
    ("empty", "cors", "application/json, text/javascript, */*; q=0.01"),
)
_PEOPLE = (
    # User-Agent, Accept-Language, the page that they are on
    (_FIREFOX, "de-CH,de;q=0.8,en-US;q=0.5,en;q=0.3", "/web?debug=0"),
    (_CHROME, "en-GB,en-US;q=0.9,en;q=0.8", "/odoo/contacts/42"),
)


@dataclass(frozen=True, slots=True)
class Jar:
    """The cookies that a browser holds for a proxy's origin, by name, in the order in which it sends them.

    `session` is the name under which the application's HttpOnly session cookie is held; its value differs
    from one visitor to the next. It is None where the browser holds none, since Guestpass keeps it.
    """

    cookies: dict[str, str]
    session: str | None

    def field(self, visitor: int = 0) -> str:
        """The Cookie field of one of the visitors."""
        held = dict(self.cookies)
        if self.session is not None:
            held[self.session] = f"{visitor:02x}{held[self.session][2:]}"
        return "; ".join(f"{name}={value}" for name, value in held.items())


Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One variant of what is asked for: a place in the upstream, and the header fields; Host is first, Cookie last.

    `visitor` is the position of the jar it was made with. A request that `is_new` gets a query that was never asked
    for before, as an application's pictures do, so that no cache of whole heads can know it.
    """

    visitor: int
    place: int
    is_new: bool
    fields: Fields


def browser_requests(origin: str, jars: Sequence[Jar]) -> list[Request]:
    """What the visitors ask for, one after the other, in an order that looks like chance and is always the same."""
    requests: list[Request] = []
    for visitor, jar in enumerate(jars):
        agent, language, page = _PEOPLE[visitor % len(_PEOPLE)]
        for kind, (destination, mode, accept) in enumerate(_KINDS):
            fields = (
                ("Host", origin.removeprefix("http://")),
                ("User-Agent", agent),
                ("Accept", accept),
                ("Accept-Language", language),
                ("Accept-Encoding", "gzip, deflate, br, zstd"),
                ("Referer", origin + page),
                ("Sec-Fetch-Dest", destination),
                ("Sec-Fetch-Mode", mode),
                ("Sec-Fetch-Site", "same-origin"),
                ("Cookie", jar.field(visitor)),
            )
            places = range(kind, PLACES, len(_KINDS))
            requests += [Request(visitor, place, destination == "image", fields) for place in places]
    random.Random(1).shuffle(requests)
    return requests
