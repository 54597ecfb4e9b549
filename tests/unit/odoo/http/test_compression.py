"""Which answers are compressed, in which coding, and what their heads say."""

from __future__ import annotations

import json
import zlib
from random import Random

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hostile.fuzz.work import operations
from tests.unit.gateway.requests import request

from guestpass.odoo.http.compression import (
    Effort,
    Encoding,
    choose,
    compressibility,
    encoder,
    is_compressible_type,
    read_acceptance,
    represent,
    upstream_if_none_match,
)
from guestpass.wire.heads import RequestHead, ResponseHead, read_response_head

CHROMIUM = "gzip, deflate, br, zstd"
HTML = "Content-Type: text/html; charset=utf-8"


def answer(*fields: str, status: str = "200 OK", length: int | None = 20_000) -> ResponseHead:
    counted = () if length is None else (f"Content-Length: {length}",)
    text = "".join(f"{line}\r\n" for line in (f"HTTP/1.0 {status}", *fields, *counted))
    return read_response_head(f"{text}\r\n".encode("latin-1"))


def asking(accept: str | None = CHROMIUM, *fields: str, line: str = "GET /odoo") -> RequestHead:
    return request(line, *(() if accept is None else (f"Accept-Encoding: {accept}",)), *fields)


def chosen(head: ResponseHead, asked: RequestHead) -> Encoding | None:
    return choose(compressibility(head.status, head.fields), head.content_length, asked).encoding


def values(head: ResponseHead, name: bytes) -> list[bytes]:
    return [value for lower, _, value in head.fields if lower == name]


def decoded(encoding: Encoding, data: bytes) -> bytes:
    if encoding is Encoding.ZSTD:
        return zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).decompressobj().decompress(data)
    if encoding is Encoding.BROTLI:
        return bytes(brotli.decompress(data))
    return zlib.decompress(data, 16 + zlib.MAX_WBITS)


def partial(encoding: Encoding, data: bytes) -> bytes:
    """What a receiver can read of a body that has not ended."""
    if encoding is Encoding.ZSTD:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if encoding is Encoding.BROTLI:
        return bytes(brotli.Decompressor().process(data))
    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data)


# What a visitor accepts


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("gzip, deflate, br, zstd", [Encoding.ZSTD, Encoding.BROTLI, Encoding.GZIP]),
        ("gzip, deflate, br", [Encoding.BROTLI, Encoding.GZIP]),
        ("gzip, deflate", [Encoding.GZIP]),
        ("GZip", [Encoding.GZIP]),
        ("x-gzip", [Encoding.GZIP]),
        ("gzip;q=1.0, br;q=0.5", [Encoding.GZIP, Encoding.BROTLI]),
        ("gzip ; q=0.001 , br ;Q=0", [Encoding.GZIP]),
        ("*", [Encoding.ZSTD, Encoding.BROTLI, Encoding.GZIP]),
        ("zstd;q=0, *;q=0.2, gzip;q=0.3", [Encoding.GZIP, Encoding.BROTLI]),
        ("*;q=0", []),
        ("*;q=0, br", [Encoding.BROTLI]),
        ("identity", []),
        ("identity, gzip;q=0.5", []),
        ("identity;q=0.5, gzip", [Encoding.GZIP]),
        ("", []),
        ("deflate, compress", []),
        ("gzip;q=0, gzip", []),
        ("gzip;q=2", []),
        ("gzip;q=0.1234", []),
        ("gzip;level=9", []),
        ("br;;, ,gzip", [Encoding.GZIP]),
        ("gzip br", []),
        ("gzip," * 200, []),
    ],
)
def test_codings_are_taken_by_what_a_visitor_likes_best(accept: str, expected: list[Encoding]) -> None:
    assert list(read_acceptance(accept.encode()).codings) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("gzip", True),
        ("", True),
        ("gzip, identity;q=0", False),
        ("gzip, *;q=0", False),
        ("gzip, *;q=0, identity", True),
        ("*;q=0.5", True),
    ],
)
def test_the_plain_form_may_be_sent_unless_it_is_ruled_out(accept: str, expected: bool) -> None:
    assert read_acceptance(accept.encode()).takes_plain is expected


@given(st.binary(max_size=80))
def test_no_field_value_makes_reading_fail(value: bytes) -> None:
    codings = read_acceptance(value).codings
    assert len(set(codings)) == len(codings)


WEIGHTS = st.one_of(st.none(), st.integers(0, 1000))


