"""An environment: a running application that links lead to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from guestpass.domain.credentials import CREDENTIAL_METHODS, CREDENTIAL_MODELS
from guestpass.domain.urls import split_url
from guestpass.domain.view_only import ROUTE_PATTERN, WRITE_METHODS, can_be_allowed

ID_PATTERN = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)
ORG_PATTERN = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
DEFAULT_ORG = "default"
DEFAULT_RESPONSE_TIMEOUT = timedelta(seconds=720)
DEFAULT_MAX_CONCURRENT = 8
MEASURED_VERSIONS: Final = frozenset({"17.0", "18.0", "19.0"})
"""The versions of Odoo, as its Community edition calls itself, on which the rules were measured."""
ALLOWED_PATHS = 50
"""How many exceptions one environment may have."""
ALLOWED_PATH_LENGTH = 200
ALLOWED_METHODS = 200
"""How many methods and routes one environment may open for view-only links."""
ALLOWED_METHOD_LENGTH = 200
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# Names as they can be resolved (RFC 1035, section 2.3.4), with the underscores that containers have in theirs.
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_ALLOWED_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()+,;=:@-]+)+", re.ASCII)
_ALLOWED_METHOD = re.compile(
    r"ir\.actions\.server/(?:[0-9]+|[a-z0-9_]+\.[A-Za-z0-9_.-]+)|[a-z0-9_]+(?:\.[a-z0-9_]+)*/[A-Za-z][A-Za-z0-9_]*|"
    + ROUTE_PATTERN,
    re.ASCII,
)
# Odoo takes off a first segment that may be a language; below /web itself nothing but the database manager would open.
_DATABASE_MANAGER = re.compile(r"(?:/[^/]+)?/web(?:/database.*)?")
_DATABASE_SERVICE = re.compile(r"(?:/[^/]+)?/xmlrpc[^/]*(?:/[^/]+)?/db(?:/.*)?")


class Kind(StrEnum):
    """Which rules apply behind a link."""

    ODOO = "odoo"
    WEB = "web"

    @property
    def default_body_limit(self) -> int:
        """The longest request body where the owner names none, in bytes; bodies for Odoo are held here first."""
        return 256 * 1024**2 if self is Kind.ODOO else 2 * 1024**3


class BusPlace(StrEnum):
    """Where an Odoo answers its bus: WebSockets, or long polling before version 16."""

    SAME = "same"  # where everything else is answered
    GEVENT = "gevent"  # on the port next to that, which was found
    CONFIGURED = "configured"  # at websocketUrl
    NONE = "none"


class EnvironmentKey(NamedTuple):
    """What identifies an environment: ids are chosen by people, so they are unique within one organisation."""

    org: str
    id: str

    def __str__(self) -> str:
        return f"{self.org}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> EnvironmentKey:
        """The reverse of ``str``; neither part can hold a slash."""
        org, _, id = text.partition("/")
        return cls(org, id)


@dataclass(frozen=True, slots=True)
class OdooAddress:
    """How to connect to an environment's Odoo: the `url`, the origin for its Host field (`called`), `tls_verify`."""

    environment: EnvironmentKey
    url: str
    called: str
    tls_verify: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """A running application, as its owner registered it.

    `url`, `websocket_url` and `public_url` are origins (scheme, host, port; no path); `public_url` is how
    people reach the application without Guestpass. `body_limit` is in bytes. `allow_paths` are blocked paths of Odoo
    that are allowed, `max_concurrent` is the limit of concurrent requests. `read_only_allow` is what view-only links
    may ask for besides what is known to read: methods, each as ``model/method``, and routes, each as its path.
    `revision` grows when `url`, `websocket_url`, `tls_verify`, `kind`, `database` or the name that Odoo is called by
    change: open streams of an older revision are closed, links and passes are kept. `moves` is how often it became
    another Odoo (see `is_same_odoo`): no HttpOnly cookie of one is sent to the next.

    `base_url` is the web.base.url that Odoo told when an account last signed in, None if it is not known; it is what
    Odoo is called by when somebody logs in.

    What the last check found: `odoo_version`, `canonical_url` (what its pages call their own address),
    `websocket_on` and `found_websocket_url`; None is not known. `checked_at` is when that was.
    """

    key: EnvironmentKey
    name: str
    url: str
    websocket_url: str | None
    kind: Kind
    description: str | None
    tls_verify: bool
    body_limit: int
    response_timeout: timedelta
    maintenance: str | None
    revision: int
    created_at: datetime
    created_by: str
    public_url: str | None = None
    database: str | None = None
    allow_paths: tuple[str, ...] = ()
    max_concurrent: int = DEFAULT_MAX_CONCURRENT
    read_only_allow: tuple[str, ...] = ()
    moves: int = 0
    odoo_version: str | None = None
    canonical_url: str | None = None
    base_url: str | None = None
    websocket_on: BusPlace | None = None
    found_websocket_url: str | None = None
    checked_at: datetime | None = None

    @property
    def websocket_upstream(self) -> str | None:
        """The origin of the bus, if not `url`: the owner's `websocket_url`, else the one that a check found."""
        return self.websocket_url or self.found_websocket_url

    @property
    def odoo_address(self) -> OdooAddress:
        """How to connect to its Odoo."""
        return OdooAddress(self.key, self.url, self._called, self.tls_verify)

    @property
    def id(self) -> str:
        """The id within its organisation, as the API shows it."""
        return self.key.id

    def is_same_odoo(self, other: Environment) -> bool:
        """Return whether sessions of the Odoo of `other` are valid here.

        The host name counts, since Odoo may choose the database by it, and a proxy the Odoo.
        """
        return self is other or (
            self.created_at == other.created_at
            and self.url == other.url
            and self.database == other.database
            and self._called == other._called
        )

    @property
    def _called(self) -> str:
        return self.public_url or self.canonical_url or self.url


