"""A share link and whatever a test does with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tests.installation import Installation
from tests.links.visitor import Visitor, visiting

from guestpass.app.public_urls import PublicUrls

PASSWORD = "correct horse"


@dataclass(frozen=True)
class Share:
    """A link as the API made it, of which this is the `version`.

    `opens_origin`, `opens_at` and `path` are the parts of its URL; `origin` and `host` are where its content is.
    """

    server: Installation
    environment: dict[str, Any]
    link: dict[str, Any]
    version: int = 1

    @property
    def id(self) -> str:
        return str(self.link["id"])

    @property
    def host(self) -> str:
        return urlsplit(self.origin).netloc

    @property
    def opens_at(self) -> str:
        return urlsplit(self.opens_origin).netloc

    @property
    def path(self) -> str:
        return urlsplit(str(self.link["url"])).path

    @property
    def opens_origin(self) -> str:
        return str(self.link["url"]).removesuffix(self.path)

    @property
    def origin(self) -> str:
        domain = self.server.environ.get("GUESTPASS_LINK_DOMAIN")
        return PublicUrls(self.opens_origin, domain).link_origin(self.id, self.version)

    @property
    def token(self) -> str:
        return self.path.rpartition("/")[2]

    async def sibling(self, **fields: Any) -> Share:
        """Another link to the same environment."""
        return Share(self.server, self.environment, await self.server.create_link(self.environment["id"], **fields))

    async def deactivate(self) -> None:
        await self.server.deactivate(self.environment["id"], self.id)

    async def end_in(self, duration: str) -> float:
        """Give it another end; returns when that is, in Unix seconds."""
        path = f"/api/environments/{self.environment['id']}/share/{self.id}"
        answer = await self.server.client.patch(path, json={"expiresIn": duration})
        assert answer.status_code == 200, answer.text
        return datetime.fromisoformat(answer.json()["expiresAt"]).timestamp()

    async def rotate(self) -> Share:
        """The same link with a new URL."""
        answer = await self.server.client.post(f"/api/environments/{self.environment['id']}/share/{self.id}/rotate")
        assert answer.status_code == 200, answer.text
        return Share(self.server, self.environment, answer.json(), self.version + 1)

    async def remove(self) -> None:
        answer = await self.server.client.delete(
            f"/api/environments/{self.environment['id']}/share/{self.id}/permanent"
        )
        assert answer.status_code == 204, answer.text

    async def change_environment(self, **fields: Any) -> None:
        answer = await self.server.client.patch(f"/api/environments/{self.environment['id']}", json=fields)
        assert answer.status_code == 200, answer.text

    async def remove_environment(self) -> None:
        answer = await self.server.client.delete(f"/api/environments/{self.environment['id']}")
        assert answer.status_code == 204, answer.text

    async def listed(self) -> dict[str, Any]:
        """The link as the API lists it now."""
        [found] = [link for link in await self.server.links(self.environment["id"]) if link["id"] == self.id]
        return found

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[Visitor]:
        """A visitor who has not opened the link."""
        async with visiting(self.server, self.host, opens_at=self.opens_at) as visitor:
            yield visitor

    @asynccontextmanager
    async def visitors(self, count: int = 1) -> AsyncIterator[list[Visitor]]:
        """Visitors who have opened the link in their browsers."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.visitor()) for _ in range(count)]

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Visitor]:
        """A visitor who has opened the link in a browser."""
        async with self.stranger() as visitor:
            if self.link["shareType"] == "password":
                answer = await visitor.send("POST", f"{self.path}/login", json={"password": PASSWORD})
                assert answer.status_code == 303, answer.text
            answer = await visitor.navigate(self.path)
            assert answer.status_code == 303, answer.text
            yield visitor


async def share(server: Installation, url: str, *, environment: dict[str, Any] | None = None, **fields: Any) -> Share:
    """Register `url` as an environment and make a link to it; `fields` as in the contract."""
    made = await server.add_environment(**{"name": "Staging", "url": url, "kind": "web", **(environment or {})})
    return Share(server, made, await server.create_link(made["id"], **fields))
