from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from guestpass.app.notices import Notice, NoticeRenderer, RenderedNotice
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.branding import CONTACT_LENGTH, LOGO_SIZE, NAME_LENGTH, Branding, Logo
from guestpass.domain.reasons import Reason
from guestpass.web.notices import Notices
from guestpass.web.texts import NOTICES, PASSWORD_MISSING

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
    "ticket_spent": 410,
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
    "tries_used_up": 429,
    "link_overrun": 429,
    "too_many_requests": 429,
    "guesses_used_up": 429,
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
    reason: Reason,
    *,
    page: bool = True,
    token: str | None = None,
    detail: str | None = None,
    languages: str = "",
    branding: Branding | None = None,
    ended_at: datetime | None = None,
    repeatable: bool = False,
    retry_after: float | None = None,
) -> RenderedNotice:
    return RENDERER.render(
        Notice(
            reason=reason,
            page=page,
            request_id="req-77",
            token=token,
            detail=detail,
            languages=languages,
            branding=branding,
            ended_at=ended_at,
            repeatable=repeatable,
            retry_after=retry_after,
        )
    )


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("detail", [None, "Said\nby the owner."])
@pytest.mark.parametrize(
    ("languages", "language"), [("", "en"), ("es", "es"), ("fr", "fr"), ("de", "de"), ("pt", "pt")]
)
def test_every_page_is_whole_and_safe(
    reason: Reason, token: str | None, detail: str | None, languages: str, language: str
) -> None:
    rendered = _render(reason, token=token, detail=detail, languages=languages)
    fields = dict(rendered.fields)
    elements = Elements(rendered.body)

    assert rendered.status == STATUSES[reason.value]
    assert len(fields) == len(rendered.fields), "no field twice"
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["Cache-Control"] == "no-store"
    assert fields["Referrer-Policy"] == "same-origin"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["X-Robots-Tag"] == "noindex"
    assert (fields["Content-Language"], fields["Vary"]) == (language, "Accept-Language")
    assert "Refresh" not in fields, "what was no plain GET is not asked again"
    # RFC 9110, section 15.5.2; no browser knows the scheme, so that none asks for a name and a password.
    challenge = f'Guestpass realm="link", error="{reason}"' if rendered.status == 401 else None
    assert fields.get("WWW-Authenticate") == challenge
    [style] = re.findall("<style>(.*?)</style>", rendered.body.decode(), re.DOTALL)
    source = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert fields["Content-Security-Policy"].split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{source}'", "form-action 'self'", "frame-ancestors 'none'",
        "base-uri 'none'",
    ]  # fmt: skip
    assert len(rendered.body) <= 30 * 1024
    assert elements.one("html")["lang"] == language
    assert elements.one("meta", name="viewport")
    assert (NOTICES[reason].title in elements.text) is (language == "en")
    assert "req-77" in elements.text
    assert detail is None or (detail in elements.text) is (reason is not Reason.PREVIEW)
    for tag, attributes in elements.all:
        assert tag not in {"script", "img", "link", "iframe"}
        assert not {"style", "src"} & set(attributes)
        assert attributes.get("http-equiv") is None
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


def test_clients_are_told_in_english() -> None:
    rendered = _render(Reason.LINK_EXPIRED, page=False, languages="de")

    assert json.loads(rendered.body)["detail"] == "The share link has expired."
    assert "Content-Language" not in dict(rendered.fields)


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


def test_how_long_to_wait_is_not_told_as_what_went_wrong() -> None:
    body = _render(Reason.TRIES_USED_UP, retry_after=700.0).body
    assert "You can try again in 12 minutes." in Elements(body).text
    assert "What went wrong" not in Elements(body).text
    assert "What went wrong" in Elements(_render(Reason.BAD_REQUEST, detail="Two Host fields.").body).text


REPEATING = {
    "maintenance": 30,
    "upstream_unreachable": 10,
    "upstream_timeout": 30,
    "sign_in_refused": 60,
    "sign_ins_used_up": 60,
    "too_busy": 10,
    "unavailable": 10,
}


