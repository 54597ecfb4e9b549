from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guestpass.odoo.http import json_bodies
from guestpass.odoo.http.json_bodies import (
    DEPTH,
    FEW_VALUES,
    MOST_VALUES,
    SHORT,
    check_extent,
    is_little,
    parse_call,
    read_call,
    read_little,
)


def nested(levels: int, open: str = "[", close: str = "]") -> bytes:
    """An object in which so many levels lie in each other, itself among them."""
    return b'{"a":' + (open * (levels - 1) + "1" + close * (levels - 1)).encode() + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b' {"id": 1, "params": {"args": [[], {"x": null}], "kwargs": {"a": {"id": 1}, "b": {"id": 2}}}}\n',
        '{"name": "Møller \\u00e9 \U0001f600"}'.encode(),
        b'{"x": 12345678901234567890, "y": -1.5e3, "z": true}',
        nested(DEPTH),
        nested(DEPTH, '{"a":', "}"),
    ],
)
def test_one_object_is_read_as_any_reader_reads_it(body: bytes) -> None:
    assert read_call(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b'"{}"',
        b"[]",
        b'[{"id": 1}]',
        b"{}{}",
        b"{} x",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"method": 1, "meth\\u006fd": 2}',
        b'[1, {"a": 1, "a": 1}]',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 401 + b"}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": 1}'.encode("utf-32"),
        b'{"a": "\n"}',
        b'{"a": /* */ 1}',
        nested(DEPTH + 1),
        nested(DEPTH + 1, '{"a":', "}"),
        nested(200_000),
        b"{" * 200_000,
    ],
)
def test_what_readers_may_disagree_about_is_refused_in_a_sentence(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^The body of a call must .*\.$"):
        read_call(body)


@pytest.mark.parametrize("place", [*range(0, 120, 7), 1000, 5000])
def test_a_number_that_is_too_long_is_refused_wherever_it_stands(place: int) -> None:
    for number, fits in ((b"9" * 400, True), (b"9" * 401, False), (b"-" + b"1" * 400, False)):
        body = b'{"a":"' + b"x" * place + b'","b":' + number + b',"c":"' + b"x" * (1000 - place % 1000) + b'"}'
        if fits:
            assert read_call(body)["b"] == int(number)
        else:
            with pytest.raises(ValueError, match="JSON"):
                read_call(body)


# How much a body would become


def array(of: str, count: int) -> bytes:
    return b'{"a":[' + ",".join([of] * count).encode() + b"]}"


@pytest.mark.parametrize(
    "body",
    [
        array("[[]]", 200_000),
        array("{}", MOST_VALUES),
        array("0", MOST_VALUES),
        array('""', MOST_VALUES),
        array('{"a":0}', MOST_VALUES // 2),
        b'{"a":' * MOST_VALUES,
        b"[" * (MOST_VALUES + 1),
        b'{"a":' + b"[" * 100_000 + b'"[]"' + b"]" * 100_000 + b"}",
    ],
)
def test_what_would_become_too_much_is_refused_before_anything_is_made_of_it(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    class Decoder:
        def raw_decode(self, text: str) -> None:
            made.append(text)

    for decoder in ("_DECODER", "_CAREFUL"):
        monkeypatch.setattr(json_bodies, decoder, Decoder())
    refusal = r"^The body of a call must (have at most|not nest deeper than) [0-9]+ .*\.$"
    with pytest.raises(ValueError, match=refusal):
        read_call(body)
    with pytest.raises(ValueError, match=refusal):
        parse_call(body)
    assert not made


def test_the_sentence_names_the_limit() -> None:
    with pytest.raises(ValueError, match=f"^The body of a call must have at most {MOST_VALUES} names and values\\.$"):
        read_call(array("0", MOST_VALUES))
    with pytest.raises(ValueError, match=f"^The body of a call must not nest deeper than {DEPTH} levels\\.$"):
        read_call(nested(DEPTH + 1))


def test_what_stands_in_strings_counts_for_nothing() -> None:
    """A spreadsheet or a page goes to Odoo as one string."""
    text = '[{"a": "\\\\", "b": [1, 2]}, ' * 20_000
    body = json.dumps({"params": {"args": [text, '\\"' * 1000 + "[" * 1000]}}).encode()
    assert read_call(body, FEW_VALUES)["params"]["args"][0] == text


def test_an_import_of_thousands_of_lines_is_a_call() -> None:
    lines = [[f"line {line}", "1.5", "true"] * 16 for line in range(2000)]
    assert read_call(json.dumps({"params": {"args": [["a"] * 48, lines]}}).encode())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.text(alphabet='"\\[]{},:', max_size=8),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=3), each, max_size=4),
    max_leaves=20,
)  # fmt: skip


def extent(value: object) -> tuple[int, int]:
    """The numbers of names and values, and of levels, of a decoded value."""
    if not isinstance(value, dict | list):
        return 1, 0
    inner = [extent(each) for each in (value.values() if isinstance(value, dict) else value)]
    names = len(value) if isinstance(value, dict) else 0
    return 1 + names + sum(count for count, _ in inner), 1 + max((depth for _, depth in inner), default=0)


