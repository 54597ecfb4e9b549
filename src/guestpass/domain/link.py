"""A share link: who may open an environment, how, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from guestpass.domain.environment import EnvironmentKey

DEFAULT_LIFETIME = timedelta(hours=168)
LABEL_LENGTH = 200
PASSWORD_BYTES = range(8, 1025)
VISIT_SILENCE = timedelta(minutes=30)


class ShareType(StrEnum):
    """What a visitor must show besides the URL."""

    TOKEN = "token"
    PASSWORD = "password"


class Status(StrEnum):
    """Whether a link opens anything at this moment, and if not, why."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"


class Access(StrEnum):
    """What visitors of an Odoo may do."""

    FULL = "full"
    READ_ONLY = "readOnly"


@dataclass(frozen=True, slots=True)
class ShareLink:
    """A share link as it is stored; all times aware UTC.

    `account` is the name of the environment's account that visitors are signed in as, None where they sign in
    themselves.

    `version` is written into each pass: raising it (changed password, rotation) ends all passes for
    good, while deactivation and expiry only make them worth nothing for as long as they last.
    `visits`, `visitors` and `last_opened_at` are what has been flushed so far.
    """

    id: str
    environment: EnvironmentKey
    share_type: ShareType
    label: str | None
    password_hash: str | None
    version: int
    created_at: datetime
    created_by: str
    expires_at: datetime
    deactivated_at: datetime | None = None
    last_opened_at: datetime | None = None
    visits: int = 0
    visitors: int = 0
    access: Access = Access.FULL
    account: str | None = None

    def status(self, now: datetime) -> Status:
        """The link's state at `now`; a deactivated link that has also expired is still `deactivated`."""
        if self.deactivated_at is not None:
            return Status.DEACTIVATED
        if now >= self.expires_at:
            return Status.EXPIRED
        return Status.ACTIVE


class EventKind(StrEnum):
    """What a link's history can tell."""

    CREATED = "created"
    DEACTIVATED = "deactivated"
    OPENED = "opened"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One line of a link's history: when, who (an owner's `sub`, or a visitor's id), and what about it."""

    link_id: str
    at: datetime
    kind: EventKind
    actor: str
    detail: str | None = None
