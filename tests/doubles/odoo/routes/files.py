"""Bundles under /web/assets and files under /<module>/static."""

from __future__ import annotations

import mimetypes
import re
import zlib
from dataclasses import replace

from tests.doubles.odoo import assets, measured
from tests.doubles.odoo.answers import Answer, Refusal, Stored, json_answer
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit

_MODULES = {"web", "website", "website_sale", "mail", "bus", "sale", "crm", "portal", "web_editor", "html_editor"}
# Files that were named in the measurements, or that tests make up: /web/static/double/<size>/<name>.
_MADE = re.compile(r"/[a-z_]+/static/double/(\d{1,8})/(.+)", re.DOTALL)
_PDF_WORKER = ("/web/static/lib/pdfjs/build/pdf.worker.js", 2_163_396)
_STATIC = "public, max-age=604800"


def static_file(visit: Visit) -> Answer | None:
    """The answer to a static path, which Odoo gives before it looks for a session or a database."""
    module, _, rest = visit.path.lstrip("/").partition("/static/")
    if "/" in module or not rest or visit.method not in {"GET", "HEAD"}:
        return None
    if module not in _MODULES or ".." in rest.split("/"):
        return None
    known = measured.fetched(f"{visit.raw_path}?{visit.query_string}") or measured.fetched(visit.path)
    if known is not None:
        return visit.stream(assets.stored(known))
    made = _made(visit.path)
    return visit.stream(made) if made else None


def _made(path: str) -> Stored | None:
    found = _MADE.fullmatch(path)
    if path == _PDF_WORKER[0]:
        size, name = _PDF_WORKER[1], "pdf.worker.js"
    elif found is not None:
        size, name = int(found.group(1)), found.group(2).rpartition("/")[2]
    else:
        return None
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = size // 4 if kind.startswith("text/") else size
    body = assets.body(kind, name, size, compressed, path)
    etag = f'"1795502067-{size}-{zlib.adler32(path.encode())}"'
    safe = name.encode("ascii", "ignore").decode().replace('"', "") or "file"
    disposition = f"inline; filename={safe}" if re.fullmatch(r"[\w.-]+", safe) else f'inline; filename="{safe}"'
    return Stored(body, kind, disposition, etag, _STATIC)


@route("/web/assets/debug/<name>")
def debug_bundle(visit: Visit, name: str) -> Answer:
    """A bundle as it is made for debug=assets."""
    known = measured.fetched(f"/web/assets/debug/{name}")
    if known is None:
        raise Refusal(404)
    return visit.stream(assets.stored(known, generation=visit.world.asset_generation))


@route("/web/assets/<hash>/<name>", "/web/assets/<int:site>/<hash>/<name>")
def bundle(visit: Visit, hash: str, name: str, site: str | None = None) -> Answer:
    """A bundle; another hash than the current one is sent there."""
    known = assets.bundles().get(name)
    if known is None:
        raise Refusal(404)
    current = visit.world.asset_path(name)
    if f"/{hash}/" not in current:
        return visit.go(current)
    del site
    # Bundles are attachments, and lie where those do.
    stored = assets.stored(known, generation=visit.world.asset_generation)
    return visit.stream(replace(stored, filestore=f"/web/filestore/{visit.database.name}/{hash[:2]}/{hash}"))


@route("/web/bundle/<name>")
def bundle_files(visit: Visit, name: str) -> Answer:
    """Which files a lazily loaded bundle is."""
    file = f"{name}.min.js"
    if file not in assets.bundles():
        raise Refusal(404)
    return json_answer([{"type": "script", "src": visit.world.asset_path(file)}])
