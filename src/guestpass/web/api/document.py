"""Build the OpenAPI document from the routes, and from what the gateway answers itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import guestpass
from guestpass.web.api.account_models import AccountRequest
from guestpass.web.api.branding_models import BrandingRequest
from guestpass.web.api.link_models import LinkIds, LinkPatch, LinkRequest
from guestpass.web.api.models import EnvironmentPatch, EnvironmentRequest, LoginRequest
from guestpass.web.api.problem_models import ProblemBody, problems

_REQUESTS: Final[tuple[type[BaseModel], ...]] = (
    AccountRequest,
    BrandingRequest,
    EnvironmentPatch,
    EnvironmentRequest,
    LinkIds,
    LinkPatch,
    LinkRequest,
    LoginRequest,
    ProblemBody,
)
_TAGS: Final = [
    {"name": "Share links", "description": "Links to an environment: they expire and can be switched off at once."},
    {"name": "Environments", "description": "The running applications that links lead to."},
    {"name": "Accounts", "description": "Whom links can sign visitors in to an Odoo as."},
    {"name": "Branding", "description": "How the organisation looks to its visitors."},
    {
        "name": "Visitors",
        "description": "The calls that visitors' browsers make. On the public address everything here also works "
        "without `/api` before it; the share URLs that owners send have none.",
    },
    {"name": "Installation", "description": "The server itself, for its operator."},
    {"name": "Health", "description": "For load balancers and monitoring."},
]
_DESCRIPTION: Final = """\
Owners register environments and make share links with a bearer token; visitors open the links.

Fields are camelCase, times RFC 3339 in UTC, sizes in bytes, durations like `720s`, `1h30m` or `7d`. Unknown fields
are refused. Every error is problem+json (RFC 9457) with a stable `code`; 422 names each wrong field."""

_ANYTHING: Final = {"description": "The environment's own answer, with any status.", "content": {"*/*": {"schema": {}}}}
_METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options")


class Application(FastAPI):
    """FastAPI with our document in place of its own."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, built once."""
        if self.openapi_schema is None:
            self.openapi_schema = _document(self)
        return self.openapi_schema


def _document(application: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Guestpass",
        version=guestpass.__version__,
        description=_DESCRIPTION,
        routes=application.routes,
        tags=_TAGS,
        servers=[{"url": "/"}],
    )
    document["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    schemas = document["components"].setdefault("schemas", {})
    _, definitions = models_json_schema(
        [(model, "validation") for model in _REQUESTS], ref_template="#/components/schemas/{model}"
    )
    schemas.update(definitions["$defs"])
    _remove_the_frameworks_own(document)
    document["paths"].update(_answered_by_the_gateway())
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _remove_the_frameworks_own(document: dict[str, Any]) -> None:
    """Remove FastAPI's own 422, which is never sent, and titles that repeat names."""
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in document["paths"].values():
        for operation in path.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
            for parameter in operation.get("parameters", ()):
                parameter["schema"].pop("title", None)


def _answered_by_the_gateway() -> Mapping[str, Any]:
    token = {
        "name": "token",
        "in": "path",
        "required": True,
        "description": "Share token",
        "schema": {"type": "string"},
    }
    path = {
        "name": "path",
        "in": "path",
        "required": True,
        "description": "A path of the environment; it may hold slashes.",
        "schema": {"type": "string"},
    }
    failures = _named(problems(400, 401, 403, 404, 410, 429, 502, 503, 504, page=True))
    return {
        "/api/share/{token}": {
            "parameters": [token],
            "get": {
                "tags": ["Visitors"],
                "operationId": "openShareLink",
                "summary": "Access a shared environment",
                "description": "Public endpoint that validates a share token, sets the visitor's pass and proxies to "
                "the environment. A browser that navigates is redirected to the environment.",
                "responses": {
                    "200": _ANYTHING,
                    "303": {"description": "A browser goes on to the environment."},
                    "409": _named(problems(409, page=True))["409"]
                    | {"description": "The browser has another link open: a page asks whether to switch."},
                    **failures,
                },
            },
            "post": {
                "tags": ["Visitors"],
                "operationId": "switchShareLink",
                "summary": "Switch to this share link",
                "description": "Confirms a page that asks: to switch to this link, or to take one of its places. From "
                "the same origin only.",
                "responses": {
                    "303": {"description": "The browser goes on to the environment."},
                    **failures,
                },
            },
        },
        "/api/s-proxy/{path}": {
            "parameters": [path],
            **{
                method: {
                    "tags": ["Visitors"],
                    "operationId": f"proxy{method.capitalize()}",
                    "summary": "Proxy to the shared environment",
                    "description": "Public endpoint that proxies root-relative requests of the environment by the "
                    "visitor's pass; with any method.",
                    "responses": {
                        "200": _ANYTHING,
                        "default": _ANYTHING,
                        **failures,
                    },
                }
                for method in _METHODS
            },
        },
    }


def _named(responses: Mapping[int | str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(status): response for status, response in responses.items()}
