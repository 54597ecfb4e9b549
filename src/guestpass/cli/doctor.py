"""`guestpass doctor`: check the installation, and print problems with their remedies."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from guestpass.cli import output
from guestpass.cli.connection import named_server
from guestpass.cli.diagnosis.check import Check, Result, problem
from guestpass.cli.options import AsJSON
from guestpass.cli.progress import progress
from guestpass.cli.session import REFUSED, Stopped, Unheard, operator, quieten
from guestpass.domain.access import Principal
from guestpass.domain.errors import GuestpassError
from guestpass.settings import Settings
from guestpass.system import SystemClock

if TYPE_CHECKING:
    from guestpass.cli.remote import Server
    from guestpass.domain.environment import Environment
    from guestpass.wiring import Core

_MINUTE: Final = timedelta(minutes=1)
_READ_AT_ONCE: Final = 500


def doctor(as_json: AsJSON = False) -> None:
    """Check settings, database, addresses and environments.

    Each check is ok, a warning or a problem, with the remedy; the exit status is 1 where there is a problem. Beside the
    server it checks everything; with GUESTPASS_URL, the server as you reach it.
    """
    server = named_server()
    checks = _check_elsewhere(server) if server is not None else _check_here()
    healthy = all(each.result is not Result.PROBLEM for each in checks)
    if as_json:
        output.print_json({"ok": healthy, "checks": [_document(each) for each in checks]})
    else:
        _print(checks)
    if not healthy:
        raise typer.Exit(REFUSED)


def _check_here() -> list[Check]:
    # Loaded here, since other commands don't need it and it takes time to load.
    from guestpass.cli.diagnosis import machine  # noqa: PLC0415

    settings, checks = machine.check_settings()
    if settings is None:
        return checks
    quieten(settings)
    with progress("Looking at this machine"):
        checks += machine.check_files(settings)
        checks += [
            machine.check_keys(settings),
            machine.check_database(settings),
            machine.check_disk(settings),
        ]
    with progress("Looking at the server and the environments"):
        return checks + asyncio.run(_check_running(settings))


async def _check_running(settings: Settings) -> list[Check]:
    """Run the checks that need the database or the server beside it."""
    from guestpass.wiring import build_core_beside_server  # noqa: PLC0415 - as above

    try:
        core = await build_core_beside_server(settings, Unheard())
    except GuestpassError as error:
        # Missing keys were reported above; only this shows that the key is another one.
        if "SECRET_KEY is not" in str(error):
            return [problem("keys", str(error), "Put the key of this database back.")]
        return [*await _check_listeners(settings)]
    try:
        return [*await _check_listeners(core.settings), *await _check_addresses(core), *await _check_registered(core)]
    finally:
        await core.close()


async def _check_listeners(settings: Settings) -> list[Check]:
    from guestpass.cli.diagnosis.network import check_listener  # noqa: PLC0415 - as above

    tls = settings.tls_cert is not None
    return [
        await check_listener("LISTEN", settings.listen, settings.public_url, tls=tls),
        await check_listener("ADMIN_LISTEN", settings.admin_listen, settings.admin_url, tls=tls),
    ]


async def _check_addresses(core: Core) -> list[Check]:
    from guestpass.cli.diagnosis import network  # noqa: PLC0415 - as above

    settings, now = core.settings, core.clock.now()
    # Without scopes, since another server sees it if an address leads elsewhere.
    token = core.bearer.issue(Principal("guestpass doctor", scopes=frozenset()), now=now, lifetime=_MINUTE)
    checks = await network.check_address("PUBLIC_URL", settings.public_url, token)
    checks += await network.check_certificate("PUBLIC_URL", settings.public_url, now)
    if settings.link_domain is not None:
        label = base64.b32encode(core.entropy.bytes(10)).decode().lower()
        checks.append(await network.check_link_domain(settings.link_domain, settings.public_url, label))
    checks += await network.check_address("ADMIN_URL", settings.admin_url, token)
    checks += await network.check_certificate("ADMIN_URL", settings.admin_url, now)
    # PUBLIC_URL first: the worker that answered has just seen the proxies in front of it.
    for url in (settings.public_url, settings.admin_url):
        if (body := (await network.ask(f"{url}/api/installation", token=token)).installation) is not None:
            return checks + network.findings_of(body)
    return checks


async def _check_registered(core: Core) -> list[Check]:
    from guestpass.cli.diagnosis.environments import check_environments  # noqa: PLC0415 - as above
    from guestpass.cli.local import LocalBackend  # noqa: PLC0415

    environments: list[Environment] = []
    async with core.database.reading() as work:
        while some := await work.reachabilities.candidates(
            after=environments[-1].key if environments else None, limit=_READ_AT_ONCE
        ):
            environments += some
    several = len({each.key.org for each in environments}) > 1
    return await check_environments(
        [
            (
                f"environment {each.key if several else each.id}",
                partial(LocalBackend(core, operator(each.key.org)).check_environment, each.id),
            )
            for each in environments
        ]
    )


def _check_elsewhere(server: Server) -> list[Check]:
    with progress(f"Looking at {server.url}"):
        return asyncio.run(_check_server(server))


async def _check_server(server: Server) -> list[Check]:
    from guestpass.cli.diagnosis import network  # noqa: PLC0415 - as above
    from guestpass.cli.diagnosis.environments import check_environments  # noqa: PLC0415
    from guestpass.cli.remote import remote_backend  # noqa: PLC0415

    checks = await network.check_address("GUESTPASS_URL", server.url, server.token)
    checks += await network.check_certificate("GUESTPASS_URL", server.url, SystemClock().now())
    body = (await network.ask(f"{server.url}/api/installation", token=server.token)).installation
    if body is None:
        return checks
    checks += network.findings_of(body)
    async with remote_backend(server) as backend:
        try:
            environments = (await backend.environments()).environments
        except Stopped as stopped:
            return [*checks, problem("environments", str(stopped), "Use a token that may read environments.")]
        return checks + await check_environments(
            [(f"environment {each.id}", partial(backend.check_environment, each.id)) for each in environments]
        )


def _print(checks: Iterable[Check]) -> None:
    for each in checks:
        typer.echo(output.printable(f"{each.result.value:8} {each.check}: {each.detail}"))
        if each.remedy:
            typer.echo(output.printable(f"         -> {each.remedy}"))


def _document(check: Check) -> dict[str, str | None]:
    return {
        "check": check.check,
        "result": check.result.value,
        "detail": check.detail,
        "remedy": check.remedy or None,
    }
