from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestpass.domain.view_only import WRITE_METHODS
from guestpass.languages.language import language_for
from guestpass.odoo.view_only.calls import (
    MAX_CALL,
    Asks,
    Passed,
    Quiet,
    RefusedCall,
    is_ruled_by_body,
    rule_on_call,
)
from guestpass.odoo.view_only.methods import READ_METHODS

CALL_KW = b"/web/dataset/call_kw/res.partner/web_search_read"
LISTED = [
    "web_search_read",
    "web_read",
    "read",
    "search",
    "search_read",
    "search_count",
    "read_group",
    "web_read_group",
    "formatted_read_group",
    "read_progress_bar",
    "search_panel_select_range",
    "search_panel_select_multi_range",
    "name_search",
    "name_get",
    "web_name_search",
    "fields_get",
    "default_get",
    "get_views",
    "get_formview_id",
    "get_formview_action",
    "has_group",
    "check_access_rights",
    "check_access_rule",
    "formatted_read_grouping_sets",
    "get_property_definition",
    "has_access",
    "hierarchy_read",
    "message_get_followers",
    "onchange",
]
# What the clients of 17 to 19 ask for by themselves, of one model each.
OF_ONE_MODEL = [
    ("account.account", "get_account_group"),
    ("calendar.event", "get_unusual_days"),
    ("discuss.channel", "channel_fetch_preview"),
    ("ir.http", "lazy_session_info"),
    ("mail.activity", "get_activity_data"),
    ("project.project", "get_panel_data"),
    ("project.project", "get_template_tasks"),
    ("properties.base.definition", "get_properties_base_definition"),
    ("res.partner", "get_attendee_detail"),
    ("res.users", "action_get"),
    ("spreadsheet.dashboard", "get_readonly_dashboard"),
    ("website", "get_current_website"),
]


def call(method: object = "web_search_read", model: object = "res.partner", **params: object) -> dict[str, Any]:
    filled = {"model": model, "method": method, "args": [], "kwargs": {}, **params}
    return {"id": 3, "jsonrpc": "2.0", "method": "call", "params": filled}


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def routed(**params: object) -> bytes:
    return body({"id": 7, "jsonrpc": "2.0", "method": "call", "params": params})


def passed(path: bytes, sent: bytes, allowed: tuple[str, ...] = ()) -> dict[str, Any]:
    """What Odoo is sent."""
    ruling = rule_on_call(path, sent, allowed)
    assert isinstance(ruling, Passed), ruling
    read: dict[str, Any] = json.loads(ruling.body)
    return read


# Methods


@pytest.mark.parametrize("method", LISTED)
def test_a_method_that_reads_is_called_as_it_was_asked_for(method: str) -> None:
    asked = call(method, args=[[1, 2], ["name"]], kwargs={"context": {"lang": "fr_BE"}, "limit": 80})
    assert passed(CALL_KW, body(asked)) == asked


@pytest.mark.parametrize(("model", "method"), OF_ONE_MODEL)
def test_a_method_of_one_model_that_reads_is_called_on_that_model_only(model: str, method: str) -> None:
    asked = call(method, model, args=[[1]], kwargs={"context": {}})
    assert passed(CALL_KW, body(asked)) == asked
    ruling = rule_on_call(CALL_KW, body(call(method, "sale.order.line")), ())
    assert isinstance(ruling, RefusedCall)
    assert (ruling.model, ruling.method) == ("sale.order.line", method)


def test_of_templates_the_one_that_shows_a_text_is_rendered_and_without_values() -> None:
    rendered = call("render_public_asset", "ir.ui.view", args=["web_editor.colorpicker", {}])
    assert passed(CALL_KW, body(rendered)) == rendered
    others: list[list[Any]] = [[], ["web_editor.colorpicker"], ["web_editor.colorpicker", {"x": 1}], ["web.login", {}]]
    for args in others:
        ruling = rule_on_call(CALL_KW, body(call("render_public_asset", "ir.ui.view", args=args)), ())
        assert isinstance(ruling, RefusedCall)


def test_no_other_method_is_called() -> None:
    assert sorted(READ_METHODS) == sorted(LISTED)


