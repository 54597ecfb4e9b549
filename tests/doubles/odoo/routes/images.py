"""Images, avatars, and the content of attachments."""

from __future__ import annotations

import hashlib

from tests.doubles.odoo import assets, measured
from tests.doubles.odoo.answers import Answer, Refusal, Stored
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit

_PLACEHOLDER = 6078
_IMMUTABLE = "max-age=31536000, private, immutable"


@route(
    "/web/image",
    "/web/image/<xmlid>",
    "/web/image/<model>/<int:id>/<field>",
    "/web/image/<model>/<int:id>/<field>/<filename>",
    auth="public",
)
def image(visit: Visit, **_captured: str) -> Answer:
    """An image of a record: the measured one, else a placeholder of Odoo's size."""
    target = f"{visit.raw_path}?{visit.query_string}" if visit.query_string else visit.raw_path
    known = measured.fetched(target)
    if known is None:
        return visit.stream(_placeholder(visit))
    file = assets.stored(known)
    if "unique" not in visit.query and "immutable" in file.cache_control:
        private = "no-cache, private" if "private" in file.cache_control else "no-cache"
        file = Stored(file.body, file.content_type, file.disposition, file.etag, private)
    return visit.stream(file)


def _placeholder(visit: Visit) -> Stored:
    body = assets.body("image/png", "placeholder.png", _PLACEHOLDER, _PLACEHOLDER, "placeholder")
    etag = f'"{hashlib.sha1(body).hexdigest()}"'
    kept = _IMMUTABLE if "unique" in visit.query else "no-cache, private"
    return Stored(body, "image/png", "inline; filename=placeholder.png", etag, kept)


@route("/web/content/<int:id>", "/web/content/<int:id>/<filename>")
def content(visit: Visit, id: str, filename: str | None = None) -> Answer:
    """An attachment, for who is logged in."""
    db = visit.database
    record = db.records["ir.attachment"].get(int(id))
    if record is None or not visit.logged_in:
        raise Refusal(404)
    if record.get("measured"):
        known = measured.fetched(f"/web/content/{id}")
        assert known is not None
        body = assets.stored(known).body
        checksum = (known.field("ETag") or "").strip('"')
    else:
        body = db.filestore[int(id)]
        checksum = hashlib.sha1(body).hexdigest()
    kind = "attachment" if visit.query.get("download") in {"true", "1", "True"} else "inline"
    name = visit.query.get("filename") or filename or str(record["name"])
    shown = name if name.isascii() and " " not in name else f'"{name.encode("ascii", "ignore").decode()}"'
    kept = _IMMUTABLE if "unique" in visit.query else "no-cache, private"
    return visit.stream(
        Stored(
            body,
            str(record["mimetype"]),
            f"{kind}; filename={shown}",
            f'"{checksum}"',
            kept,
            filestore=f"/web/filestore/{db.name}/{checksum[:2]}/{checksum}",
        )
    )
