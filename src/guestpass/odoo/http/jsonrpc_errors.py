"""How an ending is told so that Odoo's web client understands it.

The client takes any status but 200, and any page, for a lost connection and tries again without end. An error of
JSON-RPC that is a UserError it shows in a dialog, in our words. It does not compare the answer's id with the call's.
"""

from __future__ import annotations

import html
import json
from typing import Final

from guestpass.app.notices import RenderedNotice
from guestpass.domain.reasons import Reason
from guestpass.languages.language import Language, language_for
from guestpass.languages.marks import mark
from guestpass.odoo.http.blocked_paths import is_json_api, readings

WARN_BEFORE: Final = 300.0
"""How long before a link's end, in seconds, people who work in Odoo are told of it."""
_WARNING_TITLE: Final = mark("Share link")

_CALL_TYPES: Final = frozenset({b"application/json", b"application/json-rpc"})
_FIELDS: Final = (
    ("Content-Type", "application/json; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)
_PAGE_FIELDS: Final = (("Content-Type", "text/html; charset=utf-8"), *_FIELDS[1:])
_DOWNLOADS: Final = frozenset(
    {b"/report/download", b"/spreadsheet/xlsx", b"/web/export/csv", b"/web/export/xlsx", b"/web/pivot/export_xlsx"}
)
_WORDS: Final[dict[Reason, str]] = {
    Reason.LINK_EXPIRED: mark("This share link has expired. Ask the person who sent it to you for a new one."),
    Reason.LINK_DEACTIVATED: mark("This share link was switched off. Ask the person who sent it to you for a new one."),
    Reason.LINK_REPLACED: mark("This share link was replaced. Ask the person who sent it to you for the new one."),
    Reason.UNKNOWN_LINK: mark("This share link no longer exists. Ask the person who sent it to you for a new one."),
    Reason.LINK_FULL: mark("As many people as this share link lets in are in."),
    Reason.ADDRESS_REFUSED: mark("This share link can't be used from the network that you are in."),
    Reason.PASS_MISSING: mark(
        "This page no longer belongs to an open share link. Open the link that was sent to you again."
    ),
    Reason.BODY_TOO_LARGE: mark("What you are sending is larger than this share link accepts. Try a smaller file."),
    Reason.HEAD_TIMEOUT: mark("What you sent did not arrive in time. Check your connection and try again."),
    Reason.MAINTENANCE: mark("Odoo is being worked on. Your share link stays as it is: try again a little later."),
    Reason.UPSTREAM_UNREACHABLE: mark(
        "Odoo isn't answering: it doesn't seem to be running. Please try again in a moment."
    ),
    Reason.UPSTREAM_BROKEN: mark(
        "Odoo broke off before it had answered. What you did may have been carried out all the same, so look before "
        "you repeat it."
    ),
    Reason.UPSTREAM_TIMEOUT: mark(
        "Odoo did not answer in time. What you did may have been carried out all the same, so look before you repeat "
        "it."
    ),
    Reason.ACCELERATED_FILE: mark(
        "This file can't be fetched through a share link. Tell the person who sent you the link."
    ),
    Reason.NOT_SHARED: mark("This part of Odoo isn't shared by your link."),
    Reason.VIEW_ONLY: mark("This link is view-only: you can look at everything, but not change anything."),
    Reason.VISIT_ENDED: mark("You are signed out. Open the link that was sent to you again."),
    Reason.SIGN_IN_REFUSED: mark("You can't be signed in right now. Tell the person who sent you the link."),
    Reason.SIGN_INS_USED_UP: mark(
        "Too many people have opened this link from where you are. Try again in a few minutes."
    ),
    Reason.LINK_OVERRUN: mark("Too many people use this share link at once. Please try again in a minute."),
    Reason.TOO_MANY_REQUESTS: mark("Too many requests came from where you are. Please try again in a minute."),
    Reason.TOO_BUSY: mark("Odoo is very busy at the moment. Please try again in a few seconds."),
    Reason.UNAVAILABLE: mark("This can't be passed on right now. Please try again in a moment."),
}


def is_call(method: bytes, path: bytes, content_type: bytes) -> bool:
    """Whether a request is a call of Odoo's web client, which wants JSON-RPC back. Its body need not be known.

    The client calls routes of every module, so it is the content type that tells: a form or a link can't send it.
    """
    return method == b"POST" and is_json(content_type) and not is_json_api(path)


def is_download(method: bytes, path: bytes) -> bool:
    """Whether Odoo's web client asks for a document by a form that a script sends."""
    return method == b"POST" and any(plain in _DOWNLOADS for plain in readings(path))


def is_json(content_type: bytes) -> bool:
    """Whether Odoo takes a body of this type for a call."""
    return content_type.partition(b";")[0].strip().lower() in _CALL_TYPES


def ending(reason: Reason, *, message: str | None = None, languages: str = "") -> RenderedNotice | None:
    """The answer to a call that is not forwarded, or None where HTTP's own status is the right one.

    `message` is the owner's, for maintenance; `languages` is the request's Accept-Language.
    """
    words = _said(reason, message, languages)
    return None if words is None else user_error(words)


def _said(reason: Reason, message: str | None, languages: str) -> str | None:
    if reason not in _WORDS:
        return None
    language = language_for(languages)
    words = language.translate(_WORDS[reason])
    if reason is Reason.MAINTENANCE and message and message.strip():
        from_owner = language.translate("Message from the owner: {message}", message=message.strip())
        words = f"{words} {from_owner}"
    return words


def failed_download(reason: Reason, *, message: str | None = None, languages: str = "") -> RenderedNotice | None:
    """The answer to a download that is refused, or None where HTTP's own status is the right one.

    The client reads a failure out of the text of an HTML document, whatever its status, and freezes over any other.
    """
    words = _said(reason, message, languages)
    if words is None:
        return None
    return RenderedNotice(403, _PAGE_FIELDS, html.escape(json.dumps(_user_error(words))).encode())


def user_error(words: str) -> RenderedNotice:
    """What Odoo answers where it raises a UserError; its client shows `words` in a dialog."""
    return RenderedNotice(200, _FIELDS, _json({"jsonrpc": "2.0", "id": None, "error": _user_error(words)}))


def _user_error(words: str) -> dict[str, object]:
    return {
        "code": 200,
        "message": "Odoo Server Error",
        "data": {
            "name": "odoo.exceptions.UserError",
            "debug": "",
            "message": words,
            "arguments": [words],
            "context": {},
        },
    }


def answered(body: bytes) -> RenderedNotice:
    """An answer to a call that is ready as it is."""
    return RenderedNotice(200, _FIELDS, body)


def upload_too_large(limit: int, languages: str = "") -> RenderedNotice:
    """The answer to an upload of more than `limit` bytes: the client reads `error` out of whatever it gets back."""
    language = language_for(languages)
    words = language.translate(
        "This file is too large: at most {size} can be sent through this share link.", size=_size(limit, language)
    )
    return RenderedNotice(413, _FIELDS, _json({"error": words, "status": 413, "code": Reason.BODY_TOO_LARGE.value}))


def warning(seconds_left: float, languages: str = "") -> tuple[str, str]:
    """Title and text of the notification that a link is about to end."""
    language = language_for(languages)
    text = language.translate_count(
        "This share link expires in {count} minute. Save what you are working on.",
        "This share link expires in {count} minutes. Save what you are working on.",
        max(1, round(seconds_left / 60)),
    )
    return language.translate(_WARNING_TITLE), text


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _size(count: int, language: Language) -> str:
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= size:
            return f"{language.number(count / size)} {unit}"
    return language.translate("{count} bytes", count=count)
