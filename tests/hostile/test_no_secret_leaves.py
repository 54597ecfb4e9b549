"""One whole run in which much goes wrong, and in whose entire output no secret stands that was used in it."""

from __future__ import annotations

import asyncio
import base64
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest
from tests.dashboard.owner import nobody, signed_in
from tests.doubles.odoo.handle import running_odoo
from tests.gateway.raw_client import RawClient
from tests.hostile.secrets import forms_of, leaks
from tests.installation import Installation, installation
from tests.links.played_upstream import PlayedUpstream, played_upstream
from tests.odoo.visitor import NAVIGATION
from tests.ports import reserve_ports


class Run:
    """What is used in a run, and what comes out of it.

    `secrets` are by name; `shown` are what somebody was answered or told who did not ask for a secret.
    """

    def __init__(self, server: Installation) -> None:
        self.server = server
        self.secrets: dict[str, str] = {}
        self.shown: list[tuple[str, str]] = []

    def secret(self, name: str, value: str | None = None) -> str:
        """Use a secret: `value`, or one that looks different in every form."""
        chosen = value if value is not None else f"{name} ß/+?&=%\"'{os.urandom(6).hex()}"
        self.secrets[name] = chosen
        return chosen

    def word(self, name: str) -> str:
        """The same of characters that may stand anywhere."""
        return self.secret(name, f"{name.replace(' ', '-')}.{os.urandom(9).hex()}")

    def show(self, what: str, answer: httpx2.Response) -> httpx2.Response:
        """Note an answer; the cookies that it sets are the receiver's to hold."""
        fields = "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name.lower() != "set-cookie")
        self.shown.append((what, f"{answer.status_code}\n{fields}\n{answer.text}"))
        return answer

    async def command(self, *arguments: str, **variables: str) -> str:
        """Run a command that may fail, and note what it prints; returns that."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "guestpass", *arguments),
            env=self.server.environ | variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        self.shown.append((f"guestpass {' '.join(arguments[:2])}", out.decode()))
        return out.decode()

    def found(self) -> list[str]:
        """Every secret that stands where it must not."""
        everything = self.secrets.items()
        found = [f"log: {each}" for each in leaks(self.server.log, everything)]
        for what, text in self.shown:
            found += [f"{what}: {each}" for each in leaks(text, everything)]
        return found


@asynccontextmanager
async def broken_upstream(answer: bytes) -> AsyncIterator[str]:
    """The URL of something that says this to every request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def token_of(link: dict[str, Any]) -> str:
    return urlsplit(str(link["url"])).path.rpartition("/")[2]


async def visit(run: Run, upstream: PlayedUpstream) -> None:
    """Visitors of links to an environment that works, to one that is gone, and to one that talks nonsense."""
    server = run.server
    cookie, set_by_it = run.word("visitor's cookie"), run.word("upstream's cookie")
    upstream.fields = [f"Set-Cookie: login={set_by_it}; HttpOnly; Path=/"]
    nonsense = b"HTTP/1.1 200 OK\r\nSet-Cookie : login=%b\r\nContent-Length: 2\r\n\r\nok"
    said = run.word("upstream's nonsense")
    async with broken_upstream(nonsense % said.encode()) as broken:
        urls = {"fine": upstream.url, "gone": f"http://127.0.0.1:{reserve_ports(1)[0]}", "broken": broken}
        for name, url in urls.items():
            await server.add_environment(id=name, name=name, url=url, kind="web")
            link = await server.create_link(name)
            run.secret(f"token of {name}", token_of(link))
            basic = run.word(f"basic {name}")
            fields = {
                **NAVIGATION,
                "Authorization": "Basic " + base64.b64encode(b"anna:" + basic.encode()).decode(),
                "X-Api-Key": run.word(f"key {name}"),
                "Referer": f"http://elsewhere.example/?code={run.word(f'referred {name}')}",
            }
            async with httpx2.AsyncClient(base_url=server.public_url, headers=fields, timeout=60) as web:
                opened = await web.get(link["url"], params={"code": quote(run.word(f"first query {name}"))})
                assert opened.status_code == 303
                run.secret(f"pass of {name}", web.cookies["guestpass"])
                web.cookies.set("own", cookie)
                for method in ("GET", "POST", "DELETE"):
                    asked = await web.request(
                        method,
                        "/page",
                        params={"access_token": run.secret(f"query {method} {name}")},
                        headers={"Origin": server.public_url},
                    )
                    assert asked.status_code == (200 if name == "fine" else 502)
                    run.shown.append((f"{method} at {name}", asked.text))
                # Refusals: another origin's, one that is no WebSocket, one of a foreign host.
                for wrong in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
                    run.show(
                        "refused", await web.post("/act", headers=wrong, content=run.word(f"body {len(run.secrets)}"))
                    )
                if name == "fine":
                    await server.deactivate(name, link["id"])
                    run.show("ended", await web.get("/page", params={"code": run.word("late query")}))
                    run.show("ended", await web.get(link["url"].replace("/share/", "/api/share/")))
    await spoil_heads(run)


