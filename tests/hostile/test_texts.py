"""Texts that no database can keep, or none of one sort, in each place of the API and the dashboard that takes text."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from tests.dashboard.owner import Owner, signed_in
from tests.installation import Installation, installation
from tests.postgres.databases import Databases

from guestpass.web.application import create_application
from guestpass.web.dashboard.application import create_dashboard

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUL: Final = "a%00b"
# NUL; half a surrogate pair; an octet that is no UTF-8; what is special to a pattern; the last character of all.
IN_A_URL: Final = (NUL, "%ED%A0%80", "%FF", "%25%5F%5C%27%22", "%F4%8F%BF%BF")
IN_JSON: Final = (r"a\u0000b", r"\ud800", r"%_\\'\"", r"\udbff\udfff")


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["sqlite", "postgresql"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    """One over each database, with an environment and a link."""
    settings: dict[str, Any] = {"requests_per_address": "100000/second"}
    if request.param == "postgresql":
        databases: Databases = request.getfixturevalue("postgres_databases")
        settings |= {"database_url": databases.cluster.url(databases.make()), "jwt_secret": "j" * 40}
        settings["secret_key"] = "s" * 40
    async with installation(**settings) as running:
        await running.add_environment(id="staging", name="Staging", url="http://127.0.0.1:9", kind="web")
        yield running
        assert "Traceback" not in running.log


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def link(server: Installation) -> dict[str, Any]:
    """A link to it."""
    return await server.create_link("staging")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(server: Installation) -> AsyncIterator[Owner]:
    """Somebody at its dashboard."""
    async with signed_in(server) as someone:
        yield someone


DOCUMENT: Final = create_application().openapi()
AMONG_OTHERS: Final = {"envId": "staging", "status": "active"}


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if not path.startswith("/api/s-proxy") and path != "/api/share/{token}":
                yield method.upper(), path, operation


def _is_text(schema: dict[str, Any]) -> bool:
    kinds = [schema, *schema.get("anyOf", ())]
    return any(kind.get("type") == "string" and "enum" not in kind and "format" not in kind for kind in kinds)


QUERIES: Final = [
    (path, parameter["name"])
    for method, path, operation in _operations()
    for parameter in operation.get("parameters", ())
    if method == "GET" and parameter["in"] == "query" and _is_text(parameter["schema"])
]
PATHS: Final = [(method, path, name) for method, path, _ in _operations() for name in re.findall(r"\{(\w+)\}", path)]


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    """The fields of a body that may hold text, by name."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", {})


BODIES: Final = [
    (method, path, field)
    for method, path, operation in _operations()
    for field in _fields(
        operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    )
]


def _filled(path: str, link: dict[str, Any], **others: str) -> str:
    values = {"envId": "staging", "linkId": link["id"], "token": link["url"].rpartition("/")[2], **others}
    return re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], "nothing"), path)


@pytest.mark.parametrize(("path", "name"), QUERIES)
async def test_a_parameter_of_the_api(server: Installation, link: dict[str, Any], path: str, name: str) -> None:
    for text in IN_A_URL:
        answer = await server.client.get(f"{_filled(path, link)}?{name}={text}")
        assert answer.status_code < 500, (text, answer.text)
        if text == NUL:
            assert answer.status_code == 422, answer.text
            assert [error["field"] for error in answer.json()["errors"]] == [name]


@pytest.mark.parametrize(("method", "path", "name"), PATHS)
async def test_an_id_in_a_path_of_the_api(
    server: Installation, link: dict[str, Any], method: str, path: str, name: str
) -> None:
    for text in IN_A_URL:
        target = _filled(path, link, **{name: text})
        answer = await server.client.request(method, target, json={} if method in {"POST", "PATCH", "PUT"} else None)
        assert answer.status_code < 500, (text, answer.text)
        if name != "token":
            assert answer.status_code in (404, 422), answer.text