@pytest.mark.parametrize(
    "method",
    [
        "create",
        "write",
        "unlink",
        "copy",
        "name_create",
        "load",
        "web_save",
        "web_save_multi",
        "web_resequence",
        "action_archive",
        "toggle_active",
        "message_post",
        "action_confirm",
        "get_metadata",
        "export_data",
        "import_data",
        "run",
        "execute_import",
        "message_subscribe",
        "activity_schedule",
        "web_override_translations",
    ],
)
def test_any_other_method_is_refused_and_counted(method: str) -> None:
    ruling = rule_on_call(CALL_KW, body(call(method, "sale.order")), ())
    assert isinstance(ruling, RefusedCall)
    assert (ruling.model, ruling.method) == ("sale.order", method)
    words = ruling.said_in(language_for(""))
    assert "This link is view-only" in words
    assert f"sale.order/{method}" in words


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("ir.ui.view", "onchange"),
        ("website.controller.page", "onchange"),
        ("website.page", "onchange"),
        ("mail.compose.message", "onchange"),
        ("privacy.lookup.wizard.line", "onchange"),
        *((model, method)
          for model in ("procurement.group", "res.company", "stock.lot", "stock.quant.package",
                        "stock.warehouse.orderpoint")
          for method in ("default_get", "onchange")),
        ("website.route", "name_search"),
        ("website.route", "web_name_search"),
    ],
)  # fmt: skip
def test_a_read_that_writes_on_one_model_is_refused_there(model: str, method: str) -> None:
    ruling = rule_on_call(CALL_KW, body(call(method, model)), ())
    assert isinstance(ruling, RefusedCall)
    assert (ruling.model, ruling.method) == (model, method)
    assert isinstance(rule_on_call(CALL_KW, body(call("web_read", model)), ()), Passed)
    assert isinstance(rule_on_call(CALL_KW, body(call(method)), ()), Passed)


@pytest.mark.parametrize("method", ["default_get", "onchange"])
def test_a_context_that_makes_a_read_write_is_refused(method: str) -> None:
    context = {"form_view_ref": "sale_project.sale_order_line_view_form_editable", "default_partner_id": 7}
    for model, found in (("sale.order.line", RefusedCall), ("sale.order", Passed)):
        asked = call(method, model)
        asked["params"]["kwargs"] = {"context": context}
        assert isinstance(rule_on_call(CALL_KW, body(asked), ()), found)
    assert isinstance(rule_on_call(CALL_KW, body(call(method, "sale.order.line")), ()), Passed)


def test_a_method_that_the_owner_allows_is_called_on_that_model_only() -> None:
    allowed = ("sale.order/get_totals",)
    asked = call("get_totals", "sale.order")
    assert passed(CALL_KW, body(asked), allowed) == asked
    for model, method in (
        ("purchase.order", "get_totals"),
        ("sale.order", "get_totals2"),
        ("sale", "order/get_totals"),
    ):
        assert isinstance(rule_on_call(CALL_KW, body(call(method, model)), allowed), RefusedCall)


@pytest.mark.parametrize("method", sorted(WRITE_METHODS))
def test_what_writes_on_every_model_can_not_be_allowed(method: str) -> None:
    ruling = rule_on_call(CALL_KW, body(call(method)), (f"res.partner/{method}",))
    assert isinstance(ruling, RefusedCall)


def test_the_path_is_decoration() -> None:
    for path in (
        b"/web/dataset/call_kw",
        b"/web/dataset/call_kw/",
        b"/web/dataset/call_kw/res.partner/unlink",
        b"/web/dataset/%63all_kw/a/b/c",
    ):
        assert is_ruled_by_body(path)
        assert passed(path, body(call("search"))) == call("search")
    ruling = rule_on_call(b"/web/dataset/call_kw/res.partner/read", body(call("unlink", "res.users")), ())
    assert isinstance(ruling, RefusedCall)
    assert (ruling.model, ruling.method) == ("res.users", "unlink")


def test_the_outer_method_and_version_are_ours() -> None:
    asked = {**call("search"), "method": "unlink", "jsonrpc": "1.0"}
    assert passed(CALL_KW, body(asked)) == call("search")


def test_only_the_names_that_odoo_knows_go_up() -> None:
    asked = call("search", path="/web", context={"x": 1}, __proto__={"method": "unlink"}, Method="unlink")
    asked |= {"params2": {"method": "unlink"}, "__proto__": {"params": {}}, "auth": "x"}
    assert passed(CALL_KW, body(asked)) == call("search")


def test_left_out_arguments_are_empty_ones() -> None:
    assert passed(CALL_KW, body({"params": {"model": "res.partner", "method": "search"}})) == {
        **call("search"),
        "id": None,
    }


# What hostile visitors send

