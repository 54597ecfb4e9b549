"""The web client's own routes."""

from __future__ import annotations

from typing import Any

from tests.doubles.odoo import answers, assets, bodies, measured, pages
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.store import UserMistake
from tests.doubles.odoo.visit import Visit
from tests.doubles.odoo.writing import run_server_action

_MENUS_OF_OTHERS = 53_816
_OPEN = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET, POST")]


@route("/odoo", "/odoo/<path:rest>", "/web", "/scoped_app/<path:rest>", auth="none")
def client(visit: Visit, rest: str | None = None) -> Answer:
    """The web client; a portal user is sent to the portal."""
    if visit.db is None:
        return visit.go("/web/database/selector")
    if rest == "offline":
        return answers.page(pages.sized(visit, _OFFLINE, "/odoo/offline"))
    visit.check_session()
    if not visit.logged_in:
        return visit.go(f"/web/login?redirect={answers.quoted(f'{visit.path}?{visit.query_string}')}")
    if not visit.user.internal:
        return visit.go("/my")
    if "debug" in visit.query:
        visit.session.debug = "" if visit.query["debug"] == "0" else visit.query["debug"]
    visit.session.dirty = True
    target = "/odoo?debug=assets" if visit.session.debug == "assets" else "/odoo"
    return answers.page(pages.sized(visit, pages.client(visit), target), fields=[("X-Frame-Options", "DENY")])


_OFFLINE = "<!DOCTYPE html>\n<html><head><title>Odoo</title></head><body><h1>You are offline</h1></body></html>\n"


@route("/web/webclient/load_menus/<hash>", methods=("GET",), auth="user")
def menus(visit: Visit, hash: str) -> Answer:
    """The menus of this user: public by its Cache-Control, and yet another one's are different."""
    del hash
    known = measured.fetched(f"/web/webclient/load_menus/{pages.menus_hash(visit)}")
    assert known is not None
    compressed = known.gzip6_bytes or 0
    size = known.size if visit.user.system else _MENUS_OF_OTHERS
    menus: dict[str, Any] = {"root": {"id": "root", "children": [1, 2, 3], "name": "root", "user": visit.user.name}}
    for id, (name, path) in enumerate(_APPS, 1):
        menus[str(id)] = {"id": id, "name": name, "actionPath": path, "children": []}
    body = answers.lengthened(menus, size, compressed * size // known.size, f"menus of {visit.user.login}")
    fields = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "public, max-age=31536000"),
        ("Content-Length", str(len(body))),
    ]
    return Answer(200, fields, body)


_APPS = (("Discuss", "discuss"), ("Contacts", "contacts"), ("CRM", "crm"), ("Sales", "sales"))


@route("/web/service-worker.js")
def service_worker(visit: Visit) -> Answer:
    """Our service worker, scope /odoo."""
    del visit
    known = measured.fetched("/web/service-worker.js")
    assert known is not None
    body = assets.body("text/javascript", "service-worker.js", known.size, known.gzip6_bytes or 0, known.path)
    fields = [
        ("Content-Type", "text/javascript"),
        ("Service-Worker-Allowed", "/odoo"),
        ("Content-Length", str(len(body))),
    ]
    return Answer(200, fields, body)


@route("/bus/websocket_worker_bundle")
def worker_bundle(visit: Visit) -> Answer:
    """The script of the SharedWorker that holds the bus."""
    debug = visit.session.debug == "assets"
    known = [
        each
        for each in measured.exchanges()
        if each.path.startswith("/bus/websocket_worker_bundle") and each.status == 200
    ]
    answer = visit.stream(assets.stored(known[1] if debug else known[0]))
    answer.late += _OPEN
    return answer


@route("/web/health", auth="none", saves_session=False)
def health(visit: Visit) -> Answer:
    """Alive."""
    del visit
    return answers.json_answer({"status": "pass"}, fields=[("Cache-Control", "no-store")])


