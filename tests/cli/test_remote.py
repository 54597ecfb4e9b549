"""The same commands on a server somewhere else, over its API with a bearer token."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Guestpass
from tests.cli.in_process import Elsewhere
from tests.cli.played_server import Played, certificate, data, playing, problem
from tests.cli.server import Server

HTML: Played = (200, {"Content-Type": "text/html"}, b"<title>A router</title>")


def label() -> str:
    """A label that no other test uses."""
    return f"Label {uuid.uuid4().hex}"


def made(elsewhere: Elsewhere, *options: str) -> dict[str, Any]:
    link: dict[str, Any] = elsewhere.succeed("share", "create", "harbour", "--json", *options).json
    return link


def test_a_link_lives_its_life_from_elsewhere(elsewhere: Elsewhere, server: Server) -> None:
    name = label()
    result = elsewhere.succeed("share", "create", "harb", "--label", name, "--expires", "1 day", "--start", "/a?b=c#d")
    assert result.out.startswith(f"{server.public_url}/share/gp_")
    link = elsewhere.succeed("share", "show", name, "--json").json
    assert (link["createdBy"], link["startPath"], link["url"]) == ("anna", "/a?b=c#d", result.out.strip())

    edited = elsewhere.succeed(
        "share", "edit", link["id"], "--note", "Two\nlines", "--max-visitors", "3", "--allow-ip", "10.0.0.0/8",
        "--allow-ip", "192.0.2.7", "--expires", "2 weeks", "--password", "--json",
    ).json  # fmt: skip
    assert (edited["note"], edited["maxVisitors"]) == ("Two\nlines", 3)
    assert (edited["allowedIPs"], edited["shareType"]) == (["10.0.0.0/8", "192.0.2.7"], "password")
    assert re.fullmatch(r"[a-z2-7-]{19}", edited["password"])
    cleared = elsewhere.succeed(
        "share", "edit", link["id"], "--note", "", "--start", "", "--clear", "max-visitors", "--clear", "allow-ip",
        "--clear", "password", "--json",
    ).json  # fmt: skip
    assert (cleared["note"], cleared["maxVisitors"], cleared["allowedIPs"]) == (None, None, [])
    assert (cleared["shareType"], cleared["startPath"], cleared["label"]) == ("token", None, name)

    longer = elsewhere.succeed("share", "extend", link["id"], "36h", "--json").json
    assert longer["expiresAt"] > cleared["expiresAt"]
    assert link["id"] in elsewhere.succeed("share", "pause", link["id"]).out
    assert elsewhere.succeed("share", "show", link["id"], "--json").json["status"] == "deactivated"
    assert "is paused" in elsewhere.succeed("share", "extend", link["id"], "1h").out
    assert elsewhere.succeed("share", "resume", link["id"], "--json").json["status"] == "active"
    rotated = elsewhere.succeed("share", "rotate", link["id"], "--yes").out.strip()
    assert rotated != link["url"]
    # The command beside the server sees the same.
    beside = server.beside.succeed("share", "show", link["id"], "--json").json
    assert beside["url"] == rotated

    told = elsewhere.succeed("share", "history", link["id"], "--json").json["events"]
    kinds = [event["kind"] for event in told]
    assert (kinds[0], kinds[-1]) == ("rotated", "created")
    assert {"changed", "deactivated", "activated"} <= set(kinds)
    assert {event["actor"] for event in told} == {"anna"}
    assert "gave it a new URL" in elsewhere.succeed("share", "history", link["id"]).out

    assert elsewhere.succeed("share", "remove", link["id"], "--yes", "--json").json == {"removed": [link["id"]]}
    assert link["id"] in elsewhere.refuse(1, "share", "show", link["id"])


def test_environments_from_elsewhere(elsewhere: Elsewhere) -> None:
    name = f"Mill {uuid.uuid4().hex}"
    added = elsewhere.succeed(
        "env", "add", name, "http://127.0.0.1:1", "--kind", "web", "--response-timeout", "2 minutes", "--json"
    )
    id = added.json["id"]
    assert added.json["responseTimeout"] == "120s"
    assert "unreachable" in added.err
    changed = elsewhere.succeed("env", "edit", name.lower(), "--maintenance", "Back at noon", "--json").json
    assert changed["maintenance"] == {"message": "Back at noon"}
    assert re.search(rf"{id}\s.*\smaintenance\s", elsewhere.succeed("env", "list").out)
    assert elsewhere.succeed("env", "edit", id, "--maintenance", "", "--json").json["maintenance"] is None
    assert elsewhere.succeed("env", "check", id, "--json").json["findings"][0]["code"] == "unreachable"
    assert elsewhere.succeed("env", "refused-calls", id, "--json").json == {"refusedCalls": [], "total": 0}
    assert elsewhere.succeed("account", "list", id, "--json").json == {"accounts": [], "total": 0}
    taken = elsewhere.refuse(1, "env", "add", "Other", "http://127.0.0.1:1", "--id", id)
    assert "choose another id" in taken
    # Every wrong option is named as it is typed here.
    wrong = elsewhere.refuse(2, "env", "add", "Other", "ftp://x", "--id", "UP", "--max-concurrent", "0")
    assert [line.split()[1] for line in wrong.splitlines()] == ["--id", "URL", "--max-concurrent"]
    assert "0 link(s)" in elsewhere.refuse(1, "env", "remove", id, stdin="n\n")
    elsewhere.succeed("env", "remove", id, stdin="y\n")
    assert id in elsewhere.refuse(1, "env", "show", id)


def test_the_command_itself_works_from_elsewhere(tmp_path: Path, variables: dict[str, str]) -> None:
    """Without a data directory, and in a process of its own."""
    command = Guestpass(tmp_path / "none", variables)
    assert "harbour" in [each["id"] for each in command.succeed("env", "list", "--json").json["environments"]]
    assert not (tmp_path / "none").exists()
    # What is done with the keys and the database has to be done beside them.
    for arguments in (("open", "--print"), ("sessions", "list"), ("token", "revoke", "0123")):
        assert "beside the server only" in command.refuse(2, *arguments)


def test_what_a_token_may_not_do_is_said(elsewhere: Elsewhere, server: Server) -> None:
    token = server.token("--scope", "shares:write")
    # Ids need no looking up, so that whoever may only share can.
    link = elsewhere.succeed("share", "create", "harbour", "--json", GUESTPASS_TOKEN=token).json
    assert link["environmentId"] == "harbour"
    assert "shares:read" in elsewhere.refuse(1, "share", "list", GUESTPASS_TOKEN=token)
    assert "environments:read" in elsewhere.refuse(1, "env", "list", GUESTPASS_TOKEN=token)
    reader = server.token("--scope", "shares:read")
    assert "shares:write" in elsewhere.refuse(1, "share", "pause", link["id"], GUESTPASS_TOKEN=reader)
    # It may not look at the environment, and says so rather than that all is well.
    assert "was not asked" in elsewhere.succeed("share", "why", link["id"], GUESTPASS_TOKEN=reader).out


def test_an_organisation_is_the_tokens(elsewhere: Elsewhere, server: Server) -> None:
    assert "GUESTPASS_URL" in elsewhere.refuse(2, "env", "list", "--org", "acme")
    acme = server.token("--org", "acme")
    assert elsewhere.succeed("env", "list", "--json", GUESTPASS_TOKEN=acme).json["total"] == 0


def test_the_public_address_will_do(elsewhere: Elsewhere, server: Server) -> None:
    assert elsewhere.succeed("env", "list", "--json", GUESTPASS_URL=f"{server.public_url}/").json["total"] >= 1


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("admin.example.com", 2, "must be http:// or https://"),
        ("https://admin.example.com/api", 2, "nothing behind"),
        ("http://[::1", 2, "must be http:// or https://"),
        ("http://[::1]8081", 2, "must be http:// or https://"),
        ("http://[v1.a]", 2, "must be http:// or https://"),
        ("http://ä..example.com", 2, "must be http:// or https://"),
        ("http://127.0.0.1:1", 3, "connection refused"),
        ("http://guestpass.invalid", 3, "has no address"),
    ],
)
def test_a_wrong_address_is_said(stranger: Elsewhere, url: str, status: int, words: str) -> None:
    text = stranger.refuse(status, "env", "list", GUESTPASS_URL=url, GUESTPASS_TOKEN="some.bearer.token")
    assert words in text
    assert "GUESTPASS_URL" in text
    assert "some.bearer.token" not in text


def test_a_wrong_token_is_said(elsewhere: Elsewhere) -> None:
    assert "GUESTPASS_TOKEN is needed" in elsewhere.refuse(2, "env", "list", GUESTPASS_TOKEN="")
    assert "no bearer token" in elsewhere.refuse(2, "env", "list", GUESTPASS_TOKEN="two words")
    text = elsewhere.refuse(2, "env", "list", GUESTPASS_TOKEN="some.bearer.token")
    assert "does not accept GUESTPASS_TOKEN" in text
    assert "some.bearer.token" not in text


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (HTML, 2, "does not answer as Guestpass does"),
        ((404, {"Content-Type": "text/html"}, b"Not here"), 2, "does not answer as Guestpass does"),
        ((301, {"Location": "https://admin.example.com/x"}, b""), 2, "leads on to https://admin.example.com;"),
        ((502, {"Content-Type": "text/html"}, b"Bad gateway"), 3, "is it up?"),
        (problem(421, "unknown_host"), 2, "goes by another name"),
        (problem(401, "pass_missing"), 2, "is for visitors only"),
        (problem(500, "internal_error", "Something went wrong."), 3, "r-1"),
        (problem(409, "in_use", "It is in use."), 1, "It is in use."),
    ],
)
def test_who_answers_wrongly_is_said(stranger: Elsewhere, answer: Played, status: int, words: str) -> None:
    with playing({}, answer) as url:
        text = stranger.refuse(status, "env", "list", GUESTPASS_URL=url, GUESTPASS_TOKEN="t")
    assert words in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("environments", "installation", "words"),
    [
        (data({"environments": [{"id": "x"}], "total": 1}), data({"version": "99.1"}), "of version 99.1"),
        (problem(404, "not_found", "There is nothing at this path."), data({"version": "99.1"}), "of version 99.1"),
        (data({"elements": []}), problem(404, "not_found"), "of an older version"),
    ],
)
def test_a_server_of_another_version_is_said(
    stranger: Elsewhere, environments: Played, installation: Played, words: str
) -> None:
    answers = {"/api/environments": environments, "/api/installation": installation}
    with playing(answers, HTML) as url:
        text = stranger.refuse(2, "env", "list", GUESTPASS_URL=url, GUESTPASS_TOKEN="t")
    assert words in text
    assert "use the same version" in text


def test_a_certificate_that_nobody_vouches_for_is_said(stranger: Elsewhere, tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)
    with playing({"/api/environments": data({"environments": [], "total": 0})}, HTML, tls=context) as url:
        variables = {"GUESTPASS_URL": url, "GUESTPASS_TOKEN": "t"}
        text = stranger.refuse(2, "env", "list", **variables)
        assert f"The certificate of {url} is not accepted: self-signed certificate" in text
        assert "SSL_CERT_FILE" in text
        listed = stranger.succeed("env", "list", "--json", SSL_CERT_FILE=str(authority), **variables)
        assert listed.json["total"] == 0
        plain = url.replace("https", "http")
        assert "is https://" in stranger.refuse(3, "env", "list", **(variables | {"GUESTPASS_URL": plain}))
    with playing({}, HTML) as url:
        secure = url.replace("http", "https")
        assert "does not speak TLS" in stranger.refuse(2, "env", "list", GUESTPASS_URL=secure, GUESTPASS_TOKEN="t")
