"""Every error of every route has one shape."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from structlog.testing import capture_logs
from tests.api.face import REQUEST_ID, Face, running_face

from guestpass.domain.access import Scope
from guestpass.web.application import create_application

PROBES = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
SECRET = "s3cret-of-the-caller"


def _expect_problem(answer: httpx2.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, (answer.request.method, answer.request.url, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "requestId"} <= set(problem)
    assert set(problem) <= {"type", "title", "status", "detail", "code", "requestId", "errors"}
    assert problem["type"] == "about:blank"
    assert problem["status"] == answer.status_code
    assert problem["requestId"] == REQUEST_ID
    assert ("errors" in problem) == (answer.status_code == 422)
    for error in problem.get("errors", ()):
        assert set(error) == {"field", "message"}
    assert SECRET not in answer.text
    return problem


@pytest.fixture(scope="module")
def module_face(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Face]:
    with running_face(tmp_path_factory.mktemp("face")) as running:
        yield running


@pytest.fixture
async def caller(module_face: Face) -> AsyncIterator[httpx2.AsyncClient]:
    async with module_face.owner() as client:
        yield client


IDS = {"envId": "nowhere", "token": "gp_nothing"}


def _routes() -> list[tuple[str, str]]:
    """Each method and path that the application routes, with ids that lead to nothing."""
    application = create_application()
    return sorted(
        (method, re.sub(r"\{(\w+)\}", lambda name: IDS.get(name[1], "nothing"), context.path or ""))
        for context in iter_route_contexts(application.routes)
        for method in context.methods or ()
        if method != "HEAD"
    )


ROUTES = _routes()
GUARDED = [route for route in ROUTES if route[1].startswith(("/api/environments", "/api/share-links", "/api/branding"))]
# GET of a login only leads back to the share URL, which then says that there is none.
TO_NOTHING = [(method, path) for method, path in ROUTES if "no" in path and (method, path[-6:]) != ("GET", "/login")]
BODIES = [
    ("POST", "/api/environments"),
    ("PATCH", "/api/environments/nowhere"),
    ("POST", "/api/environments/nowhere/share"),
    ("PATCH", "/api/environments/nowhere/share/nothing"),
    ("POST", "/api/share-links/deactivate"),
    ("POST", "/api/environments/nowhere/accounts"),
    ("PUT", "/api/branding"),
    ("POST", "/api/share/gp_nothing/login"),
    ("POST", "/share/gp_nothing/login"),
]


def test_the_lists_here_are_the_applications() -> None:
    bodiless = {
        ("POST", "/api/environments/nowhere/check"),
        ("POST", "/api/environments/nowhere/share/nothing/rotate"),
    }
    assert {route for route in ROUTES if route[0] in {"POST", "PUT", "PATCH"}} == set(BODIES) | bodiless
    assert len(GUARDED) == 29


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_a_token(module_face: Face, method: str, path: str) -> None:
    async with module_face.client() as stranger:
        answer = await stranger.request(method, path, content=b"{" * 100_000)

    assert _expect_problem(answer, 401)["code"] == "bearer_needed"
    assert answer.headers["www-authenticate"] == 'Bearer realm="guestpass"'


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_the_scope(module_face: Face, method: str, path: str) -> None:
    kind, verb = ("shares" if "/share" in path else "environments"), ("read" if method == "GET" else "write")
    others = frozenset(scope for scope in Scope if scope != f"{kind}:{verb}")
    async with module_face.client(Authorization=f"Bearer {module_face.token(scopes=others)}") as stranger:
        answer = await stranger.request(method, path, content=b"not json")

    assert _expect_problem(answer, 403)["code"] == "insufficient_scope"
    assert answer.headers["www-authenticate"] == (
        f'Bearer realm="guestpass", error="insufficient_scope", scope="{kind}:{verb}"'
    )


@pytest.mark.parametrize(("method", "path"), TO_NOTHING)
async def test_with_an_id_that_leads_nowhere(caller: httpx2.AsyncClient, method: str, path: str) -> None:
    bodies = {
        ("PATCH", "/api/environments/nowhere"): {"name": "x"},
        ("PATCH", "/api/environments/nowhere/share/nothing"): {"label": "x"},
        ("POST", "/api/environments/nowhere/accounts"): {"login": "x", "password": "x"},
    }
    answer = await caller.request(method, path, json=bodies.get((method, path)))

    _expect_problem(answer, 404)


@pytest.mark.parametrize(
    "odd", ["%00", "a%00b", "%2e%2e", "caf%C3%A9", "%ff", "gp_" + SECRET, "x" * 3000, "%F0%9F%98%80"]
)
@pytest.mark.parametrize(("method", "path"), TO_NOTHING)
async def test_with_odd_ids(caller: httpx2.AsyncClient, method: str, path: str, odd: str) -> None:
    answer = await caller.request(method, path.replace("nowhere", odd).replace("nothing", odd), content=None)

    _expect_problem(answer, 404, 422)


@pytest.mark.parametrize(("method", "path"), BODIES)
async def test_with_bad_bodies(caller: httpx2.AsyncClient, method: str, path: str) -> None:
    as_json = {"Content-Type": "application/json"}
    secret = json.dumps({"password": [SECRET], "name": {"a": SECRET}, SECRET[:3]: SECRET}).encode()

    async def send(content: Any, **fields: str) -> httpx2.Response:
        return await caller.request(method, path, content=content, headers=as_json | fields)

    for malformed in (b"{", b"\xff", b'{"a":"\\ud800"}', b"[" * 3000, b"{'a': 1}", b'{"a":1}x', SECRET.encode()):
        assert _expect_problem(await send(malformed), 400)["code"] == "malformed_body"
    for wrong in (b"[]", b"null", b'"text"', b"1", secret, b'{"x\\u0000y":1}', b'{"' + b"k" * 5000 + b'":1}'):
        assert _expect_problem(await send(wrong), 422)["errors"]
    assert _expect_problem(await send(b'{"password":"' + b"x" * 200_000 + b'"}'), 413)["code"] == "body_too_large"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(250):
            yield b" " * 1024

    _expect_problem(await send(chunks()), 413)
    text = await caller.request(method, path, content=b"{}", headers={"Content-Type": "text/plain"})
    assert _expect_problem(text, 415)["code"] == "unsupported_media_type"
    untyped = await caller.request(method, path, content=b"{}")
    _expect_problem(untyped, 415)
    patches = "application/json, application/merge-patch+json" if method == "PATCH" else None
    assert untyped.headers.get("accept-patch") == patches


async def test_deeply_wrong_fields_are_named_by_their_path(caller: httpx2.AsyncClient) -> None:
    answer = await caller.post(
        "/api/environments", json={"name": "a", "url": "http://h", "maintenance": {"message": SECRET * 500}}
    )

    assert _expect_problem(answer, 422)["errors"] == [
        {"field": "maintenance.message", "message": "must be at most 2000 characters"}
    ]


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
async def test_methods(caller: httpx2.AsyncClient, path: str) -> None:
    """Whatever Allow names is answered, and what it doesn't name is 405; OPTIONS tells the same."""
    options = await caller.options(path)
    assert (options.status_code, options.content) == (204, b"")
    allowed = options.headers["allow"].split(", ")
    routed = {method for method, each in ROUTES if each == path}
    assert set(allowed) == routed | {"OPTIONS"} | ({"HEAD"} if "GET" in routed else set())
    assert ("accept-patch" in options.headers) == ("PATCH" in routed)

    for method in set(PROBES) - set(allowed) - {"HEAD"}:
        answer = await caller.request(method, path)
        assert _expect_problem(answer, 405)["code"] == "method_not_allowed"
        assert answer.headers["allow"] == options.headers["allow"]


