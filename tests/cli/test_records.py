"""Why a link doesn't open, who came through it, and what was done to it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2
from tests.cli.in_process import Elsewhere
from tests.cli.server import Server

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}


def create(elsewhere: Elsewhere, *options: str) -> dict[str, Any]:
    link: dict[str, Any] = elsewhere.succeed("share", "create", "harbour", "--json", *options).json
    return link


def visit(link: dict[str, Any]) -> httpx2.Response:
    """What a browser that opens the link is answered."""
    return httpx2.get(link["url"], headers=BROWSER)


def when(seen: Callable[[], Any], seconds: float = 30) -> Any:
    """The first result that is something: what visitors do is told within seconds."""
    deadline = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def causes(elsewhere: Elsewhere, link: dict[str, Any]) -> dict[str, dict[str, str]]:
    found = elsewhere.succeed("share", "why", link["id"], "--json").json["causes"]
    return {each["code"]: each for each in found}


def test_a_link_is_full_while_its_places_are_taken(elsewhere: Elsewhere) -> None:
    link = create(elsewhere, "--max-visitors", "1")
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(link["url"]))
    assert httpx2.post(link["url"], headers=BROWSER | {"Origin": origin}).status_code == 303
    full = causes(elsewhere, link)["link_full"]
    assert "1 of 1 places are taken" in full["detail"]
    assert re.search(r"places taken +1 of 1", elsewhere.succeed("share", "show", link["id"]).out)
    when(lambda: elsewhere.succeed("share", "show", link["id"], "--json").json["visitors"])
    elsewhere.succeed("visitors", "end", link["id"], "1", "--yes")
    assert "link_full" not in causes(elsewhere, link)
    shown = elsewhere.succeed("share", "show", link["id"], "--json").json
    assert (shown["visitors"], shown["placesTaken"]) == (1, 0)


def test_what_stands_in_the_way_is_said_with_the_remedy(elsewhere: Elsewhere) -> None:
    link = create(elsewhere, "--allow-ip", "203.0.113.0/24", "--max-visitors", "1")
    found = causes(elsewhere, link)
    assert set(found) == {"address_limited", "unreachable"}
    assert "203.0.113.0/24" in found["address_limited"]["detail"]
    elsewhere.succeed("share", "pause", link["id"])
    assert causes(elsewhere, link)["link_deactivated"]["remedy"].endswith(f"guestpass share resume {link['id']}")
    elsewhere.succeed("share", "rotate", link["id"], "--yes")
    assert "by anna" in causes(elsewhere, link)["link_replaced"]["detail"]
    elsewhere.succeed("env", "edit", "harbour", "--maintenance", "Back at noon")
    try:
        assert causes(elsewhere, link)["maintenance"]["remedy"].endswith("env edit harbour --clear maintenance")
    finally:
        elsewhere.succeed("env", "edit", "harbour", "--maintenance", "")
    text = elsewhere.succeed("share", "why", link["id"]).out
    for words in ("is paused since", "opens only from", "was given a new URL", "Nobody was turned away"):
        assert words in text


def test_an_end_that_is_over_is_said(elsewhere: Elsewhere) -> None:
    link = create(elsewhere, "--expires", "1s")
    found = when(lambda: causes(elsewhere, link).get("link_expired"))
    assert f"guestpass share extend {link['id']}" in found["remedy"]
    assert re.search(r"\sexpired 20\d\d-", elsewhere.succeed("share", "list", "--search", link["id"]).out)
    elsewhere.succeed("share", "extend", link["id"], "1h")
    assert "link_expired" not in causes(elsewhere, link)


def test_who_was_turned_away_is_named_as_the_page_named_it(elsewhere: Elsewhere) -> None:
    link = create(elsewhere, "--allow-ip", "203.0.113.0/24")
    page = visit(link)
    assert page.status_code == 403
    [refusal] = when(lambda: elsewhere.succeed("share", "why", link["id"], "--json").json["refusals"])
    assert refusal["reason"] == "address_refused"
    # The visitor reads the same id and tells it to the owner.
    assert refusal["requestId"] in page.text
    table = elsewhere.succeed("share", "why", link["id"], "--request", refusal["requestId"]).out
    assert re.search(rf"network.*{refusal['requestId']}\s+Firefox 142 on Linux\s+127\.0\.0\.0/24", table)
    other = elsewhere.succeed("share", "why", link["id"], "--request", "no-such").out
    assert "Nobody was turned away with the request id no-such" in other


def test_a_link_that_is_full_says_so_and_who_is_in_it(elsewhere: Elsewhere) -> None:
    link = create(elsewhere, "--max-visitors", "1")
    opened = httpx2.post(link["url"], headers=BROWSER | {"Sec-Fetch-Site": "same-origin"})
    assert opened.status_code == 303
    # A place is there at once, and the visit is written a moment later.
    assert "1 of 1" in causes(elsewhere, link)["link_full"]["detail"]
    when(lambda: elsewhere.succeed("share", "show", link["id"], "--json").json["visits"])
    [visitor] = elsewhere.succeed("visitors", "list", link["id"], "--json").json["visitors"]
    line = elsewhere.succeed("visitors", "list", link["id"], "--live").out.splitlines()[1]
    assert re.match(r"1\s+live\s+20\d\d-\d\d-\d\d \d\d:\d\dZ\s+1\s+Firefox 142 on Linux\s+127\.0\.0\.0/24", line)
    assert "1 (1 now)" in elsewhere.succeed("share", "list", "--search", link["id"]).out

    asked = elsewhere.refuse(1, "visitors", "end", link["id"], "1", stdin="n\n")
    assert "can open it again" in asked
    ended = elsewhere.succeed("visitors", "end", link["id"], "#1", "--yes", "--json").json
    assert ended == {"ended": visitor["id"]}
    assert "ended" in elsewhere.succeed("visitors", "list", link["id"]).out
    assert elsewhere.succeed("visitors", "list", link["id"], "--live", "--json").json["total"] == 0
    assert "no visitor '2'" in elsewhere.refuse(1, "visitors", "end", link["id"], "2", "--yes")
    assert "no visitor ''" in elsewhere.refuse(1, "visitors", "end", link["id"], "", "--yes")

    told = elsewhere.succeed("share", "history", link["id"], "--json").json["events"]
    assert [event["kind"] for event in told] == ["visitEnded", "opened", "created"]
    kept = elsewhere.succeed("share", "history", link["id"], "--changes", "--limit", "1", "--json").json["events"]
    assert [event["kind"] for event in kept] == ["visitEnded"]
    assert "--limit" in elsewhere.succeed("share", "history", link["id"], "--limit", "1").err


def test_a_password_that_was_tried_too_often_can_be_tried_again(elsewhere: Elsewhere, server: Server) -> None:
    link = create(elsewhere, "--password=correct horse")
    assert not {"password_locked", "address_locked"} & causes(elsewhere, link).keys()
    guesses = [httpx2.post(f"{link['url']}/login", json={"password": f"guess {number}"}) for number in range(11)]
    assert guesses[-1].status_code == 429
    # This address alone is shut out.
    found = causes(elsewhere, link)
    assert "password_locked" not in found
    assert found["address_locked"]["remedy"].endswith(f"guestpass share unlock {link['id']}")
    assert elsewhere.succeed("share", "unlock", link["id"], "--json").json == {"unlocked": link["id"]}
    told = server.beside.succeed("share", "history", link["id"], "--json").json["events"]
    assert told[0]["kind"] == "unlocked"
    assert "address_locked" not in causes(elsewhere, link)


def test_the_same_beside_the_server(server: Server) -> None:
    beside = server.beside
    link = beside.succeed("share", "create", "harbour", "--label", "Beside", "--json").json
    edited = beside.succeed("share", "edit", link["id"], "--label", "", "--max-visitors", "5", "--json").json
    assert (edited["label"], edited["maxVisitors"], edited["url"]) == (None, 5, link["url"])
    beside.succeed("share", "pause", link["id"])
    assert visit(link).status_code == 410
    why = beside.succeed("share", "why", link["id"], "--json").json
    assert [each["code"] for each in why["causes"]] == ["link_deactivated", "unreachable"]
    assert beside.succeed("share", "resume", link["id"], "--json").json["status"] == "active"
    assert beside.succeed("visitors", "list", link["id"], "--json").json == {"visitors": [], "total": 0}
    beside.succeed("share", "unlock", link["id"])
    rotated = beside.succeed("share", "rotate", link["id"], "--yes", "--json").json
    assert visit(link).status_code == 410
    assert rotated["url"] != link["url"]
