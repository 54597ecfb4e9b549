"""Which host names are ours: a reverse proxy that fetches certificates as names are asked for wants to know."""

from __future__ import annotations

import re
from typing import Final

from guestpass.app.ports import Store

_LINK_ID: Final = re.compile(r"[a-z0-9]{1,32}", re.ASCII)


class ServedNames:
    """`hosts` are ours whatever happens; below each of `domains` the ids of links are."""

    def __init__(self, store: Store, *, hosts: frozenset[str], domains: tuple[str, ...]) -> None:
        self._store = store
        self._hosts = hosts
        self._domains = frozenset(domains)

    async def include(self, name: str) -> bool:
        """Whether somebody is served under this name. A link that has ended counts: its page says so."""
        name = name.lower()
        if name in self._hosts:
            return True
        label, _, domain = name.partition(".")
        if domain not in self._domains or not _LINK_ID.fullmatch(label):
            return False
        async with self._store.reading() as work:
            return await work.links.get(label) is not None
