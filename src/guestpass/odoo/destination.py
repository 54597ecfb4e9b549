"""Send admitted requests to one Odoo: to its workers, which are few and take turns, or to its bus."""

from __future__ import annotations

from functools import partial
from typing import Final

from guestpass.app.notices import RenderedNotice
from guestpass.app.ports import NotAskedError
from guestpass.domain.environment import BusPlace, Environment
from guestpass.domain.link import Access
from guestpass.domain.reasons import Reason
from guestpass.gateway.context import ForwardedRequest
from guestpass.gateway.head_rewriting import ForwardedVisitor, pass_on, request_head, whole_request_head
from guestpass.gateway.upstream_table import EnvironmentUpstreams
from guestpass.languages.language import language_for
from guestpass.odoo.bus.bus_socket import BusSocket
from guestpass.odoo.bus.frames import ViewOnlyFrames
from guestpass.odoo.fairness.examinations import BodyFinding, Outcome, Question, Subject
from guestpass.odoo.fairness.fair_queue import RequestQueue
from guestpass.odoo.fairness.intake import BodyIntake, CallRefusal, Examined
from guestpass.odoo.fairness.outflow import SpooledOutflow
from guestpass.odoo.fairness.spool import IN_MEMORY
from guestpass.odoo.findings import X_SENDFILE
from guestpass.odoo.http.blocked_paths import needs_body_check
from guestpass.odoo.http.file_filter import FileFilter
from guestpass.odoo.http.jsonrpc_errors import answered, user_error
from guestpass.odoo.http.requests import (
    FixedName,
    fields_for_odoo,
    fixed_name,
    lines_for_odoo,
    logs_in,
    takes_database,
)
from guestpass.odoo.http.response_filter import OdooResponse
from guestpass.odoo.services import OdooServices
from guestpass.odoo.signed_in.addresses import edited_details
from guestpass.odoo.signed_in.credentials import makes_file_of_fields
from guestpass.odoo.signed_in.rules import is_own_sign_in
from guestpass.odoo.signed_in.session_cookie import with_session
from guestpass.odoo.signed_in.session_filter import SessionFilter, SessionUse
from guestpass.odoo.view_only.action_filter import ActionFilter
from guestpass.odoo.view_only.actions import SERVER_ACTIONS, ActionCheck, Call, Refused
from guestpass.odoo.view_only.calls import NOT_ALLOWED, RefusedCall, runs_actions
from guestpass.odoo.view_only.documents import is_allowed_document
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead

BUS_PATHS: Final = (b"/websocket", b"/longpolling/")
"""How the paths of Odoo's bus begin: ``/longpolling/`` is that of older ones."""
_LONGEST_CALL: Final = 32 * 1024 * 1024
_JSONRPC: Final = Question(Subject.JSONRPC)


