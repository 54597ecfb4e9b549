"""Who opens links: browsers and other clients, each with cookies of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from tests.installation import Installation

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}


class Visitor:
    """A client of the public listener that asks for `host`, and for share URLs at `opens_at`.

    It follows one redirect alone: from there to a link's own host, which is `host` from then on. A program that was let
    in where share URLs are stays there. `cookies` are kept for each host, whatever their scheme and path: what a
    browser does with those is a browser's affair; `set_cookies` are the attributes, by lower-case name, of each that
    was set.
    """

    def __init__(self, client: httpx2.AsyncClient, port: int, host: str, opens_at: str) -> None:
        self._client = client
        self._opens_at = opens_at
        self._jars: dict[str, dict[str, str]] = {}
        self.port = port
        self.host = host
        self.set_cookies: dict[str, dict[str, str]] = {}

    @property
    def cookies(self) -> dict[str, str]:
        """Those of `host`."""
        return self._jars.setdefault(self.host, {})

    @property
    def remembered(self) -> dict[str, str]:
        """Those of the host of share URLs."""
        return self._jars.setdefault(self._opens_at, {})

    def forget(self) -> None:
        """Throw all cookies away."""
        for jar in self._jars.values():
            jar.clear()

    async def send(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, *, host: str | None = None, **more: Any
    ) -> httpx2.Response:
        """One request and its whole answer; `more` as in httpx (`content`, `json`, `data`)."""
        opens = path.removeprefix("/api").startswith("/share/") and not path.startswith("/share/enter?")
        at = self._opens_at if opens else self.host
        headers = {"Host": host or at}
        jar = self._jars.setdefault(at, {})
        if jar:
            headers["Cookie"] = _field(jar)
        response = await self._client.request(method, path, headers={**headers, **(fields or {})}, **more)
        self._client.cookies.clear()
        for line in response.headers.get_list("set-cookie"):
            self._keep(jar, line)
        entry = urlsplit(response.headers.get("location", ""))
        if response.status_code == 303 and entry.path == "/share/enter":
            self.host = entry.netloc
            return await self.send("GET", f"{entry.path}?{entry.query}", fields)
        if opens and host is None and {"guestpass", "__Host-Http-guestpass"} & jar.keys():
            self.host = at
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
        return _field(self.cookies)

    def _keep(self, jar: dict[str, str], line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        parsed = {key.lower(): text for key, _, text in (attribute.partition("=") for attribute in attributes)}
        self.set_cookies[name] = parsed
        if parsed.get("max-age") == "0":
            jar.pop(name, None)
        else:
            jar[name] = value


def _field(jar: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


@asynccontextmanager
async def visiting(server: Installation, host: str, *, opens_at: str | None = None) -> AsyncIterator[Visitor]:
    """A new visitor, who finds share URLs at `opens_at` where they are not on `host` itself."""
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{server.public_port}", trust_env=False, timeout=30
    ) as client:
        yield Visitor(client, server.public_port, host, opens_at or host)
