"""Where an environment's requests go: its addresses as the wire knows them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from guestpass.domain.environment import Environment
from guestpass.wire.connector import UpstreamOrigin
from guestpass.wire.pool import Upstream

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def upstream_of(environment: Environment, url: str) -> Upstream:
    """The upstream at one of the environment's addresses."""
    return Upstream(str(environment.key), environment.revision, origin_of(environment, url))


def origin_of(environment: Environment, url: str | None = None) -> UpstreamOrigin:
    """The origin of one of the environment's addresses, of `url` unless another one is given."""
    return origin_at(environment.url if url is None else url, environment.key.org, tls_verify=environment.tls_verify)


def origin_at(url: str, org: str, *, tls_verify: bool) -> UpstreamOrigin:
    """The origin of an organisation's address, a checked ``http(s)://host[:port]``."""
    parts = urlsplit(url)
    port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
    return UpstreamOrigin(parts.hostname or "", port, tls_verify if parts.scheme == "https" else None, org)
