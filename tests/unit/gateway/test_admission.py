"""The ladder, rung by rung: plain facts in, a decision out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.samples import make_account, make_environment
from tests.unit.gateway.requests import BROWSER, request

from guestpass.app.link_cache import LinkEntry
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.environment import EnvironmentKey, Kind
from guestpass.domain.link import ShareLink, ShareType, Status
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import EntryTicket, VisitorPass
from guestpass.gateway.admission import Admission
from guestpass.gateway.decisions import (
    Answer,
    Arrive,
    Decision,
    Forward,
    HandOver,
    Redirect,
    RequestFacts,
    TakeSlot,
    ToApplication,
    wants_page,
)
from guestpass.gateway.hosts import HostKind, HostTable
from guestpass.gateway.paths import PathKind, read_path
from guestpass.odoo.profile import blocked
from guestpass.wire.websocket_handshake import is_upgrade

NOW = 1_800_000_000.0
TOKEN = "gp_token"
OPEN, LOGIN = f"/share/{TOKEN}", f"/share/{TOKEN}/login"
MAIN = "share.example.com"
LINK, OTHER = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
LINK_HOST, OTHER_HOST = f"{LINK}-3.links.example.net", f"{OTHER}-3.links.example.net"
FORMER, FORMER_LINK_HOST = "old.example.com", f"{LINK}.old-links.example.net"
ONE_ORIGIN = PublicUrls(f"https://{MAIN}")
OWN_ORIGINS = PublicUrls(f"https://{MAIN}", "links.example.net")
FORMER_URLS = (f"https://{FORMER}", "old-links.example.net")

WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Known(LinkEntry):
    """A link in the state that a test wants."""

    def __init__(
        self,
        link: ShareLink,
        state: Status = Status.ACTIVE,
        maintenance: str | None = None,
        kind: Kind = Kind.WEB,
        allow_paths: tuple[str, ...] = (),
        ended: frozenset[str] = frozenset(),
    ) -> None:
        environment = make_environment(kind=kind, allow_paths=allow_paths, maintenance=maintenance)
        super().__init__(link, environment, ended=ended)
        self.state = state

    def status_at(self, now: float) -> Status:
        assert now == NOW, "the decision is about the time of the request"
        return self.state


def changed(known: Known, **given: Any) -> Known:
    """The same link in another state."""
    environment = known.environment
    return Known(
        **{
            "link": known.link,
            "state": known.state,
            "maintenance": known.maintenance,
            "kind": environment.kind,
            "allow_paths": environment.allow_paths,
            "ended": known.ended,
            **given,
        }
    )


def known(id: str = LINK, share_type: ShareType = ShareType.TOKEN, version: int = 3, **state: Any) -> Known:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    link = ShareLink(id, EnvironmentKey("default", "staging"), share_type, None, None, version, moment, "olga", moment)
    return Known(link, **state)


def pass_of(link: LinkEntry, version: int | None = None) -> VisitorPass:
    return VisitorPass(link.link.id, link.link.version if version is None else version, "visitor", int(NOW))


TOKEN_LINK = known()
PASSWORD_LINK = known(share_type=ShareType.PASSWORD)
OTHER_LINK = known(OTHER)


def decide(
    line: str,
    *fields: str,
    shared: LinkEntry | None = None,
    holds: LinkEntry | None = None,
    visitor_pass: VisitorPass | None = None,
    addresses: PublicUrls = ONE_ORIGIN,
    host: str | None = None,
    api_on_public: bool = True,
    **facts_too: Any,
) -> Decision:
    """The decision about a request: `shared` is its token's link, `holds` the link whose pass its browser has."""
    hosts = HostTable(main_url=addresses.public_url, on_loopback=False, addresses=addresses, former_urls=FORMER_URLS)
    if host is None:
        host = host_for(line.split()[1], addresses)
    head = request(line, *fields, host=host)
    facts = RequestFacts(
        head,
        hosts.read(head.host),
        read_path(head.path),
        NOW,
        is_upgrade(head),
        own_pass=visitor_pass or (pass_of(holds) if holds is not None else None),
        own_link=holds,
        shared_link=shared,
        **facts_too,
    )
    decision = Admission(addresses, api_on_public=api_on_public).decide(facts)
    if isinstance(decision, Forward) and decision.link.environment.kind is Kind.ODOO:
        return blocked(decision) or decision
    return decision


def host_for(path: str, addresses: PublicUrls) -> str:
    """Where visitors ask for it: links are opened on the main host in both modes."""
    opens = path.partition("?")[0] in {f"{prefix}{path}" for prefix in ("", "/api") for path in (OPEN, LOGIN)}
    return MAIN if opens or addresses is ONE_ORIGIN else LINK_HOST


def led_in(
    addresses: PublicUrls, link: Known, query: bytes = b"", *, start: bytes = b"/", new: bool = True
) -> Redirect | HandOver:
    """How a browser that opens the link goes on."""
    if addresses is OWN_ORIGINS:
        return HandOver(link, query, new_pass=new)
    return Redirect(303, start + query, opening=link, new_pass=new)


def reason(decision: Decision) -> Reason:
    assert isinstance(decision, Answer), decision
    return decision.reason


BOTH_MODES = pytest.mark.parametrize("addresses", [ONE_ORIGIN, OWN_ORIGINS], ids=["one origin", "own origins"])


# Who navigates


@pytest.mark.parametrize(
    ("line", "fields", "page"),
    [
        ("GET /", ("Sec-Fetch-Mode: navigate",), True),
        ("POST /", ("Sec-Fetch-Mode: navigate",), True),
        ("GET /", ("Sec-Fetch-Mode: cors", "Accept: text/html", "Upgrade-Insecure-Requests: 1"), False),
        ("GET /", ("Sec-Fetch-Mode: no-cors", "Accept: text/html"), False),
        ("GET /", ("Sec-Fetch-Mode: NAVIGATE",), False),
        ("GET /", ("Sec-Fetch-Dest: document", "Accept: text/html"), False),
        ("GET /", ("Sec-Fetch-Site: none", "Upgrade-Insecure-Requests: 1"), False),
        ("GET /", ("Upgrade-Insecure-Requests: 1",), True),
        ("GET /", ("Upgrade-Insecure-Requests: 0",), False),
        ("GET /", ("Accept: text/html,application/xhtml+xml;q=0.9",), True),
        ("GET /", ("Accept: Text/HTML ;q=0.8, */*",), True),
        ("GET /", ("Accept: */*, text/html",), False),
        ("GET /", ("Accept: application/json",), False),
        ("GET /", ("Accept: text/htmlx",), False),
        ("GET /", (), False),
        ("HEAD /", ("Accept: text/html",), False),
        ("PUT /", ("Accept: text/html", "Upgrade-Insecure-Requests: 1"), False),
        # The password page's form on plain http, where a browser says nothing more than this.
        ("POST /", ("Accept: text/html,*/*;q=0.8", "Upgrade-Insecure-Requests: 1"), True),
        ("POST /", ("Upgrade-Insecure-Requests: 1",), False),
    ],
)
def test_who_gets_a_page(line: str, fields: tuple[str, ...], page: bool) -> None:
    assert wants_page(request(line, *fields)) is page