@given(gzip=WEIGHTS, br=WEIGHTS, zstd=WEIGHTS, star=WEIGHTS, blanks=st.sampled_from(["", " ", "\t"]), rng=st.randoms())
def test_codings_come_in_the_order_of_their_weights_and_never_with_weight_zero(
    gzip: int | None, br: int | None, zstd: int | None, star: int | None, blanks: str, rng: Random
) -> None:
    weights = {"gzip": gzip, "br": br, "zstd": zstd, "*": star}
    members = [
        f"{name}{blanks};{blanks}q={weight / 1000:.3f}" for name, weight in weights.items() if weight is not None
    ]
    rng.shuffle(members)
    codings = read_acceptance(f"{blanks},".join(members).encode()).codings
    meant = {name: star or 0 if weight is None else weight for name, weight in weights.items() if name != "*"}
    found = [meant[coding.value.decode()] for coding in codings]
    assert found == sorted(found, reverse=True)
    assert {coding.value.decode() for coding in codings} == {name for name, weight in meant.items() if weight}


# Which answers are compressed


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html; charset=utf-8",
        "Text/HTML",
        "text/css; charset=utf-8",
        "text/javascript",
        "application/javascript; charset=utf-8",
        "application/json",
        "application/manifest+json",
        "application/xml",
        "application/xhtml+xml",
        "image/svg+xml; charset=utf-8",
        "application/wasm",
        "font/ttf",
    ],
)
def test_texts_are_compressed(content_type: str) -> None:
    assert chosen(answer(f"Content-Type: {content_type}"), asking()) is Encoding.ZSTD


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png",
        "image/jpeg",
        "font/woff",
        "font/woff2",
        "application/font-woff",
        "application/pdf",
        "application/zip",
        "application/octet-stream",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "video/mp4",
        "text/event-stream",
        "Text/Event-Stream; charset=utf-8",
        "textual/html",
    ],
)
def test_what_does_not_shrink_or_must_arrive_at_once_is_left_alone(content_type: str) -> None:
    assert chosen(answer(f"Content-Type: {content_type}"), asking()) is None
    assert not is_compressible_type(content_type.encode())


def test_an_answer_without_content_type_is_left_alone() -> None:
    assert chosen(answer(), asking()) is None


def test_only_bodies_over_one_kibibyte_or_of_unknown_length_are_compressed() -> None:
    assert chosen(answer(HTML, length=1024), asking()) is None
    assert chosen(answer(HTML, length=1025), asking()) is Encoding.ZSTD
    assert chosen(answer(HTML, length=None), asking()) is Encoding.ZSTD


def test_a_visitor_who_accepts_nothing_gets_the_plain_form() -> None:
    for accept in (None, "", "identity", "deflate", "*;q=0"):
        assert chosen(answer(HTML), asking(accept)) is None


def test_a_visitor_who_refuses_the_plain_form_gets_any_type_and_length_compressed() -> None:
    assert chosen(answer("Content-Type: image/png", length=10), asking("gzip, identity;q=0")) is Encoding.GZIP
    assert chosen(answer(HTML, length=0), asking("gzip, identity;q=0")) is None, "there is no body"
    stream = answer("Content-Type: text/event-stream", length=None)
    assert chosen(stream, asking("gzip, identity;q=0")) is None


@pytest.mark.parametrize(
    "field",
    [
        "Content-Encoding: gzip",
        "Content-Encoding: identity",
        "Cache-Control: public, No-Transform",
        "Content-Range: bytes 0-1/2",
        "Content-Digest: sha-256=:aaaa:",
        "Repr-Digest: sha-256=:aaaa:",
        "Content-MD5: aaaa",
    ],
)
def test_some_fields_of_an_answer_forbid_it(field: str) -> None:
    assert chosen(answer(HTML, field), asking()) is None
    head, _ = represent(answer(HTML, field), asking())
    assert values(head, b"vary") == []


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content", "206 Partial Content", "304 Not Modified"])
def test_some_statuses_forbid_it(status: str) -> None:
    assert chosen(answer(HTML, status=status), asking()) is None


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error", "303 See Other", "413 Too Large"])
def test_errors_are_compressed_as_pages_are(status: str) -> None:
    assert chosen(answer(HTML, status=status), asking()) is Encoding.ZSTD


# A link beside this one lives on the same site.
CAUSED_ELSEWHERE = [f"Sec-Fetch-Site: {site}" for site in ("cross-site", "Cross-Site", "same-site", "whatever-comes")]


@pytest.mark.parametrize(
    "field",
    ["Range: bytes=0-1", "Cache-Control: no-transform", *CAUSED_ELSEWHERE],
)
def test_some_fields_of_a_request_forbid_it(field: str) -> None:
    assert chosen(answer(HTML), asking(CHROMIUM, field)) is None


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_requests_that_no_other_origin_caused_are_compressed(site: str) -> None:
    assert chosen(answer(HTML), asking(CHROMIUM, f"Sec-Fetch-Site: {site}")) is Encoding.ZSTD