UNREADABLE_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"model=res.partner&method=read",
    "a form's part": b"--x\r\n\r\n" + body(call()) + b"\r\n--x--",
    "null": b"null",
    "a string": body(json.dumps(call())),
    "a batch": body([call()]),
    "an empty batch": b"[]",
    "a batch of one write": body([call("unlink")]),
    "two documents": body(call()) + body(call("unlink")),
    "two documents, one a line": body(call()) + b"\n" + body(call("unlink")),
    "NUL behind": body(call()) + b"\x00",
    "NUL in front": b"\x00" + body(call()),
    "byte order mark": b"\xef\xbb\xbf" + body(call()),
    "UTF-16": json.dumps(call()).encode("utf-16"),
    "UTF-16 without mark": json.dumps(call()).encode("utf-16-le"),
    "UTF-32": json.dumps(call()).encode("utf-32"),
    "UTF-7": b"+AHsAfQ-",
    "bytes that are no UTF-8": body(call())[:-2] + b',"x":"\xff"}}',
    "overlong UTF-8": body(call()).replace(b"res.partner", b"res\xc0\xaepartner"),
    "a surrogate in UTF-8": body(call()).replace(b"res.partner", b"\xed\xa0\x80"),
    "half a character, escaped": body(call(kwargs={"x": "\ud800"})),
    "half a character as a name": body(call(kwargs={"\udfff": 1})),
    "method twice": b'{"params":{"model":"res.partner","method":"read","method":"unlink","args":[],"kwargs":{}}}',
    "method twice, the other way": b'{"params":{"model":"a","method":"unlink","method":"read","args":[],"kwargs":{}}}',
    "method twice, once escaped": b'{"params":{"model":"a","method":"read","m\\u0065thod":"unlink"}}',
    "params twice": b'{"params":{"model":"a","method":"read"},"params":{"model":"a","method":"unlink"}}',
    "params twice, once escaped": b'{"params":{"model":"a","method":"read"},"p\\u0061rams":{"method":"unlink"}}',
    "a name twice deep within": b'{"params":{"model":"a","method":"read","kwargs":{"x":[{"y":1,"y":2}]}}}',
    "NaN": b'{"params":{"model":"a","method":"read","args":[NaN]}}',
    "Infinity": b'{"params":{"model":"a","method":"read","args":[Infinity]}}',
    "-Infinity": b'{"params":{"model":"a","method":"read","args":[-Infinity]}}',
    "a number that becomes infinite": b'{"params":{"model":"a","method":"read","args":[1e999]}}',
    "a number of 10,000 digits": b'{"params":{"model":"a","method":"read","args":[' + b"9" * 10_000 + b"]}}",
    "a number in hex": b'{"params":{"model":"a","method":"read","args":[0x10]}}',
    "a number with a plus": b'{"params":{"model":"a","method":"read","args":[+1]}}',
    "a comment": b'{/* */"params":{"model":"a","method":"read"}}',
    "single quotes": b"{'params':{'model':'a','method':'read'}}",
    "a comma too many": b'{"params":{"model":"a","method":"read",}}',
    "a raw line break in a string": b'{"params":{"model":"a","method":"re\nad"}}',
    "100 levels": b'{"params":{"model":"a","method":"read","args":' + b"[" * 100 + b"]" * 100 + b"}}",
    "100,000 levels": b'{"params":{"model":"a","method":"read","args":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "100,000 levels of objects": b'{"params":{"model":"a","method":"read","kwargs":'
    + b'{"a":' * 100_000
    + b"1"
    + b"}" * 100_002,
    "more than a MiB": body(call(kwargs={"x": "a" * MAX_CALL})),
    "more than a MiB of blanks": body(call()) + b" " * MAX_CALL,
    "no params": b'{"id":1}',
    "params that are a list": b'{"id":1,"params":["res.partner","read",[],{}]}',
    "params that are null": b'{"params":null}',
    "params that are a string": body({"params": json.dumps(call()["params"])}),
    "an id that is an object": body({**call(), "id": {"a": 1}}),
    "an id that is a list": body({**call(), "id": [1]}),
    "an id that is true": body({**call(), "id": True}),
    "an id that is a fraction": body({**call(), "id": 1.5}),
    "an id that is half a character": body({**call(), "id": "\ud800"}),
    "method with blanks": body(call(" read")),
    "method with a blank behind": body(call("read ")),
    "method with a line break": body(call("read\n")),
    "method with NUL": body(call("read\0")),
    "method in other letters that look alike": body(call("re\u0430d")),
    "method in wide letters": body(call("\uff52\uff45\uff41\uff44")),
    "method with a soft hyphen": body(call("re\xadad")),
    "method with a dot": body(call("read.unlink")),
    "method with a call": body(call("read()")),
    "method that is private": body(call("_write")),
    "method that is special": body(call("__class__")),
    "method that is empty": body(call("")),
    "method that is null": body(call(None)),
    "method that is a list": body(call(["read"])),
    "method that is an object": body(call({"read": 1})),
    "method that is a number": body(call(1)),
    "method that is very long": body(call("r" * 5000)),
    "method that is missing": body({"params": {"model": "res.partner", "args": [], "kwargs": {}}}),
    "model that is a list": body(call(model=["res.partner"])),
    "model that is null": body(call(model=None)),
    "model that is empty": body(call(model="")),
    "model with a slash": body(call(model="res.partner/read")),
    "model in upper case": body(call(model="Res.Partner")),
    "model with NUL": body(call(model="res.partner\0")),
    "model with dots": body(call(model="res..partner")),
    "model with a line break": body(call(model="res.partner\n")),
    "model that is very long": body(call(model="a" * 5000)),
    "model that is missing": body({"params": {"method": "read", "args": [], "kwargs": {}}}),
    "args that are an object": body(call(args={"0": [1]})),
    "args that are a string": body(call(args="[1]")),
    "args that are null": body(call(args=None)),
    "kwargs that are a list": body(call(kwargs=[])),
    "kwargs that are a string": body(call(kwargs="{}")),
    "kwargs that are null": body(call(kwargs=None)),
}


@pytest.mark.parametrize("what", UNREADABLE_BODIES)
def test_what_could_be_read_in_two_ways_or_not_at_all_is_refused_and_not_counted(what: str) -> None:
    for path in (CALL_KW, b"/web/dataset/call_button"):
        ruling = rule_on_call(path, UNREADABLE_BODIES[what], ("res.partner/_write", "res.partner/read "))
        if path != CALL_KW and what.startswith(("args", "kwargs", "half a char", "a number that becomes")):
            assert isinstance(ruling, RefusedCall)  # refused for what it calls, whatever it calls it with
            continue
        assert isinstance(ruling, RefusedCall)
        assert ruling.said_in(language_for("")).startswith("This link is view-only")
        assert (ruling.model, ruling.method) == (None, None)


@pytest.mark.parametrize("method", ["Read", "READ", "readd", "rea", "search_read2", "web_Read", "reaD_group"])
def test_names_are_exact(method: str) -> None:
    assert isinstance(rule_on_call(CALL_KW, body(call(method)), ()), RefusedCall)


def test_escaped_names_and_values_mean_what_they_say() -> None:
    escaped = b'{"\\u0070arams":{"mod\\u0065l":"res.partner","method":"\\u0073earch","args":[],"kwargs":{}},"id":3}'
    assert passed(CALL_KW, escaped) == call("search")
    ruling = rule_on_call(CALL_KW, escaped.replace(b"\\u0073earch", b"\\u0075nlink"), ())
    assert isinstance(ruling, RefusedCall)
    assert ruling.method == "unlink"


@pytest.mark.parametrize(
    ("path", "sent", "model", "method"),
    [
        (b"/web/dataset/call_button", call("action_confirm", "sale.order"), "sale.order", "action_confirm"),
        (b"/web/dataset/call_button/res.partner/search", call("search"), "res.partner", "search"),
        (b"/web/dataset/%63all_button/x", call("web_search_read"), "res.partner", "web_search_read"),
        (b"/web/dataset/resequence", {"id": 1, "params": {"model": "crm.lead", "ids": [2, 1]}}, None, None),
        (b"/web/view/edit_custom", {"id": 1, "params": {"custom_id": 2, "arch": "<x/>"}}, None, None),
    ],
)
def test_routes_that_do_something_are_refused_by_name(
    path: bytes, sent: dict[str, Any], model: str | None, method: str | None
) -> None:
    assert is_ruled_by_body(path)
    ruling = rule_on_call(path, body(sent), ("ir.actions.server/run", "sale.order/action_cancel"))
    assert isinstance(ruling, RefusedCall)
    assert (ruling.model, ruling.method) == (model, method)


def test_a_button_is_pressed_that_is_listed_or_allowed_and_none_that_writes() -> None:
    path = b"/web/dataset/call_button/x"
    pressed = call("action_view_tasks", "project.project", args=[[1]])
    assert passed(path, body(pressed)) == pressed
    writing = call("action_view_tasks", "project.project", args=[[1]], kwargs={"context": {"generate_milestone": 1}})
    assert isinstance(rule_on_call(path, body(writing), ()), RefusedCall)
    for method, allowed in (("action_show_totals", ()), ("unlink", ("sale.order/unlink",))):
        ruling = rule_on_call(path, body(call(method, "sale.order")), allowed)
        assert isinstance(ruling, RefusedCall)
        assert (ruling.model, ruling.method) == ("sale.order", method)
    pressed = call("action_show_totals", "sale.order")
    assert passed(path, body(pressed), ("sale.order/action_show_totals",)) == pressed


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("product.template", "open_website_url"),
        ("res.partner", "open_website_url"),
        ("hr.job", "open_website_url"),
        ("project.project", "project_update_all_action"),
        ("product.product", "open_pricelist_rules"),
        # A list whose rows open another model's record.
        ("sale.report", "action_open_order"),
        ("purchase.order.line", "action_open_order"),
    ],
)
def test_a_button_that_was_refused_though_it_only_opens_something_is_pressed(model: str, method: str) -> None:
    pressed = call(method, model, args=[[1]])
    assert passed(b"/web/dataset/call_button/x", body(pressed)) == pressed


