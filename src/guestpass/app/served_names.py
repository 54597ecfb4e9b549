"""Decide which host names are served, for reverse proxies that fetch certificates on demand."""

from __future__ import annotations

import re
from typing import Final

from guestpass.app.ports import Store
from guestpass.app.public_urls import read_link_label

_LINK_ID: Final = re.compile(r"[a-z0-9]{1,32}", re.ASCII)


class ServedNames:
    """`hosts` are ours whatever happens; below each of `domains` the present versions of links are."""

    def __init__(self, store: Store, *, hosts: frozenset[str], domains: tuple[str, ...]) -> None:
        self._store = store
        self._hosts = hosts
        self._domains = frozenset(domains)

    async def include(self, name: str) -> bool:
        """Whether somebody is served under this name. A link that has ended counts: its page says so.

        So does every link's id alone: share URLs that were sent before they were on PUBLIC_URL's host lead on there.
        """
        name = name.lower()
        if name in self._hosts:
            return True
        label, _, domain = name.partition(".")
        link_id, version = read_link_label(label)
        if domain not in self._domains or not _LINK_ID.fullmatch(link_id):
            return False
        async with self._store.reading() as work:
            link = await work.links.get(link_id)
        return link is not None and version in (1, link.version)
