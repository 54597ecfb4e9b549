from __future__ import annotations

import json
from typing import Any

import pytest

from guestpass.odoo.view_only.calls import Passed, RefusedCall, rule_on_call
from guestpass.odoo.view_only.routes import RouteRuling, rule_on_route
from guestpass.odoo.view_only.tokens import TOKEN_WIZARDS

CALL_KW = b"/web/dataset/call_kw"


def ruled(model: str, method: str, *args: Any, path: bytes = CALL_KW, **kwargs: Any) -> dict[str, Any] | None:
    """The params that Odoo is sent; None where the call is refused and counted."""
    params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
    ruling = rule_on_call(path, json.dumps({"id": 1, "params": params}).encode(), ())
    if isinstance(ruling, RefusedCall):
        assert (ruling.model, ruling.method) == (model, method)
        return None
    assert isinstance(ruling, Passed)
    read: dict[str, Any] = json.loads(ruling.body)["params"]
    return read


def test_a_token_is_left_out_of_what_is_read() -> None:
    nested = {"name": {}, "access_token": {}, "order_line": {"fields": {"name": {}, "access_token": {}}, "limit": 40}}
    kept = {"name": {}, "order_line": {"fields": {"name": {}}, "limit": 40}}
    for sent, wanted in (
        (ruled("calendar.event", "web_read", [1], nested), {"args": [[1], kept]}),
        (ruled("calendar.event", "web_read", [1], specification=nested), {"kwargs": {"specification": kept}}),
        (ruled("sale.order", "web_search_read", [], nested), {"args": [[], kept]}),
        (ruled("sale.order", "web_name_search", "S", specification=nested), {"kwargs": {"specification": kept}}),
        (ruled("sale.order", "read", [1], ["name", "access_token"]), {"args": [[1], ["name"]]}),
        (ruled("sale.order", "search_read", [], fields=["access_token", "name"]), {"kwargs": {"fields": ["name"]}}),
        (ruled("sale.order", "default_get", ["name", "access_token"]), {"args": [["name"]]}),
        (
            ruled("calendar.event", "onchange", [1], {"access_token": "x"}, [], nested),
            {"args": [[1], {"access_token": "x"}, [], kept]},
        ),
    ):
        assert sent is not None
        assert {name: sent[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("method", "args", "kwargs"),
    [
        ("read", [[1]], {}),
        ("read", [[1], []], {}),
        ("read", [[1], None], {}),
        ("read", [[1], ["access_token"]], {}),
        ("search_read", [[]], {}),
        ("search_read", [], {"domain": [], "fields": []}),
        ("search_read", [], {"domain": [["access_token", "=like", "a%"]], "fields": ["id"]}),
        ("search", [[["order_id.access_token", "=like", "a%"]]], {}),
        ("search_count", [], {"domain": ["|", ["id", "=", 1], ["access_token", "!=", False]]}),
        ("search", [[]], {"order": "name, access_token desc"}),
        ("web_search_read", [[]], {"specification": {"order_line": {"fields": {}, "order": "access_token"}}}),
        ("read_group", [[], ["access_token"], ["access_token"]], {}),
        ("formatted_read_group", [[], [], ["access_token:array_agg"]], {}),
        ("formatted_read_grouping_sets", [[], [["access_token"]]], {}),
        ("web_read_group", [], {"groupby": ["access_token:month"], "fields": []}),
        ("read_progress_bar", [], {"domain": [], "group_by": "access_token", "progress_bar": {}}),
        ("search_panel_select_range", ["access_token"], {}),
    ],
)
def test_a_call_that_could_tell_a_token_is_refused(method: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert ruled("sale.order", method, *args, **kwargs) is None


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("calendar.event", "videocall_location"),
        ("res.partner", "signup_token"),
        ("res.users", "device_ids"),
        ("res.users", "signup_url"),
        ("survey.survey", "session_code"),
        ("survey.survey", "session_link"),
        ("survey.user_input", "invite_token"),
    ],
)
def test_fields_with_a_token_in_them_are_tokens(model: str, field: str) -> None:
    spec: dict[str, Any] = {"unfold_read_specification": {"name": {}}}
    for sent, wanted in (
        (ruled(model, "read", [1], ["name", field]), {"args": [[1], ["name"]]}),
        (ruled(model, "web_read", [1], {"name": {}, field: {}}), {"args": [[1], {"name": {}}]}),
        (
            ruled(model, "onchange", [], [], "", {"name": "1", f"line_ids.{field}": ""}),
            {"args": [[], [], "", {"name": "1"}]},
        ),
        (ruled(model, "web_read_group", [], unfold_read_specification={"name": {}, field: {}}), {"kwargs": spec}),
    ):
        assert sent is not None
        assert {name: sent[name] for name in wanted} == wanted
    assert ruled(model, "search_count", [[field, "=like", "a%"]]) is None
    assert ruled(model, "search", [[f"partner_id.{field}", "=like", "a%"]]) is None
    assert ruled(model, "search", [], order=f"{field} desc") is None
    assert ruled(model, "read_group", [], [f"{field}:array_agg"], []) is None


