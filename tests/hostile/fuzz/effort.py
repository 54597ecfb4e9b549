"""How much work a byte of a stranger's is: floods of what each reader reads, counted instead of timed.

A reader may do so many operations for each byte and each piece that bytes come in, and no more whatever they are. One
that copies its backlog, looks at the same bytes again or makes much of little passes that bound as soon as there are
some thousand bytes. What a flood found that a test does not try becomes a unit of `_UNITS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.hostile.fuzz.work import Pieces, operations

from guestpass.gateway.cookies import CookieReader, EnvironmentCookies
from guestpass.odoo.bus.frames import ClientFrames, ServerFrames, ViewOnlyFrames
from guestpass.odoo.http.json_bodies import read_call, read_little
from guestpass.odoo.http.requests import without_foreign_database
from guestpass.odoo.view_only.calls import rule_on_call
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.system import SystemEntropy
from guestpass.wire.chunked import BrokenChunkError, ChunkedDecoder
from guestpass.wire.heads import RefusedHeadError, read_request_head, read_response_head
from guestpass.wire.response_reader import BrokenResponseError, ResponseReader
from guestpass.wire.websocket_frames import BINARY, CLOSE, CONTINUATION, MASKED, PING, TEXT, Frames

_SIGNER: Final = PassSigner(Keys.from_secret("a secret of these tests, long enough"), SystemEntropy())
_PASS: Final = _SIGNER.issue("aaaaaaaaaaaaaaaa", 1, 1_800_000_000)
_TAG: Final = _SIGNER.cookie_tag(_PASS).encode()


Read = Callable[[list[bytes]], object]


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads bytes that come in pieces, and what it may do at most: for each byte, for each piece, and once."""

    read: Read
    units: tuple[bytes, ...]
    a_byte: int
    a_piece: int = 400
    once: int = 3000
    sizes: tuple[int, ...] = (500, 2000, 6000)
    in_pieces: bool = False
    before: bytes = b""
    behind: bytes = b""


def _follow(frames: Frames) -> Callable[[list[bytes]], None]:
    def read(pieces: list[bytes]) -> None:
        for piece in pieces:
            at = 0
            while at < len(piece) and not frames.lost:
                frames.feed(piece, at)
                at = frames.position

    return read


def _look_on(pieces: list[bytes]) -> None:
    frames = ViewOnlyFrames(SystemEntropy())
    for piece in pieces:
        frames.pass_on(piece)
        if frames.refused is not None:
            return


def _decode(pieces: list[bytes]) -> None:
    decoder = ChunkedDecoder()
    for piece in pieces:
        at = 0
        while at < len(piece) and not decoder.done:
            decoder.feed(piece, at)
            at = decoder.position


def _respond(pieces: list[bytes]) -> None:
    reader = ResponseReader(b"GET")
    for piece in pieces:
        data, at = piece, 0
        if reader.head is None:
            if reader.final_head(data) is None:
                continue
            data = reader.rest
        while at < len(data) and not reader.is_complete:
            reader.read_body(data, at)
            at = reader.position


def _cookies(pieces: list[bytes]) -> None:
    jar = CookieReader(_SIGNER, secure=False).read(pieces[0])
    jar.for_environment(_TAG, frozenset({b"sid"}))
    assert len(jar.names) + len(jar.renamed) >= 0


def _set_cookies(pieces: list[bytes]) -> None:
    EnvironmentCookies(_TAG, http_only=frozenset(), now=0.0, ends_at=1e9, secure=True, learn=lambda _: None).rewrite(
        pieces[0]
    )


def _frame(opcode: int, payload: bytes, *, masked: bool, final: bool = True) -> bytes:
    head = bytes(((0x80 if final else 0) | opcode, (MASKED if masked else 0) | len(payload)))
    return head + (b"\0\0\0\0" if masked else b"") + payload


def _frames_of(*, masked: bool) -> tuple[bytes, ...]:
    kinds = ((PING, b""), (PING, b"x"), (TEXT, b""), (TEXT, b"[]"), (TEXT, b'{"event_name":"subscribe"}'),
             (TEXT, b'[{"id":1}]'), (BINARY, b""), (CLOSE, b""))  # fmt: skip
    whole = tuple(_frame(opcode, payload, masked=masked) for opcode, payload in kinds)
    begun = tuple(_frame(opcode, b"[", masked=masked, final=False) for opcode in (TEXT, CONTINUATION))
    return (*whole, *begun, bytes((0x81, (MASKED if masked else 0) | 126)), b"\0" * 7, b"[[]],")


_JSON: Final = (b"[[]],", b"[", b"{", b'{"a":', b'"a":0,', b'"",', b"1,", b"1", b'"', b"\\", b'\\"', b"\\u0000", b" ",
                b"]", b"}", b"1e9,", b"null,", b"-", b"\xff", "é".encode())  # fmt: skip
_COOKIES: Final = (b"a;", b"a=b; ", b";", b"=", b" ", b"\t", b"guestpass=", b"guestpass=1.x;", b"guestpass.x;", b",",
                   b"guestpass." + _TAG + b".a=b;", b"guestpass=" + _SIGNER.write(_PASS).encode() + b";",
                   b"__Host-", b"\xff")  # fmt: skip
_ATTRIBUTES: Final = (b";", b"a;", b"Path=/;", b"Expires=1 1 1;", b"1 ", b":", b"HttpOnly;", b"Max-Age=9", b"9", b"=",
                      b" ", b",")  # fmt: skip
