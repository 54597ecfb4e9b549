"""Receive a request at one listener: gather the facts, let the ladder decide, do what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from guestpass.app.handover import ADMIN, CLIENT_ADDRESS, PAGE, REQUEST_ID, VISITOR
from guestpass.app.link_cache import LinkEntry, TokenLookup
from guestpass.app.notices import RenderedNotice
from guestpass.app.ports import SlotResult
from guestpass.app.visitor_slots import TooManyNewcomers
from guestpass.domain.environment import Kind
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import (
    PREVIEW_SECONDS,
    PROMISE_SECONDS,
    TICKET_SECONDS,
    EntryTicket,
    VisitorPass,
)
from guestpass.gateway.admission import (
    Answer,
    Application,
    Arrive,
    Decision,
    Forward,
    HandOver,
    Redirect,
    RequestFacts,
    TakeSlot,
)
from guestpass.gateway.bots import is_bot
from guestpass.gateway.context import Admitted
from guestpass.gateway.cookies import CookieJar, EnvironmentCookies, expirations, expired
from guestpass.gateway.credentials import Credentials, without_credentials
from guestpass.gateway.head_rewriting import ApplicationResponse, EnvironmentResponse, ForwardedVisitor, request_head
from guestpass.gateway.hosts import HostKind, HostTable, RequestedHost
from guestpass.gateway.limits import APPLICATION
from guestpass.gateway.paths import ENTRY_PATH, PathKind, read_path
from guestpass.odoo.profile import Crossing, calls_odoo
from guestpass.signing.passes import COOKIE_NAMES, kept_pass_name, pass_cookie, promise_name
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead
from guestpass.wire.websocket_handshake import is_upgrade

if TYPE_CHECKING:
    from guestpass.gateway.lifecycle import Gateway
    from guestpass.wire.client_connection import ClientConnection

_DESK_BODY_LIMIT: Final = 1024 * 1024
_LOGIN_BODY_LIMIT: Final = 64 * 1024
_DESK_TIMEOUT: Final = 60.0
_CROWDED_SECONDS: Final = 10.0
_LOOK_UP_SECONDS: Final = 10.0
_LEAVING_SECONDS: Final = 2.0
_DESK_ANSWER: Final = ApplicationResponse()
_CLEAR: Final = b'Clear-Site-Data: "cache", "storage"\r\n'
# Whoever comes from our password page brings its address, with the token, as the referrer. It ends here, since scripts
# at the other end could read it. (On a page no-referrer would hide the Origin of its form; a redirect has none.)
_REDIRECT_FIELDS: Final = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
# A member of an enumeration costs a look-up in its class each time.
_LINK: Final = HostKind.LINK
_OPEN: Final = PathKind.OPEN
_ENTER: Final = PathKind.ENTER
_ODOO: Final = Kind.ODOO
_TICKET: Final = b"?preview="
_ENTRY: Final = b"?ticket="
# Whose cookies come with a request for a share URL; with a longer path a script would have to know the token.
_SHARE_PATHS: Final = (b"/share/", b"/share", b"/")
_BEFORE_PLACES: Final = frozenset({Reason.CONFIRM_OPENING, Reason.PASSWORD_NEEDED})
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


def decide_admin(facts: RequestFacts) -> Decision:
    """The ladder of the admin listener: under its own name everything is the application's."""
    return Application() if facts.host.kind is HostKind.MAIN else Answer(Reason.UNKNOWN_HOST)


