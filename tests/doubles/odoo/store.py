"""The small database behind the double: models, records, users and what each user may do."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.odoo import measured

Record = dict[str, Any]
Domain = list[Any]


class OdooError(Exception):
    """An error that JSON-RPC hands to the client under Odoo's class name."""

    name = "odoo.exceptions.UserError"


class AccessDenied(OdooError):
    """Wrong login or password, or a locked door."""

    name = "odoo.exceptions.AccessDenied"


class AccessRefused(OdooError):
    """The user may not do this."""

    name = "odoo.exceptions.AccessError"


class MissingRecord(OdooError):
    """The record is gone."""

    name = "odoo.exceptions.MissingError"


class UserMistake(OdooError):
    """Something the user can put right."""


class NoSuchMethod(OdooError):
    """The model has no such method."""

    name = "builtins.AttributeError"


class NoSuchModel(OdooError):
    """The registry has no such model."""

    name = "builtins.KeyError"


class DatabaseRefused(OdooError):
    """PostgreSQL has no such database."""

    name = "psycopg2.OperationalError"


@dataclass
class User:
    """Somebody who can log in. `system` users administer; `portal` users see /my only."""

    id: int
    login: str
    password: str
    name: str
    partner_id: int
    system: bool = False
    portal: bool = False
    totp: str | None = None  # the code that the second step asks for


PUBLIC = User(4, "public", "", "Public user", 4)
# What a portal user may read; everything else is refused.
_PORTAL_MODELS = {"res.partner", "product.template"}
_SYSTEM_MODELS = {"ir.config_parameter", "ir.cron", "ir.module.module", "ir.rule", "ir.model.access"}
_WRITES = {"create", "write", "unlink", "web_save", "copy", "name_create", "action_confirm", "action_cancel"}


