"""`guestpass env` and `guestpass share`, as an owner at a terminal uses them."""

from __future__ import annotations

import os
import pty
import pwd
import re
import socket
import subprocess
from datetime import datetime, timedelta

import pytest
from tests import preloaded
from tests.cli.command import COMMAND, Guestpass

# Nothing listens there, so that no command waits for an answer.
URL = "http://127.0.0.1:1"


@pytest.fixture
def staging(installed: Guestpass) -> Guestpass:
    """The command beside a database with one environment, `staging`."""
    installed.succeed("env", "add", "Staging", URL)
    return installed


def on_a_terminal(command: Guestpass, *arguments: str, **variables: str) -> str:
    """What a command writes to a terminal."""
    terminal, end = pty.openpty()
    environ = command.environ(**{"TERM": "xterm-256color", "COLUMNS": "80", **variables})
    try:
        assert preloaded.start(arguments, environ, end, end, end).wait(60) == 0
        return os.read(terminal, 65_536).decode()
    finally:
        os.close(end)
        os.close(terminal)


def test_an_environment_from_its_registration_to_its_end(installed: Guestpass) -> None:
    added = installed.succeed(
        "env", "add", "Müller Staging", "https://127.0.0.1:1", "--id", "muller", "--kind", "web",
        "--websocket-url", "https://127.0.0.1:2", "--description", "Ask Eva", "--insecure",
        "--body-limit", "1000", "--response-timeout", "90s", "--public-url", "https://odoo.example.com/",
        "--database", "live", "--allow-path", "/jsonrpc", "--allow-path", "/json/*", "--max-concurrent", "3",
        "--read-only-allow", "a/b", "--read-only-allow", "c.d/e", "--json",
    ).json  # fmt: skip
    created_at, checked_at = added.pop("createdAt"), added.pop("checkedAt")
    assert created_at <= checked_at
    [finding] = added.pop("findings")
    assert finding["code"] == "unreachable"
    assert datetime.fromisoformat(created_at).utcoffset() == timedelta(0)
    assert added == {
        "id": "muller",
        "name": "Müller Staging",
        "url": "https://127.0.0.1:1",
        "websocketUrl": "https://127.0.0.1:2",
        "kind": "web",
        "description": "Ask Eva",
        "tlsVerify": False,
        "bodyLimit": 1000,
        "responseTimeout": "90s",
        "maintenance": None,
        "createdBy": pwd.getpwuid(os.geteuid()).pw_name,
        "publicUrl": "https://odoo.example.com",
        "database": "live",
        "allowPaths": ["/jsonrpc", "/json"],
        "maxConcurrent": 3,
        "readOnlyAllow": ["a/b", "c.d/e"],
        "odooVersion": None,
    }
    shown = installed.succeed("env", "show", "muller", "--json").json
    assert shown == {**added, "createdAt": created_at, "checkedAt": checked_at, "findings": [finding]}
    assert installed.succeed("env", "list", "--json").json == {"environments": [shown], "total": 1, "nextCursor": None}
    table = installed.succeed("env", "list").out
    assert re.search(r"muller\s+Müller Staging\s+web\s+https://127\.0\.0\.1:1\b", table)
    facts = installed.succeed("env", "show", "muller").out
    assert "https://127.0.0.1:2" in facts
    assert "not checked" in facts
    installed.succeed("env", "remove", "muller", "--yes")
    assert "muller" in installed.refuse(1, "env", "show", "muller")
    assert "muller" in installed.refuse(1, "env", "remove", "muller", "--yes")
    assert installed.succeed("env", "list", "--json").json == {"environments": [], "total": 0, "nextCursor": None}