@pytest.mark.parametrize(
    ("model", "method", "page"),
    [
        ("sale.order", "action_preview_sale_order", "/my/orders/3"),
        ("account.move", "preview_invoice", "/my/invoices/3"),
        ("project.project", "action_customer_preview", "/my/projects/3"),
    ],
)
def test_a_customers_page_is_opened_without_the_token_that_odoo_would_make(model: str, method: str, page: str) -> None:
    path = b"/web/dataset/call_button/x"
    opened = {"type": "ir.actions.act_url", "target": "self", "url": page}
    assert rule_on_call(path, body(call(method, model, args=[[3]])), ()) == Quiet(opened, 3)
    others: list[list[Any]] = [[], [[]], [[3, 4]], [3], [["3"]], [[True]]]
    for args in others:
        assert isinstance(rule_on_call(path, body(call(method, model, args=args)), ()), RefusedCall)
    assert isinstance(rule_on_call(path, body(call(method, "res.partner", args=[[3]])), ()), RefusedCall)


def test_the_page_of_a_carrier_is_not_opened_for_that_posts_a_message() -> None:
    pressed = body(call("open_website_url", "stock.picking", args=[[1]]))
    assert isinstance(rule_on_call(b"/web/dataset/call_button/x", pressed, ()), RefusedCall)


