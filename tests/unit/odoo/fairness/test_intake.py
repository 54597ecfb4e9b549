"""The body of a request is whole before an Odoo hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.unit.gateway import playbook
from tests.unit.gateway.exchanges import OK, ask, body_of, deliver, odoo, post, status_of
from tests.unit.gateway.playbook import Playbook, request

from guestpass.domain.link import Access
from guestpass.odoo.fairness import intake, outflow
from guestpass.odoo.fairness.examinations import BodyFinding, Outcome
from guestpass.odoo.fairness.examiner import SECONDS, Examiner, NotExaminedError
from guestpass.odoo.fairness.spool import Spool, SpoolRoom


@pytest.mark.parametrize(
    ("fields", "pieces"),
    [
        ((b"Content-Length: 6",), (b"abc", b"def")),
        ((b"Transfer-Encoding: chunked",), (b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n")),
    ],
    ids=["counted", "chunked"],
)
async def test_a_body_is_whole_before_odoo_is_connected(
    monkeypatch: pytest.MonkeyPatch, fields: tuple[bytes, ...], pieces: tuple[bytes, ...]
) -> None:
    async with odoo(monkeypatch) as book:
        book.client.deliver(post(*fields, body=pieces[0]))
        await book.settle()
        assert book.upstreams == []
        book.client.deliver(pieces[1])
        await book.settle()
        [upstream] = book.upstreams
        assert upstream.written.endswith(b"\r\n\r\nabcdef")
        assert b"\r\nContent-Length: 6\r\n" in upstream.written
        assert b"Transfer-Encoding" not in upstream.written


async def test_who_waits_for_a_word_before_sending_gets_it_from_us(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        book.client.deliver(post(b"Content-Length: 2", b"Expect: 100-continue"))
        await book.settle()
        assert book.client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
        upstream = await ask(book, b"hi")
        assert b"Expect" not in upstream.written
        assert status_of(await deliver(book, upstream, OK)) == 200


async def test_a_body_that_comes_too_slowly_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        book.client.deliver(post(b"Content-Length: 6", body=b"abc"))
        await book.settle()
        await book.after(74.9)
        assert book.client.written == b""
        await book.after(75.1)
        assert status_of(book.client.written) == 408
        assert book.upstreams == []


async def test_a_client_that_leaves_before_its_body_is_whole_never_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        book.client.deliver(post(b"Content-Length: 6", body=b"abc"))
        await book.settle()
        book.client.break_off()
        await book.settle()
        assert book.upstreams == []


async def test_an_odoo_that_answers_before_it_has_the_whole_body_is_used_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, post(b"Content-Length: 2", body=b"hi"))
        said = await deliver(book, upstream, OK)
        # All of it was sent, so this one is.
        assert body_of(said) == b"ok"
        assert await ask(book) is upstream


class _Counted(Spool):
    made = 0

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        _Counted.made += 1


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> type[_Counted]:
    monkeypatch.setattr(intake, "Spool", _Counted)
    monkeypatch.setattr(outflow, "Spool", _Counted)
    _Counted.made = 0
    return _Counted


@pytest.mark.parametrize(
    ("fields", "came", "goes_on"),
    [
        ((b"Content-Length: 2",), b"hi", b"hi"),
        ((b"Transfer-Encoding: chunked",), b"2\r\nhi\r\n0\r\n\r\n", b"hi"),
        ((b"Transfer-Encoding: chunked",), b"0\r\n\r\n", b""),
    ],
    ids=["counted", "chunked", "empty"],
)
async def test_a_small_body_that_comes_in_one_piece_needs_no_spool(
    monkeypatch: pytest.MonkeyPatch,
    spools: type[_Counted],
    fields: tuple[bytes, ...],
    came: bytes,
    goes_on: bytes,
) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, post(*fields, body=came))
        assert b"\r\nContent-Length: %d\r\n" % len(goes_on) in upstream.written
        assert upstream.written.endswith(b"\r\n\r\n" + goes_on)
        assert body_of(await deliver(book, upstream, OK)) == b"ok"
        assert spools.made == 0


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> list[SpoolRoom]:
    """The one room of the playbook, once it plays."""
    made: list[SpoolRoom] = []

    def make(*given: Any, **named: Any) -> SpoolRoom:
        made.append(SpoolRoom(*given, **named))
        return made[-1]

    monkeypatch.setattr(playbook, "SpoolRoom", make)
    return made


async def test_a_body_that_waits_for_its_turn_counts_for_its_visitor(
    monkeypatch: pytest.MonkeyPatch, spools: type[_Counted], rooms: list[SpoolRoom]
) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        first = await ask(book)
        other = book.connect()
        other.deliver(post(b"Content-Length: 2", body=b"hi"))
        await book.settle()
        assert (spools.made, rooms[0]._taken) == (1, 2)
        first.take()
        await deliver(book, first, OK)
        sent = book.upstreams[-1].written
        assert b"POST /upload " in sent
        assert sent.endswith(b"\r\n\r\nhi")
        assert rooms[0]._taken == 0


async def test_a_body_that_must_wait_and_finds_no_room_is_503(
    monkeypatch: pytest.MonkeyPatch, rooms: list[SpoolRoom]
) -> None:
    async with odoo(monkeypatch, at_once=1) as book:
        first = await ask(book)
        rooms[0]._total = 1
        other = book.connect()
        other.deliver(post(b"Content-Length: 2", body=b"hi"))
        await book.settle()
        assert status_of(other.written) == 503
        first.take()
        await deliver(book, first, OK)
        assert b"POST" not in first.written


async def test_a_longer_body_goes_into_the_spool(monkeypatch: pytest.MonkeyPatch, spools: type[_Counted]) -> None:
    monkeypatch.setattr(playbook, "_ENVIRONMENT", replace(playbook._ENVIRONMENT, body_limit=1024**2))
    async with odoo(monkeypatch) as book:
        upstream = await ask(book, post(b"Content-Length: 40000", body=40_000 * b"x"))
        assert upstream.written.endswith(40_000 * b"x")
        assert spools.made == 1


# Bodies that are examined


def _call(method: str, padding: int = 0) -> bytes:
    """A call as Odoo's web client makes it, of a method of partners."""
    params = {"model": "res.partner", "method": method, "args": [[1], ["name"], "x" * padding], "kwargs": {}}
    body = json.dumps({"id": 1, "jsonrpc": "2.0", "method": "call", "params": params}).encode()
    fields = (b"Content-Type: application/json", b"Content-Length: %d" % len(body))
    return request(b"POST /web/dataset/call_kw/res.partner/%b HTTP/1.1" % method.encode(), *fields, body=body)


