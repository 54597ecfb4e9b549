"""What Odoo's web client is told where a document can't be had: its download script freezes over a page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from guestpass.domain.reasons import Reason
from guestpass.odoo.http.jsonrpc_errors import failed_download, is_download


class Text(HTMLParser):
    """The text of a document's body, as a browser has it."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.text = ""
        self.elements = 0
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs
        self.elements += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def error_in(document: bytes) -> dict[str, Any]:
    """As `download.js` reads it: the text of the first element, or of the body where it has none."""
    body = Text(document.decode())
    assert body.elements == 0
    read: dict[str, Any] = json.loads(body.text)
    return read


@pytest.mark.parametrize("reason", [Reason.VIEW_ONLY, Reason.LINK_EXPIRED, Reason.MAINTENANCE])
def test_a_download_that_is_refused_is_told_as_odoo_tells_an_error(reason: Reason) -> None:
    told = failed_download(reason, message='<b>Back</b> at "noon" & later')
    assert told is not None
    # 502 would be a lost connection, and a 200 without a page a file.
    assert told.status == 403
    assert dict(told.fields)["Content-Type"] == "text/html; charset=utf-8"
    error = error_in(told.body)
    assert error["code"] == 200
    assert error["message"] == "Odoo Server Error"
    assert error["data"]["name"] == "odoo.exceptions.UserError"
    assert error["data"]["message"]
    if reason is Reason.MAINTENANCE:
        assert '<b>Back</b> at "noon" & later' in error["data"]["message"]


def test_a_reason_without_words_is_told_by_http() -> None:
    assert failed_download(Reason.NOT_FOUND) is None


@pytest.mark.parametrize(
    ("method", "path", "is_one"),
    [
        (b"POST", b"/report/download", True),
        (b"POST", b"/web/export/xlsx", True),
        (b"POST", b"/web/export/csv", True),
        (b"POST", b"/web/pivot/export_xlsx", True),
        (b"POST", b"/spreadsheet/xlsx", True),
        (b"GET", b"/report/download", False),
        (b"POST", b"/web/export/formats", False),
        (b"POST", b"/mail/attachment/upload", False),
    ],
)
def test_what_the_clients_download_script_asks_for(method: bytes, path: bytes, is_one: bool) -> None:
    assert is_download(method, path) is is_one
