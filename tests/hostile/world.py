"""The gateway among hostile visitors and environments: what is sent, and what must be seen on every side of it."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Any, Final, Self

from tests.gateway.raw_client import Answer, RawClient
from tests.hostile.case import (
    ODOO,
    WEB,
    Answered,
    Asking,
    CutOff,
    Failed,
    Forwarded,
    Passed,
    Refused,
    RequestCase,
    ResponseCase,
)
from tests.hostile.strict import FaultError, read_answers
from tests.hostile.upstream import Received, Script, Upstream, upstream
from tests.installation import Installation

from guestpass.wire.client_connection import HEAD_TIMEOUT

WAIT_SECONDS: Final = 60.0
_PIECES: Final = 400
_TRIES: Final = 3
_MARKS = count()


class Form(Enum):
    """How bytes are divided."""

    WHOLE = "whole"
    BYTES = "byte by byte"
    SPLIT = "split at random"


def divide(data: bytes, form: Form, seed: str) -> list[bytes]:
    """The bytes in pieces; `seed` decides where a random division falls. Long ones come in hundreds of pieces."""
    if form is Form.WHOLE:
        return [data]
    if form is Form.BYTES:
        # Heads and ends are where it matters; in the midst of many bytes pieces may be larger.
        size = max(1, len(data) // _PIECES)
        return [data[at : at + size] for at in range(0, len(data), size)]
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, len(data)), min(len(data) - 1, chance.randint(1, 8))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


class Wire:
    """A visitor's connection: all that was received is kept, also where the gateway resets it while more is sent."""

    def __init__(self, connection: socket.socket) -> None:
        self.received = b""
        self.is_over = False
        self._news = asyncio.Event()
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection, self._read)

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Connect to the gateway's port."""
        connection = socket.socket()
        connection.setblocking(False)
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(connection)

    def _read(self) -> None:
        try:
            data = self._socket.recv(256 * 1024)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        self.received += data
        if not data:
            self.is_over = True
            self._loop.remove_reader(self._socket)
        self._news.set()

    async def send(self, *pieces: bytes) -> None:
        """Send each piece in a packet of its own, as far as the kernel lets it, for as long as anybody listens."""
        with suppress(ConnectionError):
            for piece in pieces:
                await self._loop.sock_sendall(self._socket, piece)
                if len(pieces) > 1:
                    await asyncio.sleep(0)

    async def answers(self, methods: list[bytes], what: str) -> list[Answer]:
        """The answers to requests with these methods, or fewer where the gateway closes before they are complete."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                self._news.clear()
                found, _ = _read(self.received, methods, what)
                if len(found) == len(methods) or self.is_over:
                    return found
                await self._news.wait()

    async def ended(self, what: str) -> bytes:
        """All that was received, once the gateway has closed."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not self.is_over:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: the connection stays open after {self.received[-400:]!r}") from None
        return self.received

    def close(self) -> None:
        """Close at once."""
        self._loop.remove_reader(self._socket)
        self._socket.close()


def _read(data: bytes, methods: list[bytes], what: str) -> tuple[list[Answer], bytes]:
    try:
        return read_answers(data, methods)
    except FaultError as fault:
        raise AssertionError(f"{what}: the visitor gets {fault}, in {data[:2000]!r}") from None


@dataclass(slots=True)
class Visited:
    """An environment of one kind, with two visitors who have opened it."""

    kind: str
    host: bytes
    cookie: bytes
    neighbour: bytes
    neighbours: asyncio.Queue[Wire] = field(default_factory=asyncio.Queue)


