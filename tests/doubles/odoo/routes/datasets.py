"""Model methods by JSON-RPC. The body says what is called; the path is decoration."""

from __future__ import annotations

from typing import Any

from tests.doubles.odoo.answers import Refusal
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit


@route(
    "/web/dataset/call_kw",
    "/web/dataset/call_kw/<path:decoration>",
    "/web/dataset/call_button",
    "/web/dataset/call_button/<path:decoration>",
    auth="user",
    kind="json",
)
def call_kw(visit: Visit, decoration: str | None = None) -> Any:
    """Run the method that the body names."""
    del decoration
    params = visit.params
    if "model" not in params or "method" not in params:
        raise Refusal(404)
    model, method = str(params["model"]), str(params["method"])
    visit.measured_path = f"/web/dataset/call_kw/{model}/{method}"
    kwargs = dict(params.get("kwargs") or {})
    for term in kwargs.get("domain") or []:
        if isinstance(term, list) and term[0] == "stage_id":
            visit.variant = int(term[2]) - 1
    result = visit.run(model, method, list(params.get("args") or []), kwargs)
    button = visit.path.startswith("/web/dataset/call_button")
    # A button's result is an action, or nothing that the client should follow.
    return result if not button or isinstance(result, dict) else False


@route("/web/dataset/resequence", auth="user", kind="json")
def resequence(visit: Visit) -> bool:
    """Put records into another order: a write."""
    for position, id in enumerate(visit.params["ids"]):
        visit.run(str(visit.params["model"]), "write", [[id], {"sequence": position}], {})
    return True
