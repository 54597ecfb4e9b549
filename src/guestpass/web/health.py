"""Liveness and readiness."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from guestpass.web.api.problem_models import problems
from guestpass.web.problems import Problem, ProblemRaised
from guestpass.web.services import Services

router = APIRouter(tags=["Health"])


class Health(BaseModel):
    """Liveness: answering means alive."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """`degraded` while visitors are served but changes can fail; `detail` says why."""

    status: Literal["ok", "degraded"] = "ok"
    detail: str | None = Field(default=None, description="Why changes can fail, where the status is `degraded`.")


@router.get(
    "/healthz",
    operation_id="getHealth",
    response_description="Alive.",
    summary="Is the process alive?",
    responses=problems(500),
)
async def get_health() -> Health:
    """200 while the process answers at all. Needs no token."""
    return Health()


@router.get(
    "/readyz",
    operation_id="getReadiness",
    response_description="Ready.",
    summary="Can it serve now?",
    response_model_exclude_none=True,
    responses=problems(500, 503),
)
async def get_readiness(services: Services) -> Readiness:
    """200 when the database, with each table that visitors need, and the gateway are ready, else 503. Needs no token.

    Where the database can't be written to, or is damaged elsewhere, visitors are served: `status` is then `degraded`.
    """
    is_ready, why = await services.ready(), services.unwritable()
    if not is_ready:
        detail = "Not ready." if why is None else f"Not ready. The database can't be used: {why}."
        raise ProblemRaised(Problem(status=503, code="unavailable", detail=detail, fields=(("Retry-After", "5"),)))
    if why is not None:
        return Readiness(status="degraded", detail=f"Changes to the database can fail: {why}.")
    return Readiness()
