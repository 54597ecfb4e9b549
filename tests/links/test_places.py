"""What ends a place of a link that lets so many in, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from tests.installation import Installation
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import NAVIGATION, Visitor
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def press(visitor: Visitor, link: Share) -> int:
    """Press the button that takes a place; the status that this brings."""
    answer = await visitor.send("POST", link.path, {**NAVIGATION, "Origin": link.opens_origin})
    return answer.status_code


@asynccontextmanager
async def holding(link: Share) -> AsyncIterator[Visitor]:
    """A visitor who has a place, and has used their pass."""
    async with link.stranger() as visitor:
        assert await press(visitor, link) == 303
        assert (await visitor.get("/headers")).status_code == 200
        await until(lambda: _is_known(link))
        yield visitor


async def _is_known(link: Share) -> bool:
    return len(await visitors_of(link)) > 0


async def is_free(link: Share) -> bool:
    """Whether somebody new is let in."""
    async with link.stranger() as visitor:
        if link.link["shareType"] == "password":
            answer = await visitor.send("POST", f"{link.path}/login", json={"password": PASSWORD})
            status = answer.status_code
        else:
            status = await press(visitor, link)
    assert status in (303, 403)
    return status == 303


async def visitors_of(link: Share) -> list[dict[str, Any]]:
    answer = await link.server.client.get(f"/api/environments/{link.environment['id']}/share/{link.id}/visitors")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["visitors"]
    return found


async def change(link: Share, version: int = 1, **fields: Any) -> Share:
    path = f"/api/environments/{link.environment['id']}/share/{link.id}"
    answer = await link.server.client.patch(path, json=fields)
    assert answer.status_code == 200, answer.text
    return Share(link.server, link.environment, answer.json(), version)


async def rotate(link: Share, _: Visitor) -> Share:
    return await link.rotate()


async def set_password(link: Share, _: Visitor) -> Share:
    return await change(link, 2, password=PASSWORD)


async def end_visit(link: Share, _: Visitor) -> Share:
    [first] = await visitors_of(link)
    path = f"/api/environments/{link.environment['id']}/share/{link.id}/visitors/{first['id']}"
    assert (await link.server.client.delete(path)).status_code == 204
    return link


async def pause_and_resume(link: Share, visitor: Visitor) -> Share:
    await change(link, active=False)
    assert (await visitor.get("/headers")).status_code == 410
    return await change(link, active=True)


async def shut_out_and_let_in_again(link: Share, visitor: Visitor) -> Share:
    await change(link, allowedIPs=["192.0.2.0/24"])
    assert (await visitor.get("/headers")).status_code == 403
    return await change(link, allowedIPs=[])


async def lower(link: Share, _: Visitor) -> Share:
    await change(link, maxVisitors=5)
    return await change(link, maxVisitors=1)


async def raise_limit(link: Share, _: Visitor) -> Share:
    return await change(link, maxVisitors=2)


async def remove_limit_and_set_it_again(link: Share, _: Visitor) -> Share:
    await change(link, maxVisitors=None)
    return await change(link, maxVisitors=1)


@dataclass(frozen=True)
class Case:
    """What happens to the one who has a link's only place; and then whether there is room, and their visit is over."""

    happens: Callable[[Share, Visitor], Awaitable[Share]]
    is_free: bool
    is_over: bool


CASES = [
    Case(rotate, is_free=True, is_over=True),
    Case(set_password, is_free=True, is_over=True),
    Case(end_visit, is_free=True, is_over=True),
    Case(pause_and_resume, is_free=False, is_over=False),
    Case(shut_out_and_let_in_again, is_free=False, is_over=False),
    Case(lower, is_free=False, is_over=False),
    Case(raise_limit, is_free=True, is_over=False),
    Case(remove_limit_and_set_it_again, is_free=False, is_over=False),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.happens.__name__)
async def test_a_place_ends_with_what_held_it(server: Installation, sample: str, case: Case) -> None:
    link = await share(server, sample, maxVisitors=1)
    async with holding(link) as visitor:
        assert not await is_free(link)
        after = await case.happens(link, visitor)
        answer = await visitor.get("/headers")
        if case.is_over:
            assert (answer.status_code, answer.json()["code"]) == (401, "pass_missing")
        else:
            assert answer.status_code == 200
        [known] = await visitors_of(link)
        assert (known["endedAt"] is not None) is case.is_over
        if case.is_over:
            # The way back: by the URL or the password that there is now, to a new place.
            way_in = after.visitor() if after.link["shareType"] == "password" else holding(after)
            async with way_in as again:
                assert (await again.get("/headers")).status_code == 200
            assert not await is_free(after)
        else:
            assert await is_free(after) is case.is_free
            assert (await visitor.navigate(after.path)).status_code == 303


async def test_who_goes_to_another_link_gives_up_their_place(one_origin: Installation, sample: str) -> None:
    link = await share(one_origin, sample, maxVisitors=1)
    other = await link.sibling()
    async with holding(link) as visitor:
        copied = dict(visitor.cookies)
        asked = await visitor.navigate(other.path)
        assert "Switch to this link?" in asked.text
        assert await press(visitor, other) == 303
        assert (await visitor.navigate(other.path)).status_code == 303
        [known] = await visitors_of(link)
        assert known["endedAt"] is not None
        async with link.stranger() as copy:
            copy.cookies.update(copied)
            assert (await copy.get("/headers")).status_code == 401
        # And back, by the same two steps.
        assert await press(visitor, link) == 303
        assert await press(visitor, link) == 303
        assert (await visitor.get("/headers")).status_code == 200
        assert not await is_free(link)


