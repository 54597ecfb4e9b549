"""A client's request while it is handled.

Between the decision and the act a link can end, rotate or let in fewer. So whatever waits stands among what is open
through the link, and after each wait the whole ladder decides once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from guestpass.app.link_cache import LinkEntry
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import PREVIEW_SECONDS, VisitorPass
from guestpass.gateway.bots import is_bot
from guestpass.gateway.cookies import CookieJar
from guestpass.gateway.decisions import Answer, Arrive, Decision, Forward, RequestFacts, TakeSlot
from guestpass.gateway.head_rewriting import EnvironmentResponse
from guestpass.gateway.hosts import RequestedHost
from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.heads import RequestHead
from guestpass.wire.pool import Holder
from guestpass.wire.roles import Live


class Reply:
    """What a notice says that answers a request, and what becomes of the connection.

    `token` and `query` are for the forms of its page. `extra` are further field lines. `link` is the one that it is
    about; with `turns_away` its owner sees that a person did not get in. `retry_after` are the seconds until they may.
    `close` ends the connection, `read` says that the request's body has been read.
    """

    __slots__ = (
        "close",
        "detail",
        "extra",
        "link",
        "query",
        "read",
        "reason",
        "request_id",
        "retry_after",
        "token",
        "turns_away",
    )

    def __init__(
        self,
        reason: Reason,
        *,
        token: str | None = None,
        query: str = "",
        detail: str | None = None,
        request_id: str | None = None,
        close: bool = False,
        read: bool = False,
        extra: Iterable[bytes] = (),
        link: LinkEntry | None = None,
        turns_away: bool = False,
        retry_after: float | None = None,
    ) -> None:
        self.reason = reason
        self.token = token
        self.query = query
        self.detail = detail
        self.request_id = request_id
        self.close = close
        self.read = read
        self.extra = extra
        self.link = link
        self.turns_away = turns_away
        self.retry_after = retry_after


class Decider(Protocol):
    """Who decides about requests, and tells their clients."""

    def decide(self, request: ClientRequest) -> Decision:
        """The decision on what is known now; writes that into the request's facts."""
        ...

    def refuse(self, request: ClientRequest, answer: Answer) -> None:
        """Answer with a refusal."""
        ...

    def turn_back(self, request: ClientRequest, reason: Reason, wait: float, entry: LinkEntry | None = None) -> None:
        """Refuse one request too many; `wait` are the seconds until there may be another."""
        ...

    def reply(self, request: ClientRequest, reply: Reply) -> None:
        """Answer with a notice."""
        ...

    def upstream_failed(
        self,
        request: ClientRequest,
        reason: Reason,
        upstream: str,
        cause: str,
        *,
        close: bool,
        link: LinkEntry | None = None,
    ) -> None:
        """Log that an upstream did not answer as it should, and answer."""
        ...

    def charge(
        self, request: ClientRequest, requests: int, *, also_address: bool, link: LinkEntry | None = None
    ) -> bool:
        """Count work as so many requests of the link, and of the address; False where that is too much."""
        ...


class Sender:
    """Who sends requests with these very fields from `peer`, as the `handler` of one listener reads them.

    `named` is the host as they named it, `host` what it is, and `address` theirs.
    """

    __slots__ = ("address", "handler", "host", "jar", "named", "peer")

    def __init__(
        self, handler: Decider, peer: str, *, named: bytes, host: RequestedHost, address: str, jar: CookieJar
    ) -> None:
        self.handler = handler
        self.peer = peer
        self.named = named
        self.host = host
        self.address = address
        self.jar = jar


class ClientRequest:
    """A request as it came. While it is not admitted through a link, it is one to our own application.

    Once `is_acted_on`, how things are told depends on the link whose visitor sends it (`own_link`).
    """

    __slots__ = ("client", "decider", "facts", "is_acted_on", "jar", "live", "own_link", "visitor")

    def __init__(self, decider: Decider, client: ClientConnection, facts: RequestFacts, jar: CookieJar) -> None:
        self.decider = decider
        self.client = client
        self.facts = facts
        self.jar = jar
        self.own_link: LinkEntry | None = None
        self.is_acted_on = False
        self.live: Live | None = None  # it goes through no link
        self.visitor: str | None = None

    def reason(self) -> Reason | None:
        """Nothing keeps it from our own application."""
        return None

    def refuse(self, reason: str, detail: str | None, *, close: bool, read: bool, request_id: str | None) -> None:
        """Answer that the request turned out to be wrong."""
        self.decider.reply(self, Reply(Reason(reason), detail=detail, request_id=request_id, close=close, read=read))

    def upstream_failed(self, reason: str, upstream: str, cause: str, *, close: bool) -> None:
        """Answer that our application failed."""
        self.decider.upstream_failed(self, Reason(reason), upstream, cause, close=close)

    def charge(self, requests: int, *, also_address: bool) -> bool:
        """Count work as so many requests; False where that is too much."""
        return self.decider.charge(self, requests, also_address=also_address)