def test_what_is_found_is_said_at_once_and_when_asked_again(installed: Guestpass) -> None:
    added = installed.succeed("env", "add", "Staging", URL)
    assert "unreachable" in added.err
    assert "Start it, or correct url" in added.err
    assert "unreachable" not in added.out
    with socket.create_server(("127.0.0.1", 0)) as listener:
        web = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert "unreachable" not in installed.succeed("env", "add", "Web", web, "--kind", "web").err
        assert "unreachable" not in installed.succeed("env", "check", "web").err
    gone = installed.succeed("env", "check", "web")
    assert "environment web: 2 finding(s)" in gone.out
    assert "unreachable" in gone.err
    checked = installed.succeed("env", "check", "web", "--json").json
    assert [each["code"] for each in checked["findings"]] == ["unreachable", "shared_origin"]
    assert checked == installed.succeed("env", "show", "web", "--json").json
    assert re.search(r"finding unreachable +The environment can't be used", installed.succeed("env", "show", "web").out)
    assert "absent" in installed.refuse(1, "env", "check", "absent")


def test_the_list_says_which_environments_visitors_get_to(installed: Guestpass) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name, url in (("Here", here), ("Off", URL), ("Metadata", "http://169.254.169.254")):
            installed.succeed("env", "add", name, url, "--kind", "web")
        installed.succeed("env", "add", "Shut", here, "--kind", "web")
        installed.succeed("env", "edit", "shut", "--maintenance", "Back at noon")
    states = {line.split()[0]: line.split()[-1] for line in installed.succeed("env", "list").out.splitlines()[1:]}
    assert states == {"here": "up", "off": "unreachable", "metadata": "unreachable", "shut": "maintenance"}


def test_an_id_follows_from_the_name_and_is_not_taken_twice(staging: Guestpass) -> None:
    assert staging.succeed("env", "list", "--json").json["environments"][0]["id"] == "staging"
    text = staging.refuse(1, "env", "add", "Other", URL, "--id", "staging")
    assert "already" in text
    assert "choose another id" in text


def test_a_second_environment_without_link_domain_is_warned_about(installed: Guestpass) -> None:
    assert "LINK_DOMAIN" not in installed.succeed("env", "add", "One", URL).err
    assert "LINK_DOMAIN" in installed.succeed("env", "add", "Two", URL).err
    apart = installed.succeed("env", "add", "Three", URL, GUESTPASS_LINK_DOMAIN="links.example.com")
    assert "LINK_DOMAIN" not in apart.err


def test_every_wrong_option_is_named(staging: Guestpass) -> None:
    text = staging.refuse(
        2, "env", "add", "X", "10.0.0.5:8069", "--id", "UP", "--response-timeout", "0s", "--public-url", "odoo",
        "--database", " ", "--allow-path", "/web/database", "--max-concurrent", "0", "--read-only-allow", "a/_b",
    )  # fmt: skip
    assert [line.split()[1] for line in text.splitlines()] == [
        "--id", "URL", "--response-timeout", "--public-url", "--database", "--allow-path", "--max-concurrent",
        "--read-only-allow",
    ]  # fmt: skip
    text = staging.refuse(2, "share", "create", "staging", "--expires", "9000h", "--label", "x" * 201)
    assert sorted(line.split()[1] for line in text.splitlines()) == ["--expires", "--label"]
    assert "--expires" in staging.refuse(2, "share", "create", "staging", "--expires", "tomorrow")
    assert "--type" in staging.refuse(2, "share", "create", "staging", "--type", "token", "--password", "long enough")
    assert "8 to 1024 bytes" in staging.refuse(2, "share", "create", "staging", "--password", "short")


