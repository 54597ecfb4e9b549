"""`guestpass doctor`: each thing that can be wrong is made wrong, and must be found with its remedy."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Guestpass, Result
from tests.cli.in_process import Elsewhere
from tests.cli.played_server import Played, certificate, data, playing, problem
from tests.cli.server import Server

HTML: Played = (200, {"Content-Type": "text/html"}, b"<title>A router</title>")


def checks(result: Result) -> dict[str, dict[str, Any]]:
    """The worst of each check by its name; the exit status must follow from all of them."""
    body = result.json
    assert result.status == (0 if body["ok"] else 1)
    assert body["ok"] is not any(each["result"] == "problem" for each in body["checks"])
    worst: dict[str, dict[str, Any]] = {}
    for each in body["checks"]:
        assert (each["remedy"] is None) is (each["result"] == "ok"), each
        rank = ["ok", "warning", "problem"].index(each["result"])
        if each["check"] not in worst or rank > ["ok", "warning", "problem"].index(worst[each["check"]]["result"]):
            worst[each["check"]] = each
    return worst


def test_a_server_that_is_well(server: Server) -> None:
    found = checks(server.beside.run("doctor", "--json"))
    environment = found.pop("environment harbour")
    assert (environment["result"], "Start it" in environment["remedy"]) == ("problem", True)
    for name in [name for name in found if name.startswith("environment ")]:
        del found[name]
    assert {name: each["result"] for name, each in found.items()} == dict.fromkeys(
        (
            "settings", "data directory", "keys", "database", "disk", "LISTEN", "ADMIN_LISTEN", "PUBLIC_URL", "clock",
            "ADMIN_URL", "proxies",
        ),
        "ok",
    )  # fmt: skip


def test_it_is_read_by_people(server: Server) -> None:
    result = server.beside.run("doctor")
    assert result.status == 1
    assert "ok       keys: " in result.out
    assert "problem  environment harbour: The environment can't be used" in result.out
    assert "\n         -> Start it" in result.out


def test_wrong_settings_are_told_all_at_once(bare: Guestpass) -> None:
    result = bare.run("doctor", "--json", GUESTPASS_LISTEN="8080", GUESTPASS_PUBLICURL="https://x.example.com")
    problems = [each for each in result.json["checks"] if each["result"] == "problem"]
    assert [each["check"] for each in problems] == ["settings", "settings"]
    assert {each["detail"].split()[0] for each in problems} == {"GUESTPASS_LISTEN", "GUESTPASS_PUBLICURL"}
    # No other command works either before they are corrected.
    assert not any("`guestpass" in each["remedy"] for each in problems)


def test_where_nothing_was_made_yet_that_is_said(bare: Guestpass) -> None:
    found = checks(bare.run("doctor", "--json"))
    assert "guestpass serve" in found["data directory"]["remedy"]
    for name in ("data directory", "keys", "database", "LISTEN"):
        assert found[name]["result"] == "problem"
    assert not bare.data_dir.exists()


def test_files_that_are_not_as_they_should_be(installed: Guestpass) -> None:
    installed.data_dir.chmod(0o750)
    (installed.data_dir / "guestpass.db").chmod(0o644)
    (installed.data_dir / "secret_key").chmod(0o640)
    result = installed.run("doctor", "--json")
    open_to_others = [each["remedy"] for each in result.json["checks"] if each["check"] == "data directory"]
    assert open_to_others == [
        f"chmod 700 {installed.data_dir}",
        f"chmod 600 {installed.data_dir / 'guestpass.db'}",
        f"chmod 600 {installed.data_dir / 'secret_key'}",
    ]
    assert checks(result)["keys"]["result"] == "problem"


def test_a_damaged_database_is_found(installed: Guestpass) -> None:
    file = installed.data_dir / "guestpass.db"
    content = bytearray(file.read_bytes())
    # The header and the schema stay; a page in the middle is no page of a database any more.
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    file.write_bytes(content)
    found = checks(installed.run("doctor", "--json"))
    assert found["database"]["result"] == "problem"
    assert "copy" in found["database"]["remedy"]


def test_a_key_of_another_database_is_found(installed: Guestpass) -> None:
    key = "an-example-key-that-is-long-enough-0123456789"
    found = checks(installed.run("doctor", "--json", GUESTPASS_SECRET_KEY=key))
    assert "SECRET_KEY is not the one" in found["keys"]["detail"]
    assert key not in str(found)


def test_something_else_at_the_addresses_is_found(installed: Guestpass) -> None:
    with playing({}, HTML) as url:
        host = url.removeprefix("http://")
        found = checks(
            installed.run("doctor", "--json", GUESTPASS_LISTEN=host, GUESTPASS_ADMIN_URL="http://guestpass.invalid")
        )
    assert "Something else" in found["LISTEN"]["detail"]
    assert "Something else answers" in found["PUBLIC_URL"]["detail"]
    assert "no address" in found["ADMIN_URL"]["detail"]
    assert found["ADMIN_LISTEN"]["remedy"] == "Start it: guestpass serve"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (problem(421, "unknown_host"), "another name"),
        (problem(401, "bearer_refused"), "another installation"),
        (data({"version": "99.1", "clientAddress": "192.0.2.7", "findings": []}), "version 99.1"),
    ],
)
def test_a_public_url_that_leads_elsewhere_is_found(installed: Guestpass, answer: Played, words: str) -> None:
    with playing({"/api/installation": answer}, HTML) as url:
        found = checks(installed.run("doctor", "--json", GUESTPASS_PUBLIC_URL=url))
    assert words in found["PUBLIC_URL"]["detail"]
    assert found["PUBLIC_URL"]["result"] != "ok"


def test_a_token_that_goes_to_a_stranger_is_worth_nothing(server: Server, installed: Guestpass) -> None:
    """Whoever sits at a wrong PUBLIC_URL gets a token that may do nothing, for a minute."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def listen() -> None:
            connection, _ = listener.accept()
            with connection:
                seen.append(connection.recv(65536).decode())

        thread = threading.Thread(target=listen)
        thread.start()
        server.beside.run("doctor", "--json", GUESTPASS_PUBLIC_URL=url)
        thread.join()
    token = next(line for line in seen[0].splitlines() if line.lower().startswith("authorization")).split()[-1]
    stranger = Guestpass(installed.data_dir, {"GUESTPASS_URL": server.admin_url, "GUESTPASS_TOKEN": token})
    assert "environments:read" in stranger.refuse(1, "env", "list")
    assert "shares:read" in stranger.refuse(1, "share", "list")


