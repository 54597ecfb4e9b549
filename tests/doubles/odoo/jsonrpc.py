"""JSON-RPC as Odoo speaks it: errors are answers with status 200, and the body says what is called."""

from __future__ import annotations

from typing import Any

from tests.doubles.odoo import answers, measured
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.store import OdooError
from tests.doubles.odoo.visit import Visit


class SessionExpired(Exception):
    """Nobody is logged in where somebody must be."""


def succeeded(visit: Visit, result: Any) -> Answer:
    """The result in its envelope, as long as it was measured where this call was."""
    envelope: dict[str, Any] = {"jsonrpc": "2.0", "id": visit.call.get("id")}
    if result is not None:
        envelope["result"] = result
    path = visit.measured_path or visit.path
    known = measured.called(path, len(visit.body), visit.variant)
    size, compressed = (known.size, known.gzip6_bytes or 0) if known else (0, 0)
    return answers.json_bytes(answers.lengthened(envelope, size, compressed, path))


def failed(visit: Visit, error: Exception) -> Answer:
    """The error in its envelope: code 200, 100 for an ended session, 404 for what is not there."""
    code, message, name = 200, "Odoo Server Error", f"{type(error).__module__}.{type(error).__name__}"
    shown = str(error)
    if isinstance(error, SessionExpired):
        code, message, name = 100, "Odoo Session Expired", "odoo.http.SessionExpiredException"
        shown = "Session expired"
    elif isinstance(error, answers.Refusal):
        name = "werkzeug.exceptions.NotFound" if error.status == 404 else "werkzeug.exceptions.BadRequest"
        shown = f"{error.status}: {error.description or 'Not Found'}"
        if error.status == 404:
            code, message = 404, "404: Not Found"
    elif isinstance(error, OdooError):
        name = error.name
    try:
        id = visit.call.get("id")
    except (ValueError, RecursionError):
        id = None
    data = {
        "name": name,
        "debug": f'Traceback (most recent call last):\n  File "odoo/http.py", line 1, in dispatch\n{name}: {shown}\n',
        "message": shown,
        "arguments": [shown],
        "context": {},
    }
    return answers.json_answer({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}})
