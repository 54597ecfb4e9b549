"""Checks of environments: one that no network is needed for, and the product's own."""

from __future__ import annotations

from guestpass.app.environment_check import CheckReport
from guestpass.app.ports import Entropy
from guestpass.domain.environment import Environment, Kind
from guestpass.outbound.check import CHECK_SECONDS, ConnectionChecker, EnvironmentChecker
from guestpass.outbound.http_client import HttpClient
from guestpass.outbound.odoo_check import GEVENT_PORT, OdooChecker
from guestpass.wire.connector import Connector


class RecordingCheck:
    """Records the environments it is given, and returns the report that a test sets."""

    def __init__(self) -> None:
        self.report = CheckReport()
        self.checked: list[Environment] = []

    async def check(self, environment: Environment) -> CheckReport:
        self.checked.append(environment)
        return self.report


def environment_checker(
    connector: Connector, entropy: Entropy, *, gevent_port: int = GEVENT_PORT, seconds: float = CHECK_SECONDS
) -> EnvironmentChecker:
    """As `wiring` makes it."""
    http = HttpClient(connector)
    return EnvironmentChecker(
        {
            Kind.WEB: ConnectionChecker(http, seconds=seconds),
            Kind.ODOO: OdooChecker(http, entropy, gevent_port=gevent_port, seconds=seconds),
        }
    )
