from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import ShareLink, ShareType
from guestpass.odoo.view_only.documents import is_allowed_document

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def link(*, reports: bool = False, exports: bool = False) -> ShareLink:
    return ShareLink(
        id="k7nq2w5d3mzr4xta",
        environment=EnvironmentKey("org", "staging"),
        share_type=ShareType.TOKEN,
        label=None,
        password_hash=None,
        version=1,
        created_at=NOW,
        created_by="olga",
        expires_at=NOW + timedelta(days=1),
        allow_reports=reports,
        allow_exports=exports,
    )


REPORTS = [
    (b"POST", b"/report/download"),
    (b"GET", b"/report/pdf/sale.report_saleorder/12"),
    (b"GET", b"/report/html/sale.report_saleorder/12,13"),
    (b"HEAD", b"/report/pdf/account.report_invoice_with_payments/7"),
]
EXPORTS = [
    (b"POST", b"/web/export/xlsx"),
    (b"POST", b"/web/export/%63sv"),
    (b"POST", b"/web/export/get_fields"),
    (b"POST", b"/web/export/namelist"),
    (b"POST", b"/web/pivot/export_xlsx"),
    (b"POST", b"/spreadsheet/xlsx"),
]
NEITHER = [
    (b"GET", b"/report/download"),
    (b"POST", b"/report/pdf/sale.report_saleorder/12"),
    (b"GET", b"/report/pdf/sale.report_saleorder/12/x"),
    (b"GET", b"/report/pdf/../12"),
    (b"GET", b"/report/barcode_x/12"),
    (b"GET", b"/web/export/xlsx"),
    (b"POST", b"/web/export/xlsx/"),
    (b"POST", b"/en/web/export/xlsx"),
    (b"POST", b"/web/export"),
    (b"PUT", b"/report/download"),
    (b"POST", b"/web/dataset/call_kw"),
]


@pytest.mark.parametrize(("method", "path"), [*REPORTS, *EXPORTS, *NEITHER])
def test_each_document_needs_its_own_permission(method: bytes, path: bytes) -> None:
    way = (method, path)
    assert not is_allowed_document(link(), method, path)
    assert is_allowed_document(link(reports=True), method, path) is (way in REPORTS)
    assert is_allowed_document(link(exports=True), method, path) is (way in EXPORTS)
