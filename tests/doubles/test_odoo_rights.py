"""The double's rights: groups, what they may do with each model, and the rules that leave records out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.doubles.odoo import Odoo, running_odoo
from tests.doubles.wire import Client


@pytest.fixture(scope="module")
def shared() -> Iterator[Odoo]:
    """A double that tests here leave as it was."""
    with running_odoo() as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def odoo() -> Iterator[Odoo]:
    """A double for one test."""
    with running_odoo() as running:
        yield running


def logged_in(odoo: Odoo, login: str) -> Client:
    """A client of that user."""
    client = Client(odoo.port)
    client.authenticate(login)
    return client


def refused(answer: dict[str, Any]) -> str:
    """The words of an AccessError."""
    error = answer["error"]
    assert error["data"]["name"] == "odoo.exceptions.AccessError", error
    return str(error["data"]["message"])


class TestWhoIsWho:
    @pytest.mark.parametrize(
        ("login", "facts"),
        [
            ("admin", {"is_system": True, "is_admin": True, "is_internal_user": True}),
            ("demo", {"is_system": False, "is_admin": False, "is_internal_user": True}),
            ("portal", {"is_system": False, "is_admin": False, "is_internal_user": False}),
        ],
    )
    def test_session_info(self, shared: Odoo, login: str, facts: dict[str, bool]) -> None:
        client = Client(shared.port)
        info = client.authenticate(login)["result"]
        assert {name: info[name] for name in facts} == facts
        assert info["is_public"] is False

    def test_who_gives_rights_is_admin_without_being_system(self, odoo: Odoo) -> None:
        odoo.add_user("rights", "secret", "base.group_erp_manager", name="Rita Rights")
        info = Client(odoo.port).authenticate("rights", "secret")["result"]
        assert (info["name"], info["is_admin"], info["is_system"]) == ("Rita Rights", True, False)
        before = odoo.base_url
        Client(odoo.port, "elsewhere.example").authenticate("rights", "secret")
        assert odoo.base_url == before

    def test_groups_are_asked_for_with_what_they_imply(self, shared: Odoo) -> None:
        demo = logged_in(shared, "demo")
        assert demo.call("res.users", "has_group", [6], "sales_team.group_sale_salesman")["result"] is True
        assert demo.call("res.users", "has_group", [6], "base.group_system")["result"] is False


class TestModelAccess:
    @pytest.mark.parametrize(
        ("method", "args", "verb"),
        [
            ("write", [[12], {"name": "x"}], "modify"),
            ("web_save", [[12], {"name": "x"}], "modify"),
            ("web_save", [[], {"name": "x"}], "create"),
            ("create", [{"name": "x"}], "create"),
            ("name_create", ["x"], "create"),
            ("load", [["name"], [["x"]]], "create"),
            ("copy", [[12]], "create"),
            ("unlink", [[12]], "delete"),
            ("action_archive", [[12]], "modify"),
        ],
    )
    def test_who_may_only_read(self, shared: Odoo, method: str, args: list[Any], verb: str) -> None:
        reader = logged_in(shared, "reader")
        before = len(shared.changes("res.partner"))
        assert f"You are not allowed to {verb} 'res.partner'" in refused(reader.call("res.partner", method, *args))
        assert reader.call("res.partner", "read", [12], ["name"])["result"][0]["name"] != "x"
        assert len(shared.changes("res.partner")) == before

    def test_each_operation_for_itself(self, shared: Odoo) -> None:
        seller = logged_in(shared, "seller")

        def may(operation: str) -> Any:
            return seller.call("crm.lead", "check_access_rights", operation, False)["result"]

        assert [may(each) for each in ("read", "write", "create", "unlink")] == [True, True, True, False]
        message = refused(seller.call("crm.lead", "unlink", [3]))
        assert "\t- sales_team.group_sale_manager" in message

    def test_another_group_is_another_right(self, odoo: Odoo) -> None:
        reader = logged_in(odoo, "reader")
        refused(reader.call("crm.lead", "search_count", []))
        odoo.set_groups("reader", "sales_team.group_sale_manager")
        assert reader.call("crm.lead", "search_count", [])["result"] == 12
        with pytest.raises(ValueError, match="no such groups"):
            odoo.set_groups("reader", "sales_team.no_such")

    def test_a_users_own_preferences_are_his_to_write_and_others_are_not(self, odoo: Odoo) -> None:
        demo = logged_in(odoo, "demo")
        assert demo.call("res.users", "web_save", [6], {"tz": "Europe/Paris"}, specification={})["result"]
        refused(demo.call("res.users", "web_save", [6], {"password": "x"}, specification={}))
        refused(demo.call("res.users", "write", [2], {"tz": "Europe/Paris"}))
        assert [each["values"] for each in odoo.changes("res.users")] == [{"tz": "Europe/Paris"}]


class TestRules:
    def test_what_is_not_ones_own_is_not_found_and_not_opened(self, shared: Odoo) -> None:
        seller, demo = logged_in(shared, "seller"), logged_in(shared, "demo")
        everything = set(demo.call("crm.lead", "search", [])["result"])
        own = set(seller.call("crm.lead", "search", [])["result"])
        assert len(everything) == 12
        assert own < everything
        assert seller.call("crm.lead", "search_count", [])["result"] == len(own)
        hidden = min(everything - own)
        for method, more in {"read": [], "write": [{"name": "x"}], "web_read": []}.items():
            assert "top-secret records" in refused(seller.call("crm.lead", method, [hidden], *more))
        groups = seller.call("crm.lead", "web_read_group", [], [], ["user_id"])["result"]["groups"]
        assert sum(each["user_id_count"] for each in groups) == len(own)

    def test_a_customer_sees_himself_alone(self, shared: Odoo) -> None:
        portal = logged_in(shared, "portal")
        assert portal.call("res.partner", "search", [])["result"] == [8]
        refused(portal.call("res.partner", "read", [12], ["name"]))

    def test_a_wizard_is_its_makers(self, odoo: Odoo) -> None:
        demo, seller = logged_in(odoo, "demo"), logged_in(odoo, "seller")
        id = demo.call("res.users.apikeys.description", "create", {"name": "mine"})["result"]
        refused(seller.call("res.users.apikeys.description", "read", [id]))
        assert demo.call("res.users.apikeys.description", "read", [id], ["name"])["result"][0]["name"] == "mine"
