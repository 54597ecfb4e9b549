"""Bundles and static files: bodies of the measured size that begin with our own client."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from tests.doubles.odoo import bodies, measured
from tests.doubles.odoo.answers import Stored
from tests.doubles.odoo.measured import Measured

_CLIENT = Path(__file__).with_name("client")
# The smallest pictures that a browser shows; what follows them is padding that decoders ignore.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAYAAADED76LAAAAJElEQVR4AdzKMQ0AAAwCwQZ7FdK5/gdwADuf/Hb4PboxoQ4gAAAA//9Os45+"
    "AAAABklEQVQDAIMgESFucwcVAAAAAElFTkSuQmCC"
)
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8"
    "ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAAR"
    "CAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAA"
    "AgP/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCQAlX/2Q=="
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
_FRAME = len("/*  */")
_MODULE = 4096
# The part of the client that stands at the beginning of each bundle and file.
_OWN = {
    "web.assets_web.min.js": "webclient.js",
    "web.assets_web.js": "webclient.js",
    "web.assets_web.min.css": "webclient.css",
    "web.assets_web.css": "webclient.css",
    "web.assets_frontend.min.css": "website.css",
    "web.assets_frontend_lazy.min.js": "website.js",
    "bus.websocket_worker_assets.min.js": "websocket_worker.js",
    "bus.websocket_worker_assets.js": "websocket_worker.js",
    "service-worker.js": "service_worker.js",
}


def client_source(name: str) -> str:
    """A file of our web client."""
    return (_CLIENT / name).read_text()


def commented(own: str, size: int, compressed: int, seed: str, frame: tuple[str, str] = ("/* ", " */")) -> bytes:
    """`own` with a comment after it that brings it to `size` bytes; raises ValueError where it is longer."""
    gap = size - len(own.encode()) - len(frame[0]) - len(frame[1])
    if gap < 0:
        raise ValueError(f"{seed} is {-gap} bytes longer than was measured")
    filler = bodies.text(gap, max(0, compressed - len(bodies.deflated(own.encode()))), seed)
    return f"{own}{frame[0]}{filler}{frame[1]}".encode()


@cache
def body(content_type: str, name: str, size: int, compressed: int, seed: str) -> bytes:
    """A file of that type and size; scripts and styles begin with our client where they have a part of it."""
    kind = content_type.partition(";")[0]
    if kind in {"application/javascript", "text/javascript", "text/css"} and size > _FRAME:
        own = client_source(_OWN[name]) if name in _OWN else ""
        return commented(own, size, compressed, seed)
    if kind == "image/svg+xml":
        own = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'
        return commented(own, size, compressed, seed, ("<!-- ", " -->"))
    if kind in {"text/plain", "text/html"}:
        return bodies.text(size, compressed, seed).encode()
    start = {"image/png": PNG, "image/jpeg": JPEG, "application/pdf": PDF}.get(kind, b"")
    if kind in {"image/x-icon", "image/vnd.microsoft.icon"}:
        start = PNG
    start = start[:size]
    return start + bodies.noise(size - len(start), compressed - len(start), seed)


def stored(exchange: Measured, *, generation: int = 0) -> Stored:
    """The file that was measured; a later `generation` of it has another validator, and other content.

    Of a bundle only so much is other as if one module had changed.
    """
    disposition = exchange.field("Content-Disposition") or "inline"
    name = disposition.partition("filename=")[2].strip('"')
    kind = exchange.field("Content-Type") or "application/octet-stream"
    etag = exchange.field("ETag") or '""'
    seed = exchange.path
    if generation:
        seed = f"{seed} {generation}"
        etag = f'"{hashlib.sha1(seed.encode()).hexdigest()}"'
    is_bundle = exchange.path.startswith("/web/assets/")
    made = body(kind, name, exchange.size, exchange.gzip6_bytes or 0, exchange.path if is_bundle else seed)
    if generation and is_bundle:
        end = len(made) - len(" */")
        stretch = min(_MODULE, end // 4)
        made = made[: end - stretch] + bodies.text(stretch, stretch // 5, seed).encode() + made[end:]
    return Stored(
        body=made,
        content_type=kind,
        disposition=disposition,
        etag=etag,
        cache_control=exchange.field("Cache-Control") or "no-cache",
        modified=1795502067.0 + generation,
    )


@cache
def bundles() -> dict[str, Measured]:
    """The bundles that were measured, by name."""
    return {
        each.path.rpartition("/")[2]: each
        for each in measured.exchanges()
        if each.path.startswith("/web/assets/") and "/debug/" not in each.path
    }
