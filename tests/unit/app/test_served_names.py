from __future__ import annotations

import pytest
from tests.storage.samples import LINK_ID, keep, make_environment, make_link

from guestpass.app.served_names import ServedNames
from guestpass.storage.database import Database

VERSION = make_link().version


@pytest.fixture
async def names(database: Database) -> ServedNames:
    await keep(database, make_environment(), make_link())
    return ServedNames(
        database, hosts=frozenset({"share.example.com"}), domains=("links.example.com", "old.example.net")
    )


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("share.example.com", True),
        ("SHARE.example.com", True),
        (f"{LINK_ID}-{VERSION}.links.example.com", True),
        (f"{LINK_ID}-{VERSION}.Links.Example.com", True),
        # A share URL that was sent before it was on the public URL's host.
        (f"{LINK_ID}.links.example.com", True),
        (f"{LINK_ID}.old.example.net", True),
        (f"{LINK_ID}-2.links.example.com", False),
        (f"{LINK_ID}-{VERSION + 1}.links.example.com", False),
        (f"{LINK_ID}-0{VERSION}.links.example.com", False),
        (f"www.{LINK_ID}.links.example.com", False),
        (f"{LINK_ID}.example.com", False),
        ("b" * 16 + ".links.example.com", False),
        ("links.example.com", False),
        ("", False),
        ("-.links.example.com", False),
        ("a" * 33 + ".links.example.com", False),
    ],
)
async def test_names_of_ours_and_of_what_links_are_now_are_served(
    names: ServedNames, name: str, *, served: bool
) -> None:
    assert await names.include(name) is served
