"""The double against what else is known of Odoo 18: redirects, sessions, JSON-RPC, databases, logins and load."""

from __future__ import annotations

import socket
import threading
import time
import xmlrpc.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.doubles.odoo import Odoo, running_odoo
from tests.doubles.wire import Client, Raw, ask, call, connect, read_answer, request, until

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
FORWARDED = [("X-Forwarded-Host", "gw.example"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.7")]


@pytest.fixture(scope="module")
def odoo() -> Iterator[Odoo]:
    """A double as it comes; tests here leave it as they found it."""
    with running_odoo() as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def fresh() -> Iterator[Odoo]:
    """A double for one test."""
    with running_odoo() as running:
        yield running


@pytest.fixture(scope="module")
def demo(odoo: Odoo) -> Client:
    """Somebody who is logged in as demo."""
    client = Client(odoo.port)
    assert client.authenticate("demo")["result"]["uid"] == 6
    return client


@pytest.fixture(scope="module")
def threaded() -> Iterator[Odoo]:
    """A double without workers."""
    with running_odoo(workers=0) as running:
        yield running


def form_login(client: Client, login: str, password: str | None = None) -> Raw:
    """Log in by the form, token and all."""
    page = client.get("/web/login").body.decode()
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    body = urlencode({"csrf_token": token, "login": login, "password": password or login}).encode()
    return client.send("POST", "/web/login", fields=[FORM], body=body)


class TestRedirects:
    def test_relative_as_werkzeug_2_2(self, odoo: Odoo) -> None:
        answer = Client(odoo.port).get("/odoo", *FORWARDED)
        assert (answer.status, answer.one("Location")) == (303, "/web/login?redirect=%2Fodoo%3F")

    def test_absolute_as_werkzeug_2_0(self) -> None:
        with running_odoo(absolute_redirects=True) as odoo:
            behind = Client(odoo.port).get("/odoo", *FORWARDED)
            assert behind.one("Location") == "https://gw.example/web/login?redirect=%2Fodoo%3F"
            unnamed = Client(odoo.port).get("/odoo", ("X-Forwarded-Proto", "https"))
            assert unnamed.one("Location") == "http://odoo.test/web/login?redirect=%2Fodoo%3F"

    def test_double_slash_is_absolute_anyway(self, odoo: Odoo) -> None:
        answer = Client(odoo.port).get("/web//database/manager")
        assert (answer.status, answer.one("Location")) == (308, "http://odoo.test/web/database/manager")

    def test_logout_drops_a_foreign_host(self, odoo: Odoo) -> None:
        answer = Client(odoo.port).get("/web/session/logout?redirect=https://evil.example/x")
        assert (answer.status, answer.one("Location")) == (303, "/x")

    def test_unknown_bundle_hash_goes_to_the_current(self, odoo: Odoo) -> None:
        answer = Client(odoo.port).get("/web/assets/fffffff/web.assets_web.min.js")
        assert (answer.status, answer.one("Location")) == (303, "/web/assets/9a3b89c/web.assets_web.min.js")


class TestHosts:
    def test_no_host_is_a_500(self, odoo: Odoo) -> None:
        assert ask(odoo.port, request("GET", "/web/login", host=None)).status == 500

    def test_absolute_form_names_the_host(self, odoo: Odoo) -> None:
        answer = ask(odoo.port, request("GET", "http://other.test/robots.txt"))
        assert b"Sitemap: http://other.test/sitemap.xml" in answer.body

    @pytest.mark.parametrize(
        ("fields", "root"),
        [
            (FORWARDED, "https://gw.example/"),
            ([("X-Forwarded-Host", "a.example, b.example")], "http://b.example/"),
            ([("X-Forwarded-Proto", "https")], "http://odoo.test/"),
            ([("Forwarded", "host=gw.example;proto=https"), ("X-Forwarded-Port", "444")], "http://odoo.test/"),
        ],
    )
    def test_sitemap_by_host(self, odoo: Odoo, fields: list[tuple[str, str]], root: str) -> None:
        assert f"Sitemap: {root}sitemap.xml" in Client(odoo.port).get("/robots.txt", *fields).body.decode()

    def test_without_proxy_mode_nothing_forwarded_counts(self) -> None:
        with running_odoo(proxy_mode=False) as odoo:
            assert b"http://odoo.test/" in Client(odoo.port).get("/robots.txt", *FORWARDED).body

    def test_first_visitors_host_leaks_within_a_worker(self) -> None:
        with running_odoo(workers=1) as odoo:
            first = Client(odoo.port).get("/", ("X-Forwarded-Host", "secret.gw.example"))
            assert b'og:url" content="http://secret.gw.example/"' in first.body
            assert b'og:url" content="http://secret.gw.example/"' in Client(odoo.port, "other.test").get("/").body
            assert b"secret" not in Client(odoo.port, "other.test").get("/shop").body
            odoo.restart()
            assert b'og:url" content="http://other.test/"' in Client(odoo.port, "other.test").get("/").body


class TestSessions:
    def test_public_assets_set_a_cookie_where_there_was_none(self, odoo: Odoo) -> None:
        target = "/web/assets/c5b12ed/web.assets_web.min.css"
        client = Client(odoo.port)
        first = client.get(target)
        assert first.one("Cache-Control") == "public, max-age=31536000, immutable"
        assert len(first.session_id) == 84
        assert not client.get(target).all("Set-Cookie")

    @pytest.mark.parametrize("target", ["/web/static/img/odoo_logo_tiny.png", "/web/health"])
    def test_some_paths_set_none(self, odoo: Odoo, target: str) -> None:
        assert not Client(odoo.port).get(target).all("Set-Cookie")

    def test_a_well_formed_unknown_id_is_kept(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        client.session_id = "a" * 84
        assert client.get("/odoo").status == 303
        assert client.session_id == "a" * 84
        client.authenticate("demo")
        assert client.session_id != "a" * 84

    def test_a_malformed_id_is_replaced(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        client.session_id = "short"
        client.get("/web/login")
        assert client.session_id != "short"

    def test_login_by_form_rotates_and_logout_ends(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        answer = form_login(client, "demo")
        inside = client.session_id
        assert (answer.status, answer.one("Location")) == (303, "/odoo")
        assert client.get("/odoo").one("X-Frame-Options") == "DENY"
        answer = client.get("/web/session/logout")
        assert [each.partition("=")[0] for each in answer.all("Set-Cookie")] == ["cids", "session_id"]
        for sid in (inside, client.session_id):
            client.session_id = sid
            error = client.call("res.partner", "search_count", [])["error"]
            assert (error["code"], error["data"]["name"]) == (100, "odoo.http.SessionExpiredException")

    def test_a_form_without_its_token_is_refused(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        client.get("/web/login")
        body = urlencode({"login": "demo", "password": "demo"}).encode()
        assert client.send("POST", "/web/login", fields=[FORM], body=body).status == 400

    def test_second_factor(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        assert client.authenticate("second")["result"]["uid"] is None
        assert client.call("res.partner", "search_count", [])["error"]["code"] == 100
        assert form_login(client, "second").one("Location") == "/web/login/totp"
        page = client.get("/web/login/totp").body.decode()
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        body = urlencode({"csrf_token": token, "totp_token": "123456"}).encode()
        assert client.send("POST", "/web/login/totp", fields=[FORM], body=body).one("Location") == "/odoo"
        assert client.call("res.partner", "search_count", [])["result"] > 30

    def test_expired_by_order(self, fresh: Odoo) -> None:
        client = Client(fresh.port)
        client.authenticate("demo")
        assert fresh.expire_sessions("demo") == 1
        assert client.call("res.partner", "search_count", [])["error"]["code"] == 100

    def test_menus_are_public_and_yet_each_users_own(self, odoo: Odoo) -> None:
        sizes = {}
        for login in ("admin", "demo"):
            client = Client(odoo.port)
            client.authenticate(login)
            answer = client.get("/web/webclient/load_menus/anything")
            assert answer.one("Cache-Control") == "public, max-age=31536000"
            assert not answer.all("ETag")
            sizes[login] = len(answer.body)
        assert sizes == {"admin": 79_024, "demo": 53_816}
        assert Client(odoo.port).get("/web/webclient/load_menus/anything").status == 303

    def test_missing_pages_repeat_their_cookies(self, odoo: Odoo) -> None:
        answer = Client(odoo.port).get("/no/such/page")
        assert (answer.status, len(answer.all("Set-Cookie"))) == (404, 8)


class TestFiles:
    TARGETS = (
        "/web/static/src/libs/fontawesome/fonts/fontawesome-webfont.woff2?v=4.7.0",
        "/web/assets/1/4f0036b/web.assets_frontend_minimal.min.js",
        "/web/image/product.template/39/image_512/Warranty?unique=ea1d8d2",
    )

    @pytest.mark.parametrize("target", TARGETS)
    def test_range_and_conditions(self, odoo: Odoo, target: str) -> None:
        client = Client(odoo.port)
        whole = client.get(target)
        part = client.get(target, ("Range", "bytes=100-199"))
        assert (part.status, part.body) == (206, whole.body[100:200])
        assert part.one("Content-Range") == f"bytes 100-199/{len(whole.body)}"
        assert client.get(target, ("Range", "bytes=-5")).body == whole.body[-5:]
        assert client.get(target, ("Range", f"bytes={len(whole.body)}-")).status == 416
        for tag in (whole.one("ETag"), "W/" + whole.one("ETag")):
            unchanged = client.get(target, ("If-None-Match", tag))
            assert (unchanged.status, unchanged.body) == (304, b"")
            assert not unchanged.all("Content-Length")
        other = client.get(target, ("Range", "bytes=0-9"), ("If-Range", '"other"'))
        assert (other.status, other.body) == (200, whole.body)

    def test_head_has_a_length_and_no_body(self, odoo: Odoo) -> None:
        answer = ask(odoo.port, request("HEAD", self.TARGETS[1]))
        assert (answer.one("Content-Length"), answer.body, answer.ended) == ("27160", b"", True)

    def test_redeploy(self, fresh: Odoo) -> None:
        client = Client(fresh.port)
        before = client.get(self.TARGETS[1])
        fresh.redeploy()
        after = client.get(self.TARGETS[1])
        assert (after.status, len(after.body)) == (200, len(before.body))
        assert after.one("ETag") != before.one("ETag")
        assert after.body != before.body
        fresh.redeploy(new_hashes=True)
        moved = client.get(self.TARGETS[1])
        assert moved.status == 303
        assert moved.one("Location") in client.get("/").body.decode()
        assert client.get(moved.one("Location")).status == 200

    def test_x_accel_redirect(self) -> None:
        with running_odoo(x_sendfile=True) as odoo:
            client = Client(odoo.port)
            client.authenticate("demo")
            answer = client.get("/web/content/1112?unique=1")
            assert answer.body == b""
            assert answer.one("X-Accel-Redirect").startswith("/web/filestore/demo18/58/58981a60")

    def test_files_of_any_size_and_name(self, odoo: Odoo) -> None:
        answer = Client(odoo.port).get("/web/static/double/5000/%C3%A9t%C3%A9%20100%25.css")
        assert (answer.status, len(answer.body)) == (200, 5000)


class TestCalls:
    @pytest.mark.parametrize(
        "path",
        ["/web/dataset/call_kw/res.partner/search_read", "/web/dataset/call_kw", "/web/dataset/call_kw/foo/bar/baz"],
    )
    def test_the_body_decides(self, demo: Client, path: str) -> None:
        params = {
            "model": "res.users",
            "method": "search_read",
            "args": [[["login", "=", "demo"]], ["login"]],
            "kwargs": {},
        }
        assert demo.rpc(path, params)["result"] == [{"id": 6, "login": "demo"}]

    def test_a_path_without_a_body_is_nothing(self, demo: Client) -> None:
        assert demo.rpc("/web/dataset/call_kw/res.partner/read", {})["error"]["code"] == 404

    def test_errors_are_answers(self, demo: Client) -> None:
        private = demo.call("res.partner", "_write", [1], {})["error"]
        assert (private["code"], private["data"]["name"]) == (200, "odoo.exceptions.AccessError")
        assert demo.call("res.partner", "no_such")["error"]["code"] == 200
        assert demo.call("no.such", "read")["error"]["data"]["name"] == "builtins.KeyError"
        assert demo.rpc("/web/nowhere", {})["error"]["code"] == 404
        mistake = demo.call("res.partner", "write", [1], {"name": ""})["error"]
        assert mistake["data"]["name"] == "odoo.exceptions.UserError"

    def test_batches_are_refused(self, demo: Client) -> None:
        answer = demo.send("POST", "/web/dataset/call_kw", fields=[JSON], body=b'[{"jsonrpc": "2.0"}]')
        assert answer.status == 400

    def test_plain_text_is_no_call(self, demo: Client) -> None:
        answer = demo.send("POST", "/web/dataset/call_kw", fields=[("Content-Type", "text/plain")], body=b"{}")
        assert answer.status == 415

    def test_a_foreign_origin_is_nothing_to_odoo(self, demo: Client) -> None:
        params = call("res.partner", "search_count", [])
        assert "result" in demo.rpc("/web/dataset/call_kw", params, ("Origin", "https://evil.example"))

    @pytest.mark.parametrize("method", ["write", "web_save"])
    def test_writing(self, demo: Client, method: str) -> None:
        assert "result" in demo.call("res.partner", method, [12], {"name": f"By {method}"})
        assert demo.call("res.partner", "read", [12], ["name"])["result"] == [{"id": 12, "name": f"By {method}"}]

    def test_buttons_write_too(self, odoo: Odoo, demo: Client) -> None:
        params = call("sale.order", "action_confirm", [5])
        assert "result" in demo.rpc("/web/dataset/call_button/res.partner/read", params)
        assert next(each for each in odoo.records("sale.order") if each["id"] == 5)["state"] == "sale"

    def test_rights(self, odoo: Odoo, demo: Client) -> None:
        assert demo.call("res.users", "write", [2], {"name": "x"})["error"]["data"]["name"].endswith("AccessError")
        assert demo.call("ir.config_parameter", "search_read", [])["error"]["data"]["name"].endswith("AccessError")
        portal = Client(odoo.port)
        portal.authenticate("portal")
        assert portal.call("crm.lead", "search_read", [])["error"]["data"]["name"].endswith("AccessError")
        assert portal.get("/odoo").one("Location") == "/my"

    def test_domains(self, demo: Client) -> None:
        domain = ["|", ["id", "=", 3], "&", ["id", ">", 10], ["id", "<", 13]]
        assert demo.call("crm.lead", "search", domain)["result"] == [3, 11, 12]


def upload(client: Client, content: bytes, *, pause: float = 0.0) -> Raw:
    """A multipart upload, with a pause in its middle."""
    token = client.get("/odoo").body.decode().partition('csrf_token: "')[2].partition('"')[0]
    boundary = "----double"
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"csrf_token": token, "thread_id": "24", "thread_model": "res.partner"}.items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="ufile"; filename="a b.bin"\r\n'
    body = head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content
    body += f"\r\n--{boundary}--\r\n".encode()
    fields = [
        ("Cookie", f"session_id={client.session_id}"),
        ("Content-Type", f"multipart/form-data; boundary={boundary}"),
    ]
    sent = request("POST", "/mail/attachment/upload", fields=fields, body=body)
    with connect(client.port) as connection:
        try:
            connection.sendall(sent[: len(sent) // 2])
            if pause:
                time.sleep(pause)
            connection.sendall(sent[len(sent) // 2 :])
        except OSError:
            assert pause or len(content) > 128 * 1024 * 1024
        return read_answer(connection)


class TestUploads:
    def test_kept_byte_for_byte(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        client.authenticate("demo")
        content = bytes(range(256)) * 4000
        answer = upload(client, content)
        assert answer.status == 200
        id = answer.json["data"]["ir.attachment"][0]["id"]
        found = client.get(f"/web/content/{id}?download=true&unique=1")
        assert found.body == content
        assert found.one("Content-Disposition") == 'attachment; filename="a b.bin"'
        assert Client(odoo.port).get(f"/web/content/{id}").status == 404

    def test_100_mib_are_taken(self, fresh: Odoo) -> None:
        client = Client(fresh.port)
        client.authenticate("demo")
        assert upload(client, bytes(100 * 1024 * 1024)).status == 200

    def test_130_mib_are_too_much(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        client.authenticate("demo")
        sent = request(
            "POST", "/mail/attachment/upload", fields=[("Content-Length", str(130 * 1024 * 1024)), FORM]
        ).replace(b"Content-Length: 0\r\n", b"")
        assert ask(odoo.port, sent).status == 413

    def test_a_pause_is_a_client_that_left(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        client.authenticate("demo")
        answer = upload(client, b"x" * 100_000, pause=3.0)
        assert (answer.status, b"ClientDisconnected" in answer.body) == (400, True)

    def test_chunked_and_expect_work(self, odoo: Odoo) -> None:
        head = "POST /web/webclient/version_info HTTP/1.1\r\nHost: odoo.test\r\nContent-Type: application/json\r\n"
        with connect(odoo.port) as connection:
            connection.sendall((head + "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n").encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(b'5\r\n{"id"\r\n4\r\n: 1}\r\n0\r\n\r\n')
            assert read_answer(connection).json["result"]["server_serie"] == "18.0"


class TestLimits:
    def test_too_many_fields(self, odoo: Odoo) -> None:
        fields = [(f"X-{n}", "x") for n in range(120)]
        assert ask(odoo.port, request("GET", "/", fields=fields)).status == 431

    def test_too_long_a_target(self, odoo: Odoo) -> None:
        assert ask(odoo.port, request("GET", "/" + "x" * 70_000)).status == 414


class TestOpenDoors:
    """What is exposed from outside."""

    @pytest.mark.parametrize(
        "target",
        ["/web/database/manager", "//web/database/manager", "/web/%64atabase/manager", "/web/database/manager/"],
    )
    def test_database_manager_in_its_spellings(self, odoo: Odoo, target: str) -> None:
        answer = ask(odoo.port, request("GET", target))
        assert (answer.status, b"demo18" in answer.body, b"/web/database/drop" in answer.body) == (200, True, True)

    @pytest.mark.parametrize(
        "target", ["/web/Database/manager", "/web/x/../database/manager", "/web/database/manager;x"]
    )
    def test_what_is_no_spelling_of_it(self, odoo: Odoo, target: str) -> None:
        assert ask(odoo.port, request("GET", target)).status == 404

    def test_behind_a_language(self, odoo: Odoo) -> None:
        answer = ask(odoo.port, request("GET", "/en/web/database/manager"))
        assert (answer.status, answer.one("Location")) == (303, "/web/database/manager")

    def test_listing_without_a_login(self, odoo: Odoo) -> None:
        assert Client(odoo.port).rpc("/web/database/list", {})["result"] == ["demo18"]
        call = {"service": "db", "method": "list", "args": []}
        assert Client(odoo.port).rpc("/jsonrpc", call)["result"] == ["demo18"]

    @pytest.mark.parametrize("path", ["/xmlrpc/2", "/xmlrpc"])
    def test_xmlrpc(self, odoo: Odoo, path: str) -> None:
        db = xmlrpc.client.ServerProxy(f"{odoo.url}{path}/db")
        common = xmlrpc.client.ServerProxy(f"{odoo.url}{path}/common")
        models = xmlrpc.client.ServerProxy(f"{odoo.url}{path}/object")
        assert db.list() == ["demo18"]
        dumped: Any = db.dump("admin", "demo18", "zip")
        assert len(dumped.data) > 100_000
        with pytest.raises(xmlrpc.client.Fault):
            db.dump("wrong", "demo18", "zip")
        assert common.authenticate("demo18", "demo", "demo", {}) == 6
        assert common.authenticate("demo18", "demo", "wrong", {}) is False
        assert models.execute_kw("demo18", 6, "demo", "res.users", "search", [[["login", "=", "demo"]]]) == [6]

    def test_without_listing_names_stay_hidden(self) -> None:
        with running_odoo(list_db=False) as odoo:
            client = Client(odoo.port)
            error = client.rpc("/web/database/list", {})["error"]
            assert error["data"]["name"] == "odoo.exceptions.AccessDenied"
            page = client.get("/web/database/manager")
            assert (page.status, b"demo18" in page.body) == (200, False)
            call = {"service": "db", "method": "db_exist", "args": ["demo18"]}
            assert client.rpc("/jsonrpc", call)["result"] is True

    def test_json_api_wants_a_session(self, odoo: Odoo) -> None:
        client = Client(odoo.port)
        assert client.get("/json/1/contacts").status == 401
        client.authenticate("demo")
        assert client.get("/json/1/contacts").json["length"] > 30

    def test_jsonrpc_needs_no_session(self, odoo: Odoo) -> None:
        args = ["demo18", 6, "demo", "res.users", "search", [[["login", "=", "demo"]]]]
        answer = Client(odoo.port).rpc("/jsonrpc", {"service": "object", "method": "execute_kw", "args": args})
        assert answer["result"] == [6]


class TestLogins:
    def test_session_info(self, odoo: Odoo) -> None:
        result = Client(odoo.port).authenticate("demo")["result"]
        assert (result["uid"], result["db"], result["is_admin"]) == (6, "demo18", False)
        assert result["web.base.url"] == odoo.base_url

    def test_wrong_password_and_wrong_database(self, fresh: Odoo) -> None:
        client = Client(fresh.port)
        denied = client.authenticate("demo", "wrong")["error"]
        assert (denied["code"], denied["data"]["name"]) == (200, "odoo.exceptions.AccessDenied")
        assert "port 5432" in client.authenticate("demo", db="nowhere")["error"]["data"]["message"]

    def test_five_failures_close_the_door_to_an_address(self) -> None:
        with running_odoo(workers=1) as odoo:
            behind = [("X-Forwarded-Host", "gw.example"), ("X-Forwarded-For", "192.0.2.7")]
            for _ in range(5):
                Client(odoo.port).authenticate("demo", "wrong", *behind)
            refused = Client(odoo.port).authenticate("demo", "demo", *behind)["error"]
            assert "Too many login failures" in refused["data"]["message"]
            assert "result" in Client(odoo.port).authenticate("demo")
            # Without X-Forwarded-Host everybody is the same address.
            for _ in range(5):
                Client(odoo.port).authenticate("demo", "wrong", ("X-Forwarded-For", "192.0.2.8"))
            assert "error" in Client(odoo.port).authenticate("demo", "demo", ("X-Forwarded-For", "192.0.2.9"))

    def test_only_a_system_user_moves_the_base_url(self, fresh: Odoo) -> None:
        start = fresh.base_url
        Client(fresh.port).authenticate("demo", "demo", *FORWARDED)
        assert fresh.base_url == start
        Client(fresh.port).authenticate("admin", "admin", *FORWARDED)
        assert fresh.base_url == "https://gw.example"
        assert b'canonical" href="https://gw.example/"' in Client(fresh.port).get("/").body
        form_login(Client(fresh.port, "evil.example"), "admin")
        assert fresh.base_url == "http://evil.example"
        common = xmlrpc.client.ServerProxy(f"{fresh.url}/xmlrpc/2/common")
        common.authenticate("demo18", "admin", "admin", {"base_location": "http://anything.example"})
        assert fresh.base_url == "http://anything.example"

    def test_frozen(self) -> None:
        with running_odoo(freeze_base_url=True, base_url="https://erp.example") as odoo:
            Client(odoo.port).authenticate("admin", "admin", *FORWARDED)
            assert odoo.base_url == "https://erp.example"

    def test_reports_call_back(self, fresh: Odoo) -> None:
        client = Client(fresh.port, f"127.0.0.1:{fresh.port}")
        client.authenticate("admin")
        fresh.forget()
        assert client.get("/report/pdf/sale.report_saleorder/1").body.startswith(b"%PDF")
        fetched = [each["target"] for each in fresh.requests() if "/report/" not in each["target"]]
        assert (sum(".css" in each for each in fetched), sum("woff" in each for each in fetched)) == (2, 4)


class TestDatabases:
    def test_by_host(self) -> None:
        with running_odoo(databases="alpha,beta", dbfilter="^%d$") as odoo:

            def names(host: str, *fields: tuple[str, str]) -> Any:
                return Client(odoo.port, host).rpc("/web/database/list", {}, *fields)["result"]

            assert names("alpha.example.com") == ["alpha"]
            assert names("www.alpha.example.com:8069") == ["alpha"]
            assert names("gamma.example.com") == []
            assert names("gamma.example.com", ("X-Forwarded-Host", "beta.example.com")) == ["beta"]
            assert names("gamma.example.com", ("X-Odoo-Database", "alpha")) == []
            client = Client(odoo.port, "alpha.example.com")
            client.authenticate("demo", db="alpha")
            away = Client(odoo.port, "gamma.example.com")
            away.session_id = client.session_id
            assert away.call("res.partner", "search_count", [])["error"]["code"] == 404
            assert client.call("res.partner", "search_count", [])["result"] > 30

    def test_one_must_be_chosen(self) -> None:
        with running_odoo(databases="alpha,beta") as odoo:
            client = Client(odoo.port)
            assert client.get("/").one("Location") == "/odoo"
            assert client.get("/odoo").one("Location") == "/web/database/selector"
            assert client.get("/websocket/health").status == 404
            assert client.get("/web/assets/c5b12ed/web.assets_web.min.css").status == 404
            assert client.get("/web/static/img/odoo_logo_tiny.png").status == 200
            assert client.get("/odoo?db=alpha").status == 302
            assert client.get("/odoo").one("Location").startswith("/web/login")
            assert client.get("/websocket/health").status == 200
            assert Client(odoo.port).authenticate("demo", db="beta")["result"]["db"] == "beta"


class TestLoad:
    """Two workers, each of which serves one connection at a time."""

    def test_idle_connections_hold_workers(self, odoo: Odoo) -> None:
        started = time.monotonic()
        silent = [connect(odoo.port) for _ in range(4)]
        try:
            assert ask(odoo.port, request("GET", "/web/health")).status == 200
            # Two rounds of two workers that wait two seconds each.
            assert time.monotonic() - started > 3.0
        finally:
            for each in silent:
                each.close()

    def test_slow_requests_hold_workers(self, fresh: Odoo) -> None:
        fresh.trouble("/contactus", held=True)
        waiting = [
            threading.Thread(target=ask, args=(fresh.port, request("GET", "/contactus")), daemon=True) for _ in range(2)
        ]
        for each in waiting:
            each.start()
        until(lambda: len(fresh.requests("/contactus")) == 2)
        with connect(fresh.port) as third:
            third.sendall(request("GET", "/web/health"))
            third.settimeout(0.5)
            with pytest.raises(TimeoutError):
                third.recv(1)
            assert not fresh.requests("/web/health")
            fresh.release()
            third.settimeout(20)
            assert read_answer(third).status == 200
        for each in waiting:
            each.join(20)

    def test_a_slow_reader_holds_a_worker(self) -> None:
        with running_odoo(workers=1) as odoo, socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", odoo.port))
            started = time.monotonic()
            slow.sendall(request("GET", "/web/static/double/30000000/big.bin"))
            until(lambda: odoo.requests("/web/static/double/30000000/big.bin"))
            assert ask(odoo.port, request("GET", "/web/health")).status == 200
            assert time.monotonic() - started > 1.0

    def test_nobody_answers_while_it_is_down(self, fresh: Odoo) -> None:
        fresh.order("close")
        with pytest.raises(OSError, match="refused"):
            connect(fresh.port)
        fresh.order("open")
        assert ask(fresh.port, request("GET", "/web/health")).status == 200

    def test_cut_in_the_middle(self, fresh: Odoo) -> None:
        fresh.trouble("/contactus", cut=True, times=1)
        answer = ask(fresh.port, request("GET", "/contactus"))
        assert len(answer.body) < int(answer.one("Content-Length"))
        assert len(ask(fresh.port, request("GET", "/contactus")).body) == 28_253

    def test_the_journal_tells_what_arrived(self, fresh: Odoo) -> None:
        ask(fresh.port, request("POST", "/web/nothing?a=1", fields=[("X-B", "1"), ("X-A", "2")], body=b"abc"))
        (seen,) = fresh.requests("/web/nothing")
        assert (seen["port"], seen["method"], seen["target"], seen["body"]) == (
            "http",
            "POST",
            "/web/nothing?a=1",
            "abc",
        )
        assert [each for each in seen["fields"] if each[0].startswith("X-")] == [["X-B", "1"], ["X-A", "2"]]
        assert seen["worker"] in {1, 2}


class TestThreadedMode:
    def test_shop_is_chunked(self, threaded: Odoo) -> None:
        answer = ask(threaded.port, request("GET", "/shop"))
        assert (answer.version, answer.one("Transfer-Encoding"), answer.ended) == ("HTTP/1.1", "chunked", True)
        assert len(answer.body) == 144_170

    def test_there_is_no_evented_port(self, threaded: Odoo) -> None:
        with pytest.raises(OSError, match="refused"):
            connect(threaded.gevent_port)


class TestEventedPort:
    def test_keeps_alive(self, odoo: Odoo) -> None:
        with connect(odoo.gevent_port) as connection:
            for target in ("/web/health", "/websocket/health"):
                connection.sendall(request("GET", target))
                answer = read_answer(connection)
                assert (answer.version, answer.status, answer.one("Cache-Control")) == ("HTTP/1.1", 200, "no-store")
                assert not answer.all("Connection")

    def test_pages_fail(self, odoo: Odoo) -> None:
        answer = ask(odoo.gevent_port, request("GET", "/web/login"))
        assert (answer.status, b"REQUEST_URI" in answer.body) == (500, True)
