"""Choose a command's backend: the local data directory, or the server of GUESTPASS_URL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from guestpass.cli.local import LocalBackend
from guestpass.cli.progress import progress
from guestpass.cli.session import WRONG, Stopped, act
from guestpass.domain.environment import DEFAULT_ORG
from guestpass.settings import REMOTE_VARIABLES

URL, TOKEN = REMOTE_VARIABLES

if TYPE_CHECKING:
    from guestpass.cli.remote import RemoteBackend, Server

Backend: TypeAlias = "LocalBackend | RemoteBackend"
"""Where commands run; both classes have the same methods."""
Result = TypeVar("Result")


def named_server() -> Server | None:
    """Return the server of GUESTPASS_URL; None to work on the data directory. Raises Stopped."""
    url = os.environ.get(URL, "")
    if not url.strip():
        return None
    # Loaded here: local commands don't need the HTTP client, which takes time to load.
    from guestpass.cli.remote import read_server  # noqa: PLC0415

    return read_server(url, os.environ.get(TOKEN, ""))


def work(org: str, action: Callable[[Backend], Awaitable[Result]], *, doing: str | None = None) -> Result:
    """Run an action on the backend; a terminal shows `doing` meanwhile. Raises Stopped."""
    server = named_server()
    with progress(doing):
        if server is None:
            return act(org, lambda core, who: action(LocalBackend(core, who)))
        if org != DEFAULT_ORG:
            raise Stopped(WRONG, f"--org can't be given with {URL}: the token says which organisation it is for.")
        return asyncio.run(_ask(server, action))


async def _ask(server: Server, action: Callable[[Backend], Awaitable[Result]]) -> Result:
    from guestpass.cli.remote import remote_backend  # noqa: PLC0415 - as above

    async with remote_backend(server) as backend:
        return await action(backend)
