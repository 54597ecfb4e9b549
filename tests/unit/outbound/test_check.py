"""Checks of environments: which one is made, and what is reported where nothing answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.environment_checks import RecordingCheck, environment_checker
from tests.storage.samples import CountedEntropy, make_environment
from tests.unit.outbound.upstreams import connector, http_client
from tests.unit.wire.descriptors import no_descriptor

from guestpass.app.environment_check import CheckReport
from guestpass.domain.environment import BusPlace, Environment, Kind
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.outbound.check import ADDRESS_REFUSED, ConnectionChecker, EnvironmentChecker, unreachable
from guestpass.outbound.http_client import AddressNotAllowedError, NoResponseError
from guestpass.outbound.odoo_sign_in import OdooSignIn

KNOWN: dict[str, Any] = {
    "odoo_version": "18.0",
    "canonical_url": "https://odoo.example.com",
    "websocket_on": BusPlace.GEVENT,
    "found_websocket_url": "http://10.0.0.5:8072",
}


class _FailingCheck:
    """Raises an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def check(self, environment: Environment) -> CheckReport:
        del environment
        raise self._error


async def test_the_kind_of_an_environment_decides_on_its_check() -> None:
    checks = {kind: RecordingCheck() for kind in Kind}
    checks[Kind.ODOO].report = CheckReport(odoo_version="18.0")
    checker = EnvironmentChecker(checks)
    odoo, web = make_environment(kind=Kind.ODOO), make_environment(kind=Kind.WEB)
    assert (await checker.check(odoo)).odoo_version == "18.0"
    assert await checker.check(web) == CheckReport()
    assert {kind: check.checked for kind, check in checks.items()} == {Kind.ODOO: [odoo], Kind.WEB: [web]}


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (NoResponseError("no connection can be made"), unreachable("no connection can be made")),
        (AddressNotAllowedError("no environment may be at that address"), ADDRESS_REFUSED),
    ],
)
async def test_what_was_known_stays_where_nothing_answers(error: Exception, finding: object) -> None:
    report = await EnvironmentChecker({Kind.ODOO: _FailingCheck(error)}).check(
        make_environment(kind=Kind.ODOO, **KNOWN)
    )
    assert report.findings == (finding,)
    assert (report.odoo_version, report.canonical_url) == ("18.0", "https://odoo.example.com")
    assert (report.websocket, report.found_websocket_url) == (BusPlace.GEVENT, "http://10.0.0.5:8072")


async def test_a_handshake_that_hangs_ends_a_check_and_is_a_reason_not_to_be_reachable() -> None:
    hanging = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hanging.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        environment = make_environment(url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(NoResponseError, match=r"it was not reached within 0\.05 s"):
            await ConnectionChecker(http_client(), seconds=0.05).check(environment)
        why = await ConnectionChecker(http_client(seconds=0.05)).why_unreachable(environment)
        assert why == "there was no connection within 0.05 s"
        hanging.set()


async def test_who_can_be_connected_to_is_reachable_and_there_is_nothing_to_report() -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        environment = make_environment(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert await ConnectionChecker(http_client()).check(environment) == CheckReport()
        assert await ConnectionChecker(http_client()).why_unreachable(environment) is None


async def _reach(environment: Environment) -> object:
    return await ConnectionChecker(http_client()).why_unreachable(environment)


async def _check(environment: Environment) -> object:
    return await environment_checker(connector(), CountedEntropy()).check(environment)


async def _sign_in(environment: Environment) -> object:
    return await OdooSignIn(http_client()).sign_in(environment, "demo", "demo", address=None, may_administer=False)


@pytest.mark.parametrize("request_something", [_reach, _check, _sign_in])
@pytest.mark.parametrize("kind", [Kind.WEB, Kind.ODOO])
async def test_without_descriptors_nothing_is_found_out_about_an_environment(
    request_something: Callable[[Environment], Awaitable[object]], kind: Kind
) -> None:
    with no_descriptor(), pytest.raises(DescriptorsUsedUp):
        await request_something(make_environment(kind=kind))
