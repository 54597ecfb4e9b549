"""One request and its response, from the first byte to the last: the exchange in each of its states."""

from __future__ import annotations

import pytest
from tests.unit.gateway.exchanges import (
    DEFLATE,
    GET,
    HANDSHAKE,
    OK,
    SWITCHED,
    ask,
    body_of,
    deliver,
    fields_of,
    is_paused,
    post,
    status_of,
)
from tests.unit.gateway.playbook import BODY_LIMIT, Playbook, Wire, playing, request


async def _kept(book: Playbook) -> Wire:
    """An upstream's connection that has served one request and is kept."""
    upstream = await ask(book)
    await deliver(book, upstream, OK)
    assert not upstream.is_closing()
    upstream.take()
    return upstream


# The request's body


async def test_a_counted_body_goes_up_as_it_comes() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Content-Length: 7", body=b"abc"))
        assert upstream.written.endswith(b"\r\n\r\nabc")
        assert b"\r\nContent-Length: 7\r\n" in upstream.take()
        await deliver(book, book.client, b"de")
        assert upstream.take() == b"de"
        await deliver(book, book.client, b"fg")
        assert upstream.take() == b"fg"
        assert status_of(await deliver(book, upstream, OK)) == 200


async def test_a_chunked_body_is_framed_anew_without_extensions_and_trailers() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Transfer-Encoding: chunked", body=b"3;name=value\r\nabc\r\n"))
        assert upstream.written.endswith(b"\r\n\r\n3\r\nabc\r\n")
        assert b"\r\nTransfer-Encoding: chunked\r\n" in upstream.take()
        await deliver(book, book.client, b"0002\r\nde", b"\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert upstream.take() == b"2\r\nde\r\n0\r\n\r\n"


async def test_several_chunks_that_arrive_together_leave_as_one() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"))
        assert upstream.written.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


async def test_an_empty_chunked_body_is_its_last_chunk() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"))
        assert upstream.written.endswith(b"\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("fields", "body"),
    [((b"Content-Length: 3",), b"abc"), ((b"Transfer-Encoding: chunked",), b"3\r\nabc\r\n0\r\n\r\n")],
    ids=["counted", "chunked"],
)
async def test_what_follows_a_body_is_the_next_request(fields: tuple[bytes, ...], body: bytes) -> None:
    async with playing() as book:
        upstream = await ask(book, post(*fields, body=body + request(b"GET /next HTTP/1.1")))
        assert b"GET /next" not in upstream.written
        await deliver(book, upstream, OK)
        assert b"GET /next HTTP/1.1\r\n" in upstream.take()


async def test_a_body_that_arrives_before_the_connection_is_made_waits_and_follows_its_head() -> None:
    async with playing() as book:
        book.client.deliver(post(b"Content-Length: 6", body=b"abc"))
        assert book.upstreams == []
        assert is_paused(book.client)
        book.client.deliver(b"def")
        await book.settle()
        assert not is_paused(book.client)
        [upstream] = book.upstreams
        assert upstream.written.endswith(b"\r\n\r\nabcdef")


async def test_expect_continue_is_the_upstreams_to_answer() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Content-Length: 2", b"Expect: 100-continue"))
        assert b"\r\nExpect: 100-continue\r\n" in upstream.take()
        assert book.client.take() == b""
        assert await deliver(book, upstream, b"HTTP/1.1 100 Continue\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await deliver(book, book.client, b"hi")
        assert upstream.take() == b"hi"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"zz\r\n", 400),
        (b"3\r\nabcdef", 400),
        (b"1\r\na\r\n" * 400, 200),
        (b"%x\r\n%b\r\n" % (BODY_LIMIT, b"x" * BODY_LIMIT), 200),
        (b"%x\r\n%b\r\n" % (BODY_LIMIT + 1, b"x" * (BODY_LIMIT + 1)), 413),
        (b"258\r\n%b\r\n258\r\n%b\r\n" % (b"x" * 600, b"x" * 600), 413),
    ],
    ids=["no size", "longer than it says", "many small", "as long as may be", "too long", "too long in all"],
)
async def test_a_chunked_body_that_may_not_be_is_refused(body: bytes, status: int) -> None:
    async with playing() as book:
        book.client.deliver(post(b"Transfer-Encoding: chunked", body=body))
        await book.settle(60)
        [upstream] = book.upstreams
        if status == 200:
            book.client.deliver(b"0\r\n\r\n")
            await book.settle()
            assert upstream.written.endswith(b"0\r\n\r\n")
        else:
            assert status_of(book.client.written) == status
            assert upstream.aborted
            assert book.client.finished_writing


