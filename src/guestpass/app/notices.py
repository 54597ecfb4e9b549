"""What a visitor or a client is told when a request is not forwarded; rendered by the web face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from guestpass.domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell.

    `page` says whether a browser navigates (an HTML page) or anything else asks (problem+json).
    `token` is the share token in the path, for the forms of the password and switch pages; `detail` is
    the owner's maintenance message or what is wrong with the request; `request_id` is what the log has.
    """

    reason: Reason
    page: bool
    request_id: str
    token: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class RenderedNotice:
    """A whole answer but for its framing: `fields` are complete but for Content-Length, Date and Connection."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes


class NoticeRenderer(Protocol):
    """Makes the answer for a notice; never fails and never waits."""

    def render(self, notice: Notice) -> RenderedNotice: ...
