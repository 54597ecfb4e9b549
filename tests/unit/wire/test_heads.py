"""What a head means, and which heads have no single safe meaning."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guestpass.wire import heads
from guestpass.wire.failures import Failure
from guestpass.wire.heads import RefusedHeadError, read_request_head, read_response_head

HOST = b"Host: a.test\r\n"


def request(line: bytes = b"GET / HTTP/1.1", *fields: bytes, host: bytes = HOST, end: bytes = b"\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + end


def response(line: bytes = b"HTTP/1.1 200 OK", *fields: bytes) -> bytes:
    return line + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def refusal(data: bytes) -> Failure:
    with pytest.raises(RefusedHeadError) as caught:
        read_request_head(data)
    assert str(caught.value).endswith("."), "the text is a sentence for a person"
    return caught.value.reason


# What a request means


def test_a_request_is_read_into_its_parts() -> None:
    head = read_request_head(
        request(b"POST /a/b?c=d&e HTTP/1.1", b"X-One:  1 \t", b"X-TWO: 2", b"Content-Length: 12", b"Connection: close")
    )
    assert (head.method, head.minor) == (b"POST", 1)
    assert (head.target, head.path, head.query) == (b"/a/b?c=d&e", b"/a/b", b"?c=d&e")
    assert head.host == b"a.test"
    assert (head.content_length, head.chunked, head.has_body) == (12, False, True)
    assert not head.keep_alive
    assert head.fields == [
        (b"host", b"Host", b"a.test"),
        (b"x-one", b"X-One", b"1"),
        (b"x-two", b"X-TWO", b"2"),
        (b"content-length", b"Content-Length", b"12"),
        (b"connection", b"Connection", b"close"),
    ]
    assert head.values[b"x-two"] == b"2"


def test_a_query_is_all_behind_the_first_question_mark() -> None:
    head = read_request_head(request(b"GET /a?b?c=/d HTTP/1.1"))
    assert (head.path, head.query) == (b"/a", b"?b?c=/d")
    assert read_request_head(request(b"GET /a? HTTP/1.1")).query == b"?"


def test_values_of_a_field_that_comes_twice_are_joined_cookies_by_semicolons() -> None:
    head = read_request_head(request(b"GET / HTTP/1.1", b"Cookie: a=1", b"Accept: x", b"cookie: b=2", b"ACCEPT: y"))
    assert (head.values[b"cookie"], head.values[b"accept"]) == (b"a=1; b=2", b"x, y")


@pytest.mark.parametrize(
    "name", [b"X_Forwarded_Host", b"_", b"A.B", b"A~B", b"A!B", b"Content_Length", b"X" * 50 + b"_"]
)
def test_a_field_whose_name_is_not_of_letters_digits_and_hyphens_is_dropped(name: bytes) -> None:
    head = read_request_head(request(b"GET / HTTP/1.1", name + b": 3", b"X-Good-1: y"))
    assert [lower for lower, _, _ in head.fields] == [b"host", b"x-good-1"]
    assert set(head.values) == {b"host", b"x-good-1"}


@pytest.mark.parametrize(
    "value", [b"caf\xe9", b"\xff\x80", b"a\tb", b'"quoted, value"', b"", b"a" * 60_000], ids=lambda value: value[:8]
)
def test_a_value_of_visible_and_high_bytes_is_kept(value: bytes) -> None:
    assert read_request_head(request(b"GET / HTTP/1.1", b"X: " + value)).values[b"x"] == value


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", None, True),
        (b"1.1", b"close", False),
        (b"1.1", b"Close", False),
        (b"1.1", b"keep-alive, CLOSE", False),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"closer", True),
        (b"1.0", None, False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"Keep-Alive, X-A", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_keep_alive_is_what_version_and_connection_say(version: bytes, connection: bytes | None, kept: bool) -> None:
    fields = [b"Connection: " + connection] if connection is not None else []
    assert read_request_head(request(b"GET / HTTP/" + version, *fields)).keep_alive is kept
    assert read_response_head(response(b"HTTP/" + version + b" 200 OK", *fields)).keep_alive is kept


def test_two_connection_fields_are_one() -> None:
    fields = (b"Connection: keep-alive, X-A", b"Connection:close ,\tX-B")
    named = frozenset({b"keep-alive", b"x-a", b"close", b"x-b"})
    asked = read_request_head(request(b"GET / HTTP/1.0", *fields))
    assert (asked.connection, asked.keep_alive) == (named, False)
    answered = read_response_head(response(b"HTTP/1.0 200 OK", *fields))
    assert (answered.connection, answered.keep_alive) == (named, False)


@pytest.mark.parametrize(
    "host", [b"a", b"a.test", b"A.Test:80", b"1.2.3.4:8080", b"[::1]:80", b"[2001:db8::1]", b"a_b-c.test"]
)
def test_a_host_is_a_name_or_address_with_an_optional_port(host: bytes) -> None:
    assert read_request_head(request(host=b"Host: " + host + b"\r\n")).host == host.lower()


@pytest.mark.parametrize("method", [b"SOURCE", b"PURGE", b"QUERY", b"PROPFIND", b"M-SEARCH", b"OPTIONS", b"REPORT"])
def test_rare_methods_are_methods(method: bytes) -> None:
    assert read_request_head(request(method + b" / HTTP/1.1")).method == method


@pytest.mark.parametrize(
    "target", [b"//x", b"/a/../b/./c", b"/%00", b"/%2e%2E/%C3", b"/a;b@c:d", b'/"<>|{}^`', b"/?#"[:2]]
)
def test_odd_but_harmless_targets_are_kept_as_they_are(target: bytes) -> None:
    assert read_request_head(request(b"GET " + target + b" HTTP/1.1")).target == target


@pytest.mark.parametrize(
    ("target", "origin_form"),
    [
        (b"http://a.test/x?y", b"/x?y"),
        (b"https://a.test/x", b"/x"),
        (b"HTTP://A.TEST/x", b"/x"),
        (b"http://a.test", b"/"),
        (b"http://a.test?y/z", b"/?y/z"),
        (b"http://a.test//x", b"//x"),
    ],
)
def test_an_absolute_target_of_this_host_is_brought_into_origin_form(target: bytes, origin_form: bytes) -> None:
    assert read_request_head(request(b"GET " + target + b" HTTP/1.1")).target == origin_form


@pytest.mark.parametrize("body", [(), (b"Content-Length: 5",), (b"Transfer-Encoding: Chunked ",)])
def test_an_upgrade_field_changes_nothing_in_how_a_body_is_read(body: tuple[bytes, ...]) -> None:
    head = read_request_head(request(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: anything", *body))
    assert head.has_body is bool(body)


# What is refused


@pytest.mark.parametrize("host", [b"", b"Host:\r\n", b"Host: \t \r\n", HOST + HOST, HOST + b"Host: b.test\r\n"])
def test_a_request_without_just_one_host_is_bad(host: bytes) -> None:
    assert refusal(request(host=host)) is Failure.BAD_REQUEST
    assert refusal(request(b"GET / HTTP/1.0", host=host)) is Failure.BAD_REQUEST


@pytest.mark.parametrize(
    "host",
    [
        b"a b/c@d,e",
        b"a,b",
        b"a/b",
        b"user@a",
        b"a:",
        b"a:b",
        b"a:123456",
        b"[::1",
        b"::1",
        b"-a",
        b"a-",
        b".",
        b"a\xe9",
        b"a%41",
        b"a" * 260,
    ],
)
def test_junk_as_host_is_bad(host: bytes) -> None:
    assert refusal(request(host=b"Host: " + host + b"\r\n")) is Failure.BAD_REQUEST


@pytest.mark.parametrize("line", [b"CONNECT a.test:443 HTTP/1.1", b"CONNECT / HTTP/1.1", b"TRACE / HTTP/1.1"])
def test_connect_and_trace_are_not_allowed(line: bytes) -> None:
    assert refusal(request(line)) is Failure.METHOD_NOT_ALLOWED


@pytest.mark.parametrize(
    "target",
    [
        b"http://b.test/",
        b"http://a.test:81/",
        b"http://a.test.evil.test/",
        b"http://a.test@evil.test/",
        b"http://user@a.test/",
        b"http://user:pw@a.test/",
        b"http://a.test:99999/",
        b"http://",
        b"http:///x",
        b"http:/a.test/x",
        b"ftp://a.test/",
        b"a.test/x",
        b"*",
        b"x",
        b"?x",
    ],
)
def test_a_target_that_names_another_place_or_none_is_bad(target: bytes) -> None:
    assert refusal(request(b"GET " + target + b" HTTP/1.1")) is Failure.BAD_REQUEST


@pytest.mark.parametrize(
    "target",
    [
        b"/#",
        b"/x#y",
        b"/x?y#z",
        b"/\\",
        b"/x\\..\\y",
        b"/%",
        b"/%4",
        b"/%zz",
        b"/%4z",
        b"/?%",
        b"/\x7f",
        b"/\x80",
        b"/\t",
    ],
)
def test_a_target_with_what_no_url_holds_is_bad(target: bytes) -> None:
    assert refusal(request(b"GET " + target + b" HTTP/1.1")) is Failure.BAD_REQUEST


@pytest.mark.parametrize(
    "fields",
    [
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: identity, chunked",),
        (b"Transfer-Encoding: ,chunked",),
        (b"Transfer-Encoding: chunked,",),
        (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked, chunked",),
        (b"Transfer-Encoding: identity",),
        (b"Transfer-Encoding: gzip",),
        (b"Transfer-Encoding: xchunked",),
        (b'Transfer-Encoding: "chunked"',),
        (b"Transfer-Encoding: chunked;q=1",),
        (b"Transfer-Encoding:",),
        (b"Transfer-Encoding: chunked", b"Content-Length: 0"),
        (b"Content-Length: 0", b"Transfer-Encoding: chunked"),
    ],
)
def test_any_transfer_encoding_but_exactly_chunked_is_bad(fields: tuple[bytes, ...]) -> None:
    assert refusal(request(b"POST / HTTP/1.1", *fields)) is Failure.BAD_REQUEST


def test_transfer_encoding_in_http_1_0_is_bad() -> None:
    assert refusal(request(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked")) is Failure.BAD_REQUEST


def test_chunked_in_any_case_and_with_blanks_around_it_is_chunked() -> None:
    assert read_request_head(request(b"POST / HTTP/1.1", b"Transfer-Encoding: \t CHUNKED ")).chunked


@pytest.mark.parametrize(
    "value",
    [b"", b"+1", b"-1", b"0x1", b"1 2", b"1,1", b"1.0", b"\xb2", b"18446744073709551616", b"0" * 5000 + b"1"],
    ids=lambda value: value[:21],
)
def test_a_length_that_is_no_sensible_number_is_bad(value: bytes) -> None:
    assert refusal(request(b"POST / HTTP/1.1", b"Content-Length: " + value)) is Failure.BAD_REQUEST


def test_a_length_may_have_zeros_before_it_and_blanks_behind_it() -> None:
    assert read_request_head(request(b"POST / HTTP/1.1", b"Content-Length: 0003\t")).content_length == 3


@pytest.mark.parametrize("lengths", [(b"3", b"3"), (b"3", b"4")])
def test_two_lengths_are_bad(lengths: tuple[bytes, ...]) -> None:
    fields = [b"Content-Length: " + length for length in lengths]
    assert refusal(request(b"POST / HTTP/1.1", *fields)) is Failure.BAD_REQUEST


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/0.9",
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"GET / HTTP/3.0",
        b"GET / HTTP/9.9",
        b"PRI * HTTP/2.0",
        b"GET /",
        b"GET / RTSP/1.0",
        b"DESCRIBE / RTSP/1.0",
        b"SOURCE / ICE/1.0",
    ],
)
def test_other_versions_are_not_supported(line: bytes) -> None:
    assert refusal(request(line)) is Failure.VERSION_NOT_SUPPORTED


@pytest.mark.parametrize(
    "line",
    [
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET\t/ HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP/1.12",
        b"GET / HTTP/11",
        b"get / HTTP/1.1",
        b"GRAB / HTTP/1.1",
        b"G@T / HTTP/1.1",
        b"HTTP/1.1 200 OK",
        b"GET",
        b"",
        b"\r\n",
    ],
)
def test_a_first_line_of_another_form_is_bad(line: bytes) -> None:
    assert refusal(request(line)) is Failure.BAD_REQUEST


@pytest.mark.parametrize("count", [1, 2, 3])
def test_empty_lines_before_a_request_are_not_part_of_its_head(count: int) -> None:
    assert refusal(b"\r\n" * count + request()) is Failure.BAD_REQUEST


@pytest.mark.parametrize("before", [b"\r", b"\n", b"\n\n", b"\r\r\n", b"\r\n\n"])
def test_stray_line_ends_before_a_request_are_bad(before: bytes) -> None:
    assert refusal(before + request()) is Failure.BAD_REQUEST


@pytest.mark.parametrize(
    "field",
    [
        b"X : y",
        b"X\t: y",
        b" X: y",
        b"X: y\r\n folded",
        b"X: y\r\n\tfolded",
        b"X: a\nY: b",
        b"X: a\rb",
        b"X: a\x00b",
        b"X: a\x1bb",
        b"X: a\x7fb",
        b"X",
        b": y",
        b"X(: y",
        b"X\xe9: y",
    ],
)
def test_a_field_that_breaks_the_grammar_is_bad(field: bytes) -> None:
    assert refusal(request(b"GET / HTTP/1.1", field)) is Failure.BAD_REQUEST
    with pytest.raises(ValueError, match=r"\w"):
        read_response_head(response(b"HTTP/1.1 200 OK", field))


def test_a_head_that_is_cut_short_or_followed_by_more_is_bad() -> None:
    whole = request()
    assert refusal(whole[:-2]) is Failure.BAD_REQUEST
    assert refusal(whole + whole) is Failure.BAD_REQUEST
    assert refusal(whole + b"x") is Failure.BAD_REQUEST


def test_a_target_over_16_kib_is_too_long() -> None:
    longest = b"/" + b"x" * (16 * 1024 - 1)
    assert read_request_head(request(b"GET " + longest + b" HTTP/1.1")).target == longest
    assert refusal(request(b"GET /" + b"x" * (16 * 1024) + b" HTTP/1.1")) is Failure.TARGET_TOO_LONG


def test_more_than_200_fields_are_too_many_even_where_they_are_dropped() -> None:
    assert len(read_request_head(request(b"GET / HTTP/1.1", *[b"X: y"] * 199)).fields) == 200
    assert refusal(request(b"GET / HTTP/1.1", *[b"X: y"] * 200)) is Failure.HEAD_TOO_LARGE
    assert refusal(request(b"GET / HTTP/1.1", *[b"X_: y"] * 200)) is Failure.HEAD_TOO_LARGE


# Answers


def test_an_answer_is_read_into_its_parts() -> None:
    head = read_response_head(
        response(b"HTTP/1.0 404 Not here", b"Content-Length: 3 ", b"X_Y:  z ", b"Connection: X-A")
    )
    assert (head.status, head.minor, head.content_length, head.chunked) == (404, 0, 3, False)
    assert head.fields[1] == (b"x_y", b"X_Y", b"z")
    assert head.connection == {b"x-a"}


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 \xe9t\xe9", b"HTTP/1.1 299 Odd", b"HTTP/1.1 599 X"])
def test_any_reason_and_any_status_of_three_digits_up_to_599_is_read(line: bytes) -> None:
    assert read_response_head(response(line)).status == int(line[9:12])


@pytest.mark.parametrize("status", [100, 102, 103, 199, 205, 304])
def test_interim_and_bodiless_answers_are_read_as_heads(status: int) -> None:
    assert read_response_head(response(b"HTTP/1.1 %d X" % status, b"Content-Length: 5")).status == status


def test_a_101_is_read_as_a_head() -> None:
    fields = (b"Connection: upgrade", b"Upgrade: websocket")
    assert read_response_head(response(b"HTTP/1.1 101 Switching Protocols", *fields)).status == 101


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: gzip",)),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: identity",)),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: gzip, chunked",)),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: chunked, gzip",)),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding:",)),
        (b"HTTP/1.0 200 OK", (b"Transfer-Encoding: chunked",)),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: chunked", b"Content-Length: 3")),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 3", b"Transfer-Encoding: chunked")),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 3", b"Content-Length: 3")),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 3, 3",)),
        (b"HTTP/1.1 200 OK", (b"Content-Length: -3",)),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 0x3",)),
        (b"HTTP/1.1 200 OK", (b"Content-Length:",)),
        (b"HTTP/1.1 000 X", ()),
        (b"HTTP/1.1 099 X", ()),
        (b"HTTP/1.1 600 X", ()),
        (b"HTTP/1.1 999 X", ()),
        (b"HTTP/1.1 20 X", ()),
        (b"HTTP/1.1 2000 X", ()),
        (b"HTTP/0.9 200 OK", ()),
        (b"HTTP/1.2 200 OK", ()),
        (b"HTTP/2.0 200 OK", ()),
        (b"RTSP/1.0 200 OK", ()),
        (b"ICE/1.0 200 OK", ()),
        (b"HTTP/1.1 101 Switching Protocols", ()),
        (b"GET / HTTP/1.1", ()),
        (b"HTTP/1.1 200 OK", (b"X: y",) * 201),
    ],
)
def test_an_answer_that_is_read_differently_by_others_is_refused(line: bytes, fields: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_response_head(response(line, *fields))


def test_an_answer_that_is_followed_by_more_is_refused() -> None:
    one = response(b"HTTP/1.1 204 No Content")
    with pytest.raises(ValueError, match="end"):
        read_response_head(one + one)
    with pytest.raises(ValueError, match=r"\w"):
        read_response_head(one[:-2])


# Whatever comes


@given(st.binary(max_size=300))
@example(b"")
@example(b"\r\n\r\n")
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for bytes_in in (data, request(end=data), request(b"GET /", data)):
        try:
            head = read_request_head(bytes_in)
        except RefusedHeadError:
            continue
        assert head.target.startswith(b"/")
        assert head.host
    try:
        answer = read_response_head(data)
    except ValueError:
        return
    assert 100 <= answer.status <= 599


_LINES = st.tuples(
    st.sampled_from([b"X-One", b"x-one", b"Cookie", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Upgrade"])
    | st.sampled_from([b"Host", b"Expect", b"Set-Cookie", b"Accept", b"", b" X", b"X ", b"X\x00", b"X\xe9"]),
    st.just(b": ") | st.sampled_from([b":", b":\t ", b" :", b""]),
    st.sampled_from(
        [b"", b"1", b"5", b"+5", b"0x5", b"5, 5", b"99999999999999999999", b"chunked", b"Chunked", b"gzip", b"close",
         b"keep-alive, x", b"a=1; b=2", b"a.test", b"b.test:80", b"\xc3\xa9", b"x\x00", b"x\x7f", b"x\ry",
         b"x\ny", b"x \t"]
    ),
    st.just(b"") | st.sampled_from([b" ", b"\t", b"  ", b" \t", b"\t ", b"\x0b"]),
).map(b"".join)  # fmt: skip
_TARGETS = st.sampled_from(
    [b"/", b"/a?b", b"*", b"http://a.test/x", b"/a#b", b"/%zz", b"/\xe9", b"/a b", b"//x", b"/\\"]
)
_METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"get", b"PROPFIND", b"TRACE", b"M-SEARCH", b"XYZ"])
_VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 "])
_STATUS_LINES = st.tuples(
    st.sampled_from([b"HTTP/1.1 ", b"HTTP/1.0 ", b"HTTP/1.2 ", b"HTTP/1.1  ", b"RTSP/1.0 "]),
    st.sampled_from(
        [b"200 OK", b"200", b"200 ", b"99 X", b"600 X", b"204 \xe9", b"304 a\tb", b"200 O\x00K", b"2000 OK"]
    ),
).map(b"".join)
# A name that is dropped from a request, and so changes nothing but who reads the head: llhttp, not the memory of lines.
_NOT_PLAIN = b"Not_Plain: 1"


def _meaning_of_request(data: bytes) -> tuple[object, ...]:
    try:
        head = read_request_head(data)
    except RefusedHeadError as error:
        return (error.reason,)
    return tuple(
        getattr(head, name)
        for name in ("method", "target", "path", "query", "minor", "fields", "values", "host", "content_length",
                     "chunked", "connection", "keep_alive")
    )  # fmt: skip


def _meaning_of_answer(data: bytes) -> tuple[object, ...]:
    try:
        head = read_response_head(data)
    except ValueError:
        return ()
    fields = [field for field in head.fields if field[0] != b"not_plain"]
    return (head.status, head.minor, fields, head.content_length, head.chunked, head.connection, head.keep_alive)


@settings(max_examples=400)
@given(
    st.tuples(_METHODS, _TARGETS, _VERSIONS).map(b" ".join) | st.just(b"POST / HTTP/1.1"), st.lists(_LINES, max_size=3)
)
@example(b"POST / HTTP/1.1", [b"Transfer-Encoding: chunked \t"])
@example(b"POST / HTTP/1.1", [b"Transfer-Encoding: chunked\t "])
@example(b"POST / HTTP/1.1", [b"Content-Length: 5 \t", b"Connection: close \t", b"Upgrade: x\t"])
def test_a_request_means_the_same_whoever_reads_it(first: bytes, lines: list[bytes]) -> None:
    by_llhttp = _meaning_of_request(request(first, _NOT_PLAIN, *lines))
    # The second time the lines are known, the third time all of them together.
    for _ in range(3):
        assert _meaning_of_request(request(first, *lines)) == by_llhttp


@settings(max_examples=400)
@given(_STATUS_LINES | st.just(b"HTTP/1.1 200 OK"), st.lists(_LINES, max_size=3))
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 5", b"Content-Length: 5"])
def test_an_answer_means_the_same_whoever_reads_it(first: bytes, lines: list[bytes]) -> None:
    by_llhttp = _meaning_of_answer(response(first, _NOT_PLAIN, *lines))
    for _ in range(2):
        assert _meaning_of_answer(response(first, *lines)) == by_llhttp


@pytest.mark.parametrize("coding", [b"chunked\t", b"chunked \t", b"\tCHUNKED\t "])
@pytest.mark.parametrize("also", [b"X: 1", _NOT_PLAIN])
def test_a_coding_with_a_tab_behind_it_is_refused_whoever_reads_it(coding: bytes, also: bytes) -> None:
    """llhttp, and with it half of the web's servers, does not know such a coding: it is no `chunked` there."""
    assert refusal(request(b"POST / HTTP/1.1", also, b"Transfer-Encoding:" + coding)) is Failure.BAD_REQUEST
    with pytest.raises(ValueError, match="Transfer-Encoding"):
        read_response_head(response(b"HTTP/1.1 200 OK", also, b"Transfer-Encoding:" + coding))
    assert read_request_head(request(b"POST / HTTP/1.1", also, b"Transfer-Encoding: \tchunked  ")).chunked


