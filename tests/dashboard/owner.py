"""An owner at the dashboard, as a browser without scripts."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from tests.installation import Installation

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin"}


def words(page: httpx2.Response) -> str:
    """What a page says, its markup taken away and its blanks made one."""
    body = re.sub(r"<head>.*?</head>", " ", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


class Owner:
    """One browser with its cookies; what it sends comes from the dashboard's own pages."""

    def __init__(self, server: Installation, web: httpx2.AsyncClient) -> None:
        self.server = server
        self.web = web

    async def get(self, path: str) -> httpx2.Response:
        """A page; redirects are not followed."""
        return await self.web.get(path)

    async def see(self, path: str) -> str:
        """What a page says that must be there."""
        page = await self.get(path)
        assert page.status_code == 200, page.text
        return words(page)

    async def form_token(self) -> str:
        """What this session's forms hold."""
        page = await self.get("/environments")
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert found is not None, page.text
        return found[1]

    async def send(self, path: str, **fields: str) -> httpx2.Response:
        """A form of the dashboard, with its token."""
        return await self.web.post(path, data={"csrf": await self.form_token(), **fields})

    async def change(self, path: str, **fields: str) -> str:
        """Send a form that must be accepted; returns what the page says to which that leads."""
        answer = await self.send(path, **fields)
        assert answer.status_code == 303, words(answer)
        return await self.see(answer.headers["location"])


@asynccontextmanager
async def nobody(server: Installation) -> AsyncIterator[Owner]:
    """Somebody who is not signed in."""
    headers = {**NAVIGATION, "Origin": server.admin_url}
    async with httpx2.AsyncClient(base_url=server.admin_url, headers=headers, timeout=60) as web:
        yield Owner(server, web)


@asynccontextmanager
async def signed_in(server: Installation, *arguments: str) -> AsyncIterator[Owner]:
    """Somebody who pasted a token of ``guestpass token ARGUMENTS``."""
    async with nobody(server) as owner:
        bearer = (await server.command("token", *arguments)).strip()
        answer = await owner.web.post("/sign-in", data={"token": bearer})
        assert answer.status_code == 303, words(answer)
        yield owner
