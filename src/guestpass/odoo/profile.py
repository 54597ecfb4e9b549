"""The profile of `kind: odoo`: what its links let through, and by which way."""

from __future__ import annotations

from collections.abc import Callable, Collection
from weakref import WeakValueDictionary

from guestpass.app.notices import NoticeRenderer
from guestpass.domain.blocked_paths import Ruling, judge
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.link import Access
from guestpass.domain.reasons import Reason
from guestpass.domain.view_only import route_of
from guestpass.gateway.context import ForwardedRequest, Reply
from guestpass.gateway.decisions import Answer, Forward, wants_page
from guestpass.gateway.profile import Profile
from guestpass.gateway.upstream_table import EnvironmentUpstreams, UpstreamTable
from guestpass.odoo.asset_requests import AssetRequests
from guestpass.odoo.assets.cache import is_cacheable
from guestpass.odoo.assets.responses import is_answerable
from guestpass.odoo.destination import BUS_PATHS, OdooDestination
from guestpass.odoo.fairness.fair_queue import RequestQueue
from guestpass.odoo.http.jsonrpc_errors import is_json, upload_too_large
from guestpass.odoo.http.requests import without_foreign_database
from guestpass.odoo.http.responses import ROBOTS_BODY, ROBOTS_FIELDS, asks_for_robots
from guestpass.odoo.notices import DownloadNotices, OdooNotices, calls_odoo, downloads, fetches_worker
from guestpass.odoo.secret_fields import CREDENTIALS, TOKENS
from guestpass.odoo.services import OdooServices
from guestpass.odoo.signed_in.rules import (
    NOT_FOR_VISITORS,
    SignInRuling,
    is_own_sign_in,
    rule_on_sign_in,
    why_nobody_leaves,
)
from guestpass.odoo.signed_in_requests import SignedInRequests
from guestpass.odoo.view_only.documents import is_allowed_document
from guestpass.odoo.view_only.routes import RouteRuling, rule_on_allowed_route, rule_on_route, target_to_read
from guestpass.wire.heads import RequestHead


class OdooProfile:
    """One Odoo, as it is set up at present."""

    __slots__ = (
        "_asset_requests",
        "_assets",
        "_destination",
        "_now",
        "_signed_in",
        "_visits",
        "announced_limit",
        "environment",
        "learn",
        "refusal",
    )

    def __init__(
        self,
        services: OdooServices,
        environment: Environment,
        upstreams: EnvironmentUpstreams,
        queue: RequestQueue,
        learn: Callable[[bytes], None],
    ) -> None:
        self.environment = environment
        self.announced_limit: int | None = None
        self.learn = learn
        self.refusal: Callable[[Forward], Answer | None] | None = blocked
        self._assets = services.assets
        self._visits = services.visits
        self._now = services.runtime.time
        self._destination = OdooDestination(services, environment, upstreams, queue)
        self._signed_in = SignedInRequests(services, self._destination)
        self._asset_requests = AssetRequests(services, self._destination, self._send)

    def forward(self, request: ForwardedRequest) -> None:
        """Send an admitted request to Odoo, or answer it."""
        head, limit = request.head, self.environment.body_limit
        path, question, query = request.target.partition(b"?")
        if asks_for_robots(path):
            request.client.answer(200, ROBOTS_FIELDS, ROBOTS_BODY)
            return
        if head.content_length is not None and head.content_length > limit:
            self._refuse_length(request, limit)
            return
        target = path
        if question:
            target += without_foreign_database(question + query, self.environment.database)
        link = request.entry.link
        if link.account is not None or link.access is Access.READ_ONLY:
            ruled = self._ruled(request, target)
            if ruled is None:
                return
        else:
            ruled = target
        is_asset = not request.facts.upgrade and is_cacheable(path, query) and is_answerable(head)
        if is_asset and self._assets.is_running and not path.startswith(BUS_PATHS):
            self._asset_requests.answer(request, path)
        else:
            self._send(request, ruled)

    def _send(self, request: ForwardedRequest, target: bytes) -> None:
        if request.entry.link.account is not None:
            self._signed_in.send(request, target)
        else:
            self._destination.send(request, target, None)

    @staticmethod
    def _refuse_length(request: ForwardedRequest, limit: int) -> None:
        """Refuse a body that is announced to be too large, as whoever sends it understands it."""
        head = request.head
        if calls_odoo(head) or wants_page(head):
            request.reply(Reply(Reason.BODY_TOO_LARGE, detail=f"The body is larger than {limit} bytes.", close=True))
        else:
            rendered = upload_too_large(limit, head.languages)
            request.client.answer(rendered.status, rendered.fields, rendered.body, close=True)

    def _ruled(self, request: ForwardedRequest, target: bytes) -> bytes | None:
        """The target for Odoo under the rules of a link that signs in or is view-only; None if that was answered."""
        head, link = request.head, request.entry.link
        is_read_only = link.access is Access.READ_ONLY
        path = target.partition(b"?")[0]
        if link.account is not None:
            sign_in = rule_on_sign_in(head.method, path)
            if sign_in is SignInRuling.LEAVES:
                if (refused := why_nobody_leaves(head)) is not None:
                    self._turn_away(request, refused)
                else:
                    self._signed_in.leave(request)
                return None
            if sign_in is SignInRuling.REFUSED or CREDENTIALS.are_in_target(target):
                self._turn_away(request, Reason.NOT_SHARED, NOT_FOR_VISITORS)
                return None
        if is_read_only and is_allowed_document(link, head.method, path) and _has_one_meaning(head):
            if TOKENS.are_in_target(target):
                self._turn_away(request, Reason.VIEW_ONLY)
                return None
            return target
        if is_read_only and (link.account is not None or not is_own_sign_in(head.method, path)):
            ruling = _rule_on_looking(head, target, self.environment.read_only_allow)
            if ruling is RouteRuling.REFUSED:
                self._count_refused(head, path)
                self._turn_away(request, Reason.VIEW_ONLY)
                return None
            if ruling is RouteRuling.READS:
                return target_to_read(target)
        return target

    def _count_refused(self, head: RequestHead, path: bytes) -> None:
        """Count a route that the owner could allow; forms, uploads and the like never are."""
        is_call = head.method == b"POST" and is_json(head.values.get(b"content-type", b""))
        if (head.method in (b"GET", b"HEAD") or is_call) and (route := route_of(path)) is not None:
            self._visits.refused_call(self.environment.key, "", route.removeprefix("/"), self._now())

    @staticmethod
    def _turn_away(request: ForwardedRequest, reason: Reason, detail: str | None = None) -> None:
        request.reply(Reply(reason, detail=detail, link=request.entry, turns_away=request.facts.navigates))


