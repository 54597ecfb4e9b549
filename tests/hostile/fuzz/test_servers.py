"""Real servers behind a real gateway: each reads a pipeline of odd but right requests as what they are."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from threading import Thread

import pytest
from tests.gateway.shared import Shared, sharing
from tests.hostile.fuzz.echo import application
from tests.installation import Installation
from tests.ports import reserve_ports
from werkzeug.serving import WSGIRequestHandler, make_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

Running = Callable[[], AbstractAsyncContextManager[str]]
INNER = "POST /inner HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
# Line, fields and body as they are sent; method, target and body as they must be read.
PIPELINE = [
    (b"GET /plain?a=b%20c HTTP/1.1", (), b"", ("GET", "/plain?a=b%20c", "")),
    (b"POST /counted HTTP/1.1", (b"Content-Length: 0%d" % len(INNER),), INNER.encode(), ("POST", "/counted", INNER)),
    (
        b"POST /chunked HTTP/1.1",
        (b"Transfer-Encoding: Chunked",),
        b'0002;a="b;c"\r\n\r\n\r\n%x\r\n%b\r\n000\r\nX-Trailer: y\r\n\r\n' % (len(INNER), INNER.encode()),
        ("POST", "/chunked", "\r\n" + INNER),
    ),
    (b"PUT /empty HTTP/1.1", (b"Transfer-Encoding: chunked",), b"0\r\n\r\n", ("PUT", "/empty", "")),
    (b"DELETE /with/../dots HTTP/1.1", (b"Content-Length: 1",), b"x", ("DELETE", "/with/../dots", "x")),
    (b"GET http://HOST/absolute HTTP/1.1", (), b"", ("GET", "/absolute", "")),
    (b"POST /last HTTP/1.1", (b"Content_Length: 3", b"Content-Length: 4"), b"last", ("POST", "/last", "last")),
]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nobody reads it."""


@asynccontextmanager
async def _werkzeug() -> AsyncIterator[str]:
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def _gunicorn() -> AsyncIterator[str]:
    [port] = reserve_ports(1)
    command = ("-m", "gunicorn", "-k", "gthread", "--threads", "4", "--no-control-socket", "-b", f"127.0.0.1:{port}")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, "tests.hostile.fuzz.echo:application")
    try:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None
                with suppress(ConnectionError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("running", [_werkzeug, _gunicorn], ids=["Werkzeug", "gunicorn"])
async def test_a_pipeline_is_read_as_what_it_is(server: Installation, running: Running) -> None:
    async with running() as url, sharing(server) as share:
        shared: Shared = await share(url)
        client = await shared.connect()
        sent = [
            shared.request(line.replace(b"HOST", shared.host), *fields, body=body) for line, fields, body, _ in PIPELINE
        ]
        await client.send_slowly(b"".join(sent))
        for *_, (method, target, body) in PIPELINE:
            answer = await client.answer()
            assert answer.status == 200, (answer, target)
            assert json.loads(answer.body) == [method, target, shared.host.decode(), body]
