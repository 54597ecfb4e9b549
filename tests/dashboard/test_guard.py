"""What the dashboard answers to whom: listeners, hosts, origins, forms, and the fields of each answer."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from tests.dashboard.owner import NAVIGATION, Owner, nobody, signed_in, words

from guestpass.web.dashboard.application import create_dashboard

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATHS = ["/", "/sign-in", "/environments", "/events", "/open/x", "/add-environment", "/links"]
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
}  # fmt: skip


@pytest.mark.parametrize("path", [*PATHS, "/static/dashboard.css"])
async def test_the_public_listener_never_serves_it(owner: Owner, path: str) -> None:
    """Not even to an owner's cookies, nor to somebody who claims to come by the other listener."""
    server = owner.server
    cookies = {"Cookie": f"guestpass_dashboard={owner.web.cookies['guestpass_dashboard']}"}
    for headers in (
        NAVIGATION,
        {**NAVIGATION, **cookies, "X-Guestpass-Admin": "1", "Host": urlsplit(server.admin_url).netloc},
    ):
        async with httpx2.AsyncClient(base_url=server.public_url, headers=headers) as web:
            answer = await web.get(path)
            assert answer.status_code in {404, 421, 401, 403}, answer.text
            assert "/static/" not in answer.text
            assert "Sign in" not in answer.text


async def test_under_another_name_it_says_where_it_is(owner: Owner) -> None:
    server = owner.server
    headers = {"Cookie": f"guestpass_dashboard={owner.web.cookies['guestpass_dashboard']}", **NAVIGATION}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.admin_port}", headers=headers) as web:
        page = await web.get("/environments")
        assert page.status_code == 421
        assert server.admin_url in words(page)
        assert "GUESTPASS_ADMIN_URL" in words(page)


async def test_every_answer_carries_the_same_fields(owner: Owner) -> None:
    for path, status in (("/environments", 200), ("/sign-in", 303), ("/nothing", 404), ("/environments/none", 404)):
        answer = await owner.get(path)
        assert answer.status_code == status
        policy = {part.strip() for part in answer.headers["content-security-policy"].split(";")}
        assert policy == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_head_tells_of_a_page_what_get_does(owner: Owner) -> None:
    for path in (
        "/environments",
        "/links",
        "/sign-in",
        "/nothing",
        *re.findall(r'"(/static/[^"]+)"', await pages(owner)),
    ):
        got, head = await owner.web.get(path), await owner.web.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        # A page names its request, which makes it longer or shorter once it is compressed.
        of_files = ("content-length",) if path.startswith("/static/") else ()
        for name in ("content-type", "cache-control", "location", *of_files):
            assert head.headers.get(name) == got.headers.get(name), (path, name)
    assert (await owner.web.head("/events")).status_code == 405


async def pages(owner: Owner) -> str:
    return (await owner.get("/environments")).text


async def test_pages_styles_and_scripts_are_compressed(owner: Owner) -> None:
    for path in ("/environments", *re.findall(r'"(/static/[^"]+\.(?:css|js))"', await pages(owner))):
        async with owner.web.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            sent = sum([len(part) async for part in answer.aiter_raw()])
        plain = await owner.web.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        if len(plain.content) > 2048:
            assert answer.headers["content-encoding"] == "gzip", path
            assert sent < len(plain.content) / 2, path


async def test_styles_and_scripts_may_be_kept_for_as_long_as_they_are_the_same(owner: Owner) -> None:
    page = await owner.get("/environments")
    paths = [part.partition('"')[0] for part in page.text.split('="')[1:] if part.startswith("/static/")]
    assert len(paths) >= 4
    for path in paths:
        file = await owner.get(path)
        assert file.status_code == 200
        assert "immutable" in file.headers["cache-control"]
    assert (await owner.get("/static/000000000000/dashboard.css")).status_code == 404


# Whoever has no session yet sends these two.
UNSIGNED = {"/sign-in": "/sign-in", "/open/{invitation}": "/open/x"}


def changes() -> list[str]:
    """An address for each way to change something, whatever it is about."""
    application = create_dashboard("http://localhost:8081")
    contexts = [context for context in iter_route_contexts(application.routes) if context.methods != {"GET"}]
    assert all(context.methods == {"POST"} for context in contexts)
    paths = {context.path or "" for context in contexts}
    assert paths >= set(UNSIGNED)
    return sorted(re.sub(r"\{\w+\}", "none", path) for path in paths - set(UNSIGNED))


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "null", "https://evil.example", ""])
async def test_a_change_needs_the_dashboards_own_origin(owner: Owner, origin: str) -> None:
    """Another port of the same host is another origin, which cookies don't tell apart."""
    token = await owner.form_token()
    same_host = f"http://localhost:{owner.server.public_port}"
    for path in [*changes(), *UNSIGNED.values()]:
        for claimed in (origin, same_host):
            answer = await owner.web.post(path, data={"csrf": token}, headers={"Origin": claimed})
            assert answer.status_code == 403, path
            assert owner.server.admin_url in words(answer)


@pytest.mark.parametrize("path", changes())
async def test_a_change_needs_the_sessions_own_token(owner: Owner, path: str) -> None:
    async with signed_in(owner.server, "--sub", "eva") as eva:
        for token in ("", "wrong", await eva.form_token()):
            answer = await owner.web.post(path, data={"csrf": token})
            assert answer.status_code == 403, path
            assert "too old" in words(answer)
    async with nobody(owner.server) as stranger:
        answer = await stranger.web.post(path, data={"csrf": await owner.form_token()})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
