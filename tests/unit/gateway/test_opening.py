"""Who is let in, gets a pass and takes a place; what becomes of those whose link, patience or place ends meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.exchanges import body_of, fields_of, status_of
from tests.unit.gateway.playbook import LINK_ID, NOW, OTHER_ID, OTHER_TOKEN, TOKEN, Playbook, Wire, playing

from guestpass.app.ports import SlotResult
from guestpass.app.public_urls import PublicUrls
from guestpass.app.visitor_slots import TooManyNewcomers
from guestpass.domain.link import ShareLink
from guestpass.domain.visitor_pass import PREVIEW_SECONDS, VisitorPass
from guestpass.gateway import opening
from guestpass.gateway.limits import LimitSettings

BROWSER = (b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: document", b"Sec-Fetch-Site: none")
LIMITED = replace(playbook._LINK, max_visitors=2)
OWN_HOSTS = PublicUrls("http://share.localhost", "links.localhost")
HOST = f"{LINK_ID}.links.localhost"


class Slots:
    """The places of links: gives `result`, or raises it, and notes what it is asked for."""

    def __init__(self, result: SlotResult | Exception = SlotResult.TAKEN) -> None:
        self.result = result
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.taken: list[str] = []
        self.freed: list[str] = []
        self.given_back: list[str] = []
        self.left: list[VisitorPass] = []

    async def take(self, _link: ShareLink, visitor: str, address: str, _now: datetime) -> SlotResult:
        assert address == "203.0.113.9"
        self.taken.append(visitor)
        await self.is_open.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def free(self, link_id: str, visitor: str, _address: str, _taken_at: datetime | None) -> None:
        assert link_id == LINK_ID
        self.freed.append(visitor)

    async def give_back(self, link_id: str, visitor: str, _taken_at: datetime) -> None:
        assert link_id == LINK_ID
        self.given_back.append(visitor)

    async def leave(self, passes: Sequence[VisitorPass]) -> None:
        self.left.extend(passes)
        await self.is_open.wait()


class Once:
    """A budget that each key has once."""

    def __init__(self) -> None:
        self._spent: set[tuple[str, ...]] = set()

    async def spend(self, *key: str) -> float | None:
        is_first = key not in self._spent
        self._spent.add(key)
        return None if is_first else 60.0


def _head(line: str, *fields: bytes, host: str = "share.example.com", cookies: Sequence[str] = ()) -> bytes:
    lines = [f"{line} HTTP/1.1".encode(), f"Host: {host}".encode(), *fields]
    if cookies:
        lines.append(b"Cookie: " + "; ".join(cookies).encode())
    if line.startswith("POST"):
        lines.append(b"Content-Length: 0")
    return b"\r\n".join([*lines, b"", b""])


async def _answer(book: Playbook, head: bytes, client: Wire | None = None) -> bytes:
    client = client or book.client
    client.deliver(head)
    await book.settle()
    return client.take()


def _field(response: bytes, name: str) -> list[str]:
    """The values of a field, each in a line of its own."""
    lines = [line.decode("latin-1").partition(": ") for line in fields_of(response)]
    return [value for key, _, value in lines if key.lower() == name.lower()]


def _cookies(response: bytes) -> dict[str, str]:
    """What the browser keeps from now on."""
    pairs = [value.partition(";")[0].partition("=") for value in _field(response, "Set-Cookie")]
    return {name: value for name, _, value in pairs if value}


def _code(response: bytes) -> str:
    problem: dict[str, Any] = json.loads(body_of(response))
    return str(problem["code"])


def _pass(link_id: str = LINK_ID, *, preview: bool = False) -> tuple[VisitorPass, str]:
    """A pass of this installation, and the cookie that holds it."""
    make = playbook._PASSES.issue_preview if preview else playbook._PASSES.issue
    given = make(link_id, 1, int(NOW.timestamp()))
    return given, f"guestpass={playbook._PASSES.write(given)}"


def _visitor(response: bytes) -> str:
    """Whose pass a response sets."""
    given = playbook._PASSES.read(_cookies(response)["guestpass"])
    assert given is not None
    return given.visitor


# Places


async def test_a_browser_takes_the_place_of_the_visitor_that_the_page_before_has_named() -> None:
    slots = Slots()
    async with playing(slots=slots, link=LIMITED) as book:
        page = await _answer(book, _head(f"GET /share/{TOKEN}", *BROWSER))
        assert status_of(page) == 200
        assert "guestpass" not in _cookies(page)
        [(name, promise)] = _cookies(page).items()
        promised = [f"{name}={promise}"]
        # Who reloads it is promised nothing anew, or each reload could take a place.
        again = await _answer(book, _head(f"GET /share/{TOKEN}", *BROWSER, cookies=promised))
        assert _cookies(again) == {}
        assert slots.taken == []
        for _ in range(2):
            let_in = await _answer(book, _head(f"POST /share/{TOKEN}?a=1", *BROWSER, cookies=promised))
            assert status_of(let_in) == 303
            assert _field(let_in, "Location") == ["/?a=1"]
            assert _visitor(let_in) == slots.taken[-1]
    assert len(set(slots.taken)) == 1
    assert slots.freed == slots.given_back == []


@pytest.mark.parametrize(
    ("result", "status", "code"),
    [
        (SlotResult.FULL, 403, "link_full"),
        (SlotResult.GONE, 503, "unavailable"),
        (TooManyNewcomers(30), 429, "link_overrun"),
        (ConnectionError("the database is gone"), 503, "unavailable"),
    ],
    ids=["full", "gone", "too many", "no database"],
)
async def test_who_gets_no_place_gets_no_pass_and_reads_why(
    result: SlotResult | Exception, status: int, code: str
) -> None:
    slots = Slots(result)
    async with playing(slots=slots, link=LIMITED) as book:
        refused = await _answer(book, _head(f"POST /share/{TOKEN}"))
    assert (status_of(refused), _code(refused)) == (status, code)
    assert _cookies(refused) == {}
    if status == 429:
        assert _field(refused, "Retry-After") == ["30"]
    assert slots.given_back == []


async def test_where_the_link_ends_while_a_place_is_taken_it_is_given_back() -> None:
    slots = Slots()
    slots.is_open.clear()
    async with playing(slots=slots, link=LIMITED) as book:
        assert await _answer(book, _head(f"POST /share/{TOKEN}")) == b""
        book.end_link()
        slots.is_open.set()
        await book.settle()
        assert book.client.aborted
        assert book.client.take() == b""
    assert slots.given_back == slots.taken != []


async def test_who_leaves_before_the_place_is_taken_leaves_it_free() -> None:
    slots = Slots()
    slots.is_open.clear()
    async with playing(slots=slots, link=LIMITED) as book:
        await _answer(book, _head(f"POST /share/{TOKEN}"))
        book.client.break_off()
        await book.settle()
        slots.is_open.set()
        await book.settle()
    assert slots.freed == slots.taken != []


# Previews


async def test_a_preview_is_opened_once_and_takes_no_place() -> None:
    slots, previews = Slots(), Once()
    async with playing(slots=slots, previews=previews, link=LIMITED) as book:
        own, _ = _pass(preview=True)
        line = f"GET /share/{TOKEN}?preview={playbook._PASSES.write_ticket(own)}"
        first = await _answer(book, _head(line, *BROWSER))
        assert _field(first, "Location") == ["/"]
        assert _visitor(first) == own.visitor
        [cookie] = [value for value in _field(first, "Set-Cookie") if value.startswith("guestpass=")]
        assert f"Max-Age={PREVIEW_SECONDS};" in cookie
        # By then it may be somebody else's who has found the address: a visitor like any other.
        second = await _answer(book, _head(line, *BROWSER))
        assert _field(second, "Location") == [f"/share/{TOKEN}"]
        assert _cookies(second) == {}
    assert slots.taken == []
    assert slots.left == []


# Own hosts of links


async def _handed_over(book: Playbook, *cookies: str) -> str:
    """Open the link on PUBLIC_URL's host; returns the path with the ticket on the link's own."""
    sent = await _answer(book, _head(f"GET /share/{TOKEN}?a=1", *BROWSER, host="share.localhost", cookies=cookies))
    assert status_of(sent) == 303
    there = urlsplit(_field(sent, "Location")[0])
    assert (there.scheme, there.netloc, there.path) == ("http", HOST, "/share/enter")
    return f"{there.path}?{there.query}"


async def test_a_ticket_becomes_a_pass_once_and_who_holds_the_pass_goes_on() -> None:
    async with playing(entries=Once(), public_urls=OWN_HOSTS) as book:
        path = await _handed_over(book)
        arrived = await _answer(book, _head(f"GET {path}", *BROWSER, host=HOST))
        assert _field(arrived, "Location") == ["/?a=1"]
        # What a version before left there is gone with the first visit; it is a new visitor's.
        assert _field(arrived, "Clear-Site-Data") == ['"cache", "storage"']
        own = f"guestpass={_cookies(arrived)['guestpass']}"
        spent = await _answer(book, _head(f"GET {path}", *BROWSER, host=HOST))
        assert status_of(spent) in range(400, 500)
        assert _cookies(spent) == {}
        again = await _answer(book, _head(f"GET {path}", *BROWSER, host=HOST, cookies=[own]))
        assert _field(again, "Location") == ["/?a=1"]
        assert _cookies(again) == {}
        assert _field(again, "Clear-Site-Data") == []


async def test_public_urls_host_remembers_the_visitor_for_the_next_time() -> None:
    async with playing(entries=Once(), public_urls=OWN_HOSTS) as book:
        first = await _answer(book, _head(f"GET /share/{TOKEN}", *BROWSER, host="share.localhost"))
        [(name, kept)] = _cookies(first).items()
        assert name == f"guestpass-{LINK_ID}"
        visitors = []
        for _ in range(2):
            path = await _handed_over(book, f"{name}={kept}")
            arrived = await _answer(book, _head(f"GET {path}", *BROWSER, host=HOST))
            visitors.append(_visitor(arrived))
    remembered = playbook._PASSES.read(kept)
    assert remembered is not None
    assert visitors == [remembered.visitor] * 2


async def test_with_own_hosts_a_place_is_taken_before_the_browser_is_sent_there() -> None:
    slots = Slots()
    async with playing(slots=slots, entries=Once(), public_urls=OWN_HOSTS, link=LIMITED) as book:
        sent = await _answer(book, _head(f"POST /share/{TOKEN}", *BROWSER, host="share.localhost"))
        there = urlsplit(_field(sent, "Location")[0])
        assert there.netloc == HOST
        arrived = await _answer(book, _head(f"GET {there.path}?{there.query}", *BROWSER, host=HOST))
        assert slots.taken == [_visitor(arrived)]


# From one link to another


async def _switch(book: Playbook, cookie: str, *others: str) -> bytes:
    """Go to the other link in a browser that holds this pass, and press the button of the page that asks."""
    line = f"/share/{OTHER_TOKEN}?a=1"
    asked = await _answer(book, _head(f"GET {line}", *BROWSER, cookies=[cookie, *others]))
    assert status_of(asked) == 409
    assert _cookies(asked) == {}
    return await _answer(book, _head(f"POST {line}", *BROWSER, cookies=[cookie, *others]))


async def test_who_leaves_a_link_for_another_takes_nothing_along() -> None:
    slots = Slots()
    own, cookie = _pass()
    async with playing(slots=slots) as book:
        streaming = book.connect()
        streaming.deliver(_head("GET /stream", cookies=[cookie]))
        await book.settle()
        left = await _switch(book, cookie, "theme=dark")
        assert _field(left, "Location") == [f"/share/{OTHER_TOKEN}?a=1"]
        expired = {value.partition("=")[0] for value in _field(left, "Set-Cookie") if "Max-Age=0" in value}
        assert {"guestpass", "theme"} <= expired
        assert streaming.lost
    assert slots.left == [own]


async def test_while_a_visit_can_not_be_ended_nobody_is_kept_waiting_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_LEAVING_SECONDS", 0)
    slots = Slots()
    slots.is_open.clear()
    own, cookie = _pass()
    async with playing(slots=slots) as book:
        left = await _switch(book, cookie)
        assert status_of(left) == 303
        assert slots.left == [own]
        slots.is_open.set()


async def test_a_pass_ends_the_visit_of_the_one_that_it_replaces() -> None:
    """The link of the former one has expired, so nobody is asked; it may be extended again."""
    slots = Slots()
    own, cookie = _pass()
    async with playing(slots=slots, link=replace(playbook._LINK, expires_at=NOW - timedelta(hours=1))) as book:
        opened = await _answer(book, _head(f"GET /share/{OTHER_TOKEN}", *BROWSER, cookies=[cookie]))
        given = playbook._PASSES.read(_cookies(opened)["guestpass"])
        assert given is not None
        assert given.link_id == OTHER_ID
    assert slots.left == [own]


@pytest.mark.parametrize("holds_pass", [False, True])
async def test_a_browser_that_is_new_here_loses_what_was_there_before(*, holds_pass: bool) -> None:
    """On the shared origin; who is here already keeps what the environment gave them."""
    _, cookie = _pass()
    cookies = ["theme=dark", *([cookie] if holds_pass else [])]
    async with playing() as book:
        opened = await _answer(book, _head(f"GET /share/{TOKEN}", *BROWSER, cookies=cookies))
    assert status_of(opened) == 303
    expired = [value for value in _field(opened, "Set-Cookie") if re.match("theme=;.*Max-Age=0", value)]
    assert bool(expired) is not holds_pass
    assert ("guestpass" in _cookies(opened)) is not holds_pass


async def test_a_program_gets_the_content_with_its_pass_at_the_share_url() -> None:
    async with playing(LimitSettings()) as book:
        book.client.deliver(_head(f"GET /share/{TOKEN}?a=1"))
        await book.settle()
        [upstream] = book.upstreams
        assert upstream.take().startswith(b"GET /?a=1 HTTP/1.1\r\n")
        upstream.deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await book.settle()
        answer = book.client.take()
    assert body_of(answer) == b"ok"
    given = playbook._PASSES.read(_cookies(answer)["guestpass"])
    assert given is not None
    assert given.link_id == LINK_ID
