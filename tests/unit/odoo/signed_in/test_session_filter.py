"""The order of things while a session moves: the new id is written before the visitor has its answer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Coroutine
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from tests.storage.samples import LINK_ID, make_environment, make_link
from tests.unit.gateway.requests import request

from guestpass.app.link_cache import LinkEntry
from guestpass.app.visitor_sessions import NoSession, VisitorSession
from guestpass.domain.reasons import Reason
from guestpass.odoo.bus.bus_socket import BusSocket
from guestpass.odoo.signed_in.session_filter import SessionFilter, SessionUse, _leads_to_login
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import read_response_head
from guestpass.wire.roles import Serving

BEFORE, AFTER = b"b" * 84, b"a" * 84
KEY = base64.b64encode(b"0123456789abcdef")
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n"
)
MOVED = b"Set-Cookie: session_id=" + AFTER + b"; HttpOnly; Path=/\r\n"


class SlowSessions:
    """Writes an id down when it is let, or fails to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.let = asyncio.Event()
        self.error: Exception | None = None

    async def moved(self, link_id: str, visitor: str, before: VisitorSession, id: bytes) -> None:
        await self.let.wait()
        if self.error is not None:
            raise self.error
        assert (link_id, visitor, before.id) == (LINK_ID, "bert", BEFORE)
        self.written.append(id)


