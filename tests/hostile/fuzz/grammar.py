"""Bytes that are nearly HTTP: messages by grammar, each part of which may be one that some server reads another way.

Chance is a `Random`: hypothesis brings one that it can shrink, a campaign one of a seed, atheris one of its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Final, TypeVar

from tests.unit.gateway.playbook import HOST, PASS

T = TypeVar("T")

Part = Callable[[Random], T]
_RARELY: Final = 100


def _mostly(usual: T, *others: T, one_in: int = _RARELY) -> Part[T]:
    """The usual, and once in so many times another: a message has some twenty parts, and most must be right."""
    return lambda chance: usual if chance.randrange(one_in) < one_in - 1 else chance.choice(others)


def _any(*these: T) -> Part[T]:
    """Each as often as the other."""
    return lambda chance: chance.choice(these)


def _some(chance: Random, part: Part[T], most: int, least: int = 0) -> list[T]:
    return [part(chance) for _ in range(chance.randint(least, most))]


def _shuffled(chance: Random, these: Sequence[T]) -> list[T]:
    return chance.sample(these, len(these))


_END = _mostly(
    b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\r\n\r\n", b" \r\n", b"\t\r\n", b"\x0b\r\n", b"\x00\r\n", b""
)
_COLON = _mostly(b": ", b":", b" : ", b"\t:", b":\t", b":  ", b":\x0b", b":\r\n ", b"::", b"")
_BETWEEN = _mostly(b" ", b"  ", b"\t", b"\x0b", b"\x0c", b"\xa0", b"", b"\r")
_BEFORE = _mostly(b"", b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\xef\xbb\xbf", b"\r")
_PLAIN_METHOD = _any(*[b"GET", b"POST"] * 3, b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"PROPFIND")
_ODD_METHOD = _mostly(
    b"", b"get", b"Get", b"PRI", b"CONNECT", b"TRACE", b"QUERY", b"SOURCE", b"M-SEARCH", b"G\x00ET", b"GET/", b" ",
        b"DESCRIBE", b"PURGE", b"G!T", one_in=60,
)  # fmt: skip
_TARGET = _mostly(
    b"/a", b"/", b"/a?b=c", b"//x/y", b"/a%2fb", b"/%00", b"/a b", b"/a#b", b"/a\\b", b"*", b"a", b"?x", b"/\xc3\xa9",
    b"/a;b=c", b"/a/../b", b"/./a", b"/%zz", b"/a\tb", b"http://" + HOST + b"/a", b"http://" + HOST,
    b"HTTP://" + HOST + b"?q",
    b"http://other.example/a", b"http://u@" + HOST + b"/a", b"https://" + HOST + b"/a", b"http:///a", b"http:" + HOST,
    b"//" + HOST + b"/a", b"/http://other.example/", b"/a?b#c", b"/a|b", b'/a"b', b"/<a>", b"/{a}", b"/a\x7f", b"",
    b"///a//", b"/s-proxy/a", b"/share/gp_x", HOST + b":80", one_in=8,
)  # fmt: skip
_VERSION = _mostly(
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/1.10",
    b"http/1.1", b"HTTP/1.1 ",
    b"HTTP/01.1", b"HTTP/1,1", b"HTTP/1", b"RTSP/1.0", b"ICE/1.0", b"", b"HTTP/1.1\x00", one_in=40,
)  # fmt: skip
_HOSTS = _mostly(
    HOST, HOST.upper(), HOST + b" ", HOST + b":80", HOST + b":", b"", b"other.example", HOST + b"," + HOST,
    b"a@" + HOST, HOST + b".",
    HOST + b":080", HOST + b"/a", b"[::1]", HOST + b"\x00", HOST + b"\t", HOST + b"#a", b"http://" + HOST,
)  # fmt: skip
_FIELDS = _any(
    (b"Connection", b"close"), (b"Connection", b"keep-alive"), (b"Connection", b"close, keep-alive"),
    (b"Connection", b"content-length"), (b"Connection", b"transfer-encoding"), (b"Connection", b"host, x-a"),
    (b"Connection", b"Upgrade"), (b"Connection", b"cookie"), (b"Connection", b"keep-alive, upgrade"),
    (b"Connection", b"x-forwarded-for"), (b"Connection", b"\x0bclose"), (b"Connection", b""),
    (b"Proxy-Connection", b"close"),
    (b"Upgrade", b"websocket"), (b"Upgrade", b"h2c"), (b"Upgrade", b"TLS/1.0"), (b"HTTP2-Settings", b"AAMAAABk"),
    (b"Sec-WebSocket-Version", b"13"), (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"Expect", b"100-continue"), (b"Expect", b"100-Continue, x"), (b"Expect", b"x"),
    (b"TE", b"trailers"), (b"Trailer", b"Content-Length"), (b"Trailer", b"Host"),
    (b"X-Forwarded-Host", b"other.example"), (b"X-Forwarded-For", b"1.2.3.4"), (b"Forwarded", b"host=other.example"),
    (b"Content_Length", b"3"), (b"Transfer_Encoding", b"chunked"), (b"X_Forwarded_Host", b"other.example"),
    (b"Content-Length ", b"3"), (b" Content-Length", b"3"), (b"Content-Length\x00", b"3"),
    (b"Content\xadLength", b"3"),
    (b"X-A", b"b"), (b"X-A", b"\xff\xfe"), (b"X-A", b"a\x00b"), (b"X-A", b"a\x7fb"), (b"X-A", b"a\r\n b"),
    (b"X-A", b"a\rb"),
    (b"X-A", b"a\nContent-Length: 3"), (b"X-A", b"a\rContent-Length: 3"), (b"", b"x"), (b"X A", b"b"),
    (b"X(A)", b"b"),
    (b"X-A", b" "), (b"X-A", b"\x85"), (b"X-A", b"\xa0"), (b"X-A", b'"'), (b"Cookie", b"a=b"),
    (b"Cookie", b"a=b\x00"),
    (b"Host", HOST), (b"Host", b"other.example"), (b"Content-Encoding", b"gzip"),
    (b"Content-Type", b"text/event-stream"),
    (b"X-HTTP-Method-Override", b"DELETE"), (b"Range", b"bytes=0-1"), (b"Content-Length", b"0"),
    (b"Transfer-Encoding", b"x"),
)  # fmt: skip
_LENGTHS = _mostly(
    b"%d", b"0%d", b"+%d", b"-%d", b" %d ", b"%d\t", b"%d,%d", b"%d, %d", b"0x%x", b"%d.0", b"%de0", b"%d_0",
    b'"%d"', b"%d\x0b",
     b"%d;", b"\xb2%d", b"00000000000000000000%d", b"1844674407370955161%d", b"%d 0", b"", b"%d\r\n ", b"\x00%d",
     one_in=25,
)  # fmt: skip
_CODINGS = _mostly(
    b"chunked", b"Chunked", b"CHUNKED", b"chunked ", b"chunked\t", b"chunked \t", b"\tchunked",
    b"\x0bchunked", b"chunked\x0b", b"chunked, chunked", b"gzip, chunked",
    b"chunked, gzip", b"identity", b"identity, chunked", b"chunked, identity", b",chunked", b"chunked,",
    b"chunked;q=1", b"xchunked",
    b"chunke\xc4\x91", b'"chunked"', b"", b"chunked\x00", b"\xa0chunked", b"deflate", b"x", one_in=25,
)  # fmt: skip
_CODING_NAME = _mostly(
    b"Transfer-Encoding", b"transfer-encoding", b"Transfer_Encoding", b"Transfer-Encoding ", b" Transfer-Encoding",
    b"Transfer-Encoding\x0b", b"X\r\nTransfer-Encoding", b"X\nTransfer-Encoding", b"Transfer\xadEncoding",
)  # fmt: skip
_LENGTH_NAME = _mostly(
    b"Content-Length", b"content-length", b"CONTENT-LENGTH", b"Content-Length ", b"X: a\nContent-Length"
)
_CONTENT = _any(
    b"", b"a", b"abc", b"0\r\n\r\n", b"5\r\n", b"GET /b HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n", b"\r\n",
    bytes(range(20)), b"\n", b"\xff" * 17,
)  # fmt: skip
_EXTENSION = _mostly(
    b"", b";a", b";a=b", b';a="b;c"', b"; a=b", b" ;a", b";", b";a=", b" ", b"\t", b';a="\n"', b';a="\r\n', b";\n",
    b";a\rb", b";a=\xff",
    b"\x00", b",1", one_in=25,
)  # fmt: skip
_CHUNK_END = _mostly(b"\r\n", b"\n", b"\r", b"", b"a\r\n", b"\r\n\r\n", b"\n\n", b"\r\r\n", b" \r\n")
_SIZE = _mostly(
    b"%x", b"%X", b"0%x", b"000000000000000000000%x", b"0x%x", b"+%x", b"-%x", b"%x ", b" %x", b"1%x", b"%xg",
    b"1000000000000000%x",
    b"ffffffffffffffff%x", b"%d", b"", b"%x_0", b"%x\x0b",
)  # fmt: skip
_TRAILERS = _mostly(
    b"", *[b"X-T: 1\r\n"] * 5, b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Host: other.example\r\n", b"X-T: 1\n", b" folded\r\n",
     b"X-T : 1\r\n", b"no colon\r\n", b"X-T: a\rb\r\n", b"GET / HTTP/1.1\r\n", b"\n", one_in=5,
)  # fmt: skip


def _method(chance: Random) -> bytes:
    return _ODD_METHOD(chance) or _PLAIN_METHOD(chance)


def _filled(pattern: bytes, number: int) -> bytes:
    return pattern % ((number,) * pattern.count(b"%"))


def _chunked(chance: Random, content: bytes) -> bytes:
    """A chunked body, near enough."""
    raw = b""
    cut = chance.randint(0, len(content))
    for piece in (content[:cut], content[cut:]):
        if not piece and chance.random() < 0.98:
            continue
        raw += _filled(_SIZE(chance), len(piece)) + _EXTENSION(chance) + _END(chance) + piece
        if piece:
            raw += _CHUNK_END(chance)
    raw += _mostly(b"0\r\n", b"0\n", b"00\r\n", b"0;a\r\n", b"0 \r\n", b"0\r\r\n", b"")(chance)
    return raw + _TRAILERS(chance) + _mostly(b"\r\n", b"\n", b"", b"\r", b"\r\n\r\n", b"X\r\n\r\n")(chance)


_KIND = _any(*["none", "counted", "chunked"] * 5, "both", "twice")


def _framed(chance: Random) -> tuple[list[bytes], bytes]:
    """Field lines that frame a body, and the body."""
    kind = _KIND(chance)
    if kind == "none":
        return [], _mostly(b"", b"abc", b"0\r\n\r\n", one_in=25)(chance)
    content = _CONTENT(chance)
    lines = []
    if kind in ("counted", "both", "twice"):
        stated = len(content) + _mostly(0, 1, -1, 5, one_in=12)(chance)
        lines.append(_LENGTH_NAME(chance) + _COLON(chance) + _filled(_LENGTHS(chance), max(0, stated)) + _END(chance))
    if kind == "twice":
        lines.append(
            _LENGTH_NAME(chance) + _COLON(chance) + _filled(_LENGTHS(chance), chance.randint(0, 9)) + _END(chance)
        )
    raw = content
    if kind in ("chunked", "both"):
        raw = _chunked(chance, content)
        lines.append(_CODING_NAME(chance) + _COLON(chance) + _CODINGS(chance) + _END(chance))
    if kind == "chunked" and _mostly(False, True)(chance):
        lines.append(b"Transfer-Encoding: " + _CODINGS(chance) + b"\r\n")
    return _shuffled(chance, lines), raw


def _request(chance: Random) -> bytes:
    framing, body = _framed(chance)
    further = [name + _COLON(chance) + value + _END(chance) for name, value in _some(chance, _FIELDS, 1)]
    lines = _shuffled(chance, [*framing, *further])
    host = (
        _mostly(b"Host", b"host", b"HOST", b"Host ", b"X-Host")(chance) + _COLON(chance) + _HOSTS(chance) + _END(chance)
    )
    head = (
        _BEFORE(chance)
        + _method(chance)
        + _BETWEEN(chance)
        + _TARGET(chance)
        + _BETWEEN(chance)
        + _VERSION(chance)
        + _END(chance)
        + host
        + b"Cookie: " + PASS + b"\r\n"
        + b"".join(lines)
    )  # fmt: skip
    return head + _mostly(b"\r\n", b"\n", b"\r\r\n", b" \r\n", b"\t\r\n", b"\r\n\r\n")(chance) + body


_SPICE: Final = (
    b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x00", b"\x0b", b"\x0c", b"\x7f", b"\x85", b"\xa0", b"\xff", b":", b";",
    b",", b"0", b"1", b"a", b"%",
    b"\r\n\r\n", b"\n\n", b"0\r\n\r\n", b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n",
    b"GET /c HTTP/1.1\r\n", b"_", b'"', b"\\",
)  # fmt: skip
_CHANGES = _any("put", "replace", "drop", "repeat")


def _mutated(chance: Random, data: bytes) -> bytes:
    for kind in _some(chance, _CHANGES, 2, 1):
        at, spice = chance.randint(0, len(data)), chance.choice(_SPICE)
        if kind == "put":
            data = data[:at] + spice + data[at:]
        elif kind == "replace":
            data = data[:at] + spice + data[at + len(spice) :]
        elif kind == "drop":
            data = data[:at] + data[at + 1 :]
        else:
            data = data[:at] + data[max(0, at - 10) :]
    return data


def request_streams(chance: Random) -> bytes:
    """What a client might send on one connection: up to four requests, near enough."""
    data = b"".join(_some(chance, _request, 4, 1))
    if chance.randrange(3):
        return data
    return _mutated(chance, data)


def cuts(chance: Random) -> tuple[int, ...]:
    """Where bytes are cut into pieces; empty for one piece."""
    return tuple(chance.randrange(4000) for _ in range(chance.choice((0, 0, 1, 3, 6))))


def pieces(data: bytes, at: Sequence[int]) -> list[bytes]:
    """`data`, cut."""
    places = sorted({0, len(data), *(position % max(1, len(data)) for position in at)})
    return [data[start:end] for start, end in pairwise(places)]


# Answers

_STATUS = _mostly(
    b"200", b"205", b"404", b"206", b"201", b"301", b"100", b"101", b"102", b"103", b"199", b"000", b"099", b"600",
    b"999", b"20", b"2000",
    b"+20", b"2 0", b"", b"408", b"426", *[b"204", b"304"] * 5, one_in=3,
)  # fmt: skip
_REASON = _mostly(b" OK", b" ", b"", b" a\x00b", b" \xff", b" a\rb", b" a\tb", b"  ", b" \r\nX: y")
_ANSWER_FIELDS = _any(
    (b"Connection", b"close"), (b"Connection", b"keep-alive"), (b"Connection", b"content-length"),
    (b"Connection", b"transfer-encoding"),
    (b"Connection", b"upgrade"), (b"Upgrade", b"websocket"), (b"Content-Type", b"text/event-stream"),
    (b"Content-Type", b"text/html"),
    (b"X-A", b"a\r\n b"), (b"X-A", b"a\x00b"), (b"X-A", b"a\nSet-Cookie: b=c"), (b"X-A", b"a\rSet-Cookie: b=c"),
    (b"X A", b"b"), (b"", b"b"),
    (b"Content_Length", b"3"), (b"Content-Length ", b"3"), (b"Set-Cookie", b"a=b; HttpOnly"),
    (b"Set-Cookie", b"a\x00=b"),
    (b"Set-Cookie", b"a=b\x7f"), (b"X-A", b"\xff"), (b"Location", b"/\r\nX: y"), (b"Trailer", b"Content-Length"),
    (b"Content-Encoding", b"gzip"),
    (b"Content-Length", b"0"), (b"Transfer-Encoding", b"identity"), (b"Keep-Alive", b"timeout=1"), (b"X(A)", b"b"),
    (b"X:A", b"b"),
    (b"Date", b"x"), (b"Link", b"</a>"), (b"Sec-WebSocket-Accept", b"x"),
)  # fmt: skip


def _answer(chance: Random) -> bytes:
    framing, body = _framed(chance)
    further = [name + _COLON(chance) + value + _END(chance) for name, value in _some(chance, _ANSWER_FIELDS, 1)]
    version = _mostly(
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HTTP/1.0",
        b"HTTP/2.0",
        b"HTTP/0.9",
        b"http/1.1",
        b"ICY",
        b"HTTP/1.10",
        b"RTSP/1.0",
        b"",
    )(chance)
    status, reason = _STATUS(chance), _REASON(chance)
    head = _mostly(b"", b"\r\n", b"\n", b" ")(chance) + version + _BETWEEN(chance) + status + reason + _END(chance)
    return (
        head
        + b"".join(_shuffled(chance, [*framing, *further]))
        + _mostly(b"\r\n", b"\n", b"\r\r\n", b" \r\n")(chance)
        + body
    )


def answer_streams(chance: Random) -> bytes:
    """What an environment might say to one request: interim answers, a final one, and one that nobody asked for."""
    interim = _any(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")
    parts = _some(chance, interim, 2) if chance.random() < 0.1 else []
    parts += _some(chance, _answer, 2, 1)
    data = b"".join(parts)
    return data if chance.randrange(3) else _mutated(chance, data)
