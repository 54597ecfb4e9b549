"""Odoo's assets come from our disk: quicker, smaller, and the same for everybody."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.odoo.versions import VERSIONS
from tests.odoo.visitor import Visitor, opened

from guestpass.odoo.assets.files import BLOCK, scan

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _bundle(visitor: Visitor) -> str:
    """The path of a bundle that the web client's page names."""
    page = await visitor.navigate("/web/login")
    start = page.text.index("/web/assets/")
    return page.text[start : page.text.index('"', start)]


async def test_an_asset_is_fetched_once_and_holds_nothing_of_any_visitor(visitor: Visitor) -> None:
    path = await _bundle(visitor)
    visitor.odoo.forget()
    first = await visitor.get(path, Accept_Encoding="identity")
    again = await visitor.get(path, Accept_Encoding="identity")

    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert len(first.content) == int(first.headers["content-length"])
    [seen] = visitor.odoo.requests(path)
    names = {name.lower() for name, _ in seen["fields"]}
    assert "cookie" not in names
    assert not names & {"range", "if-none-match", "referer", "origin", "user-agent", "x-forwarded-user"}
    assert "set-cookie" not in first.headers


async def test_a_visitor_gets_the_compressed_form_and_it_is_the_same_file(visitor: Visitor) -> None:
    path = await _bundle(visitor)
    plain = await visitor.get(path, Accept_Encoding="identity")
    async with visitor.web.stream("GET", path, headers={"Accept-Encoding": "br"}) as packed:
        raw = b"".join([piece async for piece in packed.aiter_raw()])

    assert packed.headers["content-encoding"] == "br"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert packed.headers["etag"] != plain.headers["etag"]
    assert brotli.decompress(raw) == plain.content
    held = await visitor.get(path, Accept_Encoding="br", If_None_Match=packed.headers["etag"])
    assert held.status_code == 304
    assert held.content == b""


async def test_parts_come_from_the_disk_too(visitor: Visitor) -> None:
    path = await _bundle(visitor)
    whole = await visitor.get(path, Accept_Encoding="identity")
    visitor.odoo.forget()
    part = await visitor.get(path, Range="bytes=10-29")
    assert part.status_code == 206
    assert part.content == whole.content[10:30]
    assert visitor.odoo.requests() == []


async def test_an_asset_is_no_way_around_the_end_of_a_link(visitor: Visitor) -> None:
    path = await _bundle(visitor)
    assert (await visitor.get(path)).status_code == 200
    await visitor.server.deactivate(visitor.environment["id"], visitor.link["id"])
    assert (await visitor.get(path)).status_code == 410


async def test_an_unknown_bundle_is_the_visitors_own_request(visitor: Visitor) -> None:
    path = await _bundle(visitor)
    head, _, name = path.rpartition("/")
    gone = f"{head.rpartition('/')[0]}/0000000/{name}"
    answer = await visitor.get(gone)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith((visitor.origin, "/"))


@pytest.mark.parametrize("name", ["menus", "translations"])
async def test_what_differs_for_each_user_is_never_kept(visitor: Visitor, name: str) -> None:
    path = getattr(VERSIONS[visitor.odoo.major], name)
    await visitor.log_in()
    visitor.odoo.forget()
    for _ in range(2):
        assert (await visitor.get(path)).status_code == 200
    assert len(visitor.odoo.requests(path)) == 2


@pytest.mark.double_only("has other bundles at a word")
async def test_a_redeploy_is_noticed_when_it_is_time_to_look_again(odoo: Odoo, tmp_path: Path) -> None:
    async with installation(asset_recheck="1s") as server, opened(server, odoo, name=tmp_path.name) as visitor:
        path = await _bundle(visitor)
        before = (await visitor.get(path, Accept_Encoding="identity")).content
        odoo.redeploy()

        async def is_new() -> bool:
            return (await visitor.get(path, Accept_Encoding="identity")).content != before

        await until(is_new)