class Stage:
    """A socket of a visitor, before both of whose ends nobody stands."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.told = b""
        self.sessions = SlowSessions()
        self.log = Mock()
        self.upstream = Mock()
        self.client = Mock(
            write=self.tell,
            respond=lambda *parts: self.tell(b"".join(parts)),
            write_paused=False,
            tunnel_opened=self.open,
        )
        runtime = cast(
            "Any",
            SimpleNamespace(
                spawn=lambda work: self.spawn(tasks, work), fault_log=SimpleNamespace(log=self.log), draining=False
            ),
        )
        runtime.run_queue = Mock()
        runtime.pool = Mock(take=lambda *_, **__: self.upstream)
        runtime.loop = asyncio.get_running_loop()
        entry = LinkEntry(make_link(account="anna"), make_environment())
        head = request(
            "GET /websocket", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY.decode()}"
        )
        answer = Mock(fields=lambda head: [b"%b: %b\r\n" % (name, value) for _, name, value in head.fields])
        known = VisitorSession(BEFORE, 1, "anna", 1, entry.link.version, entry.environment)
        use = SessionUse(cast("Any", self.sessions), entry, "bert", "192.0.2.7", known, lambda: None)
        exchange = Exchange(
            cast("Any", self.client), runtime, head, b"", Mock(), answer,
            body_limit=1, response_timeout=1, upgrade=True, owner=Mock(live=entry.live, visitor="bert"),
            response_filter=SessionFilter(runtime, runtime.fault_log, use), socket=BusSocket(lambda: 3600.0, ""),
        )  # fmt: skip
        self.serving: Serving = exchange
        exchange.begin()

    def open(self, tunnel: Serving) -> None:
        self.serving = tunnel

    def tell(self, data: bytes) -> None:
        self.told += data

    @staticmethod
    def spawn(tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        tasks.create_task(work)

    async def let_it_be_written(self) -> None:
        self.sessions.let.set()
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with asyncio.TaskGroup() as tasks:
        played = Stage(tasks)
        yield played
        played.sessions.let.set()
        # Where it is a tunnel by now, its warning waits for the link's end.
        played.serving.cut()


async def test_a_socket_opens_when_the_new_id_is_written_and_nothing_is_lost_meanwhile(stage: Stage) -> None:
    stage.upstream.exchange.from_upstream(SWITCHING + MOVED + b"\r\n\x81\x01a")
    await asyncio.sleep(0)
    stage.upstream.exchange.from_upstream(b"\x81\x01b")
    assert stage.told == b""
    stage.upstream.pause_reading.assert_called()
    stage.upstream.resume_reading.assert_not_called()
    await stage.let_it_be_written()
    assert stage.sessions.written == [AFTER]
    head, _, frames = stage.told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"session_id" not in head
    assert frames == b"\x81\x01a\x81\x01b"
    stage.upstream.resume_reading.assert_called()


async def test_an_answer_waits_as_well_and_is_whole_although_odoo_has_closed(stage: Stage) -> None:
    stage.upstream.exchange.from_upstream(b"HTTP/1.1 400 Bad Request\r\n" + MOVED + b"\r\nse")
    stage.upstream.exchange.from_upstream(b"en")
    stage.upstream.exchange.upstream_lost(None)
    assert stage.told == b""
    await stage.let_it_be_written()
    assert stage.told.startswith(b"HTTP/1.1 400 ")
    assert stage.told.endswith(b"\r\n\r\n4\r\nseen\r\n0\r\n\r\n")
    assert b"session_id" not in stage.told
    stage.client.exchange_over.assert_called_once()


async def test_an_answer_that_broke_off_meanwhile_does_not_look_whole(stage: Stage) -> None:
    stage.upstream.exchange.from_upstream(b"HTTP/1.1 400 Bad Request\r\n" + MOVED + b"\r\nse")
    stage.upstream.exchange.upstream_lost(ConnectionResetError())
    await stage.let_it_be_written()
    stage.client.exchange_over.assert_not_called()
    stage.client.abort.assert_called_once()


@pytest.mark.parametrize(
    "cookie",
    [b"", b"Set-Cookie: session_id=" + BEFORE + b"\r\n", b"Set-Cookie: session_id=; Max-Age=0\r\n"],
    ids=["none", "the same", "none that could be sent"],
)
async def test_where_nothing_moves_nothing_waits(stage: Stage, cookie: bytes) -> None:
    stage.upstream.exchange.from_upstream(SWITCHING + cookie + b"\r\n\x81\x01a")
    assert stage.told.startswith(b"HTTP/1.1 101 ")
    assert b"session_id" not in stage.told
    assert stage.told.endswith(b"\r\n\r\n\x81\x01a")


async def test_an_id_that_can_not_be_written_costs_nobody_his_answer(stage: Stage) -> None:
    stage.sessions.error = OSError("no disk")
    stage.upstream.exchange.from_upstream(SWITCHING + MOVED + b"\r\n")
    await stage.let_it_be_written()
    assert stage.told.startswith(b"HTTP/1.1 101 ")
    stage.log.exception.assert_called_once()
    assert AFTER.decode() not in repr(stage.log.mock_calls)


async def test_who_is_cut_off_meanwhile_gets_nothing_and_the_id_is_written_all_the_same(stage: Stage) -> None:
    stage.upstream.exchange.from_upstream(SWITCHING + MOVED + b"\r\n")
    stage.serving.cut()
    await stage.let_it_be_written()
    assert stage.told == b""
    assert stage.sessions.written == [AFTER]
    stage.client.abort.assert_called_once()


# A session that Odoo has ended

ENTRY = LinkEntry(make_link(account="anna"), make_environment())
NEWER = b"n" * 84
EXPIRED = (
    b'{"jsonrpc": "2.0", "id": 1, "error": {"code": 100, "message": "Odoo Session Expired", '
    b'"data": {"name": "odoo.http.SessionExpiredException"}}}'
)
TO_LOGIN = (
    b"HTTP/1.1 303 See Other\r\nLocation: http://odoo.example.com/web/login?redirect=x\r\nContent-Length: 0\r\n\r\n"
)


def _json(body: bytes, content_type: bytes = b"application/json; charset=utf-8", status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Type: " + content_type, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


class NewSessions:
    """Signs the visitor in anew, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.instead_of: list[bytes] = []

    async def obtain(
        self, entry: LinkEntry, visitor: str, _address: str, *, instead_of: VisitorSession, **_named: object
    ) -> VisitorSession:
        assert (entry, visitor) == (ENTRY, "bert")
        self.instead_of.append(instead_of.id)
        if self.error is not None:
            raise self.error
        return VisitorSession(NEWER, 2, "anna", 1, entry.link.version, entry.environment)


class Control:
    """An exchange as the filter sees it; notes what becomes of the response."""

    def __init__(self, line: str) -> None:
        self.request = request(line)
        self.is_over = False
        self.did: list[str] = []
        self.held = bytearray()

    def pass_on(self, _head: object, _data: bytes) -> None:
        self.did.append("passed on")

    def hold(self, data: bytes, *, pause: bool) -> None:
        assert not pause
        self.held += data

    def release(self, _head: object) -> None:
        self.did.append("released")

    def discard_response(self) -> None:
        self.did.append("discarded")

    def take_turn(self) -> None:
        self.did.append("sent again")

    def refuse(self, reason: str, _detail: None, *, read: bool) -> None:
        assert read
        self.did.append(f"refused: {reason}")