def test_a_link_domain_without_a_name_is_found(installed: Guestpass) -> None:
    found = checks(installed.run("doctor", "--json", GUESTPASS_LINK_DOMAIN="links.invalid"))
    assert "*.links.invalid" in found["LINK_DOMAIN"]["remedy"]
    local = checks(installed.run("doctor", "--json", GUESTPASS_LINK_DOMAIN="localhost"))
    assert local["LINK_DOMAIN"]["result"] == "ok"


def test_a_certificate_that_ends_soon_is_found(stranger: Elsewhere, tmp_path: Path) -> None:
    body = {"version": "99.1", "clientAddress": "127.0.0.1", "findings": []}
    answers = {"/api/installation": data(body), "/api/environments": data({"environments": [], "total": 0})}
    for days, result in ((5, "warning"), (90, "ok")):
        folder = tmp_path / str(days)
        folder.mkdir()
        context, authority = certificate(folder, days=days)
        with playing(answers, HTML, tls=context) as url:
            asked = {"GUESTPASS_URL": url, "GUESTPASS_TOKEN": "t"}
            found = checks(stranger.run("doctor", "--json", SSL_CERT_FILE=str(authority), **asked))
            assert found["certificate"]["result"] == result
            untrusted = checks(stranger.run("doctor", "--json", **asked))
            assert "certificate is not accepted" in untrusted["GUESTPASS_URL"]["detail"]


@pytest.mark.parametrize(("ahead", "result"), [(timedelta(), "ok"), (timedelta(minutes=3), "warning")])
def test_clocks_that_are_apart_are_found(stranger: Elsewhere, ahead: timedelta, result: str) -> None:
    body = {"version": "99.1", "clientAddress": "127.0.0.1", "findings": []}
    with playing({"/api/installation": data(body)}, HTML, ahead=ahead) as url:
        found = checks(stranger.run("doctor", "--json", GUESTPASS_URL=url, GUESTPASS_TOKEN="t"))
    assert found["clock"]["result"] == result


def test_what_the_server_knows_of_its_proxies_is_told_elsewhere_too(elsewhere: Elsewhere, stranger: Elsewhere) -> None:
    finding = {"code": "untrusted_proxy", "detail": "Requests come from 10.0.0.1.", "remedy": "Set TRUSTED_PROXIES."}
    body = {"version": "99.1", "clientAddress": "10.0.0.1", "findings": [finding]}
    with playing({"/api/installation": data(body)}, HTML) as url:
        found = checks(stranger.run("doctor", "--json", GUESTPASS_URL=url, GUESTPASS_TOKEN="t"))
    assert found["proxies"] | {"check": ""} == {
        "check": "", "result": "warning", "detail": finding["detail"], "remedy": finding["remedy"],
    }  # fmt: skip
    ours = checks(elsewhere.run("doctor", "--json"))
    assert (ours["GUESTPASS_URL"]["result"], ours["proxies"]["result"]) == ("ok", "ok")
    assert ours["environment harbour"]["result"] == "problem"


def test_an_environment_that_answers_is_well(elsewhere: Elsewhere) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        id = elsewhere.succeed("env", "add", f"Up {time.time_ns()}", url, "--kind", "web", "--json").json["id"]
        result = elsewhere.run("doctor", "--json")
        elsewhere.succeed("env", "remove", id, "--yes")
    details = [each["detail"] for each in result.json["checks"] if each["check"] == f"environment {id}"]
    assert not any("can't be used" in each for each in details)
