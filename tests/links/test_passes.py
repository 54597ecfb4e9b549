"""The table of docs/reference/passes.md, cell by cell: what ends what, what visitors read, and how they come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo, running_odoo
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.odoo.visitor import NAVIGATION, Visitor
from tests.odoo.waiting import AS_DEMO, join_bus, pass_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "passes.md"
_COLUMNS = ("pass", "place", "visit", "Odoo session", "open connections", "what they read", "way back")
_PASSWORD = "correct horse"
_PING, _PONG = b"\x89\x80\x00\x00\x00\x00", b"\x8a\x00"


def _rows() -> dict[str, dict[str, str]]:
    """The cells by what happens and by column."""
    lines = [line for line in _PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    head, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert tuple(head[1:]) == _COLUMNS
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


ROWS = _rows()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two_workers() -> AsyncIterator[Installation]:
    async with installation(workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def odoo() -> Iterator[Odoo]:
    with running_odoo(workers=8, databases="demo18,other18") as running:
        yield running


@pytest.fixture(scope="module")
def moved_odoo() -> Iterator[Odoo]:
    """Another server, to which the environment moves."""
    with running_odoo(workers=4) as running:
        yield running


class Case:
    """One visitor of a link of their own that lets one in, with an open WebSocket, and what can be seen of them."""

    def __init__(self, visitor: Visitor, moved_odoo: Odoo, stack: AsyncExitStack) -> None:
        self.visitor = visitor
        self.moved_odoo = moved_odoo
        self.old_pass = pass_in(visitor.web)
        self.url = visitor.link["url"]
        self.password: str | None = None
        self.session = ""
        self._stack = stack

    @property
    def server(self) -> Installation:
        return self.visitor.server

    def path(self, more: str = "") -> str:
        """Where the API has the link."""
        return f"/api/environments/{self.visitor.environment['id']}/share/{self.visitor.link['id']}{more}"

    def cookies(self) -> str:
        """The pass and whatever else the browser holds."""
        others = (f"{each.name}={each.value}" for each in self.visitor.web.cookies.jar if each.name != "guestpass")
        return "; ".join((self.old_pass, *others))

    async def change(self, **fields: Any) -> None:
        """Change the link as its owner does."""
        answer = await self.server.client.patch(self.path(), json=fields)
        assert answer.status_code == 200, answer.text

    async def change_environment(self, **fields: Any) -> None:
        """Change what it leads to."""
        answer = await self.server.client.patch(f"/api/environments/{self.visitor.environment['id']}", json=fields)
        assert answer.status_code == 200, answer.text

    async def reads(self) -> str:
        """What a request with the pass of before gets: the code of the refusal, or what they asked for."""
        async with httpx2.AsyncClient(base_url=self.server.public_url, timeout=30) as web:
            answer = await web.get(
                "/contactus", headers={"Cookie": f"guestpass={self.old_pass}", "Accept": "application/json"}
            )
        if answer.headers["content-type"].startswith("application/problem+json"):
            return f"`{answer.json()['code']}`"
        return "what they asked for"

    async def visits(self) -> list[dict[str, Any]] | None:
        """The visits of the link, newest first; None where it is gone."""
        answer = await self.server.client.get(self.path("/visitors"))
        if answer.status_code == 404:
            return None
        found: list[dict[str, Any]] = answer.json()["visitors"]
        return found

    async def reads_so(self, what: str) -> bool:
        """Whether that is what they read; each time another worker may answer."""
        return await self.reads() == what

    async def is_counted(self) -> bool:
        """Whether the visit is told by now."""
        return bool((visits := await self.visits()) and visits[0]["visits"] == 1)

    async def visit_is(self, what: str) -> bool:
        """Whether the visit of the beginning goes on, ends, or is gone."""
        visits = await self.visits()
        if visits is None:
            return what == "gone"
        ended = {each["id"]: each["endedAt"] for each in visits}[_visitor(self.old_pass)]
        return what == ("goes on" if ended is None else "ends")

    async def is_logged_out(self) -> bool:
        """Whether the session was logged out where it was made."""
        ended = {each["sid"]: each["how"] for each in self.visitor.odoo.ended_sessions("demo")}
        return ended.get(self.session) == "logout"

    async def signed_in_as(self) -> str | None:
        """The login as whom the visitor's pass works in Odoo, None for nobody."""
        result = (await self.visitor.call("/web/session/get_session_info")).json().get("result")
        return result["username"] if result is not None else None

    async def opens(self) -> Visitor | None:
        """Somebody else opens the link with all that it asks for; None where there is no place for them."""
        web = await self._stack.enter_async_context(httpx2.AsyncClient(base_url=self.server.public_url, timeout=30))
        origin = {**NAVIGATION, "Origin": self.server.public_url}
        if self.password is not None:
            answer = await web.post(f"{self.url}/login", data={"password": self.password}, headers=origin)
        else:
            answer = await web.post(self.url, headers=origin)
        if answer.status_code == 303:
            return Visitor(self.server, self.visitor.odoo, self.visitor.environment, self.visitor.link, web)
        assert "All places are taken" in answer.text, answer.text
        return None