async def spoil_heads(run: Run) -> None:
    """Requests that can't be read, each with a secret in it."""
    host = f"127.0.0.1:{run.server.public_port}"
    for number, head in enumerate(
        (
            "GET /?code={} HTTP/9.9\r\nHost: {host}\r\n\r\n",
            "GET /?code={} HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: {host}\r\nCookie : {}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: {host}\r\nX: {}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: {}\r\n\r\n",
            "POST /?code={} HTTP/1.1\r\nHost: {host}\r\nExpect: {}\r\nContent-Length: 1\r\n\r\nx",
            "{} / HTTP/1.1\r\nHost: {host}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: {}.example\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: {host}\r\nX: {}" + "x" * 100_000 + "\r\n\r\n",
        )
    ):
        secret = run.word(f"head {number}")
        client = await RawClient.connect(run.server.public_port)
        client.send(head.replace("{host}", host).replace("{}", secret).encode())
        answer = await client.answer()
        assert answer.status >= 400, answer
        run.shown.append((f"head {number}", repr(answer)))
        await client.close()


async def guess(run: Run) -> None:
    """Passwords, right and wrong, by browsers and by programs."""
    server, password = run.server, run.secret("password")
    link = await server.create_link("fine", password=password)
    run.secret("token with a password", token_of(link))
    async with httpx2.AsyncClient(headers=NAVIGATION | {"Origin": server.public_url}, timeout=60) as web:
        for number in range(3):
            wrong = {"password": run.secret(f"wrong password {number}")}
            page = await web.post(f"{link['url']}/login", data=wrong)
            assert page.status_code == 401
            # The form leads to the link's own address, which is all that the page may hold.
            run.shown.append(("wrong password", page.text.replace(token_of(link), "")))
            problem = await web.post(f"{link['url']}/login", json=wrong, headers={"Sec-Fetch-Mode": "cors"})
            run.show("wrong password", problem)
        junk = run.secret("password in junk")
        for body in (f'{{"password": "{junk}"', f'{{"passwort": "{junk}"}}', f'["{junk}"]'):
            headers = {"Content-Type": "application/json", "Sec-Fetch-Mode": "cors"}
            run.show("junk", await web.post(f"{link['url']}/login", content=body.encode(), headers=headers))
        entered = await web.post(f"{link['url']}/login", data={"password": password})
        assert entered.status_code == 303
        run.secret("pass after a password", web.cookies["guestpass"])
        unknown = run.secret("unknown token", token_of(link)[:-4] + "AAAA")
        run.show("unknown", await web.get(f"{server.public_url}/share/{unknown}", headers={"Sec-Fetch-Mode": "cors"}))


