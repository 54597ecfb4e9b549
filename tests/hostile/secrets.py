"""Find a secret in a text, in whatever form it may have got there."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

_SHORTEST = 8


def forms_of(secret: str) -> Iterator[tuple[str, str]]:
    """How a secret may look: as it is, percent-encoded, in Base64 (wherever it begins), and as programs quote it."""
    raw = secret.encode()
    yield "plain", secret
    yield "percent-encoded", quote(secret, safe="")
    yield "percent-encoded in lower case", quote(secret, safe="").lower()
    yield "percent-encoded as a path", quote(secret)
    yield "of a form", quote_plus(secret)
    yield "of HTML", html.escape(secret)
    yield "of JSON", json.dumps(secret)[1:-1]
    yield "of Python", repr(raw)[2:-1]
    yield "read as Latin-1", raw.decode("latin-1")
    yield "hexadecimal", raw.hex()
    for offset in range(3):
        # The characters at both ends hold bits of what stands beside it.
        middle = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")[offset and offset + 1 : -1]
        yield f"Base64 at {offset}", middle
        yield f"Base64 of URLs at {offset}", middle.translate(str.maketrans("+/", "-_"))


def leaks(text: str, secrets: Iterable[tuple[str, str]]) -> list[str]:
    """Which of the named secrets a text holds, and in which form."""
    found = []
    for name, secret in secrets:
        assert len(secret) >= _SHORTEST, f"{name} is so short that it may stand anywhere"
        for form, value in forms_of(secret):
            if value in text:
                at = text.index(value)
                found.append(f"{name}, {form}: …{text[max(0, at - 80) : at + len(value) + 20]}…")
                break
    return found
