from __future__ import annotations

import re
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.gateway.requests import request

from guestpass.gateway.cookies import CookieReader, EnvironmentCookies
from guestpass.gateway.credentials import Credentials
from guestpass.gateway.head_rewriting import (
    EnvironmentResponse,
    ForwardedVisitor,
    request_head,
    whole_request_head,
)
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.system import SystemEntropy
from guestpass.wire.heads import ResponseHead, read_response_head
from guestpass.wire.response_heads import informational_head, switching_head

_SIGNER = PassSigner(Keys.from_secret("a secret of these tests, long enough"), SystemEntropy())
VISITOR = ForwardedVisitor(address=b"192.0.2.7", host=b"share.example.com", scheme=b"https")


def forwarded(
    line: str, *fields: str, target: bytes | None = None, cookie: bytes = b"", upgrade: bool = False
) -> tuple[str, dict[str, str]]:
    """The request line and the fields, by lower-case name, that go upstream."""
    head = request(line, *fields)
    sent = request_head(head, target or head.target, VISITOR, cookie=cookie, upgrade=upgrade)
    assert sent.endswith(b"\r\n\r\n")
    first, *rest = sent.decode("latin-1")[:-4].split("\r\n")
    pairs = [field.split(": ", 1) for field in rest]
    names = [name.lower() for name, _ in pairs]
    assert len(set(names)) == len(names), "no field is sent twice"
    return first, {name.lower(): value for name, value in pairs}


def response(*fields: str, status: str = "200 OK") -> ResponseHead:
    text = "".join(f"{field}\r\n" for field in (f"HTTP/1.1 {status}", *fields))
    return read_response_head(f"{text}\r\n".encode("latin-1"))


def answer(
    *, shares_origin: bool = False, opens: bool = False, pass_cookie: bytes | None = None
) -> EnvironmentResponse:
    cookies = EnvironmentCookies(
        b"tag", http_only=frozenset(), now=0.0, ends_at=3600.0, secure=True, learn=lambda _: None
    )
    return EnvironmentResponse(cookies, shares_origin=shares_origin, opens=opens, pass_cookie=pass_cookie)


def answered(how: EnvironmentResponse, head: ResponseHead) -> dict[str, str]:
    """The fields, by lower-case name, that go to the visitor."""
    lines = b"".join(how.fields(head)).decode("latin-1").splitlines(keepends=True)
    assert all(line.endswith("\r\n") for line in lines)
    pairs = [line[:-2].split(": ", 1) for line in lines]
    return {name.lower(): value for name, value in pairs}


OURS = {
    "host": "share.example.com",
    "x-forwarded-for": "192.0.2.7",
    "x-forwarded-host": "share.example.com",
    "x-forwarded-proto": "https",
}


def test_an_environment_sees_the_visitors_host_address_and_scheme() -> None:
    line, fields = forwarded("GET /a?b=c", target=b"/x?y")
    assert line == "GET /x?y HTTP/1.1"
    assert fields == OURS


def test_other_fields_pass_as_they_came() -> None:
    plain = {
        "accept": "text/html;q=0.9, */*",
        "authorization": "Bearer of the application",
        "origin": "https://share.example.com",
        "range": "bytes=0-1",
        "if-none-match": '"x"',
        "x-csrftoken": "caf\xe9",
        "te-nder": "1",
    }
    _, fields = forwarded("GET /", *(f"{name}: {value}" for name, value in plain.items()))
    assert fields == OURS | plain


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Port: 1",
        "X-Forwarded-Prefix: /evil",
        "X-Forwarded-User: admin",
        "X-Forwarded-Email: admin@example.com",
        "X-Forwarded-Anything: at all",
        "X-Real-IP: 203.0.113.9",
        "Forwarded: for=203.0.113.9;host=evil.test",
        "X-Guestpass-Client-Address: 203.0.113.9",
        "X-Guestpass-Page: 1",
        "X-Guestpass-Anything: at all",
    ],
)
def test_nobody_outside_can_say_where_a_request_comes_from(field: str) -> None:
    for written in (field, field.upper().replace(": ", ":  "), field.lower()):
        assert forwarded("GET /", written)[1] == OURS


