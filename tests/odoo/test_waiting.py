"""Whoever waits is judged again: what changed meanwhile counts before anything is done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation, installation
from tests.links.waiting import until as until_true
from tests.odoo.running import running_odoo
from tests.odoo.visitor import NAVIGATION, Visitor, opened
from tests.odoo.waiting import AS_DEMO, Request, ask, create, for_a_sign_in, join_bus, pass_in
from tests.storage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two_workers() -> AsyncIterator[Installation]:
    async with installation(workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def shared_odoo() -> Iterator[Odoo]:
    """One Odoo for the whole table: what a test orders of it ends with the test."""
    # A request that is held keeps a worker, and the owner's own tries need one.
    with running_odoo(workers=8) as odoo:
        yield odoo


# What changes.


def _path(visitor: Visitor, more: str = "") -> str:
    return f"/api/environments/{visitor.environment['id']}/share/{visitor.link['id']}{more}"


async def _change_link(visitor: Visitor, **fields: Any) -> None:
    answer = await visitor.server.client.patch(_path(visitor), json=fields)
    assert answer.status_code == 200, answer.text


async def _change_environment(visitor: Visitor, **fields: Any) -> None:
    answer = await visitor.server.client.patch(f"/api/environments/{visitor.environment['id']}", json=fields)
    assert answer.status_code == 200, answer.text


async def _rotate(visitor: Visitor) -> None:
    assert (await visitor.server.client.post(_path(visitor, "/rotate"))).status_code == 200


async def _end_visit(visitor: Visitor) -> None:
    path = _path(visitor, f"/visitors/{pass_in(visitor.web).split('.')[3]}")

    async def is_known() -> bool:
        # Visits are written down by and by.
        return (await visitor.server.client.delete(path)).status_code == 204

    await until_true(is_known)


async def _give_the_account_another_password(visitor: Visitor) -> None:
    visitor.odoo.set_password("demo", "demo")
    answer = await visitor.server.client.post(
        f"/api/environments/{visitor.environment['id']}/accounts",
        json={"name": visitor.link["signInAs"]["account"], "login": "demo", "password": "demo"},
    )
    assert answer.status_code == 200, answer.text


async def _remove_link(visitor: Visitor) -> None:
    assert (await visitor.server.client.delete(_path(visitor, "/permanent"))).status_code == 204


async def _remove_environment(visitor: Visitor) -> None:
    answer = await visitor.server.client.delete(f"/api/environments/{visitor.environment['id']}")
    assert answer.status_code in (200, 204), answer.text


CHANGES: dict[str, Callable[[Visitor], Awaitable[None]]] = {
    "a new URL": _rotate,
    "a new password": lambda visitor: _change_link(visitor, password="correct horse"),
    "other addresses": lambda visitor: _change_link(visitor, allowedIPs=["192.0.2.0/24"]),
    "an ended visit": _end_visit,
    "nobody to be signed in as": lambda visitor: _change_link(visitor, signInAs=None),
    "another account": lambda visitor: _change_link(visitor, signInAs={"login": "portal", "password": "portal"}),
    "another password of the account": _give_the_account_another_password,
    "looking alone": lambda visitor: _change_link(visitor, access="readOnly"),
    "a pause": lambda visitor: visitor.server.deactivate(visitor.environment["id"], visitor.link["id"]),
    "maintenance": lambda visitor: _change_environment(visitor, maintenance={"message": "Back at noon."}),
    "another address of the Odoo": lambda visitor: _change_environment(visitor, url="http://127.0.0.1:9"),
    "a link that is removed": _remove_link,
    "an environment that is removed": _remove_environment,
}


# Where they wait.


async def _for_another_session(stack: AsyncExitStack, visitor: Visitor) -> Request:
    assert "result" in (await visitor.call("/web/session/get_session_info")).json()
    visitor.odoo.expire_sessions("demo")
    return await for_a_sign_in(stack, visitor)


async def _for_a_turn(stack: AsyncExitStack, visitor: Visitor) -> Request:
    assert "result" in (await visitor.call("/web/session/get_session_info")).json()
    # Somebody else has the one turn, through a link of their own to which nothing happens.
    other = await visitor.server.create_link(visitor.environment["id"])
    visitor.odoo.trouble("/slow", held=True)
    async with httpx2.AsyncClient(base_url=visitor.server.public_url, timeout=30) as web:
        assert (await web.get(other["url"], headers=NAVIGATION)).status_code == 303
        await ask(stack, visitor, "GET /slow HTTP/1.1", cookie=pass_in(web))
    await until(lambda: visitor.odoo.requests("/slow"))
    return await create(stack, visitor)


async def _for_an_asset(stack: AsyncExitStack, visitor: Visitor) -> Request:
    page = httpx2.get(f"{visitor.odoo.url}/web/login").text
    path = page[page.index("/web/assets/") :].partition('"')[0]
    visitor.odoo.forget()
    visitor.odoo.trouble(path, held=True)
    request = await ask(stack, visitor, f"GET {path} HTTP/1.1")
    await until(lambda: visitor.odoo.requests(path))
    return request


PLACES: dict[str, Callable[[AsyncExitStack, Visitor], Awaitable[Request]]] = {
    "a sign-in": for_a_sign_in,
    "a sign-in before the bus": partial(for_a_sign_in, ask=join_bus),
    "another session": _for_another_session,
    "a turn": _for_a_turn,
    "an asset": _for_an_asset,
}


@asynccontextmanager
async def _waiting(visitor: Visitor, place: str) -> AsyncIterator[Request]:
    """A request that waits there; in the end nothing waits any more."""
    async with AsyncExitStack() as stack:
        stack.callback(visitor.odoo.release)
        yield await PLACES[place](stack, visitor)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", PLACES)
async def test_what_changes_while_a_request_waits_counts_for_it(
    server: Installation, shared_odoo: Odoo, place: str, change: str
) -> None:
    async with opened(server, shared_odoo, link_fields=AS_DEMO, maxConcurrent=1) as visitor:
        async with _waiting(visitor, place) as request:
            await CHANGES[change](visitor)
            visitor.odoo.release()
            outcome = await request.outcome()
        assert outcome is None or outcome.status >= 400 or b'"error"' in outcome.body
        # What was on its way to Odoo would have been there before this.
        httpx2.get(f"{visitor.odoo.url}/contactus")
        assert visitor.odoo.changes("res.partner") == []
        assert visitor.odoo.requests("/websocket") == []


@pytest.mark.parametrize("change", ["a new URL", "an ended visit", "other addresses", "a pause"])
@pytest.mark.parametrize("place", ["a sign-in", "a sign-in before the bus", "an asset"])
async def test_who_waits_hears_of_it_at_once_on_whichever_worker(
    two_workers: Installation, shared_odoo: Odoo, place: str, change: str
) -> None:
    async with opened(two_workers, shared_odoo, link_fields=AS_DEMO, maxConcurrent=2) as visitor:
        async with _waiting(visitor, place) as request:
            await CHANGES[change](visitor)
            # Odoo has not answered yet, and need not.
            outcome = await request.outcome()
        assert outcome is not None
        assert outcome.status in (200, 401, 403, 410)
        assert outcome.status != 200 or b'"error"' in outcome.body
        assert visitor.odoo.changes("res.partner") == []