@BOTH_MODES
@pytest.mark.parametrize("line", [f"GET {OPEN}", f"POST {OPEN}/login", "GET /web", "POST /web", "GET /s-proxy/x"])
def test_nobody_is_let_through_on_what_is_out_of_date(addresses: PublicUrls, line: str) -> None:
    decision = decide(line, *BROWSER, shared=TOKEN_LINK, holds=TOKEN_LINK, addresses=addresses, is_out_of_date=True)
    assert decision == Answer(Reason.UNAVAILABLE)


def test_the_api_answers_for_itself_although_links_are_out_of_date() -> None:
    assert decide("GET /api/environments", is_out_of_date=True) == ToApplication()


# Opening


@BOTH_MODES
def test_a_navigation_to_a_token_link_leaves_the_token_behind_and_keeps_the_query(addresses: PublicUrls) -> None:
    for path in (OPEN, f"/api{OPEN}"):
        decision = decide(f"GET {path}?a=b&c", *BROWSER, shared=TOKEN_LINK, addresses=addresses)
        assert decision == led_in(addresses, TOKEN_LINK, b"?a=b&c")


@BOTH_MODES
def test_any_other_client_gets_the_environments_own_answer(addresses: PublicUrls) -> None:
    for path in (OPEN, f"/api{OPEN}"):
        decision = decide(f"GET {path}?a=b", shared=TOKEN_LINK, addresses=addresses)
        assert decision == Forward(TOKEN_LINK, b"/?a=b", opening=True, new_pass=True)


@BOTH_MODES
@pytest.mark.parametrize("link", [TOKEN_LINK, PASSWORD_LINK], ids=["token", "password"])
def test_whoever_holds_the_pass_opens_again_with_it(addresses: PublicUrls, link: Known) -> None:
    decision = decide(f"GET {OPEN}", *BROWSER, shared=link, holds=link, addresses=addresses)
    assert decision == led_in(addresses, link, new=False)
    assert decide(f"GET {OPEN}", shared=link, holds=link, addresses=addresses) == Forward(link, b"/", opening=True)


@BOTH_MODES
def test_head_opens_nothing(addresses: PublicUrls) -> None:
    assert reason(decide(f"HEAD {OPEN}", shared=TOKEN_LINK, addresses=addresses)) is Reason.PREVIEW
    inside = decide(f"HEAD {OPEN}", shared=TOKEN_LINK, holds=TOKEN_LINK, addresses=addresses)
    assert inside == Forward(TOKEN_LINK, b"/")
    known_browser = decide(f"HEAD {OPEN}", *BROWSER, shared=TOKEN_LINK, holds=TOKEN_LINK, addresses=addresses)
    assert known_browser == (Redirect(303, b"/") if addresses is ONE_ORIGIN else HandOver(TOKEN_LINK, b""))
    assert reason(decide(f"HEAD {OPEN}", shared=PASSWORD_LINK, addresses=addresses)) is Reason.PREVIEW


@BOTH_MODES
@pytest.mark.parametrize("destination", ["iframe", "image", "empty", "object", "worker"])
def test_a_pass_is_set_on_top_level_documents_only(addresses: PublicUrls, destination: str) -> None:
    field = f"Sec-Fetch-Dest: {destination}"
    decision = decide(f"GET {OPEN}", "Sec-Fetch-Mode: no-cors", field, shared=TOKEN_LINK, addresses=addresses)
    assert decision == Forward(TOKEN_LINK, b"/", opening=True, new_pass=False)
    decision = decide(f"GET {OPEN}", "Sec-Fetch-Mode: navigate", field, shared=TOKEN_LINK, addresses=addresses)
    assert reason(decision) is Reason.EMBEDDED
    again = decide(
        f"GET {OPEN}", "Sec-Fetch-Mode: navigate", field, shared=TOKEN_LINK, holds=TOKEN_LINK, addresses=addresses
    )
    assert again == led_in(addresses, TOKEN_LINK, new=False)


@BOTH_MODES
@pytest.mark.parametrize("fields", [BROWSER, ()], ids=["browser", "client"])
@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (PASSWORD_LINK, Reason.PASSWORD_NEEDED),
        (None, Reason.UNKNOWN_LINK),
        (changed(TOKEN_LINK, state=Status.DEACTIVATED), Reason.LINK_DEACTIVATED),
        (changed(PASSWORD_LINK, state=Status.DEACTIVATED), Reason.LINK_DEACTIVATED),
        (changed(TOKEN_LINK, state=Status.EXPIRED), Reason.LINK_EXPIRED),
        (changed(TOKEN_LINK, maintenance="Back at noon"), Reason.MAINTENANCE),
        (changed(TOKEN_LINK, state=Status.EXPIRED, maintenance="Back at noon"), Reason.LINK_EXPIRED),
    ],
)
def test_what_does_not_open(
    addresses: PublicUrls, fields: tuple[str, ...], link: Known | None, expected: Reason
) -> None:
    decision = decide(f"GET {OPEN}", *fields, shared=link, addresses=addresses)
    assert reason(decision) is expected
    assert isinstance(decision, Answer)
    assert decision.detail == ("Back at noon" if expected is Reason.MAINTENANCE else None)


@BOTH_MODES
def test_a_pass_of_an_older_version_opens_no_password_link(addresses: PublicUrls) -> None:
    for version in (1, 2, 4):
        old = pass_of(PASSWORD_LINK, version)
        decision = decide(
            f"GET {OPEN}", shared=PASSWORD_LINK, holds=PASSWORD_LINK, visitor_pass=old, addresses=addresses
        )
        assert reason(decision) is Reason.PASSWORD_NEEDED


@BOTH_MODES
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_a_share_url_takes_no_other_method(addresses: PublicUrls, method: str) -> None:
    for path in (OPEN, LOGIN):
        assert reason(decide(f"{method} {path}", shared=TOKEN_LINK, addresses=addresses)) is Reason.METHOD_NOT_ALLOWED


def test_with_own_origins_a_share_url_takes_no_post() -> None:
    decision = decide(f"POST {OPEN}", shared=TOKEN_LINK, addresses=OWN_ORIGINS)
    assert reason(decision) is Reason.METHOD_NOT_ALLOWED


# The password


