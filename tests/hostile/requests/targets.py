"""Request targets: their four forms, and characters that others read otherwise."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Answered, Forwarded, RequestCase, RequestFamily, forwarded, refused, request

_FORM: Final = (
    "llhttp lets it pass; RFC 9112, section 3.2.2: an absolute target names the host, so it must be the one of Host"
)
_CHARACTER: Final = "RFC 3986, section 2: no URI holds it, and those behind us would read it in more than one way"
_AS_IT_CAME: Final = "RFC 9112, section 3.2: an intermediary must not rewrite it, and whoever decides by it must decide by what is sent on"


def _refused(name: str, target: bytes, why: str) -> RequestCase:
    return refused(name, request(b"GET %b HTTP/1.1" % target, b"X: MARK"), why)


def _same(name: str, target: bytes, why: str = _AS_IT_CAME) -> RequestCase:
    return forwarded(name, request(b"GET %b HTTP/1.1" % target, b"X: MARK"), why, Forwarded(target))


def _becomes(name: str, target: bytes, then: bytes, why: str) -> RequestCase:
    return forwarded(name, request(b"GET %b HTTP/1.1" % target, b"X: MARK"), why, Forwarded(then))


FAMILY: Final = RequestFamily(
    "target",
    (
        _becomes("absolute", b"http://HOST/MARK", b"/MARK", "RFC 9112, section 3.2.2: servers MUST accept it"),
        _becomes("absolute in capitals", b"HTTP://HOST/MARK", b"/MARK", "RFC 3986, section 3.1: schemes have no case"),
        _becomes(
            "absolute without a path",
            b"http://HOST?MARK",
            b"/?MARK",
            "RFC 9112, section 3.2.1: an empty path is sent as /",
        ),
        _becomes(
            "absolute with an empty path and a query of slashes",
            b"http://HOST?/MARK",
            b"/?/MARK",
            "a slash in the query begins no path",
        ),
        _becomes("absolute with two slashes in its path", b"http://HOST//MARK", b"//MARK", _AS_IT_CAME),
        _refused("absolute of another host", b"http://other.example/MARK", _FORM),
        _refused("absolute of another port", b"http://127.0.0.1:1/MARK", _FORM),
        _refused("absolute of port 99999", b"http://127.0.0.1:99999/MARK", _FORM),
        _refused("absolute with a port of zeros", b"http://127.0.0.1:0PORT/MARK", _FORM),
        _refused("absolute with an empty port", b"http://127.0.0.1:/MARK", _FORM),
        _refused(
            "absolute with a user", b"http://user@HOST/MARK", _FORM + "; RFC 9110, section 4.2.4: userinfo deceives"
        ),
        _refused("absolute with our host as the user", b"http://HOST@other.example/MARK", _FORM),
        _refused("absolute with a user and a password", b"http://a:b@HOST/MARK", _FORM),
        _refused("absolute with a backslash before the host", b"http://other.example\\@HOST/MARK", _CHARACTER),
        _refused("absolute with a fragment before the host", b"http://HOST#@other.example/MARK", _CHARACTER),
        _refused("absolute without a host", b"http:///MARK", _FORM),
        _refused("absolute of nothing", b"http://", _FORM),
        _refused("absolute with one slash", b"http:/HOST/MARK", _FORM),
        _refused("absolute without slashes", b"http:HOST/MARK", _FORM),
        _refused("absolute with three slashes", b"http:///HOST/MARK", _FORM),
        _refused("absolute with a dot behind the host", b"http://127.0.0.1.:PORT/MARK", _FORM),
        _refused("absolute with an escaped host", b"http://127%2e0.0.1:PORT/MARK", _FORM),
        _refused("ftp", b"ftp://HOST/MARK", _FORM),
        _refused("file", b"file:///MARK", _FORM),
        _refused("gopher", b"gopher://HOST/MARK", _FORM),
        _refused("javascript", b"javascript:MARK", _FORM),
        _refused("a scheme alone", b"http:", _FORM),
        _refused("authority", b"HOST", "RFC 9112, section 3.2.3: authority-form is for CONNECT"),
        _refused("a name alone", b"MARK", "RFC 9112, section 3.2: none of the four forms"),
        _refused("an asterisk", b"*", "RFC 9112, section 3.2.4: asterisk-form is for OPTIONS"),
        _refused("an asterisk and more", b"*/MARK", "RFC 9112, section 3.2: none of the four forms"),
        refused(
            "an asterisk of OPTIONS",
            request(b"OPTIONS * HTTP/1.1", b"X: MARK"),
            "it asks about a whole server, which here is many",
        ),
        _refused("a question mark alone", b"?MARK", "RFC 9112, section 3.2.1: a path comes first"),
        _refused("an exclamation mark", b"!MARK", "HTTP Garden: URIs that are not validated"),
        _refused(
            "an at sign first",
            b"@other.example/MARK",
            "PortSwigger, Cracking the lens: joined to http://backend it names another host",
        ),
        _refused("a colon and a port first", b":80/MARK", "joined to a host it names another port"),
        _refused("a dot first", b".MARK", "joined to a host it names another host"),
        _refused("an escaped slash first", b"%2fMARK", "RFC 9112, section 3.2.1: a path begins with a slash"),
        _refused(
            "a fragment",
            b"/MARK#x",
            "llhttp lets it pass; on Werkzeug /jsonrpc#x reached /jsonrpc; RFC 9112, section 3.2: no fragment",
        ),
        _refused("an empty fragment", b"/MARK#", "as with any fragment"),
        _refused("a fragment in the query", b"/?MARK#x", "as with any fragment"),
        _refused("a backslash", b"/a\\MARK", _CHARACTER),
        _refused("a backslash for dots", b"/..\\MARK", _CHARACTER),
        _refused("a control byte", b"/\x01MARK", _CHARACTER),
        _refused("DEL", b"/\x7fMARK", _CHARACTER),
        _refused("a NUL", b"/MARK\0x", _CHARACTER),
        _refused("ISO 8859-1", b"/\xe9MARK", _CHARACTER),
        _refused("UTF-8", b"/\xc3\xa9MARK", _CHARACTER),
        _refused("a slash of another script", b"/..\xef\xbc\x8fMARK", _CHARACTER),
        _refused("a bare CR", b"/MARK\rX:y", _CHARACTER),
        _refused("an escape that is none", b"/%zzMARK", "llhttp lets it pass; RFC 3986, section 2.1: two hex digits"),
        _refused("an escape cut short", b"/MARK%2", "as with any escape that is none"),
        _refused("a percent sign alone", b"/MARK?%", "as with any escape that is none"),
        _refused("an escape of UTF-16", b"/%u002fMARK", "IIS read it; nobody else does"),
        _same("an escaped NUL", b"/%00MARK"),
        _same("an escaped CRLF", b"/MARK?%0d%0aX-Evil:%20y"),
        _same("dots", b"/a/../MARK"),
        _same("dots from the root", b"/../../MARK"),
        _same("escaped dots", b"/a/%2e%2e/MARK"),
        _same("escaped slashes", b"/a%2f..%2fMARK"),
        _same("an escape of an escape", b"/%252e%252e%252fMARK"),
        _same("dots with a parameter", b"/..;/MARK", "Tomcat drops ;... and then reads dots; " + _AS_IT_CAME),
        _same("a dot alone", b"/./MARK"),
        _same(
            "two slashes first",
            b"//other.example/MARK",
            "llhttp lets it pass; as a Location it would name a host; " + _AS_IT_CAME,
        ),
        _same("three slashes first", b"///MARK"),
        _same("an absolute target in the path", b"/http://other.example/MARK"),
        _same("quotes", b"/\"MARK'", "llhttp lets it pass; browsers leave them in queries; " + _AS_IT_CAME),
        _same("angle brackets", b"/<MARK>"),
        _same("bars, braces and a caret", b"/|{MARK}^`"),
        _same("square brackets", b"/?a[]=MARK"),
        _same("a question mark twice", b"/MARK?a?b"),
        _same("a query alone", b"/?MARK"),
        _same("an empty query", b"/MARK?"),
        _same("a semicolon", b"/MARK;a=b;c"),
        _same("an at sign", b"/@other.example/MARK"),
        _same("a request in the query", b"/MARK?%20HTTP/1.1%0d%0aHost:%20x"),
        _becomes("our own beginning", b"/s-proxy/MARK", b"/MARK", "the environment's own path lies behind it"),
        _becomes(
            "our own beginning and two slashes",
            b"/s-proxy//evil.example/MARK",
            b"//evil.example/MARK",
            "it is a path, never a host to connect to",
        ),
        _becomes(
            "our own beginning and dots",
            b"/s-proxy/../MARK",
            b"/../MARK",
            "our names end where they are matched: nothing is resolved behind them",
        ),
        _becomes(
            "our own beginning and an absolute target",
            b"/s-proxy/http://evil.example/MARK",
            b"/http://evil.example/MARK",
            "it is a path, never a URL to ask",
        ),
        _becomes("our own beginning twice", b"/s-proxy/s-proxy/MARK", b"/s-proxy/MARK", "it is taken away once"),
        _same(
            "our own beginning, escaped", b"/%73-proxy/MARK", "an encoded spelling of our names is the environment's"
        ),
        forwarded(
            "a token that is none",
            request(b"GET /share/MARK HTTP/1.1"),
            "what is ours is never passed on",
            Answered(404),
        ),
    ),
)
