"""Find out whether environments can be reached: a connection, and nothing said over it."""

from __future__ import annotations

from guestpass.domain.environment import Environment
from guestpass.gateway.upstreams import origin_of
from guestpass.outbound.http_client import HttpClient, NoAnswerError
from guestpass.wire.connector import Connector


class ReachabilityChecker:
    """The Reacher of the product."""

    def __init__(self, connector: Connector) -> None:
        self._asker = HttpClient(connector)

    async def why_unreachable(self, environment: Environment) -> str | None:
        """Why no connection can be made; None where one can, with a certificate that is accepted for https."""
        try:
            await self._asker.reach(origin_of(environment))
        except NoAnswerError as error:
            return str(error)
        return None
