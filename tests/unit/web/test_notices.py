from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from guestpass.app.notices import Notice, NoticeRenderer, RenderedNotice
from guestpass.domain.reasons import Reason
from guestpass.web.notices import Notices
from guestpass.web.texts import NOTICES

TOKEN = "gp_" + "A1b2C3d" * 7
STATUSES = {
    "unknown_link": 404,
    "link_deactivated": 410,
    "link_expired": 410,
    "link_replaced": 410,
    "link_full": 403,
    "address_refused": 403,
    "confirm_opening": 200,
    "preview": 200,
    "password_needed": 401,
    "password_wrong": 401,
    "pass_missing": 401,
    "switch_link": 409,
    "embedded": 403,
    "bad_request": 400,
    "foreign_origin": 403,
    "unknown_host": 421,
    "not_found": 404,
    "method_not_allowed": 405,
    "head_too_large": 431,
    "target_too_long": 414,
    "body_too_large": 413,
    "head_timeout": 408,
    "service_worker": 404,
    "version_not_supported": 505,
    "maintenance": 503,
    "upstream_unreachable": 502,
    "upstream_broken": 502,
    "upstream_timeout": 504,
    "accelerated_file": 502,
    "not_shared": 403,
    "view_only": 403,
    "visit_ended": 200,
    "sign_in_refused": 503,
    "sign_ins_used_up": 429,
    "too_busy": 503,
    "unavailable": 503,
}
RENDERER: NoticeRenderer = Notices()


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the page's text."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def one(self, tag: str, **attributes: str) -> dict[str, str | None]:
        [found] = [attrs for name, attrs in self.all if name == tag and attributes.items() <= attrs.items()]
        return found


def _render(
    reason: Reason, *, page: bool = True, token: str | None = None, detail: str | None = None
) -> RenderedNotice:
    return RENDERER.render(Notice(reason=reason, page=page, request_id="req-77", token=token, detail=detail))


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("detail", [None, "Said\nby the owner."])
def test_every_page_is_whole_and_safe(reason: Reason, token: str | None, detail: str | None) -> None:
    rendered = _render(reason, token=token, detail=detail)
    fields = dict(rendered.fields)
    elements = Elements(rendered.body)

    assert rendered.status == STATUSES[reason.value]
    assert len(fields) == len(rendered.fields), "no field twice"
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["Cache-Control"] == "no-store"
    assert fields["Referrer-Policy"] == "same-origin"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["X-Robots-Tag"] == "noindex"
    assert "WWW-Authenticate" not in fields
    [style] = re.findall("<style>(.*?)</style>", rendered.body.decode(), re.DOTALL)
    source = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert fields["Content-Security-Policy"].split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{source}'", "form-action 'self'", "frame-ancestors 'none'",
        "base-uri 'none'",
    ]  # fmt: skip
    assert len(rendered.body) <= 30 * 1024
    assert elements.one("html")["lang"] == "en"
    assert elements.one("meta", name="viewport")
    assert NOTICES[reason].title in elements.text
    assert "req-77" in elements.text
    assert detail is None or (detail in elements.text) is (reason is not Reason.PREVIEW)
    for tag, attributes in elements.all:
        assert tag not in {"script", "img", "link", "iframe"}
        assert not {"style", "src"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "\ue000" not in rendered.body.decode()


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.PREVIEW])
def test_every_problem_has_the_one_shape(reason: Reason) -> None:
    rendered = _render(reason, page=False, token=TOKEN)
    fields = dict(rendered.fields)

    assert rendered.status == {"confirm_opening": 409}.get(reason.value, STATUSES[reason.value])
    assert fields["Content-Type"] == "application/problem+json"
    assert fields["Cache-Control"] == "no-store"
    assert fields["X-Content-Type-Options"] == "nosniff"
    problem = json.loads(rendered.body)
    assert set(problem) == {"type", "title", "status", "detail", "code", "requestId"}
    assert (problem["type"], problem["status"]) == ("about:blank", rendered.status)
    assert (problem["code"], problem["requestId"]) == (reason.value, "req-77")
    assert problem["detail"]
    assert TOKEN not in rendered.body.decode()


def test_what_is_wrong_with_a_request_is_said_in_both() -> None:
    for page in (True, False):
        assert b"Host is missing." in _render(Reason.BAD_REQUEST, page=page, detail="Host is missing.").body


def test_the_password_page_is_one_that_password_managers_understand() -> None:
    elements = Elements(_render(Reason.PASSWORD_NEEDED, token=TOKEN).body)

    form = elements.one("form")
    assert (form["method"], form["action"]) == ("post", f"/share/{TOKEN}/login")
    account = elements.one("input", autocomplete="username")
    assert "hidden" in account
    assert account["value"] is not None
    assert TOKEN[3:9] not in account["value"]
    password = elements.one("input", type="password")
    assert (password["name"], password["autocomplete"]) == ("password", "current-password")
    assert "autofocus" in password
    assert "aria-describedby" not in password
    assert elements.one("label")["for"] == password["id"]
    assert [tag for tag, _ in elements.all].count("button") == 1
    other = Elements(_render(Reason.PASSWORD_NEEDED, token=TOKEN[::-1]).body).one("input", autocomplete="username")
    assert other["value"] != account["value"], "each link is an account of its own"


def test_a_wrong_password_is_said_where_screen_readers_hear_it() -> None:
    elements = Elements(_render(Reason.PASSWORD_WRONG, token=TOKEN).body)

    alert = elements.one("p", role="alert")
    password = elements.one("input", type="password")
    assert password["aria-describedby"] == alert["id"]
    assert password["aria-invalid"] == "true"
    assert "isn't right" in elements.text


def test_the_switch_page_has_one_button_that_posts() -> None:
    elements = Elements(_render(Reason.SWITCH_LINK, token=TOKEN).body)

    form = elements.one("form")
    assert (form["method"], form["action"]) == ("post", f"/share/{TOKEN}")
    assert [tag for tag, _ in elements.all].count("button") == 1
    assert [tag for tag, _ in elements.all].count("input") == 0


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("page", [True, False])
def test_nothing_gets_out_of_its_place(reason: Reason, page: bool) -> None:
    hostile = "\"><script>alert('x')</script>&\ue000token\ue001\ud800\x00"

    rendered = RENDERER.render(Notice(reason=reason, page=page, request_id=hostile, token=hostile, detail=hostile))

    if page or reason is Reason.PREVIEW:
        assert "script" not in [tag for tag, _ in Elements(rendered.body).all]
    else:
        assert json.loads(rendered.body)["requestId"] == hostile


def test_who_should_come_back_is_told_when() -> None:
    for reason in Reason:
        for page in (True, False):
            fields = dict(_render(reason, page=page).fields)
            assert ("Retry-After" in fields) == (STATUSES[reason.value] in (429, 503))
            assert ("Allow" in fields) == (STATUSES[reason.value] == 405)
    assert dict(_render(Reason.METHOD_NOT_ALLOWED, token=TOKEN).fields)["Allow"] == "GET, HEAD, POST"


def test_every_text_for_visitors_avoids_the_words_of_hosting() -> None:
    for reason, words in NOTICES.items():
        if reason is Reason.PREVIEW:  # Its reader is a chat, and it has to say what is shared.
            continue
        said = f"{words.title} {words.text}".lower()
        for word in ("http", "proxy", "upstream", "gateway", "server", "token", "environment", "header"):
            assert word not in said, words
