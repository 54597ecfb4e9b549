"""Chunked bodies: sizes, extensions, and the line ends of all of them."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import BOTH, SMUGGLED, Forwarded, RequestCase, RequestFamily, chunked, forwarded, refused

_LAST: Final = b"0\r\n\r\n"
_SIZE: Final = (
    "RFC 9112, section 7.1: a size is hex digits; HTTP Garden: int(), strtoll() and longest prefixes read more"
)
_END: Final = "RFC 9112, section 7.1: chunk data ends in CRLF, and nothing else; some skip two bytes whatever they are (HTTP Garden)"
_EXTENSION: Final = (
    "RFC 9112, section 7.1.1; TERM.EXT and EXT.TERM (Funky chunks, w4ke; http-request-smuggler's ChunkSizeScan)"
)
_SPILL: Final = "TERM.SPILL and SPILL.TERM (Funky chunks, w4ke): where a chunk ends differs by a byte or two"
_ENDLESS: Final = "llhttp lets it pass; RFC 9112, section 7.1.1: the length of extensions ought to be limited"


def _refused(name: str, body: bytes, why: str = _SIZE) -> RequestCase:
    return refused(name, chunked(body), why)


def _size(name: str, size: bytes, why: str = _SIZE) -> RequestCase:
    return _refused(name, size + b"\r\nabc\r\n" + _LAST, why)


def _reads(name: str, body: bytes, content: bytes, why: str) -> RequestCase:
    return forwarded(name, chunked(body), why, Forwarded(method=b"POST", body=content))


FAMILY: Final = RequestFamily(
    "chunks",
    (
        _reads("one", b"3\r\nabc\r\n" + _LAST, b"abc", "RFC 9112, section 7.1"),
        _reads("none", _LAST, b"", "RFC 9112, section 7.1: the last chunk alone"),
        _reads("many of one byte", b"".join(b"1\r\n%c\r\n" % byte for byte in b"a body in pieces") + _LAST, b"a body in pieces", "RFC 9112, section 7.1"),
        _reads("capital digits", b"A\r\n0123456789\r\n" + _LAST, b"0123456789", "RFC 9112, section 7.1: HEXDIG has no case"),
        _reads("leading zeros", b"0000003\r\nabc\r\n000\r\n\r\n", b"abc", "llhttp lets any number of them pass; RFC 9112, section 7.1, allows them"),
        _reads("CRLF as content", b"4\r\n\r\n\r\n\r\n" + _LAST, b"\r\n\r\n", "content may be anything"),
        _reads("a last chunk as content", b"5\r\n0\r\n\r\n\r\n" + _LAST, b"0\r\n\r\n", "content may be anything"),
        _reads("a request as content", b"1a\r\nGET /smuggled HTTP/1.1\r\n\r\n\r\n" + _LAST, b"GET /smuggled HTTP/1.1\r\n\r\n", "content may be anything"),
        _reads("an extension", b"3;a\r\nabc\r\n0;b\r\n\r\n", b"abc", "RFC 9112, section 7.1.1: unknown ones MUST be ignored; they end here"),
        _reads("an extension with a value", b"3;a=b;c=d\r\nabc\r\n" + _LAST, b"abc", "RFC 9112, section 7.1.1"),
        _reads("an extension in quotes", b'3;a="b;c\\"d"\r\nabc\r\n' + _LAST, b"abc", "RFC 9112, section 7.1.1"),
        _reads("a size in an extension", b"3;5\r\nabc\r\n0;3\r\n\r\n", b"abc", "a token may be digits: it is no size"),
        _size("0x before", b"0x3", _SIZE + "; transducer bug 19"),
        _size("0X before", b"0X3"),
        _size("0x alone", b"0x"),
        _size("a plus sign", b"+3"),
        _size("a minus sign", b"-3"),
        _refused("minus 0", b"-0\r\n\r\n"),
        _refused("minus 0x0", b"-0x0\r\n\r\n"),
        _size("an underscore", b"0_3"),
        _refused("an underscore and a hidden request", b"0_2e\r\n\r\n" + SMUGGLED + _LAST),
        _size("a letter that is no digit", b"3g"),
        _size("words behind it", b"3these-bytes"),
        _size("an h behind it", b"3h"),
        _size("a comma", b"3,0"),
        _size("a dot", b"3.0"),
        _size("a blank before", b" 3", "HTTP Garden: passed on with the blank; " + _SIZE),
        _size("a blank behind", b"3 ", "RFC 9112, section 7.1.1: BWS was withdrawn but for extensions"),
        _size("a tab behind", b"3\t"),
        _size("a tab before", b"\t3"),
        _size("a blank within", b"0 3"),
        _size("a vertical tab behind", b"3\x0b"),
        _size("a NUL behind", b"3\0"),
        _size("an 8-bit byte behind", b"3\xa0"),
        _size("digits of another script", b"\xd9\xa3"),
        _refused("empty", b"\r\nabc\r\n" + _LAST, "HTTP Garden: Go and hyper took it for 0"),
        _refused("empty and nothing else", b"\r\n\r\n", "HTTP Garden: Go and hyper took it for 0"),
        _refused("an extension alone", b";a=b\r\nabc\r\n" + _LAST),
        _size("2 ** 64 + 3", b"10000000000000003", "32- and 64-bit overflow"),
        _size("2 ** 64 - 1", b"ffffffffffffffff", "32- and 64-bit overflow: -1 to some"),
        _size("2 ** 60 + 3", b"1000000000000003", "no body is so long"),
        _size("endless zeros", b"0" * 5000 + b"3", "llhttp lets it pass"),
        _size("endless digits", b"f" * 5000, "32- and 64-bit overflow"),
        _size("endless extension", b"3;a=" + b"b" * 5000, _ENDLESS),
        _size("endless extension in quotes", b'3;a="' + b"b" * 5000 + b'"', _ENDLESS),
        _size("endless extensions", b"3" + b";a=b" * 1200, _ENDLESS),
        _refused("an extension without an end", b"3;a=" + b"b" * 8000, _ENDLESS),
        _size("a semicolon alone", b"3;", "RFC 9112, section 7.1.1: a name follows"),
        _size("a blank before the semicolon", b"3 ;a", _EXTENSION),
        _size("a blank behind the semicolon", b"3; a", _EXTENSION),
        _size("blanks around the equals sign", b"3;a = b", _EXTENSION),
        _size("no value behind the equals sign", b"3;a=", _EXTENSION),
        _size("an open quote", b'3;a="b', _EXTENSION),
        _size("behind a quote", b'3;a="b"c', _EXTENSION),
        _size("a control byte in an extension", b"3;a\x01", _EXTENSION),
        _size("a NUL in an extension", b"3;a\0b", _EXTENSION),
        _size("a CR in an extension", b"3;a\rb", _EXTENSION),
        _size("CR CR in an extension", b"3;a=b\r\r", "HTTP Garden: H2O passed it on"),
        _size("CR before the semicolon", b"3\r\r;a", "HTTP Garden: a reader that takes CR and any byte for a line end"),
        _refused("LF in an extension", b"3;a\nabc\r\n" + _LAST, _EXTENSION),
        _refused("LF in an extension and a hidden size", b"3;\nxx\r\n" + _LAST + SMUGGLED, _EXTENSION),
        _refused("CR in an extension and a hidden size", b"3;\rxx\r\n" + _LAST + SMUGGLED, _EXTENSION),
        _refused("CR and a letter in an extension", b"3;\rX\nxx\r\n" + _LAST, _EXTENSION),
        _refused("CR CR in an extension and a hidden size", b"3;\r\rxx\r\n" + _LAST, _EXTENSION),
        _refused("LF in quotes", b'3;a="\n"\r\nabc\r\n' + _LAST, _EXTENSION),
        _refused("a CRLF in quotes", b'3;a="\r\nabc\r\n"\r\n' + _LAST, _EXTENSION),
        _refused("LF in the last chunk's extension", b"0;a\n\r\n", _EXTENSION),
        _refused("a bare LF behind a size", b"3\nabc\r\n" + _LAST, "RFC 9112, section 2.2, allows it for heads alone (erratum 7633)"),
        _refused("a bare CR behind a size", b"3\rabc\r\n" + _LAST, "RFC 9112, section 2.2"),
        _refused("CR and a letter behind a size", b"3\rXabc\r\n" + _LAST, "HTTP Garden: CR and any byte for a line end"),
        _refused("CR CR LF behind a size", b"3\r\r\nabc\r\n" + _LAST, "HTTP Garden: CR and any byte for a line end"),
        _refused("LF CR behind a size", b"3\n\rabc\r\n" + _LAST, _SPILL),
        _refused("a bare LF behind a chunk", b"3\r\nabc\n" + _LAST, _SPILL),
        _refused("a bare CR behind a chunk", b"3\r\nabc\r" + _LAST, _SPILL),
        _refused("CR and a letter behind a chunk", b"3\r\nabc\rX" + _LAST, _END),
        _refused("two letters behind a chunk", b"3\r\nabcXY" + _LAST, _END),
        _refused("LF and a letter behind a chunk", b"3\r\nabc\nX" + _LAST, _END),
        _refused("nothing behind a chunk", b"3\r\nabc" + _LAST, _SPILL),
        _refused("CRLF twice behind a chunk", b"3\r\nabc\r\n\r\n" + _LAST, "HTTP Garden: passed on, and read as a last chunk of no size"),
        _refused("CR CR LF behind a chunk", b"3\r\nabc\r\r\n" + _LAST, _SPILL),
        _refused("LF LF behind a chunk", b"3\r\nabc\n\n" + _LAST, _SPILL),
        _refused("a chunk longer than it says", b"3\r\nabcd\r\n" + _LAST, _SPILL),
        _refused("a chunk shorter than it says", b"4\r\nabc\r\n" + _LAST, _SPILL),
        _refused("a chunk two bytes shorter than it says", b"5\r\nabc\r\n" + _LAST, _SPILL),
        _refused("a last chunk of LF", b"3\r\nabc\r\n0\n\n", "HTTP Garden: nginx accepts it"),
        _refused("a last chunk of LF, then CRLF", b"3\r\nabc\r\n0\n\r\n", "HTTP Garden: nginx accepts it"),
        _refused("a last chunk of CRLF, then LF", b"3\r\nabc\r\n0\r\n\n", _SPILL),
        _refused("a last chunk of CR", b"3\r\nabc\r\n0\r\r", _SPILL),
        _refused("a last chunk with two letters for its end", b"0\r\nX:POST /smuggled-MARK HTTP/1.1\r\n x\r\n\r\n", "HTTP Garden: a body that ended at CRLF and any two bytes"),
        _refused("a request for a size", SMUGGLED, "a body that is none; TE where no chunk follows"),
        _refused("an invalid chunk before a request", b"INVALID!!!\r\n" + SMUGGLED, "HTTP Garden: the next request was read behind it"),
    ),
    BOTH,
)  # fmt: skip
