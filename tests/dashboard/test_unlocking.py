"""An owner sees that a link's password is locked, and opens it for everybody again."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from tests.dashboard.owner import Owner, signed_in, words
from tests.dashboard.sharing import environment_with, eventually, page_of, visitor
from tests.dashboard.test_in_a_browser import PATIENCE, flawless, inspect
from tests.dashboard.test_in_a_browser import signed_in as browser_of
from tests.installation import installation

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "correct horse"


async def test_a_password_that_one_address_can_try_no_more_is_unlocked(owner: Owner, sample: str) -> None:
    [link] = await environment_with(owner, "guessed", sample, {"password": PASSWORD})
    page = await owner.get(page_of(link))
    assert "Accept passwords again" not in page.text
    login = f"/api/environments/{link['environmentId']}/share/{link['id']}/password-tries"
    async with visitor() as guesser:
        fields = {"Origin": owner.server.public_url}

        async def guess(password: str) -> int:
            answer = await guesser.post(f"{link['url']}/login", data={"password": password}, headers=fields)
            return answer.status_code

        for number in range(100):
            if await guess(f"guess {number}") == 429:
                break
        else:
            pytest.fail("guessing never ended")
        assert await guess(PASSWORD) == 429
        # Their own address is locked; the link itself is not.
        assert (await owner.server.client.get(login)).json() == {"lockedUntil": None}
        page = await eventually(owner, page_of(link), lambda page: "After too many wrong passwords" in words(page))
        assert "Accept passwords again" in words(page)
        async with signed_in(owner.server, "--sub", "eva", "--scope", "shares:read") as eva:
            assert "Accept passwords again" not in (await eva.get(page_of(link))).text
            assert (await eva.send(f"{page_of(link)}/unlock")).status_code == 403
        assert "can be tried again" in await owner.change(f"{page_of(link)}/unlock")
        assert await guess(PASSWORD) == 303
        assert "allowed passwords again" in words(await owner.get(page_of(link)))


async def test_a_password_that_nobody_can_try_is_shown_and_unlocked_in_a_browser(browser: Browser, sample: str) -> None:
    async with installation(password_tries_per_link="2/hour") as server:
        await server.add_environment(id="guessed", name="Guessed shop", url=sample, kind="web")
        link = await server.create_link("guessed", label="Guessed", password=PASSWORD)
        context = await browser_of(browser, server)
        async with flawless(context) as page, visitor() as guesser:
            await page.goto(f"{server.admin_url}{page_of(link)}")
            head = page.locator("#link-head")
            await expect(head).to_contain_text("Guessed")
            fields = {"Origin": server.public_url}
            # Three of the address's own, and two that it shares with others who have failed.
            for number in range(5):
                answer = await guesser.post(
                    f"{link['url']}/login", data={"password": f"guess {number}"}, headers=fields
                )
                assert answer.status_code == 401
            # The page hears of it by itself.
            await expect(head).to_contain_text("can try no more until", timeout=PATIENCE)
            assert await inspect(page) == []
            await head.get_by_role("button", name="Accept passwords again").click()
            await expect(page.locator("#messages")).to_contain_text("can be tried again", timeout=PATIENCE)
            await expect(head).not_to_contain_text("can try no more", timeout=PATIENCE)
            answer = await guesser.post(f"{link['url']}/login", data={"password": PASSWORD}, headers=fields)
            assert answer.status_code == 303
