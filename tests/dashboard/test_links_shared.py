"""The share dialog where no script runs: what it asks, what it gives, and what it says of mistakes."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from tests.dashboard.owner import Owner, words
from tests.dashboard.sharing import environment_with, field_with_id, link_now, page_of, value_of, visitor
from tests.doubles.odoo.handle import Odoo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_link_for_whoever_has_it_is_made_with_two_clicks(owner: Owner, sample: str) -> None:
    await environment_with(owner, "shared", sample)
    form = await owner.get("/environments/shared/share")
    assert "Whoever has the link" in words(form)
    answer = await owner.send("/environments/shared/share", who="token", lifetime="7d", password="abcd-efgh")
    assert answer.status_code == 303, words(answer)
    page = await owner.get(answer.headers["location"])
    url = field_with_id(page, "share-url")
    async with visitor() as anna:
        assert (await anna.get(url)).status_code == 303
    assert url in field_with_id(page, "message-text")
    assert "share-password" not in page.text
    assert '<svg viewBox="' in page.text


async def test_who_shares_what_is_closed_reads_so_before_and_after(owner: Owner, sample: str) -> None:
    await environment_with(owner, "closed", sample)
    assert "in maintenance" not in words(await owner.get("/environments/closed/share"))
    await owner.change("/environments/closed/maintenance", maintenance="Back at five.")
    assert "The environment is in maintenance" in words(await owner.get("/environments/closed/share"))
    answer = await owner.send("/environments/closed/share", who="token", lifetime="7d", password="abcd-efgh")
    made = words(await owner.get(answer.headers["location"]))
    assert "The environment is in maintenance" in made
    assert "End the maintenance before the link is opened." in made


async def test_a_suggested_password_opens_the_link_and_travels_apart(owner: Owner, sample: str) -> None:
    await environment_with(owner, "locked", sample)
    suggested = value_of(await owner.get("/environments/locked/share"), "password")
    assert suggested != value_of(await owner.get("/environments/locked/share"), "password")
    assert len(suggested) >= 16
    page = await owner.send("/environments/locked/share", who="password", lifetime="24h", password=suggested)
    assert page.status_code == 200
    url = field_with_id(page, "share-url")
    assert field_with_id(page, "share-password") == suggested
    message, alone = field_with_id(page, "message-text"), field_with_id(page, "second-text")
    assert url in message
    assert suggested not in message
    assert suggested in alone
    assert url not in alone
    for address in re.findall(r'href="mailto:([^"]+)"', page.text):
        assert (suggested in address) is not ("%2Fshare%2F" in address)
    async with visitor() as anna:
        entered = await anna.post(
            f"{url}/login", data={"password": suggested}, headers={"Origin": owner.server.public_url}
        )
        assert entered.status_code == 303
    # Both in one only where that is asked for; a password never stands in an address.
    send = re.search(r'<form id="share-message"[^>]* action="([^"]+)"', page.text)
    assert send is not None
    together = await owner.send(send[1], password=suggested, language="fr", together="true")
    assert together.status_code == 200
    message = field_with_id(together, "message-text")
    assert url in message
    assert suggested in message
    assert "Bonjour" in message
    assert "second-text" not in together.text


@pytest.mark.parametrize(
    ("accepted", "language", "greeting"),
    [("", "en", "Hello"), ("de-AT,de;q=0.9", "de", "Guten Tag"), ("", "es", "Hola"), ("", "pt", "Olá")],
)
async def test_the_message_speaks_the_visitors_language(
    owner: Owner, sample: str, accepted: str, language: str, greeting: str
) -> None:
    if (await owner.get("/environments/spoken")).status_code == 404:
        await environment_with(owner, "spoken", sample)
    link = await owner.server.create_link("spoken")
    query = "" if accepted else f"?language={language}"
    page = await owner.web.get(f"{page_of(link)}/send{query}", headers={"Accept-Language": accepted})
    assert field_with_id(page, "message-text").startswith(greeting)
    assert f'<option value="{language}" selected>' in page.text


async def test_all_that_folds_away_is_kept(owner: Owner, odoo: Odoo) -> None:
    await owner.server.add_environment(id="folded", name="Folded", url=odoo.url, kind="odoo")
    await owner.change("/environments/folded/accounts", login="demo", password="demo", name="auditor")
    form = await owner.get("/environments/folded/share")
    assert "Signed in as auditor (demo)" in words(form)
    at = (datetime.now(UTC) + timedelta(days=2)).replace(second=0, microsecond=0)
    page = await owner.change(
        "/environments/folded/share",
        who="token",
        lifetime="date",
        expiresOn=at.strftime("%Y-%m-%dT%H:%M"),
        signInAs="auditor",
        access="readOnly",
        label="For the auditors",
        note="Until spring",
        startPath="/odoo/crm",
        maxVisitors="4",
        allowedIPs="198.51.100.0/24\n192.0.2.7",
    )
    assert "For the auditors" in page
    [link] = await owner.server.links("folded")
    assert datetime.fromisoformat(link["expiresAt"]) == at
    assert (link["label"], link["note"], link["startPath"]) == ("For the auditors", "Until spring", "/odoo/crm")
    assert (link["maxVisitors"], link["allowedIPs"]) == (4, ["198.51.100.0/24", "192.0.2.7"])
    assert (link["signInAs"]["account"], link["access"], link["createdBy"]) == ("auditor", "readOnly", "anna")


async def test_mistakes_are_told_at_once_and_nothing_typed_is_lost(owner: Owner, sample: str) -> None:
    await environment_with(owner, "mistaken", sample)
    typed = {
        "label": "Kept <label>",
        "note": "Kept note",
        "startPath": "crm",
        "allowedIPs": "nowhere",
        "password": "short",
    }
    page = await owner.send("/environments/mistaken/share", who="password", lifetime="30d", **typed)
    assert page.status_code == 422
    for said in ("must begin with a slash", "must hold IPv4", "must be 8 to 1024 bytes"):
        assert said in words(page)
    for name, value in typed.items():
        assert value_of(page, name) == value
    assert 'name="who" value="password" checked' in page.text
    assert 'name="lifetime" value="30d" checked' in page.text
    assert "<details open>" in page.text
    for fields, said in (
        ({"who": "password", "lifetime": "7d", "password": ""}, "is needed"),
        ({"who": "token", "lifetime": "7d", "maxVisitors": "many"}, "whole number"),
        ({"who": "token", "lifetime": "date"}, "must be a date"),
        ({"who": "token", "lifetime": "7d", "access": "root"}, "must be full or readOnly"),
        ({"who": "token", "lifetime": "7d", "signInAs": "auditor"}, "kind odoo"),
    ):
        page = await owner.send("/environments/mistaken/share", **fields)
        assert page.status_code == 422, fields
        assert said in words(page)
    assert await owner.server.links("mistaken") == []


async def test_a_password_is_changed_and_taken_away(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "relocked", sample, {"password": "correct horse"})
    page = await owner.send(f"{page_of(link)}/password", who="password", password="better horse")
    assert page.status_code == 200
    assert field_with_id(page, "share-password") == "better horse"
    async with visitor() as anna:
        origin = {"Origin": owner.server.public_url}
        for password, status in (("correct horse", 401), ("better horse", 303)):
            answer = await anna.post(f"{link['url']}/login", data={"password": password}, headers=origin)
            assert answer.status_code == status
    assert (await owner.send(f"{page_of(link)}/password", who="token")).status_code == 200
    assert (await link_now(owner, link))["shareType"] == "token"
    # Nobody can look it up any more.
    assert "better horse" not in html.unescape((await owner.get(f"{page_of(link)}/send")).text)