@pytest.mark.parametrize(
    "path",
    [
        b"/web/dataset/call_kwx",
        b"/web/dataset/call",
        b"/web/dataset",
        b"/fr/web/dataset/call_kw/res.partner/read",
        b"/mail/message/post",
        b"/mail/attachment/delete",
        b"/mail/partner/from_email",
        b"/website/form/crm.lead",
        b"/jsonrpc",
        b"/json/2/res.partner/read",
        b"/web/action/load/",
        b"/mail/data/x",
        b"/MAIL/data",
    ],
)
def test_other_routes_are_refused_whatever_their_body(path: bytes) -> None:
    assert not is_ruled_by_body(path)
    assert isinstance(rule_on_call(path, body(call("read")), ()), RefusedCall)


# Other routes that read


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        ("/web/action/load", {"action_id": "crm", "context": {"lang": "x"}, "run": True}, {"action_id", "context"}),
        ("/web/webclient/version_info", {"x": 1}, set()),
        ("/web/session/get_session_info", {}, set()),
        ("/mail/init_messaging", {"context": {}, "channel_create": 1}, {"context"}),
        (
            "/mail/thread/messages",
            {"thread_model": "res.partner", "thread_id": 7, "limit": 30, "body": "<p>"},
            {"thread_model", "thread_id", "limit"},
        ),
        ("/mail/thread/data", {"thread_model": "x", "thread_id": 7, "request_list": [], "token": "x"}, None),
        ("/discuss/channel/messages", {"channel_id": 1, "fetch_params": {"limit": 30}}, {"channel_id", "fetch_params"}),
        ("/mail/channel/messages", {"channel_id": 1, "min_id": 5}, {"channel_id", "min_id"}),
        ("/websocket/peek_notifications", {"channels": [], "last": 3, "is_first_poll": True, "x": 1}, None),
        ("/base_setup/data", {}, set()),
        ("/base_setup/demo_active", {}, set()),
        ("/calendar/check_credentials", {"x": 1}, set()),
        (
            "/product/catalog/order_lines_info",
            {"res_model": "sale.order", "order_id": 3, "product_ids": [5], "child_field": "order_line", "x": 1},
            None,
        ),
        ("/discuss/search", {"term": "gen", "category_id": None, "limit": 10, "x": 1}, None),
        (
            "/website_sale/combo_configurator/get_data",
            {"product_tmpl_id": 3, "quantity": 1, "date": "2026-11-29 06:00:00", "x": 1},
            None,
        ),
        (
            "/website_sale/should_show_product_configurator",
            {"product_template_id": 3, "ptav_ids": [], "is_product_configured": True, "x": 1},
            None,
        ),
    ],
)
def test_a_route_that_reads_gets_what_it_knows(path: str, params: dict[str, Any], sent: set[str] | None) -> None:
    wanted = set(params) - {"token", "x"} if sent is None else sent
    assert passed(path.encode(), routed(**params)) == {
        "id": 7,
        "jsonrpc": "2.0",
        "method": "call",
        "params": {name: params[name] for name in wanted},
    }