@pytest.mark.parametrize("path", ["/healthz", "/api/openapi.json", "/api/environments", "/api/nothing", "/api/docs"])
async def test_head_is_get_without_the_content(caller: httpx2.AsyncClient, path: str) -> None:
    get, head = await caller.get(path), await caller.head(path)

    assert head.content == b""
    assert head.status_code == get.status_code
    differing = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in differing} == {
        k: v for k, v in get.headers.items() if k not in differing
    }


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/", "/api/environments/", "/healthz/", "/docs", "//api/environments"]
)
async def test_unknown_paths(caller: httpx2.AsyncClient, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = await caller.request(method, f"{caller.base_url}".rstrip("/") + path)
        assert _expect_problem(answer, 404)["code"] == "not_found"


async def test_a_navigating_browser_gets_a_page(module_face: Face) -> None:
    async with module_face.browser() as browser:
        for method, path, status in (
            ("GET", "/nothing", 404),
            ("GET", "/api/environments", 401),
            ("DELETE", "/healthz", 405),
        ):
            answer = await browser.request(method, path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
            assert REQUEST_ID in answer.text


async def test_an_error_of_ours_tells_nothing_and_is_logged(face: Face, tmp_path: Path) -> None:
    async with face.owner() as client:
        made = await client.post("/api/environments", json={"id": "odd", "name": "Odd", "url": "http://127.0.0.1:1"})
        assert made.status_code == 201
        with sqlite3.connect(tmp_path / "guestpass.db") as connection:
            connection.execute("UPDATE environments SET created_at = 'no time at all'")
        connection.close()
        with capture_logs() as entries:
            answer = await client.get("/api/environments/odd")

    problem = _expect_problem(answer, 500)
    assert problem["code"] == "internal_error"
    assert "sql" not in answer.text.lower()
    [entry] = [entry for entry in entries if entry["log_level"] == "error"]
    assert entry["request_id"] == REQUEST_ID
    assert entry["exc_info"]
    assert entry["route"] == "/api/environments/{envId}"
