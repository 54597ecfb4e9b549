"""A form gives back what it was given, and changes only what somebody has changed in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.dashboard.form import fields_of
from tests.dashboard.in_process import Dashboard, dashboard
from tests.dashboard.owner import words
from tests.storage.samples import history_of

from guestpass.app.accounts import SignInCredentials
from guestpass.app.environments import EnvironmentChange, NewEnvironment
from guestpass.app.links import LinkChange, NewLink
from guestpass.domain.access import Principal
from guestpass.domain.branding import Branding, Logo
from guestpass.domain.environment import Environment
from guestpass.domain.link import Access, ShareLink
from guestpass.web.dashboard.environment_forms import FIELDS
from guestpass.wiring import Core

pytestmark = pytest.mark.asyncio(loop_scope="module")


ENVIRONMENT = NewEnvironment(
    id="staging",
    name='The "fair" & <more>',
    url="http://10.0.0.5:8069",
    websocket_url="http://10.0.0.5:8072",
    description="Two lines,\r\n  the second indented\n\nand a last one",
    tls_verify=False,
    body_limit=3 * 1024**3 + 1,
    response_timeout=timedelta(seconds=90, microseconds=500_001),
    maintenance="Back at\nnoon",
    public_url="https://odoo.example.com",
    database="Staging",
    allow_paths=("/jsonrpc", "/xmlrpc/2/common"),
    max_concurrent=7,
    read_only_allow=("res.partner/get_totals", "sale.order/preview"),
)
LINK = NewLink(
    label='For "us" & <them>',
    note="\tTwo lines\r\nof a note",
    sign_in_as="demo",
    access=Access.READ_ONLY,
    start_path="/odoo/crm?view=list&id=1",
    max_visitors=12,
    allowed_ips=("198.51.100.0/24", "2001:db8::/32"),
)
BRANDING = Branding(
    name="Harbour & Søn", logo=Logo("image/png", b"a picture"), colour="#2f5bd7", contact="mailto:help@example.com"
)
SETTINGS = "/environments/staging/settings"


class Shop:
    """An owner's forms, and what is there behind them."""

    def __init__(self, core: Core, who: Principal, web: httpx2.AsyncClient, link: ShareLink) -> None:
        self.core, self.who, self.web, self.link = core, who, web, link
        self.terms = f"/environments/staging/links/{link.id}/edit"

    async def open(self, path: str) -> dict[str, str]:
        """The fields of the form that is sent to the address where it stands."""
        return fields_of((await self.web.get(path)).text, path)

    async def save(self, path: str, fields: dict[str, str]) -> httpx2.Response:
        answer = await self.web.post(path, data=fields)
        assert answer.status_code in {303, 422}, words(answer)
        return answer

    async def environment(self) -> Environment:
        return await self.core.environments.get(self.who, "staging")

    async def all_rows(self) -> tuple[object, ...]:
        """Everything that the forms change, the history, and the number of the newest change."""
        async with self.core.database.reading() as work:
            return (
                await work.environments.all(self.who.org),
                await work.links.get(self.link.id),
                await history_of(work, self.link.id),
                await work.brandings.get(self.who.org),
                await work.changes.last(),
            )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dashboard]:
    folder = tmp_path_factory.mktemp("forms")
    async with dashboard(f"sqlite:///{folder}/guestpass.db", folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def shop(shown: Dashboard, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    """The shop of an organisation of its own."""
    core, who = shown.core, Principal("anna", "".join(filter(str.isalnum, request.node.name))[:60])
    await core.environments.add(who, ENVIRONMENT)
    for login in ("demo", "second"):
        await core.accounts.put(who, "staging", SignInCredentials(login=login, password=f"{login}'s own"))
    link = (await core.links.create(who, "staging", LINK)).link
    await core.branding.put(who, BRANDING)
    async with shown.signed_in(who) as web:
        yield Shop(core, who, web, link)


TERMS = ("label", "note", "visitors", "start", "limit", "networks")


@pytest.mark.parametrize("says_what_it_showed", [True, False])
async def test_a_form_that_nobody_has_touched_changes_nothing(shop: Shop, *, says_what_it_showed: bool) -> None:
    """Whether or not it says how each field was shown: what a field shows is the whole truth."""
    paths = (SETTINGS, "/environments/staging/maintenance", "/branding", *(f"{shop.terms}/{term}" for term in TERMS))
    for path in paths:
        if not says_what_it_showed:
            # Browsers send line breaks as CR and LF, whichever they were shown.
            await shop.core.environments.change(
                shop.who, "staging", EnvironmentChange(description="Two lines,\n  the second indented")
            )
        before, fields = await shop.all_rows(), await shop.open(path)
        shown = [name for name in fields if name.startswith("shown.")]
        assert {name.removeprefix("shown.") for name in shown} >= fields.keys() - {"csrf", *shown}, path
        if not says_what_it_showed:
            fields = {name: value for name, value in fields.items() if name not in shown}
        assert (await shop.save(path, fields)).status_code == 303, path
        assert await shop.all_rows() == before, path


# What each field of each form is changed to, and what another owner changes meanwhile.
CHANGED = {
    "name": "New name",
    "url": "http://10.0.0.6:8069",
    "websocketUrl": "http://10.0.0.6:8072",
    "publicUrl": "https://new.example.com",
    "database": "new",
    "description": "",
    "tlsVerify": "true",
    "bodyLimit": "5 MiB",
    "responseTimeout": "12m",
    "maxConcurrent": "8",
    "allowPaths": "/jsonrpc",
    "readOnlyAllow": "",
}


async def test_two_owners_change_different_settings_and_both_stay(shop: Shop) -> None:
    assert {*CHANGED, "kind"} == set(FIELDS)
    first, second = await shop.open(SETTINGS), await shop.open(SETTINGS)
    names = list(CHANGED)
    assert (await shop.save(SETTINGS, first | {name: CHANGED[name] for name in names[::2]})).status_code == 303
    assert (await shop.save(SETTINGS, second | {name: CHANGED[name] for name in names[1::2]})).status_code == 303
    now = await shop.open(SETTINGS)
    assert {name: now[name] for name in names} == CHANGED


async def test_two_owners_change_one_setting_and_the_second_is_told(shop: Shop) -> None:
    first, second = await shop.open(SETTINGS), await shop.open(SETTINGS)
    await shop.save(SETTINGS, first | {"name": "Of the first", "database": "first"})
    answer = await shop.save(SETTINGS, second | {"name": "Of the second", "maxConcurrent": "9"})
    assert answer.status_code == 422
    assert "Name was set to “Of the first” meanwhile; save again to have it as it stands here." in words(answer)
    now = await shop.environment()
    assert (now.name, now.max_concurrent) == ("Of the first", 7)
    # What they wrote is kept, what they left alone is shown as it is now, and to save again is to want it.
    again = fields_of(answer.text, SETTINGS)
    assert (again["name"], again["maxConcurrent"], again["database"]) == ("Of the second", "9", "first")
    assert (await shop.save(SETTINGS, again)).status_code == 303
    now = await shop.environment()
    assert (now.name, now.max_concurrent, now.database) == ("Of the second", 9, "first")


async def test_two_owners_who_want_the_same_are_told_nothing(shop: Shop) -> None:
    first, second = await shop.open(SETTINGS), await shop.open(SETTINGS)
    for fields in (first, second):
        assert (await shop.save(SETTINGS, fields | {"kind": "odoo", "name": "The same"})).status_code == 303


async def test_a_wrong_field_takes_nothing_back_that_another_owner_has_changed(shop: Shop) -> None:
    fields = await shop.open(SETTINGS) | {"responseTimeout": "long"}
    await shop.core.environments.change(shop.who, "staging", EnvironmentChange(name="Meanwhile"))
    answer = await shop.save(SETTINGS, fields)
    again = fields_of(answer.text, SETTINGS) | {"responseTimeout": "2m"}
    assert (answer.status_code, again["name"]) == (422, "Meanwhile")
    assert (await shop.save(SETTINGS, again)).status_code == 303
    assert (await shop.environment()).name == "Meanwhile"


async def test_who_is_told_of_a_wrong_field_is_told_too_of_what_another_owner_has_changed(shop: Shop) -> None:
    """Or they would overwrite it with the next click, since the form shows them what they wrote."""
    limit = f"{shop.terms}/limit"
    settings, most = await shop.open(SETTINGS), await shop.open(limit)
    await shop.core.environments.change(shop.who, "staging", EnvironmentChange(name="Theirs"))
    await change_link(shop, max_visitors=20)
    answer = await shop.save(SETTINGS, settings | {"name": "Mine", "responseTimeout": "long"})
    assert "Name was set to “Theirs” meanwhile" in words(answer)
    again = fields_of(answer.text, SETTINGS) | {"responseTimeout": "2m"}
    assert (again["name"], (await shop.save(SETTINGS, again)).status_code) == ("Mine", 303)
    answer = await shop.save(limit, most | {"maxVisitors": "many"})
    assert "Most visitors must be a whole number; was set to “20” meanwhile" in words(answer)
    fields = await shop.open("/branding") | {"colour": "#445566"}
    await shop.core.branding.change(shop.who, lambda now: replace(now, colour="#112233", logo=None))
    answer = await shop.web.post("/branding", data=fields, files={"logo": ("logo.png", b"no picture", "image/png")})
    assert answer.status_code == 422
    assert "Colour was set to “#112233” meanwhile" in words(answer)


async def change_link(shop: Shop, **fields: Any) -> None:
    await shop.core.links.change(shop.who, "staging", shop.link.id, LinkChange(**fields))


async def test_terms_of_a_link_are_changed_as_far_as_they_were_changed(shop: Shop) -> None:
    path = f"{shop.terms}/visitors"
    fields = await shop.open(path)
    await change_link(shop, access=Access.FULL)
    assert (await shop.save(path, fields | {"signInAs": "second"})).status_code == 303
    now = (await shop.core.links.get(shop.who, "staging", shop.link.id)).link
    assert (now.account, now.access) == ("second", Access.FULL)
    path = f"{shop.terms}/limit"
    fields = await shop.open(path)
    await change_link(shop, max_visitors=20)
    answer = await shop.save(path, fields | {"maxVisitors": "30"})
    assert "Most visitors was set to “20” meanwhile" in words(answer)
    assert (await shop.save(path, fields_of(answer.text, path))).status_code == 303
    assert (await shop.core.links.get(shop.who, "staging", shop.link.id)).link.max_visitors == 30


async def test_an_account_is_not_given_its_former_login_back_in_silence(shop: Shop) -> None:
    path = "/environments/staging/accounts/demo"
    fields = await shop.open(path) | {"password": "demo's own"}
    await shop.core.accounts.put(
        shop.who, "staging", SignInCredentials(login="admin", password="admin's own", allow_admin=True), name="demo"
    )
    answer = await shop.save(path, fields)
    assert "Login in Odoo was set to “admin” meanwhile" in words(answer)
    assert (await shop.core.accounts.get(shop.who, "staging", "demo")).login == "admin"
    # One that was removed is not made again.
    fields = await shop.open("/environments/staging/accounts/second") | {"password": "second's own"}
    await shop.core.accounts.remove(shop.who, "staging", "second")
    assert (await shop.web.post("/environments/staging/accounts/second", data=fields)).status_code == 404
    assert [each.name for each in await shop.core.accounts.list_all(shop.who, "staging")] == ["demo"]


async def test_a_branding_is_changed_as_far_as_it_was_changed(shop: Shop) -> None:
    first, second, third = [await shop.open("/branding") for _ in range(3)]
    assert (await shop.save("/branding", first | {"removeLogo": "true", "contact": ""})).status_code == 303
    assert (await shop.save("/branding", second | {"colour": "112233"})).status_code == 303
    now = await shop.core.branding.get(shop.who)
    assert now == Branding(name=BRANDING.name, colour="#112233")
    answer = await shop.save("/branding", third | {"colour": "#445566", "name": "Harbour"})
    assert "Colour was set to “#112233” meanwhile" in words(answer)
    assert await shop.core.branding.get(shop.who) == now


async def test_a_message_of_maintenance_is_not_overwritten_in_silence(shop: Shop) -> None:
    path = "/environments/staging/maintenance"
    fields = await shop.open(path)
    await shop.core.environments.change(shop.who, "staging", EnvironmentChange(maintenance=None))
    answer = await shop.save(path, fields | {"maintenance": "Back at one"})
    assert "Message was emptied meanwhile" in words(answer)
    assert (await shop.environment()).maintenance is None


async def test_methods_that_two_owners_open_at_once_are_both_open(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    csrf = (await shop.open(SETTINGS))["csrf"]
    change = shop.core.environments.change

    async def change_late(*arguments: Any, **given: Any) -> Environment:
        monkeypatch.undo()
        await change(shop.who, "staging", EnvironmentChange(read_only_allow=("crm.lead/of_another",)))
        return await change(*arguments, **given)

    for at, method in (("open", "sale.order/opened"), ("close", "crm.lead/none")):
        monkeypatch.setattr(shop.core.environments, "change", change_late)
        await shop.save(f"/environments/staging/view-only/{at}", {"csrf": csrf, "method": method})
        opened = (await shop.environment()).read_only_allow
        assert opened[0] == "crm.lead/of_another"
        assert (method in opened) is (at == "open")