class World:
    """One gateway, one upstream, and an environment of each kind behind it."""

    def __init__(self, server: Installation, upstream: Upstream) -> None:
        self.server = server
        self.upstream = upstream
        self.host = b"127.0.0.1:%d" % server.public_port
        self.visited: dict[str, Visited] = {}

    async def open(self, kind: str) -> None:
        """Register the upstream as an environment of that kind and let two visitors in."""
        environment = await self.server.add_environment(
            name=f"Hostile {kind}", url=f"http://127.0.0.1:{self.upstream.port}", kind=kind
        )
        link = await self.server.create_link(environment["id"])
        path = link["url"].partition(self.server.public_url)[2].encode()
        host = self.host if kind == WEB else self.upstream.authority
        self.visited[kind] = Visited(kind, host, await self._enter(path), await self._enter(path))

    async def _enter(self, path: bytes) -> bytes:
        client = await RawClient.connect(self.server.public_port)
        client.send(b"GET %b HTTP/1.1\r\nHost: %b\r\nSec-Fetch-Mode: navigate\r\n\r\n" % (path, self.host))
        answer = await client.answer()
        assert answer.status == 303, answer
        await client.close()
        return answer.all(b"set-cookie")[0].partition(b";")[0]

    def mark(self) -> bytes:
        """A new mark."""
        return b"mark%06dx" % next(_MARKS)

    def filled(self, data: bytes, mark: bytes, cookie: bytes) -> bytes:
        """The bytes of a case for one run."""
        port = b"%d" % self.server.public_port
        return data.replace(b"MARK", mark).replace(b"HOST", self.host).replace(b"PASS", cookie).replace(b"PORT", port)

    def _plain(self, target: bytes, cookie: bytes, *, last: bool = False) -> bytes:
        return b"GET %b HTTP/1.1\r\nHost: %b\r\nCookie: %b\r\n%b\r\n" % (
            target,
            self.host,
            cookie,
            b"Connection: close\r\n" if last else b"",
        )

    # Visitors' requests

    async def attack(self, case: RequestCase, kind: str, form: Form, *, reused: bool) -> None:
        """Send a case's bytes with an innocent request behind them, and hold everyone to what must be seen.

        A machine that takes seconds for that, so that the gateway gives up waiting for a head, gets another try.
        """
        for _ in range(_TRIES):
            started = asyncio.get_running_loop().time()
            try:
                return await self._attack(case, kind, form, reused=reused)
            except AssertionError:
                if asyncio.get_running_loop().time() - started < HEAD_TIMEOUT:
                    raise
        raise AssertionError(f"{case.name}: this machine is too slow to send a head within {HEAD_TIMEOUT} s")

    async def _attack(self, case: RequestCase, kind: str, form: Form, *, reused: bool) -> None:
        visited = self.visited[kind]
        mark = self.mark()
        sent = self.filled(case.sent, mark, visited.cookie)
        innocent = self._plain(b"/innocent-" + mark, visited.cookie, last=True)
        what = f"{case.name} ({kind}, {form.value}, {'reused' if reused else 'fresh'}, seed {case.name!r})"
        wire = await Wire.connect(self.server.public_port)
        try:
            expected: list[Forwarded | Refused | Answered] = []
            if reused:
                await wire.send(self._plain(b"/before-" + mark, visited.cookie))
                assert len(await wire.answers([b"GET"], what)) == 1, f"{what}: nothing is answered before it"
                expected.append(Forwarded(b"/before-MARK"))
            pieces = divide(sent, form, case.name)
            if form is Form.WHOLE:
                pieces = [sent + innocent]
            elif form is Form.BYTES:
                # Its first bytes are where one who has miscounted would cut.
                pieces += [innocent[:1], innocent[1:2], innocent[2:]]
            else:
                pieces = divide(sent + innocent, form, case.name)
            await wire.send(*pieces)
            expected += case.seen
            last = case.seen[-1]
            if isinstance(last, Answered) or (isinstance(last, Forwarded) and not last.is_last):
                expected.append(Forwarded(b"/innocent-MARK"))
            self._judge(await wire.ended(what), expected, mark, visited, what)
        finally:
            wire.close()

    def _judge(
        self, data: bytes, expected: list[Forwarded | Refused | Answered], mark: bytes, visited: Visited, what: str
    ) -> None:
        methods = [b"GET" if isinstance(outcome, Refused) else outcome.method for outcome in expected]
        answers, rest = _read(data, methods, what)
        said = f"{[answer.status for answer in answers]} {data[:1500]!r}"
        received = iter(self.upstream.received.get(mark, []))
        for outcome, answer in zip(expected, answers, strict=False):
            if isinstance(outcome, Forwarded):
                self._judge_forwarded(outcome, answer, received, mark, visited, what)
            else:
                assert answer.status == outcome.status, f"{what}: {outcome} expected, not {said}"
                closes = answer.get(b"connection") == b"close"
                assert closes is isinstance(outcome, Refused), f"{what}: {outcome} expected, not {said}"
        assert len(answers) == len(expected), f"{what}: {len(expected)} answers expected, not {said}"
        assert rest == b"", f"{what}: after all answers comes {rest[:500]!r}"
        more = list(received)
        assert not more, f"{what}: more reached the environment: {more!r}"

    def _judge_forwarded(
        self, outcome: Forwarded, answer: Answer, received: Iterator[Received], mark: bytes, visited: Visited, what: str
    ) -> None:
        got = next(received, None)
        assert got is not None, f"{what}: {outcome} expected to arrive, but the visitor gets {answer}"
        message = got.message
        assert message is not None, f"{what}: the environment got {got.fault}"
        target, body = (self.filled(part, mark, visited.cookie) for part in (outcome.target, outcome.body))
        arrived = (message.method, message.target, message.body)
        assert arrived == (outcome.method, target, body), f"{what}: {outcome} expected, not {message}"
        host = visited.host if outcome.host is None else self.filled(outcome.host, mark, visited.cookie)
        assert message.all(b"host") == message.all(b"x-forwarded-host") == [host], f"{what}: {message}"
        assert message.all(b"x-forwarded-for") == [b"127.0.0.1"], f"{what}: {message}"
        for name, value in outcome.fields:
            wanted = [] if value is None else [self.filled(value, mark, visited.cookie)]
            assert message.all(name) == wanted, f"{what}: {name!r} expected as {wanted}, not in {message}"
        assert answer.get(b"x-seen") == b"%d" % got.number, f"{what}: the answer to another request: {answer}"
        assert answer.status == 200, f"{what}: {answer}"
        assert not outcome.is_last or answer.get(b"connection") == b"close", f"{what}: {answer}"
        assert outcome.method == b"HEAD" or answer.body == got.echo, f"{what}: {answer}"

    async def live_beside(self, kind: str) -> None:
        """Another visitor sends a request on a connection that they keep open, and gets the response."""
        visited = self.visited[kind]
        wire = visited.neighbours.get_nowait() if not visited.neighbours.empty() else None
        if wire is None:
            wire = await Wire.connect(self.server.public_port)
        mark = self.mark()
        what = f"another visitor of the {kind} environment"
        await wire.send(self._plain(b"/neighbour-" + mark, visited.neighbour))
        answers = await wire.answers([b"GET"], what)
        self._judge(wire.received, [Forwarded(b"/neighbour-MARK")], mark, visited, what)
        assert len(answers) == 1, what
        assert not wire.is_over, what
        wire.received = b""
        visited.neighbours.put_nowait(wire)

    # Environments' answers

    async def suffer(self, case: ResponseCase, kind: str, form: Form) -> None:
        """Let the environment say a case's bytes, ask for something innocent after it, and hold all to what is seen."""
        visited = self.visited[kind]
        mark = self.mark()
        what = f"{case.name} ({kind}, {form.value}, seed {case.name!r})"
        script = Script(divide(self.filled(case.sent, mark, visited.cookie), form, case.name), case.closes)
        self.upstream.scripts[mark] = script
        head, rest = self._asking(case.asking, mark, visited.cookie)
        innocent = self._plain(b"/innocent-" + mark, visited.cookie, last=True)
        pipelined = form is Form.WHOLE and case.asking in (Asking.GET, Asking.HEAD)
        method = b"HEAD" if case.asking is Asking.HEAD else b"GET"
        wire = await Wire.connect(self.server.public_port)
        try:
            await wire.send(head + innocent if pipelined else head)
            if not pipelined:
                await wire.answers([method], what)
                if not case.is_kept:
                    await self._gone(script, what)
                await wire.send(rest + innocent)
            data = await wire.ended(what)
            if not case.is_kept:
                await self._gone(script, what)
        finally:
            wire.close()
        lives_on = self._judge_answer(case, data, method, mark, visited, what)
        if not lives_on:
            await self._ask_anew(mark, visited, what)
        assert not script.was_kept or case.is_kept, f"{what}: the connection was used again"

    def _asking(self, asking: Asking, mark: bytes, cookie: bytes) -> tuple[bytes, bytes]:
        """The request's bytes, and those of its body that are sent when the answer has come."""
        common = b"Host: %b\r\nCookie: %b\r\n" % (self.host, cookie)
        if asking is Asking.UNFINISHED:
            hidden = self._plain(b"/smuggled-" + mark, cookie)
            length = b"Content-Length: %d\r\n" % len(hidden)
            return b"POST /%b HTTP/1.1\r\n%b%b\r\n%b" % (mark, common, length, hidden[:6]), hidden[6:]
        if asking is Asking.WEBSOCKET:
            common += (
                b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
        method = b"HEAD" if asking is Asking.HEAD else b"GET"
        version = b"1.0" if asking is Asking.OLD else b"1.1"
        target = b"/websocket?" if asking is Asking.WEBSOCKET else b"/"
        return b"%b %b%b HTTP/%b\r\n%b\r\n" % (method, target, mark, version, common), b""

    async def _gone(self, script: Script, what: str) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await script.is_gone.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: the gateway keeps the environment's connection") from None

    def _judge_answer(
        self, case: ResponseCase, data: bytes, method: bytes, mark: bytes, visited: Visited, what: str
    ) -> bool:
        """Judge what the visitor got; True where their connection stayed open and holds the innocent answer too."""
        answers, rest = _read(data, [method, b"GET"], what)
        said = f"{case.seen} expected, not {[answer.status for answer in answers]} {data[:1500]!r}"
        if isinstance(case.seen, CutOff):
            assert not answers, f"{what}: {said}"
            return False
        assert answers, f"{what}: {said}"
        answer, *others = answers
        assert rest == b"", f"{what}: after all answers comes {rest[:500]!r}"
        assert answer.status == case.seen.status, f"{what}: {said}"
        if isinstance(case.seen, Failed):
            assert mark not in answer.body, f"{what}: {said}"
            assert answer.get(b"content-type") == b"application/problem+json", f"{what}: {said}"
        else:
            self._judge_passed(case.seen, answer, mark, visited, f"{what}: {said}")
        if answer.get(b"connection") == b"close":
            assert not others, f"{what}: {said}"
            return False
        assert len(others) == 1, f"{what}: no answer to the innocent request behind it: {data[-1500:]!r}"
        self._judge_innocent(others[0], mark, visited, what)
        return True

    def _judge_passed(self, seen: Passed, answer: Answer, mark: bytes, visited: Visited, said: str) -> None:
        assert answer.body == self.filled(seen.body, mark, visited.cookie), said
        for name, value in seen.fields:
            assert answer.all(name) == ([] if value is None else [value]), f"{name!r}: {said}"

    def _judge_innocent(self, answer: Answer, mark: bytes, visited: Visited, what: str) -> None:
        [received] = self.upstream.received.get(mark, [None])
        assert received is not None, f"{what}: the innocent request did not arrive: {answer}"
        self._judge_forwarded(Forwarded(b"/innocent-MARK"), answer, iter([received]), mark, visited, what)

    async def _ask_anew(self, mark: bytes, visited: Visited, what: str) -> None:
        wire = await Wire.connect(self.server.public_port)
        try:
            await wire.send(self._plain(b"/innocent-" + mark, visited.cookie, last=True))
            answers, rest = _read(await wire.ended(what), [b"GET"], what)
            assert len(answers) == 1, f"{what}: no answer to an innocent request"
            assert rest == b"", f"{what}: {rest!r}"
            self._judge_innocent(answers[0], mark, visited, what)
        finally:
            wire.close()


@asynccontextmanager
async def world(server: Installation) -> AsyncIterator[World]:
    """A world around a running server; when all is done, nothing may have arrived late."""
    async with upstream() as listening:
        around = World(server, listening)
        await around.open(WEB)
        await around.open(ODOO)
        try:
            yield around
        finally:
            for visited in around.visited.values():
                while not visited.neighbours.empty():
                    visited.neighbours.get_nowait().close()
    faults = [received for _, received in listening.by_number.values() if received.fault is not None]
    assert not faults, f"what reached an environment had more than one reading: {faults}"
    smuggled = [
        received
        for _, received in listening.by_number.values()
        if received.message is not None and b"smuggled" in received.message.target
    ]
    assert not smuggled, f"hidden requests reached an environment: {smuggled}"


async def together(*doings: Coroutine[Any, Any, None]) -> None:
    """Do all at the same time; the first failure is raised when all are done, as it is."""
    for outcome in await asyncio.gather(*doings, return_exceptions=True):
        if outcome is not None:
            raise outcome
