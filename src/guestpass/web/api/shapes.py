"""What all that the API takes and gives has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def tidy_schema(schema: dict[str, Any]) -> None:
    """Leave out what pydantic adds and a reader doesn't need.

    Titles repeat the names, and a default of null says no more than that a field may be left out; where
    null is refused it is not even true.
    """
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        if field.get("default", ...) is None:
            del field["default"]


class Given(BaseModel):
    """What a caller sends: known fields of the right JSON type only."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, json_schema_extra=tidy_schema, frozen=True
    )


class Shown(BaseModel):
    """What a caller is sent: every field always there."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, json_schema_extra=tidy_schema, frozen=True
    )
