from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.storage.samples import KEY, LINK_ID, NOON, CountedEntropy, SetClock, keep, make_environment, make_link
from tests.storage.waiting import until
from tests.unit.app.stopping_store import StoppingStore

from guestpass.app.link_cache import LinkCache, LinkEntry
from guestpass.app.ports import Activity, Change, ChangeKind
from guestpass.domain.branding import Branding
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import ShareLink, Status
from guestpass.domain.visitor_pass import PREVIEW, PREVIEW_SECONDS, VisitorPass
from guestpass.signing.keys import Keys
from guestpass.signing.tokens import SealedTokens
from guestpass.storage.database import Database
from guestpass.storage.tables import link_tokens, links

OTHER_ID, THIRD_ID = "bbbbbbbbbbbbbbbb", "cccccccccccccccc"
VAULT = SealedTokens(Keys.from_secret("a secret of these tests, long enough"), CountedEntropy())
TOKEN = VAULT.new()


class Open:
    """Something open through a link."""

    def __init__(self, visitor: str | None = "anna") -> None:
        self.visitor = visitor
        self.cuts = 0

    def cut(self) -> None:
        self.cuts += 1


@pytest.fixture
async def store(database: Database) -> StoppingStore:
    """A store with one environment and one link."""
    await keep(database, make_environment(), make_link())
    return StoppingStore(database)


@pytest.fixture
async def link_cache(store: StoppingStore, clock: SetClock) -> AsyncIterator[LinkCache]:
    link_cache = LinkCache(store, VAULT, lambda: clock.now().timestamp())
    yield link_cache
    link_cache.close()


async def add(store: StoppingStore, id: str, token: str | None = None, **changed: Any) -> ShareLink:
    link, token = make_link(id, **changed), token or VAULT.new()
    async with store.writing() as work:
        await work.links.add(link, VAULT.hash(token), VAULT.seal(token, id))
    return link


async def find(links: LinkCache, token: str) -> LinkEntry | None:
    """What a token opens, by memory or by the database."""
    return (await links.look_up(links.recall(token))).entry


async def was_replaced(links: LinkCache, token: str) -> bool:
    return (await links.look_up(links.recall(token))).was_replaced


async def change_link(store: StoppingStore, id: str = LINK_ID, **values: Any) -> None:
    async with store.writing() as work:
        await work.connection.execute(update(links).where(links.c.id == id).values(values))  # type: ignore[attr-defined]


async def change_environment(store: StoppingStore, **changed: Any) -> None:
    async with store.writing() as work:
        assert await work.environments.update(make_environment(**changed))


def of_link(id: str = LINK_ID) -> Change:
    return Change(1, ChangeKind.LINK, id)


def of_environment(key: EnvironmentKey = KEY) -> Change:
    return Change(1, ChangeKind.ENVIRONMENT, str(key))


async def test_an_entry_holds_link_environment_and_cookie_names(link_cache: LinkCache, store: StoppingStore) -> None:
    async with store.writing() as work:
        await work.environments.learn_http_only_cookies(KEY, ["sid", "caf\xe9"])
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    assert (entry.link, entry.environment) == (make_link(), make_environment())
    assert entry.http_only == {b"sid", b"caf\xe9"}
    assert entry.expires_at == make_link().expires_at.timestamp()


async def test_what_is_in_memory_costs_no_query(link_cache: LinkCache, store: StoppingStore) -> None:
    assert link_cache.get(LINK_ID) is None
    entry = await link_cache.load(LINK_ID)
    reads = store.reads
    assert await link_cache.load(LINK_ID) is entry
    assert link_cache.get(LINK_ID) is entry
    assert store.reads == reads


async def test_a_link_that_does_not_exist(link_cache: LinkCache) -> None:
    assert await link_cache.load("absent") is None
    assert link_cache.get("absent") is None


# Tokens


async def test_a_token_finds_its_link_and_costs_one_look_up(link_cache: LinkCache, store: StoppingStore) -> None:
    await add(store, OTHER_ID, TOKEN)
    entry = await find(link_cache, TOKEN)
    assert entry is not None
    assert entry.link.id == OTHER_ID
    reads = store.reads
    assert await find(link_cache, TOKEN) is entry
    assert store.reads == reads


