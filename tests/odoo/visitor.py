"""A visitor of an Odoo: a cookie jar, and what a browser sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.odoo.versions import VERSIONS
from websockets.asyncio.client import connect

NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
    "Accept": "text/html,*/*;q=0.8",
}


class Visitor:
    """One browser with one link open."""

    def __init__(
        self,
        server: Installation,
        odoo: Odoo,
        environment: dict[str, Any],
        link: dict[str, Any],
        web: httpx2.AsyncClient,
    ) -> None:
        self.server = server
        self.odoo = odoo
        self.environment = environment
        self.link = link
        self.web = web
        self.origin = server.public_url
        self.host = urlsplit(server.public_url).netloc
        # The path of Odoo's web client.
        self.client = VERSIONS[odoo.major].client

    async def get(self, path: str, **fields: str) -> httpx2.Response:
        """A GET as a script or an image makes it; redirects are not followed."""
        return await self.web.get(path, headers={name.replace("_", "-"): value for name, value in fields.items()})

    async def navigate(self, path: str) -> httpx2.Response:
        """A GET as the address bar makes it."""
        return await self.web.get(path, headers=NAVIGATION)

    async def call(self, path: str, **params: Any) -> httpx2.Response:
        """A JSON-RPC call as Odoo's web client makes it."""
        body = {"id": 3, "jsonrpc": "2.0", "method": "call", "params": params}
        return await self.web.post(path, json=body, headers={"Origin": self.origin})

    async def log_in(self, login: str = "demo", password: str = "demo") -> httpx2.Response:
        """Log in by Odoo's own form, as people do; returns the last answer."""
        page = await self.navigate("/web/login")
        token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        assert token, page.text
        return await self.web.post(
            "/web/login",
            data={"csrf_token": token, "login": login, "password": password, "redirect": ""},
            headers={**NAVIGATION, "Origin": self.origin, "Sec-Fetch-Site": "same-origin"},
        )


def bus_of(visitor: Visitor) -> connect:
    """The bus socket as the client opens it."""
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.web.cookies.jar)
    return connect(
        visitor.origin.replace("http", "ws") + f"/websocket?version={visitor.odoo.bus_version}",
        origin=visitor.origin,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookie},
    )


@asynccontextmanager
async def opened(
    server: Installation, odoo: Odoo, *, link_fields: dict[str, Any] | None = None, **fields: Any
) -> AsyncIterator[Visitor]:
    """A visitor of a new link to `odoo`; `fields` are the environment's."""
    environment = await server.add_environment(
        **{"name": "Odoo", "url": odoo.url, "websocketUrl": odoo.websocket_url, "kind": "odoo"} | fields
    )
    # What was asked at the registration is nobody's visit.
    odoo.forget()
    link = await server.create_link(environment["id"], **(link_fields or {}))
    async with httpx2.AsyncClient(base_url=server.public_url, timeout=30) as web:
        answer = await web.get(link["url"], headers=NAVIGATION)
        assert answer.status_code == 303, answer.text
        yield Visitor(server, odoo, environment, link, web)
    await server.client.delete(f"/api/environments/{environment['id']}")