@pytest.mark.parametrize("path", [b"/mail/data", b"/mail/store"])
def test_of_all_kinds_of_data_only_those_that_are_read_are_asked_for(path: bytes) -> None:
    # Up to 18 by names, from 19 on in a list.
    asked = {"init_messaging": {"channel_types": ["chat"]}, "failures": True, "context": {"lang": "x"}}
    assert passed(path, routed(**asked, create_channel=True))["params"] == asked
    fetched = [
        "init_messaging",
        ["mail.thread", {"thread_model": "res.partner", "thread_id": 1, "request_list": []}],
        ["/discuss/get_or_create_chat", {"partners_to": [3]}, 5],
        ["/discuss/create_channel", {"name": "x"}],
        "/discuss/create_group",
        ["add_bookmark", {"message_id": 1}],
        ["discuss.channel", [1, 2], 6],
        [],
        [["init_messaging"]],
        {"init_messaging": 1},
        None,
    ]
    assert passed(path, routed(fetch_params=fetched))["params"] == {"fetch_params": [*fetched[:2], fetched[6]]}
    assert passed(path, routed(fetch_params="init_messaging"))["params"] == {}


@pytest.mark.parametrize("kind", ["/discuss/get_or_create_chat", "/discuss/create_channel", "/discuss/create_group"])
def test_what_a_person_has_made_by_a_click_is_refused_and_not_left_out(kind: str) -> None:
    for entry in (kind, [kind], [kind, {"partners_to": [3]}, 5]):
        ruling = rule_on_call(b"/mail/action", routed(fetch_params=["init_messaging", entry]), ())
        assert isinstance(ruling, RefusedCall)
        assert "This link is view-only" in ruling.said_in(language_for(""))


def test_what_the_client_has_made_by_itself_is_left_out() -> None:
    # The chat of a website.
    fetched = ["failures", ["init_livechat", 1], [["init_messaging"]]]
    assert passed(b"/mail/action", routed(fetch_params=fetched))["params"] == {"fetch_params": ["failures"]}


# What the client does by itself


@pytest.mark.parametrize(
    ("path", "params", "result"),
    [
        ("/websocket/update_bus_presence", {"inactivity_period": 5, "im_status_ids_by_model": {}}, {}),
        ("/websocket/on_closed", {}, None),
        ("/mail/channel/set_last_seen_message", {"channel_id": 1, "last_message_id": 55}, 55),
        ("/discuss/channel/set_last_seen_message", {"channel_id": 1, "last_message_id": "x"}, None),
        ("/discuss/channel/mark_as_read", {"channel_id": 1, "last_message_id": 55}, None),
        ("/discuss/channel/notify_typing", {"channel_id": 1, "is_typing": True}, None),
        ("/mail/channel/notify_typing", {"channel_id": 1, "is_typing": True}, None),
        ("/discuss/channel/fold", {"channel_id": 1, "state": "open", "state_count": 2}, None),
        ("/calendar/notify_ack", {}, None),
        ("/html_editor/get_ice_servers", {}, []),
        ("/web_editor/get_ice_servers", {}, []),
        ("/shop/products/recently_viewed_update", {"product_id": 3}, {}),
        # What is still to be set up, of which showing it makes a record.
        ("/onboarding/calendar", {"context": {"lang": "en_US"}}, {}),
        ("/onboarding/account%5finvoice", {"context": {}}, {}),
        ("/account/account_dashboard_onboarding", {}, {}),
        ("/sales/sale_quotation_onboarding_panel", {}, {}),
        ("/im_livechat/init", {"channel_id": 1}, {"available_for_me": False, "rule": {}}),
    ],
)
def test_a_write_of_the_client_is_answered_and_goes_nowhere(path: str, params: dict[str, Any], result: object) -> None:
    assert is_ruled_by_body(path.encode())
    ruling = rule_on_call(path.encode(), routed(**params), ())
    assert ruling == Quiet(result, 7)
    # Odoo leaves the result out where a method gives none.
    given = {} if result is None else {"result": result}
    assert json.loads(ruling.answer()) == {"jsonrpc": "2.0", "id": 7, **given}


