from __future__ import annotations

from pathlib import Path

from tests.storage.crowded import Crowd
from tests.storage.hearing import hearing

from guestpass.app.link_cache import LinkCache
from guestpass.settings import Settings
from guestpass.storage.feed import open_feed
from guestpass.wiring import build_core, introduce, prepare
from guestpass.worker import OwnAnnouncer


async def test_a_start_reads_no_links_however_many_there_are(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    prepare(settings)
    Crowd(10_000).fill(settings.database_url)
    core = build_core(settings, OwnAnnouncer())
    directory = LinkCache(core.database, core.vault, lambda: 0.0)
    try:
        with hearing() as statements:
            await introduce(core)
            feed = open_feed(core.database, directory.apply, directory.reset)
            await feed.start()
            await feed.announce()
        assert 0 < len(statements) < 20
        assert [each.text for each in statements if "links" in each.text or "environments" in each.text] == []
        with hearing() as statements:
            assert await directory.load("link7") is not None
        # The link, its environment and what belongs to these two.
        assert 0 < len(statements) < 10
        with hearing() as statements:
            assert await directory.load("link7") is not None
        assert statements == []
    finally:
        await core.close()
