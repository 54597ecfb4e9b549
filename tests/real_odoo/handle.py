"""A real Odoo in the hands of a test: the same as the double's handle, as far as a real one can do it.

What only the double can is refused with OnlyTheDoubleError; a test that wants it is marked `double_only`.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import parse_qs

import httpx2
from psycopg import sql
from tests.doubles.odoo.handle import Odoo
from tests.doubles.odoo.world import Seen, Trouble
from tests.odoo.versions import VERSIONS
from tests.real_odoo import server
from tests.real_odoo.recorder import Recorder

CHOSEN: Final = os.environ.get("GUESTPASS_TEST_ODOO")
"""The instance that tests run on, as JSON, where it is a real one."""

# What Odoo writes for everybody who opens a page or signs in: who was there, on what device, what they looked at.
BOOKKEEPING: Final = frozenset(
    {
        ("res_device_log", "insert"),
        ("res_device_log", "update"),
        ("res_users_log", "insert"),
        ("res_users_settings", "insert"),
        ("website_track", "insert"),
        ("website_visitor", "insert"),
        ("website_visitor", "update"),
    }
)
_PASSWORDS: Final = {"admin": "admin", "demo": "demo", "portal": "portal"}


# Nobody's: what ends the double must never end what all tests share.
_NO_PROCESS: Final = 1 << 23


# Newer ones do the first by themselves; what is held is held before Odoo, so that none of its workers is taken.
_AS_IT_IS: Final[tuple[dict[str, Any], ...]] = ({}, {"rotate_after": 10_800}, {"workers": 8})


class OnlyTheDoubleError(Exception):
    """A test asked a real Odoo for what only the double can do."""


def chosen() -> server.Instance | None:
    """The real Odoo that the tests run on; None where they run on the double."""
    return server.Instance(**json.loads(CHOSEN)) if CHOSEN else None


class RealOdoo(Odoo):
    """One real Odoo behind a recorder of the test's own; its database is shared, and what was changed is put back."""

    def __init__(self, instance: server.Instance) -> None:
        self.instance = instance
        upstreams = {"http": instance.port, "evented": instance.gevent_port}
        self.recorder = Recorder(upstreams, self._noticed)
        self.recorder.open()
        ports = self.recorder.ports
        super().__init__(
            ports["http"], ports["evented"], 0, _NO_PROCESS, instance.folder / "odoo.log", instance.database
        )
        self._heard: set[int] = set()
        self._attempts: list[dict[str, Any]] = []
        self._ended: list[dict[str, Any]] = []
        self._file: int | None = None
        self._uids: dict[str, int] = {}
        self._undo: list[Callable[[], object]] = []

    def close(self) -> None:
        """Put back what was changed, and let go of the ports."""
        while self._undo:
            self._undo.pop()()
        self.recorder.close()

    # What arrived.

    def requests(self, path: str | None = None) -> list[dict[str, Any]]:
        """The requests that arrived, or those for a path."""
        found = self.recorder.journal.listed()
        return found if path is None else [each for each in found if each["target"].partition("?")[0] == path]

    def forget(self) -> None:
        """Begin anew with what arrived and what was written."""
        self.recorder.journal.forget()
        self._attempts.clear()
        self._sql("DELETE FROM guestpass.changes")

    def changes(self, model: str | None = None) -> list[dict[str, Any]]:
        """The rows that were written, by whomever; `operation` is insert, update or delete."""
        rows = self._sql("SELECT relation, kind, id, values FROM guestpass.changes ORDER BY n")
        # Those that are there; of what was removed the values are known.
        bundles = {id for (id,) in self._sql("SELECT id FROM ir_attachment WHERE url LIKE '/web/assets/%'")}
        found = [
            {"model": str(relation).replace("_", "."), "operation": kind, "ids": [id], "values": values}
            for relation, kind, id, values in rows
            if (relation, kind) not in BOOKKEEPING
            and not (relation == "ir_attachment" and (id in bundles or is_bundle(values)))
        ]
        return found if model is None else [each for each in found if each["model"] == model]

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """The model methods that were asked for, whether they wrote or not."""
        found = []
        for each in self.requests():
            if re.match(r"/web/dataset/call_(kw|button)", each["target"]):
                params = json.loads(each["body"].encode("latin-1")).get("params", {})
                found.append({"model": params.get("model"), "method": params.get("method"), "route": each["target"]})
        return found if method is None else [each for each in found if each["method"] == method]

    def attempts(self, login: str | None = None) -> list[dict[str, Any]]:
        """Who tried to log in, with what outcome."""
        return [each for each in self._attempts if login in (None, each["login"])]

    # Sessions, which Odoo keeps as files.

    def sessions(self, login: str | None = None) -> list[dict[str, Any]]:
        """The sessions in which somebody, or this user, is logged in."""
        found = [self._session(file) for file in self._session_files()]
        return [each for each in found if each and each["uid"] and login in (None, each["login"])]

    def ended_sessions(self, login: str | None = None) -> list[dict[str, Any]]:
        """Those that ended by a logout, or that were made to expire."""
        return [each for each in self._ended if login in (None, each["login"])]

    def expire_sessions(self, login: str | None = None) -> int:
        """Remove sessions; returns how many."""
        gone = 0
        for file in self._session_files():
            session = self._session(file)
            if session and login in (None, session["login"]):
                file.unlink(missing_ok=True)
                gone += 1
                if session["uid"]:
                    self._ended.append(session | {"how": "expired"})
        return gone

    def age_sessions(self, seconds: float, login: str | None = None) -> None:
        """Let time pass for sessions: set back what their files and the files' times say."""
        for file in self._session_files():
            session = self._session(file)
            if session and login in (None, session["login"]):
                data = _content_of(file)
                for name in ("create_time", "deletion_time"):
                    if isinstance(data.get(name), int | float):
                        data[name] -= seconds
                changed = file.stat().st_mtime - seconds
                file.write_bytes(json.dumps(data).encode() if self.major >= 18 else pickle.dumps(data))
                os.utime(file, (changed, changed))

    def state(self) -> dict[str, Any]:
        """Sessions, sockets, web.base.url and the number of connections."""
        return {
            "base_urls": {self.instance.database: self._parameter("web.base.url")},
            "sessions": [each for each in map(self._session, self._session_files()) if each],
            "sockets": self.sockets(),
            "connections": self.recorder.journal.connections,
        }

    def sockets(self) -> list[dict[str, Any]]:
        """The WebSockets that are open: whose, and what they have subscribed to."""
        found = []
        for each in list(self.recorder.sockets):
            said = [text for text in each.texts if "event_name" in text]
            subscribed = [json.loads(text) for text in said if json.loads(text)["event_name"] == "subscribe"]
            session = self._session_of(each.seen)
            channels = subscribed[-1]["data"]["channels"] or ["broadcast"] if subscribed else []
            found.append({"user": session and session["login"], "channels": channels, "received": len(each.texts)})
        return found

    # Data.

    def install(self, *modules: str) -> None:
        """Install modules, for all tests that follow; what their own tables get is in no list of changes."""
        wanted = [["name", "in", list(modules)], ["state", "!=", "installed"]]
        if found := self._rpc("ir.module.module", "search", [wanted]):
            self._rpc("ir.module.module", "button_immediate_install", [found])
            # Each of its workers now loads the modules before its next answer; asked at once, both do.
            with ThreadPoolExecutor(4) as several:
                list(several.map(lambda _: self._rpc("res.users", "search_count", [[]]), range(4)))

    def call(self, model: str, method: str, *args: Any) -> Any:
        """Call a method as an administrator, not through the recorder; a number alone comes in a list."""
        return self._unnoted(lambda: _ids(self._rpc(model, method, list(args))))

    def records(self, model: str, *fields: str) -> list[dict[str, Any]]:
        """The records of a model that an administrator finds, with their names or these fields."""
        wanted = fields or ("display_name", *self._rpc(model, "fields_get", [["name"], ["type"]]))
        found: list[dict[str, Any]] = self._rpc(model, "search_read", [[], list(wanted)])
        return found

    def count(self, model: str) -> int:
        """How many records of a model the user demo finds."""
        return int(self._rpc(model, "search_count", [[]], login="demo", password="demo"))

    def file(self) -> int:
        """A file that any user may read."""
        if self._file is None:
            values = {"name": "file.txt", "raw": "A file.", "mimetype": "text/plain", "public": True}
            [self._file] = self._unnoted(lambda: _ids(self._rpc("ir.attachment", "create", [[values]])))
        return self._file

    def set_parameter(self, key: str, value: str) -> None:
        """Set a system parameter."""
        before = self._parameter(key) or False
        self._unnoted(lambda: self._rpc("ir.config_parameter", "set_param", [key, value]))
        self._undo.append(lambda: self._unnoted(lambda: self._rpc("ir.config_parameter", "set_param", [key, before])))

    def set_website_domain(self, domain: str) -> None:
        """Give the website a domain, which its pages' canonical links then name."""
        [[before]] = self._sql("SELECT domain FROM website WHERE id = 1")
        self._unnoted(lambda: self._rpc("website", "write", [[1], {"domain": domain}]))
        self._undo.append(lambda: self._unnoted(lambda: self._rpc("website", "write", [[1], {"domain": before}])))

    def add_user(self, login: str, password: str, *groups: str, name: str | None = None) -> int:
        """Somebody more who can log in."""
        values = {"name": name or login, "login": login, "password": password, "email": login}
        [id] = self._unnoted(lambda: _ids(self._rpc("res.users", "create", [[values | self._groups(groups)]])))
        self._undo.append(lambda: self._unnoted(lambda: self._rpc("res.users", "unlink", [[id]])))
        return int(id)

    def set_password(self, login: str, password: str) -> None:
        """Give a user another password, which ends all their sessions."""
        self._write_user(login, {"password": password}, {"password": _PASSWORDS.get(login, login)})

    def set_active(self, login: str, *, active: bool) -> None:
        """Deactivate a user, or activate them again."""
        self._write_user(login, {"active": active}, {"active": True})

    def set_groups(self, login: str, *groups: str) -> None:
        """Put a user in these groups instead of their present ones."""
        column = self._groups_field
        [now] = self._rpc("res.users", "read", [[self._user(login)], [column]])
        self._write_user(login, self._groups(groups), {column: [[6, 0, now[column]]]})

    def say(self, body: str, *, login: str = "admin", channel: int = 1) -> int:
        """Post a message in a channel as a colleague."""
        model = "mail.channel" if self.major < 17 else "discuss.channel"
        password = _PASSWORDS[login]
        posting = {"body": body, "message_type": "comment", "subtype_xmlid": "mail.mt_comment"}
        [id] = self._unnoted(
            lambda: _ids(self._rpc(model, "message_post", [[channel]], posting, login=login, password=password))
        )
        return int(id)

    def notify(self, kind: str, payload: Any, channel: str | None = None) -> int:
        """Send a bus notification to all, or to a channel; returns its id."""
        where = json.dumps([self.instance.database, channel or "broadcast"], separators=(",", ":"))
        message = json.dumps({"type": kind, "payload": payload}, separators=(",", ":"))
        insert = sql.SQL("INSERT INTO bus_bus (channel, message, create_date) VALUES ({}, {}, {}) RETURNING id").format(
            sql.Literal(where), sql.Literal(message), sql.SQL("now() AT TIME ZONE 'UTC'")
        )
        [[id]] = self._unnoted(lambda: self._sql(insert))
        server.cluster().execute(sql.SQL("SELECT pg_notify('imbus', {})").format(sql.Literal(f"[{where}]")))
        return int(str(id))

    # Trouble, which the recorder makes.

    def trouble(self, path: str, **what: Any) -> None:
        """Order trouble for a path, as of the double."""
        self.recorder.troubles.order(Trouble(path, **what))

    def release(self) -> None:
        """End all troubles."""
        self.recorder.troubles.release()

    def order(self, name: str, /, **given: Any) -> Any:
        """Close or open the ports; raises OnlyTheDoubleError for any other order."""
        if name == "close":
            self.recorder.close()
        elif name == "open":
            self.recorder.open()
        else:
            _only_the_double(f"the order {name} with {given}")
        return None

    def break_off(self) -> None:
        """Be gone at once, as an Odoo is that was killed."""
        self.recorder.close()

    @property
    def bus_version(self) -> str:
        """What its bus client says that it is."""
        return VERSIONS[self.major].bus

    @property
    def major(self) -> int:
        """18 of "18.0"."""
        return self.instance.major

    # How it is done.

    def _noticed(self, seen: Seen, answer: bytes | None) -> None:
        path = seen.target.partition("?")[0]
        if answer is None and path == "/web/session/logout":
            session = self._session_of(seen)
            if session and session["uid"]:
                self._ended.append(session | {"how": "logout"})
        if answer is None or seen.id in self._heard:
            return
        if path == "/web/login" and seen.method == "POST":
            self._heard.add(seen.id)
            values = parse_qs(seen.body)
            login, status = values.get("login", [""])[0], answer.split(b" ", 2)[1]
            outcome = "ok" if status == b"303" else "denied"
            self._attempts.append({"login": login, "db": self.database, "route": path, "outcome": outcome})
        if path == "/web/session/authenticate":
            self._attempt(seen, answer)

    def _attempt(self, seen: Seen, answer: bytes) -> None:
        head, _, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if length is None or len(body) < int(length[1]):
            return
        params = json.loads(seen.body.encode("latin-1")).get("params", {})
        self._heard.add(seen.id)
        said = json.loads(body)
        outcome = "denied" if "error" in said else "ok" if said["result"].get("uid") else "second factor"
        self._attempts.append(
            {"login": params.get("login"), "db": params.get("db"), "route": seen.target, "outcome": outcome}
        )

    def _session_files(self) -> list[Path]:
        return [each for each in (self.instance.folder / "data" / "sessions").rglob("*") if each.is_file()]

    def _session(self, file: Path) -> dict[str, Any] | None:
        try:
            data = _content_of(file)
        except (OSError, ValueError, EOFError, pickle.UnpicklingError):
            return None
        return {"sid": file.name, "db": data.get("db"), "uid": data.get("uid"), "login": data.get("login")}

    def _session_of(self, seen: Seen) -> dict[str, Any] | None:
        cookie = SimpleCookie(next((value for name, value in seen.fields if name.lower() == "cookie"), ""))
        sid = cookie["session_id"].value if "session_id" in cookie else ""
        return next((self._session(file) for file in self._session_files() if file.name == sid), None)

    def _sql(self, statement: str | sql.Composed) -> list[tuple[Any, ...]]:
        with server.cluster().connect(self.instance.database) as connection:
            cursor = connection.execute(statement.encode() if isinstance(statement, str) else statement)
            return cursor.fetchall() if cursor.description is not None else []

    def _unnoted(self, do: Callable[[], Any]) -> Any:
        """Do what is no change of a visitor's."""
        [[last]] = self._sql("SELECT coalesce(max(n), 0) FROM guestpass.changes")
        done = do()
        self._sql(f"DELETE FROM guestpass.changes WHERE n > {int(last)}")
        return done

    def _rpc(
        self,
        model: str,
        method: str,
        args: list[Any],
        named: dict[str, Any] | None = None,
        *,
        login: str = "admin",
        password: str = "admin",
    ) -> Any:
        """Call a method from beside, as a program does, not through the recorder."""
        database = self.instance.database
        # A login costs Odoo a slow hash, and its number stays the same.
        if (uid := self._uids.get(login)) is None:
            uid = self._uids[login] = self._call("common", "login", database, login, password)
        return self._call("object", "execute_kw", database, uid, password, model, method, args, named or {})

    def _call(self, service: str, method: str, *args: Any) -> Any:
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": params}
        said = httpx2.post(f"{self.instance.url}/jsonrpc", json=body, timeout=900).json()
        if "error" in said:
            raise ValueError(said["error"]["data"]["message"])
        return said["result"]

    def _user(self, login: str) -> int:
        [[id]] = self._sql(sql.SQL("SELECT id FROM res_users WHERE login = {}").format(sql.Literal(login)))
        return int(id)

    def _write_user(self, login: str, values: dict[str, Any], before: dict[str, Any]) -> None:
        id = self._user(login)
        self._unnoted(lambda: self._rpc("res.users", "write", [[id], values]))
        self._undo.append(lambda: self._unnoted(lambda: self._rpc("res.users", "write", [[id], before])))

    @property
    def _groups_field(self) -> str:
        return "group_ids" if self.major >= 19 else "groups_id"

    def _groups(self, names: tuple[str, ...]) -> dict[str, Any]:
        found = []
        for each in names:
            module, _, name = each.partition(".")
            wanted = sql.SQL("SELECT res_id FROM ir_model_data WHERE module = {} AND name = {}")
            [[id]] = self._sql(wanted.format(sql.Literal(module), sql.Literal(name)))
            found.append(id)
        return {self._groups_field: [[6, 0, found]]} if found else {}

    def _parameter(self, key: str) -> str:
        rows = self._sql(sql.SQL("SELECT value FROM ir_config_parameter WHERE key = {}").format(sql.Literal(key)))
        return str(rows[0][0]) if rows else ""


