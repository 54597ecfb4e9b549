"""Odoo's web.base.url is what it was, whoever logs in through a link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.odoo.running import running_odoo
from tests.odoo.visitor import opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN_NAME = "https://odoo.example.com"
ADMINISTRATOR = {"name": "boss", "login": "admin", "password": "admin", "allowAdmin": True}
OF_ITS_CONFIGURATION = pytest.mark.double_only("a real Odoo is started with one configuration for all tests")


@contextmanager
def _odoo(
    base_url: str = OWN_NAME, website: str | None = None, *, is_frozen: bool = False, **options: Any
) -> Iterator[Odoo]:
    with running_odoo(**options) as odoo:
        odoo.set_parameter("web.base.url", base_url)
        if is_frozen:
            odoo.set_parameter("web.base.url.freeze", "True")
        if website is not None:
            odoo.set_website_domain(website)
        yield odoo


async def _add_account(server: Installation, environment: dict[str, Any], **account: Any) -> Any:
    added = await server.client.post(f"/api/environments/{environment['id']}/accounts", json=account)
    assert added.status_code == 201, added.text
    return added.json()


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {}),
        ({}, {"publicUrl": "https://another.example.com"}),
        ({"website": "https://www.example.com"}, {}),
        # Without proxy_mode the scheme is always http, whatever it is called by.
        pytest.param({"proxy_mode": False}, {}, marks=OF_ITS_CONFIGURATION),
        ({"is_frozen": True}, {"publicUrl": "https://another.example.com"}),
        ({"base_url": "https://odoo.example.com/behind/a/path"}, {}),
        pytest.param({"workers": 0}, {}, marks=OF_ITS_CONFIGURATION),
    ],
)
async def test_an_administrators_account_does_not_change_it(
    server: Installation, tmp_path: Path, options: dict[str, Any], fields: dict[str, Any]
) -> None:
    with _odoo(**options) as odoo:
        base_url = odoo.base_url
        async with opened(server, odoo, name=tmp_path.name, websocketUrl=None, **fields) as first:
            await _add_account(server, first.environment, **ADMINISTRATOR)
            assert odoo.base_url == base_url
            link = await server.create_link(first.environment["id"], signInAs="boss")
            first.web.cookies.clear()
            assert (await first.navigate(link["url"].removeprefix(server.public_url))).status_code == 303
            page = await first.navigate(first.client)
            assert page.status_code == 200
            assert odoo.sessions("admin")
            assert odoo.base_url == base_url


async def test_an_administrator_who_is_not_allowed_does_not_change_it_either(
    server: Installation, tmp_path: Path
) -> None:
    with _odoo() as odoo:
        async with opened(server, odoo, name=tmp_path.name, publicUrl="https://another.example.com") as visitor:
            refused = await server.client.post(
                f"/api/environments/{visitor.environment['id']}/accounts", json={"login": "admin", "password": "admin"}
            )
            assert refused.status_code == 422
            assert odoo.base_url == OWN_NAME


@pytest.mark.parametrize("options", [{}, pytest.param({"proxy_mode": False}, marks=OF_ITS_CONFIGURATION)])
async def test_a_user_who_became_an_administrator_does_not_change_it(
    server: Installation, tmp_path: Path, options: dict[str, Any]
) -> None:
    with _odoo(**options) as odoo:
        async with opened(server, odoo, name=tmp_path.name) as visitor:
            await _add_account(server, visitor.environment, name="demo", login="demo", password="demo")
            odoo.set_groups("demo", "base.group_system")
            link = await server.create_link(visitor.environment["id"], signInAs="demo")
            visitor.web.cookies.clear()
            await visitor.navigate(link["url"].removeprefix(server.public_url))
            assert (await visitor.navigate(visitor.client)).status_code == 503
            assert odoo.attempts("demo")
            assert odoo.base_url == OWN_NAME


@pytest.mark.parametrize("path", ["/web/login", "/web/login/"])
async def test_an_administrator_who_types_a_password_does_not_change_what_an_account_has_told(
    server: Installation, tmp_path: Path, path: str
) -> None:
    with _odoo(website="https://www.example.com") as odoo:
        async with opened(server, odoo, name=tmp_path.name, publicUrl="https://another.example.com") as visitor:
            before = visitor.environment
            assert "base_url_differs" in [each["code"] for each in before["findings"]]
            await _add_account(server, before, name="demo", login="demo", password="demo")
            told = (await server.client.get(f"/api/environments/{before['id']}")).json()
            assert not [each for each in told["findings"] if each["code"].startswith("base_url")]
            # A visitor of an Odoo that everybody calls by another name logs in by its form.
            page = await visitor.navigate("/web/login")
            token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
            answer = await visitor.web.post(
                path,
                data={"csrf_token": token, "login": "admin", "password": "admin", "redirect": ""},
                headers={"Origin": visitor.origin, "Sec-Fetch-Site": "same-origin"},
            )
            assert answer.status_code == 303
            assert odoo.sessions("admin")
            assert odoo.base_url == OWN_NAME
            names = {dict(each["fields"])["Host"] for each in odoo.requests() if each["method"] == "GET"}
            assert names == {"another.example.com"}
