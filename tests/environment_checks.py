"""Looks at environments that no network is needed for."""

from __future__ import annotations

from guestpass.app.environment_check import CheckReport
from guestpass.domain.environment import Environment


class NotingProber:
    """Notes what it is to look at, and reports what a test says."""

    def __init__(self) -> None:
        self.report = CheckReport()
        self.probed: list[Environment] = []

    async def probe(self, environment: Environment) -> CheckReport:
        self.probed.append(environment)
        return self.report
