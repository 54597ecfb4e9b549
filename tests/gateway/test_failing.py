"""When the environment or the visitor goes away: nothing half may look whole, nothing is sent twice unasked."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.gateway.raw_client import Answer, BrokenOffError
from tests.gateway.raw_upstream import RawUpstream, UpstreamEnd
from tests.gateway.shared import OK, Share, Shared, exchange, sharing
from tests.installation import Installation, installation
from tests.ports import reserve_ports
from tests.supervisor.processes import worker_ids

pytestmark = pytest.mark.asyncio(loop_scope="session")

UPLOAD = 24 * 1024 * 1024
"""More than all buffers on the way hold."""


def _reset(end: UpstreamEnd) -> None:
    end.reset()


def _close(end: UpstreamEnd) -> None:
    end.finish_sending()


@contextmanager
def _looking_away(server: Installation) -> Iterator[None]:
    """What happens meanwhile, the gateway sees all at once."""
    [worker] = worker_ids(server)
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def _logged(shared: Shared, answer: Answer) -> dict[str, object]:
    """The line of the log that has the request id which the answer names."""
    if (answer.get(b"content-type") or b"").startswith(b"text/html"):
        shown = re.search(rb"[0-9a-f]{8}-[0-9a-f]+", answer.body)
        assert shown is not None
        request_id = shown[0].decode()
    else:
        request_id = json.loads(answer.body)["requestId"]
    [line] = [line for line in shared.server.log.splitlines() if _id(line) == request_id]
    entry: dict[str, object] = json.loads(line)
    return entry


def _id(line: str) -> str | None:
    match = re.search(r'"request_id": "([^"]+)"', line)
    return match[1] if match else None


@pytest.mark.parametrize("end_how", [_close, _reset], ids=["closes", "resets"])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", id="counted"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", id="between chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", id="in a chunk"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", id="in the last chunk"
        ),
    ],
)
async def test_half_an_answer_never_looks_whole(
    share: Share, upstream: RawUpstream, begun: bytes, version: bytes, end_how: Callable[[UpstreamEnd], None]
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"GET / HTTP/%b" % version))
    end = await upstream.accept()
    await end.head()
    end.send(begun)
    head = await client.head()
    assert head.status == 200
    end_how(end)
    if head.get(b"content-length") is None and version == b"1.0":
        # Such a body has no other end than the connection's, so only a reset can say that it is broken.
        with pytest.raises(BrokenOffError):
            await client.rest()
    else:
        try:
            came = await client.rest()
        except BrokenOffError:
            came = b""
        assert len(came) < 10 if head.get(b"content-length") else not came.endswith(b"0\r\n\r\n")


async def test_a_reset_before_the_end_of_a_close_delimited_answer_breaks_it_off(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    assert (await client.head()).status == 200
    assert await client.read(9) == b"4\r\nhalf\r\n"
    end.reset()
    with pytest.raises(BrokenOffError):
        await client.read(5)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
async def test_a_kept_connection_that_turns_out_dead_costs_no_repeatable_request(
    share: Share, upstream: RawUpstream, method: bytes
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    first = await upstream.accept()
    await first.head()
    first.send(OK)
    await client.answer()
    client.send(shared.request(method + b" /again HTTP/1.1"))
    seen = await first.head()
    first.reset()
    second = await upstream.accept()
    assert (await second.head()).raw == seen.raw
    second.send(OK)
    assert (await client.answer(to=method)).status == 200


@pytest.mark.parametrize(
    ("line", "field", "body"),
    [
        (b"POST / HTTP/1.1", b"Content-Length: 0", b""),
        (b"POST / HTTP/1.1", b"Content-Length: 2", b"hi"),
        (b"PATCH / HTTP/1.1", b"Content-Length: 0", b""),
        (b"PUT / HTTP/1.1", b"Content-Length: 2", b"hi"),
        (b"GET / HTTP/1.1", b"Content-Length: 2", b"hi"),
        (b"DELETE / HTTP/1.1", b"Transfer-Encoding: chunked", b"0\r\n\r\n"),
    ],
)
async def test_what_may_have_been_done_is_never_done_twice(
    share: Share, upstream: RawUpstream, line: bytes, field: bytes, body: bytes
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    await client.answer()
    client.send(shared.request(line, field, body=body))
    assert (await end.head()).line == line
    end.reset()
    assert (await client.answer()).status == 502
    assert upstream.accepted == 1


@pytest.mark.parametrize("end_how", [_close, _reset], ids=["closes", "resets"])
@pytest.mark.parametrize("pipelined", [True, False], ids=["pipelined", "from another connection"])
async def test_a_kept_connection_that_has_ended_carries_no_request_that_can_not_be_repeated(
    share: Share, upstream: RawUpstream, end_how: Callable[[UpstreamEnd], None], *, pipelined: bool
) -> None:
    """Its end has arrived with the answer before or with the request, but was not read yet."""
    shared = await share(upstream)
    client, other = await shared.connect(), await shared.connect()
    order = shared.request(b"POST /order HTTP/1.1", b"Content-Length: 5", body=b"order")
    client.send(shared.get() + (order if pipelined else b""))
    first = await upstream.accept()
    await first.head()
    if not pipelined:
        first.send(OK)
        assert (await client.answer()).status == 200
    with _looking_away(shared.server):
        if pipelined:
            first.send(OK)
        else:
            other.send(order)
        end_how(first)
        await first.close()
    if pipelined:
        assert (await client.answer()).status == 200
    second = await upstream.accept()
    assert (await second.head()).line == b"POST /order HTTP/1.1"
    assert await second.read(5) == b"order"
    second.send(OK)
    assert (await (client if pipelined else other).answer()).body == b"ok"
    assert upstream.accepted == 2


async def test_a_request_is_repeated_once_and_no_more(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    first = await upstream.accept()
    await first.head()
    first.send(OK)
    await client.answer()
    client.send(shared.get(b"/again"))
    await first.head()
    first.reset()
    second = await upstream.accept()
    await second.head()
    second.reset()
    assert (await client.answer()).status == 502
    assert upstream.accepted == 2


async def test_a_request_whose_answer_had_begun_is_not_repeated(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(OK)
    await client.answer()
    client.send(shared.get(b"/again"))
    await end.head()
    await end.send_all(b"HTTP/1.1 2")
    await end.close()
    assert (await client.answer()).status == 502
    assert upstream.accepted == 1


async def test_a_new_connection_that_is_closed_unanswered_is_502(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    for how in (_close, _reset):
        client.send(shared.get())
        end = await upstream.accept()
        await end.head()
        how(end)
        assert (await client.answer()).status == 502


async def test_an_environment_that_hangs_up_on_everybody_is_502_each_time(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    for _ in range(100):
        client.send(shared.get())
        (await upstream.accept()).reset()
        assert (await client.answer()).status == 502


async def test_an_answer_that_comes_before_the_question_keeps_nobody_waiting(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    upstream.greeting = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    client = await shared.connect()
    for _ in range(50):
        client.send(shared.get())
        # Which of the two it is depends on whether the question was on its way already.
        assert (await client.answer()).status in (200, 502)


async def test_an_upload_to_an_environment_that_dies_is_502(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Content-Length: 100000", body=b"x" * 50_000))
    end = await upstream.accept()
    await end.head()
    end.reset()
    answer = await client.answer()
    assert (answer.status, answer.get(b"connection")) == (502, b"close")
    client.send(b"x" * 50_000)
    assert await client.rest() == b""


@pytest.mark.parametrize("page", [False, True])
async def test_an_environment_that_is_down_is_502_and_the_log_says_why(share: Share, page: bool) -> None:
    [port] = reserve_ports(1)
    shared = await share(f"http://127.0.0.1:{port}")
    mode = b"Sec-Fetch-Mode: " + (b"navigate" if page else b"cors")
    answer = await shared.ask(b"GET / HTTP/1.1", mode)
    assert answer.status == 502
    if not page:
        assert answer.get(b"content-type") == b"application/problem+json"
        assert json.loads(answer.body)["code"] == "upstream_unreachable"
    entry = _logged(shared, answer)
    assert entry["message"] == "upstream_unreachable"
    assert "refused" in str(entry["cause"])
    assert str(port) not in answer.body.decode(), "where the environment lives is not the visitor's business"


@pytest.mark.parametrize("name", ["nowhere.invalid", "a" * 63 + ".invalid"])
async def test_an_environment_whose_name_leads_nowhere_is_502_and_the_log_says_why(share: Share, name: str) -> None:
    shared = await share(f"http://{name}")
    answer = await shared.ask(b"GET / HTTP/1.1")
    assert answer.status == 502
    assert name in str(_logged(shared, answer)["cause"])


@pytest.mark.parametrize("page", [False, True])
async def test_an_environment_that_does_not_answer_in_time_is_504(
    share: Share, upstream: RawUpstream, page: bool
) -> None:
    shared = await share(upstream, responseTimeout="1s")
    mode = b"Sec-Fetch-Mode: " + (b"navigate" if page else b"cors")
    client = await shared.connect()
    client.send(shared.get(b"/slow", mode))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nX: y")
    answer = await client.answer()
    assert answer.status == 504
    assert _logged(shared, answer)["message"] == "upstream_timeout"
    await end.gone()


async def _a_later_request_is_504(shared: Shared, upstream: RawUpstream) -> None:
    """Return when the time for an answer is over for a request that begins now, and so for all that began before."""
    client = await shared.connect()
    client.send(shared.get(b"/later"))
    end = await upstream.accept()
    await end.head()
    assert (await client.answer()).status == 504


async def test_the_time_for_an_answer_runs_from_the_end_of_the_upload(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream, responseTimeout="1s")
    client = await shared.connect()
    client.send(shared.request(b"POST /slow HTTP/1.1", b"Transfer-Encoding: chunked"))
    end = await upstream.accept()
    await end.head()
    async with asyncio.TaskGroup() as tasks:
        time_is_over = tasks.create_task(_a_later_request_is_504(shared, upstream))
        while not time_is_over.done():
            client.send(b"1\r\nx\r\n")
            assert await end.read(6) == b"1\r\nx\r\n"
    client.send(b"0\r\n\r\n")
    assert await end.read(5) == b"0\r\n\r\n"
    assert (await client.answer()).status == 504


async def test_an_environment_that_takes_nothing_of_an_upload_in_time_is_504(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream, responseTimeout="1s")
    client = await shared.connect()
    client.send(shared.request(b"POST /slow HTTP/1.1", b"Content-Length: %d" % UPLOAD, body=bytes(UPLOAD)))
    end = await upstream.accept()
    await end.head()
    answer = await client.answer()
    assert answer.status == 504
    assert _logged(shared, answer)["message"] == "upstream_timeout"


async def test_a_visitor_is_not_the_slow_one_while_the_environment_takes_nothing(upstream: RawUpstream) -> None:
    async with installation(client_patience="1s") as server, sharing(server) as share:
        shared = await share(upstream)
        client = await shared.connect()
        client.send(shared.request(b"POST /slow HTTP/1.1", b"Content-Length: %d" % UPLOAD, body=bytes(UPLOAD)))
        end = await upstream.accept()
        await end.head()
        # An application that has one thread is busy with somebody else.
        await asyncio.sleep(3)
        assert await end.read(UPLOAD) == bytes(UPLOAD)
        end.send(OK)
        assert (await client.answer()).body == b"ok"
        assert "head_timeout" not in server.log


async def test_an_answer_may_take_longer_than_its_head(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream, responseTimeout="1s")
    client = await shared.connect()
    client.send(shared.get())
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
    await client.head()
    await _a_later_request_is_504(shared, upstream)
    end.send(b"lf")
    assert await client.read(4) == b"half"


async def test_who_resets_the_connection_ends_the_request_to_the_environment(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/report"))
    end = await upstream.accept()
    await end.head()
    client.reset()
    await end.gone()


async def test_who_leaves_during_an_upload_ends_it(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n"))
    end = await upstream.accept()
    await end.head()
    await client.close()
    with pytest.raises(BrokenOffError):
        await end.read(100)


async def test_who_leaves_during_a_download_ends_it(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/large"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    await client.head()
    await client.close()

    async def go_on() -> None:
        for _ in range(10_000):
            await end.send_all(b"x" * 64 * 1024)

    with pytest.raises(ConnectionError):
        await go_on()


async def test_who_leaves_an_event_stream_ends_it_at_once(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.get(b"/events"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    await client.head()
    await client.close()
    await end.gone()


async def test_two_visitors_never_share_a_connection_at_the_same_time(share: Share, upstream: RawUpstream) -> None:
    shared = await share(upstream)
    one, two = await shared.connect(), await shared.connect()
    one.send(shared.get(b"/one"))
    first = await upstream.accept()
    two.send(shared.get(b"/two"))
    second = await upstream.accept()
    assert (await first.head()).target == b"/one"
    assert (await second.head()).target == b"/two"
    second.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
    assert (await two.answer()).body == b"two"
    first.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
    assert (await one.answer()).body == b"one"
    assert (await exchange(one, first, shared.get(), OK)).status == 200


@pytest.mark.parametrize(
    ("version", "begun"),
    [
        (b"1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        (b"1.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        (b"1.1", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: half\n\n"),
        (b"1.0", b"HTTP/1.1 200 OK\r\n\r\nhalf"),
    ],
    ids=["counted", "chunked", "events", "until close"],
)
async def test_a_download_that_is_under_way_when_its_link_is_deactivated_never_looks_whole(
    share: Share, upstream: RawUpstream, version: bytes, begun: bytes
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"GET / HTTP/%b" % version))
    end = await upstream.accept()
    await end.head()
    end.send(begun)
    await client.head()
    await shared.server.deactivate(shared.environment["id"], shared.link["id"])
    with pytest.raises(BrokenOffError):
        await client.rest()
    await end.gone()


async def test_an_upload_that_is_under_way_when_its_link_is_deactivated_is_never_completed(
    share: Share, upstream: RawUpstream
) -> None:
    shared = await share(upstream)
    client = await shared.connect()
    client.send(shared.request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n"))
    end = await upstream.accept()
    await end.head()
    await shared.server.deactivate(shared.environment["id"], shared.link["id"])
    await client.gone()
    with pytest.raises(BrokenOffError):
        await end.read(100)
