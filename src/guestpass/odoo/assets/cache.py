"""Keep Odoo's assets on disk, plain and compressed, and answer from there instead of asking Odoo.

What is kept is the same for everybody: bundles under ``/web/assets/`` and the files of modules under ``static/``. They
are fetched by requests of our own, which hold nothing of any visitor, and kept only where the answer is complete and
says just what Odoo says for these two kinds.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import structlog

from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.odoo.assets.bodies import Reader, StoredForm
from guestpass.odoo.assets.dictionaries import Delta, available_dictionary, compress_with
from guestpass.odoo.assets.files import (
    PIECE,
    Label,
    Writer,
    compress,
    mark_used,
    new_part,
    part_of,
    read_label,
    remove,
    scan,
)
from guestpass.odoo.assets.responses import Asset, AssetResponse, answer
from guestpass.odoo.http.compression import ENTITY_TAG, Acceptance, Effort, Encoding, read_acceptance
from guestpass.odoo.http.responses import is_hollow
from guestpass.telemetry import Faults
from guestpass.wire.heads import RequestHead, ResponseHead

PATIENCE: Final = 5.0
"""Seconds that a visitor waits for a fetch of ours before their own request goes to Odoo."""

RECHECK: Final = 60.0
"""Seconds after which an asset is compared with Odoo's before it is served again."""

_FILL_SECONDS: Final = 120.0
_PRESS_SECONDS: Final = 600.0
_MAX_ASSETS: Final = 20_000
_MAX_REFUSALS: Final = 4096
_MAX_WISHES: Final = 1000
# What costs more than a minute of CPU at the best level stays at the quick one.
_MAX_PRESSED: Final = 32 * 1024 * 1024
_MAX_ASSET: Final = 64 * 1024 * 1024
_MEMORY: Final = 32 * 1024 * 1024
_MEMORY_FOR_DELTAS: Final = 16 * 1024 * 1024
# So many redeploys back; each costs a fifth of a second of CPU.
_MOST_DICTIONARIES: Final = 8
# What an interpreter may need to find its modules.
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_T = TypeVar("_T")

# The bundles of Odoo 16 have a number before their hash; with several websites there is one of those before it.
_BUNDLE = re.compile(rb"/web/assets/(?:[0-9]+/)?(?:[0-9]+-)?[0-9a-f]{7,64}(?:/[A-Za-z0-9_.~@!$&'()*+,;=:-]+)+")
_STATIC = re.compile(rb"/[A-Za-z0-9_]+/static(?:/[A-Za-z0-9_.~@!$&'()*+,;=:-]+)+")
_DOT_SEGMENT = re.compile(rb"/\.{1,2}(?:/|$)")
_MAX_PATH: Final = 1024
_BUNDLE_CONTROL: Final = frozenset({b"public", b"max-age=31536000", b"immutable"})
_STATIC_CONTROL: Final = frozenset({b"public", b"max-age=604800"})
# What visitors get of an answer's fields. Expires is left out: max-age says the same and does not grow old with us.
_KEPT_FIELDS: Final = frozenset(
    {
        b"access-control-allow-origin",
        b"cache-control",
        b"content-disposition",
        b"content-language",
        b"content-security-policy",
        b"content-type",
        b"cross-origin-resource-policy",
        b"etag",
        b"last-modified",
        b"timing-allow-origin",
        b"vary",
        b"x-content-type-options",
        b"x-frame-options",
    }
)


class AssetKey(NamedTuple):
    """Which asset of which Odoo: `environment` names one that was created once, `revision` its address."""

    environment: str
    revision: int
    path: bytes

    @classmethod
    def of(cls, environment: Environment, path: bytes) -> AssetKey:
        """The key of a path behind an environment."""
        return cls(_name_of(environment), environment.revision, path)


def _name_of(environment: Environment) -> str:
    # An id is free again when its environment is removed; what the next one of that id has is something else.
    return _name(environment.key, environment.created_at)


@lru_cache(maxsize=1024)
def _name(key: EnvironmentKey, created_at: datetime) -> str:
    return f"{key}@{created_at.isoformat()}"