@pytest.mark.parametrize("began", [False, True])
async def test_a_broken_body_breaks_an_answer_that_has_begun(*, began: bool) -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n"))
        if began:
            await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        said = await deliver(book, book.client, b"zz\r\n")
        assert upstream.aborted
        assert book.client.aborted is began
        assert (said == b"") is began


# Back-pressure


async def test_an_upstream_that_takes_no_more_holds_the_body_and_nothing_else() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Content-Length: 6", body=b"abc"))
        upstream.protocol.pause_writing()
        assert is_paused(book.client)
        upstream.protocol.resume_writing()
        assert not is_paused(book.client)
        await deliver(book, book.client, b"def")
        assert upstream.written.endswith(b"abcdef")


async def test_an_upstream_that_never_takes_the_body_has_its_answers_time_and_the_visitor_is_not_blamed() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Content-Length: 6", body=b"abc"))
        upstream.protocol.pause_writing()
        await book.after(719.9)
        assert book.client.written == b""
        await book.after(720.1)
        assert status_of(book.client.written) == 504
        assert upstream.aborted


async def test_a_client_that_takes_no_more_holds_the_upstream() -> None:
    async with playing() as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        book.client.protocol.pause_writing()
        assert is_paused(upstream)
        assert await deliver(book, upstream, b"def") == b""
        book.client.protocol.resume_writing()
        await book.settle()
        assert not is_paused(upstream)
        assert book.client.take() == b"def"


async def test_a_connection_that_is_kept_is_read_although_its_last_client_was_slow() -> None:
    async with playing() as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        book.client.protocol.pause_writing()
        book.client.protocol.resume_writing()
        await deliver(book, upstream, b"def")
        assert await ask(book) is upstream
        assert not is_paused(upstream)


async def test_chunks_are_taken_in_steps_and_the_upstream_is_not_read_meanwhile() -> None:
    async with playing() as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        upstream.deliver(b"1\r\na\r\n" * 200)
        assert is_paused(upstream)
        await book.settle(30)
        assert not is_paused(upstream)
        said = await deliver(book, upstream, b"0\r\n\r\n")
        assert said.count(b"a") == 200
        assert said.endswith(b"0\r\n\r\n")
        assert await ask(book) is upstream


# Interim responses


async def test_interim_responses_pass_with_their_links_and_nothing_else() -> None:
    async with playing() as book:
        upstream = await ask(book)
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nSet-Cookie: a=b\r\n\r\n"
        said = await deliver(book, upstream, early)
        assert said == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        assert status_of(await deliver(book, upstream, OK)) == 200


async def test_a_client_of_http_1_0_gets_no_interim_response() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.0"))
        assert await deliver(book, upstream, b"HTTP/1.1 103 Early Hints\r\n\r\n") == b""
        assert status_of(await deliver(book, upstream, OK)) == 200


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 502)])
@pytest.mark.parametrize("together", [False, True])
async def test_ten_interim_responses_are_enough(count: int, status: int, *, together: bool) -> None:
    async with playing() as book:
        upstream = await ask(book)
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        said = await deliver(book, upstream, *([interim * count + OK] if together else [interim] * count + [OK]))
        assert said.startswith(interim * 10)
        assert status_of(said.removeprefix(interim * 10)) == status
        assert upstream.aborted is (status == 502)


# Responses without a body, and where a body ends


@pytest.mark.parametrize(
    ("method", "answer", "length", "kept"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"9", True),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None, True),
        (b"HEAD", b"HTTP/1.1 200 OK\r\n\r\n", None, False),
        (b"HEAD", b"HTTP/1.1 304 Not Modified\r\n\r\n", None, True),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", None, True),
        (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", None, True),
        (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", None, False),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"9", True),
        (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"0", True),
    ],
)
async def test_a_response_without_a_body_is_complete_with_its_head(
    method: bytes, answer: bytes, length: bytes | None, *, kept: bool
) -> None:
    async with playing() as book:
        upstream = await ask(book, request(method + b" / HTTP/1.1"))
        said = await deliver(book, upstream, answer)
        assert said.endswith(b"\r\n\r\n")
        lengths = [field.partition(b": ")[2] for field in fields_of(said) if field.startswith(b"Content-Length")]
        assert lengths == ([] if length is None else [length])
        assert not any(field.startswith(b"Transfer-Encoding") for field in fields_of(said))
        assert (await ask(book) is upstream) is kept
        assert upstream.is_closing() is not kept