_WORDS = st.sampled_from(
    [b"GET", b"POST", b" ", b"/", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b":", b"Host", b"a.test", b"chunked",
     b"Transfer-Encoding", b"Content-Length", b"5", b",", b"\t", b"Connection", b"close", b"upgrade", b"\x00", b"_"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=40).map(b"".join))
def test_no_arrangement_of_what_heads_are_made_of_has_two_framings(data: bytes) -> None:
    try:
        head = read_request_head(request(b"POST / HTTP/1.1", data))
    except RefusedHeadError:
        return
    assert not (head.chunked and head.content_length is not None)
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")


# Heads of answers that repeat


_DATED = st.sampled_from(
    [
        b"Date: Sun, 29 Nov 2026 02:45:00 GMT",
        b"date: Sun, 29 Nov 2026 02:45:01 GMT",
        b"Date:  today\t",
        b"Date:",
        b"DATE: x",
        b"Date: a\x00b",
        b"Date: ",
        b"Date: \xe9",
        b"X: y",
    ]
)
_COUNTED = st.sampled_from(
    [
        b"Content-Length: 5",
        b"content-length: 1024",
        b"Content-Length: 007",
        b"Content-Length: ",
        b"Content-Length: 0",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: 5, 5",
        b"Content-Length:  6 ",
        b"CONTENT-LENGTH: 7",
    ]
)
_REPEATED = st.sampled_from(
    [
        b"Server: nginx",
        b"Content-Type: text/html",
        b"Connection: keep-alive",
        b"Connection: close, date",
        b"Connection: Content-Length",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked",
        b"Set-Cookie: a=b",
        b"Location: /x",
        b'ETag: "x"',
        b"X-Empty:",
        b"X\xe9: y",
        b" folded",
        b"Keep-Alive: timeout=5",
    ]
)


