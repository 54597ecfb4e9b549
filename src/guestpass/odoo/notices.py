"""Tell Odoo's web client of endings in its own language."""

from __future__ import annotations

from guestpass.app.notices import Notice, NoticeRenderer, RenderedNotice
from guestpass.odoo.http.jsonrpc_errors import ending, failed_download, is_call, is_download
from guestpass.wire.heads import RequestHead


class OdooNotices:
    """Renders notices as JSON-RPC errors, and leaves to `inner` what Odoo's web client would not understand."""

    def __init__(self, inner: NoticeRenderer) -> None:
        self._inner = inner

    def render(self, notice: Notice) -> RenderedNotice:
        """The answer for a notice to a JSON-RPC call."""
        error = ending(notice.reason, message=notice.detail, languages=notice.languages)
        return error or self._inner.render(notice)


class DownloadNotices:
    """Renders notices for the client's downloads, which understand no page."""

    def __init__(self, inner: NoticeRenderer) -> None:
        self._inner = inner

    def render(self, notice: Notice) -> RenderedNotice:
        """The answer for a notice to a download."""
        failed = failed_download(notice.reason, message=notice.detail, languages=notice.languages)
        return failed or self._inner.render(notice)


def downloads(head: RequestHead) -> bool:
    """Whether a script of Odoo's web client asks for a document (Fetch Metadata, W3C)."""
    return is_download(head.method, head.path) and head.values.get(b"sec-fetch-mode") != b"navigate"


def calls_odoo(head: RequestHead) -> bool:
    """Whether the request is a JSON-RPC call of Odoo's web client."""
    return is_call(head.method, head.path, head.values.get(b"content-type", b""))
