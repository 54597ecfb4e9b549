"""Request bodies in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from guestpass.web.media_types import JSON


def request_body(
    model: type[BaseModel], example: Mapping[str, Any], *, required: bool = True, media_types: tuple[str, ...] = (JSON,)
) -> dict[str, Any]:
    """Return the `openapi_extra` of an operation that reads its body itself."""
    content = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "example": dict(example)}
    return {"requestBody": {"required": required, "content": dict.fromkeys(media_types, content)}}
