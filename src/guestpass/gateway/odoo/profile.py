"""What `kind: odoo` means: how an admitted request of a visitor goes to Odoo, and how it comes back."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guestpass.app.directory import LinkEntry
from guestpass.app.notices import Notice, NoticeRenderer, RenderedNotice
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.link import Status
from guestpass.domain.reasons import Reason
from guestpass.gateway.exchange import Exchange
from guestpass.gateway.forwarding import EnvironmentAnswer, Visitor, request_head
from guestpass.gateway.heads import Field, RequestHead
from guestpass.gateway.odoo.answers import OdooAnswer
from guestpass.gateway.odoo.compression import upstream_if_none_match
from guestpass.gateway.odoo.endings import ending, is_call, upload_too_large
from guestpass.gateway.odoo.exchange import OdooExchange, Plan
from guestpass.gateway.odoo.requests import (
    FixedName,
    fixed_name,
    is_stripped,
    translate_origin,
    translate_referer,
    without_foreign_database,
)
from guestpass.gateway.odoo.responses import ROBOTS_BODY, ROBOTS_FIELDS, asks_for_robots
from guestpass.gateway.odoo.spool import SpoolRoom
from guestpass.gateway.odoo.turns import Turns

if TYPE_CHECKING:
    from guestpass.gateway.client_side import ClientConnection
    from guestpass.gateway.gateway import Gateway

MAX_CONCURRENT: Final = 8
"""Requests at one Odoo at a time: twice the number of its workers keeps them busy and no visitor waiting for long."""

_BUS: Final = (b"/websocket", b"/longpolling/")
_ENDED: Final = {Status.DEACTIVATED: Reason.LINK_DEACTIVATED, Status.EXPIRED: Reason.LINK_EXPIRED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """An admitted request on its way to an environment.

    `visitor_id` is the identity in the pass, `visitor` how he reached us, `origin` the one that his browser shows,
    `cookie` what his browser has for this environment.
    """

    head: RequestHead
    target: bytes
    entry: LinkEntry
    visitor_id: str
    visitor: Visitor
    origin: bytes
    cookie: bytes
    upgrade: bool
    answer: EnvironmentAnswer


class OdooNotices:
    """Tells Odoo's web client of endings in its own language, and leaves what it would not understand to `inner`."""

    def __init__(self, inner: NoticeRenderer) -> None:
        self._inner = inner

    def render(self, notice: Notice) -> RenderedNotice:
        """The answer for a notice to a JSON-RPC call."""
        return ending(notice.reason, message=notice.detail) or self._inner.render(notice)


def calls_odoo(head: RequestHead) -> bool:
    """Whether the request is a JSON-RPC call of Odoo's web client."""
    return is_call(head.method, head.path, head.values.get(b"content-type", b""))


class OdooProfile:
    """The rules and limits of all Odoo environments of one worker."""

    def __init__(self, gateway: Gateway, room: SpoolRoom) -> None:
        self._gateway = gateway
        self._room = room
        self._turns: dict[EnvironmentKey, Turns] = {}
        self.notices = OdooNotices(gateway.notices)

    def forward(self, client: ClientConnection, crossing: Crossing) -> None:
        """Let the request cross."""
        entry, head = crossing.entry, crossing.head
        environment = entry.environment
        path, question, query = crossing.target.partition(b"?")
        if asks_for_robots(path):
            client.answer(RenderedNotice(200, ROBOTS_FIELDS, ROBOTS_BODY))
            return
        if head.content_length is not None and head.content_length > environment.body_limit and not calls_odoo(head):
            client.answer(upload_too_large(environment.body_limit), close=True)
            return
        fixed = fixed_name(public_url=None, canonical_url=None, url=environment.url)
        target = path + without_foreign_database(question + query, None)
        sent = _for_odoo(crossing, fixed)
        visitor = Visitor(crossing.visitor.address, fixed.host, fixed.scheme)
        upstream = self._gateway.upstream_for(environment, target)
        answer = OdooAnswer(crossing.answer, head, fixed, crossing.origin, environment.url.encode())
        timeout = environment.response_timeout.total_seconds()
        if crossing.upgrade or path.startswith(_BUS):
            # The bus has an event loop of its own, which holds many connections without a worker for each.
            first = request_head(sent, target, visitor, cookie=crossing.cookie, upgrade=crossing.upgrade)
            client.start(
                Exchange(
                    client,
                    head,
                    first,
                    upstream,
                    crossing.answer,
                    body_limit=environment.body_limit,
                    response_timeout=timeout,
                    upgrade=crossing.upgrade,
                    entry=entry,
                    visitor=crossing.visitor_id,
                )
            )
            return

        def compose() -> bytes:
            sent.chunked, sent.content_length = head.chunked, head.content_length
            return request_head(sent, target, visitor, cookie=crossing.cookie, upgrade=False)

        client.start(
            OdooExchange(
                client,
                head,
                Plan(readmit=lambda: self._readmit(entry, environment), compose=compose),
                upstream,
                answer,
                turns=self._turns_of(environment),
                room=self._room,
                entry=entry,
                visitor=crossing.visitor_id,
                body_limit=environment.body_limit,
                response_timeout=timeout,
            )
        )

    def close(self) -> None:
        """Let go of what spools use."""
        self._room.close()

    def _readmit(self, entry: LinkEntry, environment: Environment) -> Reason | None:
        """Why a request that was admitted may not go on after it has waited; None where it may."""
        if (ended := _ENDED.get(entry.status_at(self._gateway.time()))) is not None:
            return ended
        if entry.maintenance is not None:
            return Reason.MAINTENANCE
        if entry.environment.revision != environment.revision:
            # The environment has moved; what was composed for the old address is not for the new one.
            return Reason.UNAVAILABLE
        return None

    def _turns_of(self, environment: Environment) -> Turns:
        turns = self._turns.get(environment.key)
        if turns is None:
            if len(self._turns) >= 10_000:
                self._turns = {key: turns for key, turns in self._turns.items() if not turns.is_idle}
            turns = self._turns[environment.key] = Turns(MAX_CONCURRENT)
        return turns


def _for_odoo(crossing: Crossing, fixed: FixedName) -> RequestHead:
    """The request as Odoo is to see it: no field that chooses a database or session, no host but the fixed one."""
    sent = copy.copy(crossing.head)
    fields: list[Field] = []
    accepted = crossing.head.values.get(b"accept-encoding", b"")
    for lower, name, value in crossing.head.fields:
        if is_stripped(lower):
            continue
        if lower == b"origin":
            value = translate_origin(value, crossing.origin, fixed.origin)  # noqa: PLW2901 - one field, one value
        elif lower == b"referer" and not crossing.answer.opens:
            value = translate_referer(value, crossing.origin, fixed.origin)  # noqa: PLW2901
        elif lower == b"if-none-match":
            value = upstream_if_none_match(value, accepted)  # noqa: PLW2901
        fields.append((lower, name, value))
    sent.fields = fields
    # Bodies are whole before Odoo hears of them, so nobody waits for its word to send them.
    sent.values = {name: value for name, value in crossing.head.values.items() if name != b"expect"}
    return sent
