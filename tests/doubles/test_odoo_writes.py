"""Whatever writes in the double leaves a line in its log, and whatever reads leaves none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.doubles.odoo import Odoo, running_odoo
from tests.doubles.wire import Client, Raw, call

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.fixture(scope="module")
def shared() -> Iterator[Odoo]:
    """One process for all tests here; no number of wrong passwords closes its door."""
    with running_odoo(throttle_failures=0) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def odoo(shared: Odoo) -> Odoo:
    """That double, with its data as at the start and nobody logged in."""
    shared.restore_database()
    shared.expire_sessions()
    shared.forget()
    return shared


@pytest.fixture
def demo(odoo: Odoo) -> Client:
    """Somebody who is logged in as demo."""
    client = Client(odoo.port)
    client.authenticate("demo")
    return client


def token_of(client: Client) -> str:
    """The token of the client's forms."""
    return client.get("/odoo").body.decode().partition('csrf_token: "')[2].partition('"')[0]


def post(client: Client, target: str, **values: str) -> Raw:
    """A form."""
    return client.send("POST", target, fields=[FORM], body=urlencode(values).encode())


def written(odoo: Odoo) -> list[tuple[str, str, str, str]]:
    """Model, operation, user and route of each change."""
    return [(each["model"], each["operation"], each["user"], each["route"]) for each in odoo.changes()]


READING: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("web_search_read", [], {"specification": {"name": {}}, "domain": []}),
    ("web_read", [[12]], {"specification": {"name": {}}}),
    ("read", [[12], ["name"]], {}),
    ("search", [[]], {}),
    ("search_read", [[], ["name"]], {"limit": 2}),
    ("search_count", [[]], {}),
    ("read_group", [[], [], ["name"]], {}),
    ("web_read_group", [[], [], ["name"]], {}),
    ("read_progress_bar", [], {"domain": [], "group_by": "name", "progress_bar": {"field": "name", "colors": {}}}),
    ("search_panel_select_range", ["parent_id"], {}),
    ("search_panel_select_multi_range", ["category_id"], {}),
    ("name_search", ["Deco"], {"limit": 8}),
    ("fields_get", [], {}),
    ("default_get", [["name"]], {}),
    ("get_views", [[[False, "form"]]], {"options": {}}),
    ("get_formview_id", [[12]], {}),
    ("get_formview_action", [[12]], {}),
    ("check_access_rights", ["read"], {}),
    ("onchange", [[12], {}, [], {}], {}),
]