# What web servers and the applications behind them say to each other; each name is documented by one of them.
FOR_WEB_SERVERS = [
    "X-Accel-Redirect: /internal/secret",  # nginx
    "X-Accel-Buffering: yes",
    "X-Accel-Expires: 3600",
    "X-Accel-Limit-Rate: 1",
    "X-Accel-Charset: utf-7",
    "X-Accel-Mapping: /=/internal/",  # Rack, in a request
    "X-Sendfile: /etc/passwd",  # Apache, lighttpd, uWSGI
    "X-Sendfile2: /etc/passwd 0-",
    "X-Sendfile-Type: X-Accel-Redirect",  # Rack, in a request
    "X-SENDFILE-TEMPORARY: /var/lib/file",
    "X-LIGHTTPD-send-file: /etc/passwd",
    "X-LIGHTTPD-send-tempfile: /etc/passwd",
    "X-LiteSpeed-Location: /internal/secret",
    "X-LiteSpeed-Cache-Control: public, max-age=3600",
    "X-Reproxy-URL: http://127.0.0.1:8081/",  # Perlbal, H2O
    "X-REPROXY-FILE: /etc/passwd",
    "x-envoy-immediate-health-check-fail: true",
    "x-envoy-upstream-rq-timeout-ms: 1",
]


@pytest.mark.parametrize("field", FOR_WEB_SERVERS)
def test_nothing_that_is_for_a_web_server_before_an_application_passes(field: str) -> None:
    for written in (field, field.upper().replace(": ", ":  "), field.lower()):
        assert forwarded("GET /", written)[1] == OURS
        assert set(answered(answer(), response(written))) == {"date"}
        switch = response(written, "Upgrade: websocket", "Connection: Upgrade", status="101 Switching Protocols")
        assert re.fullmatch(
            rb"HTTP/1.1 101 .*\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nDate: .*\r\n\r\n",
            switching_head(answer().fields(switch)),
        )
        assert informational_head(response(written, status="103 Early Hints")) == b"HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.mark.parametrize(
    "field",
    [
        "CDN-Cache-Control: max-age=3600",
        "Cloudflare-CDN-Cache-Control: max-age=3600",
        "Akamai-Cache-Control: max-age=3600",
        "Surrogate-Control: max-age=3600",
        "Edge-Control: max-age=3600",
    ],
)
def test_nothing_lets_a_shared_cache_keep_what_cache_control_forbids(field: str) -> None:
    fields = answered(answer(), response(field, "Cache-Control: private"))
    assert (fields.pop("cache-control"), *fields) == ("private", "date")


def test_names_that_a_wsgi_server_would_read_as_others_are_dropped() -> None:
    assert forwarded("GET /", "X_Forwarded_Host: evil.test", "Content_Length: 3", "X_Odoo_Database: other")[1] == OURS


@pytest.mark.parametrize(
    "fields",
    [
        ("Connection: keep-alive", "Keep-Alive: timeout=5"),
        ("Proxy-Connection: keep-alive",),
        ("Proxy-Authorization: Basic eA==",),
        ("TE: trailers",),
        ("Trailer: X-Sum",),
        ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
        ("Connection: close, X-Private", "X-Private: 1"),
        ("Connection: X-One", "Connection: X-Two", "X-One: 1", "X-Two: 2"),
        ("Expect: 100-continue",),
    ],
)
def test_hop_by_hop_fields_end_here(fields: tuple[str, ...]) -> None:
    assert forwarded("GET /", *fields)[1] == OURS


def test_only_the_cookies_that_are_given_go_upstream() -> None:
    assert forwarded("GET /", "Cookie: guestpass=secret; a=b")[1] == OURS
    assert forwarded("GET /", "Cookie: guestpass=secret; a=b", cookie=b"a=b")[1] == OURS | {"cookie": "a=b"}


def test_a_body_keeps_its_framing() -> None:
    _, fields = forwarded("POST /", "Content-Length: 0007", "Expect: 100-Continue")
    assert fields == OURS | {"content-length": "7", "expect": "100-continue"}
    _, fields = forwarded("POST /", "Transfer-Encoding: Chunked")
    assert fields == OURS | {"transfer-encoding": "chunked"}


