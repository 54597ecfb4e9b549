"""Validate what the API and the commands are given, and name every wrong field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from guestpass.domain.errors import FieldError, Invalid

Model = TypeVar("Model", bound=BaseModel)
Sound = TypeVar("Sound", bound=BaseModel)


_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_long": "must be at most {max_length} in number",
    "too_short": "must be at least {min_length} in number",
    "enum": "must be {expected}",
    "string_too_long": "must be at most {max_length} characters",
    "string_too_short": "must be at least {min_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "model_type": "must be a JSON object",
    "value_error": "{error}",
}


class NotJSON(ValueError):
    """What should be JSON is none."""


def read_json(
    model: type[Model], body: bytes, further: Callable[[Collection[str]], Sequence[FieldError]] | None = None
) -> Model:
    """Read a JSON object; raises NotJSON, and Invalid with each wrong field.

    `further` is asked what else is wrong besides the fields that it is given.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        entries = error.errors(include_url=False)
    if entries[0]["type"] == "json_invalid":
        raise NotJSON
    known = _names(model)
    errors = explain_all(entries, known)
    wrong = {str(entry["loc"][0]) for entry in entries if entry["loc"]}
    if further is not None and wrong:
        errors += further(wrong)
        # In the order in which fields are described, whoever has found what is wrong with them.
        errors.sort(key=lambda error: known.index(name) if (name := error.field.partition(".")[0]) in known else -1)
    raise Invalid(errors)


def read_query(model: type[Model], parameters: Mapping[str, object]) -> Model:
    """Read the parameters of a query; raises Invalid with each wrong one."""
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        raise Invalid([explain(entry, entry["loc"]) for entry in error.errors(include_url=False)]) from None


def find_further(
    model: type[Sound], body: bytes, wrong: Collection[str], errors_of: Callable[[Sound], Sequence[FieldError]]
) -> Sequence[FieldError]:
    """What a use case finds wrong with the fields of a body that can be read."""
    left = {
        name: value
        for name, value in from_json(body).items()
        # What is null is cleared or left out, which can't be wrong.
        if name in _names(model) and name not in wrong and value is not None
    }
    found = errors_of(model.model_validate_json(to_json(left)))
    return [error for error in found if error.field not in wrong]


def explain_all(entries: Iterable[ErrorDetails], known: Iterable[str]) -> list[FieldError]:
    """Pydantic's findings about a JSON body in our words; `known` are the names of the fields that it may have."""
    remedy = f"is not a known field; known are {', '.join(known)}"
    return [
        FieldError(str(entry["loc"][0]), remedy)
        if entry["type"] == "extra_forbidden" and len(entry["loc"]) == 1
        else explain(entry, entry["loc"])
        for entry in entries
    ]


def explain(entry: Mapping[str, Any], location: Sequence[str | int]) -> FieldError:
    """One finding. Messages hold nothing of the input, which may be a password."""
    field = ".".join(str(part) for part in location) or "body"
    if entry["type"] != "missing" and entry["input"] is None and field != "body":
        return FieldError(field, "must not be null")
    if entry["type"] == "string_too_short" and entry["ctx"]["min_length"] == 1:
        return FieldError(field, "must not be empty")
    template = _MESSAGES.get(entry["type"], "is not valid")
    return FieldError(field, template.format(**entry.get("ctx", {})))


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
