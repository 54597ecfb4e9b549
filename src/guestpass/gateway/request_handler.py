"""Handle the requests of one listener: gather the facts, let the ladder decide, do what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from guestpass.app.handover import ADMIN, CLIENT_ADDRESS, PAGE, REQUEST_ID, VISITOR
from guestpass.app.link_cache import LinkEntry, TokenLookup
from guestpass.app.notices import NoticeRenderer
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import PREVIEW_SECONDS, TICKET_SECONDS, EntryTicket, VisitorPass
from guestpass.gateway.bots import is_bot
from guestpass.gateway.context import ClientRequest, ForwardedRequest, Reply, Sender
from guestpass.gateway.cookies import EnvironmentCookies
from guestpass.gateway.credentials import Credentials, without_credentials
from guestpass.gateway.decisions import (
    Answer,
    Arrive,
    Decision,
    Forward,
    HandOver,
    Redirect,
    RequestFacts,
    TakeSlot,
    ToApplication,
)
from guestpass.gateway.head_rewriting import ApplicationResponse, EnvironmentResponse, ForwardedVisitor, request_head
from guestpass.gateway.hosts import HostKind, HostTable
from guestpass.gateway.limits import APPLICATION
from guestpass.gateway.opening import ENTRY, LinkOpening
from guestpass.gateway.oversized_cookies import shed
from guestpass.gateway.paths import PathKind, read_path
from guestpass.gateway.profile import Profile
from guestpass.gateway.services import GatewayServices
from guestpass.wire.client_connection import ClientConnection
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead
from guestpass.wire.websocket_handshake import is_upgrade

_APPLICATION_BODY_LIMIT: Final = 1024 * 1024
_LOGIN_BODY_LIMIT: Final = 64 * 1024
_APPLICATION_SECONDS: Final = 60.0
_CROWDED_SECONDS: Final = 10.0
_LOOK_UP_SECONDS: Final = 10.0
_APPLICATION_RESPONSE: Final = ApplicationResponse()
# A member of an enumeration costs a look-up in its class each time.
_LINK: Final = HostKind.LINK
_OPEN: Final = PathKind.OPEN
_ENTER: Final = PathKind.ENTER
_LOGIN: Final = PathKind.LOGIN
_PREVIEW: Final = b"?preview="
_BEFORE_SLOTS: Final = frozenset({Reason.CONFIRM_OPENING, Reason.PASSWORD_NEEDED})
# What asks the visitor for something, or only tells of the link, turns nobody away.
_NO_REFUSALS: Final = frozenset(
    {
        Reason.PASSWORD_NEEDED,
        Reason.CONFIRM_OPENING,
        Reason.SWITCH_LINK,
        Reason.PREVIEW,
        Reason.METHOD_NOT_ALLOWED,
        Reason.TICKET_SPENT,
    }
)


class RequestHandler:
    """Handles what arrives at one listener, under the names in `hosts`; `ladder` decides."""

    def __init__(
        self,
        services: GatewayServices,
        hosts: HostTable,
        ladder: Callable[[RequestFacts], Decision],
        *,
        opens_links: bool,
    ) -> None:
        self._hosts = hosts
        self._ladder = ladder
        self._opens_links = opens_links
        self._runtime = services.runtime
        self._time = services.runtime.time
        self._fault_log = services.fault_log
        self._link_cache = services.link_cache
        self._visits = services.visits
        self._passes = services.passes
        self._cookies = services.cookies
        self._proxies = services.proxies
        self._limits = services.limits
        self._profiles = services.profiles
        self._responder = services.responder
        self._application = services.application
        self._is_out_of_date = services.is_out_of_date
        self._opening = LinkOpening(services)
        self._secure = services.public_urls.secure
        self._shares_origin = services.public_urls.link_domain is None
        self._cookie_domain = (services.public_urls.link_domain or "").encode()

    def receive(self, client: ClientConnection, head: RequestHead) -> None:
        """Serve a request; raises RefusedHeadError where its head asks for something impossible."""
        sender: Sender | None = head.block.sender
        if sender is None or sender.handler is not self or sender.peer != client.peer:
            sender = head.block.sender = self._read_sender(client.peer, head)
        route = read_path(head.path)
        facts = RequestFacts(
            head,
            sender.host,
            route,
            self._time(),
            upgrade=b"upgrade" in head.values and is_upgrade(head),
            named=sender.named,
            address=sender.address,
            is_bot=route.token is not None and is_bot(head),
            is_out_of_date=self._is_out_of_date(),
        )
        request = ClientRequest(self, client, facts, sender.jar)
        if (wait := self._limits.take_request(facts.address)) is not None:
            self.turn_back(request, Reason.TOO_MANY_REQUESTS, wait)
            return
        if route.room is _OPEN or route.room is _ENTER:
            self._read_tickets(facts)
        if self._opens_links and not facts.is_out_of_date:
            if route.token is None and facts.ticket is None:
                lookup, is_known = None, self._choose_pass(request)
            else:
                lookup = self._link_cache.recall(route.token) if route.token is not None else None
                is_known = self._recall(request, lookup)
            if not is_known:
                client.wait()
                self._runtime.spawn(self._look_up(request, lookup))
                return
        self._act(request)

    def _read_sender(self, peer: str, head: RequestHead) -> Sender:
        """Read who sends a request; the same for all requests of a connection that repeat its fields."""
        named = self._proxies.requested_host(peer, head)
        return Sender(
            self,
            peer,
            named=named,
            host=self._hosts.read(named),
            address=self._proxies.client_address(peer, head),
            jar=self._cookies.read(head.values.get(b"cookie")),
        )

    # What is known

    def _recall(self, request: ClientRequest, lookup: TokenLookup | None) -> bool:
        """Take the links that the request names from memory; False where the database must be asked for some."""
        facts = request.facts
        if lookup is not None:
            if not lookup.is_known:
                return False
            facts.shared_link, facts.was_replaced = lookup.entry, lookup.was_replaced
        elif facts.ticket is not None:
            link_id = facts.ticket.visitor_pass.link_id
            if not self._link_cache.is_known(link_id):
                return False
            facts.shared_link = self._link_cache.get(link_id)
        return self._choose_pass(request)

    async def _look_up(self, request: ClientRequest, lookup: TokenLookup | None) -> None:
        """Bring the links that the request names into memory, then go on as if they had been there."""
        client, facts = request.client, request.facts
        # Whether an unknown token is a guess, only the database can say, and guesses must not keep it busy.
        is_guess = lookup is not None and not lookup.is_known
        if is_guess and (wait := self._limits.take_guess(facts.address)) is not None:
            if client.is_open:
                self.turn_back(request, Reason.GUESSES_USED_UP, wait)
            return
        try:
            # A network that is cut says nothing at all, and the visitor must hear something.
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                for known in request.jar.passes:
                    await self._link_cache.load(known.link_id)
                if lookup is not None:
                    lookup = await self._link_cache.look_up(lookup)
                    facts.shared_link, facts.was_replaced = lookup.entry, lookup.was_replaced
                elif facts.ticket is not None:
                    facts.shared_link = await self._link_cache.load(facts.ticket.visitor_pass.link_id)
            if is_guess and (facts.shared_link is not None or facts.was_replaced):
                self._limits.give_back_guess(facts.address)
        except Exception as error:  # noqa: BLE001 - whatever the database raises, or a mistake of ours
            if is_guess:
                self._limits.give_back_guess(facts.address)
            request_id = self._fault_log.of_database(error)
            if client.is_open:
                self.reply(request, Reply(Reason.UNAVAILABLE, request_id=request_id))
            return
        if client.is_open:
            self._refresh(request)
            self._act(request)

    def _choose_pass(self, request: ClientRequest) -> bool:
        """Take the pass that counts here: on a link's own host only that version's, and living before dead.

        At a share URL on PUBLIC_URL's host it is that link's, which is remembered there where links have own hosts.
        Returns whether the links of all passes are in memory; where not, the choice may be another one.
        """
        facts, passes = request.facts, request.jar.passes
        host, shared = facts.host, facts.shared_link
        facts.own_pass, facts.own_link = None, None
        all_known, is_over = True, False
        if shared is not None and facts.route.token is not None and not self._shares_origin:
            id = shared.link.id
            passes = tuple(each for each in (*request.jar.kept(id), *passes) if each.link_id == id)
        for known in passes:
            entry = self._link_cache.get(known.link_id)
            if entry is None:
                all_known = all_known and self._link_cache.is_known(known.link_id)
                continue
            if facts.own_pass is not None and not is_over:
                continue
            if host.kind is _LINK and (known.link_id != host.link_id or known.link_version != host.link_version):
                continue
            if known.is_preview and not known.is_within(PREVIEW_SECONDS, facts.now):
                continue
            if known.link_version == entry.link.version and not (is_over and known.visitor in entry.ended):
                facts.own_pass, facts.own_link = known, entry
                is_over = known.visitor in entry.ended
        return all_known

    def _refresh(self, request: ClientRequest) -> None:
        """Write into the facts what may have changed since they were gathered."""
        facts = request.facts
        facts.now = self._time()
        facts.is_out_of_date = self._is_out_of_date()
        self._read_tickets(facts)
        self._choose_pass(request)

    def _read_tickets(self, facts: RequestFacts) -> None:
        """Read the ticket of an owner's preview, or the one that leads onto a link's own host."""
        kind = facts.route.room
        if kind is _OPEN:
            facts.preview = self._preview_ticket(facts)
        elif kind is _ENTER:
            facts.ticket = self._entry_ticket(facts)

    def _preview_ticket(self, facts: RequestFacts) -> VisitorPass | None:
        query = facts.head.query
        if not query.startswith(_PREVIEW):
            return None
        ticket = self._passes.read_ticket(query.removeprefix(_PREVIEW).decode("latin-1"))
        return ticket if ticket is not None and ticket.is_within(TICKET_SECONDS, facts.now) else None

    def _entry_ticket(self, facts: RequestFacts) -> EntryTicket | None:
        query = facts.head.query
        if not query.startswith(ENTRY):
            return None
        ticket = self._passes.read_entry(query.removeprefix(ENTRY).partition(b"&")[0].decode("latin-1"))
        return ticket if ticket is not None and ticket.is_within(TICKET_SECONDS, facts.now) else None

    # What is decided

    def decide(self, request: ClientRequest) -> Decision:
        """The decision on what is known now; writes that into the request's facts."""
        self._refresh(request)
        return self._decide(request)

    def _decide(self, request: ClientRequest) -> Decision:
        """What the ladder says; the environment's profile may refuse what that lets through."""
        decision = self._ladder(request.facts)
        if isinstance(decision, Forward):
            refusal = self._profiles.of(decision.link.environment).refusal
            return (refusal(decision) if refusal is not None else None) or decision
        return decision

    def _act(self, request: ClientRequest) -> None:
        """Do what is decided, unless that is too much for the address or the link."""
        decision = self._ladder(request.facts)
        request.own_link, request.is_acted_on = request.facts.own_link, True
        if isinstance(decision, Forward):
            profile = self._profiles.of(decision.link.environment)
            refused = profile.refusal(decision) if profile.refusal is not None else None
            if refused is not None:
                self.refuse(request, refused)
            elif not self._is_overrun(request, decision.link):
                self._forward(request, decision, profile)
        elif isinstance(decision, Answer):
            self.refuse(request, decision)
        elif isinstance(decision, ToApplication):
            if not self._is_too_much(request):
                self._to_application(request)
        else:
            self._open(request, decision)

    def _open(self, request: ClientRequest, decision: Redirect | HandOver | TakeSlot | Arrive) -> None:
        """Let somebody in, or send them on."""
        if isinstance(decision, Redirect):
            opening = decision.opening
            if decision.leaves is not None or opening is None or not self._is_overrun(request, opening):
                self._opening.redirect(request, decision)
        elif isinstance(decision, HandOver):
            if not self._is_overrun(request, decision.link):
                self._opening.hand_over(request, decision)
        elif not self._is_too_much(request):
            if isinstance(decision, TakeSlot):
                self._opening.take_slot(request, decision)
            elif not self._is_overrun(request, decision.link):
                self._opening.arrive(request, decision)

    # What is too much

    def _is_too_much(self, request: ClientRequest) -> bool:
        """Count what is not answered from memory, and refuse it where its address has used up what it may ask for."""
        wait = self._limits.take_request(request.facts.address, cost=APPLICATION - 1)
        if wait is not None:
            self.turn_back(request, Reason.TOO_MANY_REQUESTS, wait)
        return wait is not None

    def _is_overrun(self, request: ClientRequest, entry: LinkEntry) -> bool:
        """Count a request through a link, and refuse it where that has too many already."""
        limits = self._limits
        wait = limits.take_request_of(entry.link.id)
        if wait is None and len(entry.live) >= limits.caps.open_per_link:
            wait = _CROWDED_SECONDS
        if wait is None:
            return False
        self.turn_back(request, Reason.LINK_OVERRUN, wait, entry)
        return True

    def charge(
        self, request: ClientRequest, requests: int, *, also_address: bool, link: LinkEntry | None = None
    ) -> bool:
        """Count work as so many requests of the link, and of the address; False where that is too much."""
        address = request.facts.address
        wait = self._limits.take_request_of(link.link.id, cost=requests) if link is not None else None
        if wait is None and also_address:
            wait = self._limits.take_request(address, cost=requests)
        if wait is None:
            return True
        self._fault_log.of_client(
            "too_much_work", address, cause="endless small chunks or frames, or long bodies that are looked at"
        )
        return False

    def turn_back(self, request: ClientRequest, reason: Reason, wait: float, entry: LinkEntry | None = None) -> None:
        """Refuse one request too many, which costs no query; its link's owner sees the first of many."""
        facts = request.facts
        if entry is None and self._opens_links:
            self._choose_pass(request)
            entry = facts.own_link
            request.own_link, request.is_acted_on = entry, True
        request_id = self._fault_log.next_request_id()
        link = entry.link.id if entry is not None else None
        self._fault_log.of_client(reason.value, facts.address, request_id=request_id, link=link)
        reply = Reply(
            reason,
            request_id=request_id,
            link=entry,
            turns_away=link is not None and _turns_away(facts, reason) and self._limits.is_worth_noting(link),
            retry_after=wait,
            close=self._ends_by_refusal(request.client),
        )
        self.reply(request, reply)

    # What is answered here

    def refuse(self, request: ClientRequest, answer: Answer) -> None:
        """Answer with a refusal."""
        entry, facts, reason = answer.link, request.facts, answer.reason
        reply = Reply(
            reason,
            token=facts.route.token,
            query=facts.head.query.decode("latin-1"),
            detail=answer.detail,
            extra=self._opening.promise(request, entry) if entry is not None and reason in _BEFORE_SLOTS else (),
            link=entry,
            turns_away=_turns_away(facts, reason),
            close=facts.own_link is None and reason not in _NO_REFUSALS and self._ends_by_refusal(request.client),
        )
        self.reply(request, reply)

    def reply(self, request: ClientRequest, reply: Reply) -> None:
        """Answer with a notice."""
        self._responder.reply(request, self._notices_for(request), reply)

    def _notices_for(self, request: ClientRequest) -> NoticeRenderer:
        """How the client is told things: a visitor of an environment as its application would tell them."""
        special = None
        if request.is_acted_on:
            link, head = request.own_link, request.facts.head
            if link is not None:
                special = self._profiles.notices_for(link.environment, head)
            elif request.jar.passes:
                special = self._profiles.notices_for(None, head)
        return special or self._responder.notices

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
        client = request.client
        request_id = self._fault_log.next_request_id()
        # An id is free again when its environment is removed; what the next one of that id fails in is another fault.
        made_at = link.environment.created_at if link is not None else None
        self._fault_log.faults.warn(
            reason.value,
            upstream,
            made_at,
            request_id=request_id,
            environment=upstream,
            cause=cause,
            answered=client.answered,
        )
        if client.answered or not client.is_open:
            client.abort()
        else:
            seen = request.facts.navigates
            self.reply(request, Reply(reason, request_id=request_id, close=close, link=link, turns_away=seen))

    def refuse_head(
        self,
        client: ClientConnection,
        head: RequestHead | None,
        reason: str,
        detail: str,
        *,
        request_id: str | None = None,
    ) -> None:
        """Refuse a request whose head can't be understood, or not served, and end the connection behind it."""
        self._responder.refuse_head(client, head, Reason(reason), detail, request_id=request_id)

    def refuse_large_head(self, client: ClientConnection, data: bytes, reason: str, detail: str) -> None:
        """Refuse a head that is too large, of which `data` is the beginning; where cookies make it so, shed them."""
        shedding = shed(data, secure=self._secure, domain=self._cookie_domain)
        if shedding is None:
            self._responder.refuse_head(client, None, Reason(reason), detail)
            return
        target, lines = shedding
        fields = (("Location", target.decode("latin-1")), ("Cache-Control", "no-store"))
        client.answer(303, fields, extra=lines, close=True)

    def log_slow_request(self, client: ClientConnection, cause: str) -> str:
        """Log that a request takes too long to arrive; returns the id under which."""
        request_id = self._fault_log.next_request_id()
        self._fault_log.of_client(Reason.HEAD_TIMEOUT.value, client.peer, request_id=request_id, cause=cause)
        return request_id

    def log_slow_client(self, client: ClientConnection, cause: str) -> None:
        """Log that a client is cut, which was too slow to take what it has asked for."""
        self._fault_log.of_client("slow_client_cut", client.peer, cause=cause)

    def _ends_by_refusal(self, client: ClientConnection) -> bool:
        """Whether a refusal ends the connection, so that to ask again costs a client no less than us.

        A trusted proxy's connection is everybody's who comes through it.
        """
        return not self._proxies.is_trusted(client.peer)

    # Where requests go

    def _forward(self, request: ClientRequest, decision: Forward, profile: Profile) -> None:
        """To the environment of a link."""
        facts, jar, entry = request.facts, request.jar, decision.link
        head = facts.head
        environment = entry.environment
        limit = profile.announced_limit
        if limit is not None and head.content_length is not None and head.content_length > limit:
            detail = f"The body is larger than {limit} bytes."
            self.reply(request, Reply(Reason.BODY_TOO_LARGE, detail=detail, close=True))
            return
        own = facts.own_pass
        holds_pass = False
        if own is not None and own.link_id == entry.link.id:
            holds_pass = True
            visitor_pass, tag = own, jar.tag_of(own, environment.moves)
        else:
            visitor_pass = self._opening.new_pass(entry, facts, opens=decision.opening and decision.new_pass)
            tag = self._passes.cookie_tag(visitor_pass, environment.moves).encode()
        if visitor_pass.is_preview:
            self._link_cache.watch(entry, visitor_pass)
        if decision.opening and (holds_pass or decision.new_pass):
            self._opening.count(entry, visitor_pass, facts, came_back=holds_pass)
        elif holds_pass and head.method != b"HEAD" and not visitor_pass.is_preview:
            self._visits.seen(entry.link.id, visitor_pass.visitor, facts.now, link_version=visitor_pass.link_version)
        cookies = EnvironmentCookies(
            tag,
            http_only=entry.http_only,
            now=facts.now,
            ends_at=entry.expires_at,
            secure=self._secure,
            learn=profile.learn,
            shares_origin=self._shares_origin,
        )
        response = EnvironmentResponse(cookies, shares_origin=self._shares_origin, opens=facts.route.room is _OPEN)
        if decision.new_pass:
            response.pass_cookie = self._opening.pass_cookie(visitor_pass)
            self._opening.replace_passes(jar, visitor_pass)
        if self._shares_origin:
            response.credentials = Credentials(self._passes, jar, tag, head, secure=self._secure)
            if response.credentials.is_withheld:
                head = without_credentials(head)
        cookie = jar.for_environment(tag, entry.http_only)
        profile.forward(
            ForwardedRequest(request, decision, visitor_pass, head, cookie, response, holds_pass=holds_pass)
        )

    def _to_application(self, request: ClientRequest) -> None:
        """To our own application."""
        client, facts = request.client, request.facts
        head, is_login = facts.head, facts.route.room is _LOGIN
        limit = _LOGIN_BODY_LIMIT if is_login else _APPLICATION_BODY_LIMIT
        if head.content_length is not None and head.content_length > limit:
            detail = f"The body is larger than {limit} bytes."
            self.reply(request, Reply(Reason.BODY_TOO_LARGE, detail=detail, close=True))
            return
        shared, navigates = facts.shared_link, facts.navigates
        response = _APPLICATION_RESPONSE
        if is_login and navigates and shared is not None:
            response = ApplicationResponse(self._opening.cleared_for(request, shared))
        visitor = ForwardedVisitor(facts.address.encode(), facts.named, facts.host.scheme)
        lines = f"{CLIENT_ADDRESS}: {facts.address}\r\n{REQUEST_ID}: {self._fault_log.next_request_id()}\r\n"
        if navigates:
            lines += f"{PAGE}: 1\r\n"
        if is_login and shared is not None and shared.link.max_visitors is not None:
            newcomer = (self._opening.promised(request, shared) or self._opening.new_pass(shared, facts)).visitor
            client.notify_if_left(partial(self._opening.free_slot, shared, newcomer, facts.address))
            lines += f"{VISITOR}: {newcomer}\r\n"
        if not self._opens_links:
            lines += f"{ADMIN}: 1\r\n"
        cookie = head.values.get(b"cookie", b"")
        sent = request_head(head, head.target, visitor, cookie=cookie, upgrade=False, extra=lines.encode())
        client.start(
            Exchange(
                client,
                self._runtime,
                head,
                sent,
                self._application,
                response,
                body_limit=limit,
                response_timeout=_APPLICATION_SECONDS,
            ),
            request,
        )


def _turns_away(facts: RequestFacts, reason: Reason) -> bool:
    """Whether a person reads that they do not get in; scripts and images of a page that is open are no news."""
    if facts.own_pass is not None and facts.own_pass.is_preview:
        return False
    return (facts.navigates or facts.route.room is _OPEN) and reason not in _NO_REFUSALS
