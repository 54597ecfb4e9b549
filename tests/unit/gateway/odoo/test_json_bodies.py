from __future__ import annotations

import json

import pytest

from guestpass.gateway.odoo.json_bodies import DEPTH, read_call


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
