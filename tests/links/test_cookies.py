"""Cookies of environments, and ours, as a browser and an application see them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.installation import Installation, installation
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import share
from tests.links.visitor import Visitor
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def set_by(visitor: Visitor, upstream: PlayedUpstream, *lines: str) -> list[str]:
    """What a browser gets of these Set-Cookie fields."""
    upstream.fields = [f"Set-Cookie: {line}" for line in lines]
    answer = await visitor.get("/")
    upstream.fields = []
    found: list[str] = answer.headers.get_list("set-cookie")
    return found


async def arriving(visitor: Visitor, upstream: PlayedUpstream, *planted: str) -> list[str]:
    """The cookies that reach the application, where the browser has `planted` ones too."""
    cookie = "; ".join([*planted, visitor.cookie])
    await visitor.send("GET", "/", {"Cookie": cookie})
    assert len(upstream.last.all("cookie")) <= 1
    return sorted(upstream.last.cookies)


async def test_what_scripts_read_keeps_its_name_and_loses_its_domain(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        assert await set_by(
            visitor,
            upstream,
            "theme=dark; Path=/; Domain=example.com",
            "lang=da; Path=/web; SameSite=None; Secure",
            "_xsrf=2|a|b; Path=/; SameSite=Strict",
        ) == ["theme=dark; Path=/", "lang=da; Path=/web", "_xsrf=2|a|b; Path=/; SameSite=Strict"]
        assert await arriving(visitor, upstream) == ["_xsrf=2|a|b", "lang=da", "theme=dark"]


async def test_http_only_cookies_are_renamed_for_the_browser_and_restored_for_the_application(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        [line] = await set_by(visitor, upstream, "sid=secret; HttpOnly; Path=/; Secure; SameSite=Lax; Domain=x.test")
        name, _, rest = line.partition("=")
        assert rest == "secret; Path=/; HttpOnly; SameSite=Lax"
        assert name.startswith("guestpass.")
        assert name.endswith(".sid")
        assert await arriving(visitor, upstream) == ["sid=secret"]


async def test_a_real_login_lasts_and_ends(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        await visitor.send("POST", "/login", data={"name": "demo", "password": "demo"})
        assert not [name for name in visitor.cookies if name == "sample_session"]
        assert [name for name in visitor.cookies if name.endswith(".sample_session")]
        assert visitor.cookies["sample_theme"] == "light"
        assert "demo" in (await visitor.get("/")).text
        await visitor.send("POST", "/logout")
        assert not [name for name in visitor.cookies if name.endswith(".sample_session")]


async def test_no_cookie_outlives_the_link(server: Installation, upstream: PlayedUpstream) -> None:
    link = await share(server, upstream.url, expiresIn="1h")
    async with link.visitor() as visitor:
        year = timedelta(days=365)
        expires = (datetime.now().astimezone() + year).strftime("%a, %d %b %Y %H:%M:%S GMT")
        await set_by(
            visitor,
            upstream,
            f"a=1; Max-Age={year.total_seconds():.0f}",
            f"b=1; Expires={expires}",
            f"sid=1; HttpOnly; Max-Age={year.total_seconds():.0f}",
            "short=1; Max-Age=60",
            "session=1",
        )
        ages = {name.rpartition(".")[2]: found.get("max-age") for name, found in visitor.set_cookies.items()}
        for name in ("a", "b", "sid"):
            assert 3500 < int(ages[name] or 0) <= 3600
        assert (ages["short"], ages["session"]) == ("60", None)


async def test_nobody_elses_cookies_are_ever_sent(one_origin: Installation, upstream: PlayedUpstream) -> None:
    """Not another visitor's, not those of another link, not those of the same browser from before it switched."""
    link = await share(one_origin, upstream.url)
    other = await link.sibling()
    async with link.visitors(2) as [anna, bert], other.visitor() as carl:
        for visitor, value in ((anna, "anna"), (bert, "bert"), (carl, "carl")):
            await set_by(visitor, upstream, f"sid={value}; HttpOnly; Path=/")
        everything = [f"{name}={value}" for who in (anna, bert, carl) for name, value in who.cookies.items()]
        theirs = [pair for pair in everything if not pair.startswith("guestpass=")]
        assert len(theirs) == 3
        for visitor, value in ((anna, "anna"), (bert, "bert"), (carl, "carl")):
            assert await arriving(visitor, upstream, *theirs) in ([f"sid={value}"], [f"sid={value}"] * 2)