def test_an_upgrade_is_asked_for_anew() -> None:
    key = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    _, fields = forwarded("GET /ws", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", *key, upgrade=True)
    assert fields["connection"] == "Upgrade"
    assert fields["upgrade"] == "websocket"
    assert fields["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize(
    "referer",
    [
        "https://share.example.com/share/gp_secret",
        "https://share.example.com/share/gp_secret?x=1",
        "https://share.example.com/api/share/gp_secret",
        "https://share.example.com/share/gp_secret/login",
        "https://share.example.com/s-proxy/web",
        "https://share.example.com/api/s-proxy/web?x",
        "https://elsewhere.example.com:8443/share/gp_secret#x",
        "HTTPS://share.example.com/share/gp_secret",
    ],
)
def test_a_referer_whose_path_is_ours_is_removed(referer: str) -> None:
    assert forwarded("GET /", f"Referer: {referer}")[1] == OURS


@pytest.mark.parametrize(
    "referer",
    [
        "https://share.example.com/",
        "https://share.example.com/web?next=/share/gp_public",
        "https://share.example.com/apps/share/index.html",
        "https://share.example.com",
        "about:blank",
    ],
)
def test_any_other_referer_passes(referer: str) -> None:
    assert forwarded("GET /", f"Referer: {referer}")[1] == OURS | {"referer": referer}


@pytest.mark.parametrize(
    "field",
    [
        'Clear-Site-Data: "*"',
        "Strict-Transport-Security: max-age=63072000; includeSubDomains",
        'Alt-Svc: h3=":443"',
        "NEL: {}",
        "Report-To: {}",
        'Reporting-Endpoints: x="https://evil.test"',
        "Set-Cookie2: a=b",
        "Connection: close, X-Private",
        "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic",
        "Trailer: X-Sum",
        "Upgrade: h2c",
    ],
)
@pytest.mark.parametrize("shares_origin", [True, False])
def test_an_environment_says_nothing_about_the_connection_or_the_whole_origin(
    field: str, *, shares_origin: bool
) -> None:
    how = answer(shares_origin=shares_origin)
    assert set(answered(how, response(field, "X-Private: 1" if "X-Private" in field else "Server: x"))) <= {
        "date",
        "server",
        "cache-control",
    }


def test_other_fields_of_an_answer_pass_as_they_came() -> None:
    fields = {
        "date": "Sun, 01 Mar 2026 12:00:00 GMT",
        "content-type": "text/html",
        "cache-control": "public, max-age=3600",
        "expires": "Sun, 01 Mar 2026 13:00:00 GMT",
        "pragma": "x",
        "etag": '"x"',
        "vary": "Cookie",
        "service-worker-allowed": "/",
        "use-as-dictionary": 'match="/*"',
        "content-security-policy": "default-src 'self'",
        "location": "/caf\xe9",
    }
    assert answered(answer(), response(*(f"{name}: {value}" for name, value in fields.items()))) == fields


def test_an_answer_without_a_date_gets_one() -> None:
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answered(answer(), response())["date"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("Cache-Control: public, max-age=3600, immutable", "Expires: x", "Pragma: x"), "private, no-cache"),
        ((), "private, no-cache"),
        (("Cache-Control: max-age=60", "Cache-Control: No-Store"), "no-store"),
        (("Cache-Control: no-store, private",), "no-store"),
    ],
)
def test_on_a_shared_origin_nothing_is_used_from_a_cache_without_asking(fields: tuple[str, ...], expected: str) -> None:
    found = answered(
        answer(shares_origin=True), response("Service-Worker-Allowed: /", 'Use-As-Dictionary: match="/*"', *fields)
    )
    assert found.pop("date")
    assert found == {"cache-control": expected}


@pytest.mark.parametrize("shares_origin", [True, False])
def test_the_answer_to_a_share_url_is_never_stored(*, shares_origin: bool) -> None:
    how = answer(opens=True, shares_origin=shares_origin, pass_cookie=b"guestpass=x; HttpOnly")
    found = answered(how, response("Cache-Control: public, max-age=3600"))
    assert found["cache-control"] == "no-store"
    assert found["set-cookie"] == "guestpass=x; HttpOnly"


def test_each_cookie_of_an_environment_is_rewritten_and_ours_are_dropped() -> None:
    head = response("Set-Cookie: a=1; Domain=example.com", "Set-Cookie: guestpass=evil", "Set-Cookie: b=2; HttpOnly")
    lines = answer(pass_cookie=b"__Host-guestpass=x").fields(head)
    assert [line for line in lines if line.startswith(b"Set-Cookie")] == [
        b"Set-Cookie: a=1; Secure\r\n",
        b"Set-Cookie: guestpass.tag.b=2; HttpOnly; Secure\r\n",
        b"Set-Cookie: __Host-guestpass=x\r\n",
    ]


