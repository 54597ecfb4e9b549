"""What an owner can say of an Odoo, as its visitors and Odoo itself notice it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.doubles.odoo.handle import Odoo
from tests.gateway.raw_client import RawClient
from tests.installation import Installation
from tests.links.waiting import until
from tests.odoo.visitor import Visitor, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _change(visitor: Visitor, **fields: object) -> None:
    answer = await visitor.server.client.patch(f"/api/environments/{visitor.environment['id']}", json=fields)
    assert answer.status_code == 200, answer.text


def _fields(seen: dict[str, object]) -> dict[str, str]:
    fields = seen["fields"]
    assert isinstance(fields, list)
    return {name.lower(): value for name, value in fields}


async def test_odoo_is_called_by_its_public_url_and_an_administrators_login_leaves_it_so(
    server: Installation, odoo: Odoo, tmp_path: Path
) -> None:
    odoo.set_parameter("web.base.url", "https://erp.example.com")
    async with opened(server, odoo, name=tmp_path.name, publicUrl="https://erp.example.com") as visitor:
        odoo.forget()
        answer = await visitor.log_in("admin", "admin")
        assert answer.status_code == 303
        [seen] = odoo.requests("/web/login")[-1:]
        assert _fields(seen)["host"] == _fields(seen)["x-forwarded-host"] == "erp.example.com"
        assert _fields(seen)["x-forwarded-proto"] == "https"
        assert _fields(seen)["origin"] == "https://erp.example.com"
        assert odoo.base_url == "https://erp.example.com"


async def test_the_environments_own_database_may_be_named(visitor: Visitor) -> None:
    database = visitor.odoo.database
    await _change(visitor, database=database)
    visitor.odoo.forget()
    await visitor.get(f"/contactus?db={database}&x=1")
    await visitor.get("/contactus?db=other&x=2")
    targets = [seen["target"] for seen in visitor.odoo.requests("/contactus")]
    assert targets == [f"/contactus?db={database}&x=1", "/contactus?x=2"]


async def test_a_door_that_its_owner_opens_is_open_but_never_to_whole_databases(visitor: Visitor) -> None:
    await _change(visitor, allowPaths=["/jsonrpc"])
    visitor.odoo.forget()
    version = {"jsonrpc": "2.0", "id": 1, "params": {"service": "common", "method": "version", "args": []}}
    listing = {"jsonrpc": "2.0", "id": 1, "params": {"service": "db", "method": "list", "args": []}}
    allowed = await visitor.web.post("/jsonrpc", json=version)
    refused = await visitor.web.post("/jsonrpc", json=listing)
    assert "server_version" in allowed.json()["result"]
    assert "error" in refused.json()
    assert visitor.odoo.database not in refused.text
    assert len(visitor.odoo.requests("/jsonrpc")) == 1
    assert (await visitor.navigate("/web/database/manager")).status_code == 403


async def test_no_more_requests_than_its_owner_says_are_at_odoo_at_a_time(visitor: Visitor) -> None:
    await _change(visitor, maxConcurrent=1)
    visitor.odoo.trouble("/slow", held=True)
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.web.cookies.jar)
    clients = []
    for _ in range(2):
        client = await RawClient.connect(visitor.server.public_port)
        client.send(f"GET /slow HTTP/1.1\r\nHost: {visitor.host}\r\nCookie: {cookie}\r\n\r\n".encode())
        clients.append(client)

    async def one_is_there() -> bool:
        return len(visitor.odoo.requests("/slow")) == 1

    await until(one_is_there)
    # The gevent port is no worker; it answers while the turn is taken, and so shows that time has passed.
    assert (await visitor.get("/websocket/health")).status_code == 200
    assert len(visitor.odoo.requests("/slow")) == 1
    visitor.odoo.release()
    for client in clients:
        assert (await client.answer()).status in (200, 404)
        await client.close()
    assert len(visitor.odoo.requests("/slow")) == 2


@pytest.mark.double_only("has other bundles at a word")
async def test_the_end_of_maintenance_makes_us_look_at_assets_again(visitor: Visitor) -> None:
    page = await visitor.navigate("/web/login")
    start = page.text.index("/web/assets/")
    path = page.text[start : page.text.index('"', start)]
    before = await visitor.get(path, Accept_Encoding="identity")
    visitor.odoo.redeploy()
    await _change(visitor, maintenance={"message": "A new version."})
    await _change(visitor, maintenance=None)
    after = await visitor.get(path, Accept_Encoding="identity")
    assert after.status_code == 200
    assert after.content != before.content


async def test_a_form_chooses_no_other_database(visitor: Visitor) -> None:
    page = await visitor.navigate("/web/login")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    visitor.odoo.forget()
    form = {"csrf_token": token, "login": "demo", "password": "demo", "db": "other"}
    fields = {"Origin": visitor.origin, "Sec-Fetch-Site": "same-origin"}
    assert (await visitor.web.post("/web/login", data=form, headers=fields)).status_code in (302, 303)
    assert "other" not in str(visitor.odoo.requests("/web/login")[-1])
    parts = {name: (None, value) for name, value in form.items()}
    assert (await visitor.web.post("/web/login", files=parts, headers=fields)).status_code == 403
