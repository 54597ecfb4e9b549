"""Decide about a request: plain facts in, a decision out.

Pure, one ordered ladder; whatever no rung allows is refused.
"""

from __future__ import annotations

from typing import Final

from guestpass.app.link_cache import LinkEntry
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.link import ShareType, Status
from guestpass.domain.reasons import WHY_ENDED, Reason
from guestpass.domain.visitor_pass import VisitorPass
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
from guestpass.gateway.hosts import HostKind, RequestedHost
from guestpass.gateway.paths import PathKind, is_api
from guestpass.wire.heads import RequestHead

SAFE_METHODS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
# A member of an enumeration costs a look-up in its class each time.
_MAIN, _LINK, _FORMER, _UNKNOWN = HostKind.MAIN, HostKind.LINK, HostKind.FORMER, HostKind.UNKNOWN
_OPEN, _LOGIN, _ENTER, _PROXY, _API = PathKind.OPEN, PathKind.LOGIN, PathKind.ENTER, PathKind.PROXY, PathKind.API
_MISSPELT: Final = PathKind.MISSPELT
_WORKPLACE: Final = b"/web"
"""Where those who work in Odoo do so, in any version; from 18 on it leads to ``/odoo``."""
_APPLICATION: Final = ToApplication()


def decide_admin(facts: RequestFacts) -> Decision:
    """The ladder of the admin listener: under its own name everything is the application's."""
    return _APPLICATION if facts.host.kind is _MAIN else Answer(Reason.UNKNOWN_HOST)


