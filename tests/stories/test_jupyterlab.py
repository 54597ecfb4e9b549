"""JupyterLab through links: kernel WebSockets, an XSRF cookie, an HttpOnly login, checks of Host and Origin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, Page, WebSocket
from tests.applications.browser import collect_errors
from tests.applications.jupyterlab import JupyterLab, running_jupyterlab
from tests.installation import Installation, installation
from tests.ports import reserved_ports
from tests.stories import jupyterlab as client
from tests.stories.visitor import expect_ended, open_link

from guestpass.app.public_urls import PublicUrls

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def shared_jupyterlab(
    server: Installation, folder: Path, name: str
) -> AsyncIterator[tuple[dict[str, Any], JupyterLab]]:
    """A link and the JupyterLab behind it, which is started last: it must know by which name visitors will call it."""
    folder.mkdir()  # noqa: ASYNC240  # nobody else waits on this loop meanwhile
    with reserved_ports(1) as [port]:
        environment = await server.add_environment(name=name, url=f"http://127.0.0.1:{port}", kind="web")
        link = await server.create_link(environment["id"])
        domain = server.environ.get("GUESTPASS_LINK_DOMAIN")
        hostname = urlsplit(PublicUrls(server.public_url, domain).link_origin(link["id"], 1)).hostname
        assert hostname is not None
        starting = running_jupyterlab(folder, port, hostnames=[hostname])
        jupyterlab = await asyncio.to_thread(starting.__enter__)
        try:
            yield link, jupyterlab
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)


def collect_kernel_sockets(page: Page) -> list[WebSocket]:
    """A list that grows by each WebSocket that the page opens to a kernel."""
    sockets: list[WebSocket] = []

    def note(socket: WebSocket) -> None:
        if "/api/kernels/" in socket.url:
            sockets.append(socket)

    page.on("websocket", note)
    return sockets


async def test_notebook_computes(visitor: BrowserContext, tmp_path: Path) -> None:
    async with (
        installation() as server,
        shared_jupyterlab(server, tmp_path / "lab", "Notebooks") as (link, jupyterlab),
    ):
        page = await visitor.new_page()
        errors = collect_errors(page)
        sockets = collect_kernel_sockets(page)
        await open_link(page, link)
        await client.log_in(page, jupyterlab)
        await client.open_notebook(page, jupyterlab)
        assert await client.run_cell(page, "6*7") == "42"
        assert [urlsplit(socket.url).netloc for socket in sockets] == [urlsplit(link["url"]).netloc]
        assert errors == []


async def test_two_links_in_one_browser_and_only_the_deactivated_one_ends(
    visitor: BrowserContext, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(installation(link_domain="localhost"))
        pages, links, sockets = [], [], []
        for name in ("first", "second"):
            link, jupyterlab = await stack.enter_async_context(shared_jupyterlab(server, tmp_path / name, name))
            page = await visitor.new_page()
            sockets.append(collect_kernel_sockets(page))
            await open_link(page, link)
            await client.log_in(page, jupyterlab)
            await client.open_notebook(page, jupyterlab)
            pages.append(page)
            links.append(link)
        first, second = pages
        assert await client.run_cell(first, "place = 'first'; print(place)") == "first"
        assert await client.run_cell(second, "place = 'second'; print(place)") == "second"
        assert await client.run_cell(first, "print(place)") == "first"

        # JupyterLab tries to connect again and again, so what must be gone are those that are open now.
        open_before = [socket for socket in sockets[0] if not socket.is_closed()]
        assert open_before
        await server.deactivate(links[0]["environmentId"], links[0]["id"])

        await client.expect_kernel(first, "Connecting|Disconnected|Unknown")
        assert all(socket.is_closed() for socket in open_before)
        assert await client.run_cell(second, "6*7") == "42"
        assert [socket.is_closed() for socket in sockets[1]] == [False]
        await expect_ended(first)
        assert await client.run_cell(second, "print(place)") == "second"