@BOTH_MODES
@pytest.mark.parametrize("path", [LOGIN, f"/api{LOGIN}"])
@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ((), True),
        (("Sec-Fetch-Site: same-origin", "Origin: {own}"), True),
        (("Sec-Fetch-Site: same-origin", "Origin: null"), True),
        (("Sec-Fetch-Site: none",), True),
        (("Sec-Fetch-Site: cross-site",), False),
        (("Sec-Fetch-Site: cross-site", "Origin: {own}"), False),
        (("Origin: https://evil.test",), False),
        (("Origin: http://{host}",), False),
        (("Origin: https://{host}:8443",), False),
        (("Origin: https://x.{host}",), False),
        (("Origin: null",), False),
        (("Origin: null", "Sec-Fetch-Site: same-site"), False),
        (("Origin: ",), False),
    ],
)
def test_a_login_comes_from_the_password_page_or_from_no_page_at_all(
    addresses: PublicUrls, path: str, fields: tuple[str, ...], allowed: bool
) -> None:
    written = [field.format(own=f"https://{MAIN}", host=MAIN) for field in fields]
    decision = decide(f"POST {path}", *written, shared=PASSWORD_LINK, addresses=addresses)
    if allowed:
        assert decision == ToApplication()
    else:
        assert reason(decision) is Reason.FOREIGN_ORIGIN


@BOTH_MODES
@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (None, Reason.UNKNOWN_LINK),
        (changed(PASSWORD_LINK, state=Status.DEACTIVATED), Reason.LINK_DEACTIVATED),
        (changed(PASSWORD_LINK, state=Status.EXPIRED), Reason.LINK_EXPIRED),
    ],
)
def test_a_login_to_what_does_not_open(addresses: PublicUrls, link: Known | None, expected: Reason) -> None:
    assert reason(decide(f"POST {LOGIN}", shared=link, addresses=addresses)) is expected


@BOTH_MODES
def test_reloading_the_address_of_a_login_leads_back_to_the_link(addresses: PublicUrls) -> None:
    decision = decide(f"GET /api{LOGIN}", *BROWSER, shared=PASSWORD_LINK, addresses=addresses)
    assert decision == Redirect(303, f"/api{OPEN}".encode())


# After that


@BOTH_MODES
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", b"/"),
        ("/web/login?next=/x", b"/web/login?next=/x"),
        ("/api/kernels", b"/api/kernels"),
        ("/s-proxy/web/a.css?x=1", b"/web/a.css?x=1"),
        ("/api/s-proxy/", b"/"),
        ("/s-proxy/share/gp_x", b"/share/gp_x"),
    ],
)
def test_whoever_holds_a_pass_reaches_the_environment(
    addresses: PublicUrls, method: str, path: str, target: bytes
) -> None:
    decision = decide(f"{method} {path}", holds=TOKEN_LINK, addresses=addresses)
    assert decision == Forward(TOKEN_LINK, target)


@BOTH_MODES
@pytest.mark.parametrize("path", ["/", "/web", "/s-proxy/web", "/api/s-proxy/web"])
@pytest.mark.parametrize(
    ("link", "version", "expected"),
    [
        (None, None, Reason.PASS_MISSING),
        (TOKEN_LINK, 2, Reason.PASS_MISSING),
        (TOKEN_LINK, 4, Reason.PASS_MISSING),
        (changed(TOKEN_LINK, state=Status.DEACTIVATED), None, Reason.LINK_DEACTIVATED),
        (changed(TOKEN_LINK, state=Status.EXPIRED), None, Reason.LINK_EXPIRED),
        (changed(TOKEN_LINK, state=Status.EXPIRED), 2, Reason.PASS_MISSING),
        (changed(TOKEN_LINK, maintenance="Back at noon"), None, Reason.MAINTENANCE),
    ],
)
def test_what_a_pass_is_worth_is_decided_by_the_link(
    addresses: PublicUrls, path: str, link: Known | None, version: int | None, expected: Reason
) -> None:
    visitor_pass = None if link is None else pass_of(link, version)
    for method in ("GET", "POST", "DELETE"):
        decision = decide(f"{method} {path}", holds=link, visitor_pass=visitor_pass, addresses=addresses)
        assert reason(decision) is expected


@BOTH_MODES
@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("POST /", ()),
        ("PUT /s-proxy/x", ()),
        ("DELETE /", ()),
        ("PROPFIND /", ()),
        ("GET /ws", WEBSOCKET),
    ],
)
def test_pages_of_other_origins_can_not_act_with_the_visitors_cookies(
    addresses: PublicUrls, line: str, fields: tuple[str, ...]
) -> None:
    host = MAIN if addresses is ONE_ORIGIN else LINK_HOST

    def with_origin(*more: str) -> Decision:
        return decide(line, *fields, *more, holds=TOKEN_LINK, addresses=addresses)

    for allowed in (
        (),
        (f"Origin: https://{host}",),
        (f"Origin: HTTPS://{host}",),
        ("Origin: null", "Sec-Fetch-Site: same-origin"),
    ):
        assert isinstance(with_origin(*allowed), Forward), allowed
    for refused in (
        "https://evil.test",
        f"http://{host}",
        f"https://{host}:444",
        f"https://{host}/",
        f"https://{OTHER_HOST}",
        f"https://{host}.evil.test",
        f"https://{host}, https://evil.test",
        "null",
    ):
        assert reason(with_origin(f"Origin: {refused}")) is Reason.FOREIGN_ORIGIN, refused
    for site in ("same-site", "cross-site", "none"):
        assert reason(with_origin("Origin: null", f"Sec-Fetch-Site: {site}")) is Reason.FOREIGN_ORIGIN
    assert reason(with_origin(f"Origin: https://{host}", "Origin: https://evil.test")) is Reason.FOREIGN_ORIGIN


@BOTH_MODES
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_foreign_origin_may_read_as_far_as_the_environment_lets_it(addresses: PublicUrls, method: str) -> None:
    decision = decide(f"{method} /x", "Origin: https://evil.test", holds=TOKEN_LINK, addresses=addresses)
    assert decision == Forward(TOKEN_LINK, b"/x")


# One origin


def test_a_browser_with_another_live_link_is_asked_before_it_switches() -> None:
    decision = decide(f"GET {OPEN}", *BROWSER, shared=TOKEN_LINK, holds=OTHER_LINK)
    assert decision == Answer(Reason.SWITCH_LINK, TOKEN_LINK)
    decision = decide(f"POST {LOGIN}", *BROWSER, shared=PASSWORD_LINK, holds=OTHER_LINK)
    assert decision == Answer(Reason.SWITCH_LINK, PASSWORD_LINK)


def test_switching_leaves_the_other_link_and_leads_to_the_new_one() -> None:
    decision = decide(f"POST {OPEN}", *BROWSER, f"Origin: https://{MAIN}", shared=TOKEN_LINK, holds=OTHER_LINK)
    assert decision == Redirect(303, OPEN.encode(), leaves=OTHER_LINK)


