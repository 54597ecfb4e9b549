"""What Odoo hears of a visitor, and what the visitor hears of Odoo."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from tests.links.waiting import until
from tests.odoo.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def _without_token(page: bytes) -> bytes:
    """A page without the token of its forms, which is another one in each answer."""
    return re.sub(rb"\b[0-9a-f]{40}o[0-9]*", b"", page)


def _field(seen: dict[str, object], name: str) -> list[str]:
    fields = seen["fields"]
    assert isinstance(fields, list)
    return [value for each, value in fields if each.lower() == name]


async def test_a_person_logs_in_by_odoos_form_and_works(visitor: Visitor) -> None:
    answer = await visitor.log_in()
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"])._replace(query="", fragment="").geturl().removeprefix(
        visitor.origin
    ) in ("/odoo", "/web")

    partners = await visitor.call(
        "/web/dataset/call_kw/res.partner/web_search_read",
        model="res.partner",
        method="web_search_read",
        args=[],
        kwargs={"domain": [], "specification": {"name": {}}},
    )
    assert partners.status_code == 200
    assert partners.json()["result"]["length"] > 0


async def test_odoo_is_called_by_one_fixed_name_whatever_the_visitor_uses(visitor: Visitor) -> None:
    await visitor.get("/contactus", Referer=f"{visitor.origin}/shop?x=1")
    await visitor.call("/web/webclient/version_info")
    # Its pages call this its address, and nobody said otherwise.
    fixed = urlsplit(visitor.odoo.base_url).netloc

    for path in ("/contactus", "/web/webclient/version_info"):
        [seen] = visitor.odoo.requests(path)
        assert _field(seen, "host") == [fixed]
        assert _field(seen, "x-forwarded-host") == [fixed]
        assert _field(seen, "x-forwarded-proto") == ["http"]
        assert _field(seen, "x-forwarded-for") == ["127.0.0.1"]
        assert visitor.host not in str(seen["fields"])
    [page], [call] = visitor.odoo.requests("/contactus"), visitor.odoo.requests("/web/webclient/version_info")
    assert _field(page, "referer") == [f"{visitor.odoo.base_url}/shop?x=1"]
    assert _field(call, "origin") == [visitor.odoo.base_url]


@pytest.mark.double_only("runs with Werkzeug 2.0, which writes whole addresses")
async def test_a_redirect_to_odoos_own_name_comes_back_on_the_visitors_origin(visitor: Visitor) -> None:
    """Werkzeug 2.0 writes whole addresses, under the name that Odoo was called by."""
    visitor.odoo.change(absolute_redirects=True)
    answer = await visitor.navigate(visitor.client)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{visitor.origin}/web/login?redirect=")


async def test_pages_are_not_kept_not_indexed_and_tell_no_one_where_they_were_read(visitor: Visitor) -> None:
    page = await visitor.navigate("/contactus")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["referrer-policy"] == "same-origin"

    robots = await visitor.get("/robots.txt")
    assert robots.text.splitlines() == ["User-agent: *", "Disallow: /"]
    assert visitor.odoo.requests("/robots.txt") == []


async def test_odoos_own_framing_fields_stay(visitor: Visitor) -> None:
    login = await visitor.navigate("/web/login")
    assert login.headers["x-frame-options"] == "SAMEORIGIN"
    assert login.headers["content-security-policy"] == "frame-ancestors 'self'"


async def test_what_chooses_a_database_or_a_session_does_not_reach_odoo(visitor: Visitor) -> None:
    await visitor.get(
        "/contactus?db=other&x=1&%64b=third",
        X_Odoo_Database="other",
        X_Odoo_dbfilter=".*",
        X_OpenERP_dbfilter=".*",
        X_Openerp_Session_Id="stolen",
    )
    [seen] = visitor.odoo.requests("/contactus")
    assert seen["target"] == "/contactus?x=1"
    assert not [name for name, _ in seen["fields"] if "odoo" in name.lower() or "openerp" in name.lower()]


@pytest.mark.parametrize(
    "path",
    [
        "/web/database/manager",
        "/web/database/selector/",
        "/web/%64atabase/manager",
        "/en/web/database/list",
        "/s-proxy/web/database/manager",
        "/jsonrpc",
        "/xmlrpc/2/db",
        "/json/1/res.partner",
        "/web/session/authenticate",
        "/web/become",
        "/web/tests",
    ],
)
async def test_doors_that_are_shut_are_shut_for_pages_and_programs(visitor: Visitor, path: str) -> None:
    visitor.odoo.forget()
    page = await visitor.navigate(path)
    program = await visitor.web.post(path, content=b"<x/>", headers={"Content-Type": "text/xml"})
    assert page.status_code == 403
    assert "This part isn&#39;t shared" in page.text or "This part isn't shared" in page.text
    assert program.status_code == 403
    assert program.json()["code"] == "not_shared"
    assert visitor.odoo.requests() == []


@pytest.mark.parametrize("path", ["//web/database/manager", "/web/%2e%2e/x", "/a%2fb", "/a%5cb", "/a%0ab"])
async def test_what_could_be_misread_is_refused(visitor: Visitor, path: str) -> None:
    visitor.odoo.forget()
    answer = await visitor.web.get(f"{visitor.origin}{path}")
    assert answer.status_code == 400
    assert visitor.odoo.requests() == []


async def test_a_call_to_a_shut_door_gets_a_dialog_in_odoos_own_language(visitor: Visitor) -> None:
    answer = await visitor.call("/web/session/authenticate", db="demo18", login="admin", password="admin")
    assert answer.status_code == 200
    error = answer.json()["error"]
    assert error["data"]["name"] == "odoo.exceptions.UserError"
    assert "isn't shared" in error["data"]["message"]


async def test_an_ended_link_tells_calls_in_odoos_language_and_pages_by_a_page(visitor: Visitor) -> None:
    await visitor.log_in()
    await visitor.server.deactivate(visitor.environment["id"], visitor.link["id"])
    call = await visitor.call("/web/dataset/call_kw/res.partner/read", model="res.partner", method="read", args=[[1]])
    page = await visitor.navigate(visitor.client)

    assert call.status_code == 200
    assert call.json()["error"]["code"] == 200
    assert "switched off" in call.json()["error"]["data"]["message"]
    assert page.status_code == 410


async def test_maintenance_is_told_to_calls_with_the_owners_words(visitor: Visitor) -> None:
    changed = await visitor.server.client.patch(
        f"/api/environments/{visitor.environment['id']}", json={"maintenance": {"message": "Back at noon."}}
    )
    assert changed.status_code == 200
    call = await visitor.call("/web/dataset/call_kw/res.partner/read", model="res.partner", method="read", args=[[1]])
    assert call.status_code == 200
    assert "Back at noon." in call.json()["error"]["data"]["message"]
    assert (await visitor.navigate(visitor.client)).status_code == 503


@pytest.mark.double_only("is set to leave files to another server while it runs")
async def test_a_file_that_odoo_leaves_to_another_server_is_said_and_not_an_empty_file(visitor: Visitor) -> None:
    await visitor.log_in()
    visitor.odoo.change(x_sendfile=True)
    answer = await visitor.get("/web/content/1112")
    assert answer.status_code == 502
    assert answer.json()["code"] == "accelerated_file"
    assert "x-accel-redirect" not in answer.headers
    assert "--x-sendfile" in answer.json()["detail"]

    async def is_told_to_the_owner() -> bool:
        found = await visitor.server.client.get(f"/api/environments/{visitor.environment['id']}")
        return "x_sendfile" in [each["code"] for each in found.json()["findings"]]

    await until(is_told_to_the_owner)


@pytest.mark.double_only("is set to leave files to another server while it runs")
async def test_who_has_a_file_already_needs_no_other_server(visitor: Visitor) -> None:
    await visitor.log_in()
    whole = await visitor.get("/web/content/1112", Accept_Encoding="identity")
    assert whole.status_code == 200
    visitor.odoo.change(x_sendfile=True)
    again = await visitor.get("/web/content/1112", If_None_Match=whole.headers["etag"], Accept_Encoding="identity")
    assert again.status_code == 304
    assert "x-accel-redirect" not in again.headers


@pytest.mark.double_only("is set to leave files to another server while it runs")
async def test_a_bundle_that_odoo_leaves_to_another_server_is_not_taken_for_an_empty_one(visitor: Visitor) -> None:
    page = await visitor.navigate("/web/login")
    start = page.text.index("/web/assets/")
    bundle = page.text[start : page.text.index('"', start)]
    visitor.odoo.change(x_sendfile=True)
    assert (await visitor.get(bundle)).status_code == 502
    visitor.odoo.change(x_sendfile=False)
    whole = await visitor.get(bundle)
    assert whole.status_code == 200
    assert whole.content


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
async def test_pages_and_calls_are_compressed_as_the_visitor_likes(visitor: Visitor, coding: str) -> None:
    plain = await visitor.get("/contactus", Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    async with visitor.web.stream("GET", "/contactus", headers={"Accept-Encoding": coding}) as packed:
        raw = b"".join([piece async for piece in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == coding
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert _without_token(DECODE[coding](raw)) == _without_token(plain.content)
    assert len(raw) < len(plain.content) / 2


async def test_a_close_delimited_page_arrives_whole(visitor: Visitor) -> None:
    for coding in ("identity", "gzip"):
        page = await visitor.get("/shop", Accept_Encoding=coding)
        assert page.status_code == 200
        assert page.text.rstrip().endswith("</html>")


async def test_a_part_of_a_file_is_never_compressed(visitor: Visitor) -> None:
    part = await visitor.get("/web/static/lib/pdfjs/build/pdf.worker.js", Range="bytes=0-99", Accept_Encoding="gzip")
    assert part.status_code == 206
    assert len(part.content) == 100
    assert "content-encoding" not in part.headers


async def test_the_session_is_odoos_and_stays_hidden_from_scripts_and_from_other_links(visitor: Visitor) -> None:
    await visitor.log_in()
    names = [cookie.name for cookie in visitor.web.cookies.jar]
    assert "session_id" not in names
    assert [name for name in names if name.endswith(".session_id")]
    [seen] = visitor.odoo.requests("/web/login")[-1:]
    assert "guestpass" not in str(_field(seen, "cookie"))