# What happens.


async def _pause(case: Case) -> None:
    await case.change(active=False)


async def _expire(case: Case) -> None:
    await case.change(expiresIn="1s")


async def _remove(case: Case) -> None:
    assert (await case.server.client.delete(case.path("/permanent"))).status_code == 204


async def _rotate(case: Case) -> None:
    answer = await case.server.client.post(case.path("/rotate"))
    assert answer.status_code == 200, answer.text
    case.url = answer.json()["url"]


async def _set_password(case: Case) -> None:
    await case.change(password=_PASSWORD)
    case.password = _PASSWORD


async def _take_password(case: Case) -> None:
    case.password = None
    await case.change(password=None)


async def _allow_others(case: Case) -> None:
    await case.change(allowedIPs=["192.0.2.0/24"])


async def _replace_credentials(case: Case) -> None:
    answer = await case.server.client.post(
        f"/api/environments/{case.visitor.environment['id']}/accounts",
        json={"name": case.visitor.link["signInAs"]["account"], "login": "demo", "password": "demo"},
    )
    assert answer.status_code == 200, answer.text


async def _end_visit(case: Case) -> None:
    assert (await case.server.client.delete(case.path(f"/visitors/{_visitor(case.old_pass)}"))).status_code == 204


async def _log_out(case: Case) -> None:
    answer = await case.visitor.navigate("/web/session/logout")
    assert answer.status_code in (200, 303), answer.text


async def _switch(case: Case) -> None:
    other = await case.server.create_link(case.visitor.environment["id"])
    origin = {**NAVIGATION, "Origin": case.server.public_url}
    assert (await case.visitor.navigate(other["url"])).status_code == 409
    assert (await case.visitor.web.post(other["url"], headers=origin)).status_code == 303
    assert (await case.visitor.navigate(other["url"])).status_code == 303
    assert pass_in(case.visitor.web) != case.old_pass


async def _remove_environment(case: Case) -> None:
    answer = await case.server.client.delete(f"/api/environments/{case.visitor.environment['id']}")
    assert answer.status_code == 204, answer.text


async def _move(case: Case) -> None:
    case.moved_odoo.forget()
    await case.change_environment(url=case.moved_odoo.url, websocketUrl=case.moved_odoo.websocket_url)


HAPPENS: dict[str, Callable[[Case], Awaitable[None]]] = {
    "the link is paused": _pause,
    "the link expires": _expire,
    "the link is removed": _remove,
    "the link gets a new URL": _rotate,
    "the link gets a new password": _set_password,
    "the password is taken away": _take_password,
    "other networks are allowed": _allow_others,
    "the access is narrowed": lambda case: case.change(access="readOnly"),
    "another account is signed in": lambda case: case.change(signInAs={"login": "portal", "password": "portal"}),
    "nobody is signed in any more": lambda case: case.change(signInAs=None),
    "the account gets other credentials": _replace_credentials,
    "fewer visitors are let in": lambda case: case.change(maxVisitors=1),
    "the owner ends the visit": _end_visit,
    "they log out where the link signed them in": _log_out,
    "they log out of a login of their own": _log_out,
    "they switch to another link": _switch,
    "the environment moves to another address": _move,
    "the environment takes another database": lambda case: case.change_environment(database="other18"),
    "the environment takes another public address": lambda case: case.change_environment(publicUrl="http://odoo.test"),
    "the environment is in maintenance": lambda case: case.change_environment(maintenance={"message": "At noon."}),
    "the environment is removed": _remove_environment,
}

