from __future__ import annotations

import re

import pytest

from guestpass.domain.environment import parse_read_only_allow
from guestpass.domain.view_only import is_allowed_route, route_of


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/agency/totals", "/agency/totals"),
        ("/agency/totals/", "/agency/totals"),
        ("/agency/%74otals", "/agency/totals"),
        ("/fr/agency/totals", "/agency/totals"),
        ("/pt_BR/agency/totals", "/agency/totals"),
        ("/agency/figures/17", "/agency/figures/*"),
        ("/agency/figures/name-17/pdf", "/agency/figures/*/pdf"),
        ("/my/report", "/my/report"),
        ("/agency/calendar/17", "/agency/calendar/*"),
    ],
)
def test_what_an_owner_has_allowed_is_allowed(path: str, allowed: str) -> None:
    assert parse_read_only_allow([allowed, allowed]) == (allowed,)
    assert is_allowed_route(path.encode(), ["sale.order/get_figures", "/other", allowed])
    assert not is_allowed_route(path.encode(), ["sale.order/get_figures", "/other"])


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/agency/totals/more", "/agency/totals"),
        ("/agency", "/agency/totals"),
        ("/Agency/totals", "/agency/totals"),
        ("/agency/figures", "/agency/figures/*"),
        ("/agency/figures/", "/agency/figures/*"),
        ("/agency/figures/1/2", "/agency/figures/*"),
        ("/agency/figures/1%2F2", "/agency/figures/*"),
        ("/agency/figures/../totals", "/agency/figures/*/totals"),
        ("/agency/figuresXpdf", "/agency/figures.pdf"),
        # Odoo drops a first segment that may be a language.
        ("/fr/web/login", "/fr/*/login"),
        ("/fr/mail/message/post", "/fr/*/*/*"),
        ("/fr/xmlrpc/2", "/fr/*/*"),
        ("/fr/payment/pay", "/fr/*/*"),
        ("/french/web/dataset/call_kw", "/french/*/*/*"),
    ],
)
def test_nothing_else_is_allowed_by_it(path: str, allowed: str) -> None:
    assert parse_read_only_allow([allowed]) == (allowed,)
    assert not is_allowed_route(path.encode(), [allowed])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/", "must be methods"),
        ("/*", "must be methods"),
        ("/*/totals", "must be methods"),
        ("/agency/to*", "must be methods"),
        ("/agency/totals?year=1", "must be methods"),
        ("/agency/totals/", "must be methods"),
        ("//agency", "must be methods"),
        ("/agency/%74otals", "must be methods"),
        ("/agency/" + "x" * 200, "must be methods"),
        ("/agency/../web", "blocked for every link"),
        ("/jsonrpc", "blocked for every link"),
        ("/xmlrpc/2/object", "blocked for every link"),
        ("/web/database/manager", "blocked for every link"),
        ("/web/login", "that sign in"),
        ("/auth_oauth/signin", "that sign in"),
        ("/auth-timeout/session/check-identity", "that sign in"),
        ("/fr/web/dataset/call_kw", "Odoo's own client"),
        ("/Web/dataset/call_kw/*/*", "Odoo's own client"),
        ("/mail/message/post", "Odoo's own client"),
        ("/my/security", "that sign in"),
        ("/my/account", "that sign in"),
        ("/shop/payment/transaction/*", "or pay"),
        ("/report/pdf/*/*", "Odoo's own client"),
        ("res.users/write", "methods that write"),
        ("res.users/change_password", "lets somebody in"),
        ("res.users/action_reset_password", "lets somebody in"),
        ("res.users.apikeys/list_all", "lets somebody in"),
        ("res.partner/signup_prepare", "lets somebody in"),
    ],
)
def test_what_nobody_can_allow_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        parse_read_only_allow(["/agency/totals", text])
    assert re.search("number 2 (is none|does)", str(refused.value))
    if text.startswith("/") and said != "must be methods":
        assert not is_allowed_route(text.encode(), [text])


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/agency/totals/", "/agency/totals"),
        ("/agency/figures/17", "/agency/figures/*"),
        ("/my/reports/name-17/0f1e2d3c-aaaa-bbbb", "/my/reports/*/*"),
        ("/agency/" + "t" * 33, "/agency/*"),
        ("/", None),
        ("/17", None),
        ("/ag%20ency", None),
        ("/agency/a*b", None),
        ("/agency//x", None),
        ("/web/session/x", None),
        ("/mail/view", None),
        ("/shop/cart", None),
        ("/my/security", None),
        ("/jsonrpc", None),
        ("/a/" + "/".join(["bcdefg"] * 40), None),
    ],
)
def test_a_route_names_no_record_and_no_token(path: str, route: str | None) -> None:
    assert route_of(path.encode()) == route
    if route is not None:
        assert parse_read_only_allow([route]) == (route,)
        assert is_allowed_route(path.encode(), [route])