@pytest.mark.parametrize("method", ["read", "search_read"])
@pytest.mark.parametrize("model", ["helpdesk.ticket", "res.partner", "crm.lead"])
def test_whoever_names_no_fields_reads_none(model: str, method: str) -> None:
    for args in ([[1]], [[1], []], [[1], None]):
        assert ruled(model, method, *args) is None
    assert ruled(model, method, [1], fields=False) is None
    assert ruled(model, method, [1], fields=["name"]) is not None


@pytest.mark.parametrize(
    ("route", "params"),
    [
        ("/website/snippet/filters", {"filter_id": 1, "search_domain": [["access_token", "=like", "a%"]]}),
        ("/website/snippet/filters", {"filter_id": 1, "search_domain": [["partner_id.signup_url", "!=", False]]}),
        ("/website/snippet/autocomplete", {"search_type": "slides", "order": "access_token"}),
        ("/mail/chatter_fetch", {"res_model": "sale.order", "res_id": 1, "domain": [["access_token", "=", "a"]]}),
        ("/web/domain/validate", {"model": "sale.order", "domain": [["access_token", "=", "a"]]}),
        ("/mail/data", {"fetch_params": [["mail.thread", {"domain": ["order_id.access_token", "=", "a"]}]]}),
    ],
)
def test_no_route_searches_by_a_token(route: str, params: dict[str, Any]) -> None:
    body = json.dumps({"id": 1, "params": params})
    for sent in (body, body.replace("_t", "_\\u0074").replace("_u", "_\\u0075")):
        assert isinstance(rule_on_call(route.encode(), sent.encode(), ()), RefusedCall)
    other = body.replace("access_token", "name").replace("signup_url", "name")
    assert isinstance(rule_on_call(route.encode(), other.encode(), ()), Passed)


@pytest.mark.parametrize(
    "target",
    [
        "/web/image/sale.order/1/signature?download=1&filename_field=access_token",
        "/web/image?model=sale.order&id=1&field=signature&filename_field=%61ccess_token",
        "/web/content/res.partner/7/avatar_128?filename_field=signup_url",
        "/web/content/res.partner/7/signup_url",
        "/shop?order=access_token+asc",
    ],
)
def test_no_address_names_a_token_as_a_field(target: str) -> None:
    assert rule_on_route(b"GET", target.encode(), b"", has_body=False) is RouteRuling.REFUSED
    harmless = target.replace("%61", "a").replace("access_token", "name").replace("signup_url", "image_128")
    assert rule_on_route(b"GET", harmless.encode(), b"", has_body=False) is RouteRuling.READS


def test_an_address_may_bring_a_token() -> None:
    for target in (b"/web/content/5?access_token=0f1e", b"/my/orders/5?access_token=0f1e"):
        assert rule_on_route(b"GET", target, b"", has_body=False) is RouteRuling.READS


def test_other_names_and_other_models_are_read_as_before() -> None:
    for sent in (
        ruled("res.partner", "read", [1], ["name"]),
        ruled("sale.order", "read", [1], ["has_access_token", "access_tokens"]),
        ruled("sale.order", "search", [["name", "=", "my_access_token_2"]]),
        ruled("sale.order", "fields_get", ["access_token"]),
        ruled("sale.order", "search_count", [], context={"group_by": ["access_token"]}),
    ):
        assert sent is not None


@pytest.mark.parametrize("model", sorted(TOKEN_WIZARDS))
@pytest.mark.parametrize("method", ["default_get", "onchange", "get_views", "web_read", "action_send_mail"])
def test_wizards_that_make_tokens_are_not_opened(model: str, method: str) -> None:
    for path in (CALL_KW, b"/web/dataset/call_button"):
        assert ruled(model, method, [], path=path) is None


@pytest.mark.parametrize(
    ("model", "method"),
    [("mail.compose.message", "onchange"), ("website.route", "name_search"), ("website.route", "web_name_search")],
)
def test_a_read_that_writes_on_one_model_is_refused_there(model: str, method: str) -> None:
    assert ruled(model, method, []) is None
    assert ruled("res.partner", method, []) is not None