def test_switching_is_a_same_origin_post() -> None:
    for origin in ("https://evil.test", "null"):
        decision = decide(f"POST {OPEN}", f"Origin: {origin}", shared=TOKEN_LINK, holds=OTHER_LINK)
        assert reason(decision) is Reason.FOREIGN_ORIGIN


def test_switching_to_the_link_that_is_open_leaves_nothing() -> None:
    assert decide(f"POST {OPEN}", *BROWSER, shared=TOKEN_LINK, holds=TOKEN_LINK) == Redirect(303, OPEN.encode())
    assert decide(f"POST {OPEN}", *BROWSER, shared=TOKEN_LINK) == Redirect(303, OPEN.encode())


@pytest.mark.parametrize("state", [Status.DEACTIVATED, Status.EXPIRED])
def test_nobody_is_asked_about_a_link_that_has_ended(state: Status) -> None:
    ended = changed(OTHER_LINK, state=state)
    decision = decide(f"GET {OPEN}", *BROWSER, shared=TOKEN_LINK, holds=ended)
    assert decision == Redirect(303, b"/", opening=TOKEN_LINK, new_pass=True)


def test_nobody_is_asked_with_a_pass_that_opens_nothing() -> None:
    old = pass_of(OTHER_LINK, 1)
    decision = decide(f"GET {OPEN}", *BROWSER, shared=TOKEN_LINK, holds=OTHER_LINK, visitor_pass=old)
    assert decision == Redirect(303, b"/", opening=TOKEN_LINK, new_pass=True)


def test_other_clients_switch_directly() -> None:
    decision = decide(f"GET {OPEN}", shared=TOKEN_LINK, holds=OTHER_LINK)
    assert decision == Forward(TOKEN_LINK, b"/", opening=True, new_pass=True)
    assert decide(f"POST {LOGIN}", shared=PASSWORD_LINK, holds=OTHER_LINK) == ToApplication()


def test_a_link_that_has_ended_is_named_before_anybody_is_asked_to_switch() -> None:
    ended = changed(TOKEN_LINK, state=Status.EXPIRED)
    assert reason(decide(f"GET {OPEN}", *BROWSER, shared=ended, holds=OTHER_LINK)) is Reason.LINK_EXPIRED
    assert reason(decide(f"POST {OPEN}", *BROWSER, shared=ended, holds=OTHER_LINK)) is Reason.LINK_EXPIRED
    assert reason(decide(f"POST {OPEN}", *BROWSER, shared=None, holds=OTHER_LINK)) is Reason.UNKNOWN_LINK


@pytest.mark.parametrize("value", ["script", "Script"])
def test_service_workers_are_not_served_on_a_shared_origin(value: str) -> None:
    field = f"Service-Worker: {value}"
    for path in ("/worker.js", "/s-proxy/worker.js", OPEN):
        decision = decide(f"GET {path}", field, shared=TOKEN_LINK, holds=TOKEN_LINK)
        assert reason(decision) is Reason.SERVICE_WORKER
    assert decide("GET /worker.js", field, holds=TOKEN_LINK, addresses=OWN_ORIGINS) == Forward(
        TOKEN_LINK, b"/worker.js"
    )


# Which paths are ours


API_PATHS = pytest.mark.parametrize(
    "path", ["/api/environments", "/api/environments/x/share", "/api/environments/x/share/y", "/api/openapi.json"]
)


@BOTH_MODES
@API_PATHS
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "OPTIONS"])
def test_the_api_on_the_public_host(addresses: PublicUrls, path: str, method: str) -> None:
    for fields in ((), ("Origin: https://evil.test",), ("Service-Worker: script",), BROWSER):
        decision = decide(f"{method} {path}", *fields, holds=TOKEN_LINK, addresses=addresses, host=MAIN)
        assert decision == ToApplication()


@API_PATHS
def test_without_the_api_on_one_origin_its_paths_are_the_environments(path: str) -> None:
    decision = decide(f"GET {path}", holds=TOKEN_LINK, api_on_public=False)
    assert decision == Forward(TOKEN_LINK, path.encode())
    assert reason(decide(f"GET {path}", api_on_public=False)) is Reason.PASS_MISSING


@API_PATHS
def test_without_the_api_the_public_host_of_own_origins_has_nothing_there(path: str) -> None:
    decision = decide(f"GET {path}", holds=TOKEN_LINK, addresses=OWN_ORIGINS, host=MAIN, api_on_public=False)
    assert reason(decision) is Reason.NOT_FOUND


@API_PATHS
def test_on_a_links_own_host_the_api_paths_are_the_environments(path: str) -> None:
    decision = decide(f"GET {path}", holds=TOKEN_LINK, addresses=OWN_ORIGINS)
    assert decision == Forward(TOKEN_LINK, path.encode())


BY_PAGES = [BROWSER, *((f"Sec-Fetch-Site: {site}",) for site in ("same-origin", "same-site", "cross-site"))]


@pytest.mark.parametrize("path", ["/", "/web", "/api/kernels", "/api/docs", "/api", "/share", "/s-proxy/x"])
def test_the_public_host_of_own_origins_serves_no_environment_to_browsers(path: str) -> None:
    for fields in BY_PAGES:
        decision = decide(f"GET {path}", *fields, holds=TOKEN_LINK, addresses=OWN_ORIGINS, host=MAIN)
        assert reason(decision) is Reason.NOT_FOUND
    worker = decide(f"GET {path}", "Service-Worker: script", holds=TOKEN_LINK, addresses=OWN_ORIGINS, host=MAIN)
    assert reason(worker) is Reason.SERVICE_WORKER


@pytest.mark.parametrize("fields", BY_PAGES[1:])
def test_nor_do_scripts_and_images_of_pages_open_a_link_there(fields: tuple[str, ...]) -> None:
    for holds in (None, TOKEN_LINK):
        decision = decide(f"GET {OPEN}", *fields, shared=TOKEN_LINK, holds=holds, addresses=OWN_ORIGINS)
        assert reason(decision) is Reason.EMBEDDED


