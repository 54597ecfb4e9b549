"""Read the fields of a form strictly: what readers could understand differently is no form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl

_UNCLEAR: Final = "This form is not written as browsers write one."
_MOST_FIELDS: Final = 200
_BOUNDARY = re.compile(rb' ?boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?', re.IGNORECASE)
_DISPOSITION = re.compile(
    rb'content-disposition: form-data; name="([^"\\\r\n]*)"(; filename="[^"\\\r\n]*")?', re.IGNORECASE
)


def read_form(content_type: bytes, body: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a form, files as empty values; raises ValueError with a sentence for people."""
    kind, _, parameters = content_type.partition(b";")
    kind = kind.strip().lower()
    if kind == b"application/x-www-form-urlencoded":
        return read_pairs(body)
    if kind == b"multipart/form-data":
        return list(_parts(parameters, body))
    if body:
        raise ValueError(_UNCLEAR)
    return []


def read_pairs(text: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query or of a body that is written as one; raises ValueError as `read_form`."""
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise ValueError(_UNCLEAR) from None


def _parts(parameters: bytes, body: bytes) -> Iterator[tuple[str, str]]:
    """The parts of a multipart form (RFC 7578), as browsers write them."""
    found = _BOUNDARY.fullmatch(parameters)
    if found is None:
        raise ValueError(_UNCLEAR)
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + found[1])
    if first or not parts or parts[-1] not in (b"--", b"--\r\n") or len(parts) > _MOST_FIELDS:
        raise ValueError(_UNCLEAR)
    if body.count(b"--" + found[1]) != len(parts):
        raise ValueError(_UNCLEAR)  # Some readers end a part at other line breaks.
    for part in parts[:-1]:
        head, blank, value = part.partition(b"\r\n\r\n")
        fields = [line for line in head.split(b"\r\n") if line]
        named = _DISPOSITION.fullmatch(fields[0]) if fields else None
        if not blank or not part.startswith(b"\r\n") or named is None:
            raise ValueError(_UNCLEAR)
        if len(fields) > 1 and named[2] is None:
            raise ValueError(_UNCLEAR)  # A field of a form has no other header than its name.
        try:
            yield named[1].decode(), value.decode() if named[2] is None else ""
        except UnicodeDecodeError:
            raise ValueError(_UNCLEAR) from None
