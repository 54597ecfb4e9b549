"""Describe events and refusals of links in words for owners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from guestpass.app.link_terms import LINK_TERMS
from guestpass.domain.errors import external_name
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.reasons import Reason
from guestpass.domain.visit import Refusal
from guestpass.web.texts import NOTICES

_FIELDS: Final = {external_name(name): term.words for name, term in LINK_TERMS.items()}
_EVENTS: Final[Mapping[str, str]] = {
    EventKind.CREATED: "made the link",
    EventKind.DEACTIVATED: "paused it",
    EventKind.ACTIVATED: "opened it again",
    EventKind.ROTATED: "gave it a new URL",
    EventKind.VISIT_ENDED: "ended a visit",
    "locked": "accepts no passwords for a while from where there were too many wrong ones",
    "unlocked": "allowed passwords again",
    EventKind.OPENED: "opened it",
}
_REASONS: Final[Mapping[str, str]] = {
    Reason.LINK_DEACTIVATED: "The link was paused",
    Reason.LINK_EXPIRED: "The link had expired",
    Reason.LINK_REPLACED: "The old URL, which was replaced",
    Reason.LINK_FULL: "All places were taken",
    Reason.ADDRESS_REFUSED: "From a network that the link does not allow",
    Reason.PASSWORD_WRONG: "Wrong password",
    "tries_used_up": "After too many wrong passwords",
    Reason.EMBEDDED: "Opened inside another page",
    Reason.MAINTENANCE: "The environment was in maintenance",
    Reason.UPSTREAM_UNREACHABLE: "The environment did not answer",
    Reason.UPSTREAM_BROKEN: "The environment gave no proper answer",
    Reason.UPSTREAM_TIMEOUT: "The environment took too long",
    Reason.NOT_SHARED: "A part that isn't shared",
    Reason.VIEW_ONLY: "A change through a view-only link",
    Reason.VISIT_ENDED: "The visit was ended",
    Reason.SIGN_IN_REFUSED: "Odoo did not accept the account",
    Reason.SIGN_INS_USED_UP: "Too many sign-ins from one address",
    Reason.TOO_BUSY: "Too many requests at a time",
    Reason.LINK_OVERRUN: "More requests than the link may have",
    Reason.TOO_MANY_REQUESTS: "Too many requests from one address",
    Reason.HEAD_TIMEOUT: "What was sent came too slowly",
}


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One event: who, and what in words."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """One refusal; `agent` is browser and system as far as they are known."""

    at: datetime
    why: str
    request_id: str | None
    agent: str
    address: str | None


def describe_event(event: LinkEvent) -> HistoryLine:
    """Return an event as a line of the history."""
    if event.kind is EventKind.CHANGED:
        names = [_FIELDS.get(name, name) for name in (event.detail or "").split(",")]
        return HistoryLine(event.at, event.actor, f"changed {_listed(names)}")
    who = "A visitor" if event.kind is EventKind.OPENED else event.actor
    return HistoryLine(event.at, who, _EVENTS[event.kind])


def describe_refusal(refusal: Refusal) -> RefusalLine:
    """Return a refusal as a line of the table."""
    return RefusalLine(
        refusal.at,
        _why(refusal.reason),
        refusal.request_id,
        agent(refusal.browser, refusal.system),
        refusal.address,
    )


def agent(browser: str | None, system: str | None) -> str:
    """Return browser and system, such as ``Firefox 142 on Linux``."""
    if browser is not None and system is not None:
        return f"{browser} on {system}"
    return browser or system or "unknown"


def _why(code: str) -> str:
    try:
        reason = Reason(code)
    except ValueError:
        return code  # An older or newer version wrote it.
    return _REASONS.get(reason) or NOTICES[reason].detail.rstrip(".")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
