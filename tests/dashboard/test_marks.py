"""A page's mark is never newer than what it shows: whatever happens while it is made is told to it afterwards."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.dashboard.in_process import ANNA, Dashboard, dashboard

from guestpass.app.accounts import SignInCredentials
from guestpass.app.environments import EnvironmentChange, NewEnvironment
from guestpass.app.links import NewLink
from guestpass.app.live import RESYNC
from guestpass.app.ports import UnitOfWork
from guestpass.web.dashboard.events import _stream
from guestpass.web.dashboard.sessions import Owner

MARK = re.compile(r'hx-sse:connect="/events\?since=([^"]*)"')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    sqlite = f"sqlite:///{tmp_path}/guestpass.db"
    return sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def shown(database_url: str, tmp_path: Path) -> AsyncIterator[Dashboard]:
    async with dashboard(database_url, tmp_path) as running:
        yield running


def changing_after_each_read(shown: Dashboard, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A way to read after which an environment is changed, and the change applied, each time."""
    core, reads = shown.core, count()
    reading = core.database.reading

    @asynccontextmanager
    async def read_and_change() -> AsyncIterator[UnitOfWork]:
        async with reading() as work:
            yield work
        with monkeypatch.context() as quiet:
            quiet.setattr(core.database, "reading", reading)
            await core.environments.change(ANNA, "staging", EnvironmentChange(name=f"Staging {next(reads)}"))

    return read_and_change


async def test_what_is_committed_while_a_page_is_made_is_told_to_it(
    shown: Dashboard, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the worker that made it, and at another that hears of the change later."""
    core, live = shown.core, shown.services.live
    await core.environments.add(ANNA, NewEnvironment(id="staging", name="Staging", url="http://10.0.0.5:8069"))
    await core.accounts.put(ANNA, "staging", SignInCredentials(login="demo", password="demo's own"), name="demo")
    link = (await core.links.create(ANNA, "staging", NewLink(label="Seen"))).link
    parameters = {"envId": "staging", "linkId": link.id, "visitorId": "v" * 16, "name": "demo", "term": "label"}
    read_and_change = changing_after_each_read(shown, monkeypatch)
    seen = set()
    async with shown.signed_in() as web, dashboard(database_url, tmp_path / "second") as second:
        for page in shown.pages:
            if "{invitation}" in page or page == "/events":
                continue
            path, before = page.format(**parameters), int(live.mark)
            await second.worker.feed.announce()
            with monkeypatch.context() as disturbed:
                disturbed.setattr(core.database, "reading", read_and_change)
                answer = await web.get(path)
            if (mark := MARK.search(answer.text)) is None:
                continue
            seen.add(page)
            assert int(mark[1]) == before < int(live.mark), path
            with live.subscribe(ANNA.org, mark[1]) as subscription:
                assert RESYNC in await subscription.receive(0), path
            with second.services.live.subscribe(ANNA.org, mark[1]) as subscription:
                await second.worker.feed.announce()
                assert "environment:staging" in await subscription.receive(0), path
    assert {"/environments", "/environments/{envId}", "/environments/{envId}/links/{linkId}", "/links"} <= seen
    assert len(seen) > 20, seen


async def test_a_stream_that_breaks_off_goes_on_after_what_it_told(
    shown: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is changed between hearing and telling."""
    core, live = shown.core, shown.services.live
    await core.environments.add(ANNA, NewEnvironment(id="staging", name="Staging", url="http://10.0.0.5:8069"))
    async with shown.signed_in() as web:
        token = web.cookies["guestpass_dashboard"]
        session = await shown.services.sessions.find(token)
        assert session is not None
        stream = _stream(shown.services, Owner(session, token, live.mark), live.mark)
        assert "connected" in await anext(stream)
        await core.environments.change(ANNA, "staging", EnvironmentChange(name="Told"))
        told = live.mark
        with monkeypatch.context() as disturbed:
            disturbed.setattr(core.database, "reading", changing_after_each_read(shown, monkeypatch))
            events = await anext(stream)
        # The id comes with the last event of those that were heard together.
        assert [event.split("\n")[0] for event in events.split("\n\n")] == ["event: environments", f"id: {told}", ""]
        assert int(told) < int(live.mark)
        assert "environment:staging" in await anext(stream)
        await stream.aclose()
