"""What visitors and clients are told when a request is not forwarded."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote

from guestpass.app.notices import Notice, RenderedNotice
from guestpass.domain.reasons import Reason
from guestpass.web.pages import PAGE_FIELDS, Page, place, render
from guestpass.web.problems import DATA_HEAD, Problem
from guestpass.web.texts import NOTICES, WRONG_PASSWORD

STATUSES: Final[dict[Reason, int]] = {
    Reason.UNKNOWN_LINK: 404,
    Reason.LINK_DEACTIVATED: 410,
    Reason.LINK_EXPIRED: 410,
    Reason.LINK_REPLACED: 410,
    Reason.LINK_FULL: 403,
    Reason.ADDRESS_REFUSED: 403,
    Reason.CONFIRM_OPENING: 200,
    Reason.PREVIEW: 200,
    Reason.PASSWORD_NEEDED: 401,
    Reason.PASSWORD_WRONG: 401,
    Reason.PASS_MISSING: 401,
    Reason.SWITCH_LINK: 409,
    Reason.EMBEDDED: 403,
    Reason.BAD_REQUEST: 400,
    Reason.FOREIGN_ORIGIN: 403,
    Reason.UNKNOWN_HOST: 421,
    Reason.NOT_FOUND: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.HEAD_TOO_LARGE: 431,
    Reason.TARGET_TOO_LONG: 414,
    Reason.BODY_TOO_LARGE: 413,
    Reason.HEAD_TIMEOUT: 408,
    Reason.SERVICE_WORKER: 404,
    Reason.VERSION_NOT_SUPPORTED: 505,
    Reason.MAINTENANCE: 503,
    Reason.UPSTREAM_UNREACHABLE: 502,
    Reason.UPSTREAM_BROKEN: 502,
    Reason.UPSTREAM_TIMEOUT: 504,
    Reason.ACCELERATED_FILE: 502,
    Reason.NOT_SHARED: 403,
    Reason.VIEW_ONLY: 403,
    Reason.VISIT_ENDED: 200,
    Reason.SIGN_IN_REFUSED: 503,
    Reason.SIGN_INS_USED_UP: 429,
    Reason.TOO_BUSY: 503,
    Reason.UNAVAILABLE: 503,
}
_RETRY_AFTER: Final = {  # Seconds.
    Reason.MAINTENANCE: "120",
    Reason.SIGN_IN_REFUSED: "60",
    Reason.SIGN_INS_USED_UP: "60",
    Reason.TOO_BUSY: "10",
    Reason.UNAVAILABLE: "5",
}
_FORMS: Final = {
    Reason.PASSWORD_NEEDED: "password.html",
    Reason.PASSWORD_WRONG: "password.html",
    Reason.SWITCH_LINK: "switch.html",
    Reason.CONFIRM_OPENING: "confirm.html",
}
# For a problem, where no page can ask: a status of success would say that the request was served.
_PROBLEM_STATUSES: Final = {Reason.CONFIRM_OPENING: 409}
_ICONS: Final = {
    Reason.PASSWORD_NEEDED: "lock",
    Reason.PASSWORD_WRONG: "lock",
    Reason.PASS_MISSING: "link",
    Reason.UNKNOWN_LINK: "link",
    Reason.SWITCH_LINK: "switch",
    Reason.LINK_DEACTIVATED: "off",
    Reason.LINK_EXPIRED: "clock",
    Reason.LINK_REPLACED: "switch",
    Reason.LINK_FULL: "lock",
    Reason.ADDRESS_REFUSED: "lock",
    Reason.CONFIRM_OPENING: "link",
    Reason.PREVIEW: "link",
    Reason.MAINTENANCE: "clock",
    Reason.VISIT_ENDED: "off",
    Reason.SIGN_INS_USED_UP: "clock",
    Reason.TOO_BUSY: "clock",
    Reason.UNAVAILABLE: "clock",
    Reason.HEAD_TIMEOUT: "clock",
    Reason.UPSTREAM_TIMEOUT: "clock",
}


class Notices:
    """The NoticeRenderer of the product. All pages are rendered when it is made; an answer only fills in its places."""

    def __init__(self) -> None:
        self._pages: dict[tuple[Reason, bool, bool], Page] = {
            (reason, detail, token): _page(reason, detail=detail, token=token)
            for reason in Reason
            for detail in (False, True)
            for token in (False, True)
        }

    def render(self, notice: Notice) -> RenderedNotice:
        """The answer for a notice."""
        status, fields = STATUSES[notice.reason], _fields(notice)
        detail, token = notice.detail or "", notice.token or ""
        # Programs that look at a link to show it in a chat don't say that they navigate.
        if not notice.page and notice.reason is not Reason.PREVIEW:
            status = _PROBLEM_STATUSES.get(notice.reason, status)
            problem = Problem(status=status, code=notice.reason, detail=detail or NOTICES[notice.reason].detail)
            return RenderedNotice(status, (*DATA_HEAD, *fields), problem.body(notice.request_id))
        page = self._pages[notice.reason, bool(detail), bool(token)]
        body = page.fill(
            request_id=notice.request_id,
            detail=detail,
            token=quote(token, safe="", errors="replace"),
            account=_account(token),
        )
        return RenderedNotice(status, (*PAGE_FIELDS, *fields), body)


def _page(reason: Reason, *, detail: bool, token: bool) -> Page:
    wrong = WRONG_PASSWORD if reason is Reason.PASSWORD_WRONG else None
    template = "preview.html" if reason is Reason.PREVIEW else "notice.html"
    return render(
        _FORMS[reason] if token and reason in _FORMS else template,
        title=NOTICES[reason].title,
        text=NOTICES[reason].text,
        icon=_ICONS.get(reason, "alert"),
        detail=place("detail") if detail else wrong,
        from_owner=reason is Reason.MAINTENANCE,
        token=place("token"),
        account=place("account"),
    )


def _fields(notice: Notice) -> tuple[tuple[str, str], ...]:
    if (seconds := _RETRY_AFTER.get(notice.reason)) is not None:
        return (("Retry-After", seconds),)
    if notice.reason is Reason.METHOD_NOT_ALLOWED:
        # A share URL is opened and its switch confirmed; what an environment allows is its own affair.
        return (("Allow", "GET, HEAD, POST" if notice.token else "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),)
    return ()


def _account(token: str) -> str:
    """A name under which a password manager keeps this link's password; the token can't be found from it."""
    return f"link-{hashlib.sha256(token.encode('utf-8', 'replace')).hexdigest()[:8]}"
