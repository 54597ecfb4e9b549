"""A visitor logs out: with a link that signs in their visit is over, with another one it goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.odoo.visitor import NAVIGATION, Visitor, opened
from websockets.asyncio.client import connect

pytestmark = pytest.mark.asyncio(loop_scope="session")
AS_DEMO = {"signInAs": {"login": "demo", "password": "demo"}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    async with installation(workers=2) as running:
        yield running


def path_of(visitor: Visitor) -> str:
    return f"/api/environments/{visitor.environment['id']}/share/{visitor.link['id']}"


async def is_known(visitor: Visitor) -> bool:
    """Whether it was written that somebody came."""
    answer = await visitor.server.client.get(f"{path_of(visitor)}/visitors")
    return bool(answer.json()["visitors"])


async def change(visitor: Visitor, **fields: Any) -> None:
    answer = await visitor.server.client.patch(path_of(visitor), json=fields)
    assert answer.status_code == 200, answer.text


async def ended_at(visitor: Visitor) -> str | None:
    """When the visit of the link's first visitor ended."""
    answer = await visitor.server.client.get(f"{path_of(visitor)}/visitors")
    first = min(answer.json()["visitors"], key=lambda each: each["number"])
    found: str | None = first["endedAt"]
    return found


async def takes_place(visitor: Visitor) -> bool:
    """Whether somebody new is let in."""
    async with httpx2.AsyncClient(base_url=visitor.server.public_url, timeout=30) as web:
        answer = await web.post(visitor.link["url"], headers={**NAVIGATION, "Origin": visitor.origin})
        assert answer.status_code in (303, 403)
        return answer.status_code == 303


async def goes_on(visitor: Visitor) -> bool:
    """Whether the pass still opens something.

    The connections from before were cut, and a worker that has yet to hear of the change cuts new ones too.
    """
    while True:
        async with httpx2.AsyncClient(
            base_url=visitor.server.public_url, cookies=visitor.web.cookies, timeout=30
        ) as web:
            try:
                return (await web.get("/web/login", headers=NAVIGATION)).status_code != 401
            except httpx2.TransportError:
                continue


async def test_logout_is_the_end_of_the_visit(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields=AS_DEMO) as guest:
        assert (await guest.navigate(guest.client)).status_code == 200
        await until(lambda: is_known(guest))
        await change(guest, maxVisitors=1)
        assert not await takes_place(guest)
        copied = dict(guest.web.cookies)
        cookie = "; ".join(f"{name}={value}" for name, value in copied.items())
        url = guest.origin.replace("http", "ws") + f"/websocket?version={guest.odoo.bus_version}"
        async with connect(url, additional_headers={"Cookie": cookie, "Origin": guest.origin}) as tab:
            odoo.forget()
            left = await guest.navigate("/web/session/logout")
            assert (left.status_code, "You have left" in left.text, "open the link" in left.text) == (200, True, True)
            await tab.wait_closed()
        assert await ended_at(guest) is not None
        # On connections of their own, which go to both workers.
        for _ in range(8):
            async with httpx2.AsyncClient(base_url=server.public_url, cookies=copied, timeout=30) as copy:
                assert (await copy.get(guest.client, headers=NAVIGATION)).status_code == 401
        assert odoo.requests("/web/session/authenticate") == []
        assert await takes_place(guest)


async def test_who_leaves_before_anything_of_them_was_written_has_left(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields=AS_DEMO) as guest:
        copied = dict(guest.web.cookies)
        assert (await guest.navigate("/web/session/logout")).status_code == 200
        async with httpx2.AsyncClient(base_url=server.public_url, cookies=copied, timeout=30) as copy:
            assert (await copy.get(guest.client, headers=NAVIGATION)).status_code == 401
        assert await ended_at(guest) is not None


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("HEAD", {}, 405),
        ("OPTIONS", {}, 405),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
        # A page of another link, where links have hosts of their own under one domain.
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        # A picture in a message that somebody sent to this very Odoo.
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ("GET", {**NAVIGATION, "Sec-Purpose": "prefetch;prerender"}, 403),
    ],
    ids=["head", "options", "another-site", "another-link", "picture", "prefetch"],
)
async def test_only_who_means_to_leave_leaves(
    server: Installation, odoo: Odoo, method: str, fields: dict[str, str], status: int
) -> None:
    async with opened(server, odoo, link_fields=AS_DEMO) as guest:
        assert (await guest.navigate(guest.client)).status_code == 200
        odoo.forget()
        for path in ("/web/session/logout", "/web/session/destroy"):
            answer = await guest.web.request(method, path, headers=fields)
            assert answer.status_code == status
        assert odoo.requests("/web/session/logout") == []
        assert (await guest.navigate(guest.client)).status_code == 200


async def test_who_logged_in_by_themselves_logs_out_and_stays_a_visitor(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo) as guest:
        await guest.log_in()
        await until(lambda: is_known(guest))
        await change(guest, maxVisitors=1)
        assert (await guest.navigate("/web/session/logout")).status_code == 303
        assert (await guest.navigate("/web/login")).status_code == 200
        assert await ended_at(guest) is None
        assert not await takes_place(guest)


@pytest.mark.parametrize("changed", [{"access": "readOnly"}, {"signInAs": None}], ids=["access", "sign-in"])
async def test_what_visitors_may_do_can_change_and_they_keep_their_places(
    server: Installation, odoo: Odoo, changed: dict[str, Any]
) -> None:
    async with opened(server, odoo, link_fields=AS_DEMO) as guest:
        assert (await guest.navigate(guest.client)).status_code == 200
        await until(lambda: is_known(guest))
        await change(guest, maxVisitors=1, **changed)
        assert await goes_on(guest)
        assert await ended_at(guest) is None
        assert not await takes_place(guest)