# What undoes it, where a pass waits.
UNDONE: dict[str, Callable[[Case], Awaitable[None]]] = {
    "the link is paused": lambda case: case.change(active=True),
    "the link expires": lambda case: case.change(expiresIn="1h"),
    "other networks are allowed": lambda case: case.change(allowedIPs=[]),
    "the environment is in maintenance": lambda case: case.change_environment(maintenance=None),
}

# As whom the pass works afterwards, where that is not as before.
SIGNED_IN_AS = {
    "another account is signed in": "portal",
    "nobody is signed in any more": None,
    "they log out of a login of their own": None,
}


@pytest_asyncio.fixture(loop_scope="session")
async def case(request: pytest.FixtureRequest, two_workers: Installation, odoo: Odoo, moved_odoo: Odoo) -> Any:
    """The visitor, before anything happens."""
    what = request.param
    fields: dict[str, Any] = {"maxVisitors": 2 if what == "fewer visitors are let in" else 1}
    if what != "they log out of a login of their own":
        fields |= AS_DEMO
    if what == "the password is taken away":
        fields |= {"password": _PASSWORD}
    async with AsyncExitStack() as stack:
        environment = await two_workers.add_environment(
            name="Odoo", url=odoo.url, websocketUrl=odoo.websocket_url, kind="odoo", database="demo18"
        )
        link = await two_workers.create_link(environment["id"], **fields)
        odoo.forget()
        web = await stack.enter_async_context(httpx2.AsyncClient(base_url=two_workers.public_url, timeout=30))
        origin = {**NAVIGATION, "Origin": two_workers.public_url}
        if "password" in fields:
            answer = await web.post(f"{link['url']}/login", data={"password": _PASSWORD}, headers=origin)
        else:
            answer = await web.post(link["url"], headers=origin)
        assert answer.status_code == 303, answer.text
        yield Case(Visitor(two_workers, odoo, environment, link, web), moved_odoo, stack)
        await two_workers.client.delete(f"/api/environments/{environment['id']}")


def _visitor(text: str) -> str:
    return text.split(".")[3]


async def test_each_row_is_tested() -> None:
    assert list(ROWS) == list(HAPPENS)


@pytest.mark.parametrize(("what", "case"), [(what, what) for what in ROWS], indirect=["case"], ids=list(ROWS))
async def test_what_happens_ends_what_the_table_says(what: str, case: Case) -> None:
    cells, visitor, odoo = ROWS[what], case.visitor, case.visitor.odoo
    before = {each["sid"] for each in odoo.sessions("demo")}
    if cells["Odoo session"] == "none":
        await visitor.navigate("/web?db=demo18")
        await visitor.log_in()
    assert await case.signed_in_as() == "demo"
    [case.session] = {each["sid"] for each in odoo.sessions("demo")} - before
    async with AsyncExitStack() as stack:
        bus = await join_bus(stack, visitor, cookie=case.cookies())
        joined = await bus.outcome()
        assert joined is not None
        assert joined.status == 101
        await until(case.is_counted)

        await HAPPENS[what](case)

        if cells["open connections"] == "cut":
            await bus.client.gone()
        await until(lambda: case.reads_so(cells["what they read"]))
        await until(lambda: case.visit_is(cells["visit"]))
        if cells["open connections"] == "stay":
            bus.client.send(_PING)
            assert await bus.client.read(len(_PONG)) == _PONG
    if cells["Odoo session"] == "ends":
        await until(case.is_logged_out)
    if what in UNDONE:
        await UNDONE[what](case)
    if cells["way back"].startswith("their pass"):
        await until(lambda: case.reads_so("what they asked for"))
        assert await case.visit_is("goes on")
        assert await case.signed_in_as() == SIGNED_IN_AS.get(what, "demo")
        if cells["Odoo session"] == "stays":
            assert len(odoo.attempts("demo")) == 1
    if what == "the environment moves to another address":
        assert len(case.moved_odoo.sessions("demo")) == 1
        assert case.session not in str(case.moved_odoo.requests())
    if cells["place"] == "kept":
        assert await case.opens() is None
    elif cells["place"] == "free":
        another = await case.opens()
        assert another is not None
        assert (await another.call("/web/session/get_session_info")).json()["result"]["username"] == "demo"
    else:
        assert (await visitor.web.get(case.url)).status_code == 404