@pytest.mark.parametrize(("method", "args", "kwargs"), READING, ids=[each[0] for each in READING])
def test_reading_writes_nothing(odoo: Odoo, demo: Client, method: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert "result" in demo.call("res.partner", method, *args, **kwargs)
    assert odoo.changes() == []
    assert [(each["method"], each["user"], each["outcome"]) for each in odoo.calls()] == [(method, "demo", "done")]


class TestAnswers:
    def test_of_searches_by_name(self, demo: Client) -> None:
        [[id, name]] = demo.call("res.partner", "name_search", "Deco Addict")["result"]
        assert (name, demo.call("res.partner", "read", [id], ["name"])["result"][0]["name"]) == ("Deco Addict",) * 2

    def test_of_groups(self, demo: Client) -> None:
        groups = demo.call("crm.lead", "read_group", [], [], ["stage_id"])["result"]
        assert {each["stage_id"]: each["stage_id_count"] for each in groups} == {1: 4, 2: 4, 3: 4}

    def test_of_methods_that_its_version_has(self, demo: Client) -> None:
        for name in ("formatted_read_group", "name_get", "web_name_search"):
            error = demo.call("res.partner", name, [])["error"]
            assert error["data"]["name"] == "builtins.AttributeError"
        with running_odoo(version="19.0") as odoo:
            client = Client(odoo.port)
            client.authenticate("demo")
            groups = client.call("crm.lead", "formatted_read_group", [], ["stage_id"])["result"]
            assert [each["stage_id_count"] for each in groups] == [4, 4, 4]
            assert "result" in client.call("res.partner", "web_save_multi", [12], [{"name": "Changed"}])
            assert "result" in client.call("res.partner", "web_resequence", [12, 14])
            assert [each["model"] for each in odoo.changes()] == ["res.partner"] * 3
            [found] = client.call("res.partner", "web_name_search", "Deco Addict", {})["result"]
            assert found["display_name"] == "Deco Addict"

    def test_of_a_form_to_open(self, demo: Client) -> None:
        action = demo.call("res.partner", "get_formview_action", [12])["result"]
        assert (action["type"], action["res_model"], action["res_id"]) == ("ir.actions.act_window", "res.partner", 12)

    def test_of_an_agencys_own_method(self, odoo: Odoo, demo: Client) -> None:
        assert demo.call("crm.lead", "get_team_overview")["result"] == {"leads": 12, "mine": 0}
        assert demo.call("res.partner", "get_team_overview")["error"]["data"]["name"] == "builtins.AttributeError"
        assert [each["outcome"] for each in odoo.calls("get_team_overview")] == ["done", "builtins.AttributeError"]


WRITING: list[tuple[str, str, list[Any], dict[str, Any], str]] = [
    ("res.partner", "create", [{"name": "New"}], {}, "create"),
    ("res.partner", "create", [[{"name": "New"}, {"name": "Newer"}]], {}, "create"),
    ("res.partner", "write", [[12], {"name": "Other"}], {}, "write"),
    ("res.partner", "web_save", [[12], {"name": "Other"}], {"specification": {}}, "write"),
    ("res.partner", "web_save", [[], {"name": "New"}], {"specification": {}}, "create"),
    ("res.partner", "name_create", ["New"], {}, "create"),
    ("res.partner", "load", [["name"], [["New"]]], {}, "create"),
    ("res.partner", "copy", [[12]], {}, "create"),
    ("res.partner", "unlink", [[12]], {}, "unlink"),
    ("res.partner", "action_archive", [[12]], {}, "write"),
    ("sale.order", "action_confirm", [[5]], {}, "write"),
    ("sale.order", "action_cancel", [[5]], {}, "write"),
    ("crm.lead", "action_set_won_rainbowman", [[3]], {}, "write"),
    ("ir.actions.server", "run", [[1]], {}, "write"),
]


@pytest.mark.parametrize("path", ["/web/dataset/call_kw", "/web/dataset/call_button"])
@pytest.mark.parametrize(
    ("model", "method", "args", "kwargs", "operation"), WRITING, ids=[f"{each[0]}.{each[1]}" for each in WRITING]
)
def test_writing_is_written_down(
    odoo: Odoo,
    demo: Client,
    model: str,
    method: str,
    args: list[Any],
    kwargs: dict[str, Any],
    operation: str,
    path: str,
) -> None:
    before = odoo.records("res.partner") + odoo.records("sale.order") + odoo.records("crm.lead")
    answer = demo.rpc(path, {"model": model, "method": method, "args": args, "kwargs": kwargs})
    assert "result" in answer
    assert odoo.records("res.partner") + odoo.records("sale.order") + odoo.records("crm.lead") != before
    changes = odoo.changes()
    assert {(each["operation"], each["method"], each["user"], each["route"]) for each in changes} == {
        (operation, method, "demo", path)
    }


class TestOnOtherRoutes:
    def test_resequence(self, odoo: Odoo, demo: Client) -> None:
        assert demo.rpc("/web/dataset/resequence", {"model": "res.partner", "ids": [12, 13]})["result"] is True
        assert written(odoo) == [("res.partner", "write", "demo", "/web/dataset/resequence")] * 2

    def test_a_server_action(self, odoo: Odoo, demo: Client) -> None:
        demo.rpc("/web/action/run", {"action_id": 1})
        assert written(odoo) == [("res.partner", "write", "demo", "/web/action/run")]
        assert {each["name"] for each in odoo.records("res.partner")} == {"Renamed"}

    def test_messages_typing_and_reading(self, odoo: Odoo, demo: Client) -> None:
        where = {"thread_model": "res.partner", "thread_id": 12}
        id = demo.rpc("/mail/message/post", {**where, "post_data": {"body": "x"}})["result"]["message_id"]
        demo.rpc("/mail/message/update_content", {"message_id": id, "body": "y"})
        assert odoo.records("mail.message")[0]["body"] == "y"
        demo.rpc("/discuss/channel/notify_typing", {"channel_id": 1, "is_typing": True})
        answer = demo.rpc("/discuss/channel/mark_as_read", {"channel_id": 1, "last_message_id": id, "sync": True})
        assert "result" not in answer
        assert [each[:2] for each in written(odoo)] == [
            ("mail.message", "create"),
            ("mail.message", "write"),
            ("discuss.channel.member", "notify_typing"),
            ("discuss.channel.member", "create"),
        ]
        assert demo.call("res.partner", "message_post", [12], body="z")["result"]
        assert len(odoo.records("mail.message")) == 2

    def test_settings_and_preferences(self, odoo: Odoo, demo: Client) -> None:
        id = next(each["id"] for each in odoo.records("res.users.settings") if each["user_id"] == 6)
        answer = demo.call("res.users.settings", "set_res_users_settings", [id], new_settings={"push_to_talk_key": "a"})
        assert answer["result"] == {"id": id, "push_to_talk_key": "a"}
        demo.call("res.users", "web_save", [6], {"signature": "me"}, specification={})
        saved = demo.rpc("/web/dataset/call_button", call("res.users", "preference_save", [6]))
        assert saved["result"]["tag"] == "reload_context"
        assert [each[:2] for each in written(odoo)] == [("res.users.settings", "write"), ("res.users", "write")]
        assert [each["outcome"] for each in odoo.calls("preference_save")] == ["done"]

    def test_a_form_of_the_website(self, odoo: Odoo, demo: Client) -> None:
        stranger = Client(odoo.port)
        assert post(stranger, "/website/form/mail.mail", email_from="a@b.example").json["id"] == 1
        assert written(odoo) == [("mail.mail", "create", "public", "/website/form/mail.mail")]
        # Who is logged in needs the token.
        assert post(demo, "/website/form/crm.lead", name="x").status == 400
        assert post(demo, "/website/form/crm.lead", name="x", csrf_token=token_of(demo)).json["id"] == 13
        assert "error" in post(stranger, "/website/form/res.users", login="x").json

    def test_a_website_is_forced_by_get(self, odoo: Odoo, demo: Client) -> None:
        assert demo.get("/website/force/1").status == 303
        assert demo.call("website", "get_current_website")["result"] == [1]
        # It is kept in the session alone.
        assert odoo.changes() == []

    def test_a_report_that_keeps_what_it_prints(self, odoo: Odoo, demo: Client) -> None:
        odoo.set_parameter("web.base.url", odoo.url)
        assert demo.get("/report/pdf/sale.report_saleorder/1").status == 200
        assert odoo.changes() == []
        assert demo.get("/report/pdf/account.report_invoice/1").status == 200
        assert [each[:2] for each in written(odoo)] == [("ir.attachment", "create")]

    def test_the_importer(self, demo: Client) -> None:
        id = demo.call("base_import.import", "create", {"res_model": "res.partner"})["result"]
        boundary = "----double"
        parts = {"csrf_token": token_of(demo), "import_id": str(id)}
        body = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in parts.items()
        )
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="ufile"; filename="a.csv"\r\n\r\nOne\nTwo\r\n'
        kind = ("Content-Type", f"multipart/form-data; boundary={boundary}")
        sent = (body + f"--{boundary}--\r\n").encode()
        assert demo.send("POST", "/base_import/set_file", fields=[kind], body=sent).json == {"result": True}
        made = demo.call("base_import.import", "execute_import", [id], ["name"], ["name"], {})["result"]["ids"]
        assert [each["name"] for each in demo.call("res.partner", "read", made, ["name"])["result"]] == ["One", "Two"]

    def test_programs(self, odoo: Odoo) -> None:
        args = ["demo18", 6, "demo", "res.partner", "write", [[12], {"name": "By a program"}]]
        Client(odoo.port).rpc("/jsonrpc", {"service": "object", "method": "execute_kw", "args": args})
        assert written(odoo) == [("res.partner", "write", "demo", "/jsonrpc")]


