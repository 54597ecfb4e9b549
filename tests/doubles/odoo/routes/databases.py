"""The database manager: open to whoever reaches it."""

from __future__ import annotations

from tests.doubles.odoo import answers, bodies, pages
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.store import AccessDenied
from tests.doubles.odoo.visit import Visit
from tests.doubles.odoo.world import World


def names_of(visit: Visit) -> list[str]:
    """The databases that are told; raises AccessDenied where listing is off."""
    if not visit.world.settings.list_db:
        raise AccessDenied("Access Denied")
    return visit.world.databases_for(visit.host)


def check_master(world: World, password: str) -> None:
    """Raises AccessDenied for another master password."""
    if password != world.settings.master_password:
        raise AccessDenied("Access Denied")


def dump(name: str) -> bytes:
    """The whole database, as a backup would be."""
    return b"PK\x03\x04" + bodies.noise(200_000, 200_000, f"dump of {name}")


def _shown(visit: Visit, *, selector: bool) -> Answer:
    try:
        names = names_of(visit)
    except AccessDenied:
        names = []
    return answers.page(pages.database_manager(names, selector=selector))


@route("/web/database/manager", auth="none")
def manager(visit: Visit) -> Answer:
    """Names, and forms that need no token."""
    return _shown(visit, selector=False)


@route("/web/database/selector", auth="none")
def selector(visit: Visit) -> Answer:
    """Names alone."""
    return _shown(visit, selector=True)


@route("/web/database/list", auth="none", kind="json")
def listing(visit: Visit) -> list[str]:
    """Names by JSON."""
    return names_of(visit)


@route("/web/database/backup", auth="none", methods=("POST",), csrf=False)
def backup(visit: Visit) -> Answer:
    """All data as a file."""
    check_master(visit.world, visit.form.get("master_pwd", ""))
    body = dump(visit.form.get("name", ""))
    fields = [("Content-Type", "application/octet-stream; charset=binary"), ("Content-Length", str(len(body)))]
    return Answer(200, fields, body)


@route("/web/database/drop", auth="none", methods=("POST",), csrf=False)
def drop(visit: Visit) -> Answer:
    """A database less."""
    check_master(visit.world, visit.form.get("master_pwd", ""))
    visit.world.databases.pop(visit.form.get("name", ""), None)
    return visit.go("/web/database/manager")


@route(
    "/web/database/create",
    "/web/database/restore",
    "/web/database/duplicate",
    auth="none",
    methods=("POST",),
    csrf=False,
)
def create(visit: Visit) -> Answer:
    """A database more."""
    check_master(visit.world, visit.form.get("master_pwd", ""))
    name = visit.form.get("new_name") or visit.form.get("name") or "new"
    visit.world.databases[name] = visit.world.new_database(name)
    return visit.go("/odoo")


@route("/web/database/change_password", auth="none", methods=("POST",), csrf=False)
def change_password(visit: Visit) -> Answer:
    """Another master password."""
    check_master(visit.world, visit.form.get("master_pwd", ""))
    visit.world.settings.master_password = visit.form.get("master_pwd_new", "")
    return visit.go("/web/database/manager")
