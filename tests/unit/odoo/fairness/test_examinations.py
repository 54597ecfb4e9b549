"""What is found of calls, however it is found."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestpass.odoo.fairness.examinations import Outcome, Question, Subject
from guestpass.odoo.http.json_bodies import read_call
from guestpass.odoo.signed_in.rules import takes_credentials

CALL = Question(Subject.CALL, "/web/dataset/call_kw/res.partner/write")
_TEXTS = st.sampled_from(
    ["a", "{}", "null", "a{}", "anull", "password", "pass{}word", "login", "x/password", "{}/login"]
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS | st.just({}) | st.just([]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_MODELS = st.sampled_from(
    ["res.partner", "res.users", "res.users.apikeys", "auth_totp.{}", "res{}users", "portal.wizard{}"]
)
_METHODS = st.sampled_from(["web_search_read", "write", "load", "create", "read{}", "change_password", "{}"])
_CALLS = st.fixed_dictionaries(
    {},
    optional={
        "params": st.just({})
        | st.fixed_dictionaries(
            {},
            optional={
                "model": _MODELS | _VALUES,
                "method": _METHODS | _VALUES,
                "args": _VALUES,
                "kwargs": _VALUES,
                "x": _VALUES,
            },
        )
    },
)


def _exactly(body: bytes) -> Outcome:
    try:
        call = read_call(body)
    except ValueError:
        return Outcome.UNREADABLE
    return Outcome.NOT_SHARED if takes_credentials(call) else Outcome.PASSES


@settings(max_examples=500)
@given(_CALLS, st.integers(0, 200), st.sampled_from(["", "{}", "{", "null", '"a":1,', '{"a":1,"a":2}']))
def test_empty_objects_change_nothing_in_what_is_found(call: dict[str, Any], place: int, more: str) -> None:
    text = json.dumps(call)
    body = (text[:place] + more + text[place:]).encode()
    assert CALL.answer(body).outcome is _exactly(body)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"params":{"model":"crm.lead","method":"read","kwargs":{}}}', Outcome.PASSES),
        (b'{"params":{}}', Outcome.PASSES),
        (b'{"params":{"model":"x","method":"write","args":[[1],{"password":{}}]}}', Outcome.NOT_SHARED),
        (b'{"a":{},"a":{}}', Outcome.UNREADABLE),
        (b"{}{}", Outcome.UNREADABLE),
    ],
)
def test_what_is_found_of_a_call(body: bytes, outcome: Outcome) -> None:
    assert CALL.answer(body).outcome is outcome


_PAGE: dict[str, Any] = {"model": "ir.ui.view", "method": "write", "args": [[1], {"arch": "<t t-out='x'/>"}]}


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/web/dataset/call_kw", {**_PAGE, "post_data": {}}),
        ("/web/dataset/call_button/x", {**_PAGE, "post_data": {}}),
        ("/mail/message/post", {"post_data": {}, "arch": "<t t-out='x'/>"}),
        ("/web/view/edit_custom", {"method": "message_post", "arch": "<t t-out='x'/>"}),
        ("/web/view/edit_custom", {"model": "crm.lead", "method": "read", "arch": "<t t-out='x'/>"}),
        ("/web/view/edit_custom", {"post_data": {"arch": "<t t-out='x'/>"}}),
        ("/web/x", {"method": "read", "new_password": "x"}),
        ("/web/x", {"model": "res.partner", "method": "read", "new_password": "x"}),
        ("/web/x", {"model": "x", "method": "read", "args": [], "kwargs": {"password": "x"}}),
        ("/web/x", {"context": {"default_password": "x"}}),
        ("/web/dataset/resequence", {"model": "res.partner", "method": "read", "ids": [7], "field": "email"}),
        ("/web/dataset/resequence", {"model": "res.partner", "method": "x", "ids": [7], "field": "email"}),
        ("/web/dataset/call_kw/../../x", {"model": "x", "method": "read", "new_password": "x"}),
        ("/en/web/dataset/call_kw", {"model": "x", "method": "read", "new_password": "x"}),
    ],
    ids=str,
)
def test_no_parameter_that_the_route_ignores_ends_the_examination(path: str, params: dict[str, Any]) -> None:
    found = Question(Subject.CALL, path).answer(json.dumps({"params": params}).encode())
    assert found.outcome is Outcome.NOT_SHARED


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (
            "/web/dataset/call_kw/res.users/web_read",
            {"model": "res.users", "method": "web_read", "kwargs": {"login": 1}},
        ),
        ("/web/dataset/call_kw/x/message_post", {"model": "x", "method": "message_post", "args": ["t-out=1"]}),
        ("/mail/message/post", {"thread_model": "x", "post_data": {"body": "<t t-out='x'/> my password"}}),
    ],
    ids=str,
)
def test_what_the_route_does_is_told_by_its_path(path: str, params: dict[str, Any]) -> None:
    found = Question(Subject.CALL, path).answer(json.dumps({"params": params}).encode())
    assert found.outcome is Outcome.PASSES


def _call(model: str, method: str, *args: Any, **kwargs: Any) -> bytes:
    return json.dumps({"params": {"model": model, "method": method, "args": args, "kwargs": kwargs}}).encode()


@pytest.mark.parametrize("field", ["signup_url", "signup_token"])
def test_who_is_signed_in_reads_no_link_that_sets_a_password(field: str) -> None:
    for asked, kept in (
        (_call("res.partner", "read", [7], ["name", field]), _call("res.partner", "read", [7], ["name"])),
        (
            _call("res.users", "web_read", [2], specification={"login": {}, "partner_id": {"fields": {field: {}}}}),
            _call("res.users", "web_read", [2], specification={"login": {}, "partner_id": {"fields": {}}}),
        ),
        (
            _call("res.partner", "web_save", [7], {"name": "x"}, specification={"name": {}, field: {}}),
            _call("res.partner", "web_save", [7], {"name": "x"}, specification={"name": {}}),
        ),
        (
            _call("res.users", "onchange", [2], {field: "x"}, ["name"], {"name": "1", field: ""}),
            _call("res.users", "onchange", [2], {field: "x"}, ["name"], {"name": "1"}),
        ),
    ):
        for body in (asked, asked.replace(b"signup_", b"s\\u0069gnup_")):
            found = CALL.answer(body)
            assert found.outcome is Outcome.REWRITTEN
            assert json.loads(found.body) == json.loads(kept)
    for body in (
        _call("res.partner", "read", [7]),
        _call("res.users", "search_read", [], []),
        _call("res.partner", "read", [7], [field]),
        _call("res.users", "search_count", [["partner_id." + field, "=like", "a%"]]),
        _call("crm.lead", "search", [["partner_id." + field, "!=", False]]),
        _call("res.partner", "search", [], order=field),
        _call("res.partner", "read_group", [], [field + ":array_agg"], []),
        _call("res.partner", "web_read_group", [], groupby=[field]),
        _call("res.partner", "export_data", [7], [field]),
        _call("crm.lead", "export_data", [7], ["name", "partner_id/" + field]),
        _call("res.partner", "mapped", [7], field),
        _call("ir.exports", "create", {"resource": "res.partner", "export_fields": [[0, 0, {"name": field}]]}),
        _call("res.partner", "web_save", [7], {"email": "a@b.c"}, specification={field: {}}),
        json.dumps({"params": {"domain": [[field, "!=", False]], "thread_model": "res.partner"}}).encode(),
        json.dumps({"params": {"model": "res.partner", "method": "read", "args": [[7], ["id"]], "x": field}}).encode(),
    ):
        assert CALL.answer(body).outcome is Outcome.NOT_SHARED, body


def test_who_is_signed_in_sees_no_other_session() -> None:
    devices: dict[str, Any] = {"device_ids": {"fields": {"ip_address": {}, "session_identifier": {}}}}
    for asked, kept in (
        (
            _call("res.users", "web_read", [6], specification={"login": {}, **devices}),
            _call("res.users", "web_read", [6], specification={"login": {}}),
        ),
        (
            _call("crm.lead", "web_read", [1], {"user_id": {"fields": {**devices, "name": {}}}}),
            _call("crm.lead", "web_read", [1], {"user_id": {"fields": {"name": {}}}}),
        ),
    ):
        found = CALL.answer(asked)
        assert found.outcome is Outcome.REWRITTEN
        assert json.loads(found.body) == json.loads(kept)
    for field in ("device_ids.ip_address", "device_ids.session_identifier", "session_identifier"):
        for body in (
            _call("res.users", "search_count", [[field, "=like", "a%"]]),
            _call("crm.lead", "search", [["user_id." + field, "!=", False]]),
            _call("res.users", "export_data", [6], [field.replace(".", "/")]),
            _call("res.users", "mapped", [6], field),
            _call("res.users", "write", [6], {field: "x"}),
            json.dumps({"params": {"domain": [[field, "!=", False]]}}).encode(),
        ):
            assert CALL.answer(body).outcome is Outcome.NOT_SHARED, body
            escaped = body.replace(b"device_ids", b"d\\u0065vice_ids").replace(b"session_", b"s\\u0065ssion_")
            assert CALL.answer(escaped).outcome is Outcome.NOT_SHARED, body
    assert CALL.answer(_call("res.users", "read", [6], ["totp_trusted_device_ids"])).outcome is Outcome.PASSES


@pytest.mark.parametrize(
    ("looks", "field"),
    [
        (False, "device_ids"),
        (False, "session_identifier"),
        (False, "signup_token"),
        (False, "signup_url"),
        (True, "access_token"),
        (True, "session_link"),
        (True, "signup_url"),
    ],
)
def test_no_file_is_made_of_secrets(looks: bool, field: str) -> None:
    fields = [{"name": "name"}, {"name": f"partner_id/{field}"}]
    data = json.dumps({"model": "crm.lead", "fields": fields, "domain": [], "ids": [1]})
    escaped = data.replace(field, f"\\u{ord(field[0]):04x}{field[1:]}")
    urlencoded, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
    parts = '--x\r\nContent-Disposition: form-data; name="data"{}\r\n\r\n{}\r\n--x--\r\n'

    def found(kind: str, body: str) -> Outcome:
        question = Question(Subject.FIELDS, "/web/export/csv", signed_in=not looks, looks=looks, content_type=kind)
        return question.answer(body.encode()).outcome

    for text in (data, escaped):
        assert found(urlencoded, urlencode({"data": text})) is Outcome.NOT_SHARED
        assert found(multipart, parts.format("", text)) is Outcome.NOT_SHARED
        assert found("application/json", json.dumps({"params": {"domain": [text]}})) is Outcome.NOT_SHARED
    assert found(urlencoded, f"filename_field={field}") is Outcome.NOT_SHARED
    for kind, body in (
        (multipart, parts.format("\r\nContent-Type: text/plain; charset=utf-7", data)),
        (f"application/json, {urlencoded}", json.dumps({"a&data=" + data: 1})),
        ("text/plain", data),
    ):
        assert found(kind, body) is Outcome.UNREADABLE
    other = data.replace(field, "city")
    assert found(urlencoded, urlencode({"data": other})) is Outcome.PASSES
    assert found(multipart, parts.format("", other)) is Outcome.PASSES
    assert found("application/json", json.dumps({"params": {"model": "crm.lead", "domain": []}})) is Outcome.PASSES


def test_no_template_that_invites_people_is_rendered() -> None:
    for body in (
        _call("mail.compose.message", "create", [{"model": "res.partner", "res_ids": "[6]", "template_id": 5}]),
        _call("mail.compose.message", "onchange", [], {"template_id": [5, "x"]}, ["template_id"], {"body": {}}),
        _call("mail.compose.message", "create", [{}], context={"default_template_id": 5}),
        _call("mail.template.preview", "web_save", [], {"mail_template_id": 5}, specification={"body_html": {}}),
        _call("mail.template", "send_mail", [5], 6, True),
        _call("mail.template", "send_mail_batch", 5, [6]),
    ):
        found = CALL.answer(body)
        assert found.outcome is Outcome.DEPENDS, body
        [inquiry] = found.inquiries
        assert inquiry.model == "mail.template"
        assert inquiry.domain == [["id", "in", [5]], ["model", "in", ["portal.wizard.user", "res.users"]]]
    for body in (
        _call("mail.compose.message", "create", [{"body": "<p>x</p>", "template_id": False}]),
        _call("mail.compose.message", "onchange", [], {}, ["template_id"], {"template_id": {}}),
        _call("mail.template", "web_read", [5], specification={"name": {}}),
        _call("sale.order.line", "create", [{"product_template_id": 5}]),
    ):
        assert CALL.answer(body).outcome is Outcome.PASSES, body


@pytest.mark.parametrize("signed_in", [False, True])
def test_what_an_owner_has_allowed_is_no_way_to_a_password(signed_in: bool) -> None:
    allowed = ("res.users/change_password", "agency.wizard/open", "/agency/totals")

    def outcome(path: str, body: bytes) -> Outcome:
        return Question(Subject.LOOK, path, allowed, signed_in=signed_in).answer(body).outcome

    refused = {Outcome.NOT_SHARED if signed_in else Outcome.VIEW_ONLY}
    call_kw = "/web/dataset/call_kw"
    assert {
        outcome(call_kw, _call("res.users", "change_password", "old", "new")),
        outcome(call_kw, _call("agency.wizard", "open", {"password": "new"})),
        outcome(call_kw, _call("agency.wizard", "open", {"user_ids": [[1, 2, {"login": "eve"}]]})),
        outcome("/agency/totals", b'{"id": 1, "params": {"new_password": "new"}}'),
    } == refused
    assert outcome(call_kw, _call("agency.wizard", "open", {"year": 2026})) is Outcome.REWRITTEN
    assert outcome("/agency/totals", b'{"id": 1, "params": {"year": 2026}}') is Outcome.REWRITTEN