class OdooProfiles:
    """Makes the profiles of all Odoos of one worker, of which the machine has `workers`.

    `notices` renders what Odoo's web client is told like any other client.
    """

    def __init__(
        self, services: OdooServices, upstreams: UpstreamTable, notices: NoticeRenderer, *, workers: int
    ) -> None:
        self._services = services
        self._upstreams = upstreams
        self._notices = OdooNotices(notices)
        self._download_notices = DownloadNotices(notices)
        self._workers = workers
        # A queue lives as long as anybody may wait in it.
        self._queues: WeakValueDictionary[EnvironmentKey, RequestQueue] = WeakValueDictionary()
        services.room.failed = self._spool_failed

    def profile_of(self, environment: Environment, learn: Callable[[bytes], None]) -> Profile:
        """The profile of an environment."""
        upstreams = self._upstreams.upstreams_of(environment, BUS_PATHS)
        return OdooProfile(self._services, environment, upstreams, self._queue_of(environment), learn)

    def notices_for(self, head: RequestHead) -> NoticeRenderer | None:
        """What renders notices to Odoo's web client."""
        if calls_odoo(head) or fetches_worker(head):
            return self._notices
        return self._download_notices if downloads(head) else None

    def close(self) -> None:
        """Let go of what spools and examinations use."""
        self._services.room.close()
        self._services.examiner.close()

    def _queue_of(self, environment: Environment) -> RequestQueue:
        queue = self._queues.setdefault(environment.key, RequestQueue(1))
        # Each worker has its share, so that all of them together keep to what the owner has set.
        queue.limit = -(-environment.max_concurrent // self._workers)
        return queue

    def _spool_failed(self, error: OSError) -> None:
        self._services.fault_log.faults.warn(
            "spool_failed",
            cause=error.strerror or str(error),
            effect="large uploads to Odoo get 503, and large answers to slow visitors are cut",
            remedy="make room on the disk with GUESTPASS_DATA_DIR/spool, or lower GUESTPASS_SPOOL_LIMIT",
        )


def blocked(decision: Forward) -> Answer | None:
    """Why the path is blocked for whoever comes by a link, as Odoo's database manager is; None where it is not."""
    verdict = judge(decision.target.partition(b"?")[0], decision.link.environment.allow_paths)
    if verdict.ruling is Ruling.MALFORMED:
        return Answer(Reason.BAD_REQUEST, decision.link, verdict.detail)
    if verdict.ruling is Ruling.REFUSED:
        return Answer(Reason.NOT_SHARED, decision.link, verdict.detail)
    return None


def _has_one_meaning(head: RequestHead) -> bool:
    """Whether the body is of one type, and not encoded."""
    # Two such fields are joined by a comma.
    may_repeat = b"," in head.values.get(b"content-type", b"")
    is_repeated = may_repeat and [lower for lower, _, _ in head.fields].count(b"content-type") > 1
    return b"content-encoding" not in head.values and not is_repeated


def _rule_on_looking(head: RequestHead, target: bytes, allowed: Collection[str]) -> RouteRuling:
    if not _has_one_meaning(head):
        return RouteRuling.REFUSED
    content_type = head.values.get(b"content-type", b"")
    framed = head.chunked or head.content_length is not None
    ruling = rule_on_route(head.method, target, content_type, framed)
    if ruling is not RouteRuling.REFUSED or not allowed:
        return ruling
    return rule_on_allowed_route(head.method, target, content_type, framed, allowed)
