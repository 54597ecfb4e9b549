"""What Odoo's answers say to browsers and crawlers, as far as it must be put right on the way to a visitor."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from guestpass.odoo.http.blocked_paths import is_path
from guestpass.wire.heads import Field

ROBOTS_BODY: Final = b"User-agent: *\nDisallow: /\n"
"""The robots.txt (RFC 9309) of whatever is shared: nothing is to be indexed. Odoo's own would name its sitemap."""
ROBOTS_FIELDS: Final = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("X-Content-Type-Options", "nosniff"),
)

_PAGE_FIELDS: Final[tuple[Field, ...]] = (
    # Odoo says nothing about its pages, so Back would show them after the link's end.
    (b"cache-control", b"Cache-Control", b"no-store"),
    (b"x-robots-tag", b"X-Robots-Tag", b"noindex, nofollow"),
    # Other sites must not learn the link's host; Odoo's own forms still send their Origin.
    (b"referrer-policy", b"Referrer-Policy", b"same-origin"),
)
_PAGE_DROPS: Final = frozenset({b"cache-control", b"expires", b"pragma", b"x-robots-tag", b"referrer-policy"})
_BINDING: Final = frozenset(
    {
        b"secure-session-challenge",
        b"secure-session-registration",
        b"sec-session-challenge",
        b"sec-session-registration",
    }
)
"""Fields that would make a browser register a key for its session (Device Bound Session Credentials)."""
_PAGE_TYPES: Final = (b"text/html", b"application/xhtml+xml")
HIDES_FILE: Final = frozenset({b"x-accel-redirect", b"x-sendfile"})
"""Fields for a web server between Odoo and us, with a path on its disk."""


@lru_cache(maxsize=256)
def asks_for_robots(path: bytes) -> bool:
    """Whether a request's path is ``/robots.txt``, which is ours to answer."""
    return is_path(path, b"/robots.txt")


def is_page(fields: list[Field]) -> bool:
    """Whether an answer is HTML."""
    for lower, _, value in fields:
        if lower == b"content-type" and value.partition(b";")[0].strip().lower() in _PAGE_TYPES:
            return True
    return False


def tidied(fields: list[Field]) -> list[Field]:
    """An answer's fields for a visitor.

    HTML is neither kept nor indexed and tells no other site where it was read; what Odoo says about framing stays.
    Of doubled Date fields the first is left. No key of a browser's is bound to a session of Odoo.
    """
    page = is_page(fields)
    dated = False
    kept: list[Field] = []
    for field in fields:
        lower = field[0]
        if (page and lower in _PAGE_DROPS) or (dated and lower == b"date") or lower in _BINDING:
            continue
        if lower == b"set-cookie" and field[2].lower().startswith(b"dbsc="):
            continue
        dated = dated or lower == b"date"
        kept.append(field)
    if page:
        kept.extend(_PAGE_FIELDS)
    return kept


def is_hollow(fields: list[Field], content_length: int | None) -> bool:
    """Whether an answer stands for a file that a web server between Odoo and us should have put in (``--x-sendfile``).

    Without a Content-Length the body has to be seen to be empty, too, before it is taken for that.
    """
    return not content_length and any(lower in HIDES_FILE for lower, _, _ in fields)
