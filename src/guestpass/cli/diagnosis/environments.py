"""Check each environment again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from guestpass.cli.diagnosis.check import Check, ok, problem, warning
from guestpass.domain.errors import Forbidden
from guestpass.domain.finding import OUT_OF_REACH
from guestpass.web.api.models import EnvironmentBody

_AT_ONCE: Final = 8

CheckCall = Callable[[], Awaitable[EnvironmentBody]]


async def check_environments(checks: Sequence[tuple[str, CheckCall]]) -> list[Check]:
    """Run the named checks, _AT_ONCE at a time; results come in the order of `checks`."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def run(name: str, check: CheckCall) -> list[Check]:
        async with turns:
            try:
                return _checks(name, await check())
            except Forbidden as error:
                return [warning(name, f"It was not checked. {error}", "Use a token that may change environments.")]

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run(name, check)) for name, check in checks]
    return [check for task in running for check in task.result()]


def _checks(name: str, environment: EnvironmentBody) -> list[Check]:
    checks = [
        (problem if each.code in OUT_OF_REACH else warning)(name, each.detail, each.remedy)
        for each in environment.findings
    ]
    if environment.maintenance is not None:
        remedy = f'End it when it is over: guestpass env edit {environment.id} --maintenance ""'
        checks.append(warning(name, "It is in maintenance.", remedy))
    version = f", as Odoo {environment.odoo_version}" if environment.odoo_version is not None else ""
    return checks or [ok(name, f"It answers at {environment.url}{version}.")]