# What the head says


def test_a_compressed_answer_says_so_and_no_longer_says_how_long_it_is() -> None:
    head = answer(HTML, 'ETag: "abc"', "Accept-Ranges: bytes", "X-Frame-Options: DENY")
    sent, encoding = represent(head, asking())
    assert encoding is Encoding.ZSTD
    assert values(sent, b"content-encoding") == [b"zstd"]
    assert values(sent, b"etag") == [b'W/"abc--zstd"']
    assert values(sent, b"vary") == [b"Accept-Encoding"]
    assert values(sent, b"content-length") == values(sent, b"accept-ranges") == []
    assert sent.content_length is None
    assert values(sent, b"x-frame-options") == [b"DENY"]
    assert values(sent, b"content-type") == [b"text/html; charset=utf-8"]
    assert head.content_length == 20_000, "the given head is left as it was"
    assert values(head, b"etag") == [b'"abc"']


def test_the_answer_to_head_has_the_fields_of_the_answer_to_get() -> None:
    head = answer(HTML, 'ETag: "abc"')
    get, by_get = represent(head, asking())
    head_only, by_head = represent(head, asking(line="HEAD /odoo"))
    assert (head_only.fields, by_head) == (get.fields, by_get)


def test_each_coding_has_an_entity_tag_of_its_own_and_all_are_weak() -> None:
    tags = {
        values(represent(answer(HTML, 'ETag: "abc"'), asking(accept))[0], b"etag")[0]
        for accept in ("gzip", "br", "zstd")
    }
    assert tags == {b'W/"abc--gzip"', b'W/"abc--br"', b'W/"abc--zstd"'}


def test_a_weak_tag_stays_weak_and_a_broken_one_is_not_passed_on() -> None:
    assert values(represent(answer(HTML, 'ETag: W/"abc"'), asking())[0], b"etag") == [b'W/"abc--zstd"']
    assert values(represent(answer(HTML, "ETag: abc"), asking())[0], b"etag") == []
    assert values(represent(answer(HTML, "ETag: abc"), asking(None))[0], b"etag") == [b"abc"]


@pytest.mark.parametrize(
    ("given_fields", "expected"),
    [
        ((), [b"Accept-Encoding"]),
        (("Vary: Cookie",), [b"Cookie, Accept-Encoding"]),
        (("Vary: Cookie, Accept",), [b"Cookie, Accept, Accept-Encoding"]),
        (("Vary: Cookie", "Vary: Origin"), [b"Cookie", b"Origin, Accept-Encoding"]),
        (("Vary: cookie, accept-ENCODING", "Vary: Origin"), [b"cookie, accept-ENCODING", b"Origin"]),
        (("Vary: *",), [b"*"]),
        (("Vary:",), [b"Accept-Encoding"]),
    ],
)
@pytest.mark.parametrize("accept", [CHROMIUM, None])
def test_vary_names_accept_encoding_once_whether_or_not_the_answer_is_compressed(
    given_fields: tuple[str, ...], expected: list[bytes], accept: str | None
) -> None:
    sent, _ = represent(answer(HTML, *given_fields), asking(accept))
    assert values(sent, b"vary") == expected


def test_vary_is_left_alone_where_nothing_would_ever_be_compressed() -> None:
    for head in (answer("Content-Type: image/png"), answer(HTML, length=10), answer(HTML, status="204 No Content")):
        assert represent(head, asking()) == (head, None)


# Entity tags on their way back


def test_tags_of_ours_are_turned_back_for_the_upstream() -> None:
    asked = b'W/"abc--br", "plain", W/"weak", W/"x--y--gzip", W/"n--deflate"'
    assert upstream_if_none_match(asked, CHROMIUM.encode()) == b'"abc", "plain", W/"weak", "x--y", W/"n--deflate"'
    assert upstream_if_none_match(b"*", CHROMIUM.encode()) == b"*"


def test_a_tag_of_a_coding_that_is_no_longer_accepted_matches_nothing_upstream() -> None:
    assert upstream_if_none_match(b'W/"abc--br"', b"gzip") == b'W/"abc--br"'
    assert upstream_if_none_match(b'"abc--br"', b"br") == b'"abc--br"', "no strong tag is ours"


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_visitor_hears_again_the_tag_of_the_form_that_he_has(encoding: Encoding) -> None:
    sent, _ = represent(answer(HTML, 'ETag: "abc"'), asking(encoding.value.decode()))
    tag = values(sent, b"etag")[0]
    again = asking(CHROMIUM, f"If-None-Match: {tag.decode()}")
    assert upstream_if_none_match(again.values[b"if-none-match"], CHROMIUM.encode()) == b'"abc"'
    unchanged, coding = represent(answer('ETag: "abc"', status="304 Not Modified", length=None), again)
    assert coding is None
    assert values(unchanged, b"etag") == [tag]
    assert values(unchanged, b"vary") == [b"Accept-Encoding"]
    assert values(unchanged, b"content-encoding") == []


