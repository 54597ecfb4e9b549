"""An owner opens a link as its visitors would: once, past the password, and without a trace."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.dashboard.owner import Owner, signed_in, words
from tests.dashboard.sharing import environment_with, eventually, link_now, page_of, visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def preview_of(owner: Owner, link: dict[str, object]) -> str:
    """The address to which *Open as a visitor* leads."""
    answer = await owner.get(f"{page_of(link)}/preview")
    assert answer.status_code == 303, words(answer)
    return str(answer.headers["location"])


async def lands(web: httpx2.AsyncClient, owner: Owner) -> int:
    """What somebody is answered who has just been let in, or not."""
    return (await web.get(f"{owner.server.public_url}/")).status_code


async def test_an_owner_looks_past_password_and_places_and_is_nobody(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "previewed", sample, {"password": "correct horse", "maxVisitors": 1})
    assert "Open as a visitor" in await owner.see(f"{page_of(link)}/send")
    async with visitor() as browser, visitor() as anna:
        answer = await browser.get(await preview_of(owner, link))
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "Max-Age=900;" in answer.headers["set-cookie"]
        assert await lands(browser, owner) == 200
        # The one place is still free, and she alone is counted.
        entered = await anna.post(
            f"{link['url']}/login", data={"password": "correct horse"}, headers={"Origin": owner.server.public_url}
        )
        assert entered.status_code == 303
        assert await lands(anna, owner) == 200
        assert await lands(browser, owner) == 200
        await browser.get(link["url"])
        await eventually(owner, page_of(link), lambda page: "1 visit in the last" in words(page))
        now = await link_now(owner, link)
        assert (now["visits"], now["visitors"], now["visitorsNow"]) == (1, 1, 1)
        # What ends the link ends the preview.
        await owner.change(f"{page_of(link)}/pause")
        assert await lands(browser, owner) == 410
        refusals = await owner.server.client.get(
            f"/api/environments/{link['environmentId']}/share/{link['id']}/refusals"
        )
        assert refusals.json()["refusals"] == []


async def test_its_address_works_once(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "once", sample, {"password": "correct horse"})
    address = await preview_of(owner, link)
    async with visitor() as first, visitor() as second:
        assert (await first.get(address)).headers["location"] == "/"
        again = await second.get(address)
        assert (again.status_code, again.headers["location"]) == (303, urlsplit(link["url"]).path)
        assert "set-cookie" not in again.headers
        assert "password" in words(await second.get(link["url"])).lower()


async def test_a_ticket_is_no_pass_and_opens_no_other_link(owner: Owner, sample: str) -> None:
    link, other = await environment_with(owner, "forged", sample, {"password": "correct horse"}, {"password": "x" * 9})
    address = await preview_of(owner, link)
    [ticket] = parse_qs(urlsplit(address).query)["preview"]
    for value in (ticket, f"1{ticket[1:]}"):
        async with visitor() as thief:
            thief.cookies.set("guestpass", value)
            assert await lands(thief, owner) == 401
    for wrong in (
        f"{other['url']}?preview={ticket}",
        f"{link['url']}?preview={ticket[:-1]}A",
        f"{link['url']}?preview=",
    ):
        async with visitor() as thief:
            answer = await thief.get(wrong)
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
    # A script of another page, or one of its frames, gets none either.
    for fields in ({"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}):
        async with visitor() as framed:
            answer = await framed.get(address, headers=fields)
            assert "set-cookie" not in answer.headers
    await owner.change(f"{page_of(link)}/rotate")
    async with visitor() as late:
        assert (await late.get(address)).status_code == 410


async def test_one_preview_follows_another_and_a_visit_is_asked_for_first(owner: Owner, sample: str) -> None:
    first, second = await environment_with(owner, "followed", sample, {}, {"password": "correct horse"})
    async with visitor() as browser:
        await browser.get(await preview_of(owner, first))
        answer = await browser.get(await preview_of(owner, second))
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert await lands(browser, owner) == 200
    async with visitor() as anna:
        await anna.get(first["url"])
        answer = await anna.get(await preview_of(owner, second))
        assert answer.status_code == 409
        assert "Switch to this link?" in words(answer)
        # Who switches does not lose the look: no password is asked for, and nobody counts it.
        form = re.search(r'<form method="post" action="([^"]+)"', answer.text)
        assert form is not None
        switched = await anna.post(
            f"{owner.server.public_url}{html.unescape(form[1])}", headers={"Origin": owner.server.public_url}
        )
        assert switched.status_code == 303
        opened = await anna.get(f"{owner.server.public_url}{switched.headers['location']}")
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        assert "Max-Age=900;" in opened.headers["set-cookie"]
        assert await lands(anna, owner) == 200
        assert (await link_now(owner, second))["visitors"] == 0


async def test_who_may_only_look_at_the_dashboard_opens_nothing(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "not-previewed", sample, {})
    async with signed_in(owner.server, "--sub", "eva", "--scope", "shares:read", "--scope", "environments:read") as eva:
        assert (await eva.get(f"{page_of(link)}/preview")).status_code == 403
        assert "/preview" not in (await eva.get(page_of(link))).text
