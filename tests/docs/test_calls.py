"""Each example in the reference of calls does what the page says when somebody runs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import httpx2
import pytest
from tests.api.face import Face, running_face
from tests.applications.processes import running_sample
from tests.docs.calls import PAGE, calls_page, documented_calls, openapi_document
from tests.installation import Installation, installation
from tests.links.waiting import until

PASSWORD = "correct horse"
# What only the gateway can answer, or only a visitor who was there can make true.
BEHIND_THE_GATEWAY = ("openShareLink", "switchShareLink", "proxyGet", "listShareLinkVisitors", "endVisit")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def examples() -> dict[str, str]:
    """The shell lines of the page, by its calls' method and path."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^`([A-Z]+ /\S*)`\n.*?^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return dict(found)


async def run(client: httpx2.AsyncClient, lines: str, variables: Mapping[str, str]) -> httpx2.Response:
    """Send what those lines of shell have curl send."""
    words = iter(shlex.split(Template(lines.replace("\\\n", " ")).substitute(variables)))
    assert next(words) == "curl"
    method, url, fields, body = "GET", "", {}, None
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                fields[name] = value
            case "-d":
                body = next(words)
            case _:
                assert not word.startswith("-"), word
                url = word
    return await client.request(method, url, headers=fields, content=body)


@pytest.fixture
def face(tmp_path: Path) -> Iterator[Face]:
    with running_face(tmp_path) as running:
        yield running


@pytest.fixture
async def server() -> AsyncIterator[Installation]:
    async with installation() as server:
        yield server


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[str]:
    with running_sample(tmp_path) as url:
        yield url


def test_the_page_is_the_one_that_the_code_makes(document: dict[str, Any]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == calls_page(document), "run: python -m tests.docs.calls"


def test_every_call_has_an_example(document: dict[str, Any]) -> None:
    described = {f"{each.method} {each.path}" for each in documented_calls(document)}
    assert set(examples()) == described
    assert {each.id for each in documented_calls(document)} >= set(BEHIND_THE_GATEWAY)


async def test_the_owners_examples_are_accepted(face: Face, document: dict[str, Any]) -> None:
    face.authenticator.passwords["demo"] = PASSWORD
    lines = examples()
    async with face.owner() as owner, face.client() as nobody:
        for number, call in enumerate(documented_calls(document)):
            if call.id in BEHIND_THE_GATEWAY:
                continue
            example = lines[f"{call.method} {call.path}"]
            variables = {"BASE": face.url, "TOKEN": face.token(), **await prepare(owner, f"shop-{number}", example)}
            answer = await run(nobody, example, variables)
            promised = {each.status for each in call.answers if each.status.startswith(("2", "3"))}
            assert str(answer.status_code) in promised, (call.id, answer.text)


async def prepare(owner: httpx2.AsyncClient, environment: str, example: str) -> dict[str, str]:
    """What an example names: an environment, a link (with a password where a visitor types it), an account."""

    async def add(path: str, **fields: str) -> dict[str, Any]:
        answer = await owner.post(f"/api/environments{path}", json=fields)
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    await add("", id=environment, name="Shop", url="http://10.0.0.6:8069", kind="odoo")
    if "$ACCOUNT" in example:
        await add(f"/{environment}/accounts", name="clerk", login="demo", password=PASSWORD)
    link = await add(f"/{environment}/share", **({"password": PASSWORD} if "$SHARE" in example else {}))
    return {"ENV": environment, "ACCOUNT": "clerk", "LINK": link["id"], "SHARE": token_of(link)}


async def test_the_examples_of_visits_are_accepted(server: Installation, sample: str, document: dict[str, Any]) -> None:
    lines = {call.id: examples()[f"{call.method} {call.path}"] for call in documented_calls(document)}
    await server.add_environment(id="shop", name="Shop", url=sample, kind="web")
    link, other = [await server.create_link("shop") for _ in range(2)]
    public = {"BASE": server.public_url}
    browser_fields = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": server.public_url}
    async with httpx2.AsyncClient(trust_env=False, timeout=30, headers=browser_fields) as browser:
        opened = await run(browser, lines["openShareLink"], public | {"SHARE": token_of(link)})
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        shown = await run(browser, lines["proxyGet"], public)
        assert shown.status_code == 200
        assert "Harbour Supplies" in shown.text
        switched = await run(browser, lines["switchShareLink"], public | {"SHARE": token_of(other)})
        assert switched.status_code == 303
        arrived = await browser.get(server.public_url + switched.headers["location"], follow_redirects=True)
        assert (arrived.status_code, arrived.url.path) == (200, "/")

    owner = {
        "BASE": server.admin_url,
        "TOKEN": (await server.command("token")).strip(),
        "ENV": "shop",
        "LINK": link["id"],
    }
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as nobody:
        visitors: list[dict[str, Any]] = []

        async def is_listed() -> bool:
            listed = await run(nobody, lines["listShareLinkVisitors"], owner)
            assert listed.status_code == 200
            visitors[:] = listed.json()["visitors"]
            return bool(visitors)

        await until(is_listed)
        [visitor] = visitors
        ended = await run(nobody, lines["endVisit"], owner | {"VISITOR": visitor["id"]})
        assert ended.status_code == 204


def token_of(link: dict[str, Any]) -> str:
    url: str = link["url"]
    return url.rpartition("/")[2]
