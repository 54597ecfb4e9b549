"""Environments at the dashboard: the list, one of them, and everything that changes one."""

from __future__ import annotations

import re
import time

import httpx2
import pytest
from tests.dashboard.owner import Owner, signed_in, words
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.odoo.visitor import NAVIGATION
from tests.ports import reserve_ports

pytestmark = pytest.mark.asyncio(loop_scope="session")


def row(page: httpx2.Response, id: str) -> str:
    """What one row of the list says."""
    found = re.search(rf'<tr id="environment-{id}".*?</tr>', page.text, re.DOTALL)
    assert found is not None, page.text
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


async def test_an_empty_list_says_what_an_environment_is_and_how_to_add_one(server: Installation) -> None:
    async with signed_in(server, "--sub", "eva", "--org", "empty") as eva:
        page = await eva.get("/environments")
        assert "No environments yet" in words(page)
        assert 'href="/add-environment"' in page.text


async def test_the_list_says_what_runs_whether_it_answers_and_who_is_there(
    owner: Owner, odoo: Odoo, sample: str
) -> None:
    server = owner.server
    await server.add_environment(id="listed-odoo", name="Listed Odoo", url=odoo.url, kind="odoo")
    await server.add_environment(id="listed-web", name="Listed web", url=sample, kind="web")
    gone = f"http://127.0.0.1:{reserve_ports(1)[0]}"
    await server.add_environment(id="listed-gone", name="Listed gone", url=gone, kind="web")
    links = [await server.create_link("listed-web") for _ in range(3)]
    await server.deactivate("listed-web", links[2]["id"])
    async with httpx2.AsyncClient(headers=NAVIGATION) as visitor:
        assert (await visitor.get(links[0]["url"])).status_code == 303
    page = await owner.get("/environments?q=listed")
    assert row(page, "listed-odoo").endswith("Odoo 18.0 0 0")
    assert "Reachable" in row(page, "listed-odoo")
    assert "Not reachable" in row(page, "listed-gone")
    # A visit is written within a second.
    deadline = time.monotonic() + 30
    while not row(page, "listed-web").endswith("Web application 2 1"):
        assert time.monotonic() < deadline, row(page, "listed-web")
        page = await owner.get("/environments?q=listed")
    assert row(await owner.get("/environments/listed-web/row"), "listed-web") == row(page, "listed-web")


async def test_the_list_is_searched_and_paged(server: Installation) -> None:
    async with signed_in(server, "--sub", "eva", "--org", "many") as eva:
        bearer = (await server.command("token", "--sub", "eva", "--org", "many")).strip()
        gone = f"http://127.0.0.1:{reserve_ports(1)[0]}"
        async with httpx2.AsyncClient(base_url=server.admin_url, headers={"Authorization": f"Bearer {bearer}"}) as api:
            for number in range(53):
                body = {"id": f"many-{number:03}", "name": f"Shop {number:03}", "url": gone, "kind": "web"}
                assert (await api.post("/api/environments", json=body)).status_code == 201
        page = await eva.get("/environments")
        assert len(re.findall(r'<tr id="environment-', page.text)) == 50
        assert "1 to 50 of 53" in words(page)
        assert 'href="/environments?q=&amp;page=2" rel="next"' in page.text
        page = await eva.get("/environments?q=&page=2")
        assert re.findall(r'<tr id="environment-([^"]+)"', page.text) == ["many-050", "many-051", "many-052"]
        assert "51 to 53 of 53" in words(page)
        page = await eva.get("/environments?q=shop 017")
        assert re.findall(r'<tr id="environment-([^"]+)"', page.text) == ["many-017"]
        assert "Nothing matches “<b>”" in words(await eva.get("/environments?q=<b>"))
        assert "<b>" not in (await eva.get("/environments?q=<b>")).text


