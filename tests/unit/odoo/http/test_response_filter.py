"""That answers of Odoo which repeat are changed as if each were looked at anew."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.gateway.requests import request

from guestpass.gateway.cookies import EnvironmentCookies
from guestpass.gateway.head_rewriting import EnvironmentResponse
from guestpass.odoo.http import response_filter
from guestpass.odoo.http.requests import fixed_name
from guestpass.odoo.http.response_filter import OdooResponse
from guestpass.wire.heads import RequestHead, ResponseHead, read_response_head

_ODOO = "http://odoo.internal:8069"
_FIELDS = st.sampled_from(
    [
        *(
            "Date: Sun, 29 Nov 2026 02:45:00 GMT",
            "date: today",
            "Content-Length: 5",
            "Content-Length: 5000",
            "Server: x",
        ),
        *("Content-Type: text/html; charset=utf-8", "Content-Type: application/json", "Content-Type: image/png"),
        *(
            "Content-Type: text/event-stream",
            "Content-Type:",
            "Vary: Cookie",
            "Vary: *",
            'ETag: "x"',
            'ETag: W/"x"',
            "ETag: x",
        ),
        *("Cache-Control: no-transform", "Cache-Control: public", "Content-Encoding: br", "Content-Range: bytes 0-1/5"),
        *("Digest: x", "Accept-Ranges: bytes", "Location: http://odoo.internal:8069/web", "X-Robots-Tag: all"),
        *(
            "X-Sendfile: /x",
            "X-Accel-Redirect: /x",
            "Set-Cookie: session_id=x",
            "Connection: vary",
            "Referrer-Policy: x",
        ),
    ]
)
_ASKED = st.sampled_from(
    [
        (),
        ("Accept-Encoding: gzip, deflate, br, zstd",),
        ("Accept-Encoding: gzip, identity;q=0",),
        ("Accept-Encoding: identity",),
        ("Accept-Encoding: br", "Range: bytes=0-1"),
        ("Accept-Encoding: br", "Sec-Fetch-Site: cross-site"),
        ("Accept-Encoding: br", "Cache-Control: no-transform"),
        ("Accept-Encoding: br", 'If-None-Match: W/"x--br"'),
    ]
)


def _response(status: str, *fields: str) -> ResponseHead:
    text = "".join(f"{field}\r\n" for field in (f"HTTP/1.1 {status}", *fields))
    return read_response_head(f"{text}\r\n".encode("latin-1"))


def _answer(asked: RequestHead, *, shares_origin: bool, origin: bytes = b"https://share.example.com") -> OdooResponse:
    cookies = EnvironmentCookies(
        b"tag", http_only=frozenset(), now=0.0, ends_at=3600.0, secure=True, learn=lambda _: None
    )
    inner = EnvironmentResponse(cookies, shares_origin=shares_origin)
    fixed = fixed_name(public_url=None, canonical_url=None, url=_ODOO)
    return OdooResponse(inner, asked, fixed, origin, _ODOO.encode())


@settings(max_examples=300)
@given(
    st.lists(_FIELDS, max_size=7),
    st.sampled_from(["200 OK", "304 Not Modified", "302 Found", "206 Partial Content", "204 No Content"]),
    st.sampled_from(["GET /odoo", "HEAD /odoo", "POST /odoo"]),
    st.lists(_ASKED, min_size=4, max_size=6),
    st.booleans(),
)
@example(
    ["Content-Type: text/html; charset=utf-8", "Cache-Control: no-transform", "Content-Length: 5000"],
    "200 OK",
    "GET /odoo",
    4 * [("Accept-Encoding: gzip, deflate, br, zstd",)],
    True,
)
def test_answers_that_repeat_are_changed_in_the_same_way(
    fields: list[str], status: str, line: str, asked: list[tuple[str, ...]], shares_origin: bool
) -> None:
    with mock.patch("guestpass.gateway.head_rewriting.date_field", return_value=b"Date: now\r\n"):
        for number, each in enumerate(asked):
            try:
                head = _response(status, *fields)
            except ValueError:
                return
            origin = b"https://%d.share.example.com" % number
            known, anew = (_answer(request(line, *each), shares_origin=shares_origin, origin=origin) for _ in range(2))
            assert b"".join(known.fields(head)) == b"".join(anew.lines(head))
            assert known.is_encoded is anew.is_encoded
            assert type(known.encoder) is type(anew.encoder)
            assert known.names_a_file(head) is anew.names_a_file(head)


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        ("public, max-age=31536000", "private, max-age=31536000"),
        ("public, max-age=31536000, immutable", "private, max-age=31536000, immutable"),
        ("max-age=5,PUBLIC", "max-age=5, private"),
        ("no-cache, private", "no-cache, private"),
        ("no-store", "no-store"),
    ],
)
@pytest.mark.parametrize("location", [(), ("Location: /odoo",)])
def test_no_shared_cache_keeps_what_odoo_calls_public(said: str, passed_on: str, location: tuple[str, ...]) -> None:
    head = _response("200 OK", f"Cache-Control: {said}", "Content-Type: application/json", *location)
    lines = _answer(request("GET /web/webclient/translations"), shares_origin=False).fields(head)
    assert [line for line in lines if line.startswith(b"Cache-Control")] == [
        b"Cache-Control: %b\r\n" % passed_on.encode()
    ]


def test_an_answer_that_repeats_is_not_taken_apart_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fields_of(number: int) -> bytes:
        head = _response(
            "200 OK", f"Date: {number}", f"Content-Length: {number}", "Content-Type: text/html", "Server: unit"
        )
        return b"".join(_answer(request("GET /odoo"), shares_origin=True).fields(head))

    for number in range(3):
        fields_of(number)

    def take_apart(_: object) -> None:
        raise AssertionError("taken apart once more")

    monkeypatch.setattr(response_filter, "tidied", take_apart)
    assert b"Date: 999\r\n" in fields_of(999)