def test_a_visitor_who_has_the_plain_form_hears_the_plain_tag() -> None:
    unchanged = answer('ETag: "abc"', status="304 Not Modified", length=None)
    for fields in (
        ('If-None-Match: "abc"',),
        ('If-None-Match: "abc", W/"abc--br"',),
        ('If-None-Match: W/"other--br"',),
        (),
    ):
        assert represent(unchanged, asking(CHROMIUM, *fields)) == (unchanged, None)


@given(st.binary(max_size=60))
def test_no_if_none_match_makes_translating_fail(value: bytes) -> None:
    upstream_if_none_match(value, b"br")


# Bodies

TEXT = json.dumps({str(number): f"res.partner {number % 97}" for number in range(20_000)}).encode()


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("effort", list(Effort))
@pytest.mark.parametrize("knows_length", [True, False])
def test_a_compressed_body_is_the_body(encoding: Encoding, effort: Effort, knows_length: bool) -> None:
    made = encoder(encoding, effort, length=len(TEXT) if knows_length else None)
    sent = b"".join(
        [*(made.feed(TEXT[start : start + 65_536]) for start in range(0, len(TEXT), 65_536)), made.finish()]
    )
    assert decoded(encoding, sent) == TEXT
    assert len(sent) < len(TEXT) / 4


@pytest.mark.parametrize("encoding", list(Encoding))
def test_what_was_flushed_can_be_read_before_the_end(encoding: Encoding) -> None:
    made = encoder(encoding)
    sent = made.feed(b"<h1>Sales</h1>") + made.flush()
    assert partial(encoding, sent) == b"<h1>Sales</h1>"
    sent += made.feed(b"<p>17 orders</p>") + made.flush() + made.flush()
    assert partial(encoding, sent) == b"<h1>Sales</h1><p>17 orders</p>"
    assert decoded(encoding, sent + made.finish()) == b"<h1>Sales</h1><p>17 orders</p>"


@pytest.mark.parametrize("encoding", list(Encoding))
def test_an_empty_body_stays_empty(encoding: Encoding) -> None:
    assert decoded(encoding, encoder(encoding).finish()) == b""
    assert decoded(encoding, encoder(encoding, length=0).finish()) == b""


@settings(deadline=None)
@given(
    st.sampled_from(list(Encoding)),
    st.lists(st.tuples(st.binary(max_size=3000), st.booleans()), max_size=12),
    st.booleans(),
)
def test_bodies_survive_however_they_are_cut_and_flushed(
    encoding: Encoding,
    pieces: list[tuple[bytes, bool]],
    knows_length: bool,
) -> None:
    body = b"".join(piece for piece, _ in pieces)
    made = encoder(encoding, length=len(body) if knows_length else None)
    sent = b"".join(made.feed(piece) + (made.flush() if flushes else b"") for piece, flushes in pieces) + made.finish()
    assert decoded(encoding, sent) == body


@pytest.mark.parametrize("effort", list(Effort))
@pytest.mark.parametrize("length", [None, 9 * 1024 * 1024])
def test_browsers_can_read_every_zstd_window(effort: Effort, length: int | None) -> None:
    """RFC 9659: a window of more than 8 MiB may be refused."""
    made = encoder(Encoding.ZSTD, effort, length=length)
    block = Random(1).randbytes(1024 * 1024)
    sent = b"".join([*(made.feed(block) for _ in range(9)), made.finish()])
    assert zstandard.get_frame_parameters(sent).window_size <= 8 * 1024 * 1024
    assert decoded(Encoding.ZSTD, sent) == block * 9


def test_of_thousands_of_tags_the_first_are_looked_at() -> None:
    """An environment that tells of many, too, made each of them be compared with each."""
    head = answer(*(f'ETag: "{number}"' for number in range(9000, 9150)), status="304 Not Modified")

    def cost(count: int) -> int:
        tags = ",".join(f'W/"{number}--br"' for number in range(count))
        asked = asking("br", f"If-None-Match: {tags}")
        return operations(lambda: (represent(head, asked), upstream_if_none_match(tags.encode(), b"br")))

    assert cost(4000) < cost(400) * 1.5