def test_an_environment_is_changed_where_something_is_given(staging: Guestpass) -> None:
    before = staging.succeed("env", "show", "staging", "--json").json
    changed = staging.succeed(
        "env", "edit", "staging", "--name", "Acceptance", "--maintenance", "Back at noon", "--database", "live",
        "--allow-path", "/jsonrpc", "--read-only-allow", "a/b", "--max-concurrent", "2", "--insecure", "--json",
    ).json  # fmt: skip
    assert changed == before | {
        "name": "Acceptance",
        "maintenance": {"message": "Back at noon"},
        "database": "live",
        "allowPaths": ["/jsonrpc"],
        "readOnlyAllow": ["a/b"],
        "maxConcurrent": 2,
        "tlsVerify": False,
        "checkedAt": changed["checkedAt"],
    }
    assert staging.succeed("env", "show", "staging", "--json").json == changed
    assert "a/b" in staging.succeed("env", "show", "staging").out
    staging.succeed(
        "env", "edit", "staging", "--name", "Staging", "--maintenance", "", "--database", "", "--allow-path", "",
        "--read-only-allow", "", "--max-concurrent", "8", "--tls-verify",
    )  # fmt: skip
    after = staging.succeed("env", "show", "staging", "--json").json
    assert after == before | {"checkedAt": after["checkedAt"]}
    # What is known of it is said where it was looked at anew, and not with every change.
    assert staging.succeed("env", "edit", "staging", "--maintenance", "").err == ""
    assert "unreachable" in staging.succeed("env", "edit", "staging", "--url", "http://127.0.0.1:3").err
    assert "--name" not in staging.refuse(2, "env", "edit", "staging", "--url", "odoo", "--kind", "odoo")
    assert "absent" in staging.refuse(1, "env", "edit", "absent")


def test_organisations_do_not_see_each_other(staging: Guestpass) -> None:
    assert staging.succeed("env", "list", "--org", "acme", "--json").json["total"] == 0
    assert "staging" in staging.refuse(1, "share", "create", "staging", "--org", "acme")
    staging.succeed("env", "add", "Staging", "http://127.0.0.1:3", "--org", "acme")
    assert staging.succeed("env", "show", "staging", "--org", "acme", "--json").json["url"] == "http://127.0.0.1:3"
    assert staging.succeed("env", "show", "staging", "--json").json["url"] == URL


def test_a_link_from_its_making_to_its_end(staging: Guestpass) -> None:
    made = staging.succeed("share", "create", "staging", "--expires", "1h30m", "--label", "For Ada", "--json").json
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/share/gp_[0-9A-Za-z]{49}", made["url"])
    assert (made["shareType"], made["status"], made["label"]) == ("token", "active", "For Ada")
    lifetime = datetime.fromisoformat(made["expiresAt"]) - datetime.fromisoformat(made["createdAt"])
    assert lifetime == timedelta(hours=1, minutes=30)
    assert staging.succeed("share", "show", made["id"], "--json").json == made
    assert made["url"] in staging.succeed("share", "show", made["id"]).out
    other = staging.succeed("share", "create", "staging", "--json").json
    listed = staging.succeed("share", "list", "staging", "--json").json
    assert ([link["id"] for link in listed["shareLinks"]], listed["total"]) == ([other["id"], made["id"]], 2)

    staging.succeed("share", "deactivate", made["id"])
    staging.succeed("share", "deactivate", made["id"])
    off = staging.succeed("share", "list", "staging", "--status", "deactivated", "--json").json["shareLinks"]
    assert [(link["id"], link["status"]) for link in off] == [(made["id"], "deactivated")]
    table = staging.succeed("share", "list", "staging").out
    assert re.search(rf"{made['id']}\s+For Ada\s+paused\s+token\s+0", table)

    staging.succeed("share", "remove", made["id"], "--yes")
    assert made["id"] in staging.refuse(1, "share", "remove", made["id"], "--yes")
    assert made["id"] in staging.refuse(1, "share", "show", made["id"])
    assert made["id"] in staging.refuse(1, "share", "deactivate", made["id"])


def test_a_url_is_alone_on_standard_output(staging: Guestpass) -> None:
    result = staging.succeed("share", "create", "staging")
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/share/gp_[0-9A-Za-z]{49}\n", result.out)
    assert "works until" in result.err


def test_who_shares_what_is_closed_is_told(staging: Guestpass) -> None:
    # Nothing answers at its address.
    assert "unreachable" in staging.succeed("share", "create", "staging").err
    staging.succeed("env", "edit", "staging", "--maintenance", "Back at noon")
    assert "End the maintenance before the link is opened." in staging.succeed("share", "create", "staging").err