@pytest.mark.parametrize("reason", Reason)
def test_pages_about_what_passes_ask_again_without_a_script_and_say_so(reason: Reason) -> None:
    rendered = _render(reason, repeatable=True)
    elements = Elements(rendered.body)
    seconds = REPEATING.get(reason.value)

    if seconds is None:
        assert "Refresh" not in dict(rendered.fields)
        assert "tries again" not in elements.text
    else:
        assert dict(rendered.fields)["Refresh"] == str(seconds)
        assert f"This page tries again by itself every {seconds} seconds." in elements.text
        assert elements.one("a")["href"] == "", "the same page, at once"
    assert "Refresh" not in dict(_render(reason, page=False, repeatable=True).fields)


@pytest.mark.parametrize(
    ("languages", "said"),
    [
        ("", "It ended on March 4, 2026 at 3:06 PM UTC."),
        ("de-DE,de;q=0.9,en;q=0.8", "Er endete am 4. März 2026 um 15:06 UTC."),
        ("fr", "Il a pris fin le 4 mars 2026 à 15:06 UTC."),
        ("es", "Terminó el 4 de marzo de 2026 a las 15:06 UTC."),
        ("pt", "Terminou em 4 de março de 2026 às 15:06 UTC."),
    ],
)
@pytest.mark.parametrize("reason", [Reason.LINK_EXPIRED, Reason.LINK_DEACTIVATED, Reason.LINK_REPLACED])
def test_when_a_link_ended_is_said_as_its_reader_writes_dates(reason: Reason, languages: str, said: str) -> None:
    elements = Elements(_render(reason, languages=languages, ended_at=datetime(2026, 3, 4, 15, 6, 7, tzinfo=UTC)).body)

    assert said in elements.text.replace("\u00a0", " ")


def test_what_is_not_translated_says_in_which_language_it_is() -> None:
    english = _render(Reason.BAD_REQUEST, languages="de", detail="The path holds a backslash.").body.decode()
    assert '<p lang="en">The path holds a backslash.</p>' in english
    known = _render(Reason.PASSWORD_NEEDED, token=TOKEN, languages="de", detail=PASSWORD_MISSING).body.decode()
    assert "Bitte geben Sie das Passwort ein." in known
    assert 'lang="en"' not in known
    # Nobody said which language the owner writes; and the message is theirs, even where it equals a text of Guestpass.
    owners = _render(Reason.MAINTENANCE, languages="de", detail="Password").body.decode()
    assert "<p>Password</p>" in owners
    assert 'lang="en"' not in owners


def test_the_page_that_asks_before_it_takes_a_place_has_one_button() -> None:
    elements = Elements(_render(Reason.CONFIRM_OPENING, token=TOKEN).body)

    form = elements.one("form")
    assert (form["method"], form["action"]) == ("post", f"/share/{TOKEN}")
    assert [tag for tag, _ in elements.all].count("button") == 1
    assert [tag for tag, _ in elements.all].count("input") == 0


@pytest.mark.parametrize("page", [True, False])
@pytest.mark.parametrize("branding", [None, Branding(name="Hafen & Söhne", colour="#ff0000")])
def test_a_chat_gets_a_card_without_content(page: bool, branding: Branding | None) -> None:
    rendered = _render(Reason.PREVIEW, page=page, token=TOKEN, detail="Sales team's staging", branding=branding)
    elements = Elements(rendered.body)
    body = rendered.body.decode()

    assert rendered.status == 200
    sender = "Guestpass" if branding is None else "Hafen & Söhne"
    assert elements.one("meta", property="og:title")["content"] == sender
    assert "shared environment" in (elements.one("meta", property="og:description")["content"] or "")
    assert "shared environment" in (elements.one("meta", name="description")["content"] or "")
    assert elements.one("meta", name="robots")["content"] == "noindex"
    assert TOKEN not in body
    assert "Sales" not in body
    assert [tag for tag, _ in elements.all if tag in {"form", "a"}] == []


