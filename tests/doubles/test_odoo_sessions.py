"""The double's logins and sessions: who gets in, what rotates, what ends a session, and who may no longer try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.doubles.odoo import Odoo, running_odoo
from tests.doubles.wire import Client

FORM = ("Content-Type", "application/x-www-form-urlencoded")
EXPIRED = (100, "odoo.http.SessionExpiredException")


@pytest.fixture
def odoo() -> Iterator[Odoo]:
    """A double of one worker, whose count of failures is then everybody's."""
    with running_odoo(workers=1) as running:
        yield running
        assert "Traceback" not in running.log


def logged_in(odoo: Odoo, login: str = "demo", password: str | None = None) -> Client:
    """A client with a session of its own."""
    client = Client(odoo.port)
    assert "result" in client.authenticate(login, password)
    return client


def works(client: Client) -> bool:
    """Whether the client's session is somebody's."""
    answer = client.call("res.partner", "search_count", [])
    return "result" in answer


def failure(answer: dict[str, Any]) -> tuple[int, str]:
    """Code and class of an error."""
    return answer["error"]["code"], answer["error"]["data"]["name"]


def with_id(client: Client, sid: str | None) -> Client:
    """The same client under another session id."""
    other = Client(client.port)
    other.session_id = sid
    return other


class TestWhatEndsASession:
    def test_another_password_ends_all_of_the_users_and_nobody_elses(self, odoo: Odoo) -> None:
        first, second, other = logged_in(odoo), logged_in(odoo), logged_in(odoo, "seller")
        odoo.set_password("demo", "another")
        for client in (first, second):
            assert failure(client.call("res.partner", "search_count", [])) == EXPIRED
        assert works(other)
        assert failure(Client(odoo.port).authenticate("demo"))[1] == "odoo.exceptions.AccessDenied"
        assert works(logged_in(odoo, "demo", "another"))
        assert {each["how"] for each in odoo.ended_sessions("demo")} == {"invalid"}

    def test_an_invalid_session_is_replaced_by_an_anonymous_one(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        former = client.session_id
        odoo.set_password("demo", "another")
        answer = client.get("/odoo")
        assert (answer.status, answer.one("Location")) == (303, "/web/login?redirect=%2Fodoo%3F")
        assert answer.session_id != former

    def test_a_page_for_users_sends_to_the_login(self, odoo: Odoo) -> None:
        answer = Client(odoo.port).get("/my/home?a=1")
        assert (answer.status, answer.one("Location")) == (303, "/web/login?redirect=%2Fmy%2Fhome%3Fa%3D1")

    def test_deactivated(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        odoo.set_active("demo", active=False)
        assert not works(client)
        assert "error" in Client(odoo.port).authenticate("demo")
        odoo.set_active("demo", active=True)
        assert works(logged_in(odoo))

    def test_a_second_factor_ends_sessions_and_half_opens_the_next(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        odoo.set_totp("demo", "654321")
        assert not works(client)
        again = Client(odoo.port)
        assert again.authenticate("demo")["result"] == {"uid": None}
        assert not works(again)
        odoo.set_totp("demo", None)
        assert works(logged_in(odoo))

    def test_a_restored_copy_ends_them_all_and_a_backup_of_its_own_none(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        client.call("res.partner", "write", [12], {"name": "Changed"})
        odoo.restore_database(copied=False)
        assert works(client)
        assert client.call("res.partner", "read", [12], ["name"])["result"][0]["name"] != "Changed"
        odoo.restore_database(copied=True)
        assert failure(client.call("res.partner", "search_count", [])) == EXPIRED

    def test_restarts_end_none(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        odoo.restart()
        assert works(client)

    def test_a_session_that_nobody_used_for_a_week(self, odoo: Odoo) -> None:
        client, other = logged_in(odoo), logged_in(odoo, "seller")
        odoo.age_sessions(7 * 86400 + 1, "demo")
        assert failure(client.call("res.partner", "search_count", [])) == EXPIRED
        assert works(other)

    def test_logout_of_one_leaves_the_other(self, odoo: Odoo) -> None:
        first, second = logged_in(odoo), logged_in(odoo)
        assert len(odoo.sessions("demo")) == 2
        ended = first.session_id
        first.get("/web/session/logout")
        assert [each["sid"] for each in odoo.sessions("demo")] == [second.session_id]
        assert [(each["sid"], each["how"]) for each in odoo.ended_sessions("demo")] == [(ended, "logout")]
        assert works(second)

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
    def test_any_method_logs_out(self, odoo: Odoo, method: str) -> None:
        client = logged_in(odoo)
        before = client.session_id
        client.send(method, "/web/session/logout")
        assert not works(with_id(client, before))


class TestRotation:
    def test_by_age_and_the_former_id_stays_good_for_two_minutes(self, odoo: Odoo) -> None:
        odoo.change(rotate_after=10800.0)
        client = logged_in(odoo)
        first = client.session_id
        assert works(client)
        assert client.session_id == first
        odoo.age_sessions(10801)
        assert works(client)
        second = client.session_id
        assert first is not None
        assert second is not None
        assert (second[:42], second[42:] == first[42:]) == (first[:42], False)
        # Requests that were under way with the former id are led to the same new one.
        for _ in range(2):
            late = with_id(client, first)
            assert works(late)
            assert late.session_id == second
        assert [each["sid"] for each in odoo.sessions("demo")] == [second]
        odoo.age_sessions(121)
        assert not works(with_id(client, first))
        assert works(client)
        assert odoo.ended_sessions() == []

    def test_by_requests_on_every_kind_of_answer(self, odoo: Odoo) -> None:
        odoo.change(rotate_after_requests=1)
        client = logged_in(odoo)
        ids = {client.session_id}
        assert works(client)
        ids.add(client.session_id)
        assert client.get("/odoo").status == 200
        ids.add(client.session_id)
        assert client.get("/web/image/res.partner/1/avatar_128").status == 200
        ids.add(client.session_id)
        assert len(ids) == 4
        assert not client.get("/web/health").all("Set-Cookie")

    def test_forms_stay_good(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        token = client.get("/odoo").body.decode().partition('csrf_token: "')[2].partition('"')[0]
        odoo.change(rotate_after_requests=1)
        assert works(client)
        body = urlencode({"csrf_token": token, "product_id": "2"}).encode()
        assert client.send("POST", "/shop/cart/update", fields=[FORM], body=body).status == 303

    def test_nobody_is_rotated_before_a_login(self, odoo: Odoo) -> None:
        odoo.change(rotate_after_requests=1)
        client = Client(odoo.port)
        client.get("/")
        before = client.session_id
        client.get("/")
        assert client.session_id == before


class TestAttempts:
    def test_who_tried_from_where_and_how_it_went(self, odoo: Odoo) -> None:
        behind = [("X-Forwarded-Host", "gw.example"), ("X-Forwarded-For", "192.0.2.7")]
        Client(odoo.port).authenticate("demo", "demo", *behind)
        Client(odoo.port).authenticate("demo", "wrong")
        Client(odoo.port).authenticate("second")
        seen = [(each["login"], each["source"], each["outcome"]) for each in odoo.attempts()]
        assert seen == [
            ("demo", "192.0.2.7", "ok"),
            ("demo", "127.0.0.1", "denied"),
            ("second", "127.0.0.1", "second factor"),
        ]
        assert {each["route"] for each in odoo.attempts("demo")} == {"/web/session/authenticate"}
        odoo.forget()
        assert odoo.attempts() == []

    def test_forwarded_addresses_count_only_in_proxy_mode(self) -> None:
        with running_odoo(proxy_mode=False) as odoo:
            fields = [("X-Forwarded-Host", "gw.example"), ("X-Forwarded-For", "192.0.2.7")]
            Client(odoo.port).authenticate("demo", "demo", *fields)
            assert [each["source"] for each in odoo.attempts()] == ["127.0.0.1"]

    def test_a_closed_door_is_not_a_failure_more_and_a_success_opens_it(self, odoo: Odoo) -> None:
        for _ in range(4):
            Client(odoo.port).authenticate("demo", "wrong")
        logged_in(odoo)
        for _ in range(5):
            Client(odoo.port).authenticate("demo", "wrong")
        for _ in range(3):
            refused = Client(odoo.port).authenticate("admin")["error"]
            assert refused["data"]["message"].startswith("Too many login failures")
        assert [each["outcome"] for each in odoo.attempts()][-4:] == ["denied", "throttled", "throttled", "throttled"]
        odoo.change(throttle_seconds=0.0)
        logged_in(odoo)

    def test_each_worker_counts_for_itself(self, odoo: Odoo) -> None:
        for _ in range(5):
            Client(odoo.port).authenticate("demo", "wrong")
        assert "error" in Client(odoo.port).authenticate("demo")
        odoo.restart()
        logged_in(odoo)

    def test_each_database_counts_for_itself(self) -> None:
        with running_odoo(workers=1, databases="alpha,beta") as odoo:
            for _ in range(5):
                Client(odoo.port).authenticate("demo", "wrong", db="alpha")
            assert "error" in Client(odoo.port).authenticate("demo", db="alpha")
            assert "result" in Client(odoo.port).authenticate("demo", db="beta")

    def test_programs_are_counted_too(self, odoo: Odoo) -> None:
        args = ["demo18", 6, "wrong", "res.users", "search", [[]]]
        for _ in range(5):
            Client(odoo.port).rpc("/jsonrpc", {"service": "object", "method": "execute_kw", "args": args})
        assert "Too many" in Client(odoo.port).authenticate("demo")["error"]["data"]["message"]


class TestDatabases:
    def test_a_wrong_name_is_postgresqls_error_or_with_a_filter_odoos(self) -> None:
        with running_odoo(databases="alpha,beta") as odoo:
            assert failure(Client(odoo.port).authenticate("demo", db="gamma")) == (200, "psycopg2.OperationalError")
            odoo.change(dbfilter="^alpha$")
            for name in ("beta", "gamma"):
                error = Client(odoo.port).authenticate("demo", db=name)["error"]
                assert error["data"]["message"] == "Database not found."
            assert Client(odoo.port).authenticate("demo", db="alpha")["result"]["db"] == "alpha"

    def test_a_session_of_one_is_nobody_in_another(self) -> None:
        with running_odoo(databases="alpha,beta") as odoo:
            client = Client(odoo.port)
            client.authenticate("demo", db="alpha")
            assert client.get("/odoo").status == 200
            assert client.get("/odoo?db=beta").status == 302
            assert client.get("/odoo").status == 303