@pytest.mark.parametrize("whole", [False, True])
async def test_a_chunked_response_is_framed_anew(*, whole: bool) -> None:
    async with playing() as book:
        upstream = await ask(book)
        pieces = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"3;a=b\r\nabc\r\n",
            b"2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
        )
        said = await deliver(book, upstream, *([b"".join(pieces)] if whole else pieces))
        assert b"Transfer-Encoding: chunked" in fields_of(said)
        assert body_of(said) == (b"5\r\nabcde\r\n0\r\n\r\n" if whole else b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert await ask(book) is upstream


async def test_a_response_that_ends_with_its_connection_is_chunked_for_the_client() -> None:
    async with playing() as book:
        upstream = await ask(book)
        said = await deliver(book, upstream, b"HTTP/1.1 200 OK\r\n\r\nab", b"cd")
        assert body_of(said) == b"2\r\nab\r\n2\r\ncd\r\n"
        upstream.deliver_end()
        await book.settle()
        assert book.client.take() == b"0\r\n\r\n"
        assert await ask(book) is not upstream


@pytest.mark.parametrize("answer", [b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"\r\nab"])
async def test_a_client_of_http_1_0_gets_a_body_without_length_up_to_the_connections_end(answer: bytes) -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.0", b"Connection: keep-alive"))
        said = await deliver(book, upstream, b"HTTP/1.1 200 OK\r\n" + answer)
        upstream.deliver_end()
        await book.settle()
        assert b"Connection: close" in fields_of(said)
        assert body_of(said) == b"ab"
        assert book.client.lost
        assert not book.client.aborted


# Connections that are kept, or not


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (OK, True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", True),
        (OK + b"more", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore", False),
    ],
    ids=["1.1", "close", "1.0", "1.0 keep-alive", "bytes behind", "bytes behind chunks"],
)
@pytest.mark.parametrize("cut", [False, True])
async def test_an_upstreams_connection_serves_another_request_where_it_may(
    answer: bytes, *, kept: bool, cut: bool
) -> None:
    async with playing() as book:
        upstream = await ask(book)
        said = await deliver(book, upstream, *((answer[:30], answer[30:]) if cut else (answer,)))
        assert b"ok" in body_of(said)
        assert b"more" not in said
        assert (await ask(book) is upstream) is kept
        assert upstream.is_closing() is not kept


@pytest.mark.parametrize(
    ("line", "fields", "said_of_it"),
    [
        (b"GET / HTTP/1.1", (), None),
        (b"GET / HTTP/1.1", (b"Connection: close",), b"Connection: close"),
        (b"GET / HTTP/1.0", (), b"Connection: close"),
        (b"GET / HTTP/1.0", (b"Connection: keep-alive",), b"Connection: keep-alive"),
    ],
)
async def test_the_clients_connection_is_kept_as_it_asks(
    line: bytes, fields: tuple[bytes, ...], said_of_it: bytes | None
) -> None:
    async with playing() as book:
        upstream = await ask(book, request(line, *fields))
        said = await deliver(book, upstream, OK)
        of_it = [field for field in fields_of(said) if field.startswith(b"Connection")]
        assert of_it == ([] if said_of_it is None else [said_of_it])
        assert book.client.lost is (said_of_it == b"Connection: close")


async def test_the_answer_of_a_worker_that_ends_is_the_connections_last() -> None:
    async with playing() as book:
        upstream = await ask(book)
        book.gateway.runtime.draining = True
        assert b"Connection: close" in fields_of(await deliver(book, upstream, OK))
        assert book.client.lost


async def test_an_answer_before_the_bodys_end_is_the_last_on_both_connections() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Content-Length: 6", body=b"abc"))
        said = await deliver(book, upstream, OK)
        assert b"Connection: close" in fields_of(said)
        assert body_of(said) == b"ok"
        assert upstream.is_closing()
        # Read on, so that no reset overtakes the answer.
        assert book.client.finished_writing
        assert not book.client.lost


async def test_a_body_goes_on_while_its_answer_has_begun() -> None:
    async with playing() as book:
        upstream = await ask(book, post(b"Content-Length: 6", body=b"abc"))
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        upstream.take()
        await deliver(book, book.client, b"def")
        assert upstream.take() == b"def"
        assert await deliver(book, upstream, b"lf") == b"lf"


# The upstream leaves


@pytest.mark.parametrize("error", [False, True])
@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (b"", "502"),
        (b"HTTP/1.1 200 OK\r\nConte", "502"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "aborted"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha", "aborted"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha", "aborted"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha\r\n", "aborted"),
        (b"HTTP/1.1 200 OK\r\n\r\nha", "whole unless broken"),
        (OK, "whole"),
    ],
)
async def test_an_upstream_that_leaves_leaves_nothing_that_looks_whole(
    said: bytes, outcome: str, *, error: bool
) -> None:
    async with playing() as book:
        upstream = await ask(book)
        if said:
            upstream.deliver(said)
            await book.settle()
        if error:
            upstream.break_off()
        else:
            upstream.deliver_end()
        await book.settle()
        told = book.client.take().removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert book.client.aborted is (outcome == "aborted" or (outcome == "whole unless broken" and error))
        if outcome == "502":
            assert status_of(told) == 502
            assert b'"code": "upstream_broken"' in told
        elif outcome == "whole unless broken" and not error:
            assert told.endswith(b"0\r\n\r\n")
        elif outcome == "whole":
            assert body_of(told) == b"ok"