@dataclass
class Database:
    """One database: records by model, users, parameters and the bytes of attachments."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    records: dict[str, dict[int, Record]] = field(default_factory=dict)
    filestore: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._ids: dict[str, itertools.count[int]] = {}
        _fill(self)

    def add(self, model: str, values: Record, id: int | None = None) -> int:
        """Create a record without asking who does it."""
        with self.lock:
            table = self.records.setdefault(model, {})
            if id is None:
                counter = self._ids.setdefault(model, itertools.count(max(table, default=0) + 1))
                id = next(counter)
                while id in table:
                    id = next(counter)
            table[id] = {"id": id, **values}
            return id

    def user_of(self, uid: int | None) -> User:
        """The user of a session; the public user where nobody is logged in."""
        return self.users.get(uid, PUBLIC) if uid is not None else PUBLIC

    def authenticate(self, login: str, password: str) -> User:
        """The user whose password this is; raises AccessDenied."""
        for user in self.users.values():
            if user.login == login and user.password and user.password == password:
                return user
        raise AccessDenied("Access Denied")

    def call(self, user: User, model: str, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """What `call_kw` does: check the method's name and the user's rights, then run it."""
        if method.startswith("_"):
            raise AccessRefused(f"Private methods (such as '{model}.{method}') cannot be called remotely.")
        with self.lock:
            if model not in self.records:
                raise NoSuchModel(f"'{model}'")
            self._check(user, model, method)
            action = _METHODS.get(method)
            if action is None:
                raise NoSuchMethod(f"The method '{model}.{method}' does not exist")
            return action(self, user, model, args, kwargs)

    def _check(self, user: User, model: str, method: str) -> None:
        writes = method in _WRITES
        allowed = (
            user.system
            or (user.portal and model in _PORTAL_MODELS and not writes)
            or (
                not user.portal
                and user is not PUBLIC
                and model not in _SYSTEM_MODELS
                and not (writes and model == "res.users")
            )
            or (model == "res.users" and method == "has_group")
        )
        if not allowed:
            verb = "modify" if writes else "access"
            raise AccessRefused(f"You are not allowed to {verb} '{model}' records.")

    # Reading and writing, as the methods below use them.

    def browse(self, model: str, ids: Iterable[int]) -> list[Record]:
        """The records of these ids; raises MissingRecord."""
        table = self.records[model]
        found = []
        for id in ids:
            if id not in table:
                raise MissingRecord("Record does not exist or has been deleted.")
            found.append(table[id])
        return found

    def search(self, model: str, domain: Domain) -> list[Record]:
        """The records that a domain selects, by id."""
        return [record for _, record in sorted(self.records[model].items()) if matches(record, domain)]


def matches(record: Record, domain: Domain) -> bool:
    """Whether a domain (prefix notation with ``&``, ``|`` and ``!``) selects the record."""
    stack: list[bool] = []
    for term in reversed(domain):
        if term == "!":
            stack.append(not stack.pop())
        elif term in ("&", "|"):
            left, right = stack.pop(), stack.pop()
            stack.append(left and right if term == "&" else left or right)
        else:
            stack.append(_compare(record, *term))
    return all(stack)


def _compare(record: Record, name: str, operator: str, wanted: Any) -> bool:
    held = record.get(name.partition(".")[0], False)
    if isinstance(held, (list, tuple)) and held and not isinstance(wanted, str):
        held = held[0]
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: held == wanted,
        "!=": lambda: held != wanted,
        "in": lambda: held in wanted,
        "not in": lambda: held not in wanted,
        "ilike": lambda: str(wanted).lower() in str(held).lower(),
        "like": lambda: str(wanted) in str(held),
        ">": lambda: held > wanted,
        "<": lambda: held < wanted,
        ">=": lambda: held >= wanted,
        "<=": lambda: held <= wanted,
    }
    if operator not in tests:
        raise UserMistake(f"Invalid leaf ({name!r}, {operator!r}, {wanted!r})")
    return tests[operator]()


Method = Callable[[Database, User, str, list[Any], dict[str, Any]], Any]
_METHODS: dict[str, Method] = {}


def _method(action: Method) -> Method:
    _METHODS[action.__name__.removeprefix("_do_")] = action
    return action


def _argument(args: list[Any], kwargs: dict[str, Any], position: int, name: str, default: Any) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


def _ids(args: list[Any]) -> list[int]:
    first = args[0] if args else []
    return [first] if isinstance(first, int) else list(first)


def _shown(record: Record, names: Iterable[str] | None) -> Record:
    if not names:
        return dict(record)
    return {"id": record["id"], **{name: record.get(name, False) for name in names if name != "id"}}


def _page(records: list[Record], kwargs: dict[str, Any]) -> list[Record]:
    start = int(kwargs.get("offset") or 0)
    limit = kwargs.get("limit")
    return records[start : start + int(limit)] if limit else records[start:]


@_method
def _do_read(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    names = _argument(args, kwargs, 1, "fields", None)
    return [_shown(record, names) for record in db.browse(model, _ids(args))]


@_method
def _do_web_read(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    return [_shown(record, kwargs.get("specification")) for record in db.browse(model, _ids(args))]


@_method
def _do_search(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    return [each["id"] for each in _page(db.search(model, _argument(args, kwargs, 0, "domain", [])), kwargs)]


@_method
def _do_search_count(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    return len(db.search(model, _argument(args, kwargs, 0, "domain", [])))


@_method
def _do_search_read(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    names = _argument(args, kwargs, 1, "fields", None)
    found = db.search(model, _argument(args, kwargs, 0, "domain", []))
    return [_shown(record, names) for record in _page(found, kwargs)]


@_method
def _do_web_search_read(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    found = db.search(model, _argument(args, kwargs, 0, "domain", []))
    shown = [_shown(record, kwargs.get("specification")) for record in _page(found, kwargs)]
    return {"length": len(found), "records": shown}


@_method
def _do_name_search(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    wanted = str(_argument(args, kwargs, 0, "name", "")).lower()
    return [[each["id"], each["name"]] for each in db.search(model, []) if wanted in str(each.get("name", "")).lower()]


@_method
def _do_create(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    values = _argument(args, kwargs, 0, "vals_list", {})
    if isinstance(values, list):
        return [db.add(model, each) for each in values]
    return db.add(model, values)


@_method
def _do_write(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    values = _argument(args, kwargs, 1, "vals", {})
    if "name" in values and not values["name"]:
        raise UserMistake("Missing required value for the field 'Name' (name)")
    for record in db.browse(model, _ids(args)):
        record.update(values)
        if model == "ir.config_parameter":
            db.parameters[record["key"]] = record["value"]
    return True


@_method
def _do_web_save(db: Database, user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    ids, values = _ids(args), _argument(args, kwargs, 1, "vals", {})
    if ids:
        _do_write(db, user, model, [ids, values], {})
    else:
        ids = [db.add(model, values)]
    for record in db.browse(model, ids):
        record["write_uid"] = [user.id, user.name]
    return [_shown(record, kwargs.get("specification")) for record in db.browse(model, ids)]


@_method
def _do_unlink(db: Database, _user: User, model: str, args: list[Any], _kwargs: dict[str, Any]) -> Any:
    for record in db.browse(model, _ids(args)):
        del db.records[model][record["id"]]
    return True


@_method
def _do_fields_get(db: Database, _user: User, model: str, _args: list[Any], _kwargs: dict[str, Any]) -> Any:
    sample: Record = next(iter(db.records[model].values()), {"id": 0, "name": ""})
    return {name: {"name": name, "string": name.title(), "type": "char"} for name in sample}


@_method
def _do_get_views(_db: Database, _user: User, model: str, _args: list[Any], _kwargs: dict[str, Any]) -> Any:
    views = {kind: {"arch": f"<{kind}/>", "id": 1, "model": model} for kind in ("list", "form", "kanban", "search")}
    return {"views": views, "models": {model: {"fields": {}}}}


@_method
def _do_read_progress_bar(_db: Database, _user: User, _model: str, _args: list[Any], _kwargs: dict[str, Any]) -> Any:
    return {}


@_method
def _do_web_read_group(db: Database, _user: User, model: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    counts: dict[Any, int] = {}
    for record in db.search(model, _argument(args, kwargs, 0, "domain", [])):
        counts[record.get("stage_id", False)] = counts.get(record.get("stage_id", False), 0) + 1
    return {"groups": [{"stage_id": key, "stage_id_count": n} for key, n in counts.items()], "length": len(counts)}


@_method
def _do_has_group(_db: Database, user: User, _model: str, args: list[Any], _kwargs: dict[str, Any]) -> Any:
    return not user.portal and ("base.group_system" not in args or user.system)


@_method
def _do_get_rainbowman_message(_db: Database, _u: User, _model: str, _a: list[Any], _kwargs: dict[str, Any]) -> Any:
    return False


@_method
def _do_register_as_main_attachment(_db: Database, _u: User, _m: str, _a: list[Any], _kwargs: dict[str, Any]) -> Any:
    return None


@_method
def _do_default_get(_db: Database, _user: User, _model: str, _args: list[Any], _kwargs: dict[str, Any]) -> Any:
    return {}


@_method
def _do_onchange(_db: Database, _user: User, _model: str, _args: list[Any], _kwargs: dict[str, Any]) -> Any:
    return {"value": {}}


@_method
def _do_action_confirm(db: Database, _user: User, model: str, args: list[Any], _kwargs: dict[str, Any]) -> Any:
    for record in db.browse(model, _ids(args)):
        if record.get("state") == "sale":
            raise UserMistake("Some orders are not in a state requiring confirmation: " + str(record.get("name")))
        record["state"] = "sale"
    return True


def _fill(db: Database) -> None:
    """Users, and partners under the names that the measured images carry."""
    for user in (
        User(2, "admin", "admin", "Mitchell Admin", 3, system=True),
        User(6, "demo", "demo", "Marc Demo", 7),
        User(7, "portal", "portal", "Joel Willis", 8, portal=True),
        User(8, "second", "second", "Second Factor", 9, totp="123456"),
    ):
        db.users[user.id] = user
    for user in db.users.values():
        db.add("res.users", {"name": user.name, "login": user.login, "partner_id": user.partner_id}, user.id)
    for exchange in measured.exchanges():
        found = re.match(r"/web/image/res\.partner/(\d+)/avatar_128", exchange.path)
        name = re.search(r'filename="?([^"]+?)"?$', exchange.field("Content-Disposition") or "")
        if found and name:
            plain = name.group(1).rpartition(".")[0]
            db.add("res.partner", {"name": plain, "email": "", "phone": ""}, int(found.group(1)))
    for id, title in enumerate(("New", "Qualified", "Won"), 1):
        db.add("crm.stage", {"name": title}, id)
    for id in range(1, 13):
        db.add("crm.lead", {"name": f"Opportunity {id}", "stage_id": 1 + id % 3, "partner_id": 9 + id}, id)
    for id in range(1, 21):
        db.add(
            "sale.order", {"name": f"S{id:05}", "state": "draft", "partner_id": 9 + id, "amount_total": 100.0 * id}, id
        )
    for id, product in enumerate(("Office Lamp", "Large Desk", "Storage Box"), 1):
        db.add("product.template", {"name": product, "list_price": 40.0 * id}, id)
    db.add("discuss.channel", {"name": "general"}, 1)
    db.add("ir.config_parameter", {"key": "web.base.url", "value": ""}, 1)
    for model in ("mail.message", "ir.attachment", "ir.rule", "ir.cron", "ir.module.module", "ir.model.access"):
        db.records[model] = {}
    db.filestore[1112] = b""
    db.add(
        "ir.attachment",
        {"name": "up.pdf", "mimetype": "application/pdf", "write_date": time.time(), "measured": True},
        1112,
    )
