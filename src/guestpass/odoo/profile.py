"""What `kind: odoo` means: how an admitted request of a visitor goes to Odoo, and how it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from guestpass.app.link_cache import LinkEntry
from guestpass.app.notices import Notice, NoticeRenderer, RenderedNotice
from guestpass.app.ports import Entropy
from guestpass.app.visitor_sessions import NoSession, VisitorSession, VisitorSessions
from guestpass.domain.environment import BusPlace, Environment, EnvironmentKey
from guestpass.domain.link import Access
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import VisitorPass
from guestpass.gateway.admission import wants_page
from guestpass.gateway.context import Admitted
from guestpass.gateway.cookies import expired
from guestpass.gateway.head_rewriting import (
    EnvironmentResponse,
    ForwardedVisitor,
    pass_on,
    request_head,
    whole_request_head,
)
from guestpass.gateway.upstreams import origin_of
from guestpass.languages.language import language_for
from guestpass.odoo.assets.bodies import GoneError
from guestpass.odoo.assets.cache import AssetCache, AssetKey, Fetch, FetchedAsset, is_cacheable
from guestpass.odoo.assets.exchange import AssetExchange
from guestpass.odoo.assets.fetching import fetched
from guestpass.odoo.assets.responses import AssetResponse as AssetReply
from guestpass.odoo.assets.responses import is_answerable
from guestpass.odoo.bus.bus_socket import BusSocket
from guestpass.odoo.bus.frames import ViewOnlyFrames
from guestpass.odoo.fairness.examinations import BodyFinding, Outcome, Question, Subject
from guestpass.odoo.fairness.examiner import Examiner
from guestpass.odoo.fairness.fair_queue import RequestQueue
from guestpass.odoo.fairness.intake import BodyIntake, CallRefusal, Examined
from guestpass.odoo.fairness.outflow import SpooledOutflow
from guestpass.odoo.fairness.spool import IN_MEMORY, SpoolRoom
from guestpass.odoo.findings import X_SENDFILE
from guestpass.odoo.http.blocked_paths import needs_body_check
from guestpass.odoo.http.file_filter import FileFilter
from guestpass.odoo.http.jsonrpc_errors import answered, ending, is_call, is_json, upload_too_large, user_error
from guestpass.odoo.http.requests import (
    FixedName,
    fields_for_odoo,
    fixed_name,
    lines_for_odoo,
    takes_database,
    without_foreign_database,
)
from guestpass.odoo.http.response_filter import OdooResponse
from guestpass.odoo.http.responses import ROBOTS_BODY, ROBOTS_FIELDS, asks_for_robots
from guestpass.odoo.signed_in.rules import (
    NOT_FOR_VISITORS,
    SignInRuling,
    is_own_sign_in,
    rule_on_sign_in,
    why_nobody_leaves,
)
from guestpass.odoo.signed_in.session_cookie import with_session
from guestpass.odoo.signed_in.session_filter import SessionFilter, SessionUse
from guestpass.odoo.view_only.calls import Refused
from guestpass.odoo.view_only.routes import RouteRuling, rule_on_route, target_to_read
from guestpass.signing.passes import pass_name
from guestpass.wire.connector import Connector
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead
from guestpass.wire.pool import Holder

if TYPE_CHECKING:
    from guestpass.gateway.lifecycle import Gateway
    from guestpass.wire.client_connection import ClientConnection

# Who asks for assets, as Odoo's log has it: they are fetched for everybody.
_OUR_ADDRESS: Final = b"127.0.0.1"
_BUS: Final = (b"/websocket", b"/longpolling/")
_LONGEST_CALL: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """An admitted request on its way to an environment.

    `admitted` decides once more when the request has waited. `visitor_id` is the identity in the pass, `visitor` how
    they reached us, `origin` the one that their browser shows, `cookie` what it has for this environment. `may_sign_in`
    says that it is a person's browser, which keeps its pass, so that a session can be made for it; `pass_ends_at` is
    when that is over, where it is sooner than the link.
    """

    head: RequestHead
    target: bytes
    entry: LinkEntry
    admitted: Admitted
    visitor_id: str
    visitor: ForwardedVisitor
    origin: bytes
    cookie: bytes
    upgrade: bool
    answer: EnvironmentResponse
    may_sign_in: bool
    pass_ends_at: datetime | None = None

    @property
    def holder(self) -> Holder:
        """Who alone uses the connections that it goes over."""
        return self.entry.link.id, self.visitor_id


class OdooNotices:
    """Tells Odoo's web client of endings in its own language, and leaves what it would not understand to `inner`."""

    def __init__(self, inner: NoticeRenderer) -> None:
        self._inner = inner

    def render(self, notice: Notice) -> RenderedNotice:
        """The answer for a notice to a JSON-RPC call."""
        told = ending(notice.reason, message=notice.detail, languages=notice.languages)
        return told or self._inner.render(notice)


