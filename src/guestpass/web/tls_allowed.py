"""Tell a reverse proxy for which names it may fetch a certificate (Caddy's ``on_demand_tls``, ``ask``).

Only the admin listener leads here. It needs no token, since a proxy has none, and what it tells is no secret: that a
link has such an id.
"""

from __future__ import annotations

from fastapi import APIRouter, Query
from starlette.responses import Response

from guestpass.web.problems import Problem, ProblemRaised
from guestpass.web.services import Services

router = APIRouter()


@router.get("/api/tls-allowed", include_in_schema=False)
async def get_tls_allowed(services: Services, domain: str = Query(default="", max_length=253)) -> Response:
    """200 for a name that is ours, else 404."""
    if not await services.serves(domain):
        raise ProblemRaised(Problem(status=404, code="not_found", detail="Nothing is served under this name."))
    return Response()
