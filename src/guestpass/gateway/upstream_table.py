"""Where the requests for an environment go."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.gateway.upstreams import upstream_of
from guestpass.wire.pool import Upstream

_MOST: Final = 10_000


class EnvironmentUpstreams:
    """The two upstreams of one environment: `bus_paths` are how the paths begin that `websocketUrl` serves."""

    __slots__ = ("_bus", "_bus_paths", "_plain")

    def __init__(self, plain: Upstream, bus: Upstream, bus_paths: tuple[bytes, ...]) -> None:
        self._plain = plain
        self._bus = bus
        self._bus_paths = bus_paths

    def of(self, target: bytes) -> Upstream:
        """Where a request for `target` goes."""
        return self._bus if target.startswith(self._bus_paths) else self._plain


class UpstreamTable:
    """The upstreams of all environments: the same objects for as long as an environment is not changed.

    Connections are kept by them.
    """

    def __init__(self) -> None:
        self._pairs: dict[tuple[EnvironmentKey, datetime, int, str | None], tuple[Upstream, Upstream]] = {}

    def upstreams_of(self, environment: Environment, bus_paths: tuple[bytes, ...]) -> EnvironmentUpstreams:
        """The upstreams of an environment in its present revision."""
        # Revisions begin anew where an environment is removed and another gets its id.
        key = (environment.key, environment.created_at, environment.revision, environment.websocket_upstream)
        pair = self._pairs.get(key)
        if pair is None:
            if len(self._pairs) > _MOST:
                self._pairs.clear()
            plain = upstream_of(environment, environment.url)
            websocket = environment.websocket_upstream
            pair = (plain, upstream_of(environment, websocket) if websocket else plain)
            self._pairs[key] = pair
        return EnvironmentUpstreams(*pair, bus_paths)