class TestReadingOfRequests:
    """What Odoo takes for a call."""

    WRITE = call("res.partner", "write", [12], {"name": "Trick"})

    def body(self, **more: Any) -> bytes:
        return json.dumps({"id": 1, "jsonrpc": "2.0", "method": "call", "params": self.WRITE, **more}).encode()

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "BREW"])
    def test_any_method_of_http(self, odoo: Odoo, demo: Client, method: str) -> None:
        demo.send(method, "/web/dataset/call_kw", fields=[JSON], body=self.body())
        assert len(odoo.changes("res.partner")) == 1

    def test_the_last_of_two_keys_counts(self, odoo: Odoo, demo: Client) -> None:
        reading = json.dumps(call("res.partner", "read", [12], ["name"]))
        twice = f'{{"id": 1, "params": {reading}, "params": {json.dumps(self.WRITE)}}}'.encode()
        demo.send("POST", "/web/dataset/call_kw", fields=[JSON], body=twice)
        assert len(odoo.changes("res.partner")) == 1

    def test_pairs_make_parameters_too(self, odoo: Odoo, demo: Client) -> None:
        demo.send("POST", "/web/dataset/call_kw", fields=[JSON], body=self.body(params=list(self.WRITE.items())))
        assert len(odoo.changes("res.partner")) == 1

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
    def test_only_plain_utf_8(self, odoo: Odoo, demo: Client, encoding: str) -> None:
        body = self.body().decode().encode(encoding)
        assert demo.send("POST", "/web/dataset/call_kw", fields=[JSON], body=body).status == 400
        assert odoo.changes() == []

    def test_nested_too_deep(self, odoo: Odoo, demo: Client) -> None:
        body = b'{"params": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        answer = demo.send("POST", "/web/dataset/call_kw", fields=[JSON], body=body)
        assert answer.json["error"]["data"]["name"] == "builtins.RecursionError"
        assert odoo.changes() == []

    @pytest.mark.parametrize("method", ["_write", "init"])
    def test_private_methods(self, odoo: Odoo, demo: Client, method: str) -> None:
        assert "Private methods" in demo.call("res.partner", method, [12], {})["error"]["data"]["message"]
        assert odoo.changes() == []

    def test_calls_by_path_from_19_on(self, demo: Client) -> None:
        target = "/json/2/res.partner/write"
        body = json.dumps({"ids": [12], "vals": {"name": "By path"}}).encode()
        assert demo.send("POST", target, fields=[JSON], body=body).json["error"]["code"] == 404
        with running_odoo(version="19.0") as later:
            client = Client(later.port)
            client.authenticate("demo")
            assert client.send("POST", target, fields=[JSON], body=body).status == 401
            fields = [JSON, ("Sec-Fetch-Site", "same-origin")]
            assert client.send("POST", target, fields=fields, body=body).json is True
            assert written(later) == [("res.partner", "write", "demo", target)]


