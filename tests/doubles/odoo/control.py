"""The control channel: plain JSON over HTTP on the loopback interface, for tests to look inside and to steer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.doubles.odoo.evented import EventedFront
from tests.doubles.odoo.serving import Front
from tests.doubles.odoo.store import Database
from tests.doubles.odoo.users import GROUPS, User
from tests.doubles.odoo.world import Trouble, World


class Running:
    """The world and its two ports, which can be closed for a while."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._fronts: list[Front | EventedFront] = []

    def open(self) -> None:
        """Open the ports with fresh workers."""
        with self._lock:
            if not self._fronts:
                self._fronts.append(Front(self.world))
                if not self.world.settings.threaded:
                    self._fronts.append(EventedFront(self.world))

    def close(self) -> None:
        """Close the ports and every socket; sessions and data stay."""
        with self._lock:
            self.world.troubles.release()
            for front in self._fronts:
                front.stop()
            for listener in self.world.bus.listeners:
                listener.close(1001, "")
            self._fronts.clear()


Order = Callable[[dict[str, Any]], Any]


class Control:
    """The orders that tests can give, by name."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.world = running.world
        self.orders: dict[str, Order] = {
            name.removeprefix("order_"): getattr(self, name) for name in dir(self) if name.startswith("order_")
        }

    def order_state(self, _given: dict[str, Any]) -> Any:
        """Settings, web.base.url of each database, sessions and sockets."""
        world = self.world
        return {
            "settings": asdict(world.settings),
            "base_urls": {name: db.parameters["web.base.url"] for name, db in world.databases.items()},
            "sessions": [asdict(each) for each in world.sessions.listed()],
            "sockets": [each.describe() for each in world.bus.listeners],
            "last_notification": world.bus.last_id,
            "connections": world.journal.connections,
            "callbacks": world.callbacks,
        }

    def order_requests(self, _given: dict[str, Any]) -> Any:
        """The requests that arrived."""
        return self.world.journal.listed()

    def order_forget(self, _given: dict[str, Any]) -> Any:
        """Begin the journal anew, and the lists of changes, calls and attempts."""
        self.world.forget()

    def order_change(self, given: dict[str, Any]) -> Any:
        """Change settings."""
        for name, value in given.items():
            self.world.settings.change(name, value)

    def order_parameter(self, given: dict[str, Any]) -> Any:
        """Set a system parameter of the first or the named database."""
        self._database(given).set_parameter(given["key"], given["value"])

    def order_expire(self, given: dict[str, Any]) -> Any:
        """Forget the sessions of a login, or all."""
        return self.world.sessions.expire(given.get("login"))

    def order_notify(self, given: dict[str, Any]) -> Any:
        """Send a notification; returns its id."""
        return self.world.bus.send(self._database(given).name, given.get("channel"), given["type"], given["payload"])

    def order_drop_sockets(self, given: dict[str, Any]) -> Any:
        """Close every WebSocket with a code; returns how many."""
        open_now = self.world.bus.listeners
        for each in open_now:
            each.close(int(given.get("code", 1001)), str(given.get("reason", "")))
        return len(open_now)

    def order_trouble(self, given: dict[str, Any]) -> Any:
        """Delay, hold, cut or replace the answers to a path (a regular expression)."""
        self.world.troubles.order(Trouble(**given))

    def order_release(self, _given: dict[str, Any]) -> Any:
        """End all troubles."""
        self.world.troubles.release()

    def order_redeploy(self, given: dict[str, Any]) -> Any:
        """Other bundles: with another ETag, and with `new_hashes` under other paths; returns the generation."""
        self.world.redeploy(new_hashes=bool(given.get("new_hashes")))
        return self.world.asset_generation

    def order_records(self, given: dict[str, Any]) -> Any:
        """All records of a model."""
        return list(self._database(given).records[given["model"]].values())

    def order_changes(self, _given: dict[str, Any]) -> Any:
        """What was written, in order; for several databases one after the other."""
        return [asdict(each) for db in self.world.databases.values() for each in db.changes]

    def order_calls(self, _given: dict[str, Any]) -> Any:
        """The model methods that were called."""
        return [asdict(each) for db in self.world.databases.values() for each in db.ran]

    def order_attempts(self, _given: dict[str, Any]) -> Any:
        """Who tried to log in."""
        return [asdict(each) for each in self.world.attempts]

    def order_sessions(self, _given: dict[str, Any]) -> Any:
        """The sessions in which somebody is logged in; one that went on under another id counts once."""
        kept = self.world.sessions.listed()
        return [asdict(each) for each in kept if each.next_sid is None and self.world.valid(each)]

    def order_ended(self, _given: dict[str, Any]) -> Any:
        """The sessions of logged-in users that ended, and how."""
        return [asdict(each) for each in self.world.sessions.ended()]

    def order_age(self, given: dict[str, Any]) -> Any:
        """Make sessions older."""
        self.world.sessions.age(float(given["seconds"]), given.get("login"))

    def order_user(self, given: dict[str, Any]) -> Any:
        """Change what a user has: password, active, totp, groups."""
        db = self._database(given)
        user = db.named(given["login"])
        with db.lock:
            for name, value in given["values"].items():
                if name not in {"password", "active", "totp", "groups"}:
                    raise ValueError(f"{name} is nothing that a user has")
                setattr(user, name, _groups(value) if name == "groups" else value)
            db.records["res.users"][user.id]["active"] = user.active

    def order_add_user(self, given: dict[str, Any]) -> Any:
        """A user more; returns the id."""
        db = self._database(given)
        with db.lock:
            id = max(db.users) + 1
            partner = max(db.records["res.partner"]) + 1
            names = (given["login"], given["password"], given.get("name") or given["login"])
            db.add_user(User(id, *names, partner, _groups(given["groups"])))
            return id

    def order_api_keys(self, given: dict[str, Any]) -> Any:
        """The keys of a user."""
        return list(self._database(given).named(given["login"]).api_keys)

    def order_restore(self, given: dict[str, Any]) -> Any:
        """Put a backup in the place of a database."""
        self.world.restore(self._database(given).name, copied=bool(given["copied"]))

    def order_say(self, given: dict[str, Any]) -> Any:
        """Post a message in a channel as a colleague; returns its id."""
        db = self._database(given)
        author = db.named(given["login"]).partner_id
        values = {"model": "discuss.channel", "res_id": given["channel"], "body": given["body"], "author_id": author}
        id = db.add("mail.message", values)
        payload = {"id": given["channel"], "message": {"id": id, "body": given["body"]}}
        self.world.bus.send(db.name, None, "discuss.channel/new_message", payload)
        return id

    def _database(self, given: dict[str, Any]) -> Database:
        return self.world.databases[given.get("db") or next(iter(self.world.databases))]

    def order_close(self, _given: dict[str, Any]) -> Any:
        """Close the ports: nobody answers."""
        self.running.close()

    def order_open(self, _given: dict[str, Any]) -> Any:
        """Open them again."""
        self.running.open()

    def order_restart(self, given: dict[str, Any]) -> Any:
        """Close and open: fresh workers, the same sessions and data."""
        self.running.close()
        time.sleep(float(given.get("seconds", 0)))
        self.running.open()


def _groups(names: list[str]) -> frozenset[str]:
    unknown = set(names) - GROUPS
    if unknown:
        raise ValueError(f"no such groups: {', '.join(sorted(unknown))}")
    return frozenset(names)


def control_server(running: Running, port: int) -> ThreadingHTTPServer:
    """Answers ``POST /<order>`` with a JSON body by its result as JSON; 400 with the reason where it can't."""
    control = Control(running)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200, "ready")

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            order = control.orders.get(self.path.lstrip("/"))
            if order is None:
                self._answer(404, f"no order {self.path}")
                return
            try:
                self._answer(200, order(given))
            except (KeyError, TypeError, ValueError, OSError) as error:
                self._answer(400, f"{type(error).__name__}: {error}")

        def _answer(self, status: int, value: Any) -> None:
            body = json.dumps(value, default=str).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: tests know what they ask."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server