class Admission:
    """The ladder of the public listener, for one set of addresses."""

    def __init__(self, addresses: PublicUrls, *, api_on_public: bool) -> None:
        self._addresses = addresses
        self._own_origins = addresses.link_domain is not None
        self._api_on_public = api_on_public

    def decide(self, facts: RequestFacts) -> Decision:
        """Walk down the rungs; the first that applies decides."""
        head, host, route = facts.head, facts.host, facts.route
        # A name that is not ours: the request was meant for somebody else, or somebody rebinds DNS.
        if host.kind is _UNKNOWN:
            return Answer(Reason.UNKNOWN_HOST)
        # The API authorises by bearer tokens, which no foreign page can add, so Origin says nothing there.
        if host.kind is _MAIN and self._api_on_public and head.path.startswith(b"/api/"):
            alone = self._own_origins or facts.own_pass is None
            if is_api(route, head.path, alone=alone):
                return _APPLICATION
        # Whether anything is still as it was is not known any more.
        if facts.is_out_of_date:
            return Answer(Reason.UNAVAILABLE)
        # An address of former days leads to today's, and to nothing else.
        if host.kind is _FORMER:
            return self._from_former(facts)
        # No environment is to see a token, wherever in a path it stands.
        if route.room is _MISSPELT:
            return Answer(Reason.UNKNOWN_LINK)
        # A page of another origin must not act with the visitor's cookies.
        if (facts.upgrade or head.method not in SAFE_METHODS) and not _is_own_origin(facts):
            return Answer(Reason.FOREIGN_ORIGIN)
        return self._on_links_host(facts) if host.kind is _LINK else self._on_main_host(facts)

    def _on_main_host(self, facts: RequestFacts) -> Decision:
        """Where links are opened, and without own origins have their content."""
        route = facts.route
        # On a shared origin a service worker of one environment would outlive it and see the next one's token.
        values = facts.head.values
        if b"service-worker" in values and values[b"service-worker"].lower() == b"script":
            return Answer(Reason.SERVICE_WORKER)
        if self._own_origins and (nothing := self._beside_content(facts)):
            return nothing
        if route.room is _OPEN:
            return self._preview(facts) or self._open(facts)
        if route.room is _LOGIN:
            return self._login(facts)
        if route.room is _ENTER:
            return Answer(Reason.UNKNOWN_LINK)
        return self._go_through(facts)

    def _go_through(self, facts: RequestFacts) -> Decision:
        """To the environment of the pass, under its own name for the path or behind ``/s-proxy``."""
        own, link, host = facts.own_pass, facts.own_link, facts.host
        if own is None or link is None or not _opens(own, link):
            return Answer(Reason.PASS_MISSING)
        if host.kind is _LINK and not _is_host_of(host, link):
            return Answer(Reason.PASS_MISSING)
        if ended := WHY_ENDED.get(link.status_at(facts.now)):
            return Answer(ended, link)
        if link.is_restricted and not link.admits(facts.address):
            return Answer(Reason.ADDRESS_REFUSED, link)
        if link.maintenance is not None:
            return Answer(Reason.MAINTENANCE, link, link.maintenance)
        route = facts.route
        if route.room is _PROXY and route.path is not None:
            return Forward(link, route.path + facts.head.query)
        return Forward(link, facts.head.target)

    def _from_former(self, facts: RequestFacts) -> Decision:
        route, link = facts.route, facts.shared_link
        if route.room not in (_OPEN, _LOGIN) or route.token is None:
            return Answer(Reason.UNKNOWN_HOST)
        return self._to_share_url(facts, route.token) if link is not None else Answer(facts.no_link)

    def _on_links_host(self, facts: RequestFacts) -> Decision:
        """Where one version of a link has its content, and nothing else: whoever opens a link does so elsewhere."""
        route, shared = facts.route, facts.shared_link
        if route.room is _ENTER:
            return self._arrive(facts)
        if route.token is None:
            return self._go_through(facts)
        # Share URLs led here once. Another link's token has no business where this link's content runs scripts.
        if shared is None or shared.link.id != facts.host.link_id:
            return Answer(facts.no_link)
        return self._to_share_url(facts, route.token)

    def _to_share_url(self, facts: RequestFacts, token: str) -> Redirect:
        url = self._addresses.share_url(token).encode()
        if facts.route.room is _LOGIN and facts.head.method == b"POST" and not facts.navigates:
            return Redirect(308, url + b"/login" + facts.head.query)
        return Redirect(303, url + facts.head.query)

    def _beside_content(self, facts: RequestFacts) -> Answer | None:
        """With own origins the main host serves programs alone; None where there is something for this request."""
        head, room = facts.head, facts.route.room
        if room in (_OPEN, _LOGIN, _ENTER):
            return None
        if facts.navigates or _is_by_a_page(head) or room is _API:
            return Answer(Reason.NOT_FOUND)
        return None if room is _PROXY or facts.own_pass is not None else Answer(Reason.NOT_FOUND)

    def _arrive(self, facts: RequestFacts) -> Decision:
        """With a ticket from PUBLIC_URL's host, where the link was opened, onto the host of the version that it names.

        Who has been here before goes on with the pass of then, whatever the ticket is worth.
        """
        head, host, ticket, link = facts.head, facts.host, facts.ticket, facts.shared_link
        if head.method != b"GET":
            return Answer(Reason.METHOD_NOT_ALLOWED)
        query = head.query.partition(b"&")[2]
        own = facts.own_link
        if own is not None and not (_opens(facts.own_pass, own) and _is_host_of(host, own)):
            own = None
        if ticket is None or link is None or not _is_host_of(host, link) or not _opens(ticket.visitor_pass, link):
            if own is not None:
                return Redirect(303, _landing(own, b"?" + query if query else b""))
            return Answer(Reason.TICKET_SPENT)
        if refused := self._refused_at(link, facts):
            return refused
        keeps = own is not None and (not ticket.visitor_pass.is_preview or facts.own_pass == ticket.visitor_pass)
        if not keeps and not _is_top_level(head):
            return Answer(Reason.EMBEDDED, link)
        return Arrive(link, ticket, _landing(link, b"?" + query if query else b""), keeps)

    def _preview(self, facts: RequestFacts) -> Decision | None:
        """What an owner who looks at a link gets; None for everybody else.

        Only in a browser's own window: a frame of another page must not look in its owner's stead.
        """
        head, shared = facts.head, facts.shared_link
        if shared is None or not _opens(facts.preview, shared):
            return None
        if head.method != b"GET" or not facts.navigates or not _is_top_level(head):
            return None
        if refused := self._refused_at(shared, facts):
            return refused
        other = self._other_live_link(facts)
        if other is not None and facts.own_pass is not None and not facts.own_pass.is_preview:
            return Answer(Reason.SWITCH_LINK, shared)
        if self._own_origins:
            return TakeSlot(shared, HandOver(shared, b"", new_pass=True), preview=facts.preview)
        then = Redirect(303, _landing(shared, b""), opening=shared, new_pass=True, leaves=other)
        return TakeSlot(shared, then, preview=facts.preview)

    def _open(self, facts: RequestFacts) -> Decision:
        head, shared = facts.head, facts.shared_link
        if head.method not in (b"GET", b"HEAD", b"POST"):
            return Answer(Reason.METHOD_NOT_ALLOWED)
        if shared is None:
            return Answer(facts.no_link)
        # The card that bots get tells nothing, and none of them comes from a customer's network. Whatever else they ask
        # for is refused from elsewhere: who says that it is a bot need not be one.
        gets_card = facts.is_bot and head.method != b"POST"
        if refused := self._refused_at(shared, facts, from_anywhere=gets_card):
            return refused
        other = self._other_live_link(facts)
        holds_pass = _opens(facts.own_pass, shared)
        if head.method == b"POST":
            return self._confirmed(facts, shared, other, holds_pass=holds_pass)
        if gets_card or (head.method == b"HEAD" and not holds_pass):
            return Answer(Reason.PREVIEW, shared)
        if other is not None and facts.navigates:
            return Answer(Reason.SWITCH_LINK, shared)
        if not holds_pass and shared.link.share_type is ShareType.PASSWORD:
            return Answer(Reason.PASSWORD_NEEDED, shared)
        return self._let_in(facts, shared, holds_pass=holds_pass)

    def _let_in(self, facts: RequestFacts, shared: LinkEntry, *, holds_pass: bool) -> Decision:
        head = facts.head
        if shared.maintenance is not None:
            return Answer(Reason.MAINTENANCE, shared, shared.maintenance)
        # HEAD only asks what GET would bring: it opens nothing.
        opening = head.method != b"HEAD"
        # A frame or an image of another page must not put its own visitor into the browser's jar.
        top_level = _is_top_level(head)
        if facts.navigates and not holds_pass and not top_level:
            return Answer(Reason.EMBEDDED, shared)
        if not holds_pass and shared.link.max_visitors is not None:
            # Scanners of mail run whole browsers, so a place is only taken by who presses a button.
            return Answer(Reason.CONFIRM_OPENING, shared)
        grants = opening and top_level and not holds_pass
        if not facts.navigates:
            if self._own_origins and _is_by_a_page(head):
                return Answer(Reason.EMBEDDED, shared)
            return Forward(shared, b"/" + head.query, opening=opening, new_pass=grants)
        if self._own_origins:
            return HandOver(shared, head.query, new_pass=grants)
        return Redirect(303, _landing(shared, head.query), opening=shared if opening else None, new_pass=grants)

    def _confirmed(
        self, facts: RequestFacts, shared: LinkEntry, other: LinkEntry | None, *, holds_pass: bool
    ) -> Decision:
        """A button was pressed on one of our pages: to leave another link, or to take a place at this one."""
        limited = shared.link.max_visitors is not None and shared.link.share_type is ShareType.TOKEN
        if other is None and limited and not holds_pass:
            if shared.maintenance is not None:
                return Answer(Reason.MAINTENANCE, shared, shared.maintenance)
            if not _is_top_level(facts.head):
                return Answer(Reason.EMBEDDED, shared)
            query = facts.head.query
            if self._own_origins and facts.navigates:
                return TakeSlot(shared, HandOver(shared, query, new_pass=True))
            # With own origins a program finds the content at the share URL alone.
            location = facts.head.path + query if self._own_origins else _landing(shared, query)
            return TakeSlot(shared, Redirect(303, location, opening=shared, new_pass=True))
        if self._own_origins and not limited:
            return Answer(Reason.METHOD_NOT_ALLOWED)
        return Redirect(303, facts.head.path + facts.head.query, leaves=other)

    @staticmethod
    def _refused_at(shared: LinkEntry, facts: RequestFacts, *, from_anywhere: bool = False) -> Answer | None:
        """Why a link that exists is not for this visitor at this moment."""
        if ended := WHY_ENDED.get(shared.status_at(facts.now)):
            return Answer(ended, shared)
        if not from_anywhere and not shared.admits(facts.address):
            return Answer(Reason.ADDRESS_REFUSED, shared)
        return None

    def _login(self, facts: RequestFacts) -> Decision:
        head, shared = facts.head, facts.shared_link
        if head.method in (b"GET", b"HEAD"):
            # Somebody reloads the address that a wrong password left in the address bar.
            return Redirect(303, head.path.removesuffix(b"/login") + head.query)
        if head.method != b"POST":
            return Answer(Reason.METHOD_NOT_ALLOWED)
        if head.values.get(b"sec-fetch-site") == b"cross-site":
            return Answer(Reason.FOREIGN_ORIGIN)
        if shared is None:
            return Answer(facts.no_link)
        if refused := self._refused_at(shared, facts):
            return refused
        if facts.navigates and self._other_live_link(facts) is not None:
            return Answer(Reason.SWITCH_LINK, shared)
        return _APPLICATION

    def _other_live_link(self, facts: RequestFacts) -> LinkEntry | None:
        """The link that this browser has open on the one origin, where it is not the one that it asks for."""
        own, shared = facts.own_link, facts.shared_link
        if self._own_origins or own is None or not _opens(facts.own_pass, own):
            return None
        if shared is not None and shared.link.id == own.link.id:
            return None
        return own if own.status_at(facts.now) is Status.ACTIVE else None


