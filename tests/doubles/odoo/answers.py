"""Answers in the shapes that Werkzeug and Odoo give them: the order of their fields is part of the shape."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from typing import Any
from urllib.parse import quote_plus

from tests.doubles.odoo import bodies

Fields = list[tuple[str, str]]
HTML = "text/html; charset=utf-8"
# An envelope member this long fits at the least; shorter gaps are filled with white space.
_FILLER_FRAME = len(', "filler": ""')


@dataclass
class Answer:
    """What a handler gives back.

    `fields` come before the session's cookie, `late` after the fields that Odoo adds to everything; `body` is whole.
    A page's length is known last (`page`), and not at all where it is `close_delimited`.
    """

    status: int
    fields: Fields = field(default_factory=list)
    body: bytes = b""
    late: Fields = field(default_factory=list)
    cookies: Fields = field(default_factory=list)
    page: bool = False
    close_delimited: bool = False
    streamed: bool = False
    repeat_cookies: int = 1

    def field(self, name: str) -> str | None:
        """The first field of that name."""
        return next((value for key, value in self.fields + self.late if key.lower() == name.lower()), None)


class Refusal(Exception):
    """An HTTP error that ends a handler."""

    def __init__(self, status: int, description: str = "") -> None:
        super().__init__(description)
        self.status = status
        self.description = description


def page(body: str, *, fields: Iterable[tuple[str, str]] = (), status: int = 200) -> Answer:
    """A rendered page: its length comes last."""
    return Answer(status, [("Content-Type", HTML), *fields], body.encode(), page=True)


def sized_page(body: str, size: int, compressed: int, seed: str) -> str:
    """The page with a comment that brings it to `size` bytes and about `compressed` under gzip-6."""
    gap = size - len(body.encode()) - len("<!-- -->")
    if gap < 0:
        raise ValueError(f"the page is {-gap} bytes longer than was measured")
    filler = bodies.text(gap, bodies.left_for_filler(compressed, body.encode()), seed)
    return body.replace("</body>", f"<!-- {filler}--></body>", 1)


def redirect(location: str, *, status: int = 303) -> Answer:
    """Werkzeug's redirect, body included."""
    shown = html.escape(location)
    body = (
        f"<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n"
        "<p>You should be redirected automatically to the target URL: "
        f'<a href="{shown}">{shown}</a>. If not, click the link.\n'
    ).encode()
    return Answer(status, [("Content-Type", HTML), ("Content-Length", str(len(body))), ("Location", location)], body)


def quoted(path: str) -> str:
    """A path with its query as the value of a query of another."""
    return quote_plus(path)


def problem(status: int, name: str, description: str) -> Answer:
    """Werkzeug's own error page."""
    body = (
        f"<!doctype html>\n<html lang=en>\n<title>{status} {name}</title>\n<h1>{name}</h1>\n<p>{description}</p>\n"
    ).encode()
    return Answer(status, [("Content-Type", HTML), ("Content-Length", str(len(body)))], body)


def json_answer(value: Any, *, fields: Iterable[tuple[str, str]] = (), status: int = 200) -> Answer:
    """JSON as `make_json_response` sends it."""
    return json_bytes(json.dumps(value).encode(), fields=fields, status=status)


def json_bytes(body: bytes, *, fields: Iterable[tuple[str, str]] = (), status: int = 200) -> Answer:
    """The same, written already."""
    kind = ("Content-Type", "application/json; charset=utf-8")
    return Answer(status, [*fields, ("Content-Length", str(len(body))), kind], body)


def lengthened(envelope: dict[str, Any], size: int, compressed: int, seed: str) -> bytes:
    """The JSON object with a member `filler` that brings it to `size` bytes; as it is where it is longer already."""
    plain = json.dumps(envelope).encode()
    gap = size - len(plain)
    if gap <= 0:
        return plain
    if gap <= _FILLER_FRAME:
        return plain[:-1] + b" " * gap + b"}"
    room = gap - _FILLER_FRAME
    filler = bodies.text(room, bodies.left_for_filler(compressed, plain), seed)
    return json.dumps({**envelope, "filler": filler}).encode()


