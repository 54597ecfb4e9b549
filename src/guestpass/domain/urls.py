"""URLs taken apart the same by every Python that is supported: what the library does has changed."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_IN_BRACKETS: Final = re.compile(r"\[([^\[\]]*)\](?::.*)?", re.DOTALL)


def split_url(text: str) -> SplitResult:
    """The parts of a URL; raises ValueError unless what is in brackets is an IPv6 address (RFC 3986, section 3.2.2).

    3.11.7 and 3.12.1 overlook what stands around the brackets, so that ``http://odoo[::1]`` was one for ``::1``.
    """
    parts = urlsplit(text)
    authority = parts.netloc.rpartition("@")[2]
    if "[" in authority or "]" in authority:
        match = _IN_BRACKETS.fullmatch(authority)
        if match is None:
            raise ValueError("Invalid IPv6 URL")
        IPv6Address(match[1])
    return parts
