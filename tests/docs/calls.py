"""docs/reference/calls.md, from the OpenAPI document that a server answers with: `python -m tests.docs.calls`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
from tests.api.face import running_face

from guestpass.web.api.documents import DocumentedResponse, Field, Operation, read_sections

_HEAD = """# Calls

Every call of the API with its fields, its answers and an example, generated from the OpenAPI document that the server
has at `/api/openapi.json`. [API](api.md) says what they have in common. The examples are for a shell that knows

```sh
BASE=http://localhost:8081     # ADMIN_URL; for visitors PUBLIC_URL
TOKEN=$(guestpass token)
ENV=client-staging             # an environment's id
LINK=k7nq2w5d3mzr4xta          # a link's id
```

and, where they occur, the id of a visitor (`VISITOR`), the name of an account (`ACCOUNT`), and the last part of a share
URL (`SHARE`).
"""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "calls.md"


def openapi_document() -> dict[str, Any]:
    """What the product says of its API."""
    with TemporaryDirectory(prefix="guestpass-docs-") as folder, running_face(Path(folder)) as face:
        document: dict[str, Any] = httpx2.get(f"{face.url}/api/openapi.json", trust_env=False).json()
    return document


def documented_calls(document: dict[str, Any]) -> list[Operation]:
    """The calls that the page describes, in its order."""
    return [operation for _, _, operations in read_sections(document) for operation in operations]


def calls_page(document: dict[str, Any]) -> str:
    """The page for that document."""
    parts = [_HEAD]
    for name, what_for, operations in read_sections(document):
        parts += [f"\n## {name}\n\n{what_for}\n", *map(_call, operations)]
    return "".join(parts)


def _call(operation: Operation) -> str:
    parts = [
        f"\n### {operation.summary.rstrip('.')}\n",
        f"`{operation.method} {operation.path}`\n",
        f"{operation.description}\n",
        f"```sh\n{operation.curl}\n```\n",
    ]
    if operation.parameters:
        parts.append(_table("parameter", operation.parameters))
    if operation.body:
        parts.append(_table("field", operation.body))
    parts += [_answer(each) for each in operation.answers if each.status.startswith(("2", "3"))]
    refused = [f"`{each.status}` {each.title}" for each in operation.answers if not each.status.startswith(("2", "3"))]
    if refused:
        parts.append(f"Else: {', '.join(refused)}.\n")
    return "\n".join(parts)


def _answer(answer: DocumentedResponse) -> str:
    text = f"Answers `{answer.status}`: {answer.description}\n"
    return f"{text}\n{_table('field', answer.fields)}" if answer.fields else text


def _table(first: str, fields: list[Field]) -> str:
    rows = [f"| {first} | | what for |", "|---|---|---|"]
    for each in fields:
        needed = f"{each.kind}, required" if each.required and first != "field" else each.kind
        rows.append(f"| `{each.name}` | {_cell(needed)} | {_cell(each.description)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(calls_page(openapi_document()), encoding="utf-8")
