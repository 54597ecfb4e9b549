"""Path parameters."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Path

from guestpass.domain.account import ACCOUNT_NAME_PATTERN
from guestpass.domain.environment import ID_PATTERN
from guestpass.domain.errors import NotFound

_LINK_ID = re.compile(r"[a-z0-9]{1,32}", re.ASCII)
_VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def _environment_id(env_id: Annotated[str, Path(alias="envId", description="Environment ID")]) -> str:
    """Raise NotFound for an impossible id, without a query."""
    if not ID_PATTERN.fullmatch(env_id):
        raise NotFound("environment", env_id)
    return env_id


def _link_id(link_id: Annotated[str, Path(alias="linkId", description="Share link ID")]) -> str:
    if not _LINK_ID.fullmatch(link_id):
        raise NotFound("share link", link_id)
    return link_id


def _account_name(name: Annotated[str, Path(description="The account's name")]) -> str:
    if not ACCOUNT_NAME_PATTERN.fullmatch(name):
        raise NotFound("account", name)
    return name


def _visitor_id(visitor_id: Annotated[str, Path(alias="visitorId", description="Visitor ID")]) -> str:
    if not _VISITOR_ID.fullmatch(visitor_id):
        raise NotFound("visitor", visitor_id)
    return visitor_id


EnvironmentId = Annotated[str, Depends(_environment_id)]
LinkId = Annotated[str, Depends(_link_id)]
VisitorId = Annotated[str, Depends(_visitor_id)]
AccountName = Annotated[str, Depends(_account_name)]