async def test_an_organisation_sees_its_own_environments_and_nobody_elses(owner: Owner, sample: str) -> None:
    await owner.server.add_environment(id="ours", name="Ours", url=sample, kind="web")
    async with signed_in(owner.server, "--sub", "eva", "--org", "others") as eva:
        assert "Ours" not in await eva.see("/environments")
        for path in ("", "/row", "/head", "/settings", "/accounts", "/view-only", "/maintenance", "/remove"):
            assert (await eva.get(f"/environments/ours{path}")).status_code == 404
        for path in ("/check", "/maintenance/end"):
            assert (await eva.send(f"/environments/ours{path}")).status_code == 404
        assert (await eva.send("/environments/ours/remove", confirmation="ours")).status_code == 404
    assert "Ours" in await owner.see("/environments")


async def test_an_address_is_checked_before_anything_is_saved(owner: Owner, odoo: Odoo) -> None:
    said = await owner.send("/check-environment", name="New", url=odoo.url, kind="odoo", tlsVerify="true")
    assert said.status_code == 200
    assert f"Odoo 18.0 answers at {odoo.url}" in words(said)
    gone = f"http://127.0.0.1:{reserve_ports(1)[0]}"
    assert "can't be used" in words(await owner.send("/check-environment", name="New", url=gone, kind="web"))
    own = f"http://127.0.0.1:{owner.server.admin_port}"
    assert "does not connect to that address" in words(
        await owner.send("/check-environment", name="N", url=own, kind="web")
    )
    assert "Address must begin with http" in words(
        await owner.send("/check-environment", name="N", url="ftp://x", kind="web")
    )
    listed = await owner.server.client.get("/api/environments")
    assert "New" not in [each["name"] for each in listed.json()["environments"]]


async def test_an_environment_is_added_with_all_that_its_form_says(owner: Owner, sample: str) -> None:
    page = await owner.change(
        "/add-environment", name="Added here", url=sample, kind="web", description="For the fair", bodyLimit="3 MiB",
        responseTimeout="90s", publicUrl="https://shop.example.com/", tlsVerify="true",
    )  # fmt: skip
    assert "Added here is added." in page
    assert "Reachable" in page
    added = (await owner.server.client.get("/api/environments/added-here")).json()
    assert added["createdBy"] == "anna"
    assert (added["bodyLimit"], added["responseTimeout"], added["tlsVerify"]) == (3 * 1024**2, "90s", True)
    assert (added["publicUrl"], added["description"]) == ("https://shop.example.com", "For the fair")
    # The message is told once.
    assert "Added here is added." not in await owner.see("/environments/added-here")


async def test_what_is_wrong_is_said_beside_each_field_and_what_was_typed_is_kept(owner: Owner, sample: str) -> None:
    await owner.server.add_environment(id="taken", name="Taken", url=sample, kind="web")
    wrong = {"name": "Keep <me>", "url": f"{sample}/path", "kind": "odoo", "bodyLimit": "lots", "maxConcurrent": "many"}
    answer = await owner.send("/add-environment", **wrong)
    assert answer.status_code == 422
    for field in ("url", "bodyLimit", "maxConcurrent"):
        assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text), field
        assert f'id="{field}-wrong"' in answer.text
    assert "Keep &lt;me&gt;" in answer.text
    assert f'value="{sample}/path"' in answer.text
    answer = await owner.send("/add-environment", name="Other", id="taken", url=sample, kind="web")
    assert answer.status_code == 422
    assert "is taken; choose another" in words(answer)
    answer = await owner.send("/add-environment", name=" ", url=sample, kind="web")
    assert "Name must not be empty" in words(answer)


