from __future__ import annotations

import re
from typing import Any

import pytest
from markupsafe import escape
from tests.api.face import Face

BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


@pytest.fixture
async def document(face: Face) -> dict[str, Any]:
    async with face.client() as client:
        answer = await client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    parsed: dict[str, Any] = answer.json()
    return parsed


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


async def test_the_document_holds_the_whole_contract(document: dict[str, Any]) -> None:
    share = "/api/environments/{envId}/share"
    described = {(method.upper(), path) for method, path, _ in _operations(document)}

    assert described >= {
        ("GET", share), ("POST", share), ("DELETE", f"{share}/{{linkId}}"), ("DELETE", f"{share}/{{linkId}}/permanent"),
        ("GET", "/api/share/{token}"), ("POST", "/api/share/{token}/login"), ("GET", "/api/s-proxy/{path}"),
        ("GET", "/api/environments"), ("POST", "/api/environments"), ("GET", "/api/environments/{envId}"),
        ("PATCH", "/api/environments/{envId}"), ("DELETE", "/api/environments/{envId}"),
        ("GET", "/api/environments/{envId}/accounts"), ("POST", "/api/environments/{envId}/accounts"),
        ("DELETE", "/api/environments/{envId}/accounts/{name}"), ("GET", "/api/environments/{envId}/refused-calls"),
        ("GET", f"{share}/{{linkId}}"), ("PATCH", f"{share}/{{linkId}}"), ("POST", f"{share}/{{linkId}}/rotate"),
        ("GET", f"{share}/{{linkId}}/history"), ("GET", f"{share}/{{linkId}}/visits"),
        ("GET", f"{share}/{{linkId}}/visitors"), ("DELETE", f"{share}/{{linkId}}/visitors/{{visitorId}}"),
        ("GET", f"{share}/{{linkId}}/refusals"), ("GET", "/api/share-links"), ("POST", "/api/share-links/deactivate"),
    }  # fmt: skip


async def test_operations_are_named_and_guarded_as_they_are(document: dict[str, Any]) -> None:
    operations = _operations(document)
    names = [operation["operationId"] for _, _, operation in operations]
    [(scheme, definition)] = document["components"]["securitySchemes"].items()

    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)
    assert definition.items() >= BEARER.items()
    for _, path, operation in operations:
        assert operation["summary"]
        assert operation["description"]
        is_open = operation["tags"][0] in {"Visitors", "Health"}
        expected: list[dict[str, list[str]]] | None = None if is_open else [{scheme: []}]
        assert operation.get("security") == expected, path


async def test_every_error_is_described_as_a_problem_with_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        for status, response in operation["responses"].items():
            if not status.startswith(("4", "5")):
                continue
            problem = response["content"]["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/ProblemBody"}, (method, path, status)
            assert problem["example"]["status"] == int(status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_what_visitors_are_refused_for_is_described(document: dict[str, Any]) -> None:
    """What a login and an opening were seen to be answered with."""
    login = document["paths"]["/api/share/{token}/login"]["post"]["responses"]
    opening = document["paths"]["/api/share/{token}"]["get"]["responses"]
    for responses in (login, opening):
        assert {"401", "403", "404", "410", "429"} <= responses.keys()
        assert "bearer" not in str([responses["401"], responses["403"]])
        assert "Retry-After" in responses["429"]["headers"]


async def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document)))

    assert references
    assert references <= set(document["components"]["schemas"])


async def test_the_documentation_needs_nothing_from_elsewhere(face: Face, document: dict[str, Any]) -> None:
    async with face.client() as client:
        answer = await client.get("/api/docs")

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in answer.text
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", answer.text)
    for _, path, operation in _operations(document):
        assert path in answer.text
        assert escape(operation["summary"]) in answer.text
    assert "curl -X POST &#34;$BASE/api/environments/$ENV/share&#34;" in answer.text
    assert "Authorization: Bearer $TOKEN" in answer.text
