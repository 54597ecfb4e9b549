"""An environment: a running application that links lead to."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

ID_PATTERN = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)
ORG_PATTERN = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
DEFAULT_ORG = "default"
DEFAULT_BODY_LIMIT = 2 * 1024**3
DEFAULT_RESPONSE_TIMEOUT = timedelta(seconds=720)


class Kind(StrEnum):
    """Which rules apply behind a link."""

    ODOO = "odoo"
    WEB = "web"


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
class Environment:
    """A running application, as its owner registered it.

    `url` and `websocket_url` are origins (scheme, host, port; no path). `body_limit` is in bytes.
    `revision` grows when `url`, `websocket_url` or `tls_verify` change: open streams of an older
    revision are closed, links and passes are kept.
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

    @property
    def id(self) -> str:
        """The id within its organisation, as the API shows it."""
        return self.key.id


def parse_upstream_url(text: str) -> str:
    """Check the address of an application and return it as an origin without a trailing slash.

    Raises ValueError with a sentence for the person who wrote it.
    """
    if not text.isascii() or re.search(r"[\x00-\x20\x7f\\]", text):
        raise ValueError("must be a plain URL such as http://10.0.0.5:8069, without spaces")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if not parts.hostname or not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", _bracketed(parts.hostname)):
        raise ValueError("must name a host, such as http://10.0.0.5:8069")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("must end after the host and port: a path can't be shared on its own")
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
