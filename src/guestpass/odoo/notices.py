"""Tell Odoo's web client of endings in its own language."""

from __future__ import annotations

from guestpass.app.notices import Notice, NoticeRenderer, RenderedNotice
from guestpass.odoo.http.jsonrpc_errors import ending, is_call
from guestpass.wire.heads import RequestHead


class OdooNotices:
    """Renders notices as JSON-RPC errors, and leaves to `inner` what Odoo's web client would not understand."""

    def __init__(self, inner: NoticeRenderer) -> None:
        self._inner = inner

    def render(self, notice: Notice) -> RenderedNotice:
        """The answer for a notice to a JSON-RPC call."""
        error = ending(notice.reason, message=notice.detail, languages=notice.languages)
        return error or self._inner.render(notice)


def calls_odoo(head: RequestHead) -> bool:
    """Whether the request is a JSON-RPC call of Odoo's web client."""
    return is_call(head.method, head.path, head.values.get(b"content-type", b""))
