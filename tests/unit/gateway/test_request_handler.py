"""What is decided about a request at once, what is too much, and what goes to our own application."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from tests.unit.gateway import playbook
from tests.unit.gateway.exchanges import body_of, fields_of, status_of
from tests.unit.gateway.playbook import BODY_LIMIT, LINK_ID, PASS, TOKEN, Playbook, Wire, playing, request

from guestpass.app.link_cache import LinkCache, LinkEntry
from guestpass.domain.link import ShareType
from guestpass.gateway.admission import decide_admin
from guestpass.gateway.hosts import HostTable
from guestpass.gateway.limits import LimitSettings
from guestpass.gateway.request_handler import RequestHandler
from guestpass.signing import tokens

_SHARE_URL = f"GET /share/{TOKEN}?a=1 HTTP/1.1".encode()
_HOST = b"Host: share.example.com"
_BROWSER = (b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: document", b"Sec-Fetch-Site: none")


def _ask(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


async def _look_up(book: Playbook, token: str) -> LinkEntry | None:
    links = book.gateway.services.link_cache
    return (await links.look_up(links.recall(token))).entry


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a token's keyed hash and its checksum have been worked out."""
    counted: Counter[str] = Counter()
    checksum = tokens._checksum

    def digest(*given: Any) -> bytes:
        counted["hash"] += 1
        return hmac.digest(*given)

    def counted_checksum(secret: str) -> str:
        counted["checksum"] += 1
        return checksum(secret)

    monkeypatch.setattr(tokens, "hmac", SimpleNamespace(digest=digest))
    monkeypatch.setattr(tokens, "_checksum", counted_checksum)
    return counted


async def _answers_at_once(book: Playbook, *lines: bytes) -> bytes:
    """The answer to a request that no task works on; what a turn sends leaves at its end."""
    before = asyncio.all_tasks()
    book.client.deliver(_ask(*lines))
    assert asyncio.all_tasks() == before
    await asyncio.sleep(0)
    return book.client.take()


async def test_a_share_url_that_memory_knows_is_answered_in_the_same_turn(worked_out: Counter[str]) -> None:
    async with playing() as book:
        assert await _look_up(book, TOKEN) is not None
        worked_out.clear()
        answer = await _answers_at_once(book, _SHARE_URL, _HOST, *_BROWSER)
    assert answer.startswith(b"HTTP/1.1 303")
    assert b"\r\nLocation: /?a=1\r\n" in answer
    assert worked_out == {"hash": 1, "checksum": 1}


async def test_a_share_url_that_memory_does_not_know_is_worked_out_once_too(worked_out: Counter[str]) -> None:
    async with playing() as book:
        book.client.deliver(_ask(_SHARE_URL, _HOST, *_BROWSER))
        await book.settle()
        assert book.client.take().startswith(b"HTTP/1.1 303")
    assert worked_out == {"hash": 1, "checksum": 1}


@pytest.mark.parametrize(
    "token", ["gp_mistyped", TOKEN[:-1] + ("a" if TOKEN[-1] != "a" else "b")], ids=["too short", "one letter is wrong"]
)
async def test_what_is_no_token_is_refused_in_the_same_turn(token: str) -> None:
    async with playing() as book:
        answer = await _answers_at_once(book, f"GET /share/{token} HTTP/1.1".encode(), _HOST, *_BROWSER)
    assert answer.startswith(b"HTTP/1.1 404")


async def test_an_unknown_token_is_looked_for_once_and_then_refused_in_the_same_turn() -> None:
    async with playing() as book:
        wrong = book.gateway.services.link_cache._vault.new()
        assert await _look_up(book, wrong) is None
        answer = await _answers_at_once(book, f"GET /share/{wrong} HTTP/1.1".encode(), _HOST, *_BROWSER)
    assert answer.startswith(b"HTTP/1.1 404")


def _code(answer: bytes) -> str:
    problem: dict[str, Any] = json.loads(body_of(answer))
    return str(problem["code"])


async def _answer(book: Playbook, head: bytes) -> bytes:
    book.client.deliver(head)
    await book.settle()
    return book.client.take()


# The database


