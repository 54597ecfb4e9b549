"""Why a request was refused or failed, as far as its bytes and connections tell."""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """Each member's value is the `code` of the problem that a client sees."""

    BAD_REQUEST = "bad_request"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    HEAD_TOO_LARGE = "head_too_large"
    TARGET_TOO_LONG = "target_too_long"
    BODY_TOO_LARGE = "body_too_large"
    HEAD_TIMEOUT = "head_timeout"
    VERSION_NOT_SUPPORTED = "version_not_supported"
    TOO_BUSY = "too_busy"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_BROKEN = "upstream_broken"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UNAVAILABLE = "unavailable"
