"""A disk that takes nothing at all."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import running_odoo
from tests.faults.disk import OWN_MOUNTS, ROOM, read_only
from tests.faults.said import Heard, assert_tells_no_secret
from tests.faults.visitors import SECONDS, Visitor, asking
from tests.gateway.shared import sharing
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.odoo.visitor import opened
from tests.ports import reserve_ports
from tests.supervisor.upstream import answering


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def writable() -> AsyncIterator[Installation]:
    """One worker, whose disk can be made read-only."""
    async with installation(workers=1, before=OWN_MOUNTS) as running:
        yield running


async def fill(server: Installation, environment_id: str) -> None:
    """Make links until whatever is written next lies behind ROOM."""
    log = Path(server.environ["GUESTPASS_DATA_DIR"]) / "guestpass.db-wal"
    while log.stat().st_size < ROOM:
        await server.create_link(environment_id)


def on_read_only_disk(folder: Path, command: list[str]) -> list[str]:
    """The command where nobody can write into the folder: for root that takes a file system of its own."""
    if os.geteuid() != 0:
        for path in (*folder.iterdir(), folder):
            path.chmod(0o500 if path.is_dir() else 0o400)
        return command
    there = shlex.quote(str(folder))
    mounted = f"mount --bind {there} {there} && mount -o remount,bind,ro {there}"
    return [*OWN_MOUNTS, "sh", "-c", f"{mounted} && exec {shlex.join(command)}"]


def test_a_start_on_a_read_only_disk_names_the_file_and_leaves_all_as_it_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    public, admin = reserve_ports(2)
    environ = os.environ | {
        "GUESTPASS_DATA_DIR": str(data),
        "GUESTPASS_LISTEN": f"127.0.0.1:{public}",
        "GUESTPASS_ADMIN_LISTEN": f"127.0.0.1:{admin}",
    }
    guestpass = [sys.executable, "-m", "guestpass"]
    subprocess.run([*guestpass, "db", "upgrade"], env=environ, check=True, capture_output=True, timeout=60)
    subprocess.run([*guestpass, "token", "--sub", "olga"], env=environ, check=False, capture_output=True, timeout=60)
    before = {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}
    refused = subprocess.run(
        on_read_only_disk(data, [*guestpass, "serve", "--workers", "1"]),
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert str(data) in refused.stderr
    assert {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()} == before


@pytest.mark.asyncio(loop_scope="session")
async def test_a_disk_that_becomes_read_only_serves_visitors_tells_owners_and_is_written_to_when_it_can_be(
    writable: Installation,
) -> None:
    async def readiness() -> dict[str, str]:
        answer = await writable.client.get("/readyz")
        assert answer.status_code == 200
        found: dict[str, str] = answer.json()
        return found

    async with answering() as url, sharing(writable) as share:
        shared = await share(url)
        id = shared.environment["id"]
        await fill(writable, id)
        links = {link["id"] for link in await writable.links(id)}
        visitor, heard = Visitor(shared), Heard(writable)
        async with asking(visitor):
            with read_only(writable):
                for _ in range(5):
                    refused = await writable.client.post(f"/api/environments/{id}/share", json={})
                    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
                    assert refused.json()["code"] == "unavailable"
                    assert "its disk" in refused.json()["detail"]
                # A visit begins, which can't be written yet; and a link opens that nobody had opened.
                await shared.open_link()
                assert "its disk" in (await readiness())["detail"]
                assert {link["id"] for link in await writable.links(id)} == links
                await visitor.until(200, times=5)

            async def is_well() -> bool:
                return await readiness() == {"status": "ok"}

            # Nobody needs to change anything for it to be noticed.
            await until(is_well, SECONDS)
            link = await writable.create_link(id)
            await visitor.until(200, times=5)
        assert visitor.failed == []
        assert {each["id"] for each in await writable.links(id)} == links | {link["id"]}

        async def is_counted() -> bool:
            counted = {each["id"]: each["visits"] for each in await writable.links(id)}
            return bool(counted[shared.link["id"]] == 2)

        await until(is_counted, SECONDS)
        # Each part says so once: who was refused, what waits to be written, and when it is over.
        assert set(heard.messages.values()) == {1}, heard.messages
        assert {"database_not_writable", "database_writable_again"} <= set(heard.messages)
        assert_tells_no_secret(writable, shared.cookie.decode(), shared.link["url"].rpartition("/")[2])


@pytest.mark.asyncio(loop_scope="session")
async def test_on_a_disk_that_is_read_only_uploads_and_sign_ins_wait_and_all_else_comes_from_odoo(
    writable: Installation,
) -> None:
    sign_in = {"signInAs": {"login": "demo", "password": "demo"}}
    with running_odoo() as odoo:
        async with (
            opened(writable, odoo, name="Read-only") as visitor,
            opened(writable, odoo, name="Signed in", link_fields=sign_in) as guest,
        ):
            await fill(writable, visitor.environment["id"])
            heard = Heard(writable)
            with read_only(writable):
                for number in range(3):
                    refused = await visitor.web.post("/web/double/echo", content=b"x" * 3_000_000)
                    assert refused.status_code == 503
                    asset = await visitor.get(f"/web/static/double/600000/unwritten{number}.bin")
                    assert (asset.status_code, len(asset.content)) == (200, 600_000)
                    assert (await guest.navigate("/odoo")).status_code == 503
                assert (await visitor.get("/contactus")).status_code == 200
            assert (await visitor.web.post("/web/double/echo", content=b"x" * 3_000_000)).status_code < 500

            async def is_let_in() -> bool:
                return (await guest.navigate("/odoo")).status_code == 200

            await until(is_let_in, SECONDS)
    assert "unexpected_error" not in heard.messages
    assert (heard.messages["spool_failed"], heard.messages["asset_not_fetched"]) == (1, 1)
    assert heard.messages["database_unavailable"] == 1
