"""A running double in the hands of a test."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests import preloaded
from tests.doubles.odoo.websocket import WORKER_VERSION
from tests.markers import starts
from tests.ports import reserved_ports

_READY_WITHIN = 120.0
_GONE_WITHIN = 60.0


class Odoo:
    """One double: where it listens, and orders for its control channel (see `control.Control`)."""

    def __init__(
        self, port: int, gevent_port: int, control_port: int, pid: int, log: Path, database: str = "demo18"
    ) -> None:
        self.port = port
        self.gevent_port = gevent_port
        self.control_port = control_port
        self.pid = pid
        self.url = f"http://127.0.0.1:{port}"
        self.database = database
        self.websocket_url = f"http://127.0.0.1:{gevent_port}"
        self._log = log

    @property
    def log(self) -> str:
        """What it has written so far: tracebacks, if anything went wrong inside."""
        return self._log.read_text()

    def order(self, name: str, /, **given: Any) -> Any:
        """Give an order and return its result; raises ValueError with the double's own words."""
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=60)
        try:
            connection.request("POST", f"/{name}", json.dumps(given), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            result = json.loads(answer.read())
            if answer.status != 200:
                raise ValueError(result)
            return result
        finally:
            connection.close()

    def requests(self, path: str | None = None) -> list[dict[str, Any]]:
        """The requests that arrived, or those for a path; see `world.Seen` for what is told of each."""
        found: list[dict[str, Any]] = self.order("requests")
        return found if path is None else [each for each in found if each["target"].partition("?")[0] == path]

    def forget(self) -> None:
        """Begin the journal anew, and the lists of changes, calls and attempts to log in."""
        self.order("forget")

    def changes(self, model: str | None = None) -> list[dict[str, Any]]:
        """What was written, or what of it to one model; see `store.Change`. Logins and sessions are no changes."""
        found: list[dict[str, Any]] = self.order("changes")
        return found if model is None else [each for each in found if each["model"] == model]

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """The model methods that were called, whether they wrote or not; see `store.Ran`."""
        found: list[dict[str, Any]] = self.order("calls")
        return found if method is None else [each for each in found if each["method"] == method]

    def attempts(self, login: str | None = None) -> list[dict[str, Any]]:
        """Who tried to log in, from where, with what outcome; see `world.Attempt`."""
        return _of(self.order("attempts"), login)

    def sessions(self, login: str | None = None) -> list[dict[str, Any]]:
        """The sessions in which somebody, or this user, is logged in; see `sessions.Session`."""
        return _of(self.order("sessions"), login)

    def ended_sessions(self, login: str | None = None) -> list[dict[str, Any]]:
        """Those that ended, and how (logout, expired, invalid); see `sessions.Ended`."""
        return _of(self.order("ended"), login)

    def age_sessions(self, seconds: float, login: str | None = None) -> None:
        """Let time pass for sessions: for lifetimes, rotations by age and the grace after them."""
        self.order("age", seconds=seconds, login=login)

    def add_user(self, login: str, password: str, *groups: str, name: str | None = None) -> int:
        """Somebody more who can log in, in groups such as ``base.group_user``; returns the id."""
        given = {"login": login, "password": password, "name": name, "groups": groups or ("base.group_user",)}
        return int(self.order("add_user", **given))

    def set_password(self, login: str, password: str) -> None:
        """Give a user another password, which ends all their sessions."""
        self.order("user", login=login, values={"password": password})

    def set_active(self, login: str, *, active: bool) -> None:
        """Deactivate a user, which ends their sessions, or activate them again."""
        self.order("user", login=login, values={"active": active})

    def set_totp(self, login: str, code: str | None) -> None:
        """Give a user a second factor with this code, or take it away; either ends their sessions."""
        self.order("user", login=login, values={"totp": code})

    def set_groups(self, login: str, *groups: str) -> None:
        """Put a user in these groups instead of their present ones."""
        self.order("user", login=login, values={"groups": groups})

    def api_keys(self, login: str) -> list[str]:
        """The API keys of a user."""
        found: list[str] = self.order("api_keys", login=login)
        return found

    def restore_database(self, *, copied: bool = True) -> None:
        """Put the demo data back as from a backup: users, passwords, records. As a copy it ends every session."""
        self.order("restore", copied=copied)

    def say(self, body: str, *, login: str = "admin", channel: int = 1) -> int:
        """Post a message in a channel as a colleague would, which is in no list of changes; returns its id."""
        return int(self.order("say", body=body, login=login, channel=channel))

    def state(self) -> dict[str, Any]:
        """Settings, web.base.url, sessions, sockets, number of connections, callbacks of reports."""
        found: dict[str, Any] = self.order("state")
        return found

    @property
    def base_url(self) -> str:
        """web.base.url of the first database."""
        return str(next(iter(self.state()["base_urls"].values())))

    def sockets(self) -> list[dict[str, Any]]:
        """The WebSockets that are open."""
        found: list[dict[str, Any]] = self.state()["sockets"]
        return found

    def change(self, **settings: Any) -> None:
        """Change settings while it runs."""
        self.order("change", **settings)

    def set_parameter(self, key: str, value: str) -> None:
        """Set a system parameter such as web.base.url."""
        self.order("parameter", key=key, value=value)

    def set_website_domain(self, domain: str) -> None:
        """Give the website a domain, which its pages' canonical links then name."""
        self.change(website_domain=domain)

    def expire_sessions(self, login: str | None = None) -> int:
        """Forget sessions; returns how many."""
        return int(self.order("expire", login=login))

    def notify(self, kind: str, payload: Any, channel: str | None = None) -> int:
        """Send a bus notification; returns its id."""
        return int(self.order("notify", type=kind, payload=payload, channel=channel))

    def trouble(self, path: str, **what: Any) -> None:
        """Order a delay (`seconds`, `part`), a gate (`held`), a `cut` or an answer (`status`, `body`) for a path."""
        self.order("trouble", path=path, **what)

    def release(self) -> None:
        """End all troubles and let go what waits."""
        self.order("release")

    def redeploy(self, *, new_hashes: bool = False) -> None:
        """Other bundles under the same paths, or under new ones."""
        self.order("redeploy", new_hashes=new_hashes)

    def records(self, model: str, *fields: str) -> list[dict[str, Any]]:
        """All records of a model, with all fields or these."""
        found: list[dict[str, Any]] = self.order("records", model=model)
        return [{name: each.get(name, False) for name in ("id", *fields)} for each in found] if fields else found

    def count(self, model: str) -> int:
        """How many records of a model the user demo finds."""
        return len(self.records(model))

    def file(self) -> int:
        """A file of a record, which any user of it may read."""
        return 1112

    @property
    def major(self) -> int:
        """18 of "18.0"."""
        return int(str(self.state()["settings"]["version"]).partition(".")[0])

    @property
    def bus_version(self) -> str:
        """What its bus client says that it is."""
        return WORKER_VERSION

    def break_off(self) -> None:
        """Be gone at once, with all that it was doing."""
        os.kill(self.pid, signal.SIGKILL)

    def restart(self, seconds: float = 0.0) -> None:
        """Close the ports, wait, open them with fresh workers."""
        self.order("restart", seconds=seconds)


def _of(found: list[dict[str, Any]], login: str | None) -> list[dict[str, Any]]:
    return found if login is None else [each for each in found if each["login"] == login]


@starts("slow")
@contextmanager
def running_odoo(**options: Any) -> Iterator[Odoo]:
    """A double of its own on free ports; `options` are those of the command line (``workers=0, list_db=False``)."""
    with TemporaryDirectory(prefix="odoo-double-") as folder, reserved_ports(3) as [port, gevent_port, control_port]:
        arguments = []
        ports = {"port": port, "gevent_port": gevent_port, "control_port": control_port}
        for name, value in {**ports, **options}.items():
            option = name.replace("_", "-")
            arguments += (
                [f"--{option}" if value else f"--no-{option}"] if isinstance(value, bool) else [f"--{option}={value}"]
            )
        log = Path(folder) / "odoo.log"
        with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
            out = output.fileno()
            process = preloaded.start(arguments, os.environ, nothing.fileno(), out, out, program="odoo")
        try:
            _wait_until_ready(process, control_port, log)
            database = str(options.get("databases", "demo18")).partition(",")[0]
            yield Odoo(port, gevent_port, control_port, process.pid, log, database)
        finally:
            if not process.has_ended:
                os.kill(process.pid, signal.SIGTERM)
            process.wait(_GONE_WITHIN)


def _wait_until_ready(process: preloaded.Process, control_port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while not process.has_ended and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", control_port, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.03)
        finally:
            connection.close()
    raise RuntimeError(f"the double did not start; its log ends:\n{log.read_text(errors='replace')[-4000:]}")