def test_an_interim_answer_brings_links_and_nothing_else() -> None:
    head = response("Link: </a.css>; rel=preload", "Set-Cookie: a=1", "Clear-Site-Data: x", status="103 Early Hints")
    assert informational_head(head) == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


def test_a_switch_of_protocols_follows_the_same_rules() -> None:
    head = response(
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: x",
        "Date: now",
        "Set-Cookie: guestpass=evil",
        "Set-Cookie: a=1; Domain=example.com",
        "Strict-Transport-Security: max-age=1",
        status="101 Switching Protocols",
    )
    assert switching_head(answer().fields(head)) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: x\r\nDate: now\r\nSet-Cookie: a=1; Secure\r\n\r\n"
    )


_FIELDS = st.sampled_from(
    [
        *(
            "Date: Sun, 29 Nov 2026 02:45:00 GMT",
            "date: today",
            "Content-Length: 5",
            "Content-Type: text/html",
            "Server: x",
        ),
        *(
            "Cache-Control: no-store",
            "Cache-Control: public",
            "Expires: 0",
            "Pragma: x",
            "CDN-Cache-Control: x",
            "Alt-Svc: h3",
        ),
        *(
            "Connection: close",
            "Connection: X-One",
            "X-One: 1",
            "Keep-Alive: x",
            "X-Accel-Expires: 1",
            "Set-Cookie: a=b; HttpOnly",
        ),
        *(
            "Service-Worker-Allowed: /",
            "WWW-Authenticate: Basic realm=x",
            "Location: /x",
            "Surrogate-Control: x",
            "DATE: x",
        ),
    ]
)


@given(
    st.lists(_FIELDS, max_size=7),
    st.sampled_from(["200 OK", "304 Not Modified", "401 Unauthorized", "302 Found"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, b"guestpass=1"]),
    st.sampled_from([None, (), ("Authorization: Basic eDp5",), ("Authorization: Bearer x",)]),
)
@example(["WWW-Authenticate: Basic realm=x"], "401 Unauthorized", True, False, None, ())
@example([], "200 OK", True, False, None, ("Authorization: Basic eDp5",))
def test_answers_that_repeat_are_changed_in_the_same_way(
    fields: list[str],
    status: str,
    shares_origin: bool,
    opens: bool,
    pass_cookie: bytes | None,
    said: tuple[str, ...] | None,
) -> None:
    with mock.patch("guestpass.gateway.head_rewriting.date_field", return_value=b"Date: now\r\n"):
        for number in range(4):
            try:
                head = response(*fields, status=status)
            except ValueError:
                return
            how = answer(shares_origin=shares_origin, opens=opens, pass_cookie=pass_cookie)
            if said is not None:
                jar = CookieReader(_SIGNER, secure=True).read(None)
                how.credentials = Credentials(_SIGNER, jar, b"tag%d" % number, request("GET /", *said), secure=True)
            assert b"".join(how.fields(head)) == b"".join(how.lines(head))


@pytest.mark.parametrize("cookie", [b"", b"a=b"])
@pytest.mark.parametrize("upgrade", [False, True])
def test_other_lines_go_on_in_the_place_of_the_clients_own(cookie: bytes, *, upgrade: bool) -> None:
    head = request("POST /", "Accept: */*", "Content-Length: 5", "Expect: 100-continue")
    sent = request_head(head, b"/x", VISITOR, cookie=cookie, upgrade=upgrade, lines=b"Accept: text/html\r\n")
    own = request("POST /", "Accept: text/html", "Content-Length: 5")
    assert sent == request_head(own, b"/x", VISITOR, cookie=cookie, upgrade=upgrade)


@pytest.mark.parametrize("length", [None, 0, 5])
def test_a_request_that_is_whole_says_the_length_of_what_is_sent(length: int | None) -> None:
    head = request("POST /", "Transfer-Encoding: chunked")
    sent = whole_request_head(head.method, b"/x", VISITOR, b"Accept: */*\r\n", cookie=b"a=b", length=length)
    own = request("POST /", "Accept: */*", *(() if length is None else (f"Content-Length: {length}",)))
    assert sent == request_head(own, b"/x", VISITOR, cookie=b"a=b", upgrade=False)