async def test_an_upstream_that_leaves_behind_chunks_that_wait_is_heard_to_its_end() -> None:
    async with playing() as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        upstream.deliver(b"1\r\na\r\n" * 200 + b"0\r\n\r\n")
        upstream.deliver_end()
        await book.settle(30)
        said = book.client.take()
        assert said.count(b"a") == 200
        assert said.endswith(b"0\r\n\r\n")
        assert not book.client.aborted


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
    ids=["length", "no head", "too large", "101 unasked"],
)
async def test_a_head_that_may_not_be_is_502(answer: bytes) -> None:
    async with playing() as book:
        upstream = await ask(book)
        said = await deliver(book, upstream, answer)
        assert status_of(said) == 502
        assert upstream.aborted
        assert not book.client.lost


async def test_a_chunk_that_may_not_be_breaks_the_answer() -> None:
    async with playing() as book:
        upstream = await ask(book)
        await deliver(book, upstream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n")
        assert book.client.aborted
        assert upstream.aborted


# Another try over a new connection


async def test_a_request_whose_kept_connection_turns_out_to_be_closed_goes_over_another_one() -> None:
    async with playing() as book:
        stale = await _kept(book)
        book.client.deliver(GET)
        await book.settle()
        asked = stale.take()
        assert asked.startswith(b"GET / HTTP/1.1\r\n")
        stale.deliver_end()
        await book.settle()
        [_, fresh] = book.upstreams
        assert fresh.take() == asked
        assert book.client.take() == b""
        assert status_of(await deliver(book, fresh, OK)) == 200


async def test_no_request_is_tried_more_than_twice() -> None:
    async with playing() as book:
        stale = await _kept(book)
        book.client.deliver(GET)
        stale.deliver_end()
        await book.settle()
        book.upstreams[1].deliver_end()
        await book.settle()
        assert len(book.upstreams) == 2
        assert status_of(book.client.take()) == 502


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (GET, b"HTTP/1.1"),
        (post(b"Content-Length: 2", body=b"hi"), b""),
        (request(b"PUT / HTTP/1.1", b"Content-Length: 2", body=b"hi"), b""),
    ],
    ids=["answered in part", "a POST", "a body"],
)
async def test_what_may_have_been_served_is_not_sent_again(asked: bytes, said: bytes) -> None:
    async with playing() as book:
        stale = await _kept(book)
        book.client.deliver(asked)
        await book.settle()
        used = stale if stale.written else book.upstreams[-1]
        count = len(book.upstreams)
        if said:
            used.deliver(said)
        used.deliver_end()
        await book.settle()
        assert len(book.upstreams) == count
        assert status_of(book.client.take()) == 502


async def test_a_first_connection_that_closes_at_once_is_no_stale_one() -> None:
    async with playing() as book:
        upstream = await ask(book)
        upstream.deliver_end()
        await book.settle()
        assert len(book.upstreams) == 1
        assert status_of(book.client.take()) == 502


# The client leaves


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (GET, b""),
        (GET, b"HTTP/1.1 200 OK\r\nConte"),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha"),
        (GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha\r\n"),
        (GET, b"HTTP/1.1 200 OK\r\n\r\nha"),
        (post(b"Content-Length: 9", body=b"half"), b""),
        (post(b"Content-Length: 9", body=b"half"), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha"),
    ],
)
async def test_a_client_that_leaves_takes_its_upstreams_connection_with_it(asked: bytes, said: bytes) -> None:
    async with playing() as book:
        upstream = await ask(book, asked)
        if said:
            await deliver(book, upstream, said)
        book.client.break_off()
        await book.settle()
        assert upstream.aborted
        book.client = book.connect()
        assert await ask(book) is not upstream


async def test_a_client_that_leaves_behind_its_answer_takes_nothing_with_it() -> None:
    async with playing() as book:
        upstream = await _kept(book)
        book.client.break_off()
        await book.settle()
        assert not upstream.is_closing()
        # It is the same visitor's, whichever connection of theirs asks.
        book.client = book.connect()
        assert await ask(book) is upstream


