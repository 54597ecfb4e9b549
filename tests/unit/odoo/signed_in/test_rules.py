from __future__ import annotations

from typing import Any

import pytest

from guestpass.odoo.signed_in import rules
from guestpass.odoo.signed_in.rules import SignInRuling, is_own_sign_in, rule_on_sign_in, takes_credentials


@pytest.mark.parametrize(
    "path",
    [
        b"/web/session/logout",
        b"/web/session/logout/",
        b"/web/session/%6Cogout",
        b"/Web/Session/Logout",
        b"/en/web/session/logout",
        b"/web/session/destroy",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD"])
def test_who_logs_out_leaves(method: bytes, path: bytes) -> None:
    assert rule_on_sign_in(method, path) is SignInRuling.LEAVES


@pytest.mark.parametrize(
    "path",
    [
        b"/web/session/authenticate",
        b"/web/session/authenticate/",
        b"/WEB/session/authenticate",
        b"/web/session/%61uthenticate",
        b"/en_US/web/session/authenticate",
        b"/deutsch/web/session/authenticate",
        b"/web/session/change_password",
        b"/web/session/identity",
        b"/web/session/identity/check",
        b"/web/login/totp",
        b"/web/login/totp/x",
        b"/web/reset_password",
        b"/web/signup",
        b"/web/become",
        b"/web/webauthn/x",
        b"/web/passkey",
        b"/auth/magic/x",
        b"/auth_oauth/signin",
        b"/auth_signup/x",
        b"/auth-timeout/session/check-identity",
        b"/auth-timeout/send-totp-mail-code",
        b"/auth/passkey/start-auth",
        b"/auth_totp_portal/x",
        b"/oauth2/authorize",
        b"/oauth/token",
        b"/.well-known/oauth-authorization-server",
        b"/.well-known/device-bound-sessions",
        b"/mcp",
        b"/my/deactivate_account",
        b"/my/security",
        b"/my/security/x",
        b"/en/my/security",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT"])
def test_nobody_signs_in_as_somebody_else_or_changes_how(method: bytes, path: bytes) -> None:
    assert rule_on_sign_in(method, path) is SignInRuling.REFUSED


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE"])
@pytest.mark.parametrize("path", [b"/web/login", b"/web/login/", b"/en/web/login", b"/web/%6cogin"])
def test_the_form_is_looked_at_and_not_sent(method: bytes, path: bytes) -> None:
    assert rule_on_sign_in(method, path) is SignInRuling.REFUSED
    for looking in (b"GET", b"HEAD"):
        assert rule_on_sign_in(looking, path) is SignInRuling.PASS


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/odoo",
        b"/web",
        b"/web/login_successful",
        b"/web/session/get_session_info",
        b"/web/session/check",
        b"/web/dataset/call_kw",
        b"/my",
        b"/my/account",
        b"/authors/x",
        b"/shop/auth_oauth",
        b"/auth",
        b"/websocket",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_everything_else_is_odoos(method: bytes, path: bytes) -> None:
    assert rule_on_sign_in(method, path) is SignInRuling.PASS


@pytest.mark.parametrize(
    ("method", "path", "own"),
    [
        (b"POST", b"/web/login", True),
        (b"POST", b"/web/login/", True),
        (b"POST", b"/en/web/login", True),
        (b"GET", b"/web/login/totp", True),
        (b"POST", b"/web/login/totp", True),
        (b"GET", b"/web/session/logout", True),
        (b"PUT", b"/web/login", False),
        (b"POST", b"/web/login/other", False),
        (b"POST", b"/web/session/logout", False),
        (b"POST", b"/web/session/authenticate", False),
        (b"POST", b"/web/signup", False),
        (b"POST", b"/web/reset_password", False),
        (b"POST", b"/my/security", False),
        (b"POST", b"/web/dataset/call_kw/web/login", False),
    ],
)
def test_how_a_person_signs_in_himself_is_known(method: bytes, path: bytes, *, own: bool) -> None:
    assert is_own_sign_in(method, path) is own


def call(model: str, method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"params": {"model": model, "method": method, "args": list(args), "kwargs": kwargs}}


@pytest.mark.parametrize(
    "made",
    [
        call("res.users", "change_password", "old", "new"),
        call("res.users", "authenticate", "db", "login", "password", {}),
        call("res.users", "write", [6], {"password": "x"}),
        call("res.users", "write", [6], {"login": "x"}),
        call("res.users", "web_save", [6], {"email": "x"}),
        call("res.users", "create", [{"name": "x", "login": "x"}]),
        call("res.users", "load", ["name", "login"], [["x", "y"]]),
        call("res.partner", "load", ["id", "user_ids/password"], [["base.partner_demo", "x"]]),
        call("res.users", "load", fields=[".id", "password"], data=[["6", "x"]]),
        call("base_import.import", "execute_import", [1], [".id", "password"], ["Id", "Word"], {}),
        call("res.users", "web_create_users", ["me@evil.example"]),
        call("res.users", "action_totp_disable", [6]),
        call("res.partner", "signup_get_auth_param", [7]),
        call("res.partner", "write", [7], {"user_ids": [[0, 0, {"password": "x"}]]}),
        call("res.company", "write", [1], {"a": [[1, 2, {"b": [[1, 3, {"totp_secret": "x"}]]}]]}),
        call("x.wizard", "web_save", [], vals={"api_key_ids": []}),
        call("res.users.apikeys", "read", [1]),
        call("res.users.apikeys.description", "make_key", [1]),
        call("res.users.identitycheck", "run_check", [1]),
        call("change.password.own", "create", [{}]),
        call("change.password.wizard", "change_password_button", [1]),
        call("auth_totp.wizard", "enable", [1]),
        call("auth_totp.device", "search", []),
        call("auth.passkey.key", "create", [{}]),
        call("portal.wizard.user", "action_grant_access", [1]),
        call("res.partner", "reset_password", "x"),
        call("crm.lead", "message_new", {"author_id": 7}),
        call("res.device", "read", [1]),
        call("res.device.log", "read", [1]),
        call("res.users", "write", [6], {"in_group_7": True}),
        call("res.users", "write", [6], {"sel_groups_1_9_10": 9}),
        call("res.users", "write", [6], {"groups_id": [[4, 1]]}),
        call("res.users", "load", [".id", "group_ids/.id"], [["6", "1"]]),
        call("res.partner", "load", [".id", "user_ids/login"], [["7", "x"]]),
        call("res.partner", "create", [{"name": "x"}], context={"default_password": "x"}),
        call("project.task", "write", [1], {"user_ids": [[1, 6, {"group_ids": [[4, 1]]}]]}),
        call("base_import.import", "execute_import", [5], ["name", "login"], [], {}),
        call("base_import.import", "execute_import", [5], [".id", "groups_id"], [], {}),
        call("res.partner", "write", [50], {"user_ids": [[4, 2, 0]]}),
        call("res.partner", "write", [50], {"user_ids": [[6, 0, [2]]]}),
        call("res.partner", "write", [50], {"user_ids": [[1, 2, {"partner_id": 77}]]}),
        call("res.partner", "create", [{"name": "x", "child_ids": [[0, 0, {"user_ids": [[4, 2]]}]]}]),
        call("res.partner", "web_save", [], vals={"user_ids": [[4, 2]]}),
        call("res.partner", "name_create", "x", context={"default_user_ids": [[4, 2]]}),
        call("res.partner", "load", [".id", "user_ids/.id"], [["50", "2"]]),
        call("res.users", "write", [6], {"child_ids": [[1, 50, {"user_ids": [[4, 2]]}]]}),
        call("calendar.event", "write", [1], {"partner_ids": [[1, 50, {"user_ids": [[4, 2]]}]]}),
        call("project.task", "write", [1], {"user_ids": [[1, 2, {"partner_id": 77}]]}),
        call("project.task", "web_save", [1], vals={"user_ids": [[1, 2, {"partner_id": 77}]]}),
        call("project.task", "create", [{}], context={"default_user_ids": [[1, 2, {"partner_id": 77}]]}),
        call("res.groups", "write", [1], {"users": [[4, 6]]}),
        call("res.groups", "write", [1], {"user_ids": [[4, 6]]}),
        call("res.groups", "load", ["name", "users/.id"], [["x", "6"]]),
        call("base.partner.merge.automatic.wizard", "action_start_automatic_process", [1]),
        {"params": {"new_password": "x"}},
        {"params": {"fields": [{"password": "x"}]}},
    ],
    ids=lambda made: f"{made['params'].get('model')}.{made['params'].get('method')}",
)
def test_what_uses_or_makes_a_credential_is_recognised(made: dict[str, Any]) -> None:
    assert takes_credentials(made)


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"params": {}},
        call("res.users", "read", [6], ["login", "email", "password"]),
        call("res.users", "web_read", [6], specification={"login": {}, "api_key_ids": {}}),
        call("res.users", "search_read", [["login", "=", "x"]], fields=["login"]),
        call("res.users", "onchange", [6], {"login": "x"}, ["login"], {}),
        call("res.users", "write", [6], {"signature": "x", "lang": "en_US"}),
        call("res.users", "web_save", [6], {"name": "x"}, specification={"login": {}, "password": {}}),
        call("res.partner", "write", [7], {"email": "x@example.com", "name": "x"}),
        call("res.partner", "create", [{"email": "x@example.com"}], context={"password": "x"}),
        call("crm.lead", "message_post", [1], body="my password is x"),
        call("res.partner", "load", ["name", "email"], [["x", "y"]]),
        call("res.partner", "write", [7], {"comment": "password"}),
        call("ir.ui.menu", "write", [7], {"groups_id": [[4, 1]]}),
        call("fetchmail.server", "create", [{"login": "x"}]),
        call("fetchmail.server", "web_save", [], vals={"login": "x"}),
        call("res.partner", "create", [{"name": "x", "user_ids": []}]),
        call("res.groups", "write", [1], {"name": "x", "users": []}),
        call("project.task", "write", [1], {"user_ids": [[6, 0, [2]]], "partner_id": 7}),
        call("project.task", "write", [1], {"child_ids": [[0, 0, {"user_ids": [[4, 2]], "partner_id": 7}]]}),
        call("project.task", "load", ["name", "user_ids/id"], [["x", "base.user_demo"]]),
        call("base_import.import", "execute_import", [5], ["name", "phone"], [], {}),
        call("res.partner", "load", ["name", "login"], [["x", "y"]]),
        call("res.users.settings", "set_res_users_settings", [1], new_settings={"a": True}),
        {"params": {"thread_model": "res.partner", "thread_id": 7, "post_data": {"body": "password"}}},
    ],
    ids=lambda made: str(made)[:60],
)
def test_what_only_speaks_of_one_is_let_go(made: dict[str, Any]) -> None:
    assert not takes_credentials(made)


def test_a_path_is_ruled_on_once_and_a_long_one_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [b"/web/session/logout", b"/web/login", b"/web/dataset/call_kw/x/read"]
    before = [(rule_on_sign_in(b"POST", path), is_own_sign_in(b"POST", path)) for path in paths]
    held = rules._rule_again.cache_info().currsize
    assert rule_on_sign_in(b"GET", b"/" + b"a" * 600) is SignInRuling.PASS
    assert not is_own_sign_in(b"GET", b"/" + b"a" * 600)
    assert rules._rule_again.cache_info().currsize == held
    monkeypatch.setattr(rules, "readings", None)
    assert [(rule_on_sign_in(b"POST", path), is_own_sign_in(b"POST", path)) for path in paths] == before


@pytest.mark.parametrize("method", [{}, [], None, 1, True])
def test_a_method_that_is_no_text_is_ruled_on_like_any_other(method: object) -> None:
    assert takes_credentials({"params": {"model": "x", "method": method, "args": [{"password": "x"}]}})
    assert not takes_credentials({"params": {"model": "x", "method": method, "args": ["password"]}})
