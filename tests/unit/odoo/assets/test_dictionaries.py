"""A bundle in terms of the one before it (RFC 9842)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import zlib
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import zstandard
from tests.unit.odoo.assets.test_cache import (
    BUNDLE,
    CHROMIUM,
    CSS,
    ENVIRONMENT,
    TAG,
    Clock,
    Odoo,
    get,
    key,
    sent,
    serving,
    stored,
    value,
)

from guestpass.odoo.assets import cache as cache_module
from guestpass.odoo.assets import dictionaries
from guestpass.odoo.assets.cache import AssetCache, AssetKey
from guestpass.odoo.assets.dictionaries import Delta, offer
from guestpass.odoo.assets.files import Label, Writer
from guestpass.odoo.assets.responses import AssetResponse
from guestpass.wire.heads import RequestHead

NEXT = BUNDLE.replace(b"9a3b89c", b"0c5a1f7")
CHANGED = CSS[:90_000] + b".o_changed { color: red; }\n" + CSS[90_100:]
WITH_DICTIONARIES = f"{CHROMIUM}, dcb, dcz"
OFFER = b'match="/web/assets/*/web.assets_web.min.js"'


def available(body: bytes) -> str:
    return f"Available-Dictionary: :{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def asks(body: bytes = CSS, *fields: str, accepts: str = WITH_DICTIONARIES, method: str = "GET") -> RequestHead:
    """A request of a browser that still has `body`."""
    return get(accepts, available(body), *fields, path=NEXT, method=method)


def redeployed() -> Odoo:
    odoo = Odoo()
    odoo.has(NEXT, CHANGED, '"the-next"')
    return odoo


async def reply_to(cache: AssetCache, odoo: Odoo, asking: RequestHead, path: bytes = NEXT) -> AssetResponse:
    return cache.answer(await stored(cache, odoo, path, asking), asking)


def read(data: bytes, dictionary: bytes) -> bytes:
    """Decode by the letter of RFC 9842, section 3.2."""
    assert data[:8] == bytes((0x5E, 0x2A, 0x4D, 0x18, 0x20, 0x00, 0x00, 0x00))
    assert data[8:40] == hashlib.sha256(dictionary).digest()
    raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdDecompressor(dict_data=raw).decompressobj().decompress(data[40:])


async def test_who_has_the_bundle_before_gets_what_changed_at_the_first_request(tmp_path: Path) -> None:
    odoo = redeployed()
    async with serving(tmp_path) as cache:
        before = await reply_to(cache, odoo, get(CHROMIUM), BUNDLE)
        assert value(before.head, b"use-as-dictionary") == OFFER
        asking = asks()
        reply = await reply_to(cache, odoo, asking)
        body = await sent(reply)
        assert value(reply.head, b"content-encoding") == b"dcz"
        assert value(reply.head, b"vary") == b"Accept-Encoding, Available-Dictionary"
        assert value(reply.head, b"etag") == b'W/"the-next--dcz"'
        assert value(reply.head, b"content-type") == b"application/javascript; charset=utf-8"
        assert reply.head.content_length == len(body) < 500
        assert read(body, CSS) == CHANGED
        # It may be the dictionary of the one after it.
        assert value(reply.head, b"use-as-dictionary") == OFFER
        # Whoever comes next gets the same at once, with the same head.
        assert cache.peek(key(NEXT), asking) is not None
        again = cache.answer(await stored(cache, odoo, NEXT, asking), asking)
        assert again.head is reply.head
        assert await sent(again) == body


async def test_head_has_the_length_of_what_get_would_send(tmp_path: Path) -> None:
    odoo = redeployed()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
        whole = await reply_to(cache, odoo, asks())
        reply = await reply_to(cache, odoo, asks(method="HEAD"))
        assert (reply.body, reply.head.content_length) == (None, whole.head.content_length)


@pytest.mark.parametrize(
    "asking",
    [
        get(CHROMIUM, path=NEXT),
        get(WITH_DICTIONARIES, path=NEXT),
        asks(accepts=CHROMIUM),
        asks(accepts="Accept-Encoding: gzip, *"),
        asks(accepts="Accept-Encoding: gzip, dcz;q=0"),
        asks(accepts="Accept-Encoding: gzip, dcz;q=0.5"),
        asks(b"what nobody has"),
        get(WITH_DICTIONARIES, "Available-Dictionary: :AAAA:", path=NEXT),
        get(WITH_DICTIONARIES, "Available-Dictionary: " + "A" * 43 + "=", path=NEXT),
        get(WITH_DICTIONARIES, available(CSS) + ", " + available(CSS).partition(" ")[2], path=NEXT),
        asks(CSS, "Range: bytes=0-99"),
    ],
)
async def test_all_others_get_what_they_got_before(tmp_path: Path, asking: RequestHead) -> None:
    odoo = redeployed()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
        await reply_to(cache, odoo, asks())
        reply = await reply_to(cache, odoo, asking)
        assert value(reply.head, b"content-encoding") in (None, b"zstd", b"br", b"gzip")


async def test_who_holds_it_is_told_so(tmp_path: Path) -> None:
    odoo = redeployed()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
        tag = 'If-None-Match: W/"the-next--dcz"'
        for asking in (asks(CSS, tag), get(WITH_DICTIONARIES, tag, path=NEXT)):
            reply = await reply_to(cache, odoo, asking)
            assert (reply.head.status, value(reply.head, b"etag")) == (304, b'W/"the-next--dcz"')
        # A client that no longer takes the coding does not have it.
        assert (await reply_to(cache, odoo, get(CHROMIUM, tag, path=NEXT))).head.status == 200


async def test_no_dictionary_of_another_environment_or_another_bundle_is_used(tmp_path: Path) -> None:
    odoo = redeployed()
    other = BUNDLE.replace(b"assets_web", b"assets_other")
    odoo.has(other, CSS[::-1])
    async with serving(tmp_path) as cache:
        elsewhere = AssetKey.of(replace(ENVIRONMENT, created_at=ENVIRONMENT.created_at.replace(day=2)), BUNDLE)
        await cache.get(elsewhere, get(), odoo.fetch())
        await stored(cache, odoo, other)
        for held in (CSS, CSS[::-1]):
            assert value((await reply_to(cache, odoo, asks(held))).head, b"content-encoding") == b"zstd"


async def test_a_dictionary_is_kept_over_a_restart_and_when_the_address_changes(tmp_path: Path) -> None:
    odoo = redeployed()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
    async with serving(tmp_path) as cache:
        moved = AssetKey.of(replace(ENVIRONMENT, revision=2), NEXT)
        asking = asks()
        asset = await cache.get(moved, asking, odoo.fetch(NEXT))
        assert asset is not None
        assert read(await sent(cache.answer(asset, asking)), CSS) == CHANGED


async def test_a_dictionary_goes_with_its_asset(tmp_path: Path) -> None:
    odoo, clock = redeployed(), Clock()
    async with serving(tmp_path, clock=clock) as cache:
        await stored(cache, odoo)
        odoo.has(BUNDLE, CHANGED, '"another"')
        clock.now += 100
        await stored(cache, odoo)
        assert value((await reply_to(cache, odoo, asks())).head, b"content-encoding") == b"zstd"


async def test_a_dictionary_that_was_changed_on_the_disk_is_not_used(tmp_path: Path) -> None:
    odoo = redeployed()
    async with serving(tmp_path) as cache:
        file = (await stored(cache, odoo)).plain.path
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        assert value((await reply_to(cache, odoo, asks())).head, b"content-encoding") == b"zstd"


async def test_a_bundle_that_has_little_in_common_is_sent_as_always_and_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odoo = Odoo()
    odoo.has(NEXT, Random(1).randbytes(100_000).hex().encode())
    tries = _counted(monkeypatch)
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
        for _ in range(3):
            assert value((await reply_to(cache, odoo, asks())).head, b"content-encoding") != b"dcz"
    assert len(tries) == 1


async def test_visitors_who_come_together_cost_one_compression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odoo = redeployed()
    tries = _counted(monkeypatch)
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
        replies = await asyncio.gather(*(reply_to(cache, odoo, asks()) for _ in range(5)))
        assert {value(reply.head, b"content-encoding") for reply in replies} == {b"dcz"}
    assert len(tries) == 1


async def test_a_bundle_is_compressed_with_a_bounded_number_of_dictionaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odoo = redeployed()
    tries = _counted(monkeypatch)
    held = [CSS + b"%d" % number for number in range(12)]
    async with serving(tmp_path) as cache:
        for number, body in enumerate(held):
            path = BUNDLE.replace(b"9a3b89c", b"%07x" % number)
            odoo.has(path, body)
            await stored(cache, odoo, path)
        codings = [value((await reply_to(cache, odoo, asks(body))).head, b"content-encoding") for body in held]
    assert codings == [b"dcz"] * 8 + [b"zstd"] * 4
    assert len(tries) == 8


async def test_what_was_made_has_a_bounded_place_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odoo = redeployed()
    monkeypatch.setattr(cache_module, "_MEMORY_FOR_DELTAS", 0)
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
        for _ in range(2):
            assert value((await reply_to(cache, odoo, asks())).head, b"content-encoding") == b"zstd"
        assert (cache._deltas_size, len(cache._deltas)) == (0, 0)


async def test_files_of_modules_and_short_bundles_are_no_dictionaries(tmp_path: Path) -> None:
    odoo = Odoo()
    script, short = b"/web/static/src/long.js", BUNDLE.replace(b"_web.", b"_short.")
    odoo.has(script, CSS, TAG, odoo.heads[BUNDLE].replace(b"max-age=31536000, immutable", b"max-age=604800"))
    odoo.has(short, CSS[:60_000])
    async with serving(tmp_path) as cache:
        for path in (script, short):
            reply = cache.answer(await stored(cache, odoo, path), get(path=path))
            assert value(reply.head, b"use-as-dictionary") is None
            assert value(reply.head, b"vary") == b"Accept-Encoding"


async def test_what_an_older_version_kept_is_served_but_is_no_dictionary(tmp_path: Path) -> None:
    odoo = redeployed()
    async with serving(tmp_path) as cache:
        file = (await stored(cache, odoo)).plain
    file.path.write_bytes(_without_digest(file.label.encode()) + file.path.read_bytes()[4096:])
    async with serving(tmp_path) as cache:
        reply = await reply_to(cache, odoo, get(path=BUNDLE), BUNDLE)
        assert await sent(reply) == CSS
        assert value(reply.head, b"use-as-dictionary") is None
        assert [conditions for path, conditions in odoo.asked if path == BUNDLE][-1] != ()


@pytest.mark.parametrize(
    ("path", "match"),
    [
        (b"/web/assets/9a3b89c/web.assets_web.min.js", b"/web/assets/*/web.assets_web.min.js"),
        (b"/web/assets/1/9a3b89c/web.assets_frontend.rtl.min.css", b"/web/assets/*/web.assets_frontend.rtl.min.css"),
        (b"/web/assets/4711-9a3b89c/web.assets_backend.min.js", b"/web/assets/*/web.assets_backend.min.js"),
        # What means something in a URL pattern.
        (b"/web/assets/9a3b89c/web(.*).js", None),
        (b"/web/assets/9a3b89c/*", None),
        (b"/web/assets/9a3b89c/:name", None),
        (b"/web/assets/9a3b89c/a+b.js", None),
        (b"/web/assets/9a3b89c/web%22.js", None),
        (b"/web/static/lib/long.js", None),
    ],
)
def test_an_offer_is_for_bundles_of_the_same_name(path: bytes, match: bytes | None) -> None:
    assert offer(path, 1_000_000) == (b"" if match is None else b'match="%b"' % match)


@pytest.mark.parametrize("megabytes", [1, 9])
def test_no_window_is_larger_than_clients_must_support(tmp_path: Path, megabytes: int) -> None:
    """RFC 9842, section 3.2: 8 MiB, or 1.25 times the dictionary."""
    before = Random(megabytes).randbytes(megabytes * 1024 * 1024)
    after = before[: len(before) // 2] + b"changed" + before[len(before) // 2 :]
    made = _compressed(tmp_path, before, after)
    assert made is not None
    assert len(made.body) < 2_000
    assert read(made.body, before) == after
    window = zstandard.get_frame_parameters(made.body[40:]).window_size
    assert window <= max(8 * 1024 * 1024, len(before) * 5 // 4)


def test_a_body_that_needs_a_larger_window_is_left_alone(tmp_path: Path) -> None:
    assert _compressed(tmp_path, CSS, b"x" * (9 * 1024 * 1024)) is None


def _compressed(folder: Path, before: bytes, after: bytes) -> Delta | None:
    files = [_written(folder / name, body) for name, body in (("before.part", before), ("after.part", after))]
    return dictionaries.compress_with(files[1], files[0], hashlib.sha256(before).hexdigest())


def _written(path: Path, body: bytes) -> Path:
    writer = Writer(path)
    writer.write(body)
    return writer.finish(Label("default/staging@", 1, BUNDLE, "1", ()))[1]


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Note each compression with a dictionary."""
    tries: list[tuple[object, ...]] = []
    compress_with = dictionaries.compress_with

    def noting(source: Path, dictionary: Path, digest: str) -> Delta | None:
        tries.append((source, dictionary, digest))
        return compress_with(source, dictionary, digest)

    monkeypatch.setattr(cache_module, "compress_with", noting)
    return tries


def _without_digest(block: bytes) -> bytes:
    """The label as the version before wrote it."""
    said = json.loads(block.partition(b"\n")[2])
    del said["digest"]
    text = json.dumps(said).encode()
    return (b"guestpass asset 1 %08x\n%b\n" % (zlib.crc32(text), text)).ljust(4096, b"\n")
