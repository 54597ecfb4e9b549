"""What owners can change about a link, as its visitors notice it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.installation import Installation
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import visiting
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLACK = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"


async def _change(link: Share, **fields: Any) -> dict[str, Any]:
    path = f"/api/environments/{link.environment['id']}/share/{link.id}"
    answer = await link.server.client.patch(path, json=fields)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def _records(link: Share, what: str) -> list[dict[str, Any]]:
    path = f"/api/environments/{link.environment['id']}/share/{link.id}/{what}"
    answer = await link.server.client.get(path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()[what]
    return found


async def test_visitors_land_where_the_owner_wants(server: Installation, sample: str) -> None:
    link = await share(server, sample, startPath="/headers?from=link#top")
    async with link.stranger() as visitor:
        answer = await visitor.navigate(link.path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/headers?from=link#top")


async def test_a_limited_link_lets_so_many_in_and_no_more(server: Installation, sample: str) -> None:
    link = await share(server, sample, maxVisitors=2)
    for number in range(3):
        async with link.stranger() as visitor:
            page = await visitor.navigate(link.path)
            assert page.status_code == 200
            assert f'action="{link.path}"' in page.text
            assert "guestpass" not in visitor.cookies
            answer = await visitor.send(
                "POST",
                link.path,
                {"Origin": link.opens_origin, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            )
            if number < 2:
                assert answer.status_code == 303
                assert (await visitor.get("/headers")).status_code == 200
                # Who is in stays in, and needs no button.
                assert (await visitor.navigate(link.path)).status_code == 303
            else:
                assert answer.status_code == 403
                assert "guestpass" not in visitor.cookies
    assert (await link.listed())["visitors"] <= 2


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["token", "password"])
async def test_a_login_takes_a_place_too(server: Installation, sample: str, password: str | None) -> None:
    link = await share(server, sample, maxVisitors=1, password=password)
    for status in (303, 403):
        async with link.stranger() as visitor:
            answer = await visitor.send("POST", f"{link.path}/login", json={"password": PASSWORD})
            assert answer.status_code == status
            assert bool(visitor.cookies) is (status == 303)
            if status == 303:
                assert (await visitor.navigate(link.path)).status_code == 303
                assert (await visitor.get("/headers")).status_code == 200


async def test_a_program_gets_no_place_without_asking(server: Installation, sample: str) -> None:
    link = await share(server, sample, maxVisitors=1)
    async with link.stranger() as visitor:
        answer = await visitor.get(link.path)
        assert answer.json()["code"] == "confirm_opening"
        assert answer.status_code >= 400
        assert visitor.cookies == {}


async def test_a_program_that_takes_a_place_at_the_public_host_gets_the_content_there(
    own_origins: Installation, sample: str
) -> None:
    link = await share(own_origins, sample, maxVisitors=1)
    async with visiting(own_origins, f"127.0.0.1:{own_origins.public_port}") as program:
        asked = await program.get(link.path)
        assert (asked.status_code, asked.json()["code"]) == (409, "confirm_opening")
        taken = await program.send("POST", link.path)
        assert (taken.status_code, taken.headers["location"]) == (303, link.path)
        assert (await program.get(taken.headers["location"])).status_code == 200
        assert (await program.get("/s-proxy/headers")).status_code == 200


async def test_only_some_networks_may_come(https_server: Installation, sample: str) -> None:
    link = await share(https_server, sample, allowedIPs=["192.0.2.0/24"])
    async with link.stranger() as visitor:
        inside = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
        outside = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "https"}
        assert (await visitor.navigate(link.path, **outside)).status_code == 403
        assert visitor.cookies == {}
        assert (await visitor.navigate(link.path, **inside)).status_code == 303
        assert (await visitor.get("/headers", **inside)).status_code == 200
        assert (await visitor.get("/headers", **outside)).status_code == 403


async def test_no_name_and_no_listener_lets_a_password_be_tried_from_elsewhere(
    https_server: Installation, sample: str
) -> None:
    link = await share(https_server, sample, password=PASSWORD, allowedIPs=["192.0.2.0/24"])
    outside = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "https"}
    async with link.stranger() as visitor:
        for password in (PASSWORD, "wrong"):
            answer = await visitor.send(
                "POST", f"{link.path}/login", {**outside, "User-Agent": SLACK}, json={"password": password}
            )
            assert (answer.status_code, visitor.cookies) == (403, {})
    # The owners' listener answers the same paths.
    for path in (link.path, f"/api{link.path}"):
        answer = await https_server.client.post(f"{path}/login", headers=outside, json={"password": PASSWORD})
        assert answer.status_code == 403
        assert answer.json()["code"] == "address_refused"


async def test_a_replaced_link_says_so_and_the_new_one_opens(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        assert (await visitor.get("/headers")).status_code == 200
        path = f"/api/environments/{link.environment['id']}/share/{link.id}/rotate"
        answer = await server.client.post(path)
        assert answer.status_code == 200, answer.text
        fresh = Share(server, link.environment, answer.json())
        assert fresh.id == link.id
        assert fresh.path != link.path
        # The old URL and the passes that it gave are worth nothing.
        assert (await visitor.get("/headers")).status_code == 401
        old = await visitor.navigate(link.path)
        assert old.status_code == 410
        assert "replaced" in old.text
    async with fresh.visitor() as visitor:
        assert (await visitor.get("/headers")).status_code == 200


async def test_ending_one_visit_leaves_the_others_and_the_link(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as leaving, link.visitor() as staying:
        for visitor in (leaving, staying):
            assert (await visitor.get("/headers")).status_code == 200

        async def known() -> bool:
            return len(await _records(link, "visitors")) == 2

        await until(known)
        first = min(await _records(link, "visitors"), key=lambda each: each["number"])
        path = f"/api/environments/{link.environment['id']}/share/{link.id}/visitors/{first['id']}"
        assert (await server.client.delete(path)).status_code == 204
        statuses = sorted([(await leaving.get("/headers")).status_code, (await staying.get("/headers")).status_code])
        assert statuses == [200, 401]
        # The person can open the link again.
        assert (await leaving.navigate(link.path)).status_code == 303
        assert (await leaving.get("/headers")).status_code == 200


async def test_a_paused_link_opens_again_under_the_same_url(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        await _change(link, active=False)
        assert (await visitor.get("/headers")).status_code == 410
        changed = await _change(link, active=True)
        assert changed["url"] == link.link["url"]
        assert (await visitor.get("/headers")).status_code == 200


async def test_a_new_password_ends_what_the_old_one_opened(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        await _change(link, password=PASSWORD)
        assert (await visitor.get("/headers")).status_code == 401
        assert (await visitor.navigate(link.path)).status_code == 401
        await _change(link, password=None)
        assert (await visitor.navigate(link.path)).status_code == 303


async def test_a_preview_in_a_chat_gets_a_card_that_tells_nothing(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url, label="Secret plans", environment={"name": "Internal name"})
    async with link.stranger() as bot:
        card = await bot.navigate(link.path, User_Agent=SLACK)
        assert card.status_code == 200
        assert 'property="og:title"' in card.text
        for secret in ("Secret plans", "Internal name", upstream.url):
            assert secret not in card.text
        assert bot.cookies == {}
    assert upstream.asked == []
    assert (await link.listed())["visits"] == 0


async def test_who_is_turned_away_can_be_found_by_the_number_on_his_page(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    await _change(link, active=False)
    async with link.stranger() as visitor:
        page = await visitor.navigate(
            link.path, User_Agent="Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
        )
        request_id = page.text.partition("<code>")[2].partition("</code>")[0]
        assert request_id

    async def known() -> bool:
        return any(each["requestId"] == request_id for each in await _records(link, "refusals"))

    await until(known)
    (refusal,) = await _records(link, "refusals")
    assert refusal["reason"] == "link_deactivated"
    assert "Firefox" in refusal["browser"]


async def test_an_application_that_is_down_is_seen_by_the_owner(server: Installation) -> None:
    link = await share(server, "http://127.0.0.1:9")
    async with link.stranger() as visitor:
        await visitor.navigate(link.path)
        assert (await visitor.navigate("/")).status_code == 502

    async def known() -> bool:
        return "upstream_unreachable" in {each["reason"] for each in await _records(link, "refusals")}

    await until(known)