def calls_odoo(head: RequestHead) -> bool:
    """Whether the request is a JSON-RPC call of Odoo's web client."""
    return is_call(head.method, head.path, head.values.get(b"content-type", b""))


class OdooProfile:
    """The rules and limits of all Odoo environments of one worker."""

    def __init__(
        self,
        gateway: Gateway,
        room: SpoolRoom,
        assets: AssetCache,
        connector: Connector,
        sessions: VisitorSessions,
        entropy: Entropy,
    ) -> None:
        self._gateway = gateway
        self._room = room
        self._connector = connector
        self._sessions = sessions
        self._entropy = entropy
        self.assets = assets
        self._examiner = Examiner()
        self._turns: dict[EnvironmentKey, RequestQueue] = {}
        self.notices = OdooNotices(gateway.notices)

    def forward(self, client: ClientConnection, crossing: Crossing) -> None:
        """Let the request cross."""
        entry, head = crossing.entry, crossing.head
        environment = entry.environment
        path, question, query = crossing.target.partition(b"?")
        if asks_for_robots(path):
            client.answer(RenderedNotice(200, ROBOTS_FIELDS, ROBOTS_BODY))
            return
        if head.content_length is not None and head.content_length > environment.body_limit:
            if calls_odoo(head) or wants_page(head):
                detail = f"The body is larger than {environment.body_limit} bytes."
                client.reply(Reason.BODY_TOO_LARGE, detail=detail, close=True)
            else:
                client.answer(upload_too_large(environment.body_limit, head.languages), close=True)
            return
        target = self._ruled(client, crossing, path + without_foreign_database(question + query, environment.database))
        if target is None:
            return
        is_asset = not crossing.upgrade and is_cacheable(path, query) and is_answerable(head)
        if is_asset and self.assets.is_running and not path.startswith(_BUS):
            self._answer_asset(client, crossing, path)
        else:
            self._forward_to_odoo(client, crossing, target)

    def _ruled(self, client: ClientConnection, crossing: Crossing, target: bytes) -> bytes | None:
        """The target for Odoo under the rules of the link itself; None where the request has been answered."""
        head, link = crossing.head, crossing.entry.link
        path = target.partition(b"?")[0]
        if link.account is not None:
            sign_in = rule_on_sign_in(head.method, path)
            if sign_in is SignInRuling.LEAVES:
                if (refused := why_nobody_leaves(head)) is not None:
                    self._turn_away(client, crossing, refused)
                    return None
                client.wait()
                self._gateway.spawn(self._leave(client, crossing))
                return None
            if sign_in is SignInRuling.REFUSED:
                self._turn_away(client, crossing, Reason.NOT_SHARED, NOT_FOR_VISITORS)
                return None
        if link.access is Access.READ_ONLY and (link.account is not None or not is_own_sign_in(head.method, path)):
            ruling = _rule_on_looking(head, target)
            if ruling is RouteRuling.REFUSED:
                self._turn_away(client, crossing, Reason.VIEW_ONLY)
                return None
            if ruling is RouteRuling.READS:
                return target_to_read(target)
        return target

    def _forward_to_odoo(self, client: ClientConnection, crossing: Crossing, target: bytes) -> None:
        if crossing.entry.link.account is not None:
            self._forward_signed_in(client, crossing, target)
        else:
            self._send(client, crossing, target, None)

    def _forward_signed_in(self, client: ClientConnection, crossing: Crossing, target: bytes) -> None:
        """Under the visitor's session, which is made where there is none."""
        session = self._sessions.peek(crossing.entry, crossing.visitor_id)
        if session is None and crossing.may_sign_in:
            crossing.admitted.wait()
            self._gateway.spawn(self._sign_in(client, crossing, target))
        else:
            self._send(client, crossing, target, self._use(crossing, session))

    async def _sign_in(self, client: ClientConnection, crossing: Crossing, target: bytes) -> None:
        use = self._use(crossing, None)
        try:
            await use.renew()
        except NoSession as error:
            crossing.admitted.give_up(error.reason)
        except Exception:
            crossing.admitted.give_up(Reason.UNAVAILABLE)
            raise
        else:
            if crossing.admitted.goes_on():
                self._send(client, crossing, target, use)

    @staticmethod
    def _turn_away(client: ClientConnection, crossing: Crossing, reason: Reason, detail: str | None = None) -> None:
        client.reply(reason, detail=detail, link=crossing.entry, turns_away=wants_page(crossing.head))

    def _use(self, crossing: Crossing, session: VisitorSession | None) -> SessionUse:
        return SessionUse(
            self._sessions,
            crossing.entry,
            crossing.visitor_id,
            crossing.visitor.address.decode("latin-1"),
            session,
            crossing.admitted.reason,
            crossing.pass_ends_at,
        )

    async def _leave(self, client: ClientConnection, crossing: Crossing) -> None:
        """The visitor logs out: their visit ends, and Odoo is told so by us."""
        entry, visitor = crossing.entry, crossing.visitor_id
        try:
            # In this order: with the pass nobody is signed in again once the session is gone.
            await self._gateway.places.leave([VisitorPass(entry.link.id, entry.link.version, visitor, 0)])
            await self._sessions.end(entry, visitor)
        except Exception:
            if client.is_open:
                client.reply(Reason.UNAVAILABLE, link=entry)
            raise
        finally:
            entry.cut(visitor)
        if client.is_open:
            name = pass_name(secure=self._gateway.secure).encode()
            gone = b"Set-Cookie: %b\r\n" % expired(name, secure=self._gateway.secure)
            client.reply(Reason.VISIT_ENDED, extra=(gone,), link=entry)

    def _send(self, client: ClientConnection, crossing: Crossing, target: bytes, use: SessionUse | None) -> None:
        environment = crossing.entry.environment
        has_loop = environment.websocket_upstream is not None or environment.websocket_on is BusPlace.SAME
        if target.startswith(_BUS) and (crossing.upgrade or has_loop):
            self._join_bus(client, crossing, target, use)
        else:
            # Odoo has no sockets but that of its bus, and its workers are held by nobody.
            self._ask_odoo(client, crossing, target, use)

    def _join_bus(self, client: ClientConnection, crossing: Crossing, target: bytes, use: SessionUse | None) -> None:
        """The bus has an event loop of its own, which holds many connections without a worker for each."""
        head, environment = crossing.head, crossing.entry.environment
        fixed = _name_of(environment)
        fields = fields_for_odoo(head, fixed, crossing.origin, opens=crossing.answer.opens)
        # Frames of ours can only be put between frames that nothing has transformed.
        lines = pass_on([each for each in fields if each[0] != b"sec-websocket-extensions"], head.connection)
        view_only = ViewOnlyFrames(self._entropy) if crossing.entry.link.access is Access.READ_ONLY else None
        client.start(
            Exchange(
                client,
                self._gateway,
                head,
                request_head(
                    head,
                    target,
                    ForwardedVisitor(crossing.visitor.address, fixed.host, fixed.scheme),
                    cookie=_cookie(crossing, use),
                    upgrade=crossing.upgrade,
                    lines=lines,
                ),
                self._gateway.way_to(environment).upstream_for(target),
                crossing.answer,
                body_limit=environment.body_limit,
                response_timeout=environment.response_timeout.total_seconds(),
                upgrade=crossing.upgrade,
                owner=crossing.admitted,
                holder=crossing.holder,
                response_filter=None if use is None else SessionFilter(self._gateway, use),
                socket=BusSocket(partial(self._seconds_left, crossing.entry), head.languages, view_only),
            ),
            crossing.admitted,
        )

    def _seconds_left(self, entry: LinkEntry) -> float:
        return entry.expires_at - self._gateway.time()

    def _ask_odoo(self, client: ClientConnection, crossing: Crossing, target: bytes, use: SessionUse | None) -> None:
        head, entry = crossing.head, crossing.entry
        environment = entry.environment
        fixed = _name_of(environment)
        gateway, room = self._gateway, self._room
        holder = (crossing.visitor_id, entry.link.id, crossing.visitor.address.decode())
        response = OdooResponse(crossing.answer, head, fixed, crossing.origin, environment.url.encode())
        intake = BodyIntake(gateway, _Plan(self, crossing, target, fixed, use), room, holder, self._examiner)
        files = FileFilter(response, partial(gateway.visits.found, environment, X_SENDFILE))
        client.start(
            Exchange(
                client,
                gateway,
                head,
                b"",
                gateway.way_to(environment).upstream_for(target),
                response,
                body_limit=environment.body_limit,
                response_timeout=environment.response_timeout.total_seconds(),
                owner=crossing.admitted,
                holder=crossing.holder,
                intake=intake,
                gate=self._turns_of(environment),
                response_filter=files if use is None else SessionFilter(gateway, use, intake, files),
                outflow=SpooledOutflow(gateway, response, room, holder),
            ),
            crossing.admitted,
        )

    def act_on(self, crossing: Crossing, finding: BodyFinding) -> Examined:
        """What becomes of a request whose body was examined; people are told of what they may not do."""
        match finding.outcome:
            case Outcome.PASSES:
                return None
            case Outcome.REWRITTEN:
                return finding.body
            case Outcome.ANSWERED:
                return answered(finding.body)
            case Outcome.UNREADABLE:
                return CallRefusal(Reason.BAD_REQUEST, finding.text)
            case Outcome.NOT_SHARED:
                return CallRefusal(Reason.NOT_SHARED, finding.text)
            case Outcome.VIEW_ONLY:
                return self._refuse_call(crossing, Refused(finding.text, finding.model, finding.method))

    def _refuse_call(self, crossing: Crossing, refused: Refused) -> RenderedNotice:
        """Tell a visitor who may only look, and count for the owner what they wanted."""
        if refused.model is not None and refused.method is not None:
            key, now = crossing.entry.environment.key, self._gateway.time()
            self._gateway.visits.refused_call(key, refused.model, refused.method, now)
        return user_error(refused.said_in(language_for(crossing.head.languages)))

    # Assets

    def _answer_asset(self, client: ClientConnection, crossing: Crossing, path: bytes) -> None:
        """Answer from the cache: at once where all is in memory, else when it was read, fetched or found missing."""
        key = AssetKey.of(crossing.entry.environment, path)
        asset = self.assets.peek(key, crossing.head)
        if asset is not None:
            reply = self.assets.answer(asset, crossing.head)
            if reply.body is None or reply.body.memory is not None:
                self._send_asset(client, crossing, reply)
                return
        crossing.admitted.wait()
        self._gateway.spawn(self._find_asset(client, crossing, key))

    async def _find_asset(self, client: ClientConnection, crossing: Crossing, key: AssetKey) -> None:
        reply = None
        try:
            asset = await self.assets.get(key, crossing.head, self._fetch(crossing.entry.environment, key.path))
            if asset is not None:
                reply = self.assets.answer(asset, crossing.head)
                if reply.body is not None:
                    await reply.body.open()
        except GoneError:
            reply = None
        except Exception:
            crossing.admitted.give_up(Reason.UNAVAILABLE)
            raise
        if not crossing.admitted.goes_on():
            if reply is not None and reply.body is not None:
                reply.body.close()
        elif reply is None:
            self._forward_to_odoo(client, crossing, key.path)
        else:
            self._send_asset(client, crossing, reply)

    def _send_asset(self, client: ClientConnection, crossing: Crossing, reply: AssetReply) -> None:
        client.start(
            AssetExchange(client, self._gateway, crossing.head, reply, crossing.answer, crossing.admitted),
            crossing.admitted,
        )

    def _fetch(self, environment: Environment, path: bytes) -> Fetch:
        def fetch(fields: Sequence[tuple[bytes, bytes]]) -> AbstractAsyncContextManager[FetchedAsset]:
            return fetched(
                self._connector,
                origin_of(environment),
                _name_of(environment),
                path,
                fields,
                address=_OUR_ADDRESS,
                turns=self._turns_of(environment),
            )

        return fetch

    def close(self) -> None:
        """Let go of what spools use."""
        self._room.close()
        self._examiner.close()

    def _turns_of(self, environment: Environment) -> RequestQueue:
        turns = self._turns.get(environment.key)
        if turns is None:
            if len(self._turns) >= 10_000:
                self._turns = {key: turns for key, turns in self._turns.items() if not turns.is_idle}
            turns = self._turns[environment.key] = RequestQueue(1)
        # Each worker has its share, so that all of them together keep to what the owner has set.
        turns.limit = -(-environment.max_concurrent // self._gateway.workers)
        return turns


class _Plan:
    """What is made of one request when it is whole."""

    __slots__ = ("_crossing", "_fixed", "_profile", "_target", "_use", "longest_examined", "question")

    def __init__(
        self, profile: OdooProfile, crossing: Crossing, target: bytes, fixed: FixedName, use: SessionUse | None
    ) -> None:
        self._profile = profile
        self._crossing = crossing
        self._target = target
        self._fixed = fixed
        self._use = use
        self.question = _question(crossing, target.partition(b"?")[0], use)
        self.longest_examined = _LONGEST_CALL if use is not None else IN_MEMORY

    def compose(self, size: int | None) -> bytes:
        """The head for Odoo, for a body of so many bytes, or for none."""
        crossing, fixed = self._crossing, self._fixed
        head = crossing.head
        return whole_request_head(
            head.method,
            self._target,
            ForwardedVisitor(crossing.visitor.address, fixed.host, fixed.scheme),
            lines_for_odoo(head, fixed, crossing.origin, opens=crossing.answer.opens),
            cookie=_cookie(crossing, self._use),
            length=size,
        )

    def act_on(self, finding: BodyFinding) -> Examined:
        """What goes on in the body's stead."""
        return self._profile.act_on(self._crossing, finding)


def _rule_on_looking(head: RequestHead, target: bytes) -> RouteRuling:
    types = [value for lower, _, value in head.fields if lower == b"content-type"]
    if b"content-encoding" in head.values or len(types) > 1:
        return RouteRuling.REFUSED
    framed = head.chunked or head.content_length is not None
    return rule_on_route(head.method, target, types[0] if types else b"", framed)


def _may_be_call(head: RequestHead) -> bool:
    """Whether Odoo may take the body for a call: it goes by the type alone, whatever the method, and by one of two."""
    return head.has_body and any(lower == b"content-type" and is_json(value) for lower, _, value in head.fields)


def _question(crossing: Crossing, path: bytes, use: SessionUse | None) -> Question | None:
    """What has to be asked of the request's body before it goes on; None where it decides nothing."""
    head, environment = crossing.head, crossing.entry.environment
    # A call without a byte is none that a client makes.
    if crossing.entry.link.access is Access.READ_ONLY and (head.has_body or head.method == b"POST"):
        if use is None and is_own_sign_in(head.method, path):
            return None
        allowed = tuple(environment.read_only_allow)
        return Question(Subject.LOOK, path.decode("latin-1"), allowed, signed_in=use is not None)
    if needs_body_check(path):
        return Question(Subject.JSONRPC)
    if use is not None and _may_be_call(head):
        return Question(Subject.CALL)
    if head.has_body and takes_database(path):
        return Question(Subject.FORM, database=environment.database)
    return None


def _name_of(environment: Environment) -> FixedName:
    """The one name that this Odoo is called by."""
    return fixed_name(public_url=environment.public_url, canonical_url=environment.canonical_url, url=environment.url)


def _cookie(crossing: Crossing, use: SessionUse | None) -> bytes:
    """The cookies for Odoo: the environment's own, and the session that we hold."""
    if use is None:
        return crossing.cookie
    return with_session(crossing.cookie, use.current.id if use.current is not None else None)