class Renewal:
    """One request of a visitor who is signed in, and what Odoo answers."""

    def __init__(
        self, line: str = "POST /web/dataset/call_kw", *, is_repeatable: bool = True, error: Exception | None = None
    ) -> None:
        self.sessions = NewSessions(error)
        self.control = Control(line)
        self._work: list[Coroutine[Any, Any, None]] = []
        known = VisitorSession(BEFORE, 1, "anna", 1, ENTRY.link.version, ENTRY.environment)
        self.use = SessionUse(cast("Any", self.sessions), ENTRY, "bert", "192.0.2.7", known, lambda: None)
        runtime = cast("Any", SimpleNamespace(spawn=self._work.append))
        sent = SimpleNamespace(is_repeatable=is_repeatable)
        self._filter = SessionFilter(runtime, cast("Any", None), self.use, sent)

    async def answer(self, response: bytes, *, then: bytes = b"") -> list[str]:
        """What becomes of a response whose last bytes come later."""
        head, _, body = response.partition(b"\r\n\r\n")
        control = cast("Any", self.control)
        self._filter.take(control, read_response_head(head + b"\r\n\r\n"), body)
        if then:
            self.control.held += then
            self._filter.more(self.control.held, ended=False)
        for work in self._work:
            await work
        self._work.clear()
        return self.control.did


@pytest.mark.parametrize("response", [TO_LOGIN, _json(EXPIRED)], ids=["the login form", "an error of JSON-RPC"])
async def test_where_odoo_has_ended_the_session_the_request_is_sent_again_under_a_new_one(response: bytes) -> None:
    renewal = Renewal()
    assert await renewal.answer(response) == ["discarded", "sent again"]
    assert renewal.sessions.instead_of == [BEFORE]
    assert renewal.use.current is not None
    assert renewal.use.current.id == NEWER
    # Once: an Odoo that ends each session would be asked for ever.
    assert (await renewal.answer(response))[2:] == ["passed on"]


async def test_an_error_that_comes_in_pieces_is_read_once_it_is_whole() -> None:
    whole = _json(EXPIRED)
    renewal = Renewal()
    assert await renewal.answer(whole[:-40]) == []
    renewal = Renewal()
    assert await renewal.answer(whole[:-40], then=whole[-40:]) == ["discarded", "sent again"]
    other = _json(EXPIRED.replace(b"100", b"200"))
    renewal = Renewal()
    assert await renewal.answer(other[:-40], then=other[-40:]) == ["released"]


@pytest.mark.parametrize(
    ("line", "response"),
    [
        ("POST /web/dataset/call_kw", _json(EXPIRED.replace(b"100", b"200"))),
        ("POST /web/dataset/call_kw", _json(b'{"result": "SessionExpired"}')),
        ("POST /web/dataset/call_kw", _json(b'["SessionExpired"]')),
        ("POST /web/dataset/call_kw", _json(EXPIRED, b"text/plain")),
        ("POST /web/dataset/call_kw", _json(EXPIRED, status=b"500 Internal Server Error")),
        ("GET /odoo", _json(EXPIRED)),
        ("GET /web/login", TO_LOGIN),
        ("GET /odoo", TO_LOGIN.replace(b"/web/login", b"/odoo")),
        ("GET /odoo", TO_LOGIN.replace(b"303 See Other", b"200 OK")),
        ("GET /odoo", TO_LOGIN.replace(b"http://odoo.example.com", b"http://[::1")),
    ],
)
async def test_what_does_not_say_that_the_session_has_ended_goes_on(line: str, response: bytes) -> None:
    renewal = Renewal(line)
    assert await renewal.answer(response) == ["passed on"]
    assert renewal.sessions.instead_of == []


async def test_a_request_of_which_not_all_is_at_hand_is_not_sent_again() -> None:
    renewal = Renewal(is_repeatable=False)
    assert await renewal.answer(TO_LOGIN) == ["passed on"]


async def test_who_may_not_be_signed_in_again_reads_why() -> None:
    renewal = Renewal(error=NoSession(Reason.SIGN_IN_REFUSED))
    assert await renewal.answer(TO_LOGIN) == ["discarded", "refused: sign_in_refused"]


async def test_where_signing_in_fails_for_another_cause_that_is_logged_and_the_visitor_told() -> None:
    renewal = Renewal(error=ConnectionError("the database is gone"))
    with pytest.raises(ConnectionError):
        await renewal.answer(TO_LOGIN)
    assert renewal.control.did == ["discarded", "refused: unavailable"]


async def test_who_has_left_meanwhile_is_sent_nothing() -> None:
    renewal = Renewal()
    renewal.control.is_over = True
    assert await renewal.answer(TO_LOGIN) == ["discarded"]


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        (b"/web/login?redirect=%2Fodoo", True),
        (b"/auth-timeout/check-identity?redirect=%2Fodoo", True),
        (b"http://odoo.example/en/auth-timeout/check-identity", False),
        (b"/odoo", False),
    ],
)
def test_a_form_for_a_password_is_the_end_of_a_session(location: bytes, *, leads: bool) -> None:
    head = read_response_head(b"HTTP/1.0 303 SEE OTHER\r\nLocation: " + location + b"\r\n\r\n")
    assert _leads_to_login(head) is leads