class RequestHandler:
    """Everything that one listener knows; `decide` is its ladder."""

    def __init__(
        self, gateway: Gateway, hosts: HostTable, decide: Callable[[RequestFacts], Decision], *, opens_links: bool
    ) -> None:
        self._gateway = gateway
        self._hosts = hosts
        self._decide = decide
        self._opens_links = opens_links
        self._promise_name = promise_name(secure=gateway.secure).encode()

    def receive(self, client: ClientConnection, head: RequestHead) -> None:
        """Serve a request; raises RefusedHeadError where its head asks for something impossible."""
        gateway = self._gateway
        named = gateway.proxies.requested_host(client.peer, head)
        host = self._hosts.read(named)
        route = read_path(head.path)
        jar = gateway.cookies.read(head.values.get(b"cookie"))
        facts = RequestFacts(
            head,
            host,
            route,
            gateway.time(),
            upgrade=b"upgrade" in head.values and is_upgrade(head),
            named=named,
            address=gateway.proxies.client_address(client.peer, head),
            is_bot=route.token is not None and is_bot(head),
            is_out_of_date=gateway.is_out_of_date(),
        )
        client.address = facts.address
        if (wait := gateway.crowd.take_request(facts.address)) is not None:
            self._turn_back(client, facts, jar, Reason.TOO_MANY_REQUESTS, wait)
            return
        facts.preview, facts.ticket = self._read_ticket(facts), self._read_entry(facts)
        if self._opens_links and not facts.is_out_of_date:
            lookup = gateway.directory.recall(route.token) if route.token is not None else None
            if not self._recall(facts, jar, lookup):
                client.wait()
                gateway.spawn(self._look_up(client, facts, jar, lookup))
                return
        self._act(client, facts, jar)

    def _recall(self, facts: RequestFacts, jar: CookieJar, lookup: TokenLookup | None) -> bool:
        """Take the links that the request names from memory; False where the database must be asked for some."""
        if lookup is not None:
            if not lookup.is_known:
                return False
            facts.shared_link, facts.was_replaced = lookup.entry, lookup.was_replaced
        elif facts.ticket is not None:
            link_id = facts.ticket.visitor_pass.link_id
            if not self._gateway.directory.is_known(link_id):
                return False
            facts.shared_link = self._gateway.directory.get(link_id)
        return self._choose_pass(facts, jar)

    async def _look_up(
        self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, lookup: TokenLookup | None
    ) -> None:
        """Bring the links that the request names into memory, then go on as if they had been there."""
        directory, crowd = self._gateway.directory, self._gateway.crowd
        # Whether an unknown token is a guess, only the database can say, and guesses must not keep it busy.
        is_guess = lookup is not None and not lookup.is_known
        if is_guess and (wait := crowd.take_guess(facts.address)) is not None:
            if client.is_open:
                self._turn_back(client, facts, jar, Reason.GUESSES_USED_UP, wait)
            return
        try:
            # A network that is cut says nothing at all, and the visitor must hear something.
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                for known in jar.passes:
                    await directory.load(known.link_id)
                if lookup is not None:
                    lookup = await directory.look_up(lookup)
                    facts.shared_link, facts.was_replaced = lookup.entry, lookup.was_replaced
                elif facts.ticket is not None:
                    facts.shared_link = await directory.load(facts.ticket.visitor_pass.link_id)
            if is_guess and (facts.shared_link is not None or facts.was_replaced):
                crowd.give_back_guess(facts.address)
        except Exception as error:  # noqa: BLE001 - whatever the database raises, or a mistake of ours
            if is_guess:
                crowd.give_back_guess(facts.address)
            request_id = self._gateway.tell_of_database(error)
            if client.is_open:
                client.reply(Reason.UNAVAILABLE, request_id=request_id)
            return
        if client.is_open:
            self._refresh(facts, jar)
            self._act(client, facts, jar)

    def _turn_back(
        self,
        client: ClientConnection,
        facts: RequestFacts,
        jar: CookieJar,
        reason: Reason,
        wait: float,
        entry: LinkEntry | None = None,
    ) -> None:
        """Refuse one request too many, which costs no query; its link's owner sees the first of many."""
        gateway = self._gateway
        if entry is None and self._opens_links:
            self._choose_pass(facts, jar)
            entry = cast("LinkEntry | None", facts.own_link)
            if self._is_odoo(facts, jar) and calls_odoo(facts.head):
                client.notices = gateway.odoo.notices
        request_id = gateway.next_request_id()
        link = entry.link.id if entry is not None else None
        gateway.tell_of_client(reason.value, facts.address, request_id=request_id, link=link)
        client.reply(
            reason,
            request_id=request_id,
            link=entry,
            turns_away=link is not None and _turns_away(facts, reason) and gateway.crowd.is_worth_noting(link),
            retry_after=wait,
            close=self._ends_by_refusal(client),
        )

    def _choose_pass(self, facts: RequestFacts, jar: CookieJar) -> bool:
        """Take the pass that counts here: on a link's own host only that version's, and living before dead.

        At a share URL on PUBLIC_URL's host it is that link's, which is remembered there where links have own hosts.
        Returns whether the links of all passes are in memory; where not, the choice may be another one.
        """
        host, shared = facts.host, facts.shared_link
        facts.own_pass, facts.own_link = None, None
        all_known, is_over = True, False
        passes = jar.passes
        if shared is not None and facts.route.token is not None and not self._gateway.shares_origin:
            passes = tuple(each for each in (*jar.kept(shared.link.id), *passes) if each.link_id == shared.link.id)
        directory = self._gateway.directory
        for known in passes:
            entry = directory.get(known.link_id)
            if entry is None:
                all_known = all_known and directory.is_known(known.link_id)
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

    def judge_again(self, facts: RequestFacts, jar: CookieJar) -> Decision:
        """The decision on what is known now; writes that into `facts`."""
        self._refresh(facts, jar)
        return self._decide(facts)

    def _refresh(self, facts: RequestFacts, jar: CookieJar) -> None:
        """Write into `facts` what may have changed since they were gathered."""
        facts.now = self._gateway.time()
        facts.is_out_of_date = self._gateway.is_out_of_date()
        facts.preview, facts.ticket = self._read_ticket(facts), self._read_entry(facts)
        self._choose_pass(facts, jar)

    def refuse(self, client: ClientConnection, facts: RequestFacts, reply: Answer) -> None:
        """Answer with a refusal."""
        entry = cast("LinkEntry | None", reply.link)
        client.reply(
            reply.reason,
            token=facts.route.token,
            query=facts.head.query.decode("latin-1"),
            detail=reply.detail,
            extra=self._promise(facts, entry) if entry is not None and reply.reason in _BEFORE_PLACES else (),
            link=entry,
            turns_away=_turns_away(facts, reply.reason),
            close=facts.own_link is None and reply.reason not in _NO_REFUSALS and self._ends_by_refusal(client),
        )

    def _ends_by_refusal(self, client: ClientConnection) -> bool:
        """Whether a refusal ends the connection, so that to ask again costs a client no less than us.

        A trusted proxy's connection is everybody's who comes through it.
        """
        return not self._gateway.proxies.is_trusted(client.peer)

    def _act(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar) -> None:
        decision = self._decide(facts)
        if self._is_odoo(facts, jar) and calls_odoo(facts.head):
            client.notices = self._gateway.odoo.notices
        if isinstance(decision, Forward):
            self._forward(client, facts, jar, decision)
        elif isinstance(decision, Application):
            self._to_desk(client, facts, jar)
        elif isinstance(decision, Redirect):
            self._send_on(client, facts, jar, decision)
        elif isinstance(decision, HandOver):
            entry = cast("LinkEntry", decision.link)
            if not self._is_overrun(client, facts, jar, entry):
                self._hand_over(client, facts, jar, decision)
        elif isinstance(decision, TakeSlot):
            if not self._is_too_much(client, facts, jar):
                self._take_place(client, facts, jar, decision)
        elif isinstance(decision, Arrive):
            entry = cast("LinkEntry", decision.link)
            if not self._is_too_much(client, facts, jar) and not self._is_overrun(client, facts, jar, entry):
                self._arrive(client, facts, jar, decision)
        else:
            self.refuse(client, facts, decision)

    def _send_on(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, decision: Redirect) -> None:
        opening = cast("LinkEntry | None", decision.opening)
        if decision.leaves is not None:
            client.wait()
            self._gateway.spawn(self._await_leaving(client, facts, jar, decision))
        elif opening is None or not self._is_overrun(client, facts, jar, opening):
            self._redirect(client, facts, jar, decision)

    def _is_too_much(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar) -> bool:
        """Count what is not answered from memory, and refuse it where its address has used up what it may ask for."""
        wait = self._gateway.crowd.take_request(facts.address, cost=APPLICATION - 1)
        if wait is not None:
            self._turn_back(client, facts, jar, Reason.TOO_MANY_REQUESTS, wait)
        return wait is not None

    def _is_overrun(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, entry: LinkEntry) -> bool:
        """Count a request through a link, and refuse it where that has too many already."""
        crowd = self._gateway.crowd
        wait = crowd.take_request_of(entry.link.id)
        if wait is None and len(entry.live) >= crowd.caps.open_per_link:
            wait = _CROWDED_SECONDS
        if wait is None:
            return False
        self._turn_back(client, facts, jar, Reason.LINK_OVERRUN, wait, entry)
        return True

    def _take_place(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, decision: TakeSlot) -> None:
        """Let one more visitor in, if the link has room."""
        entry = cast("LinkEntry", decision.link)
        new_pass = decision.preview or self._promised(entry, facts) or self._new_pass(entry, facts)
        admitted = Admitted(self, client, facts, jar, decision, entry, new_pass.visitor)
        now = datetime.fromtimestamp(facts.now, UTC)
        if decision.preview is None:
            client.tell_if_left(partial(self._free_place, entry, new_pass.visitor, facts.address, now))
        admitted.wait()
        self._gateway.spawn(self._await_place(client, facts, jar, decision, new_pass, admitted, now))

    async def _await_place(
        self,
        client: ClientConnection,
        facts: RequestFacts,
        jar: CookieJar,
        decision: TakeSlot,
        new_pass: VisitorPass,
        admitted: Admitted,
        now: datetime,
    ) -> None:
        entry, is_preview, places = admitted.entry, decision.preview is not None, self._gateway.places
        try:
            if is_preview:
                place = (
                    SlotResult.TAKEN
                    if await self._gateway.previews.spend(new_pass.visitor) is None
                    else SlotResult.FULL
                )
            else:
                place = await places.take(entry.link, new_pass.visitor, facts.address, now)
        except TooManyNewcomers as error:
            if admitted.goes_on():
                self._turn_back(client, facts, jar, Reason.LINK_OVERRUN, error.seconds, entry)
            return
        except Exception as error:  # noqa: BLE001 - as for every look-up
            self._gateway.tell_of_database(error)
            admitted.give_up(Reason.UNAVAILABLE)
            return
        let_in = place not in (SlotResult.FULL, SlotResult.GONE)
        if not admitted.goes_on():
            if let_in and not is_preview and place is not SlotResult.HELD:
                await places.give_back(entry.link.id, new_pass.visitor, now)
        elif let_in:
            self._send_in(client, facts, jar, decision, new_pass)
        elif is_preview:
            # Used before: whoever follows it again is a visitor like any other.
            self._redirect(client, facts, jar, Redirect(303, facts.head.path))
        elif place is SlotResult.FULL:
            client.reply(Reason.LINK_FULL, token=facts.route.token, link=entry, turns_away=True)
        else:
            # Its version, or the visit, ended a moment ago.
            self.refuse(client, facts, Answer(Reason.UNAVAILABLE, entry))

    def _send_in(
        self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, decision: TakeSlot, new_pass: VisitorPass
    ) -> None:
        if isinstance(decision.then, HandOver):
            self._hand_over(client, facts, jar, decision.then, new_pass)
        else:
            self._redirect(client, facts, jar, decision.then, new_pass)

    def _free_place(self, entry: LinkEntry, visitor: str, address: str, taken_at: datetime | None = None) -> None:
        if entry.link.max_visitors is not None:
            self._gateway.spawn(self._gateway.places.free(entry.link.id, visitor, address, taken_at))

    async def _await_leaving(
        self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, decision: Redirect
    ) -> None:
        """End the visit at the link that a browser leaves, so that its place is free when it is sent on."""
        is_over = asyncio.Event()
        self._gateway.spawn(self._leave([facts.own_pass] if facts.own_pass is not None else [], is_over))
        # Not cancelled, since it writes. While nothing can be written visitors are not kept waiting for that.
        with suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), _LEAVING_SECONDS)
        if client.is_open:
            self._redirect(client, facts, jar, decision)

    async def _leave(self, passes: Sequence[VisitorPass], is_over: asyncio.Event) -> None:
        try:
            await self._gateway.places.leave(passes)
        finally:
            is_over.set()

    def _replace_passes(self, jar: CookieJar, new: VisitorPass) -> None:
        """A browser's passes are replaced by a new one, under the same name: the visits that they held end."""
        living = []
        for known in jar.passes:
            entry = self._gateway.directory.get(known.link_id)
            is_current = entry is not None and known.link_version == entry.link.version
            is_another = (known.link_id, known.visitor) != (new.link_id, new.visitor)
            if is_another and is_current and not known.is_preview:
                living.append(known)
        if living:
            self._gateway.spawn(self._gateway.places.leave(living))

    def _hand_over(
        self,
        client: ClientConnection,
        facts: RequestFacts,
        jar: CookieJar,
        decision: HandOver,
        new_pass: VisitorPass | None = None,
    ) -> None:
        """Send a browser to the link's own host, and remember its pass here: it may come again by the same URL."""
        gateway, entry = self._gateway, cast("LinkEntry", decision.link)
        own = new_pass or (None if decision.new_pass else facts.own_pass) or self._new_pass(entry, facts, opens=True)
        lines: list[bytes] = []
        if decision.new_pass and not own.is_preview:
            name = kept_pass_name(own.link_id, secure=gateway.secure)
            lines.append(b"Set-Cookie: %b\r\n" % self._pass_cookie(own, name))
            lines += [
                b"Set-Cookie: %b\r\n" % expired(each, secure=gateway.secure) for each in jar.too_many_kept(own.link_id)
            ]
        origin = gateway.addresses.link_origin(entry.link.id, entry.link.version)
        ticket = gateway.passes.write_entry(own, int(facts.now))
        query = decision.query.decode("latin-1").replace("?", "&", 1)
        fields = (("Location", f"{origin}{ENTRY_PATH.decode()}{_ENTRY.decode()}{ticket}{query}"), *_REDIRECT_FIELDS)
        client.answer(RenderedNotice(303, fields, b""), extra=lines)

    def _arrive(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, decision: Arrive) -> None:
        """Give a browser on a link's own host the pass of its ticket, once."""
        entry, visitor = cast("LinkEntry", decision.link), decision.ticket.visitor_pass.visitor
        admitted = Admitted(self, client, facts, jar, decision, entry, visitor)
        admitted.wait()
        self._gateway.spawn(self._await_arrival(client, facts, jar, decision, admitted))

    async def _await_arrival(
        self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, decision: Arrive, admitted: Admitted
    ) -> None:
        ticket = decision.ticket
        is_first = await self._gateway.entries.spend(ticket)
        if not admitted.goes_on():
            return
        if not is_first and not decision.holds_pass:
            self.refuse(client, facts, Answer(Reason.TICKET_SPENT, decision.link))
            return
        new = None if decision.holds_pass else ticket.visitor_pass
        opening = decision.link if is_first else None
        then = Redirect(303, decision.location, opening=opening, new_pass=new is not None)
        # Whoever comes here for the first time has nothing here, unless a database that was restored gave a version's
        # number out again, or this host had earlier versions too.
        clears = facts.own_pass is None and facts.host.is_trustworthy
        self._redirect(client, facts, jar, then, new, (_CLEAR,) if clears else ())

    def _is_odoo(self, facts: RequestFacts, jar: CookieJar) -> bool:
        """Whether the visitor is in an Odoo, or was: a pass of a link that is gone doesn't tell."""
        link = cast("LinkEntry | None", facts.own_link)
        return link.kind is _ODOO if link is not None else bool(jar.passes)

    def _forward(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar, decision: Forward) -> None:
        gateway, head = self._gateway, facts.head
        entry = cast("LinkEntry", decision.link)
        if self._is_overrun(client, facts, jar, entry):
            return
        environment = entry.environment
        way = gateway.way_to(environment)
        is_odoo = environment.kind is _ODOO
        if not is_odoo and head.content_length is not None and head.content_length > environment.body_limit:
            client.reply(
                Reason.BODY_TOO_LARGE, detail=f"The body is larger than {environment.body_limit} bytes.", close=True
            )
            return
        own = facts.own_pass
        holds_pass = own is not None and own.link_id == entry.link.id
        if own is not None and holds_pass:
            visitor_pass, tag = own, jar.tag_of(own, environment.moves)
        else:
            visitor_pass = self._new_pass(entry, facts, opens=decision.opening and decision.new_pass)
            tag = gateway.passes.cookie_tag(visitor_pass, environment.moves).encode()
        if visitor_pass.is_preview:
            gateway.directory.watch(entry, visitor_pass)
        if decision.opening and (holds_pass or decision.new_pass):
            self._opened(entry, visitor_pass, facts, came_back=holds_pass)
        elif holds_pass and head.method != b"HEAD" and not visitor_pass.is_preview:
            gateway.visits.seen(entry.link.id, visitor_pass.visitor, facts.now, link_version=visitor_pass.link_version)
        cookies = EnvironmentCookies(
            tag,
            http_only=entry.http_only,
            now=facts.now,
            ends_at=entry.expires_at,
            secure=gateway.secure,
            learn=way.learn,
            shares_origin=gateway.shares_origin,
        )
        answer = EnvironmentResponse(cookies, shares_origin=gateway.shares_origin, opens=facts.route.room is _OPEN)
        if decision.new_pass:
            answer.pass_cookie = self._pass_cookie(visitor_pass)
            self._replace_passes(jar, visitor_pass)
        if gateway.shares_origin:
            answer.credentials = Credentials(gateway.passes, jar, tag, head, secure=gateway.secure)
            if answer.credentials.is_withheld:
                head = without_credentials(head)
        visitor = _visitor(facts)
        cookie = jar.for_environment(tag, entry.http_only)
        admitted = Admitted(self, client, facts, jar, decision, entry, visitor_pass.visitor)
        if is_odoo:
            gateway.odoo.forward(
                client,
                Crossing(
                    head=head,
                    target=decision.target,
                    entry=entry,
                    admitted=admitted,
                    visitor_id=visitor_pass.visitor,
                    visitor=visitor,
                    origin=facts.host.origin,
                    cookie=cookie,
                    upgrade=facts.upgrade,
                    answer=answer,
                    may_sign_in=(holds_pass or facts.navigates) and head.method != b"HEAD" and not is_bot(head),
                    pass_ends_at=_end_of(visitor_pass),
                ),
            )
            return
        client.start(
            Exchange(
                client,
                gateway,
                head,
                request_head(head, decision.target, visitor, cookie=cookie, upgrade=facts.upgrade),
                way.upstream_for(decision.target),
                answer,
                body_limit=environment.body_limit,
                response_timeout=way.response_timeout,
                upgrade=facts.upgrade,
                owner=admitted,
                holder=(entry.link.id, visitor_pass.visitor),
            ),
            admitted,
        )

    def _to_desk(self, client: ClientConnection, facts: RequestFacts, jar: CookieJar) -> None:
        head = facts.head
        if self._is_too_much(client, facts, jar):
            return
        limit = _LOGIN_BODY_LIMIT if facts.route.room is PathKind.LOGIN else _DESK_BODY_LIMIT
        if head.content_length is not None and head.content_length > limit:
            client.reply(Reason.BODY_TOO_LARGE, detail=f"The body is larger than {limit} bytes.", close=True)
            return
        shared = cast("LinkEntry | None", facts.shared_link)
        answer = _DESK_ANSWER
        if facts.route.room is PathKind.LOGIN and facts.navigates and shared is not None:
            answer = ApplicationResponse(self._cleared_for(facts.host, jar, shared))
        visitor = _visitor(facts)
        facts_for_desk = (
            f"{CLIENT_ADDRESS}: {visitor.address.decode()}\r\n{REQUEST_ID}: {self._gateway.next_request_id()}\r\n"
        )
        if facts.navigates:
            facts_for_desk += f"{PAGE}: 1\r\n"
        if facts.route.room is PathKind.LOGIN and shared is not None and shared.link.max_visitors is not None:
            newcomer = (self._promised(shared, facts) or self._new_pass(shared, facts)).visitor
            client.tell_if_left(partial(self._free_place, shared, newcomer, facts.address))
            facts_for_desk += f"{VISITOR}: {newcomer}\r\n"
        if not self._opens_links:
            facts_for_desk += f"{ADMIN}: 1\r\n"
        sent = request_head(
            head,
            head.target,
            visitor,
            cookie=head.values.get(b"cookie", b""),
            upgrade=False,
            extra=facts_for_desk.encode(),
        )
        client.start(
            Exchange(
                client,
                self._gateway,
                head,
                sent,
                self._gateway.desk,
                answer,
                body_limit=limit,
                response_timeout=_DESK_TIMEOUT,
            )
        )

    def _redirect(
        self,
        client: ClientConnection,
        facts: RequestFacts,
        jar: CookieJar,
        decision: Redirect,
        new_pass: VisitorPass | None = None,
        extra: Iterable[bytes] = (),
    ) -> None:
        lines = [*extra]
        left = cast("LinkEntry | None", decision.leaves)
        if left is not None and facts.own_pass is not None:
            left.cut(facts.own_pass.visitor)
            names = [*jar.names, *jar.renamed, *(name.encode() for name in sorted(COOKIE_NAMES)), self._promise_name]
            lines += self._leaving(facts.host, names, b'"cache", "storage"')
        opening = cast("LinkEntry | None", decision.opening)
        if opening is not None:
            own = facts.own_pass
            if own is None or decision.new_pass:
                own = new_pass or self._new_pass(opening, facts, opens=True)
                if left is None:
                    lines += self._cleared_for(facts.host, jar, opening)
                lines.append(b"Set-Cookie: %b\r\n" % self._pass_cookie(own))
                if facts.host.kind is not _LINK:
                    self._replace_passes(jar, own)
            # On a link's own host the pass has come there in a ticket.
            self._opened(opening, own, facts, came_back=own is facts.own_pass or facts.host.kind is _LINK)
        fields = (("Location", decision.location.decode("latin-1")), *_REDIRECT_FIELDS)
        client.answer(RenderedNotice(decision.status, fields, b""), extra=lines)

    def _read_ticket(self, facts: RequestFacts) -> VisitorPass | None:
        query = facts.head.query
        if facts.route.room is not _OPEN or not query.startswith(_TICKET):
            return None
        ticket = self._gateway.passes.read_ticket(query.removeprefix(_TICKET).decode("latin-1"))
        return ticket if ticket is not None and ticket.is_within(TICKET_SECONDS, facts.now) else None

    def _read_entry(self, facts: RequestFacts) -> EntryTicket | None:
        query = facts.head.query
        if facts.route.room is not _ENTER or not query.startswith(_ENTRY):
            return None
        ticket = self._gateway.passes.read_entry(query.removeprefix(_ENTRY).partition(b"&")[0].decode("latin-1"))
        return ticket if ticket is not None and ticket.is_within(TICKET_SECONDS, facts.now) else None

    def _opened(self, entry: LinkEntry, visitor_pass: VisitorPass, facts: RequestFacts, *, came_back: bool) -> None:
        if visitor_pass.is_preview:
            return
        agent = facts.head.values.get(b"user-agent", b"").decode("latin-1")
        self._gateway.visits.opened(
            entry.link.id,
            visitor_pass.visitor,
            facts.now,
            address=facts.address,
            user_agent=agent,
            link_version=visitor_pass.link_version,
            came_back=came_back,
        )

    def _cleared_for(self, host: RequestedHost, jar: CookieJar, entry: LinkEntry) -> list[bytes]:
        """What takes from a browser that gets a pass whatever another link's environment may have left there.

        On the shared origin a script can evict the pass of its link, and then nobody is asked about a switch.
        """
        was_here = bool(jar.passes) and all(known.link_id == entry.link.id for known in jar.passes)
        if was_here or not self._gateway.shares_origin:
            return []
        return self._leaving(host, [*jar.names, *jar.renamed], b'"storage"')

    def _leaving(self, host: RequestedHost, names: Sequence[bytes], cleared: bytes) -> list[bytes]:
        """Field lines that take from a browser the cookies of these names and what else is `cleared`.

        Clear-Site-Data (W3C) works on trustworthy origins only. Its "cookies" would also clear those of every
        other site under the same registrable domain, so cookies are expired one by one.
        """
        fields = expirations(names, secure=self._gateway.secure, paths=_SHARE_PATHS)
        lines = [b"Set-Cookie: %b\r\n" % field for field in fields]
        if host.is_trustworthy:
            lines.append(b"Clear-Site-Data: %b\r\n" % cleared)
        return lines

    def _new_pass(self, entry: LinkEntry, facts: RequestFacts, *, opens: bool = False) -> VisitorPass:
        """A pass for somebody new, who is counted where it `opens` the link; of many not all are told apart."""
        link = entry.link
        told_apart = not opens or self._gateway.visits.tell_apart(link.id, facts.address)
        return self._gateway.passes.issue(link.id, link.version, int(facts.now), told_apart=told_apart)

    def _promised(self, entry: LinkEntry, facts: RequestFacts) -> VisitorPass | None:
        """A pass for the visitor whom our page has named to this browser, so that it takes no second place."""
        jar = self._gateway.cookies.read(facts.head.values.get(b"cookie"))
        promise, link = jar.promised(self._promise_name, entry.link.id), entry.link
        if promise is None or promise.link_version != link.version or promise.visitor in entry.ended:
            return None
        if not promise.is_within(PROMISE_SECONDS, facts.now):
            return None
        return VisitorPass(link.id, link.version, promise.visitor, int(facts.now))

    def _promise(self, facts: RequestFacts, entry: LinkEntry) -> list[bytes]:
        """What names to a browser, with the page before it takes a place, the visitor that it is going to be."""
        if not facts.navigates or entry.link.max_visitors is None or self._promised(entry, facts) is not None:
            return []
        text, name = self._gateway.passes.write_promise(self._new_pass(entry, facts)), self._promise_name.decode()
        cookie = pass_cookie(text, secure=self._gateway.secure, name=name, max_age=PROMISE_SECONDS)
        return [b"Set-Cookie: %b\r\n" % cookie.encode()]

    def _pass_cookie(self, visitor_pass: VisitorPass, name: str | None = None) -> bytes:
        text, secure = self._gateway.passes.write(visitor_pass), self._gateway.secure
        if visitor_pass.is_preview:
            return pass_cookie(text, secure=secure, max_age=PREVIEW_SECONDS).encode()
        return pass_cookie(text, secure=secure, name=name).encode()


def _visitor(facts: RequestFacts) -> ForwardedVisitor:
    return ForwardedVisitor(facts.address.encode(), facts.named, facts.host.scheme)


def _end_of(visitor_pass: VisitorPass) -> datetime | None:
    """When the pass is over, where that is sooner than its link."""
    if not visitor_pass.is_preview:
        return None
    return datetime.fromtimestamp(visitor_pass.issued_at + PREVIEW_SECONDS, UTC)


def _turns_away(facts: RequestFacts, reason: Reason) -> bool:
    """Whether a person reads that he does not get in; scripts and images of a page that is open are no news."""
    if facts.own_pass is not None and facts.own_pass.is_preview:
        return False
    return (facts.navigates or facts.route.room is _OPEN) and reason not in _NO_REFUSALS