@pytest.mark.parametrize("way", ["program", "login", "paused"])
async def test_a_pass_that_another_one_replaces_gives_up_its_place(
    one_origin: Installation, sample: str, way: str
) -> None:
    """Nobody is asked there."""
    link = await share(one_origin, sample, maxVisitors=1)
    other = await link.sibling(**({"password": PASSWORD} if way == "login" else {}))
    async with holding(link) as visitor:
        if way == "paused":
            await change(link, active=False)
            assert (await visitor.navigate(other.path)).status_code == 303
            await change(link, active=True)
        elif way == "login":
            answer = await visitor.send("POST", f"{other.path}/login", json={"password": PASSWORD})
            assert answer.status_code == 303
        else:
            assert (await visitor.get(other.path)).status_code == 200
        await until(lambda: _is_over(link))
        assert await is_free(link)


async def _is_over(link: Share) -> bool:
    return (await visitors_of(link))[0]["endedAt"] is not None


def _take(link: Share, password: str | None = None, **more: str) -> bytes:
    """The request that takes a place."""
    path, body = (link.path, b"") if password is None else (f"{link.path}/login", b"password=" + password.encode())
    fields = {
        "Host": link.opens_at,
        "Origin": link.opens_origin,
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        **NAVIGATION,
        **more,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@pytest.mark.parametrize("password", [None, "correct+horse"], ids=["button", "password"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_connection_that_is_lost_before_the_answer_keeps_no_place(
    server: Installation, sample: str, password: str | None, reset: bool
) -> None:
    """`tests/unit/wire/test_client_connection.py` has each order in which the end and the answer may cross.

    Each time it is another link, since whoever finds the place free has it.
    """
    for _ in range(3):
        link = await share(server, sample, maxVisitors=1, password=PASSWORD if password else None)
        _, writer = await asyncio.open_connection("127.0.0.1", server.public_port)
        writer.write(_take(link, password))
        await writer.drain()
        if reset:
            writer.transport.abort()
        else:
            writer.close()
        await until(partial(is_free, link))


async def test_who_says_no_more_before_the_answer_may_use_it_all_the_same(server: Installation, sample: str) -> None:
    link = await share(server, sample, maxVisitors=1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.public_port)
    writer.write(_take(link))
    writer.write_eof()
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 303")
    name, _, value = answer.partition("Set-Cookie: ")[2].partition(";")[0].partition("=")
    async with link.stranger() as visitor:
        visitor.remembered[name] = value
        assert (await visitor.navigate(link.path)).status_code == 303
        assert (await visitor.get("/headers")).status_code == 200


async def test_many_at_once_who_never_come_back_get_exactly_so_many_places(server: Installation, sample: str) -> None:
    link = await share(server, sample, maxVisitors=5)

    async def one() -> int:
        async with link.stranger() as visitor:
            headers = {**NAVIGATION, "Origin": link.opens_origin, "Host": link.opens_at}
            return (await visitor._client.post(link.path, headers=headers)).status_code

    statuses = await asyncio.gather(*(one() for _ in range(60)))
    assert (statuses.count(303), statuses.count(403)) == (5, 55)


@pytest.mark.parametrize("password", [None, "correct+horse"], ids=["button", "password"])
async def test_a_browser_that_asks_again_takes_the_same_place(
    server: Installation, sample: str, password: str | None
) -> None:
    """Its first answer was lost, and nobody can tell."""
    link = await share(server, sample, maxVisitors=1, password=PASSWORD if password else None)
    async with link.stranger() as visitor:
        assert (await visitor.navigate(link.path)).status_code in (200, 401)
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.remembered.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", server.public_port)
        writer.write(_take(link, password, Cookie=cookie))
        assert (await reader.readline()).startswith(b"HTTP/1.1 303")
        for _ in range(2):
            async with link.stranger() as other:
                assert await attempt(other, link, password) == 403
            assert await attempt(visitor, link, password) == 303
        if password:
            assert (await visitor.navigate(link.path)).status_code == 303
        assert (await visitor.get("/headers")).status_code == 200
        writer.close()
    assert len(await visitors_of(link)) == 1


async def attempt(visitor: Visitor, link: Share, password: str | None) -> int:
    if password is None:
        return await press(visitor, link)
    fields = {**NAVIGATION, "Origin": link.opens_origin}
    return (await visitor.send("POST", f"{link.path}/login", fields, data={"password": PASSWORD})).status_code


@pytest.mark.parametrize("change_it", [rotate, set_password, end_visit], ids=lambda each: each.__name__)
async def test_what_is_promised_to_a_browser_ends_with_the_visit(
    one_origin: Installation, sample: str, change_it: Callable[[Share, Visitor], Awaitable[Share]]
) -> None:
    link = await share(one_origin, sample, maxVisitors=1)
    async with link.stranger() as visitor:
        await visitor.navigate(link.path)
        promise = dict(visitor.cookies)
        assert await press(visitor, link) == 303
        before = visitor.cookies["guestpass"]
        await until(lambda: _is_known(link))
        after = await change_it(link, visitor)
        visitor.forget()
        visitor.cookies.update(promise)
        if after.link["shareType"] == "password":
            await visitor.send("POST", f"{after.path}/login", json={"password": PASSWORD})
        else:
            assert await press(visitor, after) == 303
        assert visitor.cookies["guestpass"].split(".")[3] != before.split(".")[3]
        assert (await visitor.get("/headers")).status_code == 200


async def test_a_pass_that_ended_does_not_hide_a_living_one(server: Installation, sample: str) -> None:
    # A browser may keep two of them: under a name of before, or for another path.
    link = await share(server, sample, maxVisitors=1)
    async with holding(link) as former, link.stranger() as visitor:
        await end_visit(link, former)
        assert await press(visitor, link) == 303
        both = f"{former.cookie}; {visitor.cookie}"
        assert (await visitor.get("/headers", Cookie=both)).status_code == 200