async def test_a_link_that_can_not_be_looked_up_is_503_and_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an outage would use up what visitors with mistyped URLs may ask for."""
    once = LimitSettings(unknown_tokens="1/minute")

    async def fail(*_: object) -> None:
        raise ConnectionError("the database is gone")

    async with playing(once) as book:
        with monkeypatch.context() as patch:
            patch.setattr(LinkCache, "look_up", fail)
            for _ in range(3):
                answer = await _answer(book, _ask(_SHARE_URL, _HOST))
                assert (status_of(answer), _code(answer)) == (503, "unavailable")
        assert (await _answer(book, _ask(_SHARE_URL, _HOST, *_BROWSER))).startswith(b"HTTP/1.1 303")


async def test_nobody_waits_for_ever_for_a_database_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(LinkCache, "look_up", wait)
    monkeypatch.setattr("guestpass.gateway.request_handler._LOOK_UP_SECONDS", 0)
    async with playing() as book:
        assert status_of(await _answer(book, _ask(_SHARE_URL, _HOST))) == 503


async def test_who_guesses_tokens_is_turned_back_before_the_database_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    look_up = LinkCache.look_up

    async def counted(*given: Any) -> Any:
        nonlocal asked
        asked += 1
        return await look_up(*given)

    monkeypatch.setattr(LinkCache, "look_up", counted)
    async with playing(LimitSettings(unknown_tokens="2/minute")) as book:
        answers = []
        for _ in range(4):
            wrong = book.gateway.services.link_cache._vault.new()
            client = book.connect()
            client.deliver(_ask(f"GET /share/{wrong} HTTP/1.1".encode(), _HOST))
            await book.settle()
            answers.append(client.take())
    assert [status_of(answer) for answer in answers] == [404, 404, 429, 429]
    assert _code(answers[-1]) == "guesses_used_up"
    assert asked == 2


async def test_while_the_database_is_out_of_reach_for_long_nobody_gets_through() -> None:
    is_out_of_date = True
    async with playing(is_out_of_date=lambda: is_out_of_date) as book:
        answer = await _answer(book, request(b"GET / HTTP/1.1"))
        assert (status_of(answer), _code(answer)) == (503, "unavailable")
        assert book.upstreams == []
        is_out_of_date = False
        book.client = book.connect()
        await _answer(book, request(b"GET / HTTP/1.1"))
        assert len(book.upstreams) == 1


# What is too much


async def test_an_address_that_asks_too_much_is_told_how_long_to_wait() -> None:
    async with playing(LimitSettings(requests_per_address="2/minute")) as book:
        for _ in range(2):
            book.client.deliver(request(b"GET / HTTP/1.1"))
            await book.settle()
            book.upstreams[0].deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await book.settle()
        book.client.take()
        answer = await _answer(book, request(b"GET / HTTP/1.1"))
        assert (status_of(answer), _code(answer)) == (429, "too_many_requests")
        [wait] = [line for line in fields_of(answer) if line.startswith(b"Retry-After: ")]
        assert 0 < int(wait.partition(b": ")[2]) <= 60
        # The refusal ends the connection: to ask again costs the client no less than us.
        assert b"Connection: close" in fields_of(answer)


async def test_a_link_with_as_many_requests_under_way_as_it_may_have_takes_no_more() -> None:
    async with playing(LimitSettings(open_per_link=1)) as book:
        book.client.deliver(request(b"GET /slow HTTP/1.1"))
        await book.settle()
        other = book.connect()
        other.deliver(request(b"GET / HTTP/1.1"))
        await book.settle()
        refused = other.take()
        assert (status_of(refused), _code(refused)) == (429, "link_overrun")
        book.upstreams[0].deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await book.settle()
        book.client.take()
        book.client.deliver(request(b"GET / HTTP/1.1"))
        await book.settle()
        assert b"GET / HTTP/1.1" in book.upstreams[0].written


async def test_a_link_that_is_asked_too_often_is_closed_to_all_of_its_visitors_for_a_while() -> None:
    async with playing(LimitSettings(requests_per_link="1/minute")) as book:
        book.client.deliver(request(b"GET / HTTP/1.1"))
        await book.settle()
        another = playbook._PASSES.write(playbook._PASSES.issue(LINK_ID, 1, int(playbook.NOW.timestamp()))).encode()
        other = book.connect()
        other.deliver(_ask(b"GET / HTTP/1.1", _HOST, b"Cookie: guestpass=" + another))
        await book.settle()
        refused = other.take()
    assert (status_of(refused), _code(refused)) == (429, "link_overrun")


async def test_a_body_that_announces_to_be_too_large_is_refused_before_it_comes() -> None:
    async with playing() as book:
        head = request(b"POST / HTTP/1.1", b"Content-Length: %d" % (BODY_LIMIT + 1))
        answer = await _answer(book, head)
        assert (status_of(answer), _code(answer)) == (413, "body_too_large")
        assert book.upstreams == []


# Heads that are too large


async def test_a_browser_whose_cookies_have_become_too_many_loses_those_and_asks_again() -> None:
    cookies = b"; ".join(b"c%d=%b" % (number, b"x" * 1000) for number in range(80))
    async with playing() as book:
        head = _ask(b"GET /here?a=1 HTTP/1.1", _HOST, *_BROWSER, b"Cookie: " + PASS + b"; " + cookies)
        answer = await _answer(book, head)
    assert status_of(answer) == 303
    assert b"Location: /here?a=1" in fields_of(answer)
    expired = [line for line in fields_of(answer) if line.startswith(b"Set-Cookie: c") and b"Max-Age=0" in line]
    assert expired
    assert not [line for line in fields_of(answer) if line.startswith(b"Set-Cookie: guestpass=")]


async def test_a_head_that_is_too_large_without_cookies_is_431() -> None:
    async with playing() as book:
        answer = await _answer(book, _ask(b"GET / HTTP/1.1", _HOST, *_BROWSER, b"X-Large: " + b"x" * 80_000))
    assert status_of(answer) == 431


# Our own application


class _Application(asyncio.Protocol):
    """What stands behind the application's socket: keeps the heads that come, and answers each."""

    def __init__(self, heads: list[bytes]) -> None:
        self._heads = heads
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._heads.append(data)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nours")
        self._transport.close()


