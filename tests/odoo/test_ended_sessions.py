"""What ends the Odoo session of a visitor, at which Odoo, and what does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.links.share import PASSWORD
from tests.odoo.running import running_odoo
from tests.odoo.visitor import NAVIGATION, Visitor, bus_of
from tests.storage.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.double_only("has two databases, and another server to move to"),
]
AS_DEMO = {"login": "demo", "password": "demo"}


@pytest.fixture(scope="module")
def here() -> Iterator[Odoo]:
    """The Odoo at which everybody is signed in."""
    with running_odoo(databases="production,test", workers=0) as odoo:
        yield odoo


@pytest.fixture(scope="module")
def there() -> Iterator[Odoo]:
    """Another one, to which an environment may move."""
    with running_odoo(databases="production", workers=0) as odoo:
        yield odoo


@dataclass
class Scene:
    """A visitor of a link and one of another link to the same environment, both signed in at `here`."""

    server: Installation
    here: Odoo
    there: Odoo
    environment: dict[str, Any]
    visitor: Visitor
    other: Visitor

    @property
    def path(self) -> str:
        return f"/api/environments/{self.environment['id']}"

    @property
    def link(self) -> str:
        return f"{self.path}/share/{self.visitor.link['id']}"

    async def patch(self, path: str, **fields: Any) -> None:
        answer = await self.server.client.patch(path, json=fields)
        assert answer.status_code == 200, answer.text

    async def post(self, path: str, **fields: Any) -> dict[str, Any]:
        answer = await self.server.client.post(path, json=fields)
        assert answer.status_code in (200, 201), answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    async def delete(self, path: str) -> None:
        answer = await self.server.client.delete(path)
        assert answer.status_code in (200, 204), answer.text


async def come(server: Installation, odoo: Odoo, environment: dict[str, Any], link: dict[str, Any]) -> Visitor:
    """Somebody opens the link and is signed in."""
    web = httpx2.AsyncClient(base_url=server.public_url, timeout=30)
    if link["shareType"] == "password":
        assert (await web.post(f"{link['url']}/login", json={"password": PASSWORD})).status_code == 303
    else:
        assert (await web.get(link["url"], headers=NAVIGATION)).status_code == 303
    someone = Visitor(server, odoo, environment, link, web)
    await database_of(someone)
    return someone


async def database_of(visitor: Visitor) -> str:
    """In which database Odoo knows the visitor."""
    info = (await visitor.call("/web/session/get_session_info")).json()
    assert info["result"]["username"] == "demo"
    return str(info["result"]["db"])


@asynccontextmanager
async def opened(server: Installation, here: Odoo, there: Odoo, **link: Any) -> AsyncIterator[Scene]:
    environment = await server.add_environment(
        name="Odoo", url=here.url, kind="odoo", database="production", publicUrl="https://odoo.example.com"
    )
    links = [await server.create_link(environment["id"], signInAs=AS_DEMO, **fields) for fields in (link, {})]
    for odoo in (here, there):
        odoo.expire_sessions()
    visitors = [await come(server, here, environment, each) for each in links]
    try:
        yield Scene(server, here, there, environment, *visitors)
    finally:
        for each in visitors:
            await each.web.aclose()
        await server.client.delete(f"/api/environments/{environment['id']}")
        for odoo in (here, there):
            odoo.release()


@pytest_asyncio.fixture(loop_scope="session")
async def scene(server: Installation, here: Odoo, there: Odoo) -> AsyncIterator[Scene]:
    async with opened(server, here, there) as opened_scene:
        yield opened_scene


def logged_out(odoo: Odoo, before: list[dict[str, Any]]) -> list[str]:
    """Which of these sessions were ended by a logout."""
    ids = [each["sid"] for each in before]
    return [each["sid"] for each in odoo.ended_sessions() if each["sid"] in ids and each["how"] == "logout"]


async def end_visit(scene: Scene) -> None:
    [seen] = await seen_visitors(scene)
    await scene.delete(f"{scene.link}/visitors/{seen['id']}")


async def seen_visitors(scene: Scene) -> list[dict[str, Any]]:
    """Visits are written down a moment after they began."""
    while True:
        answer = await scene.server.client.get(f"{scene.link}/visitors")
        found: list[dict[str, Any]] = answer.json()["visitors"]
        if found:
            return found


async def sign_in_as_somebody_else(scene: Scene) -> None:
    scene.here.add_user("somebody", "else")
    await scene.patch(scene.link, signInAs={"login": "somebody", "password": "else"})


async def give_new_password(scene: Scene) -> None:
    await scene.post(f"{scene.path}/accounts", name="demo", login="demo", password="demo")


async def remove_account(scene: Scene) -> None:
    await scene.delete(scene.link)
    await scene.delete(f"{scene.path}/share/{scene.other.link['id']}")
    await scene.delete(f"{scene.path}/accounts/demo")


async def log_out(scene: Scene) -> None:
    assert "You have left" in (await scene.visitor.navigate("/web/session/logout")).text


async def expire(scene: Scene) -> None:
    await scene.patch(scene.link, expiresAt=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())


ENDS: dict[str, tuple[Callable[[Scene], Awaitable[object]], bool]] = {
    "the link is paused": (lambda scene: scene.delete(scene.link), False),
    "the link expires": (expire, False),
    "the link is removed": (lambda scene: scene.delete(f"{scene.link}/permanent"), False),
    "the link is rotated": (lambda scene: scene.post(f"{scene.link}/rotate"), False),
    "the visit is ended": (end_visit, False),
    "the visitor logs out": (log_out, False),
    "another sign-in": (sign_in_as_somebody_else, False),
    "no sign-in": (lambda scene: scene.patch(scene.link, signInAs=None), False),
    "the account's new password": (give_new_password, True),
    "the account is removed": (remove_account, True),
    "another url": (lambda scene: scene.patch(scene.path, url=scene.there.url), True),
    "another database": (lambda scene: scene.patch(scene.path, database="test"), True),
    "another name": (lambda scene: scene.patch(scene.path, publicUrl="https://other.example.com"), True),
    "the environment is removed": (lambda scene: scene.delete(scene.path), True),
}
"""What is done, and whether it ends the sessions of the environment's other links too."""


