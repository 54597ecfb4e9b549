"""Tell Odoo's web client of endings in its own language."""

from __future__ import annotations

from typing import Final

from guestpass.app.notices import Notice, NoticeRenderer, RenderedNotice
from guestpass.domain.reasons import Reason
from guestpass.odoo.http.jsonrpc_errors import ending, failed_download, is_call, is_download
from guestpass.wire.heads import RequestHead

_WORKER: Final = b"/web/service-worker.js"
# A worker that does nothing and goes. Without one the client writes two errors to the console of each page. It must
# not be Odoo's own, which would outlive its link, and where one stays the client subscribes to push messages.
_NO_WORKER: Final = RenderedNotice(
    200,
    (
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Service-Worker-Allowed", "/"),
        ("X-Content-Type-Options", "nosniff"),
    ),
    b"""addEventListener("activate", (event) => event.waitUntil(registration.unregister()));\n""",
)


class OdooNotices:
    """Renders notices so that Odoo's web client understands them, and leaves to `inner` what it does anyway."""

    def __init__(self, inner: NoticeRenderer) -> None:
        self._inner = inner

    def render(self, notice: Notice) -> RenderedNotice:
        """The answer for a notice to a JSON-RPC call, or to the browser that fetches the client's service worker."""
        if notice.reason is Reason.SERVICE_WORKER:
            return _NO_WORKER
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


def fetches_worker(head: RequestHead) -> bool:
    """Whether a browser fetches the service worker of Odoo's web client."""
    return head.method == b"GET" and head.path == _WORKER and b"service-worker" in head.values