async def manage(run: Run) -> None:
    """Owners: bearers that count and that don't, and mistakes with something secret in them."""
    server = run.server
    run.secret("bearer", server.client.headers["Authorization"].removeprefix("Bearer "))
    revoked = run.secret("revoked bearer", (await server.command("token", "--sub", "eva")).strip())
    await run.command("token", "revoke", revoked)
    forged = run.secret("forged bearer", revoked[:-6] + "AAAAAA")
    for bearer in (revoked, forged, run.word("no bearer at all")):
        async with httpx2.AsyncClient(base_url=server.admin_url, timeout=60) as stranger:
            for form in (f"Bearer {bearer}", f"Basic {bearer}", bearer):
                refused = await stranger.get("/api/environments", headers={"Authorization": form})
                assert refused.status_code == 401
                run.show("refused bearer", refused)
    await run.command("env", "list", GUESTPASS_URL=server.admin_url, GUESTPASS_TOKEN=revoked)
    at = "/api/environments/fine/share"
    password = run.secret("password in a mistake")
    for body in (
        {"password": password, "expiresIn": "never"},
        {"password": password * 200},
        {"passwort": password},
        {"label": ["x"], "password": {"is": password}},
        {"signInAs": {"login": "demo", "password": password, "more": 1}},
    ):
        refused = await server.client.post(at, json=body)
        assert refused.status_code == 422, refused.text
        run.show("mistake", refused)
    run.show("junk", await server.client.post(at, content=f'{{"password": "{password}'.encode()))
    login = run.word("login in a URL")
    for body in ({"url": f"http://anna:{login}@127.0.0.1/"}, {"url": "http://x", "websocketUrl": f"ws://a:{login}@x"}):
        refused = await server.client.post("/api/environments", json={"name": "x", "kind": "web", **body})
        assert refused.status_code == 422
        run.show("a URL with a login", refused)
    run.show("query", await server.client.get("/api/share-links", params={"cursor": run.word("cursor")}))
    run.show("nothing", await server.client.get("/api/nothing", params={"token": run.word("query of the API")}))


async def sign_in_at_odoo(run: Run) -> None:
    """Accounts of an Odoo: one that it accepts, one that it refuses, and sessions that nobody holds but we."""
    server = run.server
    with running_odoo() as odoo:
        await server.add_environment(
            id="odoo", name="Odoo", url=odoo.url, websocketUrl=odoo.websocket_url, kind="odoo", database="demo18"
        )
        password = run.secret("Odoo's password")
        odoo.set_password("demo", password)
        made = await server.client.post("/api/environments/odoo/accounts", json={"login": "demo", "password": password})
        assert made.status_code in (200, 201), made.text
        run.show("account", made)
        refused = run.secret("password that Odoo refuses")
        run.show(
            "refused account",
            await server.client.post(
                "/api/environments/odoo/accounts", json={"name": "other", "login": "demo", "password": refused}
            ),
        )
        link = await server.create_link("odoo", signInAs=made.json()["name"])
        run.secret("token to Odoo", token_of(link))
        async with httpx2.AsyncClient(base_url=server.public_url, headers=NAVIGATION, timeout=60) as web:
            assert (await web.get(link["url"])).status_code == 303
            run.secret("pass to Odoo", web.cookies["guestpass"])
            assert (await web.get("/odoo")).status_code == 200
            for number, each in enumerate(odoo.sessions("demo")):
                run.secret(f"Odoo's session {number}", each["sid"])
            odoo.set_password("demo", run.word("Odoo's next password"))
            odoo.expire_sessions("demo")
            run.show("refused at Odoo", await web.get("/odoo"))
    # Odoo is gone, and its sessions can't be ended there.
    run.shown.append(("removed", (await server.client.delete("/api/environments/odoo")).text))


async def look_around(run: Run) -> None:
    """The dashboard: signed in and out, with forms that are refused."""
    server = run.server
    async with signed_in(server, "--sub", "anna") as owner:
        run.secret("dashboard session", next(iter(owner.web.cookies.jar)).value or "")
        run.secret("form token", await owner.form_token())
        link = await server.create_link("fine", password=run.secret("password of a preview"))
        run.secret("token of a preview", token_of(link))
        preview = await owner.get(f"/environments/fine/links/{link['id']}/preview")
        [ticket] = parse_qs(urlsplit(preview.headers["location"]).query)["preview"]
        run.secret("preview ticket", ticket)
        async with httpx2.AsyncClient(headers=NAVIGATION, timeout=60) as web:
            assert (await web.get(preview.headers["location"])).headers["location"] == "/"
            await web.get(preview.headers["location"])
        stale = {"csrf": run.word("stale form token"), "password": run.secret("password in a stale form")}
        refused = await owner.web.post("/environments/fine/share", data=stale)
        assert refused.status_code == 403
        # Each page of a session holds that session's own form token.
        run.shown.append(("stale form", refused.text.replace(run.secrets["form token"], "")))
    async with nobody(server) as stranger:
        for name in ("first", "second"):
            refused = await stranger.web.post("/sign-in", data={"token": run.word(f"{name} wrong bearer")})
            assert refused.status_code == 422
            run.show("sign-in", refused)
        invitation = (await server.command("open", "--print")).strip().rpartition("/")[2]
        run.secret("invitation", invitation)
        for status in (303, 410):
            answer = await stranger.web.post(f"/open/{invitation}", data={})
            assert answer.status_code in (status, 403, 404, 422), answer.status_code
            run.show("invitation", answer)


