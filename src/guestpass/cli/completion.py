"""What a shell may complete besides commands and options: environments and links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from guestpass.app.links import LinkSearch
from guestpass.domain.environment import DEFAULT_ORG

if TYPE_CHECKING:
    from guestpass.cli.connection import Backend

Candidate = tuple[str, str]
"""What can be inserted, and what shells that show more show beside it."""


def complete_environment(context: typer.Context, incomplete: str) -> list[Candidate]:
    """Ids of environments that begin so."""

    async def read(backend: Backend) -> list[Candidate]:
        return [(each.id, each.name) for each in (await backend.environments()).environments]

    return _candidates(context, incomplete, read)


def complete_link(context: typer.Context, incomplete: str) -> list[Candidate]:
    """Ids of links that begin so, the newest first."""

    async def read(backend: Backend) -> list[Candidate]:
        page = await backend.find_links(LinkSearch(text=incomplete or None))
        return [(each.id, each.label or each.environment_id) for each in page.share_links]

    return _candidates(context, incomplete, read)


def _candidates(
    context: typer.Context, incomplete: str, read: Callable[[Backend], Awaitable[list[Candidate]]]
) -> list[Candidate]:
    from guestpass.cli.connection import work  # noqa: PLC0415 - what answers is loaded for a shell that asks

    try:
        found = work(context.params.get("org") or DEFAULT_ORG, read)
    except Exception:  # noqa: BLE001 - a line that is being typed is no place for errors; the command will tell them
        return []
    return [each for each in found if each[0].startswith(incomplete)]