class OdooDestination:
    """One Odoo; `queue` lets so many requests at its workers at a time. `name` is what it is always called by."""

    def __init__(
        self, services: OdooServices, environment: Environment, upstreams: EnvironmentUpstreams, queue: RequestQueue
    ) -> None:
        self.environment = environment
        self.queue = queue
        self.name = fixed_name(
            public_url=environment.public_url, canonical_url=environment.canonical_url, url=environment.url
        )
        # Odoo writes the name that it is called by at an administrator's login into web.base.url.
        self._login_name = fixed_name(
            public_url=environment.base_url or environment.public_url,
            canonical_url=environment.canonical_url,
            url=environment.url,
        )
        self._services = services
        self._runtime = services.runtime
        self._upstreams = upstreams
        self._url = environment.url.encode()
        self._response_timeout = environment.response_timeout.total_seconds()
        # The bus has an event loop of its own, which holds many connections without a worker for each.
        self._has_bus = environment.websocket_upstream is not None or environment.websocket_on is BusPlace.SAME
        self._x_sendfile = partial(services.visits.found, environment, X_SENDFILE)

    def send(self, request: ForwardedRequest, target: bytes, use: SessionUse | None) -> None:
        """Send a request as `target`, under the session in `use` where the link signs its visitors in."""
        if target.startswith(BUS_PATHS) and (request.facts.upgrade or self._has_bus):
            self._join_bus(request, target, use)
        else:
            # Odoo has no sockets but that of its bus, and its workers are held by nobody.
            self._ask(request, target, use)

    def _join_bus(self, request: ForwardedRequest, target: bytes, use: SessionUse | None) -> None:
        head, entry, response, upgrade = request.head, request.entry, request.response, request.facts.upgrade
        services, name = self._services, self.name
        fields = fields_for_odoo(head, name, request.facts.host.origin, opens=response.opens)
        # Frames of ours can only be put between frames that nothing has transformed.
        lines = pass_on([each for each in fields if each[0] != b"sec-websocket-extensions"], head.connection)
        view_only = ViewOnlyFrames(services.entropy) if entry.link.access is Access.READ_ONLY else None
        visitor = ForwardedVisitor(request.facts.address.encode(), name.host, name.scheme)
        exchange = Exchange(
            request.client,
            self._runtime,
            head,
            request_head(head, target, visitor, cookie=_cookie(request, use), upgrade=upgrade, lines=lines),
            self._upstreams.of(target),
            response,
            body_limit=self.environment.body_limit,
            response_timeout=self._response_timeout,
            upgrade=upgrade,
            owner=request,
            holder=request.holder,
            response_filter=None if use is None else SessionFilter(self._runtime, services.fault_log, use),
            socket=BusSocket(lambda: entry.expires_at - self._runtime.time(), head.languages, view_only),
        )
        request.client.start(exchange, request)

    def _ask(self, request: ForwardedRequest, target: bytes, use: SessionUse | None) -> None:
        head, facts, runtime, services = request.head, request.facts, self._runtime, self._services
        holder = (request.visitor_pass.visitor, request.entry.link.id, facts.address)
        name = self._login_name if logs_in(head.method, target.partition(b"?")[0]) else self.name
        response = OdooResponse(request.response, head, name, facts.host.origin, self._url)
        plan = _Plan(services, request, target, name, use)
        intake = BodyIntake(runtime, services.fault_log, plan, services.room, holder, services.examiner)
        files = FileFilter(response, self._x_sendfile)
        reads: FileFilter | ActionFilter = files
        if request.entry.link.access is Access.READ_ONLY and runs_actions(target.partition(b"?")[0]):
            reads = ActionFilter(plan, files, intake.send_instead, plan.refuse_action)
        exchange = Exchange(
            request.client,
            runtime,
            head,
            b"",
            self._upstreams.of(target),
            response,
            body_limit=self.environment.body_limit,
            response_timeout=self._response_timeout,
            owner=request,
            holder=request.holder,
            intake=intake,
            gate=self.queue,
            response_filter=reads if use is None else SessionFilter(runtime, services.fault_log, use, intake, reads),
            outflow=SpooledOutflow(runtime, response, services.room, holder, None if use is None else use.mask),
        )
        request.client.start(exchange, request)


