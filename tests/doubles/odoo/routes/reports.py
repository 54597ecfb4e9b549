"""PDF reports, which call back to web.base.url for their styles, and exports."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

from tests.doubles.odoo import assets
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit

_PATIENCE = 10.0
_NAMES = ("web.assets_web_print.min.css", "web.assets_web.min.css")
_FONTS = (
    "/web/static/fonts/twitter_x_only.woff",
    "/web/static/lib/odoo_ui_icons/fonts/odoo_ui_icons.woff2",
    "/web/static/src/libs/fontawesome/fonts/fontawesome-webfont.woff2?v=4.7.0",
    "/web/static/double/20000/report.woff2",
)


@route("/report/check_wkhtmltopdf", auth="user", kind="json")
def check(visit: Visit) -> str:
    """Whether PDFs can be made."""
    del visit
    return "ok"


@route("/report/pdf/<report>/<ids>", auth="user")
def pdf(visit: Visit, report: str, ids: str) -> Answer:
    """A report: while this worker waits, another one has to serve two styles and four fonts."""
    if report in _SAVED:
        # These keep what they print beside the record.
        values = {"name": f"{report}.pdf", "mimetype": "application/pdf", "res_model": "sale.order"}
        id = visit.database.create(visit.author, "ir.attachment", {**values, "res_id": int(ids.partition(",")[0])})
        visit.database.filestore[id] = b"%PDF"
    return _made(visit)


_SAVED = {"account.report_invoice", "account.report_invoice_with_payments"}


@route("/report/download", auth="user", csrf=False)
def download(visit: Visit) -> Answer:
    """The same for a click on Print."""
    answer = _made(visit)
    answer.fields.insert(0, ("Content-Disposition", "attachment; filename*=UTF-8''Quotation%20-%20S00001.pdf"))
    return answer


def _made(visit: Visit) -> Answer:
    base = visit.world.settings.report_url or visit.database.parameters["web.base.url"]
    targets = [*(visit.world.asset_path(name) for name in _NAMES), *_FONTS]
    for target in targets:
        url = base.rstrip("/") + target
        started = time.monotonic()
        try:
            with urllib.request.urlopen(url, timeout=_PATIENCE) as fetched:
                status, size = fetched.status, len(fetched.read())
        except (urllib.error.URLError, OSError, ValueError) as error:
            status, size = getattr(error, "code", 0), 0
        visit.world.callbacks.append(
            {"url": url, "status": status, "bytes": size, "seconds": time.monotonic() - started}
        )
    body = assets.body("application/pdf", "report.pdf", 31_000, 28_000, "report")
    return Answer(200, [("Content-Type", "application/pdf"), ("Content-Length", str(len(body)))], body)


@route("/web/export/xlsx", "/web/export/csv", auth="user", methods=("POST",))
def export(visit: Visit) -> Answer:
    """Chosen records as a file."""
    wanted = json.loads(visit.form.get("data", "{}"))
    model = str(wanted.get("model", "res.partner"))
    found = visit.run(model, "search_read", [[], ["name"]], {})
    body = "\r\n".join(["name", *(str(each["name"]) for each in found)]).encode()
    fields = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", f"attachment; filename*=UTF-8''{model}.csv"),
        ("Content-Length", str(len(body))),
    ]
    return Answer(200, fields, body)


@route("/web/export/formats", auth="user", kind="json")
def formats(visit: Visit) -> list[dict[str, str]]:
    """What exports can be."""
    del visit
    return [{"tag": "xlsx", "label": "XLSX"}, {"tag": "csv", "label": "CSV"}]