async def ask_the_command_line(run: Run) -> None:
    """Commands that tell much, and none that is asked for a secret."""
    for arguments in (
        ("settings",),
        ("sessions", "list", "--json"),
        ("doctor", "--json"),
        ("share", "create", "fine", f"--password={run.secret('password of a wrong command')}", "--expires", "never"),
        ("nothing", run.word("argument")),
    ):
        said = await run.command(*arguments)
        if arguments[0] in {"share", "nothing"}:
            # What is wrong is what was typed at this very terminal.
            run.shown.pop()
            assert said


async def lose_the_database(run: Run) -> None:
    """The table of links is gone while visitors and owners ask: each answer is an error, and each has a cause."""
    server = run.server
    path = Path(server.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db"
    link = await server.create_link("fine", password="correct horse battery")
    token = run.secret("token without a database", token_of(link))
    with sqlite3.connect(path, timeout=30) as database:
        database.execute("PRAGMA legacy_alter_table = ON")
        database.execute("ALTER TABLE links RENAME TO lost")
    database.close()
    async with httpx2.AsyncClient(headers=NAVIGATION | {"Origin": server.public_url}, timeout=60) as web:
        web.cookies.set("guestpass", run.secrets["pass to Odoo"])
        for path_and_query in (f"/share/{token}?code={run.word('query without a database')}", "/page"):
            failed = await web.get(f"{server.public_url}{path_and_query}")
            run.shown.append(("no database", failed.text.replace(token, "")))
        failed = await web.post(
            f"{server.public_url}/share/{token}/login", data={"password": run.secret("password without a database")}
        )
        assert failed.status_code >= 500
        run.shown.append(("no database", failed.text.replace(token, "")))
    failed = await server.client.post(
        "/api/environments/fine/share", json={"password": run.secret("new password without a database")}
    )
    assert failed.status_code >= 500
    run.show("no database", failed)


def keep_keys(run: Run) -> None:
    """The keys of the installation itself."""
    for path in Path(run.server.environ["GUESTPASS_DATA_DIR"]).iterdir():
        if path.is_file() and path.suffix not in {".db", ".db-wal", ".db-shm"} and path.stat().st_size < 1000:
            text = path.read_text().strip()
            if len(text) >= 16:
                run.secret(f"file {path.name}", text)


async def test_no_secret_stands_in_what_a_whole_run_puts_out() -> None:
    async with installation(workers=2) as server, played_upstream() as upstream:
        run = Run(server)
        keep_keys(run)
        assert len(run.secrets) >= 2, "the keys were not found"
        await visit(run, upstream)
        await guess(run)
        await manage(run)
        await sign_in_at_odoo(run)
        await look_around(run)
        await ask_the_command_line(run)
        await lose_the_database(run)
        await server.stop()
        # What was tried is in the log, so that there was something to find it in.
        for said in ("upstream_unreachable", "upstream_broken", "account_refused", "no such table", "requestId"):
            assert said in server.log or any(said in text for _, text in run.shown), said
        assert len(run.secrets) > 60
        assert run.found() == []


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_a_secret_is_found_in_each_form(before: str) -> None:
    secret = "pass ß/+?&=%\"'word-0123456789abcdef"
    encoded = base64.b64encode(f"{before}{secret}".encode()).decode()
    assert leaks(f"Authorization: Basic {encoded}", [("it", secret)])
    for form, value in forms_of(secret):
        assert leaks(f"{before} {value} and more", [("it", secret)]), form
    assert leaks("Authorization: Basic bm90IGl0LCBhbmQgbm8gcGFydCBvZiBpdA==", [("it", secret)]) == []