@pytest.mark.parametrize("what", ENDS)
async def test_a_session_is_ended_at_the_odoo_where_it_was_made_and_no_other_is(scene: Scene, what: str) -> None:
    mine, others = scene.here.sessions("demo")
    do, all_of_them = ENDS[what]
    scene.there.forget()
    await do(scene)
    ended = [mine["sid"], others["sid"]] if all_of_them else [mine["sid"]]
    await until(lambda: set(logged_out(scene.here, [mine, others])) >= set(ended))
    assert sorted(logged_out(scene.here, [mine, others])) == sorted(ended)
    assert scene.there.requests("/web/session/logout") == []


async def test_a_session_ends_with_the_password_of_its_link(server: Installation, here: Odoo, there: Odoo) -> None:
    async with opened(server, here, there, password=PASSWORD) as scene:
        mine, others = here.sessions("demo")
        await scene.patch(scene.link, password="another password")
        await until(lambda: logged_out(here, [mine]))
        assert logged_out(here, [others]) == []


STAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "networks": ("link", {"allowedIPs": ["127.0.0.0/8"]}),
    "access": ("link", {"access": "readOnly"}),
    "a later end": ("link", {"expiresIn": "300h"}),
    "a label": ("link", {"label": "For Anna"}),
    "places": ("link", {"maxVisitors": 5}),
    "the environment's name": ("path", {"name": "Staging"}),
    "where its bus is": ("path", {"websocketUrl": "http://127.0.0.1:9"}),
    "its certificate": ("path", {"tlsVerify": False}),
    "maintenance": ("path", {"maintenance": {"message": "Back soon"}}),
    "how long it may take": ("path", {"responseTimeout": "30s"}),
    "the same url and database": ("path", {"database": "production"}),
}


@pytest.mark.parametrize("what", STAYS)
async def test_no_other_change_signs_anybody_out(scene: Scene, what: str) -> None:
    before = scene.here.sessions("demo")
    of, fields = STAYS[what]
    await scene.patch(getattr(scene, of), **fields)
    if what == "maintenance":
        await scene.patch(scene.path, maintenance=None)
    scene.here.forget()
    assert [await database_of(each) for each in (scene.visitor, scene.other)] == ["production"] * 2
    # Somebody's logout afterwards is told: whatever was to be told before, was.
    await log_out(scene)
    await until(lambda: logged_out(scene.here, before))
    assert scene.here.attempts() == []
    assert len(logged_out(scene.here, before)) == 1


