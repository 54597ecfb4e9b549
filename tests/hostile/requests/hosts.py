"""Host: missing, doubled, or saying something else than somebody else says."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Answered, Forwarded, RequestCase, RequestFamily, forwarded, refused

_MUST: Final = "llhttp lets it pass; RFC 9112, section 3.2: MUST be answered with 400"
_SYNTAX: Final = "RFC 9110, section 7.2: uri-host and an optional port, nothing else"
_ELSEWHERE: Final = "RFC 9110, section 7.4: misdirected; what is not our name is nobody's environment"


def _with(*lines: bytes, line: bytes = b"GET /MARK HTTP/1.1") -> bytes:
    return b"\r\n".join([line, *lines, b"Cookie: PASS", b"", b""])


def _refused(name: str, host: bytes, why: str = _SYNTAX) -> RequestCase:
    return refused(name, _with(b"Host: " + host), why)


def _misdirected(name: str, host: bytes, why: str = _ELSEWHERE) -> RequestCase:
    return forwarded(name, _with(b"Host: " + host), why, Answered(421))


def _named(name: str, line: bytes, host: bytes, why: str) -> RequestCase:
    return forwarded(name, _with(line), why, Forwarded(host=host))


FAMILY: Final = RequestFamily(
    "host",
    (
        refused("none", _with(), _MUST),
        refused(
            "none on HTTP/1.0", _with(line=b"GET /MARK HTTP/1.0"), "without it nobody knows whose environment is meant"
        ),
        refused("none, but an absolute target", _with(line=b"GET http://HOST/MARK HTTP/1.1"), _MUST),
        refused("twice the same", _with(b"Host: HOST", b"Host: HOST"), _MUST),
        refused("ours, then another", _with(b"Host: HOST", b"Host: other.example"), _MUST),
        refused("another, then ours", _with(b"Host: other.example", b"Host: HOST"), _MUST),
        refused(
            "twice, far apart",
            _with(b"Host: HOST", *[b"X-%d: y" % number for number in range(40)], b"Host: other.example"),
            _MUST,
        ),
        refused("twice in other letters", _with(b"Host: HOST", b"hOST: other.example"), _MUST),
        refused("ours and an empty one", _with(b"Host: HOST", b"Host:"), _MUST),
        refused("a blank before the colon", _with(b"Host : HOST"), "RFC 9112, section 5.1: MUST be rejected"),
        refused(
            "a second with a blank before its colon",
            _with(b"Host: HOST", b"Host : other.example"),
            "RFC 9112, section 5.1; the Host/host-header discrepancies of PortSwigger",
        ),
        refused("a second, indented", _with(b"Host: HOST", b" Host: other.example"), "RFC 9112, section 5.2: obs-fold"),
        refused("a first, indented", _with(b" Host: other.example", b"Host: HOST"), "RFC 9112, section 2.2"),
        refused("a second behind a bare LF", _with(b"Host: HOST\nHost: other.example"), "RFC 9112, section 2.2"),
        refused("a second behind a bare CR", _with(b"Host: HOST\rHost: other.example"), "RFC 9112, section 2.2"),
        _refused("empty", b"", _MUST),
        _refused("blanks", b" \t ", _MUST),
        _refused("a list", b"HOST, other.example"),
        _refused("two names", b"HOST other.example"),
        _refused("junk", b"a b/c@d,e", "llhttp lets it pass; " + _SYNTAX),
        _refused("a user", b"user@HOST", "RFC 9110, section 4.2.4: userinfo must not be in it"),
        _refused("our host as the user", b"HOST@other.example"),
        _refused("a path", b"HOST/MARK"),
        _refused("a query", b"HOST?x"),
        _refused("a fragment", b"HOST#x"),
        _refused("a scheme", b"http://HOST"),
        _refused("a backslash", b"HOST\\other.example"),
        _refused("an escape", b"127%2e0.0.1:PORT"),
        _refused("quotes", b'"HOST"'),
        _refused("a NUL", b"127.0.0.1\0.other.example", "HTTP Garden: NUL passed on in values"),
        _refused("a tab within", b"127.0.0.1\t:PORT"),
        _refused("an 8-bit byte", b"127.0.0.1\xff:PORT", "HTTP Garden: bytes over 0x80 stripped from values"),
        _refused("a full stop of another script", b"127\xe3\x80\x820.0.1:PORT"),
        _refused(
            "a dot behind it",
            b"127.0.0.1.:PORT",
            "the root's dot makes a name that is the same to DNS and another to caches",
        ),
        _refused("a dot first", b".127.0.0.1:PORT"),
        _refused("a hyphen first", b"-other.example"),
        _refused("an empty port", b"127.0.0.1:"),
        _refused("a port that is a word", b"127.0.0.1:http"),
        _refused("a port with a sign", b"127.0.0.1:+80"),
        _refused("a port with a blank", b"127.0.0.1: 80"),
        _refused(
            "a port and a name",
            b"127.0.0.1:80.other.example",
            "PortSwigger, Host header attacks: some only look before the colon",
        ),
        _refused("two ports", b"127.0.0.1:80:80"),
        _refused(
            "port 65536", b"127.0.0.1:65536", "RFC 9110, section 4.2.1, takes the port for one of TCP: no such port is"
        ),
        _refused("port 99999", b"127.0.0.1:99999", "no such port is"),
        _refused("port 100000", b"127.0.0.1:100000", "no such port is"),
        _refused("an IPv6 address without brackets", b"::1"),
        _refused(
            "an IPv6 address with a zone",
            b"[fe80::1%25lo]",
            "RFC 9110, section 4.2: a zone has a meaning on one machine only",
        ),
        _refused("an open bracket", b"[::1"),
        _refused("behind a bracket", b"[::1]other.example"),
        _refused("a name of 300 letters", b"a" * 300, "RFC 1035, section 2.3.4: 255 are the most"),
        _misdirected("another's", b"other.example"),
        _misdirected("another's with our port", b"other.example:PORT"),
        _misdirected("a name that begins with ours", b"127.0.0.1.other.example"),
        _misdirected(
            "a short spelling of loopback",
            b"127.1:PORT",
            "inet_aton reads it, browsers rewrite it; a host table compares names",
        ),
        _misdirected("an octal spelling of loopback", b"0177.0.0.1:PORT", "inet_aton reads it"),
        _misdirected("a decimal spelling of loopback", b"2130706433:PORT", "inet_aton reads it"),
        _misdirected("loopback with a leading zero", b"127.0.0.01:PORT", "octal or decimal: readers differ"),
        _misdirected("no address at all in brackets", b"[::::]:PORT"),
        _named(
            "in mixed letters",
            b"Host: LocalHost:PORT",
            b"localhost:PORT",
            "RFC 9110, section 4.2.3: hosts have no case; one spelling goes on",
        ),
        _named("without a blank", b"Host:HOST", b"HOST", "RFC 9112, section 5.1: blanks are optional"),
        _named(
            "with blanks around it",
            b"Host: \t HOST \t ",
            b"HOST",
            "RFC 9112, section 5.1: blanks around it are no part",
        ),
        _named("its name in other letters", b"hOST: HOST", b"HOST", "RFC 9110, section 5.1: names have no case"),
        _named(
            "a lookalike beside it",
            b"Host: HOST\r\nHost_: other.example\r\nX-Host: other.example",
            b"HOST",
            "WSGI servers read _ as -; X-Host is a proxy's",
        ),
        forwarded(
            "the absolute target's, in mixed letters",
            _with(b"Host: localhost:PORT", line=b"GET http://LocalHost:PORT/MARK HTTP/1.1"),
            "RFC 9112, section 3.2.2: both are the same host",
            Forwarded(host=b"localhost:PORT"),
        ),
        refused(
            "another than the absolute target's",
            _with(b"Host: localhost:PORT", line=b"GET http://HOST/MARK HTTP/1.1"),
            "RFC 9112, section 3.2.2: a proxy would take the target's, others take Host",
        ),
        refused(
            "of another, the absolute target is ours",
            _with(b"Host: other.example", line=b"GET http://HOST/MARK HTTP/1.1"),
            "as any disagreement",
        ),
    ),
)
