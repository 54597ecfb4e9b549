"""A share link: who may open an environment, how, and until when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from unicodedata import combining, normalize

from guestpass.domain.environment import EnvironmentKey

DEFAULT_LIFETIME = timedelta(hours=168)
PASSWORD_BYTES = range(8, 1025)
VISIT_SILENCE = timedelta(minutes=30)
_NO_LABEL = "\U0010ffff"  # The highest character there is.
# Letters that Unicode does not take apart, as people type them on a keyboard without.
_PLAIN: Final = str.maketrans({"æ": "ae", "đ": "d", "ħ": "h", "\u0131": "i", "ł": "l", "œ": "oe", "ø": "o"})


class ShareType(StrEnum):
    """What a visitor must show besides the URL."""

    TOKEN = "token"
    PASSWORD = "password"


class Status(StrEnum):
    """The state of a link: whether it opens, and if not, why."""

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

    `note` is for owners. `start_path` is where visitors land, ``/`` where it is None. `max_visitors` is how many
    browsers are let in, None for any number. `allowed_ips` are the networks that visitors may come from, empty for all.
    `allow_reports` and `allow_exports` let visitors print and export who may only look.

    `version` is written into each pass: raising it (changed password, rotation) ends all passes for
    good, while deactivation and expiry only make them worth nothing for as long as they last. `version_since` is when
    that was, None for the first version.
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
    note: str | None = None
    start_path: str | None = None
    max_visitors: int | None = None
    allowed_ips: tuple[str, ...] = ()
    version_since: datetime | None = None
    allow_reports: bool = False
    allow_exports: bool = False

    def renewed(self, now: datetime) -> ShareLink:
        """Return the link with its next version, which ends all earlier passes."""
        return replace(self, version=self.version + 1, version_since=now)

    def status(self, now: datetime) -> Status:
        """The link's state at `now`; a deactivated link that has also expired is still `deactivated`."""
        if self.deactivated_at is not None:
            return Status.DEACTIVATED
        if now >= self.expires_at:
            return Status.EXPIRED
        return Status.ACTIVE

    @property
    def label_key(self) -> str:
        """The sort key of the label; links without one come last."""
        return folded(self.label or _NO_LABEL)

    @property
    def searched(self) -> str:
        """The text that searches match."""
        return searchable("\n".join((self.label or "", self.note or "", self.id)))


class EventKind(StrEnum):
    """The kinds of events in a link's history."""

    CREATED = "created"
    CHANGED = "changed"
    DEACTIVATED = "deactivated"
    ACTIVATED = "activated"
    ROTATED = "rotated"
    VISIT_ENDED = "visitEnded"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    OPENED = "opened"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One line of a link's history: when, who (an owner's `sub`, or a visitor's id), and what about it.

    `detail` of a change are the names of the fields, with commas between them; of an ended visit it is the visitor.
    `number` is given by the history itself.
    """

    link_id: str
    at: datetime
    kind: EventKind
    actor: str
    detail: str | None = None
    number: int | None = field(default=None, compare=False)


def folded(text: str) -> str:
    """Text as it is compared and sorted: without regard to upper and lower case, in any script.

    Nor to how a letter with its marks is written, as one character or as several: caseless matching of Unicode, D145,
    put together again (NFC).
    """
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFD", text).casefold())


def searchable(text: str) -> str:
    """Text as it is searched: folded, and without the marks on its letters, as people type what they look for.

    So ``MULLER`` finds ``Müller``. Of other scripts that drops vowel signs on both sides alike.
    """
    if text.isascii():
        return text.lower()
    plain = normalize("NFD", text).casefold().translate(_PLAIN)
    return "".join(letter for letter in plain if not combining(letter))


def holds_words(text: str, search: str) -> bool:
    """Whether each word of `search` stands somewhere in `text`; both are `searchable`."""
    return all(word in text for word in search.split())
