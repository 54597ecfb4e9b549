"""Render the OpenAPI document as HTML on the server, so that no script is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from guestpass.web.pages import COMMON_FIELDS, policy
from guestpass.web.problems import title_of

_loader = PackageLoader("guestpass.web.api")
_environment = Environment(
    loader=_loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_STYLE: Final = _loader.get_source(_environment, "docs.css")[0]
_METHODS: Final = ("get", "post", "patch", "put", "delete", "head", "options")

DOCS_FIELDS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Language", "en"),
    *COMMON_FIELDS,
    (
        "Content-Security-Policy",
        policy(_STYLE),
    ),
)


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class DocumentedResponse:
    """A response of an operation."""

    status: str
    title: str
    description: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: list[Field]
    body_description: str
    curl: str
    answers: list[DocumentedResponse]


def read_sections(document: Mapping[str, Any]) -> list[tuple[str, str, list[Operation]]]:
    """The calls of an OpenAPI document of ours by their tags: each tag's name, what it is for, and its calls."""
    operations = [
        (operation["tags"][0], _operation(document, method, path, item, operation))
        for path, item in document["paths"].items()
        for method in _METHODS
        if (operation := item.get(method)) is not None
    ]
    # The gateway's rule for all methods is seven operations in the document; the page shows one.
    shown = {(name, operation.path, operation.summary): (name, operation) for name, operation in reversed(operations)}
    operations = list(reversed(shown.values()))
    return [
        (tag["name"], tag["description"], [operation for name, operation in operations if name == tag["name"]])
        for tag in document["tags"]
    ]


def render_docs(document: Mapping[str, Any]) -> bytes:
    """Render the page of an OpenAPI document."""
    return (
        _environment.get_template("docs.html")
        .render(info=document["info"], sections=read_sections(document), style=_STYLE, prose=_prose)
        .encode()
    )


def _operation(
    document: Mapping[str, Any], method: str, path: str, item: Mapping[str, Any], operation: Mapping[str, Any]
) -> Operation:
    parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
    content = operation.get("requestBody", {}).get("content", {})
    media = content.get("application/json")
    body = _resolve(document, media["schema"]) if media else {}
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        parameters=[
            Field(
                each["name"],
                f"{each['in']}, {_kind(document, each['schema'])}",
                each.get("required", False),
                each.get("description", ""),
            )
            for each in parameters
        ],
        body=_fields(document, body),
        body_description=body.get("description", ""),
        curl=_curl(method, path, operation, media),
        answers=[
            DocumentedResponse(
                status,
                title_of(int(status)) if status.isdecimal() else "any other",
                each["description"],
                _answer_fields(document, each),
            )
            for status, each in sorted(operation["responses"].items())
        ],
    )


def _answer_fields(document: Mapping[str, Any], response: Mapping[str, Any]) -> list[Field]:
    media = response.get("content", {}).get("application/json")
    return _fields(document, _resolve(document, media["schema"])) if media else []


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Field]:
    required = schema.get("required", ())
    return [
        Field(name, _kind(document, field), name in required, field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if (reference := schema.get("$ref")) is None:
        return schema
    resolved: Mapping[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return resolved


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Describe a schema: ``text``, ``one of odoo, web``, ``list of ShareLinkBody``, ``whole number or null``."""
    schema = _resolve(document, schema)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        shown = ", ".join(json.dumps(value).strip('"') or '""' for value in values)
        return f"one of {shown}" if len(values) > 1 else shown
    kinds = schema.get("type", [])
    if not kinds and "anyOf" in schema:
        return " or ".join(_kind(document, option) for option in schema["anyOf"])
    if kinds == "array":
        return f"list of {_kind(document, schema['items'])}"
    if kinds == "object":
        fields = ", ".join(schema.get("properties", {}))
        return f"object with {fields}" if fields else "object"
    if schema.get("format") == "date-time":
        return "time"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return " or ".join(words.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)) or "anything"


_VARIABLES: Final = {
    "{envId}": "$ENV",
    "{linkId}": "$LINK",
    "{visitorId}": "$VISITOR",
    "{name}": "$ACCOUNT",
    "{token}": "$SHARE",
    "{path}": "",
}


def _curl(method: str, path: str, operation: Mapping[str, Any], media: Mapping[str, Any] | None) -> str:
    for place, variable in _VARIABLES.items():
        path = path.replace(place, variable)
    lines = [f'curl -X {method.upper()} "$BASE{path}"']
    if operation.get("security"):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if media:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d '{json.dumps(media['example'])}'")
    return " \\\n  ".join(lines)


def _prose(text: str) -> Markup:
    """Render paragraphs and code in backticks, which is all the Markdown that our descriptions use."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        words = escape(paragraph).split("`")
        paragraphs.append("".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(words)))
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))  # noqa: S704 escaped above