@dataclass(frozen=True, slots=True)
class FetchedAsset:
    """Odoo's answer to a request of ours: `body` ends where the body is complete, and raises where it is cut off."""

    head: ResponseHead
    body: AsyncIterator[bytes]


Fetch = Callable[[Sequence[tuple[bytes, bytes]]], AbstractAsyncContextManager[FetchedAsset]]
"""Ask Odoo for an asset: GET with its canonical path, the fixed Host, ``Accept-Encoding: identity``, the given fields
and no others. Leaving the context ends the request. Whatever it raises counts as no answer."""


def is_cacheable(path: bytes, query: bytes = b"") -> bool:
    """Whether a path, as it is forwarded, is in one of the two classes of assets, spelled in the only way we keep."""
    return not query and len(path) <= _MAX_PATH and _names_asset(path)


@lru_cache(maxsize=1024)
def _names_asset(path: bytes) -> bool:
    if _DOT_SEGMENT.search(path):
        return False
    return _STATIC.fullmatch(path) is not None or _BUNDLE.fullmatch(path) is not None


def refusal(path: bytes, head: ResponseHead) -> str | None:
    """Why Odoo's answer for a cacheable path is not kept, or None where it is."""
    if head.status != 200:
        return f"status {head.status}"
    if is_hollow(head.fields, head.content_length):
        return "a file that is left to another web server"
    if head.content_length is None and not head.chunked:
        return "a body whose end can't be told from a broken connection"
    control: set[bytes] = set()
    tags = 0
    for lower, _, value in head.fields:
        if lower == b"cache-control":
            control.update(_members(value))
        elif lower == b"vary" and _members(value) - {b"accept-encoding"}:
            return "an answer that varies"
        elif lower in (b"content-encoding", b"content-range"):
            return f"a {lower.decode()}"
        elif lower == b"access-control-allow-origin" and value != b"*":
            return "an answer for one origin"
        elif lower == b"etag":
            tags += 1 if ENTITY_TAG.fullmatch(value) else 2
    if control != (_BUNDLE_CONTROL if _BUNDLE.fullmatch(path) else _STATIC_CONTROL):
        return "a Cache-Control that Odoo's assets don't have"
    return None if tags == 1 else "no entity tag to ask for it again"


def _members(value: bytes) -> set[bytes]:
    return {member for part in value.lower().split(b",") if (member := part.strip(b" \t"))}


@dataclass(slots=True, eq=False)
class _Fill:
    """A request of ours that is under way; `is_outdated` says that what it brings may be older than an `expire`."""

    started: float
    is_outdated: bool = False
    asset: Asset | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)