@pytest.mark.parametrize("path", ["/", "/web", "/api/kernels", "/api/docs", "/api", "/share"])
def test_a_program_goes_on_at_the_public_host_with_its_pass_and_without_finds_nothing(path: str) -> None:
    decision = decide(f"GET {path}", holds=TOKEN_LINK, addresses=OWN_ORIGINS, host=MAIN)
    assert decision == Forward(TOKEN_LINK, path.encode())
    assert reason(decide(f"GET {path}", addresses=OWN_ORIGINS, host=MAIN)) is Reason.NOT_FOUND


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("host", [LINK_HOST, f"{LINK}.links.example.net", f"{LINK}-2.links.example.net"])
def test_a_share_url_on_a_links_own_host_leads_to_the_public_host(prefix: str, host: str) -> None:
    url = f"https://{MAIN}/share/{TOKEN}".encode()
    for link in (TOKEN_LINK, PASSWORD_LINK, changed(TOKEN_LINK, state=Status.EXPIRED)):
        for method, fields in product(("GET", "HEAD"), (BROWSER, ())):
            line = f"{method} {prefix}{OPEN}?a=b"
            decision = decide(line, *fields, shared=link, holds=link, addresses=OWN_ORIGINS, host=host)
            assert decision == Redirect(303, url + b"?a=b")
        typed = decide(f"POST {prefix}{LOGIN}?a", *BROWSER, shared=link, addresses=OWN_ORIGINS, host=host)
        assert typed == Redirect(303, url + b"?a")
        sent = decide(f"POST {prefix}{LOGIN}?a", shared=link, addresses=OWN_ORIGINS, host=host)
        assert sent == Redirect(308, url + b"/login?a")


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_at_the_public_host_other_clients_get_the_content(prefix: str) -> None:
    decision = decide(f"GET {prefix}{OPEN}", shared=TOKEN_LINK, addresses=OWN_ORIGINS, host=MAIN)
    assert decision == Forward(TOKEN_LINK, b"/", opening=True, new_pass=True)
    decision = decide(f"GET {prefix}{OPEN}", shared=PASSWORD_LINK, addresses=OWN_ORIGINS, host=MAIN)
    assert reason(decision) is Reason.PASSWORD_NEEDED
    decision = decide(f"PUT {prefix}/s-proxy/x", holds=TOKEN_LINK, addresses=OWN_ORIGINS, host=MAIN)
    assert decision == Forward(TOKEN_LINK, b"/x")
    limits = limited(max_visitors=2)
    decision = decide(f"POST {prefix}{OPEN}", shared=limits, addresses=OWN_ORIGINS)
    assert decision == TakeSlot(limits, Redirect(303, f"{prefix}{OPEN}".encode(), opening=limits, new_pass=True))


# From the public host to a link's own


def ticket_for(link: LinkEntry, **facts: Any) -> EntryTicket:
    return EntryTicket(replace(pass_of(link), **facts), int(NOW), "nonce")


ENTER = "/share/enter?ticket=x"


def test_a_ticket_leads_in_with_the_query_that_was_brought() -> None:
    ticket = ticket_for(TOKEN_LINK)
    for query, location in (("", b"/"), ("&a=b&c", b"/?a=b&c"), ("&//evil.test", b"/?//evil.test")):
        decision = decide(f"GET {ENTER}{query}", *BROWSER, shared=TOKEN_LINK, ticket=ticket, addresses=OWN_ORIGINS)
        assert decision == Arrive(TOKEN_LINK, ticket, location, holds_pass=False)
    link = limited(start_path="/odoo")
    decision = decide(f"GET {ENTER}&a", shared=link, ticket=ticket, addresses=OWN_ORIGINS)
    assert decision == Arrive(link, ticket, b"/odoo", holds_pass=False)


def test_a_ticket_replaces_no_pass_but_by_a_preview() -> None:
    ticket, preview = ticket_for(TOKEN_LINK, visitor="other"), ticket_for(TOKEN_LINK, visitor="preview-x")
    for brought, keeps in ((ticket, True), (preview, False)):
        decision = decide(
            f"GET {ENTER}", *BROWSER, shared=TOKEN_LINK, holds=TOKEN_LINK, ticket=brought, addresses=OWN_ORIGINS
        )
        assert decision == Arrive(TOKEN_LINK, brought, b"/", holds_pass=keeps)
    ended = changed(TOKEN_LINK, ended=frozenset({"visitor"}))
    decision = decide(f"GET {ENTER}", shared=ended, holds=ended, ticket=ticket, addresses=OWN_ORIGINS)
    assert decision == Arrive(ended, ticket, b"/", holds_pass=False)


@pytest.mark.parametrize(
    ("host", "link", "ticket"),
    [
        (LINK_HOST, TOKEN_LINK, None),
        (LINK_HOST, None, ticket_for(TOKEN_LINK)),
        (LINK_HOST, OTHER_LINK, ticket_for(OTHER_LINK)),
        (OTHER_HOST, TOKEN_LINK, ticket_for(TOKEN_LINK)),
        (f"{LINK}.links.example.net", TOKEN_LINK, ticket_for(TOKEN_LINK)),
        (f"{LINK}-2.links.example.net", TOKEN_LINK, ticket_for(TOKEN_LINK, link_version=2)),
        (LINK_HOST, TOKEN_LINK, ticket_for(TOKEN_LINK, link_version=2)),
        (f"{LINK}-4.links.example.net", TOKEN_LINK, ticket_for(TOKEN_LINK, link_version=4)),
        (LINK_HOST, changed(TOKEN_LINK, ended=frozenset({"visitor"})), ticket_for(TOKEN_LINK)),
    ],
    ids=["none", "link gone", "other link's", "other host", "first version", "former version", "old", "later", "ended"],
)
def test_what_is_no_ticket_for_this_host_asks_to_open_the_link_again(
    host: str, link: Known | None, ticket: EntryTicket | None
) -> None:
    for fields in (BROWSER, ()):
        decision = decide(f"GET {ENTER}", *fields, shared=link, ticket=ticket, addresses=OWN_ORIGINS, host=host)
        assert reason(decision) is Reason.TICKET_SPENT


def test_who_is_in_and_goes_back_to_an_old_ticket_is_still_in() -> None:
    decision = decide(f"GET {ENTER}&a=b", *BROWSER, holds=TOKEN_LINK, addresses=OWN_ORIGINS)
    assert decision == Redirect(303, b"/?a=b")