@settings(max_examples=400)
@given(
    st.sampled_from(
        [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 204", b"RTSP/1.0 200 X"]
    ),
    st.lists(_DATED | _COUNTED | _REPEATED, max_size=6),
    st.lists(st.integers(0, 9), max_size=2),
)
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 5", b"Server: nginx", b"Date: then"], [3, 4])
@example(b"HTTP/1.1 200 OK", [b"Date:", b"Date: then"], [3, 4])
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 5", b"content-length: 6"], [5, 6])
def test_an_answer_means_the_same_when_its_like_was_seen_before(
    first: bytes, lines: list[bytes], seen: list[int]
) -> None:
    data = response(first, *lines)
    heads._RESPONSES.clear()
    before = _meaning_of_answer(data)
    for number in (*seen, 1, 2, 3):
        _meaning_of_answer(
            response(first, *(line.replace(b"5", b"%d" % number).replace(b"then", b"%d" % number) for line in lines))
        )
    for _ in range(3):
        assert _meaning_of_answer(data) == before


def test_an_answer_that_repeats_but_for_its_date_and_length_is_taken_apart_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads._RESPONSES.clear()

    def like(number: int) -> bytes:
        lines = (b"Server: x", b"Date: %d" % number, b"Content-Length: %d" % number, b"Content-Type: text/html")
        return response(b"HTTP/1.1 200 OK", *lines)

    first, second, third = (read_response_head(like(number)) for number in (1, 2, 3))
    assert first.block is None, "what comes once is not worth the memory"
    assert second.block is third.block is not None

    def read(_: bytes) -> None:
        raise AssertionError("taken apart once more")

    monkeypatch.setattr(heads, "_read_new_response_head", read)
    fourth = read_response_head(like(4))
    assert (fourth.content_length, fourth.fields[1]) == (4, (b"date", b"Date", b"4"))


def test_what_is_remembered_of_answers_has_an_end() -> None:
    for number in range(3 * heads._MOST_BLOCKS):
        read_response_head(response(b"HTTP/1.1 200 OK", b"ETag: %d" % number))
        read_response_head(response(b"HTTP/1.1 200 OK", b"X: %b" % (b"x" * heads._LONGEST_BLOCK), b"ETag: %d" % number))
    assert len(heads._RESPONSES) <= heads._MOST_BLOCKS
    assert all(len(rest) <= heads._LONGEST_BLOCK for rest in heads._RESPONSES)
