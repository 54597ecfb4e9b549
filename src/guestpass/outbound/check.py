"""Look at environments: whether they can be reached, and what their owners should know about them."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from guestpass.app.environment_check import CheckReport
from guestpass.app.ports import Entropy
from guestpass.domain.environment import Environment, Kind
from guestpass.domain.finding import Finding
from guestpass.gateway.upstreams import origin_of
from guestpass.outbound.http_client import HttpClient, NoAnswerError, NotAllowedError
from guestpass.outbound.odoo_check import GEVENT_PORT, OdooCheck
from guestpass.wire.connector import Connector

PROBE_SECONDS: Final = 20.0
"""How long all that is asked of one environment may take together."""

ADDRESS_REFUSED: Final = Finding(
    code="address_refused",
    detail="This installation does not connect to that address: it is its own, or in a network that UPSTREAM_DENY "
    "names. Visitors get an error page.",
    remedy="Correct url, or have the network named in UPSTREAM_ALLOW.",
)


def unreachable(why: str) -> Finding:
    """The finding for an environment that gave no answer."""
    return Finding(
        code="unreachable",
        detail=f"The environment can't be used: {why}. Visitors get an error page.",
        remedy="Start it, or correct url; it must be reachable from the machine that Guestpass runs on. Then check "
        "again.",
    )


class EnvironmentChecker:
    """The Prober: web environments are only connected to, Odoo is asked some questions that need no login."""

    def __init__(
        self,
        connector: Connector,
        entropy: Entropy,
        *,
        gevent_port: int = GEVENT_PORT,
        seconds: float = PROBE_SECONDS,
        asker: HttpClient | None = None,
    ) -> None:
        self._asker = asker or HttpClient(connector)
        self._entropy = entropy
        self._gevent_port = gevent_port
        self._seconds = seconds

    async def probe(self, environment: Environment) -> CheckReport:
        """Look for PROBE_SECONDS at most; never raises for what the environment does or says.

        Raises DescriptorsUsedUp, which says nothing of the environment.
        """
        try:
            if environment.kind is Kind.ODOO:
                return await self._look_at_odoo(environment)
            async with asyncio.timeout(self._seconds):
                await self._asker.reach(origin_of(environment))
        except NotAllowedError:
            return _nothing_new(environment, ADDRESS_REFUSED)
        except TimeoutError:
            return _nothing_new(environment, unreachable(f"it was not reached within {self._seconds:g} s"))
        except NoAnswerError as error:
            structlog.get_logger("guestpass.gateway").info(
                "environment_unreachable", environment=str(environment.key), cause=str(error.__cause__ or error)
            )
            return _nothing_new(environment, unreachable(str(error)))
        return CheckReport()

    async def _look_at_odoo(self, environment: Environment) -> CheckReport:
        look = OdooCheck(environment, self._asker, self._entropy, gevent_port=self._gevent_port)
        try:
            async with asyncio.timeout(self._seconds):
                await look.run()
        except TimeoutError:
            look.is_incomplete = True
        return look.report()


def _nothing_new(environment: Environment, finding: Finding) -> CheckReport:
    """What was known stays: it is the same address, and whatever is there may be back in a minute."""
    return CheckReport(
        odoo_version=environment.odoo_version,
        canonical_url=environment.canonical_url,
        websocket=environment.websocket_on,
        found_websocket_url=environment.found_websocket_url,
        findings=(finding,),
    )
