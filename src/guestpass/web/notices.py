"""Render responses to requests that are not forwarded: a page, or a problem (RFC 9457)."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from guestpass.app.notices import Notice, RenderedNotice
from guestpass.domain.reasons import Reason
from guestpass.languages.language import Language, language_for
from guestpass.web.brands import theme_for
from guestpass.web.pages import PageTemplate, page_fields, place, render
from guestpass.web.problems import DATA_HEAD, Problem, challenge
from guestpass.web.texts import CARD, ENDED_AT, NOTICES, RETRIES, WAIT, WRONG_PASSWORD

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
    Reason.TRIES_USED_UP: 429,
    Reason.PASS_MISSING: 401,
    Reason.SWITCH_LINK: 409,
    Reason.TICKET_SPENT: 410,
    Reason.LINK_OVERRUN: 429,
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
    Reason.TOO_MANY_REQUESTS: 429,
    Reason.GUESSES_USED_UP: 429,
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
    Reason.TRIES_USED_UP: "60",  # Defaults, here and below, if the notice has no time.
    Reason.LINK_OVERRUN: "60",
    Reason.TOO_MANY_REQUESTS: "60",
    Reason.GUESSES_USED_UP: "60",
    Reason.TOO_BUSY: "10",
    Reason.UNAVAILABLE: "5",
}
# Pages about what passes ask again by themselves, without a script; in seconds. Where each try is work for somebody
# who has too much of it already, they do so less often.
_REFRESH: Final = {
    Reason.MAINTENANCE: 30,
    Reason.UPSTREAM_UNREACHABLE: 10,
    Reason.UPSTREAM_TIMEOUT: 30,
    Reason.SIGN_IN_REFUSED: 60,
    Reason.SIGN_INS_USED_UP: 60,
    Reason.TOO_BUSY: 10,
    Reason.UNAVAILABLE: 10,
}
_FORMS: Final = {
    Reason.PASSWORD_NEEDED: "password.html",
    Reason.PASSWORD_WRONG: "password.html",
    Reason.SWITCH_LINK: "confirm.html",
    Reason.CONFIRM_OPENING: "confirm.html",
}
# For problems, which have no page to ask with: a 2xx status would say that the request was served.
_PROBLEM_STATUSES: Final = {Reason.CONFIRM_OPENING: 409}
_ICONS: Final = {
    Reason.PASSWORD_NEEDED: "lock",
    Reason.PASSWORD_WRONG: "lock",
    Reason.TRIES_USED_UP: "clock",
    Reason.LINK_OVERRUN: "clock",
    Reason.TOO_MANY_REQUESTS: "clock",
    Reason.GUESSES_USED_UP: "clock",
    Reason.PASS_MISSING: "link",
    Reason.UNKNOWN_LINK: "link",
    Reason.TICKET_SPENT: "link",
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


@dataclass(frozen=True, slots=True)
class _Variant:
    """What distinguishes pages of the same reason: their forms and paragraphs."""

    reason: Reason
    language: Language
    token: bool
    detail: bool
    waits: bool
    foreign_detail: bool
    ended_at: bool
    repeats: bool


class Notices:
    """The product's NoticeRenderer. Pages are rendered at first use; each response fills in their places.

    `link_origins` are the origins that forms redirect to, as Content-Security-Policy sources.
    """

    def __init__(self, link_origins: str | None = None) -> None:
        self._forms = "'self'" if link_origins is None else f"'self' {link_origins}"
        self._page = lru_cache(maxsize=4096)(_page)
        self._theme_for = lru_cache(maxsize=256)(theme_for)

    def render(self, notice: Notice) -> RenderedNotice:
        """Render a notice."""
        status, fields = STATUSES[notice.reason], _fields(notice)
        # Bots that preview links in chats don't send the fields of a navigation.
        if not notice.page and notice.reason is not Reason.PREVIEW:
            status = _PROBLEM_STATUSES.get(notice.reason, status)
            detail = notice.detail or NOTICES[notice.reason].detail
            problem = Problem(status=status, code=notice.reason, detail=detail)
            return RenderedNotice(status, (*DATA_HEAD, *fields), problem.body(notice.request_id))
        language = language_for(notice.languages)
        theme = self._theme_for(notice.branding, language)
        page = self._page(_variant(notice, language))
        detail, token, ended_at = notice.detail or "", notice.token or "", notice.ended_at
        if notice.retry_after is not None:
            detail = language.translate_count(*WAIT, max(1, math.ceil(notice.retry_after / 60)))
        elif notice.reason is not Reason.MAINTENANCE:
            detail = language.translate(detail)
        body = page.fill_themed(
            theme,
            request_id=notice.request_id,
            detail=detail,
            token=quote(token, safe="", errors="replace"),
            query=notice.query,
            account=_account(token),
            ended_at=language.translate(ENDED_AT, date=language.date(ended_at), time=language.time(ended_at))
            if ended_at is not None
            else "",
        )
        if _repeats(notice):
            fields = (*fields, ("Refresh", str(_REFRESH[notice.reason])))
        forms = self._forms if notice.reason in _FORMS else "'self'"
        return RenderedNotice(status, (*page_fields(language.tag, theme, forms), *fields), body)


def _variant(notice: Notice, language: Language) -> _Variant:
    reason, detail = notice.reason, notice.detail
    # The language of the owner's text is unknown.
    waits = notice.retry_after is not None
    foreign = bool(detail) and not waits and reason is not Reason.MAINTENANCE and not language.knows(detail or "")
    return _Variant(
        reason=reason,
        language=language,
        token=bool(notice.token),
        detail=waits or bool(detail),
        waits=waits,
        foreign_detail=foreign,
        ended_at=notice.ended_at is not None,
        repeats=_repeats(notice),
    )


def _repeats(notice: Notice) -> bool:
    return notice.repeatable and notice.reason in _REFRESH


def _page(variant: _Variant) -> PageTemplate:
    reason, language = variant.reason, variant.language
    title, text = language.translate(NOTICES[reason].title), language.translate(NOTICES[reason].text)
    wrong = language.translate(WRONG_PASSWORD) if reason is Reason.PASSWORD_WRONG else None
    template = "preview.html" if reason is Reason.PREVIEW else "notice.html"
    return render(
        language,
        _FORMS[reason] if variant.token and reason in _FORMS else template,
        title=title,
        text=text,
        icon=_ICONS.get(reason, "alert"),
        detail=place("detail") if variant.detail else wrong,
        detail_language="en" if variant.foreign_detail else None,
        # A time to wait is shown in the same place, without the style of an error.
        waits=variant.waits,
        from_owner=reason is Reason.MAINTENANCE,
        ended_at=place("ended_at") if variant.ended_at else None,
        retries=language.translate(RETRIES, seconds=_REFRESH[reason]) if variant.repeats else None,
        switches=reason is Reason.SWITCH_LINK,
        card=language.translate(CARD),
        token=place("token"),
        query=place("query"),
        account=place("account"),
    )


def _fields(notice: Notice) -> tuple[tuple[str, str], ...]:
    if STATUSES[notice.reason] == 401:
        return (challenge("link", notice.reason),)
    if notice.retry_after is not None:
        return (("Retry-After", str(math.ceil(notice.retry_after))),)
    if (seconds := _RETRY_AFTER.get(notice.reason)) is not None:
        return (("Retry-After", seconds),)
    if notice.reason is Reason.METHOD_NOT_ALLOWED:
        # A share URL takes GET, and POST to confirm a switch; an environment's methods are its own.
        return (("Allow", "GET, HEAD, POST" if notice.token else "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),)
    return ()


def _account(token: str) -> str:
    """Return a user name for password managers, from which the token can't be derived."""
    return f"link-{hashlib.sha256(token.encode('utf-8', 'replace')).hexdigest()[:8]}"
