"""What somebody typed for one environment's HTTP authentication does not reach another on the same origin."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Error
from tests.installation import Installation
from tests.links.played_upstream import PlayedUpstream, played_upstream
from tests.links.share import Share, share
from tests.links.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

REALM = 'Basic realm="shared link"'


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:secret".encode()).decode()


def digest(user: str, realm: str, nonce: str = "1") -> str:
    return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="/x", response="{nonce}abc"'


ANNA, BERT = basic("anna"), basic("bert")
ASKS = 'WWW-Authenticate: Basic realm="Staging"'


@pytest_asyncio.fixture(loop_scope="session")
async def other() -> AsyncIterator[PlayedUpstream]:
    async with played_upstream() as playing:
        yield playing


async def reached(visitor: Visitor, upstream: PlayedUpstream, credentials: str | None) -> list[str]:
    """What the environment saw of a request with these credentials."""
    fields = {} if credentials is None else {"Authorization": credentials}
    answer = await visitor.get("/x", **fields)
    assert answer.status_code == int(upstream.status[:3])
    return upstream.last.all("authorization")


async def is_asked(visitor: Visitor, upstream: PlayedUpstream, credentials: str | None, *asks: str) -> list[str]:
    """The same, where the environment asks; and how the visitor is asked."""
    upstream.status, upstream.fields = "401 Unauthorized", list(asks or (ASKS,))
    assert await reached(visitor, upstream, credentials) == []
    answer = await visitor.get("/x")
    upstream.status, upstream.fields = "200 OK", []
    return answer.headers.get_list("www-authenticate")


async def switch(visitor: Visitor, link: Share) -> None:
    answer = await visitor.send("POST", link.path, {"Origin": link.origin, "Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 303
    assert (await visitor.navigate(link.path)).status_code == 303


@pytest.mark.parametrize("credentials", [ANNA, ANNA.replace("Basic", "bAsIc"), digest("anna", "Staging")])
async def test_credentials_pass_when_the_environment_has_asked_for_them(
    one_origin: Installation, upstream: PlayedUpstream, credentials: str
) -> None:
    link = await share(one_origin, upstream.url)
    async with link.visitor() as visitor, link.visitor() as nobody:
        assert await reached(visitor, upstream, credentials) == []
        assert await is_asked(visitor, upstream, None) == [REALM]
        assert await reached(visitor, upstream, credentials) == [credentials]
        assert await reached(visitor, upstream, credentials) == [credentials]
        # It was this visitor who was asked.
        assert await reached(nobody, upstream, credentials) == []
        for name, attributes in visitor.set_cookies.items():
            if "asked" in name:
                assert attributes == {"path": "/", "httponly": "", "samesite": "Lax"}
                assert upstream.last.cookies == []


@pytest.mark.parametrize("credentials", ["Bearer abc", "Negotiate YII=", "Token x"])
async def test_what_scripts_and_connections_sign_in_with_passes(
    one_origin: Installation, upstream: PlayedUpstream, credentials: str
) -> None:
    link = await share(one_origin, upstream.url)
    async with link.visitor() as visitor:
        assert await reached(visitor, upstream, credentials) == [credentials]


async def test_with_an_origin_of_its_own_an_environment_gets_what_the_browser_sends(
    own_origins: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(own_origins, upstream.url)
    async with link.visitor() as visitor:
        assert await reached(visitor, upstream, ANNA) == [ANNA]
        upstream.status, upstream.fields = "401 Unauthorized", [ASKS]
        assert (await visitor.get("/x")).headers["www-authenticate"] == ASKS.partition(": ")[2]


@pytest.mark.parametrize(
    ("asks", "told"),
    [
        ((ASKS,), [REALM]),
        (('WWW-Authenticate: basic realm="A", charset="UTF-8"',), [REALM]),
        (("WWW-Authenticate: Basic",), [REALM]),
        (('WWW-Authenticate: NTLM, Basic realm="A"',), [f"NTLM, {REALM}"]),
        (("WWW-Authenticate: Negotiate", ASKS), ["Negotiate", REALM]),
        (('WWW-Authenticate: Basic realm="A", charset="UTF-8", NTLM TlRM==',), [f"{REALM}, NTLM TlRM=="]),
        (('WWW-Authenticate: Basic realm=A,Negotiate,basic realm="B, \\"C"',), [f"{REALM},Negotiate,{REALM}"]),
        # What readers could take for another realm is gone.
        (("WWW-Authenticate: Basic , realm=A",), [REALM]),
        (('WWW-Authenticate: Basic realm="A", ,realm=B',), [REALM]),
        (('WWW-Authenticate: Basic realm="A"x realm=B, Negotiate',), [REALM]),
        (('WWW-Authenticate: NTLM, Basic realm="A',), [f"NTLM, {REALM}"]),
        (
            ('WWW-Authenticate: Digest realm="a basic one", nonce="1"',),
            ['Digest realm="a basic one", nonce="1"'],
        ),
    ],
)
async def test_every_environment_asks_under_one_realm(
    one_origin: Installation, upstream: PlayedUpstream, asks: tuple[str, ...], told: list[str]
) -> None:
    link = await share(one_origin, upstream.url)
    async with link.visitor() as visitor:
        assert await is_asked(visitor, upstream, None, *asks) == told
        assert await reached(visitor, upstream, ANNA) == [ANNA]


@pytest.mark.parametrize("came_with_it", [True, False])
@pytest.mark.parametrize(
    ("theirs", "own", "asks"),
    [
        (ANNA, BERT, ASKS),
        (digest("anna", "Staging"), digest("bert", "Staging"), 'WWW-Authenticate: Digest realm="Staging", nonce="1"'),
    ],
)
async def test_what_was_typed_for_one_environment_does_not_reach_the_next(
    one_origin: Installation,
    upstream: PlayedUpstream,
    other: PlayedUpstream,
    theirs: str,
    own: str,
    asks: str,
    *,
    came_with_it: bool,
) -> None:
    first, second = await share(one_origin, upstream.url), await share(one_origin, other.url)
    async with first.visitor() as visitor:
        await is_asked(visitor, upstream, None, asks)
        assert await reached(visitor, upstream, theirs) == [theirs]
        await switch(visitor, second)
        again = theirs.replace('"1', '"2')
        assert await reached(visitor, other, again) == []
        # A browser sends them with some paths and not with others, and once more where the realm is the same.
        other.status, other.fields = "401 Unauthorized", [asks]
        await reached(visitor, other, again if came_with_it else None)
        other.status, other.fields = "200 OK", []
        if not came_with_it:
            assert await reached(visitor, other, again) == []
        assert await reached(visitor, other, own) == [own]
        assert await reached(visitor, other, theirs) == []
        # Who comes back is a new visitor, who has nothing any more, and is asked anew.
        await switch(visitor, first)
        upstream.status, upstream.fields = "401 Unauthorized", [asks]
        assert await reached(visitor, upstream, theirs) == []
        upstream.status, upstream.fields = "200 OK", []
        assert await reached(visitor, upstream, theirs) == [theirs]
        assert await reached(visitor, upstream, own) == []


async def test_the_same_credentials_may_be_typed_for_two_environments(
    one_origin: Installation, upstream: PlayedUpstream, other: PlayedUpstream
) -> None:
    first, second = await share(one_origin, upstream.url), await share(one_origin, other.url)
    async with first.visitor() as visitor:
        await is_asked(visitor, upstream, None)
        assert await reached(visitor, upstream, ANNA) == [ANNA]
        await switch(visitor, second)
        other.status, other.fields = "401 Unauthorized", [ASKS]
        assert await reached(visitor, other, ANNA) == []
        # The browser has forgotten them, so it was a person who gave them again.
        assert await reached(visitor, other, ANNA) == [ANNA]


@pytest.mark.parametrize("area", ["/", "/admin/"])
@pytest.mark.parametrize("realm", ["Staging", "Another"])
async def test_a_browser_is_not_made_to_hand_them_over(
    one_origin: Installation, upstream: PlayedUpstream, other: PlayedUpstream, browser: Browser, realm: str, area: str
) -> None:
    """Chromium sends them by path, and to whoever asks under the same realm."""
    first, second = await share(one_origin, upstream.url), await share(one_origin, other.url)
    netloc = urlsplit(one_origin.public_url).netloc
    context = await browser.new_context()
    page = await context.new_page()

    async def hostile(path: str, *, asks: bool) -> None:
        other.status = "401 Unauthorized" if asks else "200 OK"
        other.fields = [f'WWW-Authenticate: Basic realm="{realm}"'] if asks else []
        await visit(context, f"http://{netloc}{path}")

    await page.goto(str(first.link["url"]))
    upstream.challenge = ASKS
    await visit(context, f"http://anna:secret@{netloc}{area}")
    await visit(context, f"http://{netloc}{area}")
    assert upstream.last.all("authorization") == [ANNA]

    await page.goto(str(second.link["url"]))
    await page.get_by_role("button").click()
    await page.wait_for_url(f"http://{netloc}/")
    for path in ("/", "/admin/", "/elsewhere", "/admin/x", "/"):
        await hostile(path, asks=False)
        await hostile(path, asks=True)
        await hostile(path, asks=False)
    assert len(other.asked) > 15
    assert [asked.all("authorization") for asked in other.asked if asked.all("authorization")] == []


async def visit(context: BrowserContext, url: str) -> None:
    page = await context.new_page()
    # Who is asked and types nothing gets an error page in the end.
    with suppress(Error):
        await page.goto(url)
    await page.close()