@pytest.mark.double_only("has other bundles at a word")
async def test_after_a_redeploy_who_has_the_bundle_before_gets_what_changed(visitor: Visitor) -> None:
    path = await _bundle(visitor)
    before = await _kept(visitor, path)
    visitor.odoo.redeploy(new_hashes=True)
    path = await _bundle(visitor)
    after = await _kept(visitor, path)
    assert after != before
    digest = hashlib.sha256(before).digest()
    fields = {
        "Accept-Encoding": "gzip, deflate, br, zstd, dcb, dcz",
        "Available-Dictionary": f":{base64.b64encode(digest).decode()}:",
    }

    async def is_what_changed() -> bool:
        async with visitor.web.stream("GET", path, headers=fields) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        if answer.headers["content-encoding"] != "dcz":
            return False
        assert answer.headers["vary"] == "Accept-Encoding, Available-Dictionary"
        # RFC 9842, section 3.2.
        assert raw[:40] == bytes.fromhex("5e2a4d1820000000") + digest
        dictionary = zstandard.ZstdCompressionDict(before, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        assert zstandard.ZstdDecompressor(dict_data=dictionary).decompressobj().decompress(raw[40:]) == after
        # In brotli it would be more than a tenth.
        assert len(raw) < len(after) / 50
        # Nothing of one link may be a dictionary for another on the same origin, though whoever has it may name it.
        assert "use-as-dictionary" not in answer.headers
        return True

    await until(is_what_changed)


async def _kept(visitor: Visitor, path: str) -> bytes:
    """The body of a bundle, once it is kept."""

    async def is_kept() -> bool:
        visitor.odoo.forget()
        await visitor.get(path, Accept_Encoding="identity")
        return visitor.odoo.requests() == []

    await until(is_kept)
    return (await visitor.get(path, Accept_Encoding="identity")).content


async def test_what_was_kept_is_there_after_a_restart(odoo: Odoo, tmp_path: Path) -> None:
    async with installation() as server, opened(server, odoo, name=tmp_path.name) as visitor:
        path = await _bundle(visitor)
        before = await visitor.get(path, Accept_Encoding="identity")
        assert await _restarted(server) == 0
        odoo.forget()
        after = await visitor.get(path, Accept_Encoding="identity")
        assert after.content == before.content
        # It is compared once, by its tag, and not sent again.
        assert [seen["status"] for seen in odoo.requests(path)] in ([], [304])


async def _restarted(server: Installation) -> int:
    status = await server.stop()
    await server.start()
    return status


@pytest.mark.double_only("has files of any size under any name")
async def test_what_was_damaged_while_it_was_down_is_fetched_anew_and_holds_up_nobody(
    odoo: Odoo, tmp_path: Path
) -> None:
    paths = {name: f"/web/static/double/60000/{number}.css" for number, name in enumerate(DAMAGES)}
    async with installation(asset_recheck="1h") as server:
        async with opened(server, odoo, name=tmp_path.name) as visitor:
            before = {}
            for path in paths.values():
                before[path] = (await visitor.get(path, Accept_Encoding="identity")).content
                assert (await visitor.get(path, Accept_Encoding="br")).headers["content-encoding"] == "br"
            [folder] = (Path(server.environ["GUESTPASS_DATA_DIR"]) / "assets").iterdir()
            assert await server.stop() == 0
            found, _ = scan(folder)
            assert len(found) >= 2 * len(paths)
            for label, file in found:
                [damage] = [name for name, path in paths.items() if path.encode() == label.path]
                DAMAGES[damage](file)
            for number in range(2_000):
                (folder / f"stray{number}.asset").touch()
            os.mkfifo(folder / "stray.asset")
            await server.start()
            for path, plain in before.items():
                for coding in ("identity", "br", "gzip"):
                    answer = await visitor.get(path, Accept_Encoding=coding)
                    assert (answer.status_code, answer.content) == (200, plain), (path, coding)
            assert server.log.count('"assets_broken"') == 1
            # What was noticed when it was read is said once a minute at most.
            assert server.log.count('"asset_lost"') <= 1

            async def is_kept() -> bool:
                odoo.forget()
                for path, plain in before.items():
                    assert (await visitor.get(path, Accept_Encoding="identity")).content == plain
                return odoo.requests() == []

            await until(is_kept)
            assert not list(folder.glob("stray*"))
        # No thread waits for a pipe.
        assert await server.stop() == 0


def _replace_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        file.unlink()
        make(file)

    return damage


def _change_body(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:BLOCK] + bytes(byte ^ 1 for byte in data[BLOCK:]))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: os.truncate(file, file.stat().st_size - 1),
    "empty": lambda file: os.truncate(file, 0),
    "other bytes": _change_body,
    "a folder": _replace_by(Path.mkdir),
    "a pipe": _replace_by(os.mkfifo),
    "a link to itself": _replace_by(lambda file: file.symlink_to(file.name)),
    "a link to a device": _replace_by(lambda file: file.symlink_to("/dev/zero")),
    "not to be read": lambda file: file.chmod(0),
}
