"""Shell completion of environments and links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from guestpass.app.links import LinkSearch
from guestpass.domain.environment import DEFAULT_ORG

if TYPE_CHECKING:
    from guestpass.cli.connection import Backend

Candidate = tuple[str, str]
"""A completion and its help text, which some shells show."""


def complete_environment(context: typer.Context, incomplete: str) -> list[Candidate]:
    """Complete ids of environments."""

    async def read(backend: Backend) -> list[Candidate]:
        return [(each.id, each.name) for each in (await backend.environments()).environments]

    return _candidates(context, incomplete, read)


def complete_link(context: typer.Context, incomplete: str) -> list[Candidate]:
    """Complete ids of links, newest first."""

    async def read(backend: Backend) -> list[Candidate]:
        page = await backend.find_links(LinkSearch(text=incomplete or None))
        return [(each.id, each.label or each.environment_id) for each in page.share_links]

    return _candidates(context, incomplete, read)


def _candidates(
    context: typer.Context, incomplete: str, read: Callable[[Backend], Awaitable[list[Candidate]]]
) -> list[Candidate]:
    from guestpass.cli.connection import work  # noqa: PLC0415 - loaded only for completion

    try:
        found = work(context.params.get("org") or DEFAULT_ORG, read)
    except Exception:  # noqa: BLE001 - completion shows no errors; the command will
        return []
    return [each for each in found if each[0].startswith(incomplete)]
