"""Assets in a real folder, fetched from a stand-in that says what Odoo says."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time as real_time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import brotli  # type: ignore[import-untyped]
import pytest
import structlog
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gateway.requests import request

from guestpass.domain.environment import Environment, EnvironmentKey, Kind
from guestpass.odoo.assets.bodies import Body, GoneError
from guestpass.odoo.assets.cache import AssetCache, AssetKey, Fetch, FetchedAsset, is_cacheable, press, refusal
from guestpass.odoo.assets.files import BLOCK
from guestpass.odoo.assets.responses import Asset, AssetResponse, is_answerable
from guestpass.odoo.http.compression import Effort, Encoding
from guestpass.wire.heads import RequestHead, ResponseHead, read_response_head

BUNDLE = b"/web/assets/9a3b89c/web.assets_web.min.js"
ICON = b"/web/static/img/favicon.ico"
CHROMIUM = "Accept-Encoding: gzip, deflate, br, zstd"
WORDS = [f"o_{Random(number).randbytes(4).hex()}" for number in range(400)]
CSS = "".join(
    f".{' .'.join(Random(number).sample(WORDS, 4))} {{ display: flex; }}\n" for number in range(4_000)
).encode()
TAG = '"433689c8aaa33312e6579e3edb7b41e0135fc30e"'
STATIC_CONTROL = "public, max-age=604800"
LAST_MODIFIED = "Mon, 23 Nov 2026 06:41:07 GMT"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def bundle_head(
    length: int | None,
    tag: str = TAG,
    *,
    without: str = "",
    status: str = "200 OK",
    control: str = "public, max-age=31536000, immutable",
    extra: str = "",
) -> bytes:
    lines = [
        f"HTTP/1.0 {status}",
        "Server: Werkzeug/2.2.2 Python/3.11.7",
        "Content-Type: application/javascript; charset=utf-8",
        "Set-Cookie: session_id=ours; Path=/",
        "X-Content-Type-Options: nosniff",
        f"Last-Modified: {LAST_MODIFIED}",
        f"ETag: {tag}",
        f"Cache-Control: {control}",
        "Expires: Tue, 23 Nov 2027 06:41:07 GMT",
        *([] if length is None else [f"Content-Length: {length}"]),
        *filter(None, [extra]),
    ]
    kept = [line for line in lines if not without or not line.startswith(f"{without}:")]
    return ("\r\n".join(kept) + "\r\n\r\n").encode()


@dataclass
class Odoo:
    """What there is to fetch, and what was asked for; `gate`, while it is closed, keeps answers from beginning."""

    heads: dict[bytes, bytes] = field(default_factory=dict)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    asked: list[tuple[bytes, tuple[tuple[bytes, bytes], ...]]] = field(default_factory=list)
    ended: int = 0
    breaks_after: int | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.has(BUNDLE, CSS)

    def has(self, path: bytes, body: bytes, tag: str = TAG, head: bytes | None = None) -> None:
        self.heads[path] = bundle_head(len(body), tag) if head is None else head
        self.bodies[path] = body

    def fetch(self, path: bytes = BUNDLE) -> Fetch:
        @asynccontextmanager
        async def asking(conditions: Sequence[tuple[bytes, bytes]]) -> AsyncIterator[FetchedAsset]:
            self.asked.append((path, tuple(conditions)))
            try:
                await self.gate.wait()
                if path not in self.heads:
                    raise ConnectionError("refused")
                head = read_response_head(self.heads[path])
                tag = next((value for lower, _, value in head.fields if lower == b"etag"), b"")
                if head.status == 200 and (b"If-None-Match", tag) in conditions:
                    head = read_response_head(b"HTTP/1.0 304 NOT MODIFIED\r\nETag: %b\r\n\r\n" % tag)
                yield FetchedAsset(head, self._pieces(path))
            finally:
                self.ended += 1

        return asking

    async def _pieces(self, path: bytes) -> AsyncIterator[bytes]:
        body = self.bodies[path]
        for start in range(0, len(body), 50_000):
            if self.breaks_after is not None and start >= self.breaks_after:
                raise ConnectionResetError("cut off")
            await asyncio.sleep(0)
            yield body[start : start + 50_000]


ENVIRONMENT = Environment(
    key=EnvironmentKey("default", "staging"),
    name="Staging",
    url="http://10.0.0.5:8069",
    websocket_url=None,
    kind=Kind.ODOO,
    description=None,
    tls_verify=True,
    body_limit=1,
    response_timeout=timedelta(seconds=1),
    maintenance=None,
    revision=1,
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
    created_by="owner",
)


def key(path: bytes = BUNDLE) -> AssetKey:
    return AssetKey.of(ENVIRONMENT, path)


def get(*fields: str, path: bytes = BUNDLE, method: str = "GET") -> RequestHead:
    return request(f"{method} {path.decode()}", *fields)


PLAIN = get()


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = real_time.monotonic() + seconds
    while not holds():
        assert real_time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    folder: Path, *, clock: Clock | None = None, size_limit: int = 10**9, patience: float = 20.0, recheck: float = 60.0
) -> AsyncIterator[AssetCache]:
    with ThreadPoolExecutor(4) as threads:
        cache = AssetCache(
            folder / "assets",
            size_limit=size_limit,
            threads=threads,
            time=clock or Clock(),
            patience=patience,
            recheck=recheck,
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(cache.run())
            await until(lambda: cache.is_running)
            try:
                yield cache
            finally:
                running.cancel()


async def sent(reply: AssetResponse) -> bytes:
    """The body as a visitor gets it."""
    if reply.body is None:
        return b""
    await reply.body.open()
    try:
        return b"".join([piece async for piece in _pieces(reply)])
    finally:
        reply.body.close()


async def _pieces(reply: AssetResponse) -> AsyncIterator[bytes]:
    assert reply.body is not None
    while piece := await reply.body.read():
        yield piece


def values(head: ResponseHead, name: bytes) -> list[bytes]:
    return [value for lower, _, value in head.fields if lower == name]


def value(head: ResponseHead, name: bytes) -> bytes | None:
    return next(iter(values(head, name)), None)


def decoded(reply: AssetResponse, data: bytes) -> bytes:
    coding = value(reply.head, b"content-encoding")
    if coding == b"zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if coding == b"br":
        return bytes(brotli.decompress(data))
    return zlib.decompress(data, 16 + zlib.MAX_WBITS) if coding == b"gzip" else data


async def stored(cache: AssetCache, odoo: Odoo, path: bytes = BUNDLE, asking: RequestHead = PLAIN) -> Asset:
    asset = await cache.get(key(path), asking, odoo.fetch(path))
    assert asset is not None
    return asset


def files(folder: Path, suffix: str = ".asset") -> list[Path]:
    return sorted(path for path in (folder / "assets").iterdir() if path.suffix == suffix)


# Which paths


@pytest.mark.parametrize(
    "path",
    [
        b"/web/assets/c5b12ed/web.assets_web.min.css",
        b"/web/assets/1/26ec3a8/web.assets_frontend_lazy.min.js",
        b"/web/assets/4517-0479d1f/1/web.assets_common.min.js",
        b"/web/static/lib/odoo_ui_icons/fonts/odoo_ui_icons.woff2",
        b"/mail/static/src/audio/dm_02.ogg",
        b"/my_module/static/x",
    ],
)
def test_bundles_and_static_files_can_be_kept(path: bytes) -> None:
    assert is_cacheable(path)
    assert not is_cacheable(path, b"?v=1"), "a query is another spelling"
    assert not is_cacheable(b"/en" + path), "so is a language"


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/web/webclient/load_menus/7fb7a51c638fb8cea2679d55189c22744b69b985a504",
        b"/web/webclient/translations/9a778495d756d19e5ad780ce270672417a080cf5",
        b"/website/translations/f190600fcc2c8abbccf8cd90fa8dc7eea184a24d",
        b"/web/image/website/1/logo/My%20Website",
        b"/web/image/res.partner/3/avatar_128",
        b"/web/content/1112",
        b"/web/assets/debug/web.assets_web.js",
        b"/web/assets/any/web.assets_web.js",
        b"/web/assets/c5b12ed",
        b"/web/assets/c5b12ed/",
        b"/web/assets/c5b12ed/../../x/y",
        b"/web/static/",
        b"/web/static",
        b"/web/static//x.js",
        b"/web/static/./x.js",
        b"/web/static/../database/manager",
        b"/web/static/..",
        b"/web/static/%2e%2e/x",
        b"/web/static/a%20b.png",
        b"/web/static/x\\y",
        b"//web/static/x.js",
        b"/web/Static/x.js",
        b"/web/static/x/" + b"y" * 1024,
        b"/bus/websocket_worker_bundle",
        b"/web/service-worker.js",
        # Public by their Cache-Control, and different for each user.
        b"/web/webclient/load_menus",
        b"/web/webclient/load_menus/c5b12ed1c5b12ed1c5b12ed1c5b12ed1c5b12ed1",
        b"/web/webclient/translations",
        b"/web/webclient/translations/c5b12ed1c5b12ed1c5b12ed1c5b12ed1c5b12ed1",
        b"/website/translations/c5b12ed1c5b12ed1c5b12ed1c5b12ed1c5b12ed1",
    ],
)
def test_nothing_else_is_kept_nor_in_another_spelling(path: bytes) -> None:
    assert not is_cacheable(path)


@given(st.binary(max_size=60))
def test_no_path_that_is_kept_has_two_spellings(tail: bytes) -> None:
    path = b"/web/static/" + tail
    if is_cacheable(path):
        assert b"%" not in path
        assert not {b"", b".", b".."} & set(path[1:].split(b"/"))


# Which answers


def test_answers_as_odoo_gives_them_are_kept() -> None:
    assert refusal(BUNDLE, read_response_head(bundle_head(10))) is None
    assert refusal(BUNDLE, read_response_head(bundle_head(10, extra="Vary: accept-encoding"))) is None
    static = bundle_head(10, '"1795502067-1150-566105108"', control=STATIC_CONTROL)
    assert refusal(ICON, read_response_head(static)) is None
    assert refusal(BUNDLE, read_response_head(static)) is not None, "what is said of files is not true of bundles"
    assert refusal(ICON, read_response_head(bundle_head(10))) is not None


@pytest.mark.parametrize(
    "head",
    [
        bundle_head(10, status="303 SEE OTHER"),
        bundle_head(10, status="404 NOT FOUND"),
        bundle_head(10, status="206 PARTIAL CONTENT"),
        bundle_head(None),
        bundle_head(10, without="Cache-Control"),
        bundle_head(10, without="ETag"),
        bundle_head(10, extra='ETag: "another"'),
        bundle_head(10, "unquoted"),
        bundle_head(10, extra="Cache-Control: no-transform"),
        bundle_head(10, extra="Cache-Control: private"),
        bundle_head(10, control="public, max-age=31536000"),
        bundle_head(10, control="no-cache"),
        bundle_head(10, extra="Vary: Cookie"),
        bundle_head(10, extra="Vary: Accept-Encoding, Cookie"),
        bundle_head(10, extra="Vary: *"),
        bundle_head(10, extra="Content-Encoding: gzip"),
        bundle_head(10, extra="Access-Control-Allow-Origin: https://share.example.com"),
    ],
)
async def test_any_other_answer_is_not_kept_and_not_asked_for_again_at_once(tmp_path: Path, head: bytes) -> None:
    odoo, clock = Odoo(), Clock()
    odoo.has(BUNDLE, b"0123456789", head=head)
    async with serving(tmp_path, clock=clock) as cache:
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        assert len(odoo.asked) == 1, "visitors ask for themselves, and Odoo is not asked twice each time"
        assert files(tmp_path) == []
        odoo.has(BUNDLE, CSS)
        clock.now += 61
        assert await cache.get(key(), PLAIN, odoo.fetch()) is not None, "it may be different later"


async def test_an_odoo_that_is_busy_says_nothing_about_the_asset(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.has(BUNDLE, b"", head=bundle_head(0, status="503 SERVICE UNAVAILABLE"))
    async with serving(tmp_path) as cache:
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        odoo.has(BUNDLE, CSS)
        assert await cache.get(key(), PLAIN, odoo.fetch()) is not None


# Answers


async def test_what_was_kept_is_answered_without_asking_odoo(tmp_path: Path) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        asset = await stored(cache, odoo)
        for _ in range(3):
            again = await stored(cache, odoo)
            reply = cache.answer(again, PLAIN)
            assert await sent(reply) == CSS
        assert cache.peek(key(), PLAIN) is asset
        assert odoo.asked == [(BUNDLE, ())]
        head = reply.head
        assert (head.status, head.content_length) == (200, len(CSS))
        assert value(head, b"content-type") == b"application/javascript; charset=utf-8"
        assert value(head, b"cache-control") == b"public, max-age=31536000, immutable"
        assert value(head, b"x-content-type-options") == b"nosniff"
        assert value(head, b"etag") == TAG.encode()
        assert value(head, b"vary") == b"Accept-Encoding, Available-Dictionary"
        assert value(head, b"accept-ranges") == b"bytes"
        for name in (b"set-cookie", b"server", b"expires", b"content-encoding"):
            assert values(head, name) == []
        assert b"session_id" not in b"".join(path.read_bytes() for path in files(tmp_path))


async def test_files_are_nobody_elses_to_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as cache:
        await stored(cache, Odoo(), asking=get(CHROMIUM))
        assert {path.stat().st_mode & 0o777 for path in files(tmp_path)} == {0o600}
        assert (tmp_path / "assets").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("coding", [b"zstd", b"br", b"gzip"])
async def test_the_first_visitor_already_gets_a_compressed_form(tmp_path: Path, coding: bytes) -> None:
    asking = get(f"Accept-Encoding: {coding.decode()}")
    async with serving(tmp_path) as cache:
        reply = cache.answer(await stored(cache, Odoo(), asking=asking), asking)
        data = await sent(reply)
        assert value(reply.head, b"content-encoding") == coding
        assert value(reply.head, b"etag") == b'W/"433689c8aaa33312e6579e3edb7b41e0135fc30e--%b"' % coding
        assert value(reply.head, b"vary") == b"Accept-Encoding, Available-Dictionary"
        assert values(reply.head, b"accept-ranges") == []
        assert reply.head.content_length == len(data) < len(CSS) / 4
        assert decoded(reply, data) == CSS


async def test_the_best_form_follows_in_the_background_and_is_kept(tmp_path: Path) -> None:
    odoo, asking = Odoo(), get(CHROMIUM)
    async with serving(tmp_path) as cache:
        asset = await stored(cache, odoo, asking=asking)
        first = cache.answer(asset, asking)
        assert value(first.head, b"content-encoding") == b"zstd"
        await until(lambda: Encoding.BROTLI in asset.forms)
        best = cache.answer(asset, asking)
        assert value(best.head, b"content-encoding") == b"br"
        assert (best.head.content_length or 0) < (first.head.content_length or 0)
        assert decoded(best, await sent(best)) == CSS
        assert decoded(first, await sent(first)) == CSS, "the form that a visitor was promised stays"
    async with serving(tmp_path) as cache:
        again = cache.answer(await stored(cache, odoo, asking=asking), asking)
        assert value(again.head, b"content-encoding") == b"br"
        assert decoded(again, await sent(again)) == CSS


async def test_the_best_form_takes_the_place_of_the_quick_one_in_its_coding(tmp_path: Path) -> None:
    asking = get("Accept-Encoding: br")
    async with serving(tmp_path) as cache:
        asset = await stored(cache, Odoo(), asking=asking)
        quick = asset.forms[Encoding.BROTLI]
        await until(lambda: asset.forms[Encoding.BROTLI].effort is Effort.BEST)
        await until(lambda: not quick.path.exists())
        assert len(files(tmp_path)) == 2
        assert cache.size == sum(-(-path.stat().st_size // 4096) * 4096 for path in files(tmp_path))


async def test_small_and_incompressible_assets_have_one_form(tmp_path: Path) -> None:
    odoo, asking = Odoo(), get(CHROMIUM)
    noise, small = Random(1).randbytes(5000), b"/web/assets/9a3b89c/small.js"
    odoo.has(BUNDLE, noise)
    odoo.has(small, b"x" * 1024)
    async with serving(tmp_path) as cache:
        for path, body in ((BUNDLE, noise), (small, b"x" * 1024)):
            reply = cache.answer(await stored(cache, odoo, path, asking), asking)
            assert await sent(reply) == body
            assert values(reply.head, b"content-encoding") == []
            assert cache.peek(key(path), asking) is not None, "nothing is left to be made"
        assert value(reply.head, b"vary") is None


async def test_head_is_answered_as_get_but_without_a_body(tmp_path: Path) -> None:
    async with serving(tmp_path) as cache:
        for accept in (CHROMIUM, "Accept: */*"):
            asset = await stored(cache, Odoo(), asking=get(accept, method="HEAD"))
            whole = cache.answer(asset, get(accept))
            head_only = cache.answer(asset, get(accept, "Range: bytes=0-1", method="HEAD"))
            assert head_only.body is None
            assert head_only.head.status == 200
            assert head_only.head.fields == whole.head.fields
            assert head_only.head.content_length == whole.head.content_length


def test_writers_conditions_and_other_methods_are_left_to_odoo() -> None:
    assert is_answerable(get())
    assert is_answerable(get(method="HEAD"))
    assert not is_answerable(get(method="POST"))
    assert not is_answerable(get('If-Match: "x"'))
    assert not is_answerable(get("If-Unmodified-Since: Mon, 23 Nov 2026 06:41:07 GMT"))
    assert not is_answerable(get("Content-Length: 1"))


# Conditions

OPAQUE = TAG.strip('"')


@pytest.mark.parametrize(
    ("fields", "status", "tag"),
    [
        ((f"If-None-Match: {TAG}",), 304, TAG),
        ((f"If-None-Match: W/{TAG}",), 304, TAG),
        ((f'If-None-Match: "a", {TAG}, "b"',), 304, TAG),
        (("If-None-Match: *",), 304, TAG),
        (('If-None-Match: "another"',), 200, TAG),
        ((f'If-None-Match: W/"{OPAQUE}--br"',), 200, TAG),
        (("Accept-Encoding: br", f'If-None-Match: W/"{OPAQUE}--br"'), 304, f'W/"{OPAQUE}--br"'),
        (("Accept-Encoding: br, gzip", f'If-None-Match: W/"{OPAQUE}--gzip"'), 304, f'W/"{OPAQUE}--gzip"'),
        (("Accept-Encoding: br", f'If-None-Match: W/"{OPAQUE}--gzip"'), 200, f'W/"{OPAQUE}--br"'),
        (("Accept-Encoding: br", f"If-None-Match: {TAG}"), 304, TAG),
        ((f"If-Modified-Since: {LAST_MODIFIED}",), 304, TAG),
        (("If-Modified-Since: Mon, 23 Nov 2026 06:41:08 GMT",), 304, TAG),
        (("If-Modified-Since: Mon, 23 Nov 2026 06:41:06 GMT",), 200, TAG),
        (("If-Modified-Since: yesterday",), 200, TAG),
        (("If-Modified-Since: Mon, 23 Nov 99999 06:41:06 GMT",), 200, TAG),
        (("If-Modified-Since: Mon, 23 Nov 2026 06:41:08",), 200, TAG),
        (('If-None-Match: "another"', f"If-Modified-Since: {LAST_MODIFIED}"), 200, TAG),
        ((f"If-None-Match: {TAG}", "Range: bytes=0-1"), 304, TAG),
    ],
)
async def test_who_has_it_is_told_so(tmp_path: Path, fields: tuple[str, ...], status: int, tag: str) -> None:
    async with serving(tmp_path) as cache:
        asset = await stored(cache, Odoo(), asking=get(*fields))
        reply = cache.answer(asset, get(*fields))
        assert reply.head.status == status
        assert value(reply.head, b"etag") == tag.encode()
        if status == 304:
            assert reply.body is None
            assert reply.head.content_length is None
            assert value(reply.head, b"vary") == b"Accept-Encoding, Available-Dictionary"
            assert value(reply.head, b"cache-control") == b"public, max-age=31536000, immutable"
            for name in (b"content-type", b"content-encoding", b"content-length", b"last-modified", b"accept-ranges"):
                assert values(reply.head, name) == []


# Ranges


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=10-", 10, len(CSS) - 1),
        ("bytes=-7", len(CSS) - 7, len(CSS) - 1),
        (f"bytes=5-{len(CSS) + 5}", 5, len(CSS) - 1),
        (f"bytes=-{len(CSS) + 5}", 0, len(CSS) - 1),
        ("Bytes = 1-2", 1, 2),
    ],
)
async def test_a_range_is_one_of_the_plain_form(tmp_path: Path, wanted: str, first: int, last: int) -> None:
    asking = get(CHROMIUM, f"Range: {wanted}")
    async with serving(tmp_path) as cache:
        await stored(cache, Odoo(), asking=get(CHROMIUM))
        reply = cache.answer(await stored(cache, Odoo(), asking=asking), asking)
        assert reply.head.status == 206
        assert value(reply.head, b"content-range") == b"bytes %d-%d/%d" % (first, last, len(CSS))
        assert reply.head.content_length == last - first + 1
        assert value(reply.head, b"etag") == TAG.encode()
        assert values(reply.head, b"content-encoding") == []
        assert await sent(reply) == CSS[first : last + 1]


@pytest.mark.parametrize("wanted", [f"bytes={len(CSS)}-", f"bytes={len(CSS) + 1}-{len(CSS) + 9}", "bytes=-0"])
async def test_a_range_behind_the_end_can_not_be_satisfied(tmp_path: Path, wanted: str) -> None:
    async with serving(tmp_path) as cache:
        reply = cache.answer(await stored(cache, Odoo()), get(f"Range: {wanted}"))
        assert (reply.head.status, reply.head.content_length, reply.body) == (416, 0, None)
        assert value(reply.head, b"content-range") == b"bytes */%d" % len(CSS)


@pytest.mark.parametrize(
    "fields",
    [
        ("Range: bytes=0-1,5-6",),
        ("Range: bytes=5-2",),
        ("Range: bytes=-",),
        ("Range: bytes=a-b",),
        ("Range: lines=0-1",),
        ("Range: bytes=0-1", 'If-Range: "another"'),
        ("Range: bytes=0-1", f"If-Range: W/{TAG}"),
        ("Range: bytes=0-1", f'If-Range: W/"{OPAQUE}--br"'),
        ("Range: bytes=0-1", f"If-Range: {LAST_MODIFIED}"),
    ],
)
async def test_what_is_no_range_of_this_very_body_gets_all_of_it(tmp_path: Path, fields: tuple[str, ...]) -> None:
    async with serving(tmp_path) as cache:
        reply = cache.answer(await stored(cache, Odoo()), get(*fields))
        assert reply.head.status == 200
        assert await sent(reply) == CSS


async def test_a_range_of_this_very_body_can_be_resumed(tmp_path: Path) -> None:
    async with serving(tmp_path) as cache:
        reply = cache.answer(await stored(cache, Odoo()), get("Range: bytes=100-", f"If-Range: {TAG}"))
        assert await sent(reply) == CSS[100:]
        odoo = Odoo()
        odoo.has(
            ICON,
            CSS,
            head=bundle_head(len(CSS), f"W/{TAG}", control=STATIC_CONTROL),
        )
        weak = cache.answer(await stored(cache, odoo, ICON), get("Range: bytes=100-", f"If-Range: W/{TAG}"))
        assert weak.head.status == 200, "a weak tag does not promise the same bytes"


async def test_ranges_agree_with_slices_whatever_they_are(tmp_path: Path) -> None:
    body = bytes(range(40))
    odoo = Odoo()
    odoo.has(BUNDLE, body)
    async with serving(tmp_path) as cache:
        asset = await stored(cache, odoo)
        for first in range(45):
            for last in range(first, 45):
                reply = cache.answer(asset, get(f"Range: bytes={first}-{last}"))
                assert await sent(reply) == body[first : last + 1]
                assert reply.head.status == (206 if first < 40 else 416)


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
async def test_no_range_makes_answering_fail(tmp_path_factory: pytest.TempPathFactory, wanted: str) -> None:
    async with serving(tmp_path_factory.mktemp("range")) as cache:
        asset = await stored(cache, Odoo())
        for prefix in ("", "bytes="):
            assert cache.answer(asset, get(f"Range: {prefix}{wanted.strip()}")).head.status in (200, 206, 416)


# Together and alone


async def test_visitors_who_come_together_cost_one_request(tmp_path: Path) -> None:
    odoo, asking = Odoo(), get(CHROMIUM)
    odoo.gate.clear()
    async with serving(tmp_path) as cache, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(cache.get(key(), asking, odoo.fetch())) for _ in range(20)]
        await until(lambda: len(odoo.asked) > 0)
        odoo.gate.set()
        assets = [await task for task in waiting]
        assert len(set(map(id, assets))) == 1
        assert assets[0] is not None
        assert len(odoo.asked) == 1


async def test_the_first_visitor_may_leave(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.gate.clear()
    async with serving(tmp_path) as cache, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(cache.get(key(), PLAIN, odoo.fetch()))
        await until(lambda: len(odoo.asked) == 1)
        second = tasks.create_task(cache.get(key(), PLAIN, odoo.fetch()))
        await asyncio.sleep(0)
        first.cancel()
        odoo.gate.set()
        assert await second is not None
        assert len(odoo.asked) == 1


async def test_a_fetch_that_fails_fails_nobody_and_the_next_visitor_tries_again(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.gate.clear()
    odoo.breaks_after = 100_000
    async with serving(tmp_path) as cache, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(cache.get(key(), PLAIN, odoo.fetch())) for _ in range(5)]
        await until(lambda: len(odoo.asked) == 1)
        odoo.gate.set()
        assert [await task for task in waiting] == [None] * 5
        assert odoo.ended == 1
        await until(lambda: list((tmp_path / "assets").iterdir()) == [])
        odoo.breaks_after = None
        assert await cache.get(key(), PLAIN, odoo.fetch()) is not None


@pytest.mark.parametrize("said", [len(CSS) - 1, len(CSS) + 1])
async def test_a_body_of_another_length_than_it_said_is_not_kept(tmp_path: Path, said: int) -> None:
    odoo = Odoo()
    odoo.has(BUNDLE, CSS, head=bundle_head(said))
    async with serving(tmp_path) as cache:
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        await until(lambda: list((tmp_path / "assets").iterdir()) == [])


async def test_visitors_wait_no_longer_than_their_patience_and_the_fetch_goes_on(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.gate.clear()
    async with serving(tmp_path, patience=0.05) as cache:
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        assert (len(odoo.asked), odoo.ended) == (1, 0), "the second waits for the same fetch"
        odoo.gate.set()
        await until(lambda: cache.peek(key(), PLAIN) is not None)
        assert len(odoo.asked) == 1


async def test_who_is_slow_to_read_holds_nothing(tmp_path: Path) -> None:
    """A body that is open is independent of what becomes of the asset."""
    odoo, clock = Odoo(), Clock()
    large = Random(2).randbytes(3_000_000)
    odoo.has(BUNDLE, large)
    async with serving(tmp_path, clock=clock) as cache:
        slow = cache.answer(await stored(cache, odoo), PLAIN)
        assert slow.body is not None
        await slow.body.open()
        assert slow.body.memory is None, "a body this large comes from the disk"
        begun = await slow.body.read()
        odoo.has(BUNDLE, CSS, '"new"')
        clock.now += 61
        fast = cache.answer(await stored(cache, odoo), PLAIN)
        assert await sent(fast) == CSS
        await until(lambda: len(files(tmp_path)) == 1)
        assert begun + b"".join([piece async for piece in _pieces(slow)]) == large
        slow.body.close()
        slow.body.close()


# Redeploys


async def test_within_the_minute_nothing_is_asked_and_after_it_the_same_asset_is_confirmed(tmp_path: Path) -> None:
    odoo, clock = Odoo(), Clock()
    async with serving(tmp_path, clock=clock) as cache:
        first = await stored(cache, odoo)
        clock.now += 30
        assert cache.peek(key(), PLAIN) is first
        assert len(odoo.asked) == 1
        clock.now += 31
        assert cache.peek(key(), PLAIN) is None
        assert await stored(cache, odoo) is first
        assert odoo.asked[1:] == [(BUNDLE, ((b"If-None-Match", TAG.encode()),))]
        assert cache.peek(key(), PLAIN) is first


async def test_a_redeploy_is_noticed_after_a_minute(tmp_path: Path) -> None:
    odoo, clock, asking = Odoo(), Clock(), get(CHROMIUM)
    async with serving(tmp_path, clock=clock) as cache:
        await stored(cache, odoo, asking=asking)
        odoo.has(BUNDLE, CSS + b"/* new */", '"new"')
        clock.now += 59
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == CSS
        clock.now += 2
        reply = cache.answer(await stored(cache, odoo, asking=asking), asking)
        assert decoded(reply, await sent(reply)) == CSS + b"/* new */"
        assert value(reply.head, b"etag") == b'W/"new--zstd"'


async def test_a_busy_asset_is_confirmed_ahead_of_time_and_nobody_waits(tmp_path: Path) -> None:
    odoo, clock = Odoo(), Clock()
    async with serving(tmp_path, clock=clock) as cache:
        await stored(cache, odoo)
        odoo.gate.clear()
        clock.now += 40
        assert await stored(cache, odoo) is not None, "while Odoo has not answered yet"
        assert await stored(cache, odoo) is not None
        await until(lambda: len(odoo.asked) == 2)
        odoo.gate.set()
        await until(lambda: cache.peek(key(), PLAIN) is not None)
        clock.now += 25
        assert cache.peek(key(), PLAIN) is not None, "a minute counts from the later answer"


async def test_an_environment_that_expires_is_asked_at_once_and_others_are_not(tmp_path: Path) -> None:
    odoo, other = Odoo(), AssetKey("default/other@then", 1, BUNDLE)
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
        assert await cache.get(other, PLAIN, odoo.fetch()) is not None
        odoo.has(BUNDLE, b"new", '"new"')
        cache.expire(ENVIRONMENT)
        assert cache.peek(key(), PLAIN) is None
        assert cache.peek(other, PLAIN) is not None
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == b"new"


async def test_an_answer_that_was_under_way_when_the_environment_expired_is_not_trusted(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.gate.clear()
    async with serving(tmp_path) as cache, asyncio.TaskGroup() as tasks:
        before = tasks.create_task(cache.get(key(), PLAIN, odoo.fetch()))
        await until(lambda: len(odoo.asked) == 1)
        cache.expire(ENVIRONMENT)
        after = tasks.create_task(cache.get(key(), PLAIN, odoo.fetch()))
        odoo.gate.set()
        assert await before is not None
        assert await after is not None
        assert len(odoo.asked) == 2, "who came after that has Odoo asked again"


async def test_what_was_refused_before_an_environment_expired_is_tried_again(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.has(BUNDLE, b"", head=bundle_head(0, status="404 NOT FOUND"))
    async with serving(tmp_path) as cache:
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        odoo.has(BUNDLE, CSS)
        cache.expire(ENVIRONMENT)
        assert await cache.get(key(), PLAIN, odoo.fetch()) is not None


@pytest.mark.parametrize("status", ["303 SEE OTHER", "404 NOT FOUND"])
async def test_an_asset_that_odoo_no_longer_has_is_removed(tmp_path: Path, status: str) -> None:
    odoo, clock = Odoo(), Clock()
    async with serving(tmp_path, clock=clock) as cache:
        await stored(cache, odoo)
        odoo.has(BUNDLE, b"", head=bundle_head(0, status=status))
        clock.now += 61
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        await until(lambda: files(tmp_path) == [])
        assert cache.size == 0


async def test_an_asset_that_can_not_be_confirmed_is_not_served_but_kept(tmp_path: Path) -> None:
    odoo, clock = Odoo(), Clock()
    async with serving(tmp_path, clock=clock) as cache:
        first = await stored(cache, odoo)
        heads, odoo.heads = odoo.heads, {}
        clock.now += 61
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        odoo.heads = heads
        assert await stored(cache, odoo) is first


def test_another_address_or_another_environment_of_the_same_id_has_another_key() -> None:
    others = (replace(ENVIRONMENT, revision=2), replace(ENVIRONMENT, created_at=datetime(2026, 11, 2, tzinfo=UTC)))
    assert len({key(), *(AssetKey.of(other, BUNDLE) for other in others)}) == 3


# The disk


async def test_everything_survives_a_restart_and_is_confirmed_before_it_is_served(tmp_path: Path) -> None:
    odoo, asking = Odoo(), get(CHROMIUM)
    odoo.has(
        ICON,
        b"icon",
        head=bundle_head(4, '"icon"', control=STATIC_CONTROL),
    )
    async with serving(tmp_path) as cache:
        await stored(cache, odoo, asking=asking)
        await stored(cache, odoo, ICON)
        size = cache.size
    odoo.asked.clear()
    async with serving(tmp_path) as cache:
        assert cache.size == size
        assert cache.peek(key(), asking) is None
        reply = cache.answer(await stored(cache, odoo, asking=asking), asking)
        assert value(reply.head, b"content-encoding") is not None
        assert decoded(reply, await sent(reply)) == CSS
        assert value(reply.head, b"content-type") == b"application/javascript; charset=utf-8"
        assert await sent(cache.answer(await stored(cache, odoo, ICON), PLAIN)) == b"icon"
        assert odoo.asked == [(BUNDLE, ((b"If-None-Match", TAG.encode()),)), (ICON, ((b"If-None-Match", b'"icon"'),))]


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "first block", "no block"])
async def test_broken_files_are_removed_at_the_start(tmp_path: Path, damage: str) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
    (path,) = files(tmp_path)
    data = path.read_bytes()
    broken = {
        "cut": data[:-1],
        "longer": data + b"x",
        "empty": b"",
        "first block": data.replace(b"nosniff", b"nosnifg"),
        "no block": data[4096:],
    }
    path.write_bytes(broken[damage])
    (tmp_path / "assets" / "0123.part").write_bytes(b"half")
    (tmp_path / "assets" / "notes.txt").write_bytes(b"somebody else's")
    async with serving(tmp_path) as cache:
        assert cache.size == 0
        assert [path.name for path in (tmp_path / "assets").iterdir()] == ["notes.txt"]
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == CSS


@pytest.mark.parametrize("in_its_place", ["a pipe", "a link to a pipe", "a link to an asset", "a folder", "a socket"])
async def test_what_stands_in_the_place_of_an_asset_holds_up_nothing_and_is_removed(
    tmp_path: Path, in_its_place: str
) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
    (path,) = files(tmp_path)
    elsewhere = path.rename(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    match in_its_place:
        case "a pipe":
            os.mkfifo(path)
        case "a link to a pipe":
            path.symlink_to(tmp_path / "pipe")
        case "a link to an asset":
            path.symlink_to(elsewhere)
        case "a folder":
            path.mkdir()
            (path / "something").touch()
        case "a socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
    with structlog.testing.capture_logs() as log:
        async with serving(tmp_path) as cache:
            assert cache.size == 0
            assert list((tmp_path / "assets").iterdir()) == []
            assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == CSS
    assert [(entry["event"], entry["count"]) for entry in log] == [("assets_broken", 1)]
    assert elsewhere.exists()


async def test_a_pipe_that_takes_an_assets_place_while_it_is_kept_holds_up_nobody(tmp_path: Path) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
    async with serving(tmp_path) as cache:
        (path,) = files(tmp_path)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(GoneError):
            await sent(cache.answer(await stored(cache, odoo), PLAIN))
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == CSS


@pytest.mark.parametrize(
    "lie",
    [
        {"length": len(CSS) - 1},
        {"length": -4096},
        {"length": "7"},
        {"length": None},
        {"encoding": "br"},
        {"encoding": "zstd"},
        {"fields": 7},
        {"fields": [[7, 7]]},
        {"path": "/\u20ac"},
        {"revision": [[]]},
        {"environment": {}},
        {"fill": []},
        {"crc": 7},
        {"crc": "7"},
    ],
    ids=str,
)
async def test_a_label_that_lies_gives_nobody_other_bytes(tmp_path: Path, lie: dict[str, object]) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
    (path,) = files(tmp_path)
    data = path.read_bytes()
    said = json.loads(data[:BLOCK].partition(b"\n")[2]) | lie
    path.write_bytes(_labelled(json.dumps(said).encode()) + data[BLOCK:])
    asking = get("Accept-Encoding: br")
    async with serving(tmp_path) as cache:
        for _ in range(2):
            reply = cache.answer(await stored(cache, odoo, asking=asking), asking)
            try:
                assert decoded(reply, await sent(reply)) == CSS
                break
            except GoneError:
                continue
        else:
            pytest.fail("it was not fetched anew")


@pytest.mark.parametrize("text", [b"[]", b"7", b"null", b"{}", b"[" * 4000, b"{", b"\xff"], ids=range(7))
async def test_a_label_that_is_none_is_removed(tmp_path: Path, text: bytes) -> None:
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / "0123.asset").write_bytes(_labelled(text))
    async with serving(tmp_path) as cache:
        assert cache.size == 0
        assert list(folder.iterdir()) == []


async def test_thousands_of_broken_files_are_said_once(tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    folder.mkdir()
    for number in range(3_000):
        (folder / f"{number}.asset").touch()
    with structlog.testing.capture_logs() as log:
        async with serving(tmp_path):
            assert list(folder.iterdir()) == []
    assert [(entry["event"], entry["count"]) for entry in log] == [("assets_broken", 3_000)]


def _labelled(text: bytes) -> bytes:
    """A first block whose checksum is right."""
    return (b"guestpass asset 1 %08x\n%b\n" % (zlib.crc32(text), text)).ljust(BLOCK, b"\n")


async def test_a_body_that_was_changed_on_the_disk_is_noticed_before_it_is_sent(tmp_path: Path) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
    (path,) = files(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    async with serving(tmp_path) as cache:
        reply = cache.answer(await stored(cache, odoo), PLAIN)
        with pytest.raises(GoneError):
            await sent(reply)
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == CSS, "it was fetched anew"
        await until(lambda: not path.exists())


async def test_a_file_that_someone_removed_is_fetched_anew(tmp_path: Path) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        asset = await stored(cache, odoo)
        files(tmp_path)[0].unlink()
        with pytest.raises(GoneError):
            await sent(cache.answer(asset, PLAIN))
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == CSS
        assert len(odoo.asked) == 2


async def test_the_assets_used_longest_ago_make_room(tmp_path: Path) -> None:
    odoo = Odoo()
    paths = [b"/web/assets/000000%d/x.js" % number for number in range(5)]
    for path in paths:
        odoo.has(path, Random(path).randbytes(100_000), f'"{path.decode()[12:19]}"')
    async with serving(tmp_path, size_limit=450_000) as cache:
        for path in paths[:4]:
            await stored(cache, odoo, path)
        assert cache.peek(key(paths[0]), PLAIN) is not None
        await stored(cache, odoo, paths[4])
        present = [cache.peek(key(path), PLAIN) is not None for path in paths]
        assert present == [True, False, True, True, True]
        assert cache.size <= 450_000
        await until(lambda: len(files(tmp_path)) == 4)
    async with serving(tmp_path, size_limit=250_000) as cache:
        assert cache.size <= 250_000
        await until(lambda: len(files(tmp_path)) == 2)


async def test_an_asset_that_would_take_too_much_of_the_room_is_not_kept(tmp_path: Path) -> None:
    odoo = Odoo()
    chunked = bundle_head(None, extra="Transfer-Encoding: chunked").replace(b"HTTP/1.0", b"HTTP/1.1")
    async with serving(tmp_path, size_limit=4 * (len(CSS) - 1)) as cache:
        odoo.breaks_after = 0
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        assert len(odoo.asked) == 1, "its length alone rules it out"
        odoo.breaks_after = None
        odoo.has(BUNDLE, CSS, head=chunked)
        cache.expire(ENVIRONMENT)
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        assert cache.size == 0
    async with serving(tmp_path) as cache:
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == CSS, "chunks have an end of their own"


async def test_small_bodies_come_from_memory_and_memory_has_a_limit(tmp_path: Path) -> None:
    odoo = Odoo()
    paths = [b"/web/assets/000000%d/x.js" % number for number in range(3)]
    for path in paths:
        odoo.has(path, Random(path).randbytes(400_000), '"x"')
    with ThreadPoolExecutor(2) as threads:
        cache = AssetCache(tmp_path / "assets", size_limit=10**9, threads=threads, time=Clock(), memory=1_000_000)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(cache.run())
            await until(lambda: cache.is_running)
            for path in paths:
                await sent(cache.answer(await stored(cache, odoo, path), PLAIN))
            in_memory = []
            for path in paths:
                body = cache.answer(await stored(cache, odoo, path), PLAIN).body
                assert body is not None
                in_memory.append(body.memory is not None)
            assert in_memory == [False, True, True]
            running.cancel()


async def test_a_cache_that_does_not_run_answers_nothing(tmp_path: Path) -> None:
    odoo = Odoo()
    async with serving(tmp_path) as cache:
        await stored(cache, odoo)
    assert cache.peek(key(), PLAIN) is None
    assert await cache.get(key(), PLAIN, odoo.fetch()) is None
    assert len(odoo.asked) == 1


async def test_a_stop_in_the_middle_leaves_nothing_that_would_be_served(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.has(BUNDLE, Random(3).randbytes(3_000_000))
    async with serving(tmp_path, patience=0.0) as cache:
        await cache.get(key(), PLAIN, odoo.fetch())
        await until(lambda: any((tmp_path / "assets").iterdir()))
    odoo.asked.clear()
    async with serving(tmp_path) as cache:
        assert await sent(cache.answer(await stored(cache, odoo), PLAIN)) == odoo.bodies[BUNDLE]
        assert files(tmp_path, ".part") == []


async def test_visitors_who_wait_for_one_compressed_form_all_get_it(tmp_path: Path) -> None:
    odoo, asking = Odoo(), get(CHROMIUM)
    async with serving(tmp_path) as cache, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(stored(cache, odoo, asking=asking)) for _ in range(8)]
        codings = [value(cache.answer(await task, asking).head, b"content-encoding") for task in waiting]
        assert None not in codings
        assert len({path.name.partition(".")[0] for path in files(tmp_path)}) == 1


async def test_a_form_that_can_not_be_made_stops_nothing_else(tmp_path: Path) -> None:
    odoo, asking = Odoo(), get(CHROMIUM)
    async with serving(tmp_path) as cache:
        asset = await stored(cache, odoo, asking=asking)
        await until(lambda: Encoding.BROTLI in asset.forms)
        asset.plain.path.unlink()
        gzip = get("Accept-Encoding: gzip")
        reply = cache.answer(await stored(cache, odoo, asking=gzip), gzip)
        assert values(reply.head, b"content-encoding") == [], "the plain form is what remains"
        with pytest.raises(GoneError):
            await sent(reply)
        again = await stored(cache, odoo, asking=asking)
        assert again is not asset
        await until(lambda: Encoding.BROTLI in again.forms)


async def test_a_press_does_not_work_on_what_was_changed(tmp_path: Path) -> None:
    async with serving(tmp_path) as cache:
        path = (await stored(cache, Odoo())).plain.path
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(ValueError, match="changed on the disk"):
            await press(path, Encoding.ZSTD)
        assert files(tmp_path) == [path]
        assert files(tmp_path, ".part") == []


async def test_fields_that_are_too_long_to_be_kept_are_the_visitors_own_affair(tmp_path: Path) -> None:
    odoo = Odoo()
    odoo.has(BUNDLE, CSS, head=bundle_head(len(CSS), extra=f"Content-Security-Policy: {'x' * 5000}"))
    async with serving(tmp_path) as cache:
        assert await cache.get(key(), PLAIN, odoo.fetch()) is None
        await until(lambda: list((tmp_path / "assets").iterdir()) == [])


async def test_a_body_may_be_closed_while_it_is_opened_or_read(tmp_path: Path) -> None:
    odoo = Odoo()
    large = Random(2).randbytes(30_000_000)
    odoo.has(BUNDLE, large)
    async with serving(tmp_path) as cache:
        asset = await stored(cache, odoo)
        opened = descriptors()
        for step in ("open", "read"):
            body = cache.answer(asset, PLAIN).body
            assert body is not None
            if step == "read":
                await body.open()
            else:
                asset.plain.is_proved = False  # so that opening takes some milliseconds
            async with asyncio.TaskGroup() as tasks:
                under_way = tasks.create_task(body.open() if step == "open" else _read(body))
                await asyncio.sleep(0.002 if step == "open" else 0)
                under_way.cancel()
            body.close()
        assert await sent(cache.answer(asset, PLAIN)) == large
        await until(lambda: descriptors() <= opened)


async def test_a_form_that_comes_after_its_asset_was_replaced_is_not_served(tmp_path: Path) -> None:
    odoo, clock = Odoo(), Clock()
    odoo.has(BUNDLE, CSS * 3)
    async with serving(tmp_path, clock=clock) as cache:
        await stored(cache, odoo, asking=get("Accept-Encoding: br"))
        await until(lambda: files(tmp_path, ".part") != [])
        odoo.has(BUNDLE, CSS, '"new"')
        clock.now += 61
        new = await stored(cache, odoo)
        await until(lambda: files(tmp_path, ".part") == [])
        await until(lambda: files(tmp_path) == [new.plain.path])
        assert list(new.every_form()) == [new.plain]
        assert cache.size == new.plain.room


def descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _read(body: Body) -> None:
    await body.read()
