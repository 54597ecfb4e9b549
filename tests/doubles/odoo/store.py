"""The small database behind the double: models, records, users, and a log of everything that was written."""

from __future__ import annotations

import itertools
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.odoo import measured
from tests.doubles.odoo.users import PUBLIC, User, people

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


@dataclass(frozen=True)
class Author:
    """The user who writes, the request's path, and the model method or none."""

    user: User
    route: str
    method: str = ""


@dataclass(frozen=True)
class Change:
    """One write that took effect. `operation`: create, write, unlink, or what else was done to the model."""

    db: str
    model: str
    operation: str
    ids: list[int]
    values: Record
    method: str
    user: str
    route: str
    at: float


@dataclass(frozen=True)
class Ran:
    """One model method that was called, whether it wrote or not; `outcome` is "done" or the error's class."""

    db: str
    model: str
    method: str
    user: str
    route: str
    outcome: str


@dataclass
class Database:
    """One database: records by model, users, parameters and the bytes of attachments."""

    name: str
    major: int = 18
    parameters: dict[str, str] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    records: dict[str, dict[int, Record]] = field(default_factory=dict)
    filestore: dict[int, bytes] = field(default_factory=dict)
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    changes: list[Change] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._ids: dict[str, itertools.count[int]] = {}
        _fill(self)

    def add(self, model: str, values: Record, id: int | None = None) -> int:
        """Create a record without asking who does it, and without a word in the log."""
        with self.lock:
            table = self.records.setdefault(model, {})
            if id is None:
                counter = self._ids.setdefault(model, itertools.count(max(table, default=0) + 1))
                id = next(counter)
                while id in table:
                    id = next(counter)
            table[id] = {"id": id, **values}
            return id

    def set_parameter(self, key: str, value: str) -> None:
        """Set a system parameter as Odoo itself does, and its record."""
        with self.lock:
            self.parameters[key] = value
            for record in self.search("ir.config_parameter", [["key", "=", key]]):
                record["value"] = value

    def note(self, author: Author, model: str, operation: str, ids: Iterable[int], values: Record) -> None:
        """Write a change down."""
        written = (self.name, model, operation, list(ids), dict(values), author.method, author.user.login, author.route)
        with self.lock:
            self.changes.append(Change(*written, time.time()))

    def create(self, author: Author, model: str, values: Record) -> int:
        """Create a record; the rights were checked before."""
        uid = author.user.id
        with self.lock:
            id = self.add(model, {**values, "create_uid": uid, "write_uid": [uid, author.user.name]})
            self.note(author, model, "create", [id], values)
        return id

    def write(self, author: Author, model: str, ids: Iterable[int], values: Record) -> None:
        """Change records; raises MissingRecord and UserMistake. The rights were checked before."""
        if "name" in values and not values["name"]:
            raise UserMistake("Missing required value for the field 'Name' (name)")
        with self.lock:
            records = self.browse(model, ids)
            for record in records:
                record.update(values, write_uid=[author.user.id, author.user.name])
                if model == "ir.config_parameter":
                    self.parameters[record["key"]] = record["value"]
            self.note(author, model, "write", [each["id"] for each in records], values)

    def unlink(self, author: Author, model: str, ids: Iterable[int]) -> None:
        """Delete records; raises MissingRecord. The rights were checked before."""
        with self.lock:
            gone = [record["id"] for record in self.browse(model, ids)]
            for id in gone:
                del self.records[model][id]
            self.note(author, model, "unlink", gone, {})

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
        reading = domain and any(isinstance(term, list) and "user_ids" in str(term[0]).split(".") for term in domain)
        records = [record for _, record in sorted(self.records[model].items())]
        if not reading:
            return [record for record in records if matches(record, domain)]
        return [record for record in records if matches(self._with_users(model, record), domain)]

    def _with_users(self, model: str, record: Record) -> Record:
        """A record with its contact's users and address, under the paths that lead there."""
        prefix = "" if model == "res.partner" else "partner_id."
        partner = record if not prefix else self.records["res.partner"].get(record.get("partner_id") or 0, {})
        users = [user for user in self.users.values() if user.partner_id == partner.get("id")]
        logins = [user.login for user in users]
        names = {f"{prefix}user_ids": [user.id for user in users], f"{prefix}user_ids.login": logins}
        return {**record, **names, f"{prefix}email": partner.get("email", False)}

    # Users.

    def add_user(self, user: User) -> None:
        """Add a user who can log in, with their record, partner and settings."""
        with self.lock:
            self.users[user.id] = user
            values = {"name": user.name, "login": user.login, "partner_id": user.partner_id, "active": user.active}
            self.add("res.users", values, user.id)
            if user.partner_id not in self.records.get("res.partner", {}):
                self.add("res.partner", {"name": user.name, "email": user.login, "phone": ""}, user.partner_id)
            self.add("res.users.settings", {"user_id": user.id, "is_discuss_sidebar_category_channel_open": True})

    def user_of(self, uid: int | None) -> User:
        """The user of a session; the public user where nobody is logged in."""
        return self.users.get(uid, PUBLIC) if uid is not None else PUBLIC

    def named(self, login: str) -> User:
        """The user with that login, active or not; raises KeyError."""
        for user in self.users.values():
            if user.login == login:
                return user
        raise KeyError(login)

    def authenticate(self, login: str, password: str, *, interactive: bool) -> User:
        """The user whose password this is; raises AccessDenied.

        Programs (not `interactive`) may bring an API key instead, and must where there is a second factor.
        """
        for user in self.users.values():
            if user.active and user.login == login:
                self.check_password(user, password, interactive=interactive)
                return user
        raise AccessDenied("Access Denied")

    def check_password(self, user: User, password: str, *, interactive: bool) -> None:
        """Raise AccessDenied unless this is the user's password or, where accepted, one of their keys."""
        known = bool(user.password) and user.password == password
        if interactive and known:
            return
        if not interactive and (password in user.api_keys or (known and user.totp is None)):
            return
        raise AccessDenied("Access Denied")

    def session_token(self, uid: int, sid: str) -> str | None:
        """What a session of that user must hold to be valid."""
        user = self.users.get(uid)
        return user.session_token(sid, self.secret) if user else None


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
    held = record[name] if name in record else record.get(name.partition(".")[0], False)
    if name.rpartition(".")[2] == "user_ids":
        held = bool(held)
    if name.endswith("user_ids.login") and operator == "=":
        return wanted in held
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