@asynccontextmanager
async def _view_only(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Playbook]:
    monkeypatch.setattr(playbook, "_ENVIRONMENT", replace(playbook._ENVIRONMENT, body_limit=1024**2))
    async with odoo(monkeypatch, link=replace(playbook._LINK, access=Access.READ_ONLY)) as book:
        yield book


async def test_a_call_that_reads_goes_on_and_one_that_writes_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _view_only(monkeypatch) as book:
        upstream = await ask(book, _call("read"))
        assert b'"read"' in upstream.take()
        assert status_of(await deliver(book, upstream, OK)) == 200
        refused = await deliver(book, book.client, _call("write"))
        assert b'"error"' in body_of(refused)
        assert upstream.take() == b""
        assert book.upstreams == [upstream]


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[BodyFinding | Exception]:
    """What another process finds out about long bodies, one after the other."""
    findings: asyncio.Queue[BodyFinding | Exception] = asyncio.Queue()

    async def examine(_self: Examiner, *_: object) -> BodyFinding:
        finding = await findings.get()
        if isinstance(finding, Exception):
            raise finding
        return finding

    monkeypatch.setattr(Examiner, "examine", examine)
    return findings


async def test_a_long_call_is_examined_elsewhere_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, examined: asyncio.Queue[BodyFinding | Exception]
) -> None:
    async with _view_only(monkeypatch) as book:
        book.client.deliver(_call("read", padding=100_000))
        await book.settle()
        assert book.upstreams == []
        examined.put_nowait(BodyFinding(Outcome.REWRITTEN, b'{"rewritten": true}'))
        await book.settle()
        [upstream] = book.upstreams
        assert upstream.written.endswith(b'\r\n\r\n{"rewritten": true}')
        assert b"\r\nContent-Length: 19\r\n" in upstream.written


async def test_a_long_call_that_can_not_be_examined_is_refused(
    monkeypatch: pytest.MonkeyPatch, examined: asyncio.Queue[BodyFinding | Exception]
) -> None:
    examined.put_nowait(NotExaminedError("no process can be started"))
    async with _view_only(monkeypatch) as book:
        with capture_logs() as logged:
            refused = await deliver(book, book.client, _call("read", padding=100_000))
        assert b'"error"' in body_of(refused)
        assert book.upstreams == []
    [line] = [each for each in logged if each["event"] == "body_not_examined"]
    assert line["cause"] == "no process can be started"


async def test_an_examination_that_takes_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch, examined: asyncio.Queue[BodyFinding | Exception]
) -> None:
    async with _view_only(monkeypatch) as book:
        book.client.deliver(_call("read", padding=100_000))
        await book.settle()
        await book.after(SECONDS + 0.1)
        assert b'"error"' in body_of(book.client.take())
        # It ends too late: nobody waits for it any more.
        examined.put_nowait(BodyFinding(Outcome.PASSES))
        await book.settle()
        assert book.upstreams == []
