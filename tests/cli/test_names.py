"""What a person may type in place of an id."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from tests.cli.in_process import Elsewhere
from tests.cli.server import Server


def made(elsewhere: Elsewhere, label: str, *options: str) -> dict[str, Any]:
    link: dict[str, Any] = elsewhere.succeed("share", "create", "harbour", "--json", "--label", label, *options).json
    return link


def found(elsewhere: Elsewhere, text: str) -> str:
    return str(elsewhere.succeed("share", "show", text, "--json").json["id"])


def test_an_id_a_beginning_a_label_or_a_part_of_one_will_do(elsewhere: Elsewhere) -> None:
    word = uuid.uuid4().hex
    link = made(elsewhere, f"Für {word} und die Prüfer")
    assert found(elsewhere, link["id"]) == link["id"]
    assert found(elsewhere, link["id"][:15]) == link["id"]
    assert found(elsewhere, f"für {word} UND die prüfer") == link["id"]
    assert found(elsewhere, f"FÜR {word}") == link["id"]
    assert found(elsewhere, f"{word} und") == link["id"]


def test_what_fits_better_comes_first(elsewhere: Elsewhere) -> None:
    word = uuid.uuid4().hex
    short, _ = made(elsewhere, word), made(elsewhere, f"{word} and more")
    # The one is the whole label, the other only begins so.
    assert found(elsewhere, word) == short["id"]


def test_what_could_mean_several_is_a_list_of_them(elsewhere: Elsewhere) -> None:
    word = uuid.uuid4().hex
    links = [made(elsewhere, f"{word} {number}") for number in range(9)]
    text = elsewhere.refuse(1, "share", "pause", word)
    shown = [line.split() for line in text.splitlines()[1:]]
    assert len(shown) == 9
    assert {line[0] for line in shown[:8]} < {link["id"] for link in links}
    assert {line[1] for line in shown[:8]} == {"harbour"}
    assert shown[8] == ["and", "1", "more"]
    assert all(
        link["status"] == "active"
        for link in elsewhere.succeed("share", "list", "--search", word, "--json").json["shareLinks"]
    )


@pytest.mark.parametrize("text", ["", " ", "no such label", "x" * 300])
def test_what_means_nothing_is_said(elsewhere: Elsewhere, text: str) -> None:
    assert "There is no share link" in elsewhere.refuse(1, "share", "show", text)


def test_a_share_url_will_do_whatever_its_host(elsewhere: Elsewhere, server: Server) -> None:
    link = made(elsewhere, "")
    assert found(elsewhere, link["url"]) == link["id"]
    path = link["url"].removeprefix(server.public_url)
    assert found(elsewhere, f"https://share.example.com{path}/login") == link["id"]
    assert found(elsewhere, f"share.example.com{path}") == link["id"]
    elsewhere.succeed("share", "rotate", link["id"], "--yes")
    assert "was replaced" in elsewhere.refuse(1, "share", "show", link["url"])


@pytest.mark.parametrize("url", ["http://[::1/share/gp_x", "http://a]/share/gp_x", "[/share/gp_x"])
def test_what_is_no_url_is_no_links_url(elsewhere: Elsewhere, url: str) -> None:
    assert "No share link has this URL" in elsewhere.refuse(1, "share", "show", url)


def test_a_url_below_a_link_domain_is_known_by_its_host_even_when_it_was_replaced(elsewhere: Elsewhere) -> None:
    link = made(elsewhere, "")
    shown = elsewhere.succeed("share", "show", f"https://{link['id']}.links.example.com/share/gp_old", "--json")
    assert shown.json["id"] == link["id"]
    assert "opens nothing any more" in shown.err
    page = elsewhere.succeed("share", "show", f"https://{link['id']}-12.links.example.com/share/gp_old", "--json")
    assert page.json["id"] == link["id"]


def test_an_environment_is_found_by_its_name(elsewhere: Elsewhere) -> None:
    word = f"Zeta {uuid.uuid4().hex[:8]}"
    ids = [
        elsewhere.succeed("env", "add", f"{word} {kind}", "http://127.0.0.1:1", "--kind", "web", "--json").json["id"]
        for kind in ("Demo", "Training")
    ]
    assert elsewhere.succeed("env", "show", f"{word} demo", "--json").json["id"] == ids[0]
    assert elsewhere.succeed("env", "show", f"{word} tr".upper(), "--json").json["id"] == ids[1]
    assert elsewhere.succeed("env", "show", ids[0][:-1], "--json").json["id"] == ids[0]
    text = elsewhere.refuse(1, "env", "remove", word, "--yes")
    assert all(id in text for id in ids)
    assert "harbour" in elsewhere.refuse(1, "env", "show", "absent")
    assert "''" in elsewhere.refuse(1, "env", "show", "")


def test_what_others_wrote_does_not_steer_the_terminal(elsewhere: Elsewhere) -> None:
    assert "\x1b" not in elsewhere.refuse(1, "share", "show", "\x1b[2Jx")
    assert "\x1b" not in elsewhere.refuse(1, "env", "show", "\x1b[2Jx")