@given(_JSON, st.booleans())
@example(["\\", "]", '\\"'], False)
def test_everything_that_a_body_would_become_is_counted(value: object, escaped: bool) -> None:
    values, depth = extent(value)
    body = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    check_extent(body, 2 * values)
    if values > 3:
        with pytest.raises(ValueError, match="names and values"):
            check_extent(body, values // 2 - 1)
    levels = "[" * (DEPTH - depth) + body.decode("utf-8", "surrogatepass") + "]" * (DEPTH - depth)
    check_extent(levels.encode("utf-8", "surrogatepass"), 1000)
    if depth:
        with pytest.raises(ValueError, match="deeper"):
            check_extent(b"[" + levels.encode("utf-8", "surrogatepass") + b"]", 1000)


def test_little_is_what_is_short_and_has_few_values() -> None:
    assert is_little(b"{}")
    assert is_little(array("0", FEW_VALUES // 2))
    assert not is_little(array("[[]]", SHORT // 8))
    assert not is_little(b'{"a": "' + b"x" * SHORT + b'"}')


def test_of_what_environments_say_as_much_is_read_as_others_can_wait_for() -> None:
    assert read_little(b'[{"id": 1}]') == [{"id": 1}]
    assert read_little(b'{"a": "' + b"x" * 1_000_000 + b'"}') == {"a": "x" * 1_000_000}
    for too_much in (array("[[]]", FEW_VALUES), nested(DEPTH + 1), b"{", b"\xff", '{"a": "\\\\"}'.encode("utf-16")):
        assert read_little(too_much) is None


# The letter of the rules, without a thought for time


def _read(body: bytes) -> object:
    """What one reader makes of a body that must be read in one way alone; raises ValueError."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError
        return dict(pairs)

    def number(digits: str) -> int:
        if len(digits) > 400:
            raise ValueError
        return int(digits)

    def constant(_: str) -> None:
        raise ValueError

    found: object = json.loads(body.decode(), object_pairs_hook=unique, parse_int=number, parse_constant=constant)
    if not isinstance(found, dict):
        raise ValueError  # noqa: TRY004 - as what it is compared with
    return found


_TEXTS = st.sampled_from(["a", "b", "é", "0" * 500, "[{", '"', "\\", "\n", "1,2:3"])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | _TEXTS
    | st.sampled_from([10**399, 10**400, -(10**398), -(10**399)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(_TEXTS, _VALUES, max_size=3).map(json.dumps),
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["", " ", '"a":1,', "}", "9" * 401, "1.", "-", "\t"])), max_size=2
    ),
)
def test_a_body_is_read_as_by_the_letter(text: str, changes: list[tuple[int, str]]) -> None:
    for place, more in changes:
        text = text[:place] + more + text[place:]
    try:
        expected: object = _read(text.encode())
    except ValueError:
        expected = None
    try:
        found: object = read_call(text.encode())
    except ValueError:
        found = None
    assert found == expected


# Texts of which some are the same in other spellings, and some look like what stands between names and values.
_SPELT = st.sampled_from(
    [
        '""',
        '"a"',
        '"\\u0061"',
        '"b"',
        '":"',
        '"\\u003a"',
        '"\\":"',
        '"\\\\"',
        '"\\\\\\":"',
        '"a:"',
        '"{}"',
        '"\\"a\\":1"',
    ]
)
_COLONS = st.sampled_from([":", " :", ": ", "\t:\n"])


def _object(pairs: list[tuple[str, str, str]]) -> str:
    return "{" + ",".join(name + colon + value for name, colon, value in pairs) + "}"


_SPELT_VALUES: st.SearchStrategy[str] = st.recursive(
    _SPELT | st.sampled_from(["1", "-0.0", "1e400", "null", "true", "{}", "[]", "0" + "1" * 400]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda found: "[" + ",".join(found) + "]")
        | st.lists(st.tuples(_SPELT, _COLONS, inner), max_size=3).map(_object)
    ),
    max_leaves=8,
)


@settings(max_examples=1000)
@given(st.lists(st.tuples(_SPELT, _COLONS, _SPELT_VALUES), max_size=3).map(_object))
@example('{"a":":","a":""}')
@example('{"a" :1,"a":2}')
@example('{"x":{"b":1,"b":"\\\\"},"y":":"}')
def test_names_that_occur_twice_are_found_at_any_depth_and_in_any_spelling(text: str) -> None:
    try:
        expected: object = _read(text.encode())
    except ValueError:
        expected = None
    try:
        found: object = read_call(text.encode())
    except ValueError:
        found = None
    assert found == expected


@pytest.mark.parametrize(
    ("number", "is_read"),
    [(10**399, True), (10**400, False), (-(10**398), True), (-(10**399), False)],
    ids=["400 digits", "401 digits", "minus and 399 digits", "minus and 400 digits"],
)
def test_a_number_has_at_most_four_hundred_characters(number: int, *, is_read: bool) -> None:
    body = json.dumps({"a": number}).encode()
    if is_read:
        assert read_call(body) == {"a": number}
        return
    with pytest.raises(ValueError, match="one JSON object"):
        read_call(body)