async def test_whoever_has_thousands_of_cookies_is_served_with_the_first_and_with_those_that_count(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        await set_by(visitor, upstream, "sid=secret; HttpOnly; Path=/")
        found = await arriving(visitor, upstream, *(f"c{number}=" for number in range(6000)))
        assert {"sid=secret", "c0=", "c180="} < set(found)
        assert len(found) < 1000


async def test_our_cookies_never_reach_an_application(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        assert "cookie" not in await visitor.headers()
        ours = "guestpass_admin=x; __Host-guestpass=y; __Secure-guestpass_csrf=z; guestpass.tag.sid=planted"
        fields = {"Cookie": f"{ours}; {visitor.cookie}; theme=dark"}
        answer = await visitor.send("GET", "/headers", fields)
        assert [value for name, value in answer.json()["fields"] if name == "cookie"] == ["theme=dark"]
        answer = await visitor.send("GET", "/s-proxy/headers", {"Cookie": visitor.cookie})
        assert "guestpass" not in answer.text


async def test_an_application_can_not_set_ours(server: Installation, upstream: PlayedUpstream) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        kept = visitor.cookies["guestpass"]
        lines = await set_by(
            visitor,
            upstream,
            "guestpass=evil; Path=/",
            "guestpass=; Max-Age=0; Path=/",
            "__Host-guestpass=evil; Secure; Path=/",
            "__Host-Http-guestpass=evil; Secure; HttpOnly; Path=/",
            "GuestPass=1",
            "guestpass_admin=evil; Domain=localhost",
            "guestpass.x.sid=evil",
            "=guestpass=evil",
            "evil",
        )
        assert lines == ["GuestPass=1"]
        assert visitor.cookies["guestpass"] == kept


async def test_a_planted_cookie_under_an_http_only_name_is_not_sent(
    server: Installation, upstream: PlayedUpstream
) -> None:
    """A page or a neighbouring subdomain can set a cookie of any name; only we can set the renamed one."""
    link = await share(server, upstream.url)
    sibling = await link.sibling()
    async with link.visitors(2) as [anna, bert], sibling.visitor() as carl:
        assert await arriving(bert, upstream, "sid=planted") == ["sid=planted"], "nobody can know yet"
        await set_by(anna, upstream, "sid=anna; HttpOnly; Path=/")
        assert await arriving(anna, upstream, "sid=planted") == ["sid=anna"]

        # Others are protected as soon as the name is known, whichever link they came by.
        for visitor in (bert, carl):

            async def is_kept_out(visitor: Visitor = visitor) -> bool:
                return await arriving(visitor, upstream, "sid=planted", "theme=dark") == ["theme=dark"]

            await until(is_kept_out)


async def test_learnt_names_are_known_after_a_restart(upstream: PlayedUpstream) -> None:
    async with installation() as server:
        link = await share(server, upstream.url)
        async with link.visitors(2) as [anna, bert]:
            await set_by(anna, upstream, "sid=anna; HttpOnly; Path=/")
            assert await server.stop() == 0
            await server.start()
            assert await arriving(bert, upstream, "sid=planted", "theme=dark") == ["theme=dark"]
            assert await arriving(anna, upstream, "sid=planted") == ["sid=anna"]


async def test_fields_that_would_bind_the_whole_origin_are_dropped(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    upstream.fields = [
        'Clear-Site-Data: "*"',
        "Strict-Transport-Security: max-age=63072000; includeSubDomains; preload",
        'Alt-Svc: h3=":443"; ma=86400',
        'NEL: {"report_to":"x","max_age":1}',
        'Report-To: {"group":"x"}',
        'Reporting-Endpoints: x="https://evil.test"',
        "Set-Cookie2: a=b",
        "X-Own: kept",
    ]
    async with link.visitor() as visitor:
        for path in ("/", "/s-proxy/x", link.path):
            answer = await visitor.get(path)
            assert answer.headers["x-own"] == "kept"
            for name in (
                "clear-site-data",
                "strict-transport-security",
                "alt-svc",
                "nel",
                "report-to",
                "reporting-endpoints",
                "set-cookie2",
            ):
                assert name not in answer.headers, name


# https


async def test_on_https_cookies_are_secure_and_bound_to_their_host(
    https_server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(https_server, upstream.url)
    async with link.visitor() as visitor:
        assert set(visitor.cookies) == {"__Host-Http-guestpass"}
        assert visitor.set_cookies["__Host-Http-guestpass"] == {
            "max-age": str(400 * 86400),
            "path": "/",
            "httponly": "",
            "samesite": "Lax",
            "secure": "",
        }
        lines = await set_by(
            visitor,
            upstream,
            "theme=dark; Path=/; Domain=example.com",
            "third=1; SameSite=None",
            "sid=secret; HttpOnly; Path=/",
            "deep=secret; HttpOnly; Path=/web",
        )
        tag = lines[3].split(".")[1]
        assert lines == [
            "theme=dark; Path=/; Secure",
            "third=1; SameSite=None; Secure",
            f"__Host-guestpass.{tag}.sid=secret; Path=/; HttpOnly; Secure",
            f"guestpass.{tag}.deep=secret; Path=/web; HttpOnly; Secure",
        ]
        assert await arriving(visitor, upstream, "sid=planted") == [
            "deep=secret",
            "sid=secret",
            "theme=dark",
            "third=1",
        ]


async def test_on_https_a_neighbour_can_not_plant_its_own_pass(
    https_own_origins: Installation, upstream: PlayedUpstream
) -> None:
    """It can set a cookie for the common domain, but none whose name begins with __Host-."""
    link = await share(https_own_origins, upstream.url)
    async with link.visitor() as victim, link.visitor() as attacker, link.stranger() as stranger:
        planted = f"guestpass={attacker.cookies['__Host-Http-guestpass']}"
        await set_by(victim, upstream, "sid=victim; HttpOnly; Path=/")
        assert await arriving(victim, upstream, planted) == ["sid=victim"]
        assert (await stranger.send("GET", "/", {"Cookie": planted})).status_code == 401