@pytest.mark.parametrize(("method", "path", "field"), BODIES)
async def test_a_field_of_a_body(
    server: Installation, link: dict[str, Any], method: str, path: str, field: str
) -> None:
    for text in IN_JSON:
        for value in (f'"{text}"', f'["{text}"]', f'{{"login": "{text}", "password": "{text}"}}'):
            needed = {"id": '"new"', "name": '"x"', "url": '"http://127.0.0.1:9"'}
            members = {**(needed if path == "/api/environments" else {}), field: value}
            body = "{" + ", ".join(f'"{name}": {each}' for name, each in members.items()) + "}"
            answer = await server.client.request(
                method, _filled(path, link), content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code < 500, (body, answer.text)
            # A password is kept as octets, or nowhere.
            if r"\u0000" in text and field != "password":
                assert answer.status_code in (404, 422), (body, answer.text)
            if answer.status_code == 201 and path == "/api/environments":
                await server.client.delete(f"/api/environments/{answer.json()['id']}")


@pytest.mark.parametrize("place", ["a\0b", "\ud800", "x" * 3000])
async def test_a_cursor_that_somebody_wrote(server: Installation, place: str) -> None:
    answer = await server.client.get("/api/share-links?limit=1")
    assert answer.status_code == 200
    for order in ("links", "createdAt", "expiresAt", "label", "environments"):
        for parts in ([place], [place, place], [{"at": "2026-01-01T00:00:00+00:00"}, place], [None, place], [1, place]):
            written = base64.urlsafe_b64encode(json.dumps([order, *parts]).encode()).decode().rstrip("=")
            for path in ("/api/share-links", "/api/environments", "/api/environments/staging/share"):
                answer = await server.client.get(path, params={"cursor": written, "limit": "1"})
                assert answer.status_code == 422, (parts, answer.text)


def _texts_of(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        yield parameter.alias
    for further in dependant.dependencies:
        yield from _texts_of(further)


def _pages() -> list[tuple[str, str, tuple[str, ...]]]:
    """Each page of the dashboard that takes anything: its method and path, and the parameters of its query."""
    application = create_dashboard("http://localhost:8081")
    found = []
    for context in iter_route_contexts(application.routes):
        dependant = getattr(context.route, "dependant", None)
        parameters = tuple(sorted(set(_texts_of(dependant)))) if dependant is not None else ()
        path = context.path or ""
        if parameters or "{" in path:
            found += [(method, path, parameters) for method in context.methods or () if method != "HEAD"]
    return sorted(found)


@pytest.mark.parametrize(("method", "path", "parameters"), _pages())
async def test_a_page_of_the_dashboard(
    owner: Owner, link: dict[str, Any], method: str, path: str, parameters: tuple[str, ...]
) -> None:
    token = await owner.form_token() if method != "GET" else ""

    async def ask(target: str) -> httpx2.Response:
        if method == "GET":
            # Events have no end.
            async with owner.web.stream("GET", target) as answer:
                return answer
        return await owner.web.request(method, target, data={"csrf": token})

    for text in IN_A_URL:
        for name in re.findall(r"\{(\w+)\}", path):
            target = _filled(path, link, **{name: text})
            assert (await ask(target)).status_code < 500, target
        for parameter in parameters:
            answer = await ask(f"{_filled(path, link)}?{parameter}={text}")
            assert answer.status_code < 500, (path, parameter, text)


def _forms() -> list[str]:
    application = create_dashboard("http://localhost:8081")
    return sorted(
        context.path or ""
        for context in iter_route_contexts(application.routes)
        # Some end the session, or remove what the others need.
        if "POST" in (context.methods or ()) and not re.search(r"sign-|remove|rotate|check", context.path or "")
    )


FIELDS: Final = (
    "label", "note", "password", "startPath", "allowedIPs", "ids", "q", "search", "name", "url", "description",
    "message", "contact", "colour", "login", "account", "maxVisitors", "expiresIn", "state", "method", "path",
)  # fmt: skip


@pytest.mark.parametrize("path", _forms())
async def test_a_form_of_the_dashboard(owner: Owner, link: dict[str, Any], path: str) -> None:
    token = await owner.form_token()
    for text in IN_A_URL:
        for fields in (FIELDS, FIELDS[:1], FIELDS[5:6]):
            answer = await owner.web.post(
                _filled(path, link),
                content="&".join((f"csrf={quote(token)}", *(f"{field}={text}" for field in fields))),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            assert answer.status_code < 500, (path, text)