class _Plan:
    """What is made of one request when it is whole."""

    __slots__ = ("_name", "_request", "_services", "_target", "_use", "check", "longest_examined", "question")

    def __init__(
        self,
        services: OdooServices,
        request: ForwardedRequest,
        target: bytes,
        name: FixedName,
        use: SessionUse | None,
    ) -> None:
        self._services = services
        self._request = request
        self._target = target
        self._name = name
        self._use = use
        self.check: ActionCheck | None = None
        self.question = _question(request, target, use)
        self.longest_examined = _LONGEST_CALL if use is not None else IN_MEMORY

    def compose(self, size: int | None) -> bytes:
        """The head for Odoo, for a body of so many bytes, or for none."""
        request, name = self._request, self._name
        head, facts = request.head, request.facts
        is_plain = self._use is not None
        lines = lines_for_odoo(head, name, facts.host.origin, opens=request.response.opens, plain=is_plain)
        return whole_request_head(
            head.method,
            self._target,
            ForwardedVisitor(facts.address.encode(), name.host, name.scheme),
            lines,
            cookie=_cookie(request, self._use),
            length=size,
        )

    async def ask(self, finding: BodyFinding) -> BodyFinding:
        """The finding once Odoo has been asked; raises NotAskedError and NoSession."""
        if self._use is None:
            raise NotAskedError("nobody is signed in")
        for inquiry in finding.inquiries:
            count = await self._use.count(inquiry.model, inquiry.domain)
            if (count > 0) is not inquiry.wanted:
                return BodyFinding(Outcome.NOT_SHARED, text=inquiry.text or finding.text)
        return BodyFinding(Outcome.PASSES)

    def act_on(self, finding: BodyFinding) -> Examined:
        """What becomes of a request whose body was examined; people are told of what they may not do."""
        match finding.outcome:
            case Outcome.PASSES | Outcome.DEPENDS:
                return None
            case Outcome.REWRITTEN:
                return finding.body
            case Outcome.ASKED:
                call = Call(self._target.partition(b"?")[0], finding.body)
                self.check = ActionCheck(call, self._request.entry.environment.read_only_allow)
                first = self.check.next()
                self.goes_on_with(first)
                return first.body
            case Outcome.ANSWERED:
                return answered(finding.body)
            case Outcome.UNREADABLE:
                return CallRefusal(Reason.BAD_REQUEST, finding.text)
            case Outcome.NOT_SHARED:
                return CallRefusal(Reason.NOT_SHARED, finding.text)
            case Outcome.VIEW_ONLY:
                return self._refuse_call(RefusedCall(finding.text, finding.model, finding.method))

    def goes_on_with(self, call: Call) -> None:
        """Compose the head of this call from now on."""
        self._target = call.path
        if not call.is_question:
            self.check = None

    def refuse_action(self, refused: Refused) -> RenderedNotice:
        """Tell a visitor that a server action is not run, and count it for the owner."""
        return self._refuse_call(RefusedCall(NOT_ALLOWED, SERVER_ACTIONS, refused.action))

    def _refuse_call(self, refused: RefusedCall) -> RenderedNotice:
        """Tell a visitor who may only look, and count for the owner what they wanted."""
        if refused.model is not None and refused.method is not None:
            key, now = self._request.entry.environment.key, self._services.runtime.time()
            self._services.visits.refused_call(key, refused.model, refused.method, now)
        return user_error(refused.said_in(language_for(self._request.head.languages)))


def _may_be_call(head: RequestHead) -> bool:
    """Whether Odoo may take the body for a call: it goes by the type alone, whatever the method.

    Readers end the type at a semicolon, a comma or a blank, and of two fields one may count. What is no call after all,
    such as a file of JSON, is refused.
    """
    said = head.values.get(b"content-type")
    if said is None or not head.has_body:
        return False
    if b"," not in said:
        return b"json" in said.partition(b";")[0].lower()
    kinds = [value for lower, _, value in head.fields if lower == b"content-type"]
    return any(b"json" in kind.partition(b";")[0].lower() for kind in kinds)


def _question(request: ForwardedRequest, target: bytes, use: SessionUse | None) -> Question | None:
    """What has to be asked of the request's body before it goes on; None where it decides nothing."""
    head, environment, link = request.head, request.entry.environment, request.entry.link
    path, _, query = target.partition(b"?")
    # A call without a byte is none that a client makes.
    is_look = link.access is Access.READ_ONLY and (head.has_body or head.method == b"POST")
    if is_look and not is_allowed_document(link, head.method, path):
        if use is None and is_own_sign_in(head.method, path):
            return None
        allowed = tuple(environment.read_only_allow)
        return Question(Subject.LOOK, path.decode("latin-1"), allowed, signed_in=use is not None)
    if needs_body_check(path):
        return _JSONRPC
    if head.has_body and (is_look or use is not None) and makes_file_of_fields(path):
        plain, kind = path.decode("latin-1"), _content_types(head)
        return Question(Subject.FIELDS, plain, signed_in=use is not None, looks=is_look, content_type=kind)
    # Odoo takes the values of a form from the query, too, whatever the type of the body.
    if use is not None and (form := edited_details(head.method, path)) is not None:
        details, asked = form.decode("latin-1"), query.decode("latin-1")
        account = request.entry.account
        login = "" if account is None else account.login
        return Question(Subject.DETAILS, details, query=asked, content_type=_content_types(head), login=login)
    if use is not None and _may_be_call(head):
        return Question(Subject.CALL, path.decode("latin-1"))
    if head.has_body and takes_database(path):
        return Question(Subject.FORM, database=environment.database)
    return None


def _content_types(head: RequestHead) -> str:
    return b", ".join(value for lower, _, value in head.fields if lower == b"content-type").decode("latin-1")


def _cookie(request: ForwardedRequest, use: SessionUse | None) -> bytes:
    """The cookies for Odoo: the environment's own, and the session that we hold."""
    if use is None:
        return request.cookie
    return with_session(request.cookie, use.current.id if use.current is not None else None)