@asynccontextmanager
async def _application(tmp_path: Path) -> AsyncIterator[tuple[Path, list[bytes]]]:
    """The application's socket, and the heads that arrive at it."""
    path, heads = tmp_path / "app.sock", list[bytes]()
    server = await asyncio.get_running_loop().create_unix_server(lambda: _Application(heads), path)
    yield path, heads
    server.close()


async def _answer_of(book: Playbook, head: bytes) -> bytes:
    """The answer that comes by a real socket."""
    book.client.deliver(head)
    async with asyncio.timeout(60):
        while not book.client.written.endswith(b"ours"):
            await book.settle(1)
    return book.client.take()


_LOGIN = (f"POST /share/{TOKEN}/login HTTP/1.1".encode(), _HOST, b"Content-Length: 0")


async def test_a_login_goes_to_the_application_with_what_the_gateway_knows_and_nothing_forged(tmp_path: Path) -> None:
    guarded = replace(playbook._LINK, share_type=ShareType.PASSWORD, max_visitors=3)
    async with _application(tmp_path) as (path, heads), playing(link=guarded, application=path) as book:
        forged = (b"X-Guestpass-Client-Address: 10.0.0.1", b"X-Guestpass-Admin: 1", b"X-Forwarded-For: 10.0.0.2")
        answer = await _answer_of(book, _ask(*_LOGIN, *_BROWSER, *forged))
        assert body_of(answer) == b"ours"
    [head] = heads
    fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in fields_of(head))}
    assert fields[b"x-guestpass-client-address"] == b"203.0.113.9"
    assert fields[b"x-guestpass-page"] == b"1"
    assert len(fields[b"x-guestpass-visitor"]) == 22
    assert b"x-guestpass-admin" not in fields
    assert b"10.0.0." not in head


async def test_who_leaves_before_their_password_was_checked_leaves_their_place_free(tmp_path: Path) -> None:
    freed = []

    async def free(link_id: str, visitor: str, _address: str, _taken_at: datetime | None) -> None:
        freed.append((link_id, visitor))

    guarded = replace(playbook._LINK, share_type=ShareType.PASSWORD, max_visitors=3)
    slots = SimpleNamespace(free=free)
    async with _application(tmp_path) as (path, _), playing(link=guarded, application=path, slots=slots) as book:
        book.client.deliver(_ask(*_LOGIN))
        await book.settle(1)
        book.client.break_off()
        await book.settle()
    assert [link_id for link_id, _ in freed] == [LINK_ID]


async def test_a_login_has_no_large_body() -> None:
    guarded = replace(playbook._LINK, share_type=ShareType.PASSWORD)
    async with playing(link=guarded) as book:
        answer = await _answer(book, _ask(*_LOGIN[:2], b"Content-Length: 70000"))
    assert (status_of(answer), _code(answer)) == (413, "body_too_large")


