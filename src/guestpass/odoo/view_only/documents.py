"""Reports and exports, which a view-only link gives where its owner has allowed them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from guestpass.domain.link import ShareLink

_REPORT = re.compile(rb"/report/(?:pdf|html|text)/[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*(?:/[0-9,]+)?")
_REPORT_DOWNLOAD: Final = b"/report/download"
_EXPORTS: Final = frozenset(
    {
        b"/spreadsheet/xlsx",
        b"/web/export/csv",
        b"/web/export/formats",
        b"/web/export/get_fields",
        b"/web/export/namelist",
        b"/web/export/xlsx",
        b"/web/pivot/export_xlsx",
    }
)


def is_allowed_document(link: ShareLink, method: bytes, path: bytes) -> bool:
    """Whether the request makes a document, or asks what it may hold, that the link's owner has allowed."""
    if not (link.allow_reports or link.allow_exports):
        return False
    plain = unquote_to_bytes(path) if b"%" in path else path
    if method == b"POST":
        return (link.allow_exports and plain in _EXPORTS) or (link.allow_reports and plain == _REPORT_DOWNLOAD)
    return link.allow_reports and method in (b"GET", b"HEAD") and _REPORT.fullmatch(plain) is not None