def test_a_password_is_given_read_or_made(staging: Guestpass) -> None:
    given = staging.succeed("share", "create", "staging", "--password", "correct horse", "--json")
    assert given.json["shareType"] == "password"
    assert "correct horse" not in given.out + given.err
    read = staging.succeed("share", "create", "staging", "--password", "-", "--json", stdin="correct horse\n")
    assert read.json["shareType"] == "password"
    assert "8 to 1024" in staging.refuse(2, "share", "create", "staging", "--password", "-", stdin="short\n")
    made = [staging.succeed("share", "create", "staging", "--type", "password").out for _ in range(2)]
    passwords = [re.search(r"^Password: ([a-z2-7-]{19})$", out, re.MULTILINE) for out in made]
    assert passwords[0] is not None
    assert passwords[1] is not None
    assert passwords[0][1] != passwords[1][1]


def test_removing_asks_first(staging: Guestpass) -> None:
    link = staging.succeed("share", "create", "staging", "--json").json["id"]
    assert "--yes" in staging.refuse(1, "share", "remove", link)
    assert "Nothing was changed" in staging.refuse(1, "share", "remove", link, stdin="n\n")
    assert "1 link" in staging.refuse(1, "env", "remove", "staging", stdin="n\n")
    staging.succeed("share", "show", link)
    staging.succeed("share", "remove", link, stdin="y\n")
    staging.succeed("env", "remove", "staging", stdin="y\n")
    assert staging.succeed("env", "list", "--json").json["total"] == 0


def test_colour_is_for_terminals_that_want_it(staging: Guestpass) -> None:
    assert "\x1b[" in on_a_terminal(staging, "env", "show", "staging")
    assert "\x1b[3" not in on_a_terminal(staging, "env", "show", "staging", NO_COLOR="1")
    assert "\x1b" not in staging.succeed("env", "show", "staging").out


def test_nothing_is_cut_off_on_a_narrow_terminal(staging: Guestpass) -> None:
    label = "A label that is longer than a narrow terminal is wide, word by word " * 2
    link = staging.succeed("share", "create", "staging", "--label", label, "--json").json
    shown = on_a_terminal(staging, "share", "show", link["id"])
    # Not even broken by us: it must be possible to copy it.
    assert link["url"] in shown
    listed = on_a_terminal(staging, "share", "list", "staging")
    assert link["id"] in listed
    assert "\N{HORIZONTAL ELLIPSIS}" not in listed
    words = re.sub(r"\x1b\[[0-9;]*m", "", listed).split()
    assert [word for word in words if word in label.split()] == label.split()


def test_an_id_is_never_broken(staging: Guestpass) -> None:
    id = "an-environment-whose-id-is-longer-than-people-expect"
    staging.succeed("env", "add", "A name in a few words", URL, "--id", id)
    link = staging.succeed("share", "create", id, "--label", "A label in a few words", "--json").json["id"]
    for columns in ("80", "40"):
        assert id in on_a_terminal(staging, "env", "list", COLUMNS=columns)
        listed = on_a_terminal(staging, "share", "list", COLUMNS=columns)
        assert id in listed
        assert link in listed
        assert "A label in a few words" in " ".join(listed.split())


def test_states_have_colours(staging: Guestpass) -> None:
    link = staging.succeed("share", "create", "staging", "--json").json["id"]
    assert re.search(r"\x1b\[32m\S+ left", on_a_terminal(staging, "share", "list"))
    staging.succeed("share", "pause", link)
    assert "\x1b[33mpaused" in on_a_terminal(staging, "share", "list")
    assert "\x1b[31munreachable" in on_a_terminal(staging, "env", "list")


def test_a_reader_that_stops_early_is_no_error_of_ours(staging: Guestpass) -> None:
    process = subprocess.Popen(
        [*COMMAND, "env", "list"], env=staging.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == ""
    process.wait(timeout=60)
