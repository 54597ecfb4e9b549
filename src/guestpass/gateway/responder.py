"""Answer clients ourselves: with a notice that the web face renders, or a redirect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from guestpass.app.link_cache import LinkCache, LinkEntry
from guestpass.app.notices import Notice, NoticeRenderer
from guestpass.app.visits import VisitLog
from guestpass.domain.reasons import Reason, ended_at
from guestpass.gateway.context import ClientRequest, Reply
from guestpass.gateway.decisions import wants_page
from guestpass.gateway.fault_log import FaultLog
from guestpass.gateway.peers import TrustedProxies
from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.heads import RequestHead

# Whoever comes from our password page brings its address, with the token, as the referrer. It ends here, since scripts
# at the other end could read it. (On a page no-referrer would hide the Origin of its form; a redirect has none.)
_REDIRECT_FIELDS: Final = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))


class Responder:
    """Answers in the name of all listeners of a worker."""

    def __init__(
        self,
        notices: NoticeRenderer,
        link_cache: LinkCache,
        visits: VisitLog,
        proxies: TrustedProxies,
        fault_log: FaultLog,
        time: Callable[[], float],
    ) -> None:
        self.notices = notices
        self._link_cache = link_cache
        self._visits = visits
        self._proxies = proxies
        self._fault_log = fault_log
        self._time = time

    def reply(self, request: ClientRequest, notices: NoticeRenderer, reply: Reply) -> None:
        """Answer with a notice that `notices` renders."""
        head, link, reason = request.facts.head, reply.link, reply.reason
        request_id = reply.request_id or self._fault_log.next_request_id()
        if link is not None and reply.turns_away:
            self._turned_away(request, link, reason, request_id)
        notice = Notice(
            reason=reason,
            page=wants_page(head),
            request_id=request_id,
            ended_at=ended_at(link.link, reason) if link is not None else None,
            branding=self._link_cache.branding(link) if link is not None else None,
            token=reply.token,
            query=reply.query,
            detail=reply.detail,
            languages=head.languages,
            repeatable=head.method == b"GET",
            retry_after=reply.retry_after,
        )
        rendered = notices.render(notice)
        request.client.answer(
            rendered.status, rendered.fields, rendered.body, extra=reply.extra, close=reply.close, read=reply.read
        )

    def refuse_head(
        self,
        client: ClientConnection,
        head: RequestHead | None,
        reason: Reason,
        detail: str,
        *,
        request_id: str | None = None,
    ) -> None:
        """Refuse a request whose head can't be understood, or not served, and end the connection behind it."""
        notice = Notice(
            reason=reason,
            page=head is not None and wants_page(head),
            request_id=request_id or self._fault_log.next_request_id(),
            detail=detail,
            languages=head.languages if head is not None else "",
            repeatable=head is not None and head.method == b"GET",
        )
        rendered = self.notices.render(notice)
        client.answer(rendered.status, rendered.fields, rendered.body, close=True)

    def redirect(self, client: ClientConnection, status: int, location: str, lines: Iterable[bytes]) -> None:
        """Answer with a redirect and further field lines."""
        client.answer(status, (("Location", location), *_REDIRECT_FIELDS), extra=lines)

    def _turned_away(self, request: ClientRequest, link: LinkEntry, reason: Reason, request_id: str) -> None:
        """Note for the link's owner that a person did not get in; the page that says so names the same request."""
        head = request.facts.head
        self._visits.refused(
            link.link.id,
            self._time(),
            reason.value,
            self._proxies.client_address(request.client.peer, head),
            request_id=request_id,
            user_agent=head.values.get(b"user-agent", b"").decode("latin-1"),
        )