@pytest.mark.parametrize("fields", ["url", "database"])
async def test_who_is_signed_in_goes_on_at_the_other_odoo_in_silence(scene: Scene, fields: str) -> None:
    former = {each["sid"] for each in scene.here.sessions("demo")}
    scene.here.forget()
    scene.there.forget()
    async with bus_of(scene.visitor) as socket:
        await until(scene.here.sockets)
        await scene.patch(scene.path, **({"url": scene.there.url} if fields == "url" else {"database": "test"}))
        await socket.wait_closed()
    if fields == "url":
        assert await database_of(scene.visitor) == "production"
        assert scene.here.attempts() == []
    else:
        assert await database_of(scene.visitor) == "test"
    seen = repr(scene.there.requests())
    assert [sid for sid in former if sid in seen] == []


async def test_an_odoo_that_is_gone_for_a_while_is_told_when_it_is_back(scene: Scene) -> None:
    before = scene.here.sessions("demo")
    scene.here.order("close")
    await scene.patch(scene.path, url=scene.there.url)
    await until(lambda: "odoo_session_not_ended" in scene.server.log)
    assert await database_of(scene.visitor) == "production"
    scene.here.order("open")
    await until(lambda: len(logged_out(scene.here, before)) == 2, seconds=60)


async def test_an_odoo_that_hangs_holds_up_nobody_elses_sign_outs(scene: Scene) -> None:
    there = await scene.server.add_environment(name="There", url=scene.there.url, kind="odoo", database="production")
    link = await scene.server.create_link(there["id"], signInAs=AS_DEMO)
    scene.there.expire_sessions()
    third = await come(scene.server, scene.there, there, link)
    before = scene.there.sessions("demo")
    scene.here.trouble("/web/session/logout", held=True)
    await scene.delete(scene.link)
    await until(lambda: scene.here.requests("/web/session/logout"))
    # What hangs is asked still, and only its end can be waited for; the other Odoo is told meanwhile.
    await scene.delete(f"/api/environments/{there['id']}/share/{link['id']}")
    await until(lambda: logged_out(scene.there, before))
    assert logged_out(scene.here, scene.here.sessions("demo")) == []
    assert len(scene.here.sessions("demo")) == 2
    await third.web.aclose()
    await scene.delete(f"/api/environments/{there['id']}")


async def test_the_owner_of_a_hanging_odoo_can_remove_it_at_once(scene: Scene) -> None:
    before = scene.here.sessions("demo")
    scene.here.trouble("/web/session/logout", held=True)
    await scene.delete(scene.path)
    assert len(scene.here.sessions("demo")) == 2, "nobody waited for Odoo"
    scene.here.release()
    await until(lambda: len(logged_out(scene.here, before)) == 2, seconds=60)


async def test_what_is_to_be_told_outlives_a_restart_of_ours(scene: Scene) -> None:
    before = scene.here.sessions("demo")
    scene.here.order("close")
    await scene.delete(scene.path)
    await scene.server.stop()
    scene.here.order("open")
    await scene.server.start()
    await until(lambda: len(logged_out(scene.here, before)) == 2, seconds=60)


@pytest.mark.parametrize("fields", ["url", "database", "publicUrl", "name"])
async def test_who_logged_in_by_themselves_takes_no_session_to_another_odoo(
    server: Installation, here: Odoo, there: Odoo, fields: str
) -> None:
    environment = await server.add_environment(name="Odoo", url=here.url, kind="odoo", database="production")
    link = await server.create_link(environment["id"])
    here.expire_sessions()
    async with httpx2.AsyncClient(base_url=server.public_url, timeout=30) as web:
        assert (await web.get(link["url"], headers=NAVIGATION)).status_code == 303
        visitor = Visitor(server, here, environment, link, web)
        await visitor.navigate("/web?db=production")
        await visitor.log_in()
        assert await database_of(visitor) == "production"
        [session] = (each["sid"] for each in here.sessions("demo"))
        for odoo in (here, there):
            odoo.forget()
        change = {"url": there.url, "database": "test", "publicUrl": "https://other.example.com", "name": "Odoo again"}
        answer = await server.client.patch(f"/api/environments/{environment['id']}", json={fields: change[fields]})
        assert answer.status_code == 200, answer.text
        said = (await visitor.call("/web/session/get_session_info")).json()
        assert ("result" in said) is (fields == "name")
        assert (session in repr((here.requests(), there.requests()))) is (fields == "name")
    await server.client.delete(f"/api/environments/{environment['id']}")