# The link ends


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (GET, b""),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha"),
        (post(b"Content-Length: 9", body=b"half"), b""),
    ],
)
async def test_whatever_is_under_way_ends_with_its_link(asked: bytes, said: bytes) -> None:
    async with playing() as book:
        upstream = await ask(book, asked)
        if said:
            await deliver(book, upstream, said)
        book.end_link()
        await book.settle()
        assert book.client.aborted
        assert upstream.aborted


async def test_nothing_is_left_of_a_connection_that_is_made_too_late() -> None:
    async with playing() as book:
        book.client.deliver(GET)
        book.end_link()
        await book.settle()
        assert book.client.aborted
        assert all(wire.written == b"" and wire.is_closing() for wire in book.upstreams)


# WebSockets


async def test_a_websocket_opens_and_passes_on_what_is_said_on_both_sides() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        said = await deliver(book, upstream, SWITCHED + b"\r\n\x81\x02hi")
        assert status_of(said) == 101
        assert body_of(said) == b"\x81\x02hi"
        upstream.take()
        frame = b"\x81\x82\x00\x00\x00\x00ho"
        await deliver(book, book.client, frame)
        assert upstream.take() == frame


async def test_what_a_client_says_before_its_websocket_opens_waits() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        frame = b"\x81\x82\x00\x00\x00\x00ho"
        upstream.take()
        await deliver(book, book.client, frame)
        assert upstream.written == b""
        await deliver(book, upstream, SWITCHED + b"\r\n")
        assert upstream.take() == frame


@pytest.mark.parametrize(
    "answer",
    [
        SWITCHED.replace(b"s3pP", b"S3pP") + b"\r\n",
        SWITCHED.replace(b"Upgrade: websocket", b"Upgrade: h2c") + b"\r\n",
        SWITCHED.replace(b"Connection: Upgrade\r\n", b"") + b"\r\n",
        SWITCHED + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ],
    ids=["key", "protocol", "no connection", "extension"],
)
async def test_a_websocket_that_is_not_as_asked_is_502(answer: bytes) -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        said = await deliver(book, upstream, answer)
        assert status_of(said) == 502
        assert upstream.aborted


async def test_an_extension_that_was_offered_may_be_accepted() -> None:
    async with playing() as book:
        offered = (*HANDSHAKE, DEFLATE)
        upstream = await ask(book, request(b"GET / HTTP/1.1", *offered))
        assert b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" in upstream.take()
        said = await deliver(book, upstream, SWITCHED + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        assert status_of(said) == 101


async def test_a_websocket_that_is_refused_gets_the_answer_and_no_second_request() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        said = await deliver(book, upstream, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        assert status_of(said) == 403
        assert body_of(said) == b"no"
        assert b"Connection: close" in fields_of(said)
        assert upstream.is_closing()


@pytest.mark.parametrize("whose", ["client", "upstream"])
async def test_what_was_said_last_in_a_websocket_arrives(whose: str) -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        await deliver(book, upstream, SWITCHED + b"\r\n")
        upstream.take()
        one, other = (book.client, upstream) if whose == "client" else (upstream, book.client)
        close = b"\x88\x82\x00\x00\x00\x00\x03\xe8" if whose == "client" else b"\x88\x02\x03\xe8"
        one.deliver(close)
        one.deliver_end()
        await book.settle()
        assert other.written.endswith(close)
        assert not other.aborted
        assert other.is_closing() or other.finished_writing


async def test_a_websocket_ends_with_its_link() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        await deliver(book, upstream, SWITCHED + b"\r\n")
        book.end_link()
        await book.settle()
        assert book.client.aborted
        assert upstream.aborted


async def test_a_websockets_client_that_takes_no_more_holds_the_upstream() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        await deliver(book, upstream, SWITCHED + b"\r\n")
        book.client.protocol.pause_writing()
        assert is_paused(upstream)
        book.client.protocol.resume_writing()
        assert not is_paused(upstream)
        upstream.protocol.pause_writing()
        assert is_paused(book.client)
        upstream.protocol.resume_writing()
        assert not is_paused(book.client)


async def test_frames_are_followed_in_steps_and_the_upstream_is_not_read_meanwhile() -> None:
    async with playing() as book:
        upstream = await ask(book, request(b"GET / HTTP/1.1", *HANDSHAKE))
        await deliver(book, upstream, SWITCHED + b"\r\n")
        frames = b"\x81\x01a" * 300
        upstream.deliver(frames)
        assert is_paused(upstream)
        upstream.deliver_end()
        await book.settle(30)
        assert book.client.take() == frames
        assert book.client.finished_writing
