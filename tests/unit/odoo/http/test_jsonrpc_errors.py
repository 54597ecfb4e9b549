from __future__ import annotations

import json
from typing import Any

import pytest

from guestpass.app.notices import RenderedNotice
from guestpass.domain.reasons import Reason
from guestpass.odoo.http.jsonrpc_errors import (
    ending,
    is_call,
    upload_too_large,
    user_error,
    warning,
)

CALL = "/web/dataset/call_kw/res.partner/web_search_read"


def read(notice: RenderedNotice | None) -> Any:
    assert notice is not None
    assert dict(notice.fields)["Content-Type"].startswith("application/json")
    assert dict(notice.fields)["Cache-Control"] == "no-store"
    return json.loads(notice.body)


def words(reason: Reason, message: str | None = None) -> str:
    shown = read(ending(reason, message=message))["error"]["data"]["message"]
    assert isinstance(shown, str)
    return shown


@pytest.mark.parametrize(
    "path", [CALL, "/web/action/run", "/mail/data", "/discuss/channel/messages", "/my_module/anything", "/jsonrpc"]
)
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/json-rpc"]
)
def test_a_post_of_json_is_a_call(path: str, content_type: str) -> None:
    assert is_call(b"POST", path.encode(), content_type.encode())


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        ("GET", CALL, "application/json"),
        ("PUT", CALL, "application/json"),
        ("POST", CALL, ""),
        ("POST", CALL, "text/plain"),
        ("POST", CALL, "application/jsonp"),
        ("POST", CALL, "text/plain; application/json"),
        ("POST", "/web/login", "application/x-www-form-urlencoded"),
        ("POST", "/mail/attachment/upload", "multipart/form-data; boundary=x"),
        # Whoever calls this one goes by the status, and would take a 200 for success.
        ("POST", "/json/2/res.partner/read", "application/json"),
    ],
)
def test_anything_else_is_not(method: str, path: str, content_type: str) -> None:
    assert not is_call(method.encode(), path.encode(), content_type.encode())


def test_the_answer_has_the_shape_of_odoos_own() -> None:
    answer = read(ending(Reason.LINK_EXPIRED))
    text = answer["error"]["data"]["message"]
    assert answer == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {
            "code": 200,
            "message": "Odoo Server Error",
            "data": {
                "name": "odoo.exceptions.UserError",
                "debug": "",
                "message": text,
                "arguments": [text],
                "context": {},
            },
        },
    }
    assert text.startswith("This share link has expired. ")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.LINK_EXPIRED, "has expired"),
        (Reason.LINK_DEACTIVATED, "was switched off"),
        (Reason.UNKNOWN_LINK, "no longer exists"),
        (Reason.PASS_MISSING, "Open the link"),
        (Reason.MAINTENANCE, "being worked on"),
        (Reason.UPSTREAM_UNREACHABLE, "isn't answering"),
        (Reason.UPSTREAM_TIMEOUT, "in time"),
        (Reason.UPSTREAM_BROKEN, "broke off"),
        (Reason.UNAVAILABLE, "right now"),
        (Reason.BODY_TOO_LARGE, "smaller file"),
        (Reason.HEAD_TIMEOUT, "Check your connection"),
    ],
)
def test_what_ends_a_call_is_said_in_plain_words_with_status_200(reason: Reason, said: str) -> None:
    notice = ending(reason)
    assert notice is not None
    assert notice.status == 200
    text = words(reason)
    assert said in text
    assert text.endswith(".")
    assert reason.value not in text


@pytest.mark.parametrize("reason", [Reason.UPSTREAM_TIMEOUT, Reason.UPSTREAM_BROKEN])
def test_who_does_not_know_the_outcome_is_told_to_look(reason: Reason) -> None:
    assert "may have been carried out" in words(reason)


def test_the_owners_message_is_passed_on_during_maintenance() -> None:
    assert words(Reason.MAINTENANCE, "Back at 5 pm — “sorry”").endswith(
        "Message from the owner: Back at 5 pm — “sorry”"
    )
    assert "owner" not in words(Reason.MAINTENANCE, "  ")
    assert "owner" not in words(Reason.LINK_EXPIRED, "Back at 5 pm")


@pytest.mark.parametrize("reason", [Reason.FOREIGN_ORIGIN, Reason.BAD_REQUEST, Reason.UNKNOWN_HOST, Reason.NOT_FOUND])
def test_what_no_honest_client_meets_keeps_its_status(reason: Reason) -> None:
    assert ending(reason) is None


def test_a_text_that_is_no_unicode_is_told_as_far_as_it_goes() -> None:
    assert read(user_error("a\udc80b"))["error"]["data"]["message"] == "a?b"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (256 * 1024**2, "256 MiB"),
        (2 * 1024**3, "2 GiB"),
        (1536 * 1024**2, "1.5 GiB"),
        (1000, "1000 bytes"),
        (2048, "2 KiB"),
    ],
)
def test_an_upload_that_is_too_large_is_told_its_limit(limit: int, said: str) -> None:
    notice = upload_too_large(limit)
    assert notice.status == 413
    assert f"at most {said} " in read(notice)["error"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (300.0, "in 5 minutes"),
        (299.2, "in 5 minutes"),
        (300.4, "in 5 minutes"),
        (125.0, "in 2 minutes"),
        (61.0, "in 1 minute."),
        (4.0, "in 1 minute."),
    ],
)
def test_the_warning_says_how_long_is_left(seconds: float, said: str) -> None:
    assert f"This share link expires {said}" in warning(seconds)[1]


def test_all_of_it_is_said_in_the_readers_language() -> None:
    told = read(ending(Reason.MAINTENANCE, message="Back at 5 pm", languages="fr-CH, en;q=0.1"))
    message = told["error"]["data"]["message"]
    assert message.startswith("Odoo est en cours de maintenance.")
    assert message.endswith("Message du propriétaire : Back at 5 pm")
    assert "höchstens 1,5 GiB " in read(upload_too_large(1536 * 1024**2, "de"))["error"]
    assert "1000 octets" in read(upload_too_large(1000, "fr"))["error"]
    assert warning(60.0, "es") == (
        "Enlace compartido",
        "Este enlace compartido caduca en 1 minuto. Guarde lo que esté haciendo.",
    )
    assert "em 5 minutos" in warning(300.0, "pt")[1]
