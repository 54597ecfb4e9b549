"""Who opens links: browsers and other clients, each with cookies of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from tests.installation import Installation

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}


class Visitor:
    """A client of the public listener that asks for `host` and follows no redirects.

    `cookies` are kept whatever their scheme, host and path: what a browser does with those is a browser's affair;
    `set_cookies` are the attributes, by lower-case name, of each that was set.
    """

    def __init__(self, client: httpx2.AsyncClient, port: int, host: str) -> None:
        self._client = client
        self.port = port
        self.host = host
        self.cookies: dict[str, str] = {}
        self.set_cookies: dict[str, dict[str, str]] = {}

    async def send(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, *, host: str | None = None, **more: Any
    ) -> httpx2.Response:
        """One request and its whole answer; `more` as in httpx (`content`, `json`, `data`)."""
        headers = {"Host": host or self.host}
        if self.cookies:
            headers["Cookie"] = self.cookie
        response = await self._client.request(method, path, headers={**headers, **(fields or {})}, **more)
        self._client.cookies.clear()
        for line in response.headers.get_list("set-cookie"):
            self._keep(line)
        return response

    async def get(self, path: str, **fields: str) -> httpx2.Response:
        """A client's GET; fields as ``Sec_Fetch_Mode="cors"``."""
        return await self.send("GET", path, {name.replace("_", "-"): value for name, value in fields.items()})

    async def navigate(self, path: str, **fields: str) -> httpx2.Response:
        """What a browser does when somebody follows a link."""
        return await self.get(path, **{**NAVIGATION, **fields})

    async def status(self, path: str) -> int | None:
        """The status that a client's GET brings now; None where it was under way when a change cut it off."""
        try:
            return (await self.get(path)).status_code
        except httpx2.TransportError:
            return None

    async def headers(self, path: str = "/headers", method: str = "GET", **fields: str) -> dict[str, list[str]]:
        """The fields that reached the sample application, by lower-case name."""
        answer = await self.send(method, path, {name.replace("_", "-"): value for name, value in fields.items()})
        assert answer.status_code == 200, answer.text
        found: dict[str, list[str]] = {}
        for name, value in answer.json()["fields"]:
            found.setdefault(name, []).append(value)
        return found

    @property
    def cookie(self) -> str:
        """The Cookie field."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _keep(self, line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        parsed = {key.lower(): text for key, _, text in (attribute.partition("=") for attribute in attributes)}
        self.set_cookies[name] = parsed
        if parsed.get("max-age") == "0":
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


@asynccontextmanager
async def visiting(server: Installation, host: str) -> AsyncIterator[Visitor]:
    """A new visitor."""
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{server.public_port}", trust_env=False, timeout=30
    ) as client:
        yield Visitor(client, server.public_port, host)
