"""An environment's links at the dashboard, and one link with all that is done to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.dashboard.owner import Owner, signed_in, words
from tests.dashboard.sharing import (
    card_of,
    environment_with,
    eventually,
    link_now,
    page_of,
    row_of,
    value_of,
    visitor,
)
from tests.doubles.odoo.handle import Odoo

pytestmark = pytest.mark.asyncio(loop_scope="session")

HTMX = {"HX-Request": "true"}


async def test_an_environment_without_links_says_what_a_link_is(owner: Owner, sample: str) -> None:
    await environment_with(owner, "unshared", sample)
    page = await owner.get("/environments/unshared")
    assert "No links yet" in words(page)
    assert page.text.count('href="/environments/unshared/share"') == 2


async def test_the_table_says_of_each_link_what_it_takes_and_who_came(owner: Owner, sample: str) -> None:
    opened, paused, locked = await environment_with(
        owner,
        "scanned",
        sample,
        {"label": "For <Anna>", "expiresIn": "50h", "maxVisitors": 7},
        {"label": "Paused one"},
        {"expiresIn": "210m", "password": "correct horse"},
    )
    await owner.server.deactivate("scanned", paused["id"])
    async with visitor() as anna:
        assert (await anna.get(opened["url"])).status_code == 200
        assert (await anna.post(opened["url"], headers={"Origin": owner.server.public_url})).status_code == 303
        page = await eventually(owner, "/environments/scanned", lambda page: "1 ever" in row_of(page, opened))
    row = row_of(page, opened)
    assert row.startswith("For <Anna> by owner@example.com 2 days left Link alone 1 now 1 ever 1 of 7 places")
    assert "never" not in row
    assert "<Anna>" not in page.text
    assert row_of(page, paused).startswith("Paused one by owner@example.com Paused 7 days left Link alone 0 now 0 ever")
    assert "never" in row_of(page, paused)
    assert "3 hours left Link and password" in row_of(page, locked)
    assert "3 links, 2 open" in words(page)
    assert f'data-copy="{opened["url"]}"' in page.text


async def test_a_table_tells_as_what_visitors_of_an_odoo_come(owner: Owner, odoo: Odoo) -> None:
    await owner.server.add_environment(id="with-roles", name="With roles", url=odoo.url, kind="odoo")
    await owner.change("/environments/with-roles/accounts", login="demo", password="demo", name="auditor")
    link = await owner.server.create_link("with-roles", signInAs="auditor", access="readOnly")
    assert "view-only as auditor" in row_of(await owner.get("/environments/with-roles"), link)


async def test_a_long_table_is_paged(owner: Owner, sample: str) -> None:
    links = await environment_with(owner, "crowded", sample, *({"label": f"Link {number}"} for number in range(52)))
    first = await owner.get("/environments/crowded")
    assert first.text.count('<tr id="link-') == 50
    assert "Link 51" in row_of(first, links[51])
    following = first.text.partition('href="/environments/crowded?cursor=')[2].partition('"')[0]
    second = await owner.get(f"/environments/crowded?cursor={following}")
    assert second.text.count('<tr id="link-') == 2
    assert "Link 0" in row_of(second, links[0])


async def test_a_link_is_paused_and_resumed_with_the_same_url(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "paused", sample, {"label": "On and off"})
    page = await owner.change(f"{page_of(link)}/pause", back="environment")
    assert "The link is paused" in page
    assert "Links" in page
    async with visitor() as anna:
        assert (await anna.get(link["url"])).status_code == 410
        page = await owner.change(f"{page_of(link)}/resume")
        assert "The link opens again" in page
        assert (await anna.get(link["url"])).status_code == 303


async def test_a_page_that_is_told_by_htmx_asks_at_once_for_what_changed(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "told-by-htmx", sample, {})
    token = await owner.form_token()
    answer = await owner.web.post(f"{page_of(link)}/pause", headers={**HTMX, "X-CSRF-Token": token})
    assert answer.status_code == 200
    assert "The link is paused" in words(answer)
    assert "<html" not in answer.text
    for topic in (f"link:{link['id']}", "environment:told-by-htmx", "links"):
        assert f'"{topic}"' in answer.headers["hx-trigger"]


async def test_a_link_is_extended_from_now_on(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "extended", sample, {"expiresIn": "1h"})
    assert "24 hours" in await owner.see(f"{page_of(link)}/extend")
    before = datetime.now(UTC)
    assert "works longer" in await owner.change(f"{page_of(link)}/extend", lifetime="30d")
    expires = datetime.fromisoformat((await link_now(owner, link))["expiresAt"])
    assert before + timedelta(days=30) <= expires <= datetime.now(UTC) + timedelta(days=30)


async def test_what_is_chosen_at_first_never_shortens_a_link(owner: Owner, sample: str) -> None:
    """Choices count from now on, so a click on the usual week would take time away from a longer link."""
    links = await environment_with(owner, "long", sample, *({"expiresIn": each} for each in ("20h", "20d", "60d")))
    pages = [await owner.get(f"{page_of(link)}/extend") for link in links]
    chosen = [re.findall(r'name="lifetime" value="(\w+)" checked', page.text) for page in pages]
    assert chosen == [["7d"], ["30d"], ["date"]]
    assert "ends sooner" in await owner.change(f"{page_of(links[1])}/extend", lifetime="24h")
    assert "works longer" in await owner.change(f"{page_of(links[1])}/extend", lifetime="7d")


async def test_an_expired_link_is_opened_again_by_another_end(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "expiring", sample, {"expiresIn": "1s", "label": "Short"})
    page = await eventually(owner, "/environments/expiring", lambda page: "Expired" in row_of(page, link))
    assert "Open again" in row_of(page, link)
    refused = await owner.send(f"{page_of(link)}/resume")
    assert refused.status_code == 422
    assert "expiresIn" in words(refused)
    at = (datetime.now(UTC) + timedelta(days=3)).replace(second=0, microsecond=0)
    typed = at.strftime("%Y-%m-%dT%H:%M")
    await owner.change(f"{page_of(link)}/extend", lifetime="date", expiresOn=typed, expiresAt="")
    assert (await link_now(owner, link))["expiresAt"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
    # Where scripts run, the reader's own zone counts.
    await owner.change(
        f"{page_of(link)}/extend", lifetime="date", expiresOn=typed, expiresAt=(at - timedelta(hours=2)).isoformat()
    )
    assert datetime.fromisoformat((await link_now(owner, link))["expiresAt"]) == at - timedelta(hours=2)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "must be chosen"),
        ({"lifetime": "date"}, "must be a date and a time of day"),
        ({"lifetime": "date", "expiresOn": "tomorrow"}, "such as 2026-03-04T18:00"),
        ({"lifetime": "date", "expiresOn": "2020-01-01T10:00"}, "must be in the future"),
        ({"lifetime": "999999d"}, "must be a duration"),
    ],
)
async def test_an_end_that_cannot_be_is_refused(owner: Owner, sample: str, fields: dict[str, str], said: str) -> None:
    link = await owner.server.create_link(await _some_environment(owner, sample))
    answer = await owner.send(f"{page_of(link)}/extend", **fields)
    assert answer.status_code == 422
    assert said in words(answer)
    assert (await link_now(owner, link))["expiresAt"] == link["expiresAt"]


async def test_everything_a_link_allows_is_changed_on_its_page(owner: Owner, odoo: Odoo) -> None:
    await owner.server.add_environment(id="edited-links", name="Edited", url=odoo.url, kind="odoo")
    await owner.change("/environments/edited-links/accounts", login="demo", password="demo", name="auditor")
    link = await owner.server.create_link("edited-links", label="Before")
    page = await owner.get(f"{page_of(link)}/edit/label")
    assert value_of(page, "label") == "Before"
    assert "Visits" in words(page), "without htmx it is the whole page"
    for term, fields in (
        ("label", {"label": "After"}),
        ("note", {"note": "Asked for by Anna,\nlast week"}),
        ("visitors", {"signInAs": "auditor", "access": "readOnly"}),
        ("start", {"startPath": "/odoo/crm"}),
        ("limit", {"maxVisitors": "3"}),
        ("networks", {"allowedIPs": "198.51.100.0/24, 192.0.2.7"}),
    ):
        assert "Saved." in await owner.change(f"{page_of(link)}/edit/{term}", **fields)
    now = await link_now(owner, link)
    assert (now["label"], now["note"]) == ("After", "Asked for by Anna,\nlast week")
    assert (now["signInAs"]["account"], now["access"]) == ("auditor", "readOnly")
    assert (now["startPath"], now["maxVisitors"]) == ("/odoo/crm", 3)
    assert now["allowedIPs"] == ["198.51.100.0/24", "192.0.2.7"]
    settings = card_of(await owner.get(page_of(link)), "link-terms")
    for said in ("After", "signed in as auditor (demo), view-only", "/odoo/crm", "198.51.100.0/24"):
        assert said in settings
    # What is emptied is taken away.
    for term, name in (("label", "label"), ("limit", "maxVisitors"), ("networks", "allowedIPs")):
        await owner.change(f"{page_of(link)}/edit/{term}", **{name: ""})
    await owner.change(f"{page_of(link)}/edit/visitors", signInAs="")
    now = await link_now(owner, link)
    assert [now[name] for name in ("label", "maxVisitors", "allowedIPs", "signInAs", "access")] == [
        None, None, [], None, "full",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("term", "name", "typed", "said"),
    [
        ("start", "startPath", "crm", "must begin with a slash"),
        ("limit", "maxVisitors", "many", "must be a whole number"),
        ("limit", "maxVisitors", "0", "must be from 1 to"),
        ("networks", "allowedIPs", "somewhere", "must hold IPv4 and IPv6 addresses"),
    ],
)
async def test_a_wrong_value_stays_to_be_corrected(
    owner: Owner, sample: str, term: str, name: str, typed: str, said: str
) -> None:
    link = await owner.server.create_link(await _some_environment(owner, sample))
    for headers in ({}, HTMX):
        data = {"csrf": await owner.form_token(), name: typed}
        answer = await owner.web.post(f"{page_of(link)}/edit/{term}", data=data, headers=headers)
        assert answer.status_code == 422
        assert said in words(answer)
        assert value_of(answer, name) == typed
        assert ("<html" in answer.text) is not bool(headers)
    assert (await link_now(owner, link))[name] == link[name]


async def test_what_is_no_setting_of_a_link_is_not_there(owner: Owner, sample: str) -> None:
    link = await owner.server.create_link(await _some_environment(owner, sample))
    assert (await owner.get(f"{page_of(link)}/edit/version")).status_code == 404
    assert (await owner.send(f"{page_of(link)}/edit/version", version="1")).status_code == 404


async def test_a_new_url_replaces_the_old_one(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "rotated", sample, {"label": "Leaked"})
    assert "Nobody is there now" in await owner.see(f"{page_of(link)}/rotate")
    answer = await owner.send(f"{page_of(link)}/rotate")
    assert answer.headers["location"] == f"{page_of(link)}/send"
    page = await owner.get(answer.headers["location"])
    now = await link_now(owner, link)
    assert now["url"] != link["url"]
    assert now["url"] in page.text
    async with visitor() as anna:
        assert (await anna.get(link["url"])).status_code == 410
        assert (await anna.get(now["url"])).status_code == 303


async def test_a_link_is_removed_once_its_name_was_typed(owner: Owner, sample: str) -> None:
    named, unnamed = await environment_with(owner, "removed-links", sample, {"label": "Done with"}, {})
    for link, name in ((named, "Done with"), (unnamed, unnamed["id"])):
        assert f"Type {name} to confirm" in await owner.see(f"{page_of(link)}/remove")
        refused = await owner.send(f"{page_of(link)}/remove", confirmation="something")
        assert refused.status_code == 422
        assert value_of(refused, "confirmation") == "something"
        assert (await link_now(owner, link))["status"] == "active"
        assert "removed for good" in await owner.change(f"{page_of(link)}/remove", confirmation=f" {name} ")
        assert (await owner.get(page_of(link))).status_code == 404


async def test_one_visit_is_ended_and_the_link_stays(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "ended", sample, {"label": "Two guests"})
    async with visitor() as anna, visitor() as ben:
        for guest in (anna, ben):
            assert (await guest.get(link["url"])).status_code == 303
        page = await eventually(owner, page_of(link), lambda page: "Visitor 2" in card_of(page, "link-visitors"))
        assert card_of(page, "link-visitors").count("live") == 2
        found = (await owner.server.client.get(f"/api{page_of(link).replace('/links/', '/share/')}/visitors")).json()
        first = next(each for each in found["visitors"] if each["number"] == 1)
        warning = await owner.see(f"{page_of(link)}/visitors/{first['id']}/end")
        assert "can open it again" in warning
        assert "give the link a new URL" in warning
        assert "The visit is over" in await owner.change(f"{page_of(link)}/visitors/{first['id']}/end")
        # Both came to the root; only one is let in now.
        answers = {(await guest.get(owner.server.public_url)).status_code for guest in (anna, ben)}
        assert 200 in answers
        assert len(answers) == 2
        assert (await link_now(owner, link))["status"] == "active"
        assert card_of(await owner.get(page_of(link)), "link-visitors").count("live") == 1


async def test_a_refusal_is_listed_with_the_request_that_the_visitor_reads(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "refusing", sample, {"password": "correct horse"})
    async with visitor() as anna:
        answer = await anna.post(
            f"{link['url']}/login", data={"password": "wrong horse"}, headers={"Origin": owner.server.public_url}
        )
    assert answer.status_code == 401
    page = await eventually(owner, page_of(link), lambda page: "Wrong password" in card_of(page, "link-refusals"))
    request = next(word for word in words(answer).split() if "-" in word and word in card_of(page, "link-refusals"))
    assert request


async def test_the_history_tells_who_did_what(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "told-of", sample, {})
    await owner.change(f"{page_of(link)}/edit/label", label="Named")
    async with signed_in(owner.server, "--sub", "eva") as eva:
        await eva.change(f"{page_of(link)}/pause")
    async with visitor() as anna:
        await owner.change(f"{page_of(link)}/resume")
        assert (await anna.get(link["url"])).status_code == 303
    with_visits = f"{page_of(link)}?openings=true"
    page = await eventually(owner, with_visits, lambda page: "A visitor opened it" in card_of(page, "link-history"))
    shown = card_of(page, "link-history")
    told = ("A visitor opened it", "anna opened it again", "eva paused it", "anna changed the label", "made the link")
    assert [shown.index(each) for each in told] == sorted(shown.index(each) for each in told)
    assert "A visitor" not in card_of(await owner.get(page_of(link)), "link-history")


async def test_visits_are_drawn_and_told_as_a_table(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "drawn", sample, {})
    assert "Nobody has opened it yet" in await owner.see(page_of(link))
    for _ in range(3):
        async with visitor() as guest:
            assert (await guest.get(link["url"])).status_code == 303
    for period, name in (("day", f"{datetime.now(UTC):%H}:00"), ("month", f"{datetime.now(UTC):%b %Y}"), ("year", "")):
        page = await eventually(
            owner, f"{page_of(link)}?period={period}", lambda page: "3 visits in the last" in words(page)
        )
        svg = page.text.partition('<div class="chart"')[2].partition("</svg>")[0]
        bars = {"day": 24, "month": 30, "year": 12}[period]
        assert svg.count('class="bar"') == bars
        assert svg.count(": 3 visits</title>") == 1
        assert "style" not in svg
        assert "<script" not in svg
        assert name in svg
    assert "3" in words(page).partition("When (UTC) Visits")[2].partition("Visitors")[0]


async def test_a_mailto_holds_the_whole_message(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "mailed", sample, {"password": "correct horse"})
    page = await owner.get(f"{page_of(link)}/send?language=de")
    address = page.text.partition('href="mailto:')[2].partition('"')[0].replace("&amp;", "&")
    fields = parse_qs(urlsplit(f"mailto:{address}").query)
    assert link["url"] in fields["body"][0]
    assert "Passwort" in fields["body"][0]
    assert fields["subject"][0]


async def test_pages_of_links_that_are_not_there(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "elsewhere", sample, {})
    other = await _some_environment(owner, sample)
    for path in ("", "/send", "/extend", "/password", "/rotate", "/remove", "/visitors", "/history", "/head"):
        assert (await owner.get(f"/environments/{other}/links/{link['id']}{path}")).status_code == 404
        assert (await owner.get(f"/environments/elsewhere/links/zzz{path}")).status_code == 404
    async with signed_in(owner.server, "--sub", "eva", "--org", "strangers") as eva:
        assert (await eva.get(page_of(link))).status_code == 404
        assert (await eva.send(f"{page_of(link)}/pause")).status_code == 404


async def _some_environment(owner: Owner, sample: str) -> str:
    """An environment that several tests share."""
    if (await owner.server.client.get("/api/environments/shared-by-tests")).status_code == 404:
        await environment_with(owner, "shared-by-tests", sample)
    return "shared-by-tests"