async def test_a_crowd_that_opens_a_link_at_once_asks_the_database_as_one(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    await add(store, OTHER_ID, TOKEN)
    alone = LinkCache(store, VAULT, NOON.timestamp)
    await find(alone, TOKEN)
    alone.close()
    reads = store.reads
    async with asyncio.TaskGroup() as group:
        found = [group.create_task(find(link_cache, TOKEN)) for _ in range(100)]
    entry = link_cache.get(OTHER_ID)
    assert all(task.result() is entry for task in found)
    assert store.reads == 2 * reads


@pytest.mark.parametrize("token", ["", "gp_x", TOKEN[:-1], TOKEN + "0", TOKEN.swapcase(), TOKEN.replace("gp_", "gq_")])
async def test_a_mistyped_token_costs_no_query(link_cache: LinkCache, store: StoppingStore, token: str) -> None:
    await add(store, OTHER_ID, TOKEN)
    assert await find(link_cache, token) is None
    assert store.reads == 0


async def test_a_token_that_nobody_made_or_that_was_retired_finds_nothing(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    assert await find(link_cache, VAULT.new()) is None
    await add(store, OTHER_ID, TOKEN)
    assert await find(link_cache, TOKEN)
    assert not await was_replaced(link_cache, TOKEN)
    await retire_tokens(store)
    await link_cache.apply([of_link(OTHER_ID)])
    assert await find(link_cache, TOKEN) is None


async def test_a_token_that_was_replaced_is_told_from_one_that_never_was(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    await add(store, OTHER_ID, TOKEN)
    await retire_tokens(store)
    assert await was_replaced(link_cache, TOKEN)
    assert not await was_replaced(link_cache, VAULT.new())
    reads = store.reads
    assert not await was_replaced(link_cache, TOKEN[:-1])
    assert store.reads == reads
    async with store.writing() as work:
        await work.links.remove(OTHER_ID)
    await link_cache.apply([of_link(OTHER_ID)])
    assert not await was_replaced(link_cache, TOKEN), "what is removed leaves nothing to ask for"


async def retire_tokens(store: StoppingStore) -> None:
    async with store.writing() as work:
        await work.connection.execute(update(link_tokens).values(retired_at=NOON))  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_heard_of", [True, False])
@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_a_token_that_is_retired_during_a_look_up_opens_nothing(
    link_cache: LinkCache, store: StoppingStore, is_in_memory: bool, is_heard_of: bool
) -> None:
    before = await add(store, OTHER_ID, TOKEN)
    entry = await link_cache.load(OTHER_ID) if is_in_memory else None
    async with asyncio.TaskGroup() as group:
        held = store.hold_next()
        finding = group.create_task(find(link_cache, TOKEN))
        await held.wait()
        await retire_tokens(store)
        await change_link(store, OTHER_ID, version=before.version + 1)
        if is_heard_of:
            await link_cache.apply([of_link(OTHER_ID)])
        store.release()
    found = finding.result()
    if is_in_memory and not is_heard_of:
        # Memory has the link as it was, and so has the pass that it gives.
        assert found is not None
        assert found is entry
        assert found.link.version == before.version
        await link_cache.apply([of_link(OTHER_ID)])
    else:
        assert found is None
    assert await find(link_cache, TOKEN) is None


@pytest.mark.parametrize("leap", [0, PREVIEW_SECONDS])
async def test_a_preview_is_cut_when_its_time_is_over_and_nothing_else_is(store: StoppingStore, leap: int) -> None:
    now = time.time()
    shift = 0
    link_cache = LinkCache(store, VAULT, lambda: time.time() + shift)
    await add(store, OTHER_ID, expires_at=datetime.fromtimestamp(now + 3600, UTC))
    entry = await link_cache.load(OTHER_ID)
    assert entry is not None
    left = 10 if leap else 1
    preview = VisitorPass(OTHER_ID, 1, f"{PREVIEW}one", int(now) - PREVIEW_SECONDS + left)
    looking, visiting = Open(preview.visitor), Open("anna")
    entry.live |= {looking, visiting}
    link_cache.watch(entry, preview)
    link_cache.watch(entry, preview)
    assert looking.cuts == 0
    if leap:
        link_cache.clock_moved()
        assert looking.cuts == 0
        shift = leap
        link_cache.clock_moved()
    await until(lambda: looking.cuts)
    assert (looking.cuts, visiting.cuts) == (1, 0)
    link_cache.close()


# Changes


async def test_a_change_reaches_the_entry_that_others_hold(link_cache: LinkCache, store: StoppingStore) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    for values, status in (
        ({"deactivated_at": NOON}, Status.DEACTIVATED),
        ({"deactivated_at": None}, Status.ACTIVE),
        ({"expires_at": NOON}, Status.EXPIRED),
        ({"expires_at": NOON, "deactivated_at": NOON}, Status.DEACTIVATED),
    ):
        await change_link(store, **values)
        await link_cache.apply([of_link()])
        assert link_cache.get(LINK_ID) is entry
        assert entry.status_at(NOON.timestamp()) is status


async def test_a_link_is_open_to_the_last_instant(link_cache: LinkCache) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    end = make_link().expires_at.timestamp()
    assert [entry.status_at(at) for at in (end - 0.001, end)] == [Status.ACTIVE, Status.EXPIRED]


@pytest.mark.parametrize(
    "values",
    [
        {"deactivated_at": NOON},
        {"version": 4},
        {"expires_at": NOON - timedelta(seconds=1)},
        {"access": "readOnly"},
        {"allowed_ips": ("192.0.2.7",)},
    ],
)
async def test_what_ends_a_link_or_its_passes_cuts_what_is_open(
    link_cache: LinkCache, store: StoppingStore, values: dict[str, Any]
) -> None:
    await add(store, OTHER_ID)
    entry, other = await link_cache.load(LINK_ID), await link_cache.load(OTHER_ID)
    assert entry is not None
    assert other is not None
    one, two, untouched = Open("anna"), Open("bert"), Open("anna")
    entry.live |= {one, two}
    other.live.add(untouched)
    await change_link(store, **values)
    await link_cache.apply([of_link()])
    assert (one.cuts, two.cuts, untouched.cuts) == (1, 1, 0)


@pytest.mark.parametrize(
    "values",
    [
        {"label": "New"},
        {"note": "New"},
        {"expires_at": NOON + timedelta(hours=500)},
        {"visits": 9},
        {"start_path": "/odoo"},
        # Who was let in stays in.
        {"max_visitors": 1},
    ],
)
async def test_other_changes_cut_nothing(link_cache: LinkCache, store: StoppingStore, values: dict[str, Any]) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    open_one = Open()
    entry.live.add(open_one)
    await change_link(store, **values)
    await link_cache.apply([of_link()])
    assert open_one.cuts == 0


async def test_networks_are_known_at_once_and_their_removal_cuts_nothing(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    assert entry.admits("203.0.113.9")
    await change_link(store, allowed_ips=("192.0.2.7", "2001:db8::/32"))
    await link_cache.apply([of_link()])
    addresses = ["192.0.2.7", "192.0.2.8", "::ffff:192.0.2.7", "2001:db8:1::2", "2001:db9::1", "unknown", ""]
    assert [entry.admits(address) for address in addresses] == [True, False, True, True, False, False, False]
    open_one = Open()
    entry.live.add(open_one)
    await change_link(store, allowed_ips=None)
    await link_cache.apply([of_link()])
    assert entry.admits("203.0.113.9")
    assert open_one.cuts == 0


async def end_visit(store: StoppingStore, visitor: str) -> None:
    async with store.writing() as work:
        await work.visits.record([Activity(LINK_ID, visitor, ((NOON, True),), NOON)])
        assert await work.places.end(LINK_ID, visitor, NOON)


async def test_an_ended_visit_is_known_and_cut_once_and_no_other_is(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    anna, tab_of_anna, bert = Open("anna"), Open("anna"), Open("bert")
    entry.live |= {anna, tab_of_anna, bert}
    assert entry.ended == frozenset()
    await end_visit(store, "anna")
    await link_cache.apply([of_link()])
    assert entry.ended == {"anna"}
    await link_cache.apply([of_environment(), of_link()])
    assert entry.ended == {"anna"}
    assert (anna.cuts, tab_of_anna.cuts, bert.cuts) == (1, 1, 0)
    await end_visit(store, "bert")
    await link_cache.reset()
    assert (anna.cuts, bert.cuts) == (1, 1)


async def test_visits_that_were_ended_before_a_link_is_loaded_are_known(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    await end_visit(store, "anna")
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    assert entry.ended == {"anna"}


async def test_who_has_something_open_is_told(link_cache: LinkCache, store: StoppingStore) -> None:
    await add(store, OTHER_ID)
    entry, other = await link_cache.load(LINK_ID), await link_cache.load(OTHER_ID)
    assert entry is not None
    assert other is not None
    assert list(link_cache.present()) == []
    entry.live |= {Open("anna"), Open("anna"), Open("bert"), Open(None)}
    other.live.add(Open("anna"))
    assert set(link_cache.present()) == {(LINK_ID, "anna"), (LINK_ID, "bert"), (OTHER_ID, "anna")}


async def test_a_removed_link_is_cut_and_forgotten_and_whoever_holds_it_sees_that(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    open_one = Open()
    entry.live.add(open_one)
    async with store.writing() as work:
        await work.links.remove(LINK_ID)
    await link_cache.apply([of_link()])
    assert open_one.cuts == 1
    assert link_cache.get(LINK_ID) is None
    assert await link_cache.load(LINK_ID) is None
    assert entry.status_at(NOON.timestamp()) is not Status.ACTIVE


async def test_leaving_a_link_cuts_one_visitor_only(link_cache: LinkCache) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    anna, bert = Open("anna"), Open("bert")
    entry.live |= {anna, bert}
    entry.cut("anna")
    assert (anna.cuts, bert.cuts) == (1, 0)


async def test_one_that_can_not_be_cut_leaves_no_other_open(link_cache: LinkCache) -> None:
    class Faulty(Open):
        def cut(self) -> None:
            raise RecursionError

    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    others = [Open() for _ in range(20)]
    entry.live |= {Faulty(), *others}
    entry.cut()
    assert [other.cuts for other in others] == [1] * 20


@pytest.mark.parametrize(
    ("changed", "cuts"),
    [
        ({"revision": 5, "url": "http://10.0.0.6"}, 1),
        ({"maintenance": "Back at noon"}, 1),
        ({"name": "New"}, 0),
        ({"body_limit": 7}, 0),
    ],
)
async def test_a_change_of_an_environment_reaches_all_its_links(
    link_cache: LinkCache, store: StoppingStore, changed: dict[str, Any], cuts: int
) -> None:
    await add(store, OTHER_ID)
    entries = [await link_cache.load(LINK_ID), await link_cache.load(OTHER_ID)]
    opened = [Open(), Open()]
    for entry, open_one in zip(entries, opened, strict=True):
        assert entry is not None
        entry.live.add(open_one)
    await change_environment(store, **changed)
    await link_cache.apply([of_environment()])
    for entry, open_one in zip(entries, opened, strict=True):
        assert entry is not None
        assert entry.environment == make_environment(**changed)
        assert entry.maintenance == changed.get("maintenance")
        assert entry.status_at(NOON.timestamp()) is Status.ACTIVE
        assert open_one.cuts == cuts


async def test_learnt_cookie_names_reach_the_entries(link_cache: LinkCache, store: StoppingStore) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    before = entry.http_only
    await link_cache.apply([of_environment()])
    assert entry.http_only is before, "an equal set stays the same object"
    async with store.writing() as work:
        await work.environments.learn_http_only_cookies(KEY, ["sid"])
    await link_cache.apply([of_environment()])
    assert entry.http_only == {b"sid"}


async def test_a_new_branding_is_that_of_every_link_of_its_organisation(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    async def put(org: str, name: str) -> None:
        async with store.writing() as work:
            await work.brandings.put(org, Branding(name=name), at=NOON, by="olga")

    await add(store, OTHER_ID)
    entry, other = await link_cache.load(LINK_ID), await link_cache.load(OTHER_ID)
    assert entry is not None
    assert other is not None
    assert link_cache.branding(entry) is None
    await put("default", "Harbour")
    await put("elsewhere", "Mill")
    await link_cache.apply([Change(1, ChangeKind.BRANDING, "default"), Change(2, ChangeKind.BRANDING, "elsewhere")])
    assert link_cache.branding(entry) == link_cache.branding(other) == Branding(name="Harbour")
    # A change that nobody told of is seen when everything is checked.
    await put("default", "Harbour & Sons")
    await link_cache.reset()
    assert link_cache.branding(other) == Branding(name="Harbour & Sons")
    async with store.writing() as work:
        await work.brandings.remove("default")
    await link_cache.apply([Change(3, ChangeKind.BRANDING, "default")])
    assert link_cache.branding(entry) is None


async def test_a_removed_environment_takes_its_links_along(link_cache: LinkCache, store: StoppingStore) -> None:
    await add(store, OTHER_ID)
    entry, other = await link_cache.load(LINK_ID), await link_cache.load(OTHER_ID)
    assert entry is not None
    assert other is not None
    opened = Open()
    other.live.add(opened)
    async with store.writing() as work:
        await work.environments.remove(KEY)
    await link_cache.apply([of_environment()])
    assert opened.cuts == 1
    assert link_cache.get(LINK_ID) is link_cache.get(OTHER_ID) is None


async def test_links_do_not_live_on_in_another_environment_with_the_same_id(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    open_one = Open()
    entry.live.add(open_one)
    async with store.writing() as work:
        await work.environments.remove(KEY)
        await work.environments.add(make_environment(created_at=NOON + timedelta(seconds=1), revision=1))
    await link_cache.apply([of_environment(), of_environment()])
    assert open_one.cuts == 1
    assert link_cache.get(LINK_ID) is None


async def test_a_change_during_a_look_up_is_not_lost(link_cache: LinkCache, store: StoppingStore) -> None:
    async with asyncio.TaskGroup() as group:
        held = store.hold_next()
        loading = group.create_task(link_cache.load(LINK_ID))
        await held.wait()
        await change_link(store, deactivated_at=NOON)
        await link_cache.apply([of_link()])
        store.release()
    entry = loading.result()
    assert entry is not None
    assert entry.status_at(NOON.timestamp()) is Status.DEACTIVATED


async def test_a_removal_during_a_look_up_is_not_lost(link_cache: LinkCache, store: StoppingStore) -> None:
    async with asyncio.TaskGroup() as group:
        held = store.hold_next()
        loading = group.create_task(link_cache.load(LINK_ID))
        await held.wait()
        async with store.writing() as work:
            await work.environments.remove(KEY)
        await link_cache.apply([of_environment()])
        store.release()
    assert loading.result() is None
    assert link_cache.get(LINK_ID) is None


async def test_a_reset_checks_everything(link_cache: LinkCache, store: StoppingStore) -> None:
    for id in (OTHER_ID, THIRD_ID):
        await add(store, id)
    opened = {id: Open() for id in (LINK_ID, OTHER_ID, THIRD_ID)}
    for id, open_one in opened.items():
        entry = await link_cache.load(id)
        assert entry is not None
        entry.live.add(open_one)
    await change_link(store, OTHER_ID, deactivated_at=NOON)
    async with store.writing() as work:
        await work.links.remove(THIRD_ID)
    await link_cache.reset()
    assert [open_one.cuts for open_one in opened.values()] == [0, 1, 1]
    assert link_cache.get(THIRD_ID) is None


# Memory and time


async def test_only_so_many_idle_links_are_kept_and_none_that_is_in_use(store: StoppingStore, clock: SetClock) -> None:
    link_cache = LinkCache(store, VAULT, lambda: clock.now().timestamp(), size=10)
    busy = await link_cache.load(LINK_ID)
    assert busy is not None
    busy.live.add(Open())
    names = "abcdefghijklmnopqrst"
    for letter in names:
        await add(store, f"link{letter}")
        assert await link_cache.load(f"link{letter}") is not None
    kept = [id for id in (LINK_ID, *(f"link{letter}" for letter in names)) if link_cache.get(id) is not None]
    assert LINK_ID in kept
    assert len(kept) <= 10
    assert await link_cache.load("linka") is not None, "what was forgotten is loaded anew"
    link_cache.close()


class HeldClock:
    """The time of day, which stands still until it is let go: however long it takes to load a link."""

    def __init__(self) -> None:
        self.held_at = time.time()
        self._let_go_at: float | None = None

    def __call__(self) -> float:
        return self.held_at + (0.0 if self._let_go_at is None else time.monotonic() - self._let_go_at)

    def let_go(self) -> None:
        self._let_go_at = time.monotonic()


async def test_a_link_is_cut_when_its_time_is_over(store: StoppingStore) -> None:
    clock = HeldClock()
    link_cache = LinkCache(store, VAULT, clock)
    ends = clock.held_at + 0.2
    await add(store, OTHER_ID, expires_at=datetime.fromtimestamp(ends, UTC))
    entry = await link_cache.load(OTHER_ID)
    assert entry is not None
    was_cut, cut_at = asyncio.Event(), []

    class Watching(Open):
        def cut(self) -> None:
            cut_at.append(clock())
            was_cut.set()

    entry.live.add(Watching())
    clock.let_go()
    async with asyncio.timeout(60):
        await was_cut.wait()
    assert cut_at[0] >= ends - 1e-3
    assert entry.status_at(cut_at[0] + 1e-3) is Status.EXPIRED
    link_cache.close()


async def test_a_wall_clock_that_was_set_back_does_not_cut_early(store: StoppingStore) -> None:
    """The timer runs by another clock; what counts is the time of day when it fires."""
    clock = HeldClock()
    link_cache = LinkCache(store, VAULT, clock)
    await add(store, OTHER_ID, expires_at=datetime.fromtimestamp(clock.held_at + 0.1, UTC))
    entry = await link_cache.load(OTHER_ID)
    assert entry is not None
    open_one, first_timer = Open(), entry.timer
    entry.live.add(open_one)
    clock.held_at -= 3600.0
    async with asyncio.timeout(60):
        while entry.timer is first_timer:  # noqa: ASYNC110 -- the timer sets no event
            await asyncio.sleep(0.005)
    assert open_one.cuts == 0
    assert entry.timer is not None
    link_cache.close()


async def test_closing_cuts_everything(link_cache: LinkCache) -> None:
    entry = await link_cache.load(LINK_ID)
    assert entry is not None
    open_one = Open()
    entry.live.add(open_one)
    link_cache.close()
    assert open_one.cuts == 1
    assert link_cache.get(LINK_ID) is None


async def test_a_flood_of_one_wrong_token_asks_the_database_once(
    link_cache: LinkCache, store: StoppingStore, clock: SetClock
) -> None:
    wrong = VAULT.new()
    read = store.reads
    for _ in range(20):
        assert await find(link_cache, wrong) is None
        assert not await was_replaced(link_cache, wrong)
    assert store.reads == read + 1
    clock.advance(timedelta(seconds=31))
    assert await find(link_cache, wrong) is None
    assert store.reads == read + 2


async def test_a_token_that_was_wrong_opens_its_link_as_soon_as_there_is_one(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    assert await find(link_cache, TOKEN) is None
    await add(store, OTHER_ID, TOKEN)
    await link_cache.apply([of_link(OTHER_ID)])
    assert await find(link_cache, TOKEN) is not None


async def test_a_change_of_one_link_makes_no_other_token_unknown(link_cache: LinkCache, store: StoppingStore) -> None:
    await add(store, OTHER_ID, TOKEN)
    third = VAULT.new()
    await add(store, THIRD_ID, third)
    assert await find(link_cache, TOKEN)
    assert await find(link_cache, third)
    await link_cache.apply([of_link(THIRD_ID), of_environment()])
    read = store.reads
    assert link_cache.recall(TOKEN).is_known
    assert await find(link_cache, TOKEN)
    assert store.reads == read
    assert not link_cache.recall(third).is_known


async def test_whether_a_token_costs_a_query_is_known_before(link_cache: LinkCache, store: StoppingStore) -> None:
    await add(store, OTHER_ID, TOKEN)
    wrong = VAULT.new()
    assert (
        link_cache.recall(TOKEN).is_known,
        link_cache.recall(wrong).is_known,
        link_cache.recall("mistyped").is_known,
    ) == (False, False, True)
    await find(link_cache, TOKEN)
    await find(link_cache, wrong)
    assert (link_cache.recall(TOKEN).is_known, link_cache.recall(wrong).is_known) == (True, True)


async def test_what_memory_said_of_a_token_counts_no_longer_once_it_was_replaced(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    """Who waits for something else meanwhile must not be let in by what was true before."""
    await add(store, OTHER_ID, TOKEN)
    assert await find(link_cache, TOKEN)
    lookup = link_cache.recall(TOKEN)
    assert (lookup.is_known, lookup.entry) == (True, link_cache.get(OTHER_ID))
    await retire_tokens(store)
    await link_cache.apply([of_link(OTHER_ID)])
    now = await link_cache.look_up(lookup)
    assert (now.entry, now.was_replaced) == (None, True)
    assert (link_cache.recall(TOKEN).is_known, link_cache.recall(TOKEN).was_replaced) == (True, True)


async def test_the_pass_of_a_link_that_is_gone_asks_the_database_once(
    link_cache: LinkCache, store: StoppingStore
) -> None:
    read = store.reads
    for _ in range(20):
        assert await link_cache.load(OTHER_ID) is None
        assert link_cache.is_known(OTHER_ID)
    assert store.reads == read + 1
    await add(store, OTHER_ID)
    await link_cache.apply([of_link(OTHER_ID)])
    assert await link_cache.load(OTHER_ID) is not None
