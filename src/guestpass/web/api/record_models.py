"""Response models of a link's history, visits, visitors and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from guestpass.app.link_records import Span, VisitCount
from guestpass.app.paging import Page
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.visit import REFUSALS_KEPT, Refusal, Visitor
from guestpass.web.api.link_models import PageQuery
from guestpass.web.api.shapes import Asked, ResponseModel


class HistoryQuery(PageQuery):
    """Which part of a history."""

    kind: list[EventKind] = Field(
        default=[],
        max_length=len(EventKind),
        description="Only events of this kind; may be given several times.",
        examples=[["changed"]],
    )


class VisitsQuery(Asked):
    """How to count visits."""

    by: Span = Field(default=Span.DAY, description="What to count together.", examples=["day"])


class EventBody(ResponseModel):
    """One thing that happened to a link."""

    at: datetime = Field(examples=["2026-03-04T05:06:07Z"])
    kind: EventKind = Field(description="What happened.", examples=["changed"])
    actor: str = Field(
        description="Who: the `sub` of an owner's bearer token; of `opened` the visitor's id.", examples=["olga"]
    )
    fields: list[str] = Field(description="Of `changed`: the names of the fields.", examples=[["label", "expiresAt"]])
    visitor: str | None = Field(description="Of `opened` and `visitEnded`: the visitor's id.")

    @classmethod
    def of(cls, event: LinkEvent) -> EventBody:
        """The event as its owner sees it."""
        visitors = {EventKind.OPENED: event.actor, EventKind.VISIT_ENDED: event.detail}
        fields = event.detail.split(",") if event.kind is EventKind.CHANGED and event.detail else []
        return cls(at=event.at, kind=event.kind, actor=event.actor, fields=fields, visitor=visitors.get(event.kind))


class HistoryBody(ResponseModel):
    """What happened to a link, newest first."""

    events: list[EventBody]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")

    @classmethod
    def of(cls, page: Page[LinkEvent]) -> HistoryBody:
        """The page as its owner sees it."""
        return cls(events=[EventBody.of(each) for each in page.items], next_cursor=page.next_cursor)


class PasswordTriesBody(ResponseModel):
    """Whether a link's password can be tried from addresses that have failed."""

    locked_until: datetime | None = Field(
        description="Until when addresses that have failed can't try again. Null: they can.",
        examples=["2026-03-04T06:06:07Z"],
    )


class VisitCountBody(ResponseModel):
    """How many visits began in an hour or a day."""

    at: datetime = Field(description="When the hour or day began, in UTC.", examples=["2026-03-04T00:00:00Z"])
    visits: int = Field(examples=[3])


class VisitCountsBody(ResponseModel):
    """How many visits began in each hour or day, oldest first, without a gap."""

    by: Span = Field(examples=["day"])
    visits: list[VisitCountBody]

    @classmethod
    def of(cls, by: Span, counts: Sequence[VisitCount]) -> VisitCountsBody:
        """The counts as their owner sees them."""
        return cls(by=by, visits=[VisitCountBody(at=each.began_at, visits=each.visits) for each in counts])


class VisitorBody(ResponseModel):
    """One browser that was let in; or all `others`, who came when so many did that they are not told apart."""

    id: str = Field(
        description="It opens nothing. `others` are many, whose visits can't be ended one by one.",
        examples=["Zm9vYmFyYmF6cXV4MDEyMw"],
    )
    number: int = Field(
        description="Counts the link's visitors in the order in which they came; 0 for `others`.", examples=[2]
    )
    first_seen_at: datetime = Field(examples=["2026-03-04T05:06:07Z"])
    last_seen_at: datetime = Field(
        description="The newest request, or the newest moment at which something was open.",
        examples=["2026-03-04T06:06:07Z"],
    )
    visits: int = Field(examples=[3])
    browser: str | None = Field(description="As it names itself.", examples=["Firefox 142"])
    system: str | None = Field(description="The same.", examples=["Linux"])
    address: str | None = Field(
        description="As much of it as the setting VISITOR_ADDRESSES allows: full, the network, or null.",
        examples=["192.0.2.0/24"],
    )
    live: bool = Field(description="Asked for something, or had something open, within the last minute.")
    ended_at: datetime | None = Field(
        description="When the visit ended: by an owner, by the visitor, or with the link's URL or password."
    )

    @classmethod
    def of(cls, visitor: Visitor, now: datetime) -> VisitorBody:
        """The visitor as an owner sees them."""
        return cls(
            id=visitor.id,
            number=visitor.number,
            first_seen_at=visitor.first_seen,
            last_seen_at=visitor.last_seen,
            visits=visitor.visits,
            browser=visitor.browser,
            system=visitor.system,
            address=visitor.address,
            live=visitor.is_live(now),
            ended_at=visitor.ended_at,
        )


class VisitorsBody(ResponseModel):
    """Who came through a link, those seen last first."""

    visitors: list[VisitorBody]
    total: int = Field(description="How many there are on all pages.", examples=[1])
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")

    @classmethod
    def of(cls, page: Page[Visitor], now: datetime) -> VisitorsBody:
        """The page as its owner sees it."""
        return cls(
            visitors=[VisitorBody.of(each, now) for each in page.items],
            total=page.total or 0,
            next_cursor=page.next_cursor,
        )


class RefusalBody(ResponseModel):
    """Somebody who was turned away."""

    at: datetime = Field(examples=["2026-03-04T05:06:07Z"])
    reason: str = Field(description="The stable `code` that a client was told.", examples=["password_wrong"])
    request_id: str | None = Field(
        description="What the visitor's page showed as the request, and what the server's log knows it by.",
        examples=["a08817c2-1"],
    )
    browser: str | None = Field(examples=["Firefox 142"])
    system: str | None = Field(examples=["Linux"])
    address: str | None = Field(description="As for visitors.", examples=["192.0.2.0/24"])

    @classmethod
    def of(cls, refusal: Refusal) -> RefusalBody:
        """The refusal as an owner sees it."""
        return cls(
            at=refusal.at,
            reason=refusal.reason,
            request_id=refusal.request_id,
            browser=refusal.browser,
            system=refusal.system,
            address=refusal.address,
        )


class RefusalsBody(ResponseModel):
    """Who was turned away at a link, newest first."""

    refusals: list[RefusalBody] = Field(max_length=REFUSALS_KEPT)

    @classmethod
    def of(cls, refusals: Sequence[Refusal]) -> RefusalsBody:
        """The refusals as an owner sees them."""
        return cls(refusals=[RefusalBody.of(each) for each in refusals])