def test_branding_is_seen_on_every_page_and_nothing_gets_out_of_it() -> None:
    logo = Logo("image/webp", b"picture")
    branding = Branding(name="<b>Hafen</b>", logo=logo, colour="#ffd400", contact="mailto:it@hafen.example")
    for reason in Reason:
        rendered = _render(reason, branding=branding, languages="de", token=TOKEN)
        elements = Elements(rendered.body)
        assert "<b>Hafen</b>" in elements.text
        assert "b" not in [tag for tag, _ in elements.all]
        picture = elements.one("img")
        assert (picture["src"], picture["alt"]) == ("data:image/webp;base64,cGljdHVyZQ==", "")
        assert elements.one("a", href="mailto:it@hafen.example")
        assert "Kontakt: it@hafen.example" in elements.text
        policy = dict(rendered.fields)["Content-Security-Policy"]
        styles = re.findall("<style>(.*?)</style>", rendered.body.decode(), re.DOTALL)
        assert len(styles) == 2
        hashes = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles]
        assert f"style-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}';" in policy
        assert "img-src data:;" in policy
        assert "--accent: #ffd400;" in styles[1]


def test_branding_in_part_brings_no_empty_parts() -> None:
    text = Elements(_render(Reason.NOT_FOUND, branding=Branding(contact="Ask Anna")).body)
    assert "Ask Anna" in text.text
    assert [tag for tag, _ in text.all if tag in {"img", "header", "a"}] == []
    alone = Elements(_render(Reason.NOT_FOUND, branding=Branding(logo=Logo("image/webp", b"x"))).body)
    assert alone.one("img")["alt"], "a picture that stands alone has a name"
    assert (
        "img-src" not in dict(_render(Reason.NOT_FOUND, branding=Branding(name="A")).fields)["Content-Security-Policy"]
    )
    phone = Elements(_render(Reason.NOT_FOUND, branding=Branding(contact="tel:+49 40 123-45")).body)
    assert phone.one("a")["href"] == "tel:+494012345"
    assert "+49 40 123-45" in phone.text


@pytest.mark.parametrize("languages", ["", "es", "fr", "de", "pt"])
def test_the_largest_page_is_small(languages: str) -> None:
    branding = Branding(
        name="&" * NAME_LENGTH,
        logo=Logo("image/webp", b"\xff" * LOGO_SIZE),
        colour="#123456",
        contact="&" * CONTACT_LENGTH,
    )
    longest_message = "&" * 2000
    for reason in Reason:
        rendered = _render(
            reason,
            token=TOKEN,
            detail=longest_message,
            languages=languages,
            branding=branding,
            ended_at=datetime(2026, 9, 24, 15, 6, 7, tzinfo=UTC),
            repeatable=True,
        )
        assert len(rendered.body) <= 30 * 1024, reason


def test_every_text_for_visitors_avoids_the_words_of_hosting() -> None:
    for reason, words in NOTICES.items():
        if reason is Reason.PREVIEW:  # Its reader is a chat, and it has to say what is shared.
            continue
        said = f"{words.title} {words.text}".lower()
        for word in ("http", "proxy", "upstream", "gateway", "server", "token", "environment", "header"):
            assert word not in said, words


@pytest.mark.parametrize("reason", [Reason.PASSWORD_NEEDED, Reason.PASSWORD_WRONG, Reason.CONFIRM_OPENING])
def test_a_form_may_lead_to_the_links_own_host(reason: Reason) -> None:
    """Chromium and Safari hold the redirects of a form's answer to the page's policy too."""

    def forms(renderer: NoticeRenderer, reason: Reason) -> str:
        rendered = renderer.render(Notice(reason=reason, page=True, request_id="x", token="gp_x"))
        [policy] = [value for name, value in rendered.fields if name == "Content-Security-Policy"]
        [forms] = re.findall("form-action ([^;]*);", policy)
        return str(forms)

    own = Notices(PublicUrls("https://share.example.com:8443", "links.example.net").link_origins)
    assert forms(own, reason) == "'self' https://*.links.example.net:8443"
    assert forms(own, Reason.LINK_EXPIRED) == "'self'"
    assert forms(Notices(PublicUrls("https://share.example.com").link_origins), reason) == "'self'"