async def test_settings_are_changed_and_emptied(owner: Owner, sample: str) -> None:
    server = owner.server
    await server.add_environment(
        id="edited", name="Edited", url=sample, kind="web", description="Old", publicUrl="https://old.example.com"
    )
    page = await owner.get("/environments/edited/settings")
    assert 'value="https://old.example.com"' in page.text
    said = await owner.change("/environments/edited/settings", name="Renamed", url=sample, kind="web", bodyLimit="")
    assert "Saved." in said
    now = (await server.client.get("/api/environments/edited")).json()
    assert (now["name"], now["description"], now["publicUrl"]) == ("Renamed", None, None)
    assert now["bodyLimit"] == 2 * 1024**3
    # The box for the certificate was not ticked.
    assert now["tlsVerify"] is False
    answer = await owner.send("/environments/edited/settings", name="", url="x", kind="web")
    assert answer.status_code == 422
    assert (await server.client.get("/api/environments/edited")).json()["name"] == "Renamed"


async def test_maintenance_begins_with_a_message_and_ends(owner: Owner, sample: str) -> None:
    server = owner.server
    await server.add_environment(id="mended", name="Mended", url=sample, kind="web")
    link = await server.create_link("mended")
    answer = await owner.send("/environments/mended/maintenance", maintenance="  ")
    assert answer.status_code == 422
    assert "must not be empty" in words(answer)
    page = await owner.change("/environments/mended/maintenance", maintenance="Back at five.\nSorry!")
    assert "In maintenance." in page
    assert "Back at five." in page
    async with httpx2.AsyncClient(headers=NAVIGATION) as visitor:
        shown = await visitor.get(link["url"])
        assert shown.status_code == 503
        assert "Back at five.\nSorry!" in shown.text
        assert "Maintenance is over" in await owner.change("/environments/mended/maintenance/end")
        assert (await visitor.get(link["url"])).status_code == 303


async def test_a_removal_says_what_it_ends_and_wants_the_id_typed(owner: Owner, sample: str) -> None:
    server = owner.server
    await server.add_environment(id="removed", name="Removed", url=sample, kind="web")
    links = [await server.create_link("removed") for _ in range(2)]
    page = await owner.see("/environments/removed/remove")
    assert "2 open links" in page
    assert "0 visitors" not in page
    answer = await owner.send("/environments/removed/remove", confirmation="Removed")
    assert answer.status_code == 422
    assert "nothing was removed" in words(answer)
    assert (await server.client.get("/api/environments/removed")).status_code == 200
    assert "and its links are removed" in await owner.change("/environments/removed/remove", confirmation="removed")
    assert (await server.client.get("/api/environments/removed")).status_code == 404
    async with httpx2.AsyncClient(headers=NAVIGATION) as visitor:
        assert (await visitor.get(links[0]["url"])).status_code == 404


async def test_a_check_finds_what_has_come_back(owner: Owner, sample: str) -> None:
    server = owner.server
    gone = f"http://127.0.0.1:{reserve_ports(1)[0]}"
    page = await owner.change("/add-environment", name="Comes back", url=gone, kind="web")
    assert "Not reachable for less than a minute" in page
    assert "Visitors get an error page" in page
    await owner.change("/environments/comes-back/settings", name="Comes back", url=sample, kind="web")
    page = await owner.change("/environments/comes-back/check")
    assert "Checked just now." in page
    assert "Not reachable" not in page
    assert "Reachable" in page
    assert (await server.client.get("/api/environments/comes-back")).json()["findings"] != []


async def test_what_the_operator_should_mend_stands_above_the_list(owner: Owner, odoo: Odoo) -> None:
    """Two environments on one origin, and somebody in front who is not trusted."""
    server = owner.server
    assert "Set LINK_DOMAIN" in await owner.see("/environments")
    async with httpx2.AsyncClient(headers={"X-Forwarded-For": "192.0.2.1"}) as proxy:
        await proxy.get(f"{server.public_url}/")
    page = await owner.see("/environments")
    assert "set TRUSTED_PROXIES to 127.0.0.1" in page
    # It concerns the installation, not one environment.
    await server.add_environment(id="one-of-two", name="One of two", url=odoo.url, kind="odoo")
    assert "Set LINK_DOMAIN" not in await owner.see("/environments/one-of-two")
    assert "ADMIN_URL" not in page
