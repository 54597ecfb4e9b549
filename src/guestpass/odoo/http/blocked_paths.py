"""Which of Odoo's paths are shut, and which calls through those that were opened again."""

from __future__ import annotations

from typing import Final

from guestpass.domain.blocked_paths import (
    LONGEST_REMEMBERED,
    PASS,
    Ruling,
    Verdict,
    is_json_api,
    is_path,
    judge,
    needs_body_check,
    readings,
)
from guestpass.odoo.http.json_bodies import read_call

__all__ = [
    "LONGEST_REMEMBERED",
    "PASS",
    "Ruling",
    "Verdict",
    "is_json_api",
    "is_path",
    "jsonrpc_refusal",
    "judge",
    "needs_body_check",
    "readings",
]

# The services that Odoo's remote calls know besides `db`.
_SERVICES: Final = frozenset({"common", "object"})


def jsonrpc_refusal(body: bytes) -> str | None:
    """Why a body for an allowed ``/jsonrpc`` must not reach Odoo, or None where it may.

    It may where it is one JSON object in UTF-8, without a name that occurs twice (parsers disagree on which counts),
    that calls the service `common` or `object`.
    """
    try:
        call = read_call(body)
    except ValueError as error:
        return str(error)
    params = call.get("params")
    service = params.get("service") if isinstance(params, dict) else None
    if isinstance(service, str) and service in _SERVICES:
        return None
    return "Only the services common and object can be called through /jsonrpc here."
