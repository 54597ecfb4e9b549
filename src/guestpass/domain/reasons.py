"""The reasons for not forwarding a request; each determines page, status, log and counters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from guestpass.domain.link import ShareLink, Status


class Reason(StrEnum):
    """Each member's value is the stable `code` of the problem that a client sees."""

    # The link
    UNKNOWN_LINK = "unknown_link"
    LINK_DEACTIVATED = "link_deactivated"
    LINK_EXPIRED = "link_expired"
    LINK_REPLACED = "link_replaced"
    LINK_FULL = "link_full"
    ADDRESS_REFUSED = "address_refused"
    CONFIRM_OPENING = "confirm_opening"
    PREVIEW = "preview"
    PASSWORD_NEEDED = "password_needed"
    PASSWORD_WRONG = "password_wrong"
    TRIES_USED_UP = "tries_used_up"
    PASS_MISSING = "pass_missing"
    SWITCH_LINK = "switch_link"
    TICKET_SPENT = "ticket_spent"
    LINK_OVERRUN = "link_overrun"
    EMBEDDED = "embedded"
    # The request
    BAD_REQUEST = "bad_request"
    FOREIGN_ORIGIN = "foreign_origin"
    UNKNOWN_HOST = "unknown_host"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    HEAD_TOO_LARGE = "head_too_large"
    TARGET_TOO_LONG = "target_too_long"
    BODY_TOO_LARGE = "body_too_large"
    HEAD_TIMEOUT = "head_timeout"
    SERVICE_WORKER = "service_worker"
    VERSION_NOT_SUPPORTED = "version_not_supported"
    TOO_MANY_REQUESTS = "too_many_requests"
    GUESSES_USED_UP = "guesses_used_up"
    # The environment
    MAINTENANCE = "maintenance"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_BROKEN = "upstream_broken"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    ACCELERATED_FILE = "accelerated_file"
    NOT_SHARED = "not_shared"
    VIEW_ONLY = "view_only"
    VISIT_ENDED = "visit_ended"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_INS_USED_UP = "sign_ins_used_up"
    TOO_BUSY = "too_busy"
    # Ourselves
    UNAVAILABLE = "unavailable"


WHY_ENDED: Final[Mapping[Status, Reason]] = {
    Status.DEACTIVATED: Reason.LINK_DEACTIVATED,
    Status.EXPIRED: Reason.LINK_EXPIRED,
}
"""Why a link in this state opens nothing."""


def ended_at(link: ShareLink, reason: Reason) -> datetime | None:
    """When the link ended, where the reason is that it has."""
    if reason is Reason.LINK_EXPIRED:
        return link.expires_at
    return link.deactivated_at if reason is Reason.LINK_DEACTIVATED else None