def _only_the_double(name: str) -> NoReturn:
    raise OnlyTheDoubleError(f"{name}: mark the test with double_only and the reason")


class _Plain(pickle.Unpickler):
    """What Odoo up to 17 has pickled, with objects instead of its own classes."""

    def find_class(self, _module: str, _name: str, /) -> Any:
        return dict


def _content_of(file: Path) -> dict[str, Any]:
    """What a session holds."""
    kept = file.read_bytes()
    content: dict[str, Any] = json.loads(kept) if kept.startswith(b"{") else _Plain(io.BytesIO(kept)).load()
    return content


def _ids(found: Any) -> list[int]:
    return found if isinstance(found, list) else [found]


def is_bundle(values: dict[str, Any]) -> bool:
    """Whether this is a bundle of assets, which Odoo makes and clears away when somebody asks for it."""
    return str(values.get("url") or "").startswith("/web/assets/")


@contextmanager
def real_odoo(instance: server.Instance, **options: Any) -> Iterator[RealOdoo]:
    """The real Odoo for a test; raises OnlyTheDoubleError for options, which are the double's."""
    if options not in _AS_IT_IS:
        _only_the_double(f"an Odoo with {', '.join(options)}")
    odoo = RealOdoo(instance)
    try:
        odoo.expire_sessions()
        odoo.forget()
        odoo._ended.clear()
        yield odoo
    finally:
        odoo.close()