@pytest.mark.parametrize(
    ("model", "method", "params", "result"),
    [
        ("mail.message", "set_message_done", {"args": [[1, 2]]}, None),
        ("mail.message", "mark_all_as_read", {"args": [[["model", "=", "x"]]]}, []),
        ("discuss.channel", "channel_fetched", {"args": [[1]]}, None),
        ("mail.channel", "channel_fold", {"args": [[1], "open"]}, None),
        ("ir.attachment", "register_as_main_attachment", {"args": [[9]]}, None),
        ("web_tour.tour", "consume", {"args": ["sale_tour"]}, False),
        ("res.users", "systray_get_activities", {}, []),
        (
            "res.users.settings",
            "set_res_users_settings",
            {"args": [[2]], "kwargs": {"new_settings": {"is_discuss_sidebar_category_chat_open": False}}},
            {"id": 2, "is_discuss_sidebar_category_chat_open": False},
        ),
        (
            "res.users.settings",
            "set_res_users_settings",
            {"args": [[2], {"homemenu_config": "x"}]},
            {"id": 2, "homemenu_config": "x"},
        ),
        ("res.users.settings", "set_res_users_settings", {"args": "x", "kwargs": 3}, {}),
        ("res.users.settings", "get_embedded_actions_settings", {"args": [[2]]}, {}),
    ],
)
def test_a_method_that_the_client_calls_by_itself_is_answered_too(
    model: str, method: str, params: dict[str, Any], result: object
) -> None:
    ruling = rule_on_call(CALL_KW, body(call(method, model, **params)), ())
    assert ruling == Quiet(result, 3)
    assert isinstance(rule_on_call(b"/web/dataset/call_button", body(call(method, model, **params)), ()), RefusedCall)
    assert isinstance(rule_on_call(CALL_KW, body(call(method, "x.other", **params)), ()), RefusedCall)


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        ("/web/action/run", {"action_id": 12, "context": {"lang": "x"}, "x": 1}, None),
        (
            "/web/action/load_breadcrumbs",
            {"actions": [{"action": "crm", "resId": 3, "x": 1}, {"action": "", "model": "a.b", "resId": 1}]},
            {"actions": [{"action": "crm", "resId": 3}, {"model": "a.b", "resId": 1}]},
        ),
    ],
)
def test_a_call_that_may_run_server_actions_waits_for_their_names(
    path: str, params: dict[str, Any], sent: dict[str, Any] | None
) -> None:
    assert is_ruled_by_body(path.encode())
    ruling = rule_on_call(path.encode(), routed(**params), ())
    assert isinstance(ruling, Asks)
    wanted = {name: value for name, value in params.items() if name != "x"} if sent is None else sent
    assert json.loads(ruling.body)["params"] == wanted


def test_breadcrumbs_of_records_name_no_action() -> None:
    asked = [{"model": "res.partner", "resId": 3, "action": 0}, {"model": "crm.lead", "resId": "new", "action": None}]
    assert passed(b"/web/action/load_breadcrumbs", routed(actions=asked)) == {
        **call(),
        "id": 7,
        "params": {"actions": [{"model": "res.partner", "resId": 3}, {"model": "crm.lead", "resId": "new"}]},
    }


@pytest.mark.parametrize("actions", [None, {}, "x", [None], [["crm"]], [{"action": True}], [{"action": ["crm"]}]])
def test_breadcrumbs_of_another_shape_are_refused(actions: object) -> None:
    ruling = rule_on_call(b"/web/action/load_breadcrumbs", routed(actions=actions), ())
    assert isinstance(ruling, RefusedCall)


# Whatever passes

_NAMES = st.sampled_from(
    ["model", "method", "args", "kwargs", "params", "id", "context", "__proto__", "jsonrpc", "é", ""]
)
_TEXTS = st.sampled_from([*LISTED, *sorted(WRITE_METHODS), "res.partner", "sale.order"]) | st.text(max_size=6)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
_PARAMS = st.fixed_dictionaries(
    {"model": st.just("res.partner") | _VALUES, "method": _TEXTS | _VALUES},
    optional={
        "args": st.lists(_VALUES, max_size=3) | _VALUES,
        "kwargs": st.dictionaries(_NAMES, _VALUES, max_size=3) | _VALUES,
    },
)
_CALLS = st.fixed_dictionaries(
    {"params": _PARAMS | _VALUES},
    optional={"id": st.integers() | _VALUES, "method": _TEXTS, "jsonrpc": _VALUES, "x": _VALUES},
)
_PATHS = st.sampled_from(
    [
        CALL_KW,
        b"/web/dataset/call_button",
        b"/web/action/load",
        b"/web/action/run",
        b"/mail/data",
        b"/mail/message/post",
    ]
)