@dataclass(frozen=True)
class Stored:
    """A file, an attachment, a bundle or an image, with what its answer says about it."""

    body: bytes
    content_type: str
    disposition: str
    etag: str
    cache_control: str
    modified: float = 1795502067.0
    filestore: str | None = None  # where a web server in front would find it


def stream(stored: Stored, conditions: dict[str, str], method: str, *, x_sendfile: bool = False) -> Answer:
    """What `send_file` makes of it: 200, 206, 304 or 416, with a Date of its own beside the server's."""
    lifetime = _lifetime(stored.cache_control)
    expires = [("Expires", formatdate(time.time() + lifetime, usegmt=True))] if lifetime else []
    modified = formatdate(stored.modified, usegmt=True)
    validators = [
        ("Last-Modified", modified),
        ("Cache-Control", stored.cache_control),
        *expires,
        ("ETag", stored.etag),
        ("Date", formatdate(usegmt=True)),
    ]
    disposition = ("Content-Disposition", stored.disposition)
    kind = ("Content-Type", stored.content_type)
    safe = method in {"GET", "HEAD"}
    part = _range(conditions, stored, modified) if safe and not x_sendfile else None
    if part is not None:
        start, end = part
        total = len(stored.body)
        if start >= end:
            answer = problem(416, "Requested Range Not Satisfiable", "The server cannot provide the requested range.")
            answer.fields.append(("Content-Range", f"bytes */{total}"))
            return answer
        head = [disposition, kind, ("Content-Length", str(end - start)), *validators]
        head += [("Accept-Ranges", "bytes"), ("Content-Range", f"bytes {start}-{end - 1}/{total}")]
        return Answer(206, head, stored.body[start:end], streamed=True)
    sent_elsewhere = []
    if x_sendfile and stored.filestore:
        sent_elsewhere = [("X-Sendfile", stored.filestore), ("X-Accel-Redirect", stored.filestore)]
    if safe and _unchanged(conditions, stored.etag, modified):
        # Werkzeug takes the entity's own fields off a 304.
        kept = [each for each in validators if each[0] != "Last-Modified"]
        return Answer(304, [disposition, *kept, *sent_elsewhere])
    if sent_elsewhere:
        return Answer(200, [disposition, kind, ("Content-Length", "0"), *validators, *sent_elsewhere])
    length = ("Content-Length", str(len(stored.body)))
    return Answer(200, [disposition, kind, length, *validators], stored.body, streamed=True)


def _lifetime(cache_control: str) -> int:
    for part in cache_control.split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age":
            return int(value)
    return 0


def _unchanged(conditions: dict[str, str], etag: str, modified: str) -> bool:
    wanted = conditions.get("if-none-match")
    if wanted is not None:
        tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
        return "*" in tags or etag in tags
    since = conditions.get("if-modified-since")
    if since is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except ValueError:
        return False


def _range(conditions: dict[str, str], stored: Stored, modified: str) -> tuple[int, int] | None:
    """The one range asked for as (first, end); an empty one where it can't be satisfied, None where none counts."""
    wanted = conditions.get("range")
    if wanted is None:
        return None
    still = conditions.get("if-range")
    if still is not None and still.strip() not in {stored.etag, modified}:
        return None
    unit, _, spec = wanted.partition("=")
    first, dash, last = spec.strip().partition("-")
    total = len(stored.body)
    if unit.strip().lower() != "bytes" or not dash or "," in spec:
        return (0, 0)
    try:
        if not first:
            return (max(0, total - int(last)), total)
        return (int(first), min(total, int(last) + 1) if last else total)
    except ValueError:
        return (0, 0)
