"""Accounts that links sign visitors in as, and methods that view-only links may call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.dashboard.owner import Owner, words
from tests.doubles.odoo.handle import Odoo, running_odoo
from tests.odoo.visitor import opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def environment(owner: Owner, odoo: Odoo) -> AsyncIterator[str]:
    """The path of an environment of its own."""
    server = owner.server
    registered = await server.add_environment(name="With accounts", url=odoo.url, kind="odoo")
    yield f"/environments/{registered['id']}"
    await server.client.delete(f"/api/environments/{registered['id']}")


async def test_an_account_is_added_renewed_and_removed(owner: Owner, environment: str) -> None:
    assert "No accounts yet" in await owner.see(f"{environment}/accounts")
    said = await owner.change(f"{environment}/accounts", login="demo", password="demo", name="auditor")
    assert "Links can sign visitors in as auditor." in said
    assert "auditor demo user" in said
    api = owner.server.client
    path = f"/api{environment}/accounts"
    before = (await api.get(path)).json()["accounts"][0]
    said = await owner.change(f"{environment}/accounts/auditor", login="demo", password="demo")
    assert "Links go on with them." in said
    assert before["name"] == "auditor"
    link = await owner.server.create_link(environment.rpartition("/")[2], signInAs="auditor")
    answer = await owner.send(f"{environment}/accounts/auditor/remove")
    assert answer.status_code == 409
    assert "1 active share link signs visitors in as this account" in words(answer)
    await owner.server.deactivate(link["environmentId"], link["id"])
    assert "The account auditor is removed." in await owner.change(f"{environment}/accounts/auditor/remove")
    assert (await api.get(path)).json()["accounts"] == []


async def test_what_odoo_refuses_is_said_beside_its_field_and_no_password_comes_back(
    owner: Owner, environment: str
) -> None:
    answer = await owner.send(f"{environment}/accounts", login="demo", password="not the password")
    assert answer.status_code == 422
    assert "Password in Odoo Odoo does not accept this login and password" in words(answer).replace("optional ", "")
    assert 'value="demo"' in answer.text
    assert "not the password" not in answer.text
    answer = await owner.send(f"{environment}/accounts", login="admin", password="admin")
    assert answer.status_code == 422
    assert "must be true for a user that administers Odoo" in words(answer)
    said = await owner.change(f"{environment}/accounts", login="admin", password="admin", allowAdmin="true")
    assert "administrator" in said


async def test_a_refused_method_is_opened_with_one_click_and_shut_again(owner: Owner) -> None:
    with running_odoo() as odoo:
        fields = {"access": "readOnly", "signInAs": {"login": "demo", "password": "demo"}}
        async with opened(owner.server, odoo, link_fields=fields) as visitor:
            path = f"/environments/{visitor.environment['id']}/view-only"
            assert "Nothing was refused" in await owner.see(path)
            for method in ("get_figures", "write"):
                await visitor.call("/web/dataset/call_kw", model="res.partner", method=method, args=[[1]], kwargs={})
            await visitor.get("/agency/figures/17")
            page = await owner.see(path)
            # They are written within a second.
            for _ in range(600):
                if all(each in page for each in ("res.partner/write", "res.partner/get_figures", "/agency/figures/*")):
                    break
                page = await owner.see(path)
            assert "Allow only what reads." in page
            assert "res.partner/write 1 time just now writes, so it stays refused" in page
            answer = await owner.send(f"{path}/open", method="res.partner/write")
            assert answer.status_code == 422
            assert "can't open methods that write" in words(answer)
            assert "may now call /agency/figures/*." in await owner.change(f"{path}/open", method="/agency/figures/*")
            assert (await visitor.get("/agency/figures/17")).text.startswith("Figures of 17")
            await owner.change(f"{path}/close", method="/agency/figures/*")
            assert (await visitor.get("/agency/figures/17")).status_code == 403
            answer = await owner.send(f"{path}/open", method="/web/login")
            assert answer.status_code == 422
            assert "/web/login can't be allowed: it can't open addresses" in words(answer)
            said = await owner.change(f"{path}/open", method="res.partner/get_figures")
            assert "View-only links may now call res.partner/get_figures." in said
            api = owner.server.client
            shown = (await api.get(f"/api/environments/{visitor.environment['id']}")).json()
            assert shown["readOnlyAllow"] == ["res.partner/get_figures"]
            said = await owner.change(f"{path}/close", method="res.partner/get_figures")
            assert "refuse res.partner/get_figures again" in said
            assert (await api.get(f"/api/environments/{visitor.environment['id']}")).json()["readOnlyAllow"] == []
