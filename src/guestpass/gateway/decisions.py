"""What the decision about a request rests on, and what can be decided."""

from __future__ import annotations

from dataclasses import dataclass

from guestpass.app.link_cache import LinkEntry
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import EntryTicket, VisitorPass
from guestpass.gateway.hosts import RequestedHost
from guestpass.gateway.paths import Route
from guestpass.wire.heads import RequestHead


@dataclass(slots=True, init=False)
class RequestFacts:
    """All that the decision rests on.

    `own_pass` is the visitor's pass as far as it counts on this host, with the link that it names (`own_link`, None
    where that is gone). `shared_link` is the link of the token in the path or of `ticket`, None
    for an unknown token, and `was_replaced` says that a rotation retired it. `preview` is the pass that an owner's
    ticket in the query stands for, `ticket` what leads from PUBLIC_URL's host to a link's own. `address` is the
    visitor's, `named` the host as they named it, `is_bot` that a program looks at the link because somebody sent it.
    `is_out_of_date` says that nobody could ask the database for so long that links may have ended meanwhile.
    """

    head: RequestHead
    host: RequestedHost
    route: Route
    now: float
    upgrade: bool
    own_pass: VisitorPass | None
    own_link: LinkEntry | None
    shared_link: LinkEntry | None
    was_replaced: bool
    preview: VisitorPass | None
    ticket: EntryTicket | None
    address: str
    named: bytes
    is_bot: bool
    is_out_of_date: bool

    # Written out, as in `ForwardedVisitor`.
    def __init__(
        self,
        head: RequestHead,
        host: RequestedHost,
        route: Route,
        now: float,
        upgrade: bool = False,
        *,
        own_pass: VisitorPass | None = None,
        own_link: LinkEntry | None = None,
        shared_link: LinkEntry | None = None,
        was_replaced: bool = False,
        preview: VisitorPass | None = None,
        ticket: EntryTicket | None = None,
        address: str = "",
        named: bytes = b"",
        is_bot: bool = False,
        is_out_of_date: bool = False,
    ) -> None:
        self.head = head
        self.host = host
        self.route = route
        self.now = now
        self.upgrade = upgrade
        self.own_pass = own_pass
        self.own_link = own_link
        self.shared_link = shared_link
        self.was_replaced = was_replaced
        self.preview = preview
        self.ticket = ticket
        self.address = address
        self.named = named
        self.is_bot = is_bot
        self.is_out_of_date = is_out_of_date

    @property
    def navigates(self) -> bool:
        """Whether a browser navigates."""
        return wants_page(self.head)

    @property
    def no_link(self) -> Reason:
        """Why the token in the path opens nothing."""
        return Reason.LINK_REPLACED if self.was_replaced else Reason.UNKNOWN_LINK


@dataclass(slots=True, init=False)
class Forward:
    """Send it to the link's environment as `target`.

    `opening` says that this opens the link, `new_pass` that a pass for it is set.
    """

    link: LinkEntry
    target: bytes
    opening: bool
    new_pass: bool

    # Written out, as in `ForwardedVisitor`.
    def __init__(self, link: LinkEntry, target: bytes, *, opening: bool = False, new_pass: bool = False) -> None:
        self.link = link
        self.target = target
        self.opening = opening
        self.new_pass = new_pass


@dataclass(frozen=True, slots=True)
class ToApplication:
    """The ASGI application answers."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with a redirect.

    `opening` is the link that this opens, `new_pass` says that a pass for it is set; `leaves` is the link that
    the browser leaves, with all that it kept of it.
    """

    status: int
    location: bytes
    opening: LinkEntry | None = None
    new_pass: bool = False
    leaves: LinkEntry | None = None


@dataclass(frozen=True, slots=True)
class HandOver:
    """Let a browser in on PUBLIC_URL's host, and send it to the link's own host with a ticket and its `query`.

    `new_pass` says that it gets a pass, which is remembered here for the next time.
    """

    link: LinkEntry
    query: bytes
    new_pass: bool = False


@dataclass(frozen=True, slots=True)
class TakeSlot:
    """Open a link that lets so many visitors in, if there is room: then go on with a new pass.

    With `preview` its owner looks, once, and takes no place; `leaves` is then another preview, which ends.
    """

    link: LinkEntry
    then: Redirect | HandOver
    preview: VisitorPass | None = None


@dataclass(frozen=True, slots=True)
class Arrive:
    """On a link's own host, redirect to `location` with the pass that a ticket stands for, if it works for once.

    `holds_pass` says that the browser has a pass for it already, and needs neither.
    """

    link: LinkEntry
    ticket: EntryTicket
    location: bytes
    holds_pass: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Refuse, or ask for something: `link` is the one concerned, for its history; `detail` is for the person."""

    reason: Reason
    link: LinkEntry | None = None
    detail: str | None = None


Decision = Forward | ToApplication | Redirect | HandOver | TakeSlot | Arrive | Answer


def wants_page(head: RequestHead) -> bool:
    """Whether a browser navigates, so that a page is the right answer (Fetch Metadata, W3C).

    Where no Sec-Fetch field came (plain http off localhost, old Safari), it is a GET that says
    ``Upgrade-Insecure-Requests: 1`` or names text/html first. A form's POST has no other sign than the latter.
    """
    values = head.values
    mode = values.get(b"sec-fetch-mode")
    if mode is not None:
        return mode == b"navigate"
    if b"sec-fetch-site" in values or b"sec-fetch-dest" in values or head.method not in (b"GET", b"POST"):
        return False
    first = values.get(b"accept", b"").partition(b",")[0].partition(b";")[0].strip().lower()
    return first == b"text/html" or (head.method == b"GET" and values.get(b"upgrade-insecure-requests") == b"1")
