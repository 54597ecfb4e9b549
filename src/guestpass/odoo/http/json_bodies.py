"""Read a JSON-RPC body so strictly that no other reader can understand something else (RFC 8259, section 4).

How much a body would become is counted before anything is made of it: five bytes are enough for two lists, and one call
may have 32 MiB.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any, Final

DEPTH: Final = 64
"""How deep objects and arrays may lie in each other."""
MOST_VALUES: Final = 250_000
"""Names and values in a call at most. An import of 2,000 lines with 50 columns has 100,000; they take 0.1 s."""
FEW_VALUES: Final = 4000
"""So many are read in a millisecond or two; a page of Odoo's sends some hundred, with a view's fields in it."""
SHORT: Final = 32 * 1024
"""Bytes of a body that is read at once, where it has few values."""

RequestId = int | str | None
"""The id of a JSON-RPC call."""

_NOT_ONE_OBJECT: Final = "The body of a call must be one JSON object in UTF-8 whose names occur once."
_DIGITS: Final = 400
_BLANKS: Final = " \t\r\n"
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_NOT_OPENING: Final = bytes(byte for byte in range(256) if byte not in b"[{")
_NOT_MARKS: Final = bytes(byte for byte in range(256) if byte not in b",:[{")
_DIGITS_TO_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
# With its sign a number of so many digits is too long.
_LONG_NUMBER: Final = _DIGITS * b"0"
_STRIDE: Final = 100
_STEPS: Final = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]


def read_call(body: bytes, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """The one JSON object that the body is; raises ValueError with a sentence for whoever sent it.

    Names that occur twice are refused, since readers disagree on which counts; so are bytes that are no UTF-8, which
    Odoo would replace, and what is no JSON at all, such as NaN.
    """
    call = parse_call(body, most_values)
    check_names(call, body)
    return call


def parse_call(body: bytes, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """As `read_call`, but of names that occur twice the last counts until `check_names` was asked."""
    check_extent(body, most_values)
    # A call in Python for each number costs a fifth of the whole, and hardly any body has a long one.
    decoder = _CAREFUL if _has_long_number(body) else _DECODER
    try:
        text = body.decode().strip(_BLANKS)
        call, end = decoder.raw_decode(text)
    except ValueError:
        raise ValueError(_NOT_ONE_OBJECT) from None
    if end != len(text):
        raise ValueError(_NOT_ONE_OBJECT)
    if not isinstance(call, dict):
        raise ValueError("The body of a call must be one JSON object: several at once are not accepted.")  # noqa: TRY004
    return call


def check_names(call: dict[str, Any], body: bytes) -> None:
    """Raise ValueError where a name occurs twice in an object of the body, of which `call` was parsed.

    Behind each name stands a colon, and of two names that are the same the parser keeps one.
    """
    names = 0
    values: list[object] = [call]
    for each in values:  # Those within are put behind it.
        if each:
            if type(each) is dict:
                names += len(each)
                values += each.values()
            elif type(each) is list:
                values += each
    # Few texts have a colon in them.
    if names != body.count(b":") and names != _outside_strings(_without_escapes(body)).count(b":"):
        raise ValueError(_NOT_ONE_OBJECT)


def read_little(body: bytes, most_values: int = FEW_VALUES) -> object:
    """What the body says, by JSON's own rules alone; None where it is no JSON in UTF-8, or more than a little."""
    try:
        check_extent(body, most_values)
        found: object = json.loads(body.decode())
    except ValueError:
        return None
    return found


def is_little(body: bytes) -> bool:
    """Whether reading the body takes no longer than others can wait."""
    return len(body) <= SHORT and (len(body) <= FEW_VALUES or _marks(body) <= FEW_VALUES)


def may_have_escapes(body: bytes) -> bool:
    """Whether letters of a text in the body may be escapes: JSON's, or those of Python in a text that is a literal."""
    return b"\\" in body and (b"\\u" in body or b"\\x" in body)


def check_extent(body: bytes, most_values: int) -> None:
    """Raise ValueError, with a sentence, where more names and values or deeper nesting would be made of the body.

    For a body that is no JSON that is said of as much as a reader takes in before it notices.
    """
    is_small = len(body) <= most_values or _marks(body) <= most_values
    if is_small and len(body.translate(None, _NOT_OPENING)) <= DEPTH:
        return
    # Inside of strings nothing counts, and each string is a name or a value.
    plain = _without_escapes(body)
    if plain.count(b'"') <= 2 * most_values + 1:
        outside = _outside_strings(plain)
        if _marks(outside) <= most_values:
            if max(accumulate(map(_STEPS.__getitem__, outside.translate(None, _NOT_BRACKETS))), default=0) > DEPTH:
                raise ValueError(f"The body of a call must not nest deeper than {DEPTH} levels.")
            return
    raise ValueError(f"The body of a call must have at most {most_values} names and values.")


def _without_escapes(body: bytes) -> bytes:
    return body.replace(b"\\\\", b"").replace(b'\\"', b"")


def _outside_strings(plain: bytes) -> bytes:
    """What is not in strings, which without escapes lie between every other two quotes."""
    return b"".join(plain.split(b'"')[::2])


def _marks(text: bytes) -> int:
    """How many names and values it can have at most: before each but the first stands one of these."""
    return len(text.translate(None, _NOT_MARKS))


def _has_long_number(body: bytes) -> bool:
    # Of so many digits in a row, several are among every hundredth byte.
    some = body[::_STRIDE].translate(_DIGITS_TO_ZEROS)
    return some.find(_DIGITS // _STRIDE * b"0") >= 0 and _LONG_NUMBER in body.translate(_DIGITS_TO_ZEROS)


def _number(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("a number is too long")
    return int(digits)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


# Made once: to make one takes as long as to read a short body.
_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
_CAREFUL: Final = json.JSONDecoder(parse_constant=_no_constant, parse_int=_number)
