"""`guestpass serve`, `guestpass settings` and `guestpass db`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from guestpass.cli import output
from guestpass.cli.options import AsJSON
from guestpass.cli.progress import progress
from guestpass.cli.session import Unheard, installation, read_settings
from guestpass.settings import (
    CONFIG_VARIABLE,
    MAX_WORKERS,
    SECRETS,
    Settings,
    SettingsError,
    describe,
    describe_defaults,
    load,
    parse_database_url,
    without_passwords,
)

database = typer.Typer(help="The database.", no_args_is_help=True)


def serve(
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_WORKERS, show_default=False, help="How many processes serve, instead of WORKERS."),
    ] = None,
) -> None:
    """Serve visitors and owners, until SIGTERM, Ctrl-C or the end of the terminal.

    Visitors are served on LISTEN, owners on ADMIN_LISTEN, by one process a core. Makes DATA_DIR, the keys and the
    database where they are missing, and brings an older database up to date. SIGHUP replaces the workers, with the
    settings and the version of that moment, without cutting a request.
    """
    from guestpass.supervisor import supervise  # noqa: PLC0415 - the other commands need no sockets and signals

    raise typer.Exit(supervise(workers))


def show_settings(as_json: AsJSON = False) -> None:
    """List every setting, and where it is from.

    Each with its value and its purpose; secrets are hidden. If one is invalid, all are listed with their defaults, and
    then what is wrong.
    """
    try:
        loaded = load()
    except SettingsError:
        if not as_json:
            output.print_table(["SETTING", "DEFAULT", "WHAT FOR"], describe_defaults(), width=140)
        raise
    lines = describe(loaded)
    if as_json:
        output.print_json(
            {
                "file": str(loaded.file) if loaded.file else None,
                "settings": [
                    {"name": line.name, "value": line.value, "source": line.source.value, "help": line.help}
                    for line in lines
                ],
            }
        )
        return
    output.print_table(
        ["SETTING", "VALUE", "FROM", "WHAT FOR"],
        [(line.name, line.value, line.source.value, line.help) for line in lines],
        width=140,
    )
    output.note(f"Settings file: {loaded.file}" if loaded.file else f"No settings file ({CONFIG_VARIABLE}).")


@database.command("upgrade")
def upgrade(as_json: AsJSON = False) -> None:
    """Make the database and the keys if they are missing, and bring an older database up to date."""
    from guestpass.wiring import build_core_beside_server, prepare  # noqa: PLC0415 - as in `serve`

    settings = read_settings()

    async def claim() -> None:
        core = await build_core_beside_server(settings, Unheard())
        await core.close()

    with installation():
        prepare(settings)
        asyncio.run(claim())
    if as_json:
        output.print_json({"database": settings.database_name})
        return
    typer.echo(f"The database {settings.database_name} is up to date.")


@database.command("copy")
def copy(
    to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="The empty database to copy into, as for DATABASE_URL. Its password may be in PGPASSWORD or ~/.pgpass "
            "instead.",
        ),
    ],
    as_json: AsJSON = False,
) -> None:
    """Copy everything into another, empty database, such as a PostgreSQL one for several machines.

    Stop the server first: what it writes meanwhile is not copied. Every row is compared afterwards, and where one
    differs nothing is kept. The database that is copied stays as it is.
    """
    from guestpass.storage.copying import copy as copy_database  # noqa: PLC0415 - as in `serve`
    from guestpass.storage.location import locate  # noqa: PLC0415
    from guestpass.storage.open_files import require_own_log  # noqa: PLC0415

    settings = read_settings()
    try:
        target = parse_database_url(to)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--to") from None
    tables: dict[str, int] = {}
    with installation(), progress("Copying"):
        require_own_log(locate(settings.database_url))
        copy_database(settings.database_url, target, copied=tables.__setitem__)
    shown = without_passwords(target)
    if as_json:
        output.print_json({"database": shown, "rows": tables})
        return
    output.print_table(["TABLE", "ROWS"], [(table, str(rows)) for table, rows in tables.items()])
    output.note(
        f"{settings.database_name} was copied into {shown}, and every row compared. Set GUESTPASS_DATABASE_URL to it, "
        f"and on every machine GUESTPASS_JWT_SECRET and GUESTPASS_SECRET_KEY to {_whereabouts(settings)}."
    )


def _whereabouts(settings: Settings) -> str:
    kept = [str(settings.secret_file(name)) for name in SECRETS if getattr(settings, name) is None]
    return f"what is in {' and '.join(kept)}" if kept else "what they are here"
