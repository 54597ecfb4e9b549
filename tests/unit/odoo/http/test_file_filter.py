"""A response that leaves its body to a web server."""

from __future__ import annotations

import pytest
from tests.unit.gateway.exchanges import ask, deliver, odoo, status_of


async def test_a_file_that_only_odoos_own_web_server_has_is_502(monkeypatch: pytest.MonkeyPatch) -> None:
    async with odoo(monkeypatch) as book:
        upstream = await ask(book)
        said = await deliver(
            book, upstream, b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /web/filestore/x\r\nContent-Length: 0\r\n\r\n"
        )
        assert status_of(said) == 502
        assert b'"code": "accelerated_file"' in said
        assert upstream.aborted
