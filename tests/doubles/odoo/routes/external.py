"""Interfaces for programs: XML-RPC, /jsonrpc, /json/1, and a login that uploads a module. None asks for a session."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

from tests.doubles.odoo import accounts, answers
from tests.doubles.odoo.answers import Answer, Refusal
from tests.doubles.odoo.calls import Call, run
from tests.doubles.odoo.routes import databases, webclient
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.store import AccessDenied, DatabaseRefused, OdooError
from tests.doubles.odoo.visit import Visit


def dispatch(visit: Visit, service: str, method: str, args: list[Any]) -> Any:
    """Run a method of a service: common, db or object."""
    services = {"common": _common, "db": _db, "object": _object}
    if service not in services:
        raise KeyError(service)
    return services[service](visit, method, args)


def _common(visit: Visit, method: str, args: list[Any]) -> Any:
    if method == "version":
        return webclient.version(visit)
    if method in {"authenticate", "login"}:
        base = args[3].get("base_location") if len(args) > 3 and isinstance(args[3], dict) else None
        try:
            return accounts.check(visit, _database(visit, args[0]), args[1], args[2], base, interactive=False).id
        except AccessDenied:
            return False
    raise KeyError(f"Method not found: {method}")


def _db(visit: Visit, method: str, args: list[Any]) -> Any:
    world = visit.world
    match method:
        case "list":
            return databases.names_of(visit)
        case "server_version":
            return world.settings.version
        case "db_exist":
            return args[0] in world.databases
        case "list_lang":
            return [["en_US", "English (US)"]]
        case "dump":
            databases.check_master(world, args[0])
            _database(visit, args[1])
            return xmlrpc.client.Binary(databases.dump(args[1]))
        case "drop":
            databases.check_master(world, args[0])
            return world.databases.pop(args[1], None) is not None
    raise KeyError(f"Method not found: {method}")


def _object(visit: Visit, method: str, args: list[Any]) -> Any:
    db = _database(visit, args[0])
    user = accounts.check_program(visit, db, int(args[1]), args[2])
    if method == "execute_kw":
        return run(Call(db, user, visit.path, args[3], args[4], list(args[5]), dict(args[6]) if len(args) > 6 else {}))
    if method == "execute":
        return run(Call(db, user, visit.path, args[3], args[4], list(args[5:])))
    raise KeyError(f"Method not found: {method}")


def _database(visit: Visit, name: str) -> Any:
    db = visit.world.databases.get(name)
    if db is None:
        raise DatabaseRefused(f'connection to server failed: FATAL:  database "{name}" does not exist\n')
    return db


@route("/xmlrpc/<service>", "/xmlrpc/2/<service>", auth="none", methods=("POST",), csrf=False, saves_session=False)
def xml_rpc(visit: Visit, service: str) -> Answer:
    """A call in XML."""
    args, method = xmlrpc.client.loads(visit.body)
    try:
        result = dispatch(visit, service, method or "", list(args))
        written = xmlrpc.client.dumps((result,), methodresponse=True, allow_none=True)
    except AccessDenied as error:
        written = xmlrpc.client.dumps(xmlrpc.client.Fault(3, str(error)), allow_none=True)
    except (OdooError, LookupError, TypeError, ValueError) as error:
        written = xmlrpc.client.dumps(xmlrpc.client.Fault(1, f"{type(error).__name__}: {error}"), allow_none=True)
    body = written.encode()
    return Answer(200, [("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(body)))], body)


@route("/jsonrpc", auth="none", kind="json", saves_session=False)
def json_rpc(visit: Visit) -> Any:
    """A call in JSON."""
    params = visit.params
    result = dispatch(visit, params["service"], params["method"], list(params["args"]))
    return result.data.hex() if isinstance(result, xmlrpc.client.Binary) else result


@route("/json/1/<path:rest>", auth="public")
def json_api(visit: Visit, rest: str) -> Answer:
    """Records as JSON, for who has a session."""
    if not visit.logged_in:
        raise Refusal(401, "User not authenticated, use an API Key with a Bearer Authorization header.")
    models = {"contacts": "res.partner", "crm": "crm.lead", "sales": "sale.order"}
    parts = rest.split("/")
    model = models.get(parts[0], parts[0])
    domain = [["id", "=", int(parts[1])]] if len(parts) > 1 and parts[1].isdigit() else []
    return answers.json_answer(visit.run(model, "web_search_read", [], {"domain": domain}))


@route("/json/2/<model>/<method>", auth="public", methods=("POST",), csrf=False, saves_session=False)
def json_calls(visit: Visit, model: str, method: str) -> Answer:
    """Model methods by path, from 19.0 on: for an API key, or for a session in a browser's own request."""
    if visit.world.settings.major < 19:
        raise Refusal(404)
    db, key = visit.database, (visit.header("Authorization") or "").removeprefix("Bearer ")
    user = next((each for each in db.users.values() if key and key in each.api_keys), None)
    if user is None and not (visit.logged_in and visit.header("Sec-Fetch-Site") in {"same-origin", "none"}):
        raise Refusal(401, "Invalid apikey")
    given = dict(visit.call)
    args = [given.pop("ids")] if "ids" in given else []
    return answers.json_answer(run(Call(db, user or visit.user, visit.path, model, method, args, given)))


@route("/base_import_module/login_upload", auth="none", methods=("POST",), csrf=False)
def login_upload(visit: Visit) -> Answer:
    """Log in and install a module in one request."""
    user = accounts.check(
        visit, visit.database, visit.form.get("login", ""), visit.form.get("password", ""), visit.url_root
    )
    if not user.system:
        raise AccessDenied("Access Denied")
    accounts.log_in(visit, user)
    body = b"ok"
    return Answer(200, [("Content-Type", answers.HTML), ("Content-Length", "2")], body)
