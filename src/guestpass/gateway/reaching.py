"""Find out whether environments can be reached: a connection, and nothing said over it."""

from __future__ import annotations

from guestpass.domain.environment import Environment
from guestpass.gateway.asking import Asker, NoAnswerError
from guestpass.gateway.connector import Connector, Origin


class EnvironmentReacher:
    """The Reacher of the product."""

    def __init__(self, connector: Connector) -> None:
        self._asker = Asker(connector)

    async def why_unreachable(self, environment: Environment) -> str | None:
        """Why no connection can be made; None where one can, with a certificate that is accepted for https."""
        try:
            await self._asker.reach(Origin.of(environment))
        except NoAnswerError as error:
            return str(error)
        return None