_FIELDS: Final = (b"a:b\r\n", b"a:\r\n", b"Cookie: a\r\n", b"Connection: a\r\n", b"Content-Length: 1\r\n", b"a", b":",
                  b"\r\n", b"\n", b"\r", b" ", b"Transfer-Encoding: chunked\r\n", b"X_A: b\r\n", b"\x00", b",",
                  b"Host: a\r\n", b"Connection: a,")  # fmt: skip
_CHUNKS: Final = (
    b"1\r\na\r\n",
    b"0",
    b"f",
    b";a=b",
    b"\r\n",
    b"1;a\r\n",
    b"a\r\n",
    b"5\r\n",
    b"a",
    b"0\r\n",
    b"a:b\r\n",
)
_PAIRS: Final = (b"&", b"a&", b"a=b&", b"db=x&", b"%64b&", b"session_id=x&", b"%", b"+", b"=")
_OF_A_HEAD: Final = (2000, 60_000)
_CALL: Final = b'{"id":1,"params":{"model":"a","method":"read","args":['


def _refusing(read: Callable[[bytes], object]) -> Callable[[list[bytes]], None]:
    def refuse(pieces: list[bytes]) -> None:
        try:
            read(pieces[0])
        except (ValueError, RefusedHeadError, BrokenChunkError):
            return

    return refuse


def _refusing_pieces(read: Callable[[list[bytes]], None]) -> Callable[[list[bytes]], None]:
    def refuse(pieces: list[bytes]) -> None:
        try:
            read(pieces)
        except (BrokenChunkError, BrokenResponseError):
            return

    return refuse


READERS: Final[dict[str, Callable[[], Reader]]] = {
    "frames": lambda: Reader(_follow(Frames(masked=True)), _frames_of(masked=True), 100, in_pieces=True),
    "bus, from its server": lambda: Reader(_follow(ServerFrames()), _frames_of(masked=False), 300, in_pieces=True),
    "bus, from a client": lambda: Reader(_follow(ClientFrames()), _frames_of(masked=True), 150, in_pieces=True),
    "bus, from who only looks": lambda: Reader(_look_on, _frames_of(masked=True), 150, in_pieces=True),
    "chunks": lambda: Reader(_refusing_pieces(_decode), _CHUNKS, 90, in_pieces=True),
    "a call": lambda: Reader(_refusing(read_call), _JSON, 12, before=b'{"a":[', behind=b"0]}"),
    "a call of who only looks": lambda: Reader(
        _refusing(lambda body: rule_on_call(b"/web/dataset/call_kw", body, ())), _JSON, 12, before=_CALL, behind=b"0]}}"
    ),
    "a little JSON": lambda: Reader(_refusing(read_little), _JSON, 6, before=b"[", behind=b"0]"),
    "cookies": lambda: Reader(_cookies, _COOKIES, 6, once=400_000, sizes=_OF_A_HEAD),
    "a Set-Cookie": lambda: Reader(_set_cookies, _ATTRIBUTES, 4, once=8000, sizes=_OF_A_HEAD, before=b"a=b;"),
    "a request's head": lambda: Reader(
        _refusing(read_request_head),
        _FIELDS,
        12,
        sizes=_OF_A_HEAD,
        before=b"GET / HTTP/1.1\r\nHost: a\r\n",
        behind=b"\r\n\r\n",
    ),
    "an answer's head": lambda: Reader(
        _refusing(read_response_head), _FIELDS, 12, sizes=_OF_A_HEAD, before=b"HTTP/1.1 200 OK\r\n", behind=b"\r\n\r\n"
    ),
    "a response, its head": lambda: Reader(
        _refusing_pieces(_respond), _FIELDS, 12, sizes=_OF_A_HEAD, in_pieces=True, before=b"HTTP/1.1 200 OK\r\n"
    ),
    "a response, its chunks": lambda: Reader(
        _refusing_pieces(_respond),
        _CHUNKS,
        90,
        in_pieces=True,
        before=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    "a query": lambda: Reader(
        _refusing(lambda query: without_foreign_database(query, "one")), _PAIRS, 3, sizes=_OF_A_HEAD
    ),
}


def flood(chance: Random, units: Iterable[bytes], size: int) -> bytes:
    """Some bytes of one or few kinds, again and again, and now and then another between them."""
    units = list(units)
    few = [chance.choice(units) for _ in range(chance.choice((1, 1, 2, 3)))]
    data = bytearray()
    while len(data) < size:
        for unit in few:
            data += unit * chance.choice((1, 1, 1, 2, 50))
        if chance.random() < 0.02:
            data += chance.choice(units)
    return bytes(data[:size])


def cut(chance: Random, data: bytes) -> list[bytes]:
    """The data as it might arrive: at once, in pieces of a network's, or byte by byte."""
    size = chance.choice((len(data), len(data), 1400, 100, 1))
    return [data[start : start + size] for start in range(0, len(data), size)]


def check_effort(chance: Random, name: str | None = None, size: int | None = None) -> int:
    """Let one reader read a flood; returns its operations. Raises AssertionError where they are too many."""
    name = name or chance.choice(list(READERS))
    reader = READERS[name]()
    data = reader.before + flood(chance, reader.units, size or chance.choice(reader.sizes)) + reader.behind
    pieces = [Pieces(piece) for piece in (cut(chance, data) if reader.in_pieces else [data])]
    done = operations(lambda: reader.read(list(pieces)))
    most = reader.once + reader.a_byte * len(data) + reader.a_piece * len(pieces)
    assert done <= most, f"{name}: {done} operations for {len(data)} bytes in {len(pieces)} pieces: {data[:200]!r}"
    return done