@pytest.mark.parametrize(
    ("link", "fields", "expected"),
    [
        (changed(TOKEN_LINK, state=Status.DEACTIVATED), BROWSER, Reason.LINK_DEACTIVATED),
        (changed(TOKEN_LINK, state=Status.EXPIRED), BROWSER, Reason.LINK_EXPIRED),
        (TOKEN_LINK, ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"), Reason.EMBEDDED),
        (TOKEN_LINK, ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"), Reason.EMBEDDED),
    ],
)
def test_a_ticket_opens_no_more_than_the_link_does(link: Known, fields: tuple[str, ...], expected: Reason) -> None:
    decision = decide(f"GET {ENTER}", *fields, shared=link, ticket=ticket_for(link), addresses=OWN_ORIGINS)
    assert reason(decision) is expected


def test_a_ticket_is_followed_by_get_and_on_a_links_host_alone() -> None:
    ticket = ticket_for(TOKEN_LINK)
    for method in ("HEAD", "POST", "PUT", "OPTIONS"):
        decision = decide(f"{method} {ENTER}", shared=TOKEN_LINK, ticket=ticket, addresses=OWN_ORIGINS)
        assert reason(decision) is Reason.METHOD_NOT_ALLOWED
    for addresses in (ONE_ORIGIN, OWN_ORIGINS):
        decision = decide(f"GET {ENTER}", shared=TOKEN_LINK, ticket=ticket, addresses=addresses, host=MAIN)
        assert reason(decision) is Reason.UNKNOWN_LINK


@pytest.mark.parametrize("line", [f"GET {OPEN}", f"GET /api{OPEN}", f"POST {LOGIN}", f"HEAD {OPEN}"])
@pytest.mark.parametrize("fields", [BROWSER, ()], ids=["browser", "client"])
def test_on_a_links_host_another_links_token_is_unknown(line: str, fields: tuple[str, ...]) -> None:
    for shared in (OTHER_LINK, None):
        decision = decide(line, *fields, shared=shared, holds=TOKEN_LINK, addresses=OWN_ORIGINS, host=LINK_HOST)
        assert reason(decision) is Reason.UNKNOWN_LINK


@BOTH_MODES
@pytest.mark.parametrize("line", ["GET /", f"GET {OPEN}", f"POST {LOGIN}", "GET /api/environments", "GET /s-proxy/x"])
def test_a_host_that_is_none_of_ours_is_misdirected(addresses: PublicUrls, line: str) -> None:
    decision = decide(line, shared=TOKEN_LINK, holds=TOKEN_LINK, addresses=addresses, host="evil.test")
    assert reason(decision) is Reason.UNKNOWN_HOST


@pytest.mark.parametrize("host", [FORMER, FORMER_LINK_HOST])
@pytest.mark.parametrize("path", [OPEN, f"/api{OPEN}"])
@pytest.mark.parametrize("fields", [BROWSER, ()], ids=["browser", "client"])
def test_a_share_url_of_former_days_leads_to_todays(host: str, path: str, fields: tuple[str, ...]) -> None:
    decision = decide(f"GET {path}?a=b", *fields, shared=TOKEN_LINK, host=host)
    assert decision == Redirect(303, f"https://{MAIN}/share/{TOKEN}?a=b".encode())
    decision = decide(f"GET {path}", *fields, shared=TOKEN_LINK, host=host, addresses=OWN_ORIGINS)
    assert decision == Redirect(303, f"https://{MAIN}/share/{TOKEN}".encode())
    assert reason(decide(f"GET {path}", *fields, shared=None, host=host)) is Reason.UNKNOWN_LINK


@pytest.mark.parametrize("host", [FORMER, FORMER_LINK_HOST])
@pytest.mark.parametrize("line", ["GET /", "GET /s-proxy/x", "GET /api/environments", "POST /web"])
def test_nothing_else_is_served_at_a_former_address(host: str, line: str) -> None:
    assert reason(decide(line, holds=TOKEN_LINK, host=host)) is Reason.UNKNOWN_HOST


# Default deny


ANY_LINK = [
    known(id, share_type, version, state=state, maintenance=maintenance)
    for id, share_type, version in product([LINK, OTHER], ShareType, [1, 2])
    for state, maintenance in [*((state, None) for state in Status), (Status.ACTIVE, "Back at noon")]
]
ANY_PASS = [VisitorPass(id, version, "visitor", int(NOW)) for id, version in product([LINK, OTHER], [1, 2])]
ANY_PATH = [
    *(f"{prefix}{path}" for prefix in ("", "/api") for path in (OPEN, f"{OPEN}?a=b", LOGIN, "/share/", "/s-proxy/x?y")),
    *(
        "/share/enter?ticket=x",
        "/",
        "/web?next=/share/gp_x",
        "/share",
        "/api/environments",
        "/api/openapi.json",
        "/api/kernels",
    ),
]
FIRST_HOST, SECOND_HOST = f"{LINK}.links.example.net", f"{LINK}-2.links.example.net"
ANY_HOST = [MAIN, MAIN, FIRST_HOST, SECOND_HOST, OTHER_HOST, FORMER, FORMER_LINK_HOST, "evil.test"]
ANY_FIELDS: list[tuple[str, ...]] = [
    (),
    BROWSER,
    ("Accept: text/html",),
    ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"),
    ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
    ("Sec-Fetch-Site: cross-site",),
    ("Service-Worker: script",),
    WEBSOCKET,
]
ANY_ORIGIN = [(), (), *((f"Origin: {origin}",) for origin in (f"https://{MAIN}", f"https://{FIRST_HOST}", "null"))]


def any_of(*choices: Iterable[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([choice for some in choices for choice in some])


@BOTH_MODES
@settings(max_examples=1000)
@given(
    api_on_public=st.booleans(),
    method=any_of(["GET", "GET", "HEAD", "POST", "POST", "PUT", "OPTIONS", "PROPFIND"]),
    path=any_of(ANY_PATH),
    host=any_of(ANY_HOST),
    fields=any_of(ANY_FIELDS),
    origin=any_of(ANY_ORIGIN, [("Origin: https://evil.test",), ("Origin: null", "Sec-Fetch-Site: same-origin")]),
    own_pass=any_of([None], ANY_PASS),
    own_link=any_of([None], ANY_LINK),
    shared_link=any_of([None], ANY_LINK),
    ticket=any_of([None], [EntryTicket(each, int(NOW), "nonce") for each in ANY_PASS]),
)
def test_whatever_no_rung_allows_is_refused(
    addresses: PublicUrls,
    api_on_public: bool,
    method: str,
    path: str,
    host: str,
    fields: tuple[str, ...],
    origin: tuple[str, ...],
    own_pass: VisitorPass | None,
    own_link: Known | None,
    shared_link: Known | None,
    ticket: EntryTicket | None,
) -> None:
    """Over facts of which no two need fit together: the ladder must not rely on whoever gathered them."""
    table = HostTable(main_url=addresses.public_url, on_loopback=False, addresses=addresses, former_urls=FORMER_URLS)
    head = request(f"{method} {path}", *(() if fields is WEBSOCKET and method != "GET" else fields), *origin, host=host)
    facts = RequestFacts(
        head, table.read(head.host), read_path(head.path), NOW, is_upgrade(head),
        own_pass=own_pass, own_link=own_link, shared_link=shared_link, ticket=ticket,
    )  # fmt: skip
    decision = Admission(addresses, api_on_public=api_on_public).decide(facts)
    if isinstance(decision, Forward):
        assert_opens_rightly(facts, decision.link, opening=decision.opening, new_pass=decision.new_pass)
        assert_serves_there(facts, addresses, decision.link)
    elif isinstance(decision, Redirect):
        assert_opens_rightly(facts, decision.opening, opening=decision.opening is not None, new_pass=decision.new_pass)
        assert_leaves_rightly(facts, addresses, decision.leaves)
    elif isinstance(decision, HandOver):
        assert (addresses, facts.host.kind, facts.navigates) == (OWN_ORIGINS, HostKind.MAIN, True)
        assert_opens_rightly(facts, decision.link, opening=False, new_pass=decision.new_pass)
    elif isinstance(decision, Arrive):
        assert (facts.head.method, facts.route.room) == (b"GET", PathKind.ENTER)
        assert decision.link is shared_link
        assert_serves_there(facts, addresses, decision.link)
        assert (decision.ticket.visitor_pass.link_id, decision.ticket.visitor_pass.link_version) == (
            decision.link.link.id, decision.link.link.version,
        )  # fmt: skip
        assert decision.link.status_at(NOW) is Status.ACTIVE
        assert not decision.holds_pass or holds_pass_of(facts, decision.link)
    elif isinstance(decision, ToApplication):
        assert_is_for_the_application(facts, api_on_public=api_on_public)
    if not isinstance(decision, Answer):
        assert_comes_from_nowhere_else(facts)


def assert_serves_there(facts: RequestFacts, addresses: PublicUrls, link: LinkEntry) -> None:
    host = facts.host
    if host.kind is HostKind.LINK:
        assert (host.link_id, host.link_version) == (link.link.id, link.link.version)
    else:
        assert host.kind is HostKind.MAIN
        by_page = facts.navigates or facts.head.values.get(b"sec-fetch-site", b"none") != b"none"
        assert addresses is ONE_ORIGIN or not by_page


def assert_opens_rightly(facts: RequestFacts, link: LinkEntry | None, *, opening: bool, new_pass: bool) -> None:
    if link is None:
        assert not new_pass
        return
    by_token = facts.route.token is not None and link is facts.shared_link and link.link.share_type is ShareType.TOKEN
    assert link.status_at(NOW) is Status.ACTIVE
    assert link.maintenance is None
    assert by_token or holds_pass_of(facts, link)
    assert by_token or not new_pass
    assert not opening or (facts.head.method == b"GET" and facts.route.room is PathKind.OPEN)


def assert_leaves_rightly(facts: RequestFacts, addresses: PublicUrls, left: LinkEntry | None) -> None:
    if left is not None:
        assert (addresses, facts.head.method) == (ONE_ORIGIN, b"POST")
        assert left is facts.own_link
        assert holds_pass_of(facts, left)


def assert_is_for_the_application(facts: RequestFacts, *, api_on_public: bool) -> None:
    if facts.route.room is PathKind.API:
        assert api_on_public
        assert facts.host.kind is HostKind.MAIN
    else:
        assert (facts.route.room, facts.head.method) == (PathKind.LOGIN, b"POST")
        assert facts.shared_link is not None
        assert facts.shared_link.status_at(NOW) is Status.ACTIVE


def assert_comes_from_nowhere_else(facts: RequestFacts) -> None:
    """The API takes no cookies and a former address only redirects, so there Origin says nothing."""
    acts = facts.upgrade or facts.head.method not in {b"GET", b"HEAD", b"OPTIONS"}
    if acts and facts.route.room is not PathKind.API and facts.host.kind is not HostKind.FORMER:
        origin, site = facts.head.values.get(b"origin"), facts.head.values.get(b"sec-fetch-site")
        assert origin in {None, b"https://" + facts.head.host} or (origin, site) == (b"null", b"same-origin")


def holds_pass_of(facts: RequestFacts, link: LinkEntry) -> bool:
    own = facts.own_pass
    return own is not None and (own.link_id, own.link_version) == (link.link.id, link.link.version)


# Doors of Odoo


ODOO_LINK = changed(TOKEN_LINK, kind=Kind.ODOO)


@BOTH_MODES
@pytest.mark.parametrize("prefix", ["", "/s-proxy", "/api/s-proxy"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/web/database/manager", Reason.NOT_SHARED),
        ("/web/%64atabase/manager?x=1", Reason.NOT_SHARED),
        ("/jsonrpc", Reason.NOT_SHARED),
        ("//web/database/manager", Reason.BAD_REQUEST),
        ("/web/%2e%2e/x", Reason.BAD_REQUEST),
    ],
)
def test_odoos_own_doors_are_shut_for_visitors(addresses: PublicUrls, prefix: str, path: str, expected: Reason) -> None:
    for method in ("GET", "POST"):
        assert reason(decide(f"{method} {prefix}{path}", holds=ODOO_LINK, addresses=addresses)) is expected
        elsewhere = decide(f"{method} {prefix}{path}", holds=TOKEN_LINK, addresses=addresses)
        assert elsewhere == Forward(TOKEN_LINK, path.encode())


@BOTH_MODES
def test_a_door_can_be_opened_again_but_not_the_database_manager(addresses: PublicUrls) -> None:
    opened = changed(ODOO_LINK, allow_paths=("/jsonrpc", "/web/database"))
    assert decide("POST /jsonrpc", holds=opened, addresses=addresses) == Forward(opened, b"/jsonrpc")
    assert reason(decide("GET /web/database/manager", holds=opened, addresses=addresses)) is Reason.NOT_SHARED


@BOTH_MODES
def test_the_rest_of_odoo_is_open(addresses: PublicUrls) -> None:
    for path in ("/odoo", "/web/login", "/shop/%C3%A9t%C3%A9", "/web/content/100%25.pdf"):
        assert decide(f"GET {path}", holds=ODOO_LINK, addresses=addresses) == Forward(ODOO_LINK, path.encode())


@BOTH_MODES
def test_a_shut_door_tells_nothing_to_who_has_no_pass_and_nothing_after_the_end(addresses: PublicUrls) -> None:
    assert reason(decide("GET /web/database/manager", addresses=addresses)) is Reason.PASS_MISSING
    ended = changed(ODOO_LINK, state=Status.EXPIRED)
    assert reason(decide("GET /web/database/manager", holds=ended, addresses=addresses)) is Reason.LINK_EXPIRED


# Links that end for one visitor, lead somewhere, let some in, or come from some networks only


def limited(share_type: ShareType = ShareType.TOKEN, **fields: Any) -> Known:
    """A token link with such fields."""
    plain = known(share_type=share_type)
    return changed(plain, link=replace(plain.link, **fields))


@BOTH_MODES
def test_a_token_that_was_replaced_says_so(addresses: PublicUrls) -> None:
    assert reason(decide(f"GET {OPEN}", *BROWSER, addresses=addresses, was_replaced=True)) is Reason.LINK_REPLACED
    assert reason(decide(f"POST {LOGIN}", *BROWSER, addresses=addresses, was_replaced=True)) is Reason.LINK_REPLACED
    main = decide(f"GET {OPEN}", *BROWSER, addresses=addresses, host=MAIN, was_replaced=True)
    assert reason(main) is Reason.LINK_REPLACED


@BOTH_MODES
def test_a_visit_that_was_ended_is_over_and_the_link_opens_anew(addresses: PublicUrls) -> None:
    link = changed(TOKEN_LINK, ended=frozenset({"visitor"}))
    assert reason(decide("GET /", *BROWSER, holds=link, addresses=addresses)) is Reason.PASS_MISSING
    again = decide(f"GET {OPEN}", *BROWSER, shared=link, holds=link, addresses=addresses)
    assert again == led_in(addresses, link)


@BOTH_MODES
def test_visitors_land_where_the_owner_wants_them(addresses: PublicUrls) -> None:
    link = limited(start_path="/odoo/crm?view=list#top")
    decision = decide(f"GET {OPEN}?utm=1", *BROWSER, shared=link, addresses=addresses)
    if addresses is ONE_ORIGIN:
        assert decision == Redirect(303, b"/odoo/crm?view=list#top", opening=link, new_pass=True)
    else:
        assert decision == HandOver(link, b"?utm=1", new_pass=True)


@pytest.mark.parametrize(("is_internal", "landing"), [(True, b"/web"), (False, b"/"), (None, b"/")])
def test_who_is_signed_in_as_somebody_who_works_in_odoo_lands_there(
    is_internal: bool | None,
    landing: bytes,
) -> None:
    plain = known()
    link = changed(plain, link=replace(plain.link, account="anna"))
    link.account = make_account(is_internal=is_internal)
    assert decide(f"GET {OPEN}", *BROWSER, shared=link) == Redirect(303, landing, opening=link, new_pass=True)
    link.link = replace(link.link, start_path="/shop")
    assert decide(f"GET {OPEN}", *BROWSER, shared=link) == Redirect(303, b"/shop", opening=link, new_pass=True)


@BOTH_MODES
@pytest.mark.parametrize(
    ("address", "welcome"),
    [("192.0.2.7", True), ("192.0.2.200", False), ("2001:db8::5", True), ("2001:db9::5", False), ("", False)],
)
def test_only_some_networks_are_let_in(addresses: PublicUrls, address: str, welcome: bool) -> None:
    link = limited(allowed_ips=("192.0.2.0/25", "2001:db8::/32"))
    opening = decide(f"GET {OPEN}", *BROWSER, shared=link, addresses=addresses, address=address)
    inside = decide("GET /x", *BROWSER, holds=link, addresses=addresses, address=address)
    if welcome:
        assert isinstance(opening, Redirect | HandOver)
        assert isinstance(inside, Forward)
    else:
        assert reason(opening) is reason(inside) is Reason.ADDRESS_REFUSED


@BOTH_MODES
def test_a_password_is_not_tried_from_elsewhere(addresses: PublicUrls) -> None:
    link = limited(ShareType.PASSWORD, allowed_ips=("192.0.2.0/25",))
    assert reason(decide(f"POST {LOGIN}", *BROWSER, shared=link, addresses=addresses, address="198.51.100.1")) is (
        Reason.ADDRESS_REFUSED
    )


@BOTH_MODES
def test_a_place_is_taken_by_who_presses_a_button(addresses: PublicUrls) -> None:
    link = limited(max_visitors=2, start_path="/odoo")
    assert reason(decide(f"GET {OPEN}", *BROWSER, shared=link, addresses=addresses)) is Reason.CONFIRM_OPENING
    assert reason(decide(f"GET {OPEN}", shared=link, addresses=addresses)) is Reason.CONFIRM_OPENING
    taken = decide(f"POST {OPEN}", *BROWSER, shared=link, addresses=addresses)
    assert taken == TakeSlot(link, led_in(addresses, link, start=b"/odoo"))
    # Whoever is in stays in, and needs no button.
    inside = decide(f"GET {OPEN}", *BROWSER, shared=link, holds=link, addresses=addresses)
    assert inside == led_in(addresses, link, start=b"/odoo", new=False)


@BOTH_MODES
def test_a_frame_takes_no_place(addresses: PublicUrls) -> None:
    framed = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")
    link = limited(max_visitors=2)
    assert reason(decide(f"POST {OPEN}", *framed, shared=link, addresses=addresses)) is Reason.EMBEDDED


def test_leaving_another_link_comes_before_taking_a_place() -> None:
    link = limited(max_visitors=2)
    assert decide(f"POST {OPEN}", *BROWSER, shared=link, holds=OTHER_LINK) == Redirect(
        303, OPEN.encode(), leaves=OTHER_LINK
    )


@BOTH_MODES
@pytest.mark.parametrize("link", [TOKEN_LINK, PASSWORD_LINK, limited(max_visitors=1), limited(allowed_ips=("::1",))])
def test_programs_that_look_at_links_get_a_card(addresses: PublicUrls, link: Known) -> None:
    looks = decide(f"GET {OPEN}", *BROWSER, shared=link, addresses=addresses, is_bot=True, address="192.0.2.1")
    assert reason(looks) is Reason.PREVIEW


@BOTH_MODES
@pytest.mark.parametrize("line", [f"POST {LOGIN}", f"POST {OPEN}", "GET /x"])
@pytest.mark.parametrize("share_type", ShareType)
def test_who_says_that_it_is_a_bot_gets_no_more_than_the_card_from_elsewhere(
    addresses: PublicUrls, line: str, share_type: ShareType
) -> None:
    link = limited(share_type, allowed_ips=("192.0.2.0/25",), max_visitors=2)
    asked = decide(line, *BROWSER, shared=link, holds=link, addresses=addresses, is_bot=True, address="198.51.100.1")
    assert reason(asked) is Reason.ADDRESS_REFUSED


@BOTH_MODES
def test_who_says_that_it_is_a_bot_opens_no_preview_from_elsewhere(addresses: PublicUrls) -> None:
    link = limited(allowed_ips=("192.0.2.0/25",))
    looks = decide(
        f"GET {OPEN}",
        *BROWSER,
        shared=link,
        preview=pass_of(link),
        addresses=addresses,
        is_bot=True,
        address="198.51.100.1",
    )
    assert reason(looks) is Reason.ADDRESS_REFUSED


def test_no_host_takes_a_place_for_a_bot_from_elsewhere() -> None:
    link = limited(allowed_ips=("192.0.2.0/25",), max_visitors=2)
    taken = decide(f"POST {OPEN}", shared=link, addresses=OWN_ORIGINS, is_bot=True, address="198.51.100.1")
    assert reason(taken) is Reason.ADDRESS_REFUSED
    elsewhere = decide(f"POST {OPEN}", shared=link, addresses=OWN_ORIGINS, host=LINK_HOST, is_bot=True)
    assert elsewhere == Redirect(303, f"https://{MAIN}{OPEN}".encode())


@BOTH_MODES
def test_a_link_that_is_over_tells_bots_so_too(addresses: PublicUrls) -> None:
    over = changed(TOKEN_LINK, state=Status.EXPIRED)
    assert reason(decide(f"GET {OPEN}", shared=over, addresses=addresses, is_bot=True)) is Reason.LINK_EXPIRED