async def test_what_our_application_answers_costs_an_address_as_much_as_ten_requests() -> None:
    guarded = replace(playbook._LINK, share_type=ShareType.PASSWORD)
    async with playing(LimitSettings(requests_per_address="1000/minute"), link=guarded) as book:
        answers = list[int]()
        while not answers or answers[-1] == 503:
            client = book.connect()
            client.deliver(_ask(*_LOGIN))
            while not client.written:
                await book.settle(1)
            answers.append(status_of(client.take()))
    # There is no application here, so that each of the others is 503.
    assert answers[-1] == 429
    assert len(answers) - 1 == 100


async def test_the_admin_listener_leads_to_the_application_under_its_own_name_alone(tmp_path: Path) -> None:
    async with _application(tmp_path) as (path, heads), playing(application=path) as book:
        hosts = HostTable(main_url="http://admin.example.com", on_loopback=True)
        book.handler = RequestHandler(book.gateway.services, hosts, decide_admin, opens_links=False)
        book.client = book.connect()
        await _answer_of(book, _ask(b"GET /api/environments HTTP/1.1", b"Host: admin.example.com"))
        assert b"\r\nx-guestpass-admin: 1\r\n" in heads[0].lower()
        await _answer_of(book, _ask(f"GET /share/{TOKEN} HTTP/1.1".encode(), b"Host: localhost:8081"))
        assert heads[1].startswith(b"GET /share/")
        refused = await _answer(book, _ask(b"GET / HTTP/1.1", b"Host: rebound.example.com"))
        assert _code(refused) == "unknown_host"
        assert len(heads) == 2


# Who sends a request


async def test_who_sends_a_request_is_read_anew_where_another_address_sends_the_same_bytes() -> None:
    async with playing(LimitSettings(requests_per_address="1/minute")) as book:
        same = request(b"GET / HTTP/1.1")
        book.client.deliver(same)
        await book.settle()
        assert b"X-Forwarded-For: 203.0.113.9\r\n" in book.upstreams[0].written
        other = book.connect()
        other.protocol.peer = "203.0.113.10"  # type: ignore[attr-defined]
        other.deliver(same)
        await book.settle()
        assert b"X-Forwarded-For: 203.0.113.10\r\n" in book.upstreams[1].written
        book.client.protocol.peer = "203.0.113.9"  # type: ignore[attr-defined]
        again = book.connect()
        again.deliver(same)
        await book.settle()
        refused = again.take()
    assert (status_of(refused), _code(refused)) == (429, "too_many_requests")


async def test_the_same_bytes_mean_at_each_listener_what_its_names_say() -> None:
    async with playing() as book:
        same = request(b"GET / HTTP/1.1")
        book.client.deliver(same)
        await book.settle()
        assert len(book.upstreams) == 1
        services = book.gateway.services
        elsewhere = HostTable(main_url="https://admin.example.com", on_loopback=False)
        admin = RequestHandler(services, elsewhere, decide_admin, opens_links=False)
        other = Wire(book.gateway.lifecycle.new_connection(admin))
        other.deliver(same)
        await book.settle()
        refused = other.take()
    assert (status_of(refused), _code(refused)) == (421, "unknown_host")


async def test_who_sends_a_request_is_read_once_while_the_same_fields_come() -> None:
    async with playing() as book:
        asked = []
        for number in range(3):
            book.client.deliver(request(b"GET /%d HTTP/1.1" % number, b"X-Only-Here: 1"))
            await book.settle()
            book.upstreams[0].deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await book.settle()
            assert status_of(book.client.take()) == 200
            trust = book.gateway.services.proxies.is_trusted.cache_info()
            asked.append(trust.hits + trust.misses)
    assert asked[0] == asked[1] == asked[2]


# What is logged


async def test_who_is_turned_back_is_logged_under_the_id_that_they_read() -> None:
    async with playing(LimitSettings(requests_per_address="1/minute")) as book:
        with capture_logs() as logged:
            book.client.deliver(request(b"GET / HTTP/1.1"))
            other = book.connect()
            other.deliver(request(b"GET / HTTP/1.1"))
            await book.settle()
        problem = json.loads(body_of(other.take()))
    [line] = [each for each in logged if each["event"] == "too_many_requests"]
    assert line["request_id"] in json.dumps(problem)
    assert line["link"] == LINK_ID


async def test_a_failing_environment_is_logged_with_its_cause() -> None:
    async with playing() as book:
        book.network_is_down()
        with capture_logs() as logged:
            answer = await _answer(book, request(b"GET / HTTP/1.1"))
    assert status_of(answer) == 502
    [line] = [each for each in logged if each["event"] == "upstream_unreachable"]
    assert "the network is down" in line["cause"]
    assert line["environment"].endswith("staging")