class TestCredentials:
    """How signed-in users may change their own login."""

    def checked(self, client: Client, model: str, method: str, ids: list[int], password: str = "demo") -> Any:
        """A button that asks for the password first."""
        asked = client.rpc("/web/dataset/call_button", call(model, method, ids))["result"]
        assert asked["res_model"] == "res.users.identitycheck"
        given = call("res.users.identitycheck", "run_check", [asked["res_id"]], context={"password": password})
        return client.rpc("/web/dataset/call_button", given)

    def test_change_password(self, odoo: Odoo, demo: Client) -> None:
        assert "error" in demo.call("res.users", "change_password", "wrong", "new")
        assert demo.call("res.users", "change_password", "demo", "new")["result"] is True
        assert demo.call("res.partner", "search_count", [])["error"]["code"] == 100
        assert "result" in Client(odoo.port).authenticate("demo", "new")

    def test_change_password_as_before_17(self, odoo: Odoo, demo: Client) -> None:
        fields = {"old_pwd": "demo", "new_password": "new", "confirm_pwd": "new"}
        params = {"fields": [{"name": name, "value": value} for name, value in fields.items()]}
        assert demo.rpc("/web/session/change_password", params)["result"] == {"new_password": "new"}
        assert "result" in Client(odoo.port).authenticate("demo", "new")

    def test_change_password_by_the_wizard(self, odoo: Odoo, demo: Client) -> None:
        id = demo.call("change.password.own", "create", {"new_password": "new", "confirm_password": "new"})["result"]
        assert "error" in self.checked(demo, "change.password.own", "change_password", [id], password="wrong")
        done = self.checked(demo, "change.password.own", "change_password", [id])
        assert done["result"] == {"type": "ir.actions.client", "tag": "reload"}
        assert "result" in Client(odoo.port).authenticate("demo", "new")

    def test_change_password_at_the_portal(self, odoo: Odoo) -> None:
        portal = Client(odoo.port)
        portal.authenticate("portal")
        token = portal.get("/contactus").body.decode().partition('name="csrf_token" value="')[2].partition('"')[0]
        given = {"op": "password", "old": "portal", "new1": "new", "new2": "new"}
        assert b"Password Updated!" in post(portal, "/my/security", csrf_token=token, **given).body
        assert portal.get("/my").status == 200
        assert "result" in Client(odoo.port).authenticate("portal", "new")

    def test_administrators_change_others(self, odoo: Odoo, demo: Client) -> None:
        lines = [[0, 0, {"user_id": 6, "user_login": "demo", "new_passwd": "new"}]]
        assert "error" in demo.call("change.password.wizard", "create", {"user_ids": lines})
        admin = Client(odoo.port)
        admin.authenticate("admin")
        id = admin.call("change.password.wizard", "create", {"user_ids": lines})["result"]
        admin.call("change.password.wizard", "change_password_button", [id])
        assert "result" in Client(odoo.port).authenticate("demo", "new")
        admin.call("res.users", "write", [6], {"password": "newer"})
        assert "result" in Client(odoo.port).authenticate("demo", "newer")
        assert "newer" not in json.dumps([odoo.changes(), odoo.records("res.users")])

    def test_an_api_key_lets_programs_in_and_nobody_by_the_form(self, odoo: Odoo, demo: Client) -> None:
        id = demo.call("res.users.apikeys.description", "create", {"name": "mine"})["result"]
        shown = self.checked(demo, "res.users.apikeys.description", "make_key", [id])["result"]
        key = shown["context"]["default_key"]
        assert odoo.api_keys("demo") == [key]
        assert [each["name"] for each in odoo.records("res.users.apikeys")] == ["mine"]
        args = ["demo18", 6, key, "res.users", "search", [[["login", "=", "demo"]]]]
        told = Client(odoo.port).rpc("/jsonrpc", {"service": "object", "method": "execute_kw", "args": args})
        assert told["result"] == [6]
        assert "error" in Client(odoo.port).authenticate("demo", key)

    def test_the_second_factors_wizard_keeps_this_session_and_ends_the_others(self, odoo: Odoo, demo: Client) -> None:
        other = Client(odoo.port)
        other.authenticate("demo")
        opened = self.checked(demo, "res.users", "action_totp_enable_wizard", [6])["result"]
        demo.call("auth_totp.wizard", "web_save", [opened["res_id"]], {"code": "000000"}, specification={})
        assert "error" in demo.call("auth_totp.wizard", "enable", [opened["res_id"]])
        demo.call("auth_totp.wizard", "web_save", [opened["res_id"]], {"code": "123 456"}, specification={})
        assert demo.call("auth_totp.wizard", "enable", [opened["res_id"]])["result"]["params"]["type"] == "success"
        assert "result" in demo.call("res.partner", "search_count", [])
        assert other.call("res.partner", "search_count", [])["error"]["code"] == 100
        assert Client(odoo.port).authenticate("demo")["result"] == {"uid": None}
        # Programs need a key from now on.
        args = ["demo18", 6, "demo", "res.users", "search", [[]]]
        asked = {"service": "object", "method": "execute_kw", "args": args}
        assert "error" in Client(odoo.port).rpc("/jsonrpc", asked)

    def test_a_forgotten_password(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        page = client.get("/web/reset_password").body.decode()
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        post(client, "/web/reset_password", csrf_token=token, login="demo")
        (mail,) = odoo.records("mail.mail")
        chosen = {"token": mail["token"], "password": "new"}
        assert post(client, "/web/reset_password", csrf_token=token, **chosen).status == 303
        assert "result" in Client(odoo.port).authenticate("demo", "new")

    def test_login_and_password_in_the_query(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        page = client.get("/web/login").body.decode()
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        query = urlencode({"csrf_token": token, "login": "demo", "password": "demo"})
        assert client.send("POST", f"/web/login?{query}").one("Location") == "/odoo"
        assert [each["login"] for each in odoo.sessions()] == ["demo"]