# Models that begin without records, or with those of their users.
_EMPTY = (
    "mail.message",
    "mail.mail",
    "mail.followers",
    "bus.presence",
    "ir.attachment",
    "ir.rule",
    "ir.cron",
    "ir.module.module",
    "ir.model.access",
    "ir.http",
    "mail.activity",
    "project.project",
    "project.task",
    "properties.base.definition",
    "base_import.import",
    "discuss.channel.member",
    "auth_totp.wizard",
    "change.password.own",
    "change.password.wizard",
    "res.users.apikeys",
    "res.users.apikeys.description",
    "res.users.identitycheck",
)


def _fill(db: Database) -> None:
    """Users, and partners under the names that the measured images carry."""
    for exchange in measured.exchanges():
        found = re.match(r"/web/image/res\.partner/(\d+)/avatar_128", exchange.path)
        name = re.search(r'filename="?([^"]+?)"?$', exchange.field("Content-Disposition") or "")
        if found and name:
            plain = name.group(1).rpartition(".")[0]
            db.add("res.partner", {"name": plain, "email": "", "phone": ""}, int(found.group(1)))
    for user in people():
        db.add_user(user)
    for id, title in enumerate(("New", "Qualified", "Won"), 1):
        db.add("crm.stage", {"name": title}, id)
    for id in range(1, 13):
        values = {"name": f"Opportunity {id}", "stage_id": 1 + id % 3, "partner_id": 9 + id}
        # The seller's, the administrator's, and nobody's.
        db.add("crm.lead", {**values, "user_id": (9, 2, False)[id % 3]}, id)
    for id in range(1, 21):
        values = {"name": f"S{id:05}", "state": "draft", "partner_id": 9 + id, "amount_total": 100.0 * id}
        db.add("sale.order", {**values, "user_id": (9, 2)[id % 2]}, id)
    for id, product in enumerate(("Office Lamp", "Large Desk", "Storage Box"), 1):
        db.add("product.template", {"name": product, "list_price": 40.0 * id}, id)
    db.add("discuss.channel", {"name": "general"}, 1)
    db.add("website", {"name": "My Website"}, 1)
    db.add("ir.config_parameter", {"key": "web.base.url", "value": ""}, 1)
    for id, (title, xml_id, path) in enumerate(
        (
            ("Rename all contacts", "", "rename"),
            ("My Pipeline", "crm.action_your_pipeline", "pipeline"),
            ("To-do", "project_todo.project_task_preload_action_todo", "to-do"),
        ),
        1,
    ):
        db.add("ir.actions.server", {"name": title, "state": "code", "xml_id": xml_id, "path": path}, id)
    for model in _EMPTY:
        db.records.setdefault(model, {})
    db.filestore[1112] = b""
    db.add(
        "ir.attachment",
        {"name": "up.pdf", "mimetype": "application/pdf", "write_date": time.time(), "measured": True},
        1112,
    )