@route("/web/webclient/version_info", auth="none", kind="json")
def version_info(visit: Visit) -> dict[str, Any]:
    """What version this is, to whoever asks."""
    return version(visit)


def version(visit: Visit) -> dict[str, Any]:
    """The version as every service tells it."""
    settings = visit.world.settings
    return {
        "server_version": settings.version,
        "server_version_info": [settings.major, 0, 0, "final", 0, ""],
        "server_serie": settings.version,
        "protocol_version": 1,
    }


@route("/web/action/load", auth="user", kind="json")
def action_load(visit: Visit) -> dict[str, Any]:
    """An action of the client, by path, external id or number."""
    return _action(visit, visit.params.get("action_id"))


def _action(visit: Visit, wanted: Any) -> dict[str, Any]:
    for action in visit.database.records["ir.actions.server"].values():
        if wanted in (action["id"], action["xml_id"], action["path"]) and wanted:
            return {**action, "type": "ir.actions.server", "display_name": action["name"]}
    if isinstance(wanted, str) and "." in wanted and wanted != "project_todo.project_task_action_todo":
        raise UserMistake(f"The action “{wanted}” does not exist.")
    models = {"contacts": "res.partner", "crm": "crm.lead", "sales": "sale.order"}
    return {
        "id": 1,
        "type": "ir.actions.act_window" if wanted in models else "ir.actions.client",
        "path": wanted,
        "res_model": models.get(str(wanted), False),
    }


@route("/web/action/run", auth="user", kind="json")
def action_run(visit: Visit) -> dict[str, Any]:
    """A server action, for it runs code: number 1 renames every partner, 2 opens a list, 3 makes a task before."""
    return _run(visit, int(visit.params.get("action_id") or 0))


def _run(visit: Visit, id: int) -> dict[str, Any]:
    run_server_action(visit.database, visit.author, id)
    return {"type": "ir.actions.act_window", "res_model": "crm.lead", "display_name": "Pipeline"}


@route("/web/action/load_breadcrumbs", auth="user", kind="json")
def load_breadcrumbs(visit: Visit) -> list[dict[str, Any]]:
    """Names of actions and records; those of server actions are known once they have run."""
    named: list[dict[str, Any]] = []
    for each in visit.params["actions"]:
        if "action" not in each:
            record = visit.database.records[each["model"]][int(each["resId"])]
            named.append({"display_name": record["name"]})
            continue
        try:
            action = _action(visit, each["action"])
        except UserMistake as error:
            named.append({"error": str(error)})
            continue
        if action["type"] == "ir.actions.server":
            action = _run(visit, action["id"])
        named.append({"display_name": action.get("display_name", "Action")})
    return named


@route("/base_setup/data", auth="user", kind="json")
def base_setup_data(visit: Visit) -> dict[str, Any]:
    """What the settings tell of users."""
    return {
        "active_users": len(visit.database.users),
        "pending_count": 0,
        "pending_users": [],
        "action_pending_users": {},
    }


@route("/calendar/check_credentials", auth="user", kind="json")
def check_credentials(_visit: Visit) -> dict[str, Any]:
    """With which services a calendar can be kept in line: none of their modules is installed."""
    return {}


@route("/web/become", auth="user")
def become(visit: Visit) -> Answer:
    """A system user becomes the superuser."""
    if visit.user.system:
        visit.session.dirty = True
    return visit.go("/odoo")


@route("/web/tests", "/web/tests/<path:rest>", auth="user")
def unit_tests(visit: Visit, rest: str | None = None) -> Answer:
    """The page that runs the client's unit tests."""
    del visit, rest
    return answers.page("<!DOCTYPE html>\n<html><body>Unit tests</body></html>\n")


@route("/web/double/page_of/<int:size>", auth="user")
def page_of(visit: Visit, size: str) -> Answer:
    """A page of any length that a test makes up, per user."""
    del visit
    length = int(size)
    return answers.page(f"<!DOCTYPE html>\n<html><body>{bodies.text(length, length // 4, size)}</body></html>\n")