class AdmittedRequest:
    """A request that was let through: the decision, and the link as it was. `visitor` is the identity in the pass."""

    __slots__ = (
        "_account",
        "_decision",
        "_environment",
        "_link",
        "_own_pass",
        "_waits",
        "client",
        "entry",
        "facts",
        "live",
        "request",
        "visitor",
    )

    def __init__(
        self, request: ClientRequest, decision: Forward | TakeSlot | Arrive, entry: LinkEntry, visitor: str
    ) -> None:
        self.request = request
        self.client = request.client
        self.facts = request.facts
        self.entry = entry
        self.live: Live | None = entry.live
        self.visitor: str | None = visitor
        self._decision = decision
        self._own_pass = request.facts.own_pass
        self._link = entry.link
        self._environment = entry.environment
        self._account = entry.account
        self._waits = False

    def refusal(self) -> Answer | None:
        """Why the request may not go on, by all that is known now; None where it was decided as before."""
        decision = self.request.decider.decide(self.request)
        if isinstance(decision, Answer):
            return decision
        if decision == self._decision and self._is_unchanged():
            return None
        # It would be treated otherwise now, and has gone too far for that.
        return Answer(Reason.UNAVAILABLE, self.entry)

    def reason(self) -> Reason | None:
        """The same without words for it."""
        refusal = self.refusal()
        return refusal.reason if refusal is not None else None

    def wait(self) -> None:
        """Let the request wait; if its link ends meanwhile, or its visit, it is answered at once."""
        self._waits = True
        self.client.wait()
        self.entry.live.add(self)

    def goes_on(self) -> bool:
        """Whether the request that has waited may go on; where not, it has been answered."""
        waited = self._waits
        self._stop_waiting()
        if not waited or not self.client.is_open:
            return False
        refusal = self.refusal()
        if refusal is not None:
            self.request.decider.refuse(self.request, refusal)
        return refusal is None

    def give_up(self, reason: Reason) -> None:
        """Answer that what the request has waited for will not come."""
        if self.goes_on():
            self.request.decider.refuse(self.request, Answer(reason, self.entry))

    def cut(self) -> None:
        """End the wait with the link, or the visit: tell why, where that can be told."""
        waited = self._waits
        self._stop_waiting()
        if not waited or not self.client.is_open:
            return
        refusal = self.refusal()
        if refusal is not None:
            self.request.decider.refuse(self.request, refusal)
        else:
            self.client.abort()

    def reply(self, reply: Reply) -> None:
        """Answer with a notice."""
        self.request.decider.reply(self.request, reply)

    # What the connection and the exchange ask

    def refuse(self, reason: str, detail: str | None, *, close: bool, read: bool, request_id: str | None) -> None:
        """Answer that the request turned out to be wrong."""
        self.request.refuse(reason, detail, close=close, read=read, request_id=request_id)

    def upstream_failed(self, reason: str, upstream: str, cause: str, *, close: bool) -> None:
        """Answer that the environment did not answer as it should."""
        self.request.decider.upstream_failed(
            self.request, Reason(reason), upstream, cause, close=close, link=self.entry
        )

    def charge(self, requests: int, *, also_address: bool) -> bool:
        """Count work as so many requests of the link, and of the visitor's address; False where that is too much."""
        return self.request.decider.charge(self.request, requests, also_address=also_address, link=self.entry)

    def _stop_waiting(self) -> None:
        self._waits = False
        self.entry.live.discard(self)

    def _is_unchanged(self) -> bool:
        """Whether what goes on would do what it was let through for, as whom and where."""
        entry = self.entry
        link, environment, account = entry.link, entry.environment, entry.account
        before = self._account
        return (
            self.facts.own_pass == self._own_pass
            and link.version == self._link.version
            and link.access is self._link.access
            and link.allow_reports == self._link.allow_reports
            and link.allow_exports == self._link.allow_exports
            and link.account == self._link.account
            and (account.revision if account is not None else None) == (before.revision if before is not None else None)
            and environment.revision == self._environment.revision
            and environment.database == self._environment.database
            and environment.read_only_allow == self._environment.read_only_allow
        )


class ForwardedRequest(AdmittedRequest):
    """A request on its way to an environment: `head` goes there as `target`, with `cookie`.

    `response` changes what comes back. `holds_pass` says that the browser has shown `visitor_pass`, and so keeps it.
    `holder` is who alone uses the connections that it goes over.
    """

    __slots__ = ("cookie", "head", "holder", "holds_pass", "response", "target", "visitor_pass")

    def __init__(
        self,
        request: ClientRequest,
        decision: Forward,
        visitor_pass: VisitorPass,
        head: RequestHead,
        cookie: bytes,
        response: EnvironmentResponse,
        *,
        holds_pass: bool,
    ) -> None:
        super().__init__(request, decision, decision.link, visitor_pass.visitor)
        self.visitor_pass = visitor_pass
        self.head = head
        self.target = decision.target
        self.cookie = cookie
        self.response = response
        self.holds_pass = holds_pass
        self.holder: Holder = (decision.link.link.id, visitor_pass.visitor)

    @property
    def may_sign_in(self) -> bool:
        """Whether it is a person's browser, which keeps its pass, so that a session can be made for it."""
        keeps_pass = self.holds_pass or self.facts.navigates
        return keeps_pass and self.head.method != b"HEAD" and not is_bot(self.head)

    @property
    def pass_ends_at(self) -> datetime | None:
        """When the pass is over, where that is sooner than its link."""
        if not self.visitor_pass.is_preview:
            return None
        return datetime.fromtimestamp(self.visitor_pass.issued_at + PREVIEW_SECONDS, UTC)