def edition_of(odoo_version: str) -> str:
    """Return the edition that a version names, as Odoo calls it: only Enterprise adds its letter."""
    return "Enterprise" if odoo_version.endswith("+e") or "+e-" in odoo_version else "Community"


def is_measured(odoo_version: str) -> bool:
    """Return whether our rules were measured on this version and edition of Odoo."""
    return odoo_version.partition("-")[0] in MEASURED_VERSIONS


def parse_upstream_url(text: str) -> str:
    """Check the address of an application and return it as an origin without a trailing slash.

    Raises ValueError with a sentence for the person who wrote it.
    """
    return _parse_origin(text, "http://10.0.0.5:8069", "a path can't be shared on its own")


def parse_public_url(text: str) -> str:
    """Check the address by which people know an application, and return it as a browser writes an origin.

    Raises ValueError with a sentence for the person who wrote it.
    """
    origin = _parse_origin(text, "https://odoo.example.com", "an application is known by its origin")
    scheme = urlsplit(origin).scheme
    return origin.removesuffix({"http": ":80", "https": ":443"}[scheme])


def parse_allowed_paths(texts: Sequence[str]) -> tuple[str, ...]:
    """Check paths whose refusal is lifted; returns them without a final ``/`` or ``/*``, each once.

    Raises ValueError with a sentence for the person who wrote them.
    """
    if len(texts) > ALLOWED_PATHS:
        raise ValueError(f"must be at most {ALLOWED_PATHS} paths")
    return tuple(dict.fromkeys(_parse_allowed_path(text, number) for number, text in enumerate(texts, 1)))


def parse_read_only_allow(texts: Sequence[str]) -> tuple[str, ...]:
    """Check methods, server actions and routes that view-only links may call; returns each once.

    Raises ValueError with a sentence for the person who wrote them.
    """
    if len(texts) > ALLOWED_METHODS:
        raise ValueError(f"must be at most {ALLOWED_METHODS} methods and addresses")
    for number, text in enumerate(texts, 1):
        if len(text) > ALLOWED_METHOD_LENGTH or not _ALLOWED_METHOD.fullmatch(text):
            raise ValueError(
                "must be methods such as res.partner/get_totals (a model, a slash and the exact name of a method that "
                "doesn't begin with an underscore), server actions such as ir.actions.server/crm.action_x, or "
                f"addresses such as /agency/figures/*, without a query; number {number} is none"
            )
        if text.startswith("/") and not can_be_allowed(text.encode()):
            raise ValueError(
                "can't open addresses that are blocked for every link, that sign in or pay, or that are for Odoo's own "
                f"client, as all below /web and /mail are; number {number} does"
            )
        model, _, method = text.partition("/")
        if method in WRITE_METHODS:
            raise ValueError(f"can't open methods that write, whatever the model; number {number} does")
        if method in CREDENTIAL_METHODS or CREDENTIAL_MODELS.fullmatch(model):
            raise ValueError(f"can't open what lets somebody in or changes who gets in; number {number} does")
    return tuple(dict.fromkeys(texts))


def _parse_allowed_path(text: str, number: int) -> str:
    path = text.removesuffix("/*").removesuffix("/")
    if len(text) > ALLOWED_PATH_LENGTH:
        raise ValueError(f"must be paths of at most {ALLOWED_PATH_LENGTH} characters; number {number} is longer")
    segments = path.split("/")
    if not _ALLOWED_PATH.fullmatch(path) or "." in segments or ".." in segments:
        raise ValueError(
            "must be paths such as /jsonrpc, as Odoo names them: no query, no escapes, no empty segments; number "
            f"{number} is none"
        )
    lower = path.lower()
    if _DATABASE_MANAGER.fullmatch(lower) or _DATABASE_SERVICE.fullmatch(lower):
        raise ValueError(
            f"can't open Odoo's database manager and its services, which hand out whole databases; number {number} "
            "leads there"
        )
    return path


def _parse_origin(text: str, example: str, why_no_path: str) -> str:
    if not text.isascii() or re.search(r"[\x00-\x20\x7f\\]", text):
        raise ValueError(f"must be a plain URL such as {example}, without spaces")
    try:
        parts = split_url(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if not parts.hostname or not _HOST.fullmatch(_bracketed(parts.hostname)):
        raise ValueError(f"must name a host, such as {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError(f"must end after the host and port: {why_no_path}")
    if port == 0:
        raise ValueError("must not use port 0")
    host = _bracketed(parts.hostname)
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _bracketed(hostname: str) -> str:
    return f"[{hostname}]" if ":" in hostname else hostname


def id_from_name(name: str) -> str:
    """An id that resembles a name (``Müller Staging 2`` -> ``muller-staging-2``); may be empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:56].strip("-")
