"""Notices: the answers to requests that are not forwarded, rendered by `web`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guestpass.domain.branding import Branding
from guestpass.domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Why a request is not forwarded, and what its page needs.

    `page` says whether a browser navigates (an HTML page) or anything else asks (problem+json).
    `token` is the share token in the path, for the forms of pages that have one, and `query` what stood behind it,
    with its ``?``, which a form must not lose; `detail` is the owner's maintenance message or what is wrong with the
    request; `request_id` is what the log has.
    `languages` is the request's Accept-Language field as it came, `branding` how the link's organisation looks.
    `ended_at` is when a link that is over ended. `repeatable` says that the request was a plain GET, so that a
    page about something that passes may ask again by itself. `retry_after` are the seconds until it is worth it.
    """

    reason: Reason
    page: bool
    request_id: str
    token: str | None = None
    query: str = ""
    detail: str | None = None
    languages: str = ""
    branding: Branding | None = None
    ended_at: datetime | None = None
    repeatable: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class RenderedNotice:
    """A whole answer but for its framing: `fields` are complete but for Content-Length, Date and Connection."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes


class NoticeRenderer(Protocol):
    """Makes the answer for a notice; never fails and never waits."""

    def render(self, notice: Notice) -> RenderedNotice: ...
