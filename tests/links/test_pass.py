"""The pass: signed, bound to a link and its version, and worth what the link is worth now."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.installation import Installation, installation
from tests.links.played_upstream import PlayedUpstream
from tests.links.share import PASSWORD, Share, share
from tests.links.visitor import Visitor
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def with_pass(visitor: Visitor, text: str, path: str = "/headers") -> int:
    return (await visitor.send("GET", path, {"Cookie": f"guestpass={text}"})).status_code


async def test_what_we_did_not_sign_opens_nothing(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    other = await link.sibling(password=PASSWORD)
    async with link.visitor() as visitor, link.stranger() as stranger:
        real = visitor.cookies["guestpass"]
        assert await with_pass(stranger, real) == 200
        form, link_id, version, identity, issued, signature = real.split(".")
        for forged in (
            "",
            "x",
            real[:-1],
            real[:-1] + ("A" if real[-1] != "A" else "B"),
            f"{real}A",
            f'"{real}"',
            f"{real}=",
            ".".join([form, other.id, version, identity, issued, signature]),
            ".".join([form, link_id, "2", identity, issued, signature]),
            ".".join([form, link_id, version, identity[::-1], issued, signature]),
            ".".join([form, link_id, version, identity, "9999999999", signature]),
            ".".join([form, link_id, version, identity, issued, ""]),
            ".".join([form, link_id, version, identity, issued]),
            ".".join(["2", link_id, version, identity, issued, signature]),
        ):
            assert await with_pass(stranger, forged) == 401, forged


async def test_a_pass_of_another_installation_opens_nothing(
    one_origin: Installation, https_one_origin: Installation, sample: str
) -> None:
    link, elsewhere = await share(one_origin, sample), await share(https_one_origin, sample)
    async with elsewhere.visitor() as foreign, link.stranger() as stranger:
        assert await with_pass(stranger, foreign.cookies["__Host-Http-guestpass"]) == 401


async def test_a_pass_of_one_link_opens_no_other_with_a_password(one_origin: Installation, sample: str) -> None:
    link = await share(one_origin, sample)
    protected = await link.sibling(password=PASSWORD)
    async with link.visitor() as visitor:
        assert (await visitor.get(protected.path)).status_code == 401


async def test_the_first_pass_that_counts_is_taken(one_origin: Installation, sample: str, other_sample: str) -> None:
    link, removed = await share(one_origin, sample), await share(one_origin, other_sample)
    async with link.visitor() as visitor, removed.visitor() as former:
        await removed.remove()
        cookie = f"guestpass=junk; {former.cookie}; {visitor.cookie}"
        assert (await visitor.send("GET", "/headers", {"Cookie": cookie})).status_code == 200


async def test_a_deactivated_links_pass_names_the_link_and_opens_nothing(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        await link.deactivate()
        for path in ("/", "/s-proxy/x"):
            page = await visitor.navigate(path)
            assert (page.status_code, page.headers["content-type"]) == (410, "text/html; charset=utf-8")
            for method in ("GET", "POST", "HEAD"):
                assert (await visitor.send(method, path)).status_code == 410
            assert (await visitor.get(path)).json()["code"] == "link_deactivated"
    assert upstream.asked == []


async def test_a_removed_links_pass_opens_nothing_and_names_nothing(
    server: Installation, upstream: PlayedUpstream
) -> None:
    link = await share(server, upstream.url)
    async with link.visitor() as visitor:
        await link.remove()
        for path in ("/", "/s-proxy/x"):
            assert (await visitor.navigate(path)).status_code == 401
            assert (await visitor.get(path)).json()["code"] == "pass_missing"
        assert (await visitor.navigate(link.path)).status_code == 404
    assert upstream.asked == []


def write(server: Installation, link: Share, assignment: str, value: object) -> None:
    """Change a link in the database beside the server, as a command would."""
    path = Path(server.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE links SET {assignment} WHERE id = ?", (value, link.id))
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        connection.execute("INSERT INTO changes (kind, id, at) VALUES ('link', ?, ?)", (link.id, now))


async def becomes(visitor: Visitor, status: int, path: str = "/headers") -> None:
    async def has_status() -> bool:
        return await visitor.status(path) == status

    await until(has_status)


async def test_a_new_version_ends_all_passes_for_good(server: Installation, sample: str) -> None:
    """A changed password and a rotation raise the version."""
    link = await share(server, sample, password=PASSWORD)
    async with link.visitor() as visitor, link.visitor() as other:
        write(server, link, "version = ?", 2)
        await becomes(visitor, 401)
        assert (await other.get("/")).json()["code"] == "pass_missing"
        assert (await visitor.navigate(link.path)).status_code == 401
        login = await visitor.send("POST", f"{link.path}/login", json={"password": PASSWORD})
        assert login.status_code == 303
        assert (await visitor.navigate(link.path)).status_code == 303
        assert (await visitor.get("/headers")).status_code == 200
        assert (await other.get("/headers")).status_code == 401
        # A version that once was does not come back with it.
        write(server, link, "version = ?", 3)
        await becomes(visitor, 401)


async def test_a_link_that_is_opened_again_lets_its_passes_in_again(server: Installation, sample: str) -> None:
    link = await share(server, sample)
    async with link.visitor() as visitor:
        await link.deactivate()
        assert (await visitor.get("/headers")).status_code == 410
        write(server, link, "deactivated_at = ?", None)
        await becomes(visitor, 200)


async def test_an_expired_link_that_is_extended_lets_its_passes_in_again(server: Installation, sample: str) -> None:
    def stored(moment: datetime) -> str:
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")

    link = await share(server, sample)
    async with link.visitor() as visitor:
        write(server, link, "expires_at = ?", stored(datetime.now(UTC) - timedelta(seconds=1)))
        await becomes(visitor, 410)
        assert (await visitor.get("/")).json()["code"] == "link_expired"
        assert (await visitor.get(link.path)).json()["code"] == "link_expired"
        write(server, link, "expires_at = ?", stored(datetime.now(UTC) + timedelta(hours=1)))
        await becomes(visitor, 200)


async def test_a_pass_outlives_a_restart(sample: str) -> None:
    """It is stateless: every worker and every later process can check it."""
    async with installation() as server:
        link = await share(server, sample)
        async with link.visitor() as visitor:
            assert await server.stop() == 0
            await server.start()
            assert (await visitor.get("/headers")).status_code == 200


async def test_an_upload_may_be_the_first_that_a_server_hears_of_a_link(sample: str) -> None:
    """Its body arrives while the link is looked up."""
    content = b"x" * 3_000_000
    async with installation() as server:
        link = await share(server, sample)
        async with link.visitor() as visitor:
            assert await server.stop() == 0
            await server.start()
            answer = await visitor.send("POST", "/upload", content=content)
            assert (answer.status_code, answer.json()["size"]) == (200, len(content))