@given(_PATHS, _CALLS, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_passes_is_the_call_that_was_read_and_its_method_is_listed(
    path: bytes, sent: dict[str, Any], ascii_only: bool, indent: int | str | None
) -> None:
    try:
        data = json.dumps(sent, ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:
        data = json.dumps(sent, indent=indent).encode()
    ruling = rule_on_call(path, data, ("sale.order/get_totals",))
    if not isinstance(ruling, Passed):
        return
    read = json.loads(ruling.body)
    assert set(read) == {"id", "jsonrpc", "method", "params"}
    assert (read["method"], read["jsonrpc"], read["id"]) == ("call", "2.0", sent.get("id"))
    assert all(sent["params"][name] == value for name, value in read["params"].items() if name in sent["params"])
    if path == CALL_KW:
        assert set(read["params"]) == {"model", "method", "args", "kwargs"}
        assert read["params"]["method"] in LISTED
    else:
        assert path in (b"/web/action/load", b"/mail/data")
    # The same call in other bytes goes up in the same bytes: nothing of the visitor's spelling is left.
    again = rule_on_call(path, b" \n" + json.dumps(sent, indent=3, separators=(" ,\n", " :\t")).encode() + b"\r\n ", ())
    assert again == ruling


@given(_PATHS, st.binary(max_size=80))
def test_any_bytes_get_a_ruling(path: bytes, data: bytes) -> None:
    for sent in (data, b'{"params":' + data + b"}", b'{"params":{"model":"a","method":"read","args":[' + data + b"]}}"):
        ruling = rule_on_call(path, sent, ())
        assert isinstance(ruling, Passed | Asks | Quiet | RefusedCall)
        if isinstance(ruling, Quiet):
            json.loads(ruling.answer())


def _changed(data: str, change: tuple[int, str]) -> str:
    """A call with something put behind one of its braces, brackets, quotes, colons or commas."""
    place, more = change
    marks = [at for at, each in enumerate(data, 1) if each in '{}[]",:']
    at = marks[place % len(marks)]
    return data[:at] + more + data[at:]


_REPEATED = [f'"{name}":{value},' for name in ("args", "id", "method", "x", "lang") for value in ("1", '"read"', "{}")]
_CHANGES = st.tuples(
    st.integers(0, 200),
    st.sampled_from([*_REPEATED, " ", "{}", ",", "0", "-0", "1.0", "1E2", "NaN", "\\u0061", "\\/", "\x00", "9" * 401]),
)
_WRITTEN = st.fixed_dictionaries(
    {
        "id": st.integers() | st.text(max_size=3) | st.none(),
        "jsonrpc": st.just("2.0"),
        "method": st.just("call"),
        "params": st.fixed_dictionaries(
            {
                "model": st.just("res.partner"),
                "method": st.sampled_from(["read", "web_search_read", "write"]),
                "args": st.lists(_VALUES, max_size=2),
                "kwargs": st.dictionaries(st.sampled_from(["x", "lang", "context"]), _VALUES, max_size=3),
            }
        ),
    }
)


@settings(max_examples=500)
@given(_WRITTEN, st.lists(_CHANGES, max_size=2))
def test_a_call_as_odoos_client_writes_it_is_ruled_on_like_any_other(
    sent: dict[str, Any], changes: list[tuple[int, str]]
) -> None:
    data = json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
    for change in changes:
        data = _changed(data, change)
    written = data.encode("utf-8", "surrogatepass")
    # No client begins with a blank, so that such a call is read in the way that is meant for all.
    assert rule_on_call(CALL_KW, written, ()) == rule_on_call(CALL_KW, b" " + written, ())


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('{"id":1,', '{"id":1,"id":1,'),
        ('{"id":1,', '{"id":2,"id":1,'),
        ('"model":"a"', '"model":"b","model":"a"'),
        ('"method":"search"', '"method":"write","method":"search"'),
        ('"args":[{}]', '"args":[{"a":1,"a":1}]'),
        # The name that is dropped makes room for one that is written anew.
        ('{"id":1,"jsonrpc":"2.0",', '{"id":1,"id":1,'),
        ('"kwargs":{}', '"kwargs":{"context":{"lang":"a","lang":"a"}}'),
    ],
)
def test_a_name_that_occurs_twice_is_found_in_a_call_as_odoos_client_writes_it(once: str, twice: str) -> None:
    data = '{"id":1,"jsonrpc":"2.0","method":"call","params":{"model":"a","method":"search","args":[{}],"kwargs":{}}}'
    assert rule_on_call(CALL_KW, data.encode(), ()) == Passed(data.encode())
    assert isinstance(rule_on_call(CALL_KW, data.replace(once, twice).encode(), ()), RefusedCall)
