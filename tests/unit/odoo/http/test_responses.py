from __future__ import annotations

import pytest

from guestpass.odoo.http.responses import (
    ROBOTS_BODY,
    ROBOTS_FIELDS,
    asks_for_robots,
    is_hollow,
    is_page,
    tidied,
)
from guestpass.wire.heads import Field, read_response_head

ADDED = ["Cache-Control: no-store", "X-Robots-Tag: noindex, nofollow", "Referrer-Policy: same-origin"]


def read(*lines: str) -> list[Field]:
    head = "\r\n".join(["HTTP/1.0 200 OK", *lines, "", ""])
    return read_response_head(head.encode()).fields


def written(fields: list[Field]) -> list[str]:
    return [f"{name.decode()}: {value.decode()}" for _, name, value in fields]


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/html; charset=utf-8", "TEXT/HTML;charset=utf-8", "application/xhtml+xml"]
)
def test_a_page_is_neither_kept_nor_indexed_and_tells_nobody_where_it_was_read(content_type: str) -> None:
    fields = read(f"Content-Type: {content_type}", "Content-Length: 5")
    assert is_page(fields)
    assert written(tidied(fields)) == [f"Content-Type: {content_type}", "Content-Length: 5", *ADDED]


def test_what_a_page_said_of_that_before_is_gone() -> None:
    fields = read(
        "Cache-Control: public, max-age=604800",
        "cache-control: private",
        "Expires: Thu, 01 Jan 2099 00:00:00 GMT",
        "Pragma: cache",
        "X-Robots-Tag: all",
        "Referrer-Policy: unsafe-url",
        "Content-Type: text/html",
        "ETag: x",
    )
    assert written(tidied(fields)) == ["Content-Type: text/html", "ETag: x", *ADDED]


def test_framing_and_other_protections_of_odoo_stay() -> None:
    protections = [
        "X-Frame-Options: DENY",
        "Content-Security-Policy: frame-ancestors 'self'",
        "X-Content-Type-Options: nosniff",
        "Set-Cookie: session_id=x; HttpOnly; Path=/",
        "Set-Cookie: frontend_lang=en_US; Path=/",
    ]
    assert written(tidied(read("Content-Type: text/html", *protections))) == [
        "Content-Type: text/html",
        *protections,
        *ADDED,
    ]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/javascript", "text/htmlx", "text/plain", "image/svg+xml", "application/octet-stream"],
)
def test_what_is_no_page_keeps_what_it_says(content_type: str) -> None:
    lines = [
        f"Content-Type: {content_type}",
        "Cache-Control: public, max-age=31536000, immutable",
        "Expires: Thu, 01 Jan 2099 00:00:00 GMT",
        "Referrer-Policy: origin",
    ]
    fields = read(*lines)
    assert not is_page(fields)
    assert written(tidied(fields)) == lines


def test_an_answer_without_a_type_is_no_page() -> None:
    assert tidied(read("Location: /odoo")) == read("Location: /odoo")


@pytest.mark.parametrize("content_type", ["text/html", "text/css"])
def test_of_doubled_dates_the_first_is_left(content_type: str) -> None:
    fields = read(
        "Server: Werkzeug/2.2.2",
        "Date: Mon, 24 Nov 2025 08:00:00 GMT",
        f"Content-Type: {content_type}",
        "date: Mon, 24 Nov 2025 08:00:01 GMT",
        "Date: Mon, 24 Nov 2025 08:00:02 GMT",
    )
    dates = [value for lower, _, value in tidied(fields) if lower == b"date"]
    assert dates == [b"Mon, 24 Nov 2025 08:00:00 GMT"]


@pytest.mark.parametrize("name", ["X-Accel-Redirect", "x-accel-redirect", "X-Sendfile"])
def test_a_file_left_to_another_web_server_is_recognised(name: str) -> None:
    fields = read("Content-Type: application/pdf", f"{name}: /web/filestore/demo/ab/abcdef")
    assert is_hollow(fields, 0)
    assert is_hollow(fields, None)
    # Somebody in between has put the file in.
    assert not is_hollow(fields, 17)


@pytest.mark.parametrize("length", [0, None, 5])
def test_an_empty_answer_is_nothing_special(length: int | None) -> None:
    assert not is_hollow(read("Content-Type: text/plain", "X-Accel-Buffering: no"), length)


@pytest.mark.parametrize("path", [b"/robots.txt", b"/robots.txt/", b"/%72obots.txt"])
def test_robots_txt_is_ours(path: bytes) -> None:
    assert asks_for_robots(path)


@pytest.mark.parametrize("path", [b"/robots.txt.bak", b"/shop/robots.txt", b"/robots", b"/"])
def test_nothing_else_is(path: bytes) -> None:
    assert not asks_for_robots(path)


def test_robots_txt_closes_everything() -> None:
    lines = ROBOTS_BODY.decode().splitlines()
    assert lines == ["User-agent: *", "Disallow: /"]
    assert ROBOTS_BODY.endswith(b"\n")
    assert ("Content-Type", "text/plain; charset=utf-8") in ROBOTS_FIELDS


def test_no_key_of_a_browser_is_bound_to_a_session() -> None:
    fields = read(
        "Content-Type: text/html",
        'Secure-Session-Registration: (ES256);path="/web/dbsc"',
        "Sec-Session-Registration: x",
        "Secure-Session-Challenge: x",
        "Set-Cookie: dbsc=1; HttpOnly",
        "Set-Cookie: tz=UTC",
    )
    assert written(tidied(fields)) == ["Content-Type: text/html", "Set-Cookie: tz=UTC", *ADDED]
