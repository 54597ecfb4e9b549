"""Let visitors in: passes are given and slots taken, browsers are sent on, and what another link left is cleared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

from guestpass.app.link_cache import LinkEntry
from guestpass.app.ports import SlotResult
from guestpass.app.visitor_slots import TooManyNewcomers
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import PREVIEW_SECONDS, PROMISE_SECONDS, VisitorPass
from guestpass.gateway.context import AdmittedRequest, ClientRequest, Reply
from guestpass.gateway.cookies import CookieJar, expirations, expired
from guestpass.gateway.decisions import Answer, Arrive, HandOver, Redirect, RequestFacts, TakeSlot
from guestpass.gateway.hosts import HostKind, RequestedHost
from guestpass.gateway.paths import ENTRY_PATH
from guestpass.gateway.services import GatewayServices
from guestpass.signing.passes import COOKIE_NAMES, kept_pass_name, pass_cookie, promise_name

ENTRY: Final = b"?ticket="
"""How the query of an entry ticket begins."""
_LEAVING_SECONDS: Final = 2.0
_CLEAR: Final = b'Clear-Site-Data: "cache", "storage"\r\n'
_LINK: Final = HostKind.LINK
# Whose cookies come with a request for a share URL; with a longer path a script would have to know the token.
_SHARE_PATHS: Final = (b"/share/", b"/share", b"/")


class LinkOpening:
    """Opens links for those whom the ladder lets in."""

    def __init__(self, services: GatewayServices) -> None:
        self._runtime = services.runtime
        self._fault_log = services.fault_log
        self._public_urls = services.public_urls
        self._secure = services.public_urls.secure
        self._shares_origin = services.public_urls.link_domain is None
        self._link_cache = services.link_cache
        self._visits = services.visits
        self._slots = services.slots
        self._previews = services.previews
        self._entry_tickets = services.entry_tickets
        self._passes = services.passes
        self._responder = services.responder
        self._promise_name = promise_name(secure=self._secure).encode()

    # Passes

    def new_pass(self, entry: LinkEntry, facts: RequestFacts, *, opens: bool = False) -> VisitorPass:
        """A pass for somebody new, who is counted where it `opens` the link; of many not all are told apart."""
        link = entry.link
        distinguished = not opens or self._visits.distinguish(link.id, facts.address)
        return self._passes.issue(link.id, link.version, int(facts.now), distinguished=distinguished)

    def pass_cookie(self, visitor_pass: VisitorPass, name: str | None = None) -> bytes:
        """The Set-Cookie value for a pass."""
        text = self._passes.write(visitor_pass)
        if visitor_pass.is_preview:
            return pass_cookie(text, secure=self._secure, max_age=PREVIEW_SECONDS).encode()
        return pass_cookie(text, secure=self._secure, name=name).encode()

    def replace_passes(self, jar: CookieJar, new: VisitorPass) -> None:
        """End the visits of the passes that a new one replaces in a browser, under the same name."""
        living = []
        for known in jar.passes:
            entry = self._link_cache.get(known.link_id)
            is_current = entry is not None and known.link_version == entry.link.version
            is_another = (known.link_id, known.visitor) != (new.link_id, new.visitor)
            if is_another and is_current and not known.is_preview:
                living.append(known)
        if living:
            self._runtime.spawn(self._slots.leave(living))

    def promised(self, request: ClientRequest, entry: LinkEntry) -> VisitorPass | None:
        """A pass for the visitor whom our page has named to this browser, so that it takes no second slot."""
        promise, link = request.jar.promised(self._promise_name, entry.link.id), entry.link
        if promise is None or promise.link_version != link.version or promise.visitor in entry.ended:
            return None
        if not promise.is_within(PROMISE_SECONDS, request.facts.now):
            return None
        return VisitorPass(link.id, link.version, promise.visitor, int(request.facts.now))

    def promise(self, request: ClientRequest, entry: LinkEntry) -> list[bytes]:
        """What names to a browser, with the page before it takes a slot, the visitor that it is going to be."""
        facts = request.facts
        if not facts.navigates or entry.link.max_visitors is None or self.promised(request, entry) is not None:
            return []
        text, name = self._passes.write_promise(self.new_pass(entry, facts)), self._promise_name.decode()
        cookie = pass_cookie(text, secure=self._secure, name=name, max_age=PROMISE_SECONDS)
        return [b"Set-Cookie: %b\r\n" % cookie.encode()]

    def count(self, entry: LinkEntry, visitor_pass: VisitorPass, facts: RequestFacts, *, came_back: bool) -> None:
        """Count that a visitor has opened the link."""
        if visitor_pass.is_preview:
            return
        agent = facts.head.values.get(b"user-agent", b"").decode("latin-1")
        self._visits.opened(
            entry.link.id,
            visitor_pass.visitor,
            facts.now,
            address=facts.address,
            user_agent=agent,
            link_version=visitor_pass.link_version,
            came_back=came_back,
        )

    # Slots

    def take_slot(self, request: ClientRequest, decision: TakeSlot) -> None:
        """Let one more visitor in, if the link has room."""
        entry, facts = decision.link, request.facts
        new_pass = decision.preview or self.promised(request, entry) or self.new_pass(entry, facts)
        admitted = AdmittedRequest(request, decision, entry, new_pass.visitor)
        now = datetime.fromtimestamp(facts.now, UTC)
        if decision.preview is None:
            request.client.notify_if_left(partial(self.free_slot, entry, new_pass.visitor, facts.address, now))
        admitted.wait()
        self._runtime.spawn(self._await_slot(request, decision, new_pass, admitted, now))

    async def _await_slot(
        self,
        request: ClientRequest,
        decision: TakeSlot,
        new_pass: VisitorPass,
        admitted: AdmittedRequest,
        now: datetime,
    ) -> None:
        entry, is_preview, decider, facts = admitted.entry, decision.preview is not None, request.decider, request.facts
        try:
            if is_preview:
                spent = await self._previews.spend(new_pass.visitor)
                slot = SlotResult.TAKEN if spent is None else SlotResult.FULL
            else:
                slot = await self._slots.take(entry.link, new_pass.visitor, facts.address, now)
        except TooManyNewcomers as error:
            if admitted.goes_on():
                decider.turn_back(request, Reason.LINK_OVERRUN, error.seconds, entry)
            return
        except Exception as error:  # noqa: BLE001 - as for every look-up
            self._fault_log.of_database(error)
            admitted.give_up(Reason.UNAVAILABLE)
            return
        let_in = slot not in (SlotResult.FULL, SlotResult.GONE)
        if not admitted.goes_on():
            if let_in and not is_preview and slot is not SlotResult.HELD:
                await self._slots.give_back(entry.link.id, new_pass.visitor, now)
        elif let_in:
            self._send_in(request, decision, new_pass)
        elif is_preview:
            # Used before: whoever follows it again is a visitor like any other.
            self._send_on(request, Redirect(303, facts.head.path))
        elif slot is SlotResult.FULL:
            full = Reply(Reason.LINK_FULL, token=facts.route.token, link=entry, turns_away=True)
            decider.reply(request, full)
        else:
            # Its version, or the visit, ended a moment ago.
            decider.refuse(request, Answer(Reason.UNAVAILABLE, entry))

    def _send_in(self, request: ClientRequest, decision: TakeSlot, new_pass: VisitorPass) -> None:
        if isinstance(decision.then, HandOver):
            self.hand_over(request, decision.then, new_pass)
        else:
            self._send_on(request, decision.then, new_pass)

    def free_slot(self, entry: LinkEntry, visitor: str, address: str, taken_at: datetime | None = None) -> None:
        """Free the slot of a visitor who left before the answer came."""
        if entry.link.max_visitors is not None:
            self._runtime.spawn(self._slots.free(entry.link.id, visitor, address, taken_at))

    # Links' own hosts

    def hand_over(self, request: ClientRequest, decision: HandOver, new_pass: VisitorPass | None = None) -> None:
        """Send a browser to the link's own host, and remember its pass here: it may come again by the same URL."""
        facts, entry = request.facts, decision.link
        own = new_pass or (None if decision.new_pass else facts.own_pass) or self.new_pass(entry, facts, opens=True)
        lines: list[bytes] = []
        if decision.new_pass and not own.is_preview:
            name = kept_pass_name(own.link_id, secure=self._secure)
            lines.append(b"Set-Cookie: %b\r\n" % self.pass_cookie(own, name))
            too_many = request.jar.too_many_kept(own.link_id)
            lines += [b"Set-Cookie: %b\r\n" % expired(each, secure=self._secure) for each in too_many]
        origin = self._public_urls.link_origin(entry.link.id, entry.link.version)
        ticket = self._passes.write_entry(own, int(facts.now))
        query = decision.query.decode("latin-1").replace("?", "&", 1)
        location = f"{origin}{ENTRY_PATH.decode()}{ENTRY.decode()}{ticket}{query}"
        self._responder.redirect(request.client, 303, location, lines)

    def arrive(self, request: ClientRequest, decision: Arrive) -> None:
        """Give a browser on a link's own host the pass of its ticket, once."""
        admitted = AdmittedRequest(request, decision, decision.link, decision.ticket.visitor_pass.visitor)
        admitted.wait()
        self._runtime.spawn(self._await_arrival(request, decision, admitted))

    async def _await_arrival(self, request: ClientRequest, decision: Arrive, admitted: AdmittedRequest) -> None:
        ticket, facts = decision.ticket, request.facts
        is_first = await self._entry_tickets.spend(ticket)
        if not admitted.goes_on():
            return
        if not is_first and not decision.holds_pass:
            request.decider.refuse(request, Answer(Reason.TICKET_SPENT, decision.link))
            return
        new = None if decision.holds_pass else ticket.visitor_pass
        opening = decision.link if is_first else None
        then = Redirect(303, decision.location, opening=opening, new_pass=new is not None)
        # Whoever comes here for the first time has nothing here, unless a database that was restored gave a version's
        # number out again, or this host had earlier versions too.
        clears = facts.own_pass is None and facts.host.is_trustworthy
        self._send_on(request, then, new, (_CLEAR,) if clears else ())

    # Redirects

    def redirect(self, request: ClientRequest, decision: Redirect) -> None:
        """Send a browser on; where it leaves another link, once its visit there is over."""
        if decision.leaves is None:
            self._send_on(request, decision)
        else:
            request.client.wait()
            self._runtime.spawn(self._await_leaving(request, decision))

    async def _await_leaving(self, request: ClientRequest, decision: Redirect) -> None:
        """End the visit at the link that a browser leaves, so that its slot is free when it is sent on."""
        is_over, own_pass = asyncio.Event(), request.facts.own_pass
        self._runtime.spawn(self._leave([own_pass] if own_pass is not None else [], is_over))
        # Not cancelled, since it writes. While nothing can be written visitors are not kept waiting for that.
        with suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), _LEAVING_SECONDS)
        if request.client.is_open:
            self._send_on(request, decision)

    async def _leave(self, passes: Sequence[VisitorPass], is_over: asyncio.Event) -> None:
        try:
            await self._slots.leave(passes)
        finally:
            is_over.set()

    def _send_on(
        self,
        request: ClientRequest,
        decision: Redirect,
        new_pass: VisitorPass | None = None,
        extra: Iterable[bytes] = (),
    ) -> None:
        facts, jar, lines = request.facts, request.jar, [*extra]
        left, opening = decision.leaves, decision.opening
        if left is not None and facts.own_pass is not None:
            left.cut(facts.own_pass.visitor)
            names = [*jar.names, *jar.renamed, *(name.encode() for name in sorted(COOKIE_NAMES)), self._promise_name]
            lines += self._leaving(facts.host, names, b'"cache", "storage"')
        if opening is not None:
            own = facts.own_pass
            if own is None or decision.new_pass:
                own = new_pass or self.new_pass(opening, facts, opens=True)
                if left is None:
                    lines += self.cleared_for(request, opening)
                lines.append(b"Set-Cookie: %b\r\n" % self.pass_cookie(own))
                if facts.host.kind is not _LINK:
                    self.replace_passes(jar, own)
            # On a link's own host the pass has come there in a ticket.
            self.count(opening, own, facts, came_back=own is facts.own_pass or facts.host.kind is _LINK)
        self._responder.redirect(request.client, decision.status, decision.location.decode("latin-1"), lines)

    def cleared_for(self, request: ClientRequest, entry: LinkEntry) -> list[bytes]:
        """What takes from a browser that gets a pass whatever another link's environment may have left there.

        On the shared origin a script can evict the pass of its link, and then nobody is asked about a switch.
        """
        jar = request.jar
        was_here = bool(jar.passes) and all(known.link_id == entry.link.id for known in jar.passes)
        if was_here or not self._shares_origin:
            return []
        return self._leaving(request.facts.host, [*jar.names, *jar.renamed], b'"storage"')

    def _leaving(self, host: RequestedHost, names: Sequence[bytes], cleared: bytes) -> list[bytes]:
        """Field lines that take from a browser the cookies of these names and what else is `cleared`.

        Clear-Site-Data (W3C) works on trustworthy origins only. Its "cookies" would also clear those of every
        other site under the same registrable domain, so cookies are expired one by one.
        """
        fields = expirations(names, secure=self._secure, paths=_SHARE_PATHS)
        lines = [b"Set-Cookie: %b\r\n" % field for field in fields]
        if host.is_trustworthy:
            lines.append(b"Clear-Site-Data: %b\r\n" % cleared)
        return lines
