"""Who gets in to the dashboard, how, and for how long."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta

import pytest
from tests.dashboard.owner import Owner, nobody, signed_in, words
from tests.installation import Installation

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_stranger_is_sent_to_the_sign_in_and_back_to_where_they_wanted(server: Installation) -> None:
    async with nobody(server) as stranger:
        answer = await stranger.get("/environments?q=shop")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?then=/environments?q=shop")
        page = await stranger.get(answer.headers["location"])
        assert 'name="then" value="/environments?q=shop"' in page.text
        bearer = (await server.command("token", "--sub", "eva")).strip()
        answer = await stranger.web.post("/sign-in", data={"token": bearer, "then": "/environments?q=shop"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/environments?q=shop")
        assert "eva" in await stranger.see("/environments")


async def test_signing_in_keeps_every_filter(server: Installation) -> None:
    wanted = "/links?q=a%26b+c%23&status=active&sort=expires"
    async with nobody(server) as stranger:
        page = await stranger.get((await stranger.get(wanted)).headers["location"])
        [then] = re.findall(r'name="then" value="([^"]*)"', page.text)
        bearer = (await server.command("token", "--sub", "eva")).strip()
        answer = await stranger.web.post("/sign-in", data={"token": bearer, "then": html.unescape(then)})
        assert answer.headers["location"] == wanted


@pytest.mark.parametrize("then", ["https://evil.example", "//evil.example", "/\\evil.example", "environments", "/\n/x"])
async def test_nobody_is_led_away_from_the_dashboard(server: Installation, then: str) -> None:
    async with nobody(server) as stranger:
        bearer = (await server.command("token", "--sub", "eva")).strip()
        answer = await stranger.web.post("/sign-in", data={"token": bearer, "then": then})
        assert answer.headers["location"] == "/"


@pytest.mark.parametrize("pasted", ["", "nonsense", "a.b.c"])
async def test_what_is_no_token_is_refused_in_words_and_not_shown_again(server: Installation, pasted: str) -> None:
    async with nobody(server) as stranger:
        answer = await stranger.web.post("/sign-in", data={"token": pasted})
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
        assert not pasted or pasted not in answer.text
        assert "set-cookie" not in answer.headers


async def test_a_token_may_be_pasted_as_it_is_copied(server: Installation) -> None:
    async with nobody(server) as stranger:
        bearer = (await server.command("token", "--sub", "eva")).strip()
        answer = await stranger.web.post("/sign-in", data={"token": f"Bearer {bearer[:30]}\n{bearer[30:]}\n"})
        assert answer.status_code == 303


async def test_the_session_is_a_cookie_that_no_script_and_no_other_site_gets(server: Installation) -> None:
    async with nobody(server) as stranger:
        bearer = (await server.command("token", "--sub", "eva")).strip()
        answer = await stranger.web.post("/sign-in", data={"token": bearer})
        name, _, rest = answer.headers["set-cookie"].partition("=")
        assert name == "guestpass_dashboard"
        attributes = {part.strip().lower() for part in rest.split(";")[1:]}
        assert attributes == {
            "httponly",
            "path=/",
            "samesite=strict",
            f"max-age={timedelta(hours=12).total_seconds():.0f}",
        }
        assert bearer not in answer.headers["set-cookie"]


async def test_a_one_time_address_asks_first_and_works_once(server: Installation) -> None:
    url = json.loads(await server.command("open", "--json", "--org", "lab"))["url"]
    assert url.startswith(f"{server.admin_url}/open/")
    async with nobody(server) as first, nobody(server) as second:
        for browser in (first, second, second):
            # Looking, as a preview does, uses nothing up and signs nobody in.
            page = await browser.get(url)
            assert page.status_code == 200
            assert "set-cookie" not in page.headers
        answer = await first.web.post(url)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        page = await first.get("/environments")
        assert 'title="Organisation lab"' in page.text
        for late in (await second.web.post(url), await second.get(url)):
            assert late.status_code == 410
            assert "Run guestpass open again" in words(late)
        assert (await second.get("/environments")).status_code == 303


async def test_signing_out_ends_the_session_and_not_only_the_cookie(server: Installation) -> None:
    async with signed_in(server, "--sub", "eva") as eva:
        cookie = eva.web.cookies["guestpass_dashboard"]
        assert (await eva.send("/sign-out")).headers["location"] == "/sign-in"
        assert "guestpass_dashboard" not in eva.web.cookies
        answer = await eva.web.get("/environments", headers={"Cookie": f"guestpass_dashboard={cookie}"})
        assert answer.status_code == 303


async def test_a_revoked_token_takes_its_sessions_with_it(server: Installation) -> None:
    async with nobody(server) as eva:
        bearer = (await server.command("token", "--sub", "eva")).strip()
        await eva.web.post("/sign-in", data={"token": bearer})
        assert (await eva.get("/environments")).status_code == 200
        await server.command("token", "revoke", bearer)
        assert (await eva.get("/environments")).status_code == 303
        answer = await eva.web.post("/sign-in", data={"token": bearer})
        assert answer.status_code == 422
        assert "revoked" in words(answer)


async def test_sessions_are_listed_and_ended_on_the_command_line(server: Installation) -> None:
    async with signed_in(server, "--sub", "ines", "--scope", "shares:read") as ines:
        table = await server.command("sessions", "list")
        row = next(line for line in table.splitlines() if "ines" in line)
        assert "shares:read" in row
        assert "127.0.0.1" in row
        said = json.loads(await server.command("sessions", "end", row.split()[0], "--yes", "--json"))
        assert said == {"ended": row.split()[0]}
        assert (await ines.get("/environments")).status_code == 303
        assert "ines" not in await server.command("sessions", "list")


async def test_a_link_from_elsewhere_leads_in_where_the_browser_held_the_cookie_back(owner: Owner) -> None:
    """SameSite=Strict: a link in a mail is followed without the cookie, and our own page's with it."""
    headers = {"Sec-Fetch-Site": "cross-site", "Cookie": ""}
    async with nobody(owner.server) as arriving:
        page = await arriving.web.get("/environments?q=a", headers=headers)
    assert page.status_code == 200
    onward = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert onward is not None
    assert onward[1] == "/environments?q=a"
    assert (await owner.get(onward[1])).status_code == 200
