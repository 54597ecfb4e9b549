"""Find environments and links within the caller's organisation, or raise NotFound."""

from __future__ import annotations

from guestpass.app.ports import UnitOfWork
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.errors import NotFound
from guestpass.domain.link import ShareLink


async def existing_environment(work: UnitOfWork, key: EnvironmentKey) -> Environment:
    """The environment; raises NotFound."""
    environment = await work.environments.get(key)
    if environment is None:
        raise NotFound("environment", key.id)
    return environment


async def existing_link(work: UnitOfWork, key: EnvironmentKey, id: str) -> ShareLink:
    """The link of this environment; raises NotFound for the one or the other."""
    await existing_environment(work, key)
    link = await work.links.get(id)
    if link is None or link.environment != key:
        raise NotFound("share link", id)
    return link