def _opens(visitor_pass: VisitorPass | None, known: LinkEntry) -> bool:
    """Whether the pass is one of this link's present version; whether the link is open is another question."""
    link = known.link
    return (
        visitor_pass is not None
        and visitor_pass.link_id == link.id
        and visitor_pass.link_version == link.version
        and visitor_pass.visitor not in known.ended
    )


def _is_host_of(host: RequestedHost, known: LinkEntry) -> bool:
    """Whether it is the link's own host of its present version."""
    return host.link_id == known.link.id and host.link_version == known.link.version


def _is_top_level(head: RequestHead) -> bool:
    return head.values.get(b"sec-fetch-dest", b"document") == b"document"


def _is_by_a_page(head: RequestHead) -> bool:
    """Whether a page in a browser makes the request (Fetch Metadata, W3C)."""
    return head.values.get(b"sec-fetch-site", b"none") != b"none"


def _landing(known: LinkEntry, query: bytes) -> bytes:
    """Where a visitor goes who opens the link: its start path, else the root with the query that they brought.

    Whom the link signs in as somebody who works in Odoo goes there; the root may be a public website.
    """
    start = known.link.start_path
    if start is not None:
        return start.encode()
    if known.account is not None and known.account.is_internal:
        return _WORKPLACE + query
    return b"/" + query


def _is_own_origin(facts: RequestFacts) -> bool:
    """Whether Origin, if the client sent one, is the visitor's own (RFC 6454, section 7).

    ``null`` comes from our own pages only where a referrer policy hides them, and then Fetch Metadata vouches.
    """
    values = facts.head.values
    origin = values.get(b"origin")
    if origin is None:
        return True
    if origin == b"null":
        return values.get(b"sec-fetch-site") == b"same-origin"
    return origin.lower() == facts.host.origin