class AssetCache:
    """The assets of all environments in one folder.

    `size_limit` is bytes on the disk; `time` is a monotonic clock in seconds; `recheck` and `patience` are seconds.
    `threads` do the work on files, and `run` must be running: until it is, and after it was cancelled, nothing is
    kept and nothing answered.
    """

    def __init__(
        self,
        folder: Path,
        *,
        size_limit: int,
        threads: Executor,
        time: Callable[[], float],
        recheck: float = RECHECK,
        patience: float = PATIENCE,
        memory: int = _MEMORY,
    ) -> None:
        self._folder = folder
        self._size_limit = size_limit
        self._largest = min(_MAX_ASSET, size_limit // 4)
        self._threads = threads
        self._time = time
        self._recheck = recheck
        self._patience = patience
        self._reader = Reader(threads, self._lose, limit=memory)
        self._assets: OrderedDict[AssetKey, Asset] = OrderedDict()  # the one used longest ago first
        self._size = 0
        self._refusals: OrderedDict[AssetKey, float] = OrderedDict()
        self._fills: dict[AssetKey, _Fill] = {}
        # Of environments, by the SHA-256 of their plain forms.
        self._dictionaries: dict[tuple[str, str], Asset] = {}
        # By what they were made of and with; the one used longest ago first.
        self._deltas: OrderedDict[tuple[str, str], Delta] = OrderedDict()
        self._deltas_size = 0
        self._quick: dict[tuple[str, Encoding | str], asyncio.Event] = {}
        self._quick_turn = asyncio.Lock()
        self._wishes: asyncio.Queue[tuple[AssetKey, Asset, Encoding]] = asyncio.Queue(_MAX_WISHES)
        self._tasks: asyncio.TaskGroup | None = None
        self._log = structlog.get_logger("guestpass.assets")
        self._faults = Faults(self._log)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._size

    @property
    def is_running(self) -> bool:
        """Whether it answers: `run` has found what is on the disk, and was not cancelled."""
        return self._tasks is not None

    async def run(self) -> None:
        """Find what is on the disk, then serve until cancelled; raises OSError where the folder can't be used."""
        found, broken = await self._in_thread(scan, self._folder)
        if broken:
            self._log.warning(
                "assets_broken",
                count=broken,
                folder=str(self._folder),
                cause="they are not as they were written",
                effect="they are removed, and fetched anew when somebody asks",
            )
        self._take_in(found)
        self._evict()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._press()
            finally:
                self._tasks = None

    # What the gateway asks

    def peek(self, key: AssetKey, request: RequestHead) -> Asset | None:
        """The asset, where it can be answered this moment in the form that the visitor should get."""
        asset = self._assets.get(key)
        if asset is None or self._tasks is None or self._time() - asset.checked_at > self._recheck / 2:
            return None
        if self._lacked_dictionary(key, asset, request) is not None:
            return None
        lacks = self._lacks(asset, read_acceptance(request.values.get(b"accept-encoding", b"")))
        if lacks is not None and self._delta(asset, request) is None:
            return None
        self._assets.move_to_end(key)
        return asset

    async def get(self, key: AssetKey, request: RequestHead, fetch: Fetch) -> Asset | None:
        """The asset, fetched or compared with Odoo's where need be; None where the visitor must ask for himself.

        Takes no longer than the patience. Whoever leaves meanwhile disturbs nobody else.
        """
        deadline = asyncio.get_running_loop().time() + self._patience
        asset = None
        try:
            async with asyncio.timeout_at(deadline):
                asset = await self._fresh(key, fetch)
                if asset is not None:
                    await self._make_form(key, asset, request)
        except TimeoutError:
            # Where only its compressed form is late, the plain one is here.
            return asset
        return asset

    def answer(self, asset: Asset, request: RequestHead) -> AssetResponse:
        """The answer to a request that is `is_answerable`; its body must be opened before the head is sent."""
        return answer(asset, request, self._reader, self._delta(asset, request))

    def expire(self, environment: Environment) -> None:
        """Serve nothing more of an environment before Odoo was asked whether it is still the same."""
        name = _name_of(environment)
        for key, asset in self._assets.items():
            if key.environment == name:
                asset.checked_at = float("-inf")
        for key, fill in self._fills.items():
            fill.is_outdated = fill.is_outdated or key.environment == name
        for key in [key for key in self._refusals if key.environment == name]:
            del self._refusals[key]

    # Fetching

    async def _fresh(self, key: AssetKey, fetch: Fetch) -> Asset | None:
        while True:
            if self._tasks is None:
                return None
            now = self._time()
            asset = self._assets.get(key)
            fill = self._fills.get(key)
            if asset is not None and now - asset.checked_at <= self._recheck:
                self._assets.move_to_end(key)
                if fill is None and now - asset.checked_at > self._recheck / 2:
                    # Ahead of time and for nobody in particular, so that of a busy site no visitor ever waits.
                    self._begin(key, fetch, now)
                return asset
            if asset is None and now - self._refusals.get(key, float("-inf")) < self._recheck:
                return None
            if fill is None:
                fill = self._begin(key, fetch, now)
            elif fill.is_outdated:
                await fill.done.wait()
                continue
            await fill.done.wait()
            return fill.asset

    def _begin(self, key: AssetKey, fetch: Fetch, now: float) -> _Fill:
        fill = self._fills[key] = _Fill(now)
        self._spawn(self._fill(key, fill, fetch))
        return fill

    async def _fill(self, key: AssetKey, fill: _Fill, fetch: Fetch) -> None:
        """Owned by nobody who waits: a visitor who leaves does not end it, and its failure is no visitor's."""
        try:
            async with asyncio.timeout(_FILL_SECONDS):
                fill.asset = await self._ask(key, fill, fetch)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, visitors now ask for themselves
            self._tell("asset_not_fetched", key, error)
        finally:
            del self._fills[key]
            fill.done.set()

    async def _ask(self, key: AssetKey, fill: _Fill, fetch: Fetch) -> Asset | None:
        known = self._assets.get(key)
        conditions = [] if known is None else [(b"If-None-Match", known.tag)]
        async with fetch(conditions) as fetched:
            head = fetched.head
            tag = next((value for lower, _, value in head.fields if lower == b"etag"), None)
            if known is not None and head.status == 304 and (tag is None or _is_same(tag, known.tag)):
                await self._in_thread(mark_used, known.plain.path)
                return self._confirmed(key, known, fill)
            if head.status >= 500 or head.status == 429:
                # Odoo is busy or ill, which says nothing about the asset.
                return None
            if (why := refusal(key.path, head)) is not None:
                self._refuse(key, why)
                return None
            if known is not None and tag == known.tag:
                return self._confirmed(key, known, fill)
            made = await self._store(key, fetched)
        if made is None:
            self._refuse(key, "a body that is too large, or has another length than it said")
            return None
        self._discard(self._take_out(key))
        self._put(key, made)
        self._evict()
        return self._confirmed(key, made, fill)

    def _confirmed(self, key: AssetKey, asset: Asset, fill: _Fill) -> Asset:
        # It was so when we asked, not when we heard.
        asset.checked_at = float("-inf") if fill.is_outdated else fill.started
        self._refusals.pop(key, None)
        return asset

    def _refuse(self, key: AssetKey, why: str) -> None:
        """Remember for a while that this is not kept: else each request for it would be two to Odoo."""
        self._log.debug("asset_not_kept", environment=key.environment, path=_text(key), cause=why)
        self._refusals[key] = self._time()
        self._refusals.move_to_end(key)
        if len(self._refusals) > _MAX_REFUSALS:
            self._refusals.popitem(last=False)
        self._discard(self._take_out(key))

    async def _store(self, key: AssetKey, fetched: FetchedAsset) -> Asset | None:
        """Write the plain form; None where it has no room or is not whole. Raises whatever the body raises."""
        head = fetched.head
        if (head.content_length or 0) > self._largest:
            return None
        fields = tuple((name, value) for lower, name, value in head.fields if lower in _KEPT_FIELDS)
        label = Label(key.environment, key.revision, key.path, secrets.token_hex(8), fields)
        writer = await self._in_thread(Writer, new_part(self._folder))
        try:
            held = bytearray()
            async for piece in fetched.body:
                held += piece
                if writer.written + len(held) > self._largest:
                    return None
                if len(held) >= PIECE:
                    await self._in_thread(writer.write, bytes(held))
                    held.clear()
            await self._in_thread(writer.write, bytes(held))
            if head.content_length not in (None, writer.written):
                return None
            label, path = await self._in_thread(writer.finish, label)
        finally:
            # Changes nothing where the file got its name; waits for a piece that is just being written.
            self._threads.submit(writer.abandon)
        return Asset(label.fill, label.fields, StoredForm(label, path, is_proved=True))

    # Compressed forms

    def _lacks(self, asset: Asset, acceptance: Acceptance) -> Encoding | None:
        """The coding in which a visitor's form should be made while they wait."""
        favourites = acceptance.favourites
        if not asset.is_compressible or not favourites or asset.has_form_in(favourites):
            return None
        # What one of them could not make smaller, the others can't either.
        return None if any((coding, False) in asset.tried for coding in favourites) else favourites[0]

    async def _make_form(self, key: AssetKey, asset: Asset, request: RequestHead) -> None:
        acceptance = read_acceptance(request.values.get(b"accept-encoding", b""))
        dictionary = self._lacked_dictionary(key, asset, request)
        if dictionary is not None:
            digest = dictionary.plain.label.digest
            await self._once((asset.fill, digest), key, lambda: self._compress_with(asset, dictionary))
        coding = self._lacks(asset, acceptance)
        if coding is not None and self._delta(asset, request) is None:
            await self._once((asset.fill, coding), key, lambda: self._compress(key, asset, coding))
        self._wish(key, asset, acceptance)

    async def _once(
        self, mark: tuple[str, Encoding | str], key: AssetKey, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Wait for what is made for all who want it, and goes on when they leave."""
        done = self._quick.get(mark)
        if done is None:
            done = self._quick[mark] = asyncio.Event()
            self._spawn(self._work(mark, key, work(), done))
        await done.wait()

    async def _work(
        self,
        mark: tuple[str, Encoding | str],
        key: AssetKey,
        work: Coroutine[Any, Any, None],
        done: asyncio.Event,
    ) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - visitors get another form, whatever went wrong
            self._tell("asset_not_compressed", key, error)
        finally:
            del self._quick[mark]
            done.set()

    async def _compress(self, key: AssetKey, asset: Asset, coding: Encoding) -> None:
        try:
            async with self._quick_turn:
                made = await self._in_thread(compress, asset.plain.path, coding, Effort.QUICK)
            self._serve_also(key, asset, made)
        finally:
            asset.tried.add((coding, False))

    # What a visitor has of another bundle

    def _lacked_dictionary(self, key: AssetKey, asset: Asset, request: RequestHead) -> Asset | None:
        """The asset that a visitor has, and with which this one should be compressed while they wait."""
        digest = available_dictionary(request) if asset.offer else None
        if digest is None or digest in asset.tried_with or len(asset.tried_with) >= _MOST_DICTIONARIES:
            return None
        # What one environment has says nothing about another's.
        dictionary = self._dictionaries.get((key.environment, digest))
        return dictionary if dictionary is not None and dictionary.offer == asset.offer else None

    def _delta(self, asset: Asset, request: RequestHead) -> Delta | None:
        digest = available_dictionary(request) if asset.offer else None
        delta = None if digest is None else self._deltas.get((asset.fill, digest))
        if delta is not None and digest is not None:
            self._deltas.move_to_end((asset.fill, digest))
        return delta

    async def _compress_with(self, asset: Asset, dictionary: Asset) -> None:
        digest = dictionary.plain.label.digest
        try:
            async with self._quick_turn:
                made = await self._in_thread(compress_with, asset.plain.path, dictionary.plain.path, digest)
        finally:
            asset.tried_with.add(digest)
        if made is None:
            return
        self._deltas[asset.fill, digest] = made
        self._deltas_size += len(made.body)
        while self._deltas_size > _MEMORY_FOR_DELTAS:
            _, dropped = self._deltas.popitem(last=False)
            self._deltas_size -= len(dropped.body)

    def _wish(self, key: AssetKey, asset: Asset, acceptance: Acceptance) -> None:
        """Have the best form made for visitors such as this one, once; brotli, where they take it, is the shortest."""
        if not asset.is_compressible or not acceptance.favourites or asset.plain.length > _MAX_PRESSED:
            return
        favourites = acceptance.favourites
        coding = Encoding.BROTLI if Encoding.BROTLI in favourites else favourites[0]
        form = asset.forms.get(coding)
        if (coding, True) in asset.tried or (form is not None and form.effort is Effort.BEST) or self._wishes.full():
            return
        asset.tried.add((coding, True))
        self._wishes.put_nowait((key, asset, coding))

    async def _press(self) -> None:
        while True:
            key, asset, coding = await self._wishes.get()
            if self._assets.get(key) is not asset:
                continue
            try:
                made = await press(asset.plain.path, coding)
            except (OSError, ValueError, TimeoutError) as error:
                self._tell("asset_not_pressed", key, error)
                self._discard([part_of(asset.plain.path, coding, Effort.BEST)])
            else:
                self._serve_also(key, asset, made)

    def _serve_also(self, key: AssetKey, asset: Asset, made: tuple[Label, Path] | None) -> None:
        """Serve a form that was just made, unless its asset was replaced meanwhile."""
        if made is None:
            return
        if self._assets.get(key) is asset:
            self._add_form(asset, StoredForm(*made, is_proved=True))
            self._evict()
        else:
            self._discard([made[1]])

    # Room

    def _take_in(self, found: list[tuple[Label, Path]]) -> None:
        """Put together what was found at the start; what belongs to no plain form, or to an older one, is removed."""
        unwanted: list[Path] = []
        for label, path in found:
            if label.encoding is None:
                key = AssetKey(label.environment, label.revision, label.path)
                unwanted += self._take_out(key)
                self._put(key, Asset(label.fill, label.fields, StoredForm(label, path, is_proved=False)))
        for label, path in found:
            if label.encoding is None:
                continue
            asset = self._assets.get(AssetKey(label.environment, label.revision, label.path))
            if asset is None or asset.fill != label.fill:
                unwanted.append(path)
            else:
                self._add_form(asset, StoredForm(label, path, is_proved=False))
        self._discard(unwanted)

    def _put(self, key: AssetKey, asset: Asset) -> None:
        self._assets[key] = asset
        self._size += asset.plain.room
        if asset.offer:
            self._dictionaries[key.environment, asset.plain.label.digest] = asset

    def _take_out(self, key: AssetKey) -> list[Path]:
        """Serve an asset no longer; returns its files."""
        asset = self._assets.pop(key, None)
        if asset is None:
            return []
        name = key.environment, asset.plain.label.digest
        if self._dictionaries.get(name) is asset:
            del self._dictionaries[name]
        for form in asset.every_form():
            self._size -= form.room
            self._reader.forget(form)
        return [form.path for form in asset.every_form()]

    def _add_form(self, asset: Asset, form: StoredForm) -> None:
        """Serve a compressed form, unless there is a shorter one in its coding."""
        coding = form.encoding
        assert coding is not None  # noqa: S101 - the plain form comes with its asset
        before = asset.forms.get(coding)
        if before is not None and before.length <= form.length:
            self._discard([form.path])
            return
        asset.add_form(coding, form)
        self._size += form.room
        if before is not None:
            self._size -= before.room
            self._reader.forget(before)
            self._discard([before.path])

    def _tell(self, event: str, key: AssetKey, error: Exception) -> None:
        """Visitors get the asset all the same; on a full disk it is the same fault for every asset of a page."""
        of = None if isinstance(error, OSError) else key.environment
        self._faults.warn(
            event, of, type(error).__name__, environment=key.environment, path=_text(key), cause=repr(error)
        )

    def _lose(self, form: StoredForm) -> None:
        """A form's file is gone or broken: what is left of the asset is not served either, but fetched anew."""
        key = AssetKey(form.label.environment, form.label.revision, form.label.path)
        asset = self._assets.get(key)
        if asset is not None and asset.fill == form.label.fill:
            # A disk that has lost many is one fault.
            self._faults.warn("asset_lost", environment=key.environment, path=_text(key))
            self._discard(self._take_out(key))

    def _evict(self) -> None:
        while self._assets and (self._size > self._size_limit or len(self._assets) > _MAX_ASSETS):
            self._discard(self._take_out(next(iter(self._assets))))

    def _discard(self, paths: list[Path]) -> None:
        """Remove files; visitors who are reading them read on."""
        if paths:
            self._threads.submit(remove, paths)

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._tasks is not None  # noqa: S101 - whoever comes here has looked
        self._tasks.create_task(work)


async def press(source: Path, coding: Encoding) -> tuple[Label, Path] | None:
    """The best form of a file, made by a process of its own; None where it would not be smaller.

    Raises ValueError or OSError where it fails, and TimeoutError where it takes too long.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "guestpass.odoo.assets.recompress", coding.value.decode(), str(source)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # It needs none of our settings, and an interrupt at the terminal is for the server to handle.
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_PRESS_SECONDS):
            name, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last_line = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise ValueError(last_line or f"it ended with status {process.returncode}")
    if not name:
        return None
    path = source.with_name(name.decode())
    return await asyncio.to_thread(read_label, path), path


def _is_same(tag: bytes, other: bytes) -> bool:
    """Compare tags weakly (RFC 9110, section 8.8.3.2)."""
    return tag.removeprefix(b"W/") == other.removeprefix(b"W/")


def _text(key: AssetKey) -> str:
    return key.path.decode("latin-1")
