"""Requests for unit tests, read from bytes as the gateway reads them."""

from __future__ import annotations

from guestpass.wire.heads import RequestHead, read_request_head

BROWSER = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none")
"""What a browser adds to a navigation that the address bar started."""


def request(line: str, *fields: str, host: str = "share.example.com") -> RequestHead:
    """The head of a request such as ``request("GET /", "Accept: */*")``."""
    text = "".join(f"{field}\r\n" for field in (f"{line} HTTP/1.1", f"Host: {host}", *fields))
    return read_request_head(f"{text}\r\n".encode("latin-1"))
