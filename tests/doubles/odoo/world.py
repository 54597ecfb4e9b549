"""Everything that outlives a request: settings, databases, sessions, the bus, and what was seen and ordered."""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.doubles.odoo import assets
from tests.doubles.odoo.bus import Bus
from tests.doubles.odoo.sessions import Session, Sessions
from tests.doubles.odoo.settings import Settings
from tests.doubles.odoo.store import Author, Database


@dataclass
class Seen:
    """A request that arrived."""

    id: int
    port: str  # "http" or "evented"
    worker: int
    peer: str
    method: str
    target: str
    version: str
    fields: list[tuple[str, str]]
    at: float
    body: str = ""
    body_bytes: int = 0
    complete: bool = False
    status: int | None = None
    sent: bool = False


class Journal:
    """The requests and connections that arrived, in order."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self.connections = 0

    def connected(self) -> None:
        """Count a TCP connection on one of Odoo's ports."""
        with self._lock:
            self.connections += 1

    def note(self, **facts: Any) -> Seen:
        """Write a request down as soon as its head has been read."""
        with self._lock:
            seen = Seen(id=next(self._ids), at=time.monotonic(), **facts)
            self._seen.append(seen)
            return seen

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._seen.clear()
            self.connections = 0

    def listed(self) -> list[dict[str, Any]]:
        """All of them as plain data."""
        with self._lock:
            return [asdict(each) for each in self._seen]


@dataclass
class Trouble:
    """Something ordered for requests whose path matches: a delay, a gate, a cut, or an answer of its own.

    `seconds` passes before the head, or in the middle of the body with `part` "body". With `held` the request waits
    until it is released. `cut` breaks the connection off in the middle of the body. `times` is how often it happens.
    """

    path: str
    seconds: float = 0.0
    held: bool = False
    part: str = "head"
    cut: bool = False
    status: int | None = None
    body: str = ""
    content_type: str = "text/html; charset=utf-8"
    times: int | None = None
    gate: threading.Event = field(default_factory=threading.Event, repr=False)

    def wait(self) -> None:
        """Pass the time."""
        if self.held:
            self.gate.wait(120)
        elif self.seconds:
            # A gate that nobody opens is a pause which a release cuts short.
            self.gate.wait(self.seconds)


class Troubles:
    """What tests have ordered."""

    def __init__(self) -> None:
        self._ordered: list[Trouble] = []
        self._used_up: list[Trouble] = []
        self._lock = threading.Lock()

    def order(self, trouble: Trouble) -> None:
        """Add one; the latest that matches counts."""
        with self._lock:
            self._ordered.append(trouble)

    def release(self) -> None:
        """End all of them, and let go what waits."""
        with self._lock:
            for each in (*self._ordered, *self._used_up):
                each.gate.set()
            self._ordered.clear()
            self._used_up.clear()

    def for_path(self, path: str) -> Trouble | None:
        """The trouble that this path is in, if any."""
        with self._lock:
            for each in reversed(self._ordered):
                if re.fullmatch(each.path, path):
                    if each.times is not None:
                        each.times -= 1
                        if each.times <= 0:
                            self._ordered.remove(each)
                            self._used_up.append(each)
                    return each
        return None


@dataclass
class Worker:
    """What one worker process keeps to itself: its template cache and its count of failed logins."""

    number: int
    templates: dict[tuple[str, str], str] = field(default_factory=dict)
    # By database and source address: how many since the last success, and when the latest was.
    failures: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """Somebody tried to log in. `outcome`: ok, denied, throttled, or second factor where a code is still wanted."""

    login: str
    source: str
    db: str
    route: str
    outcome: str
    worker: int
    at: float


class World:
    """The whole server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sessions = Sessions()
        self.journal = Journal()
        self.troubles = Troubles()
        self.bus = Bus()
        self.databases = {name: self.new_database(name) for name in settings.database_names}
        self._present: set[tuple[str, int]] = set()
        self.attempts: list[Attempt] = []
        # A redeploy changes these: the validators of assets, and the hashes in their paths.
        self.asset_generation = 0
        self.asset_hashes: dict[str, str] = {}
        # What a worker of ours fetched to make a PDF report.
        self.callbacks: list[dict[str, Any]] = []

    def valid(self, session: Session) -> bool:
        """Whether the session's user is still the one that logged in: active, and with the same password."""
        db = self.databases.get(session.db or "")
        if db is None or session.uid is None:
            return False
        return session.token is not None and session.token == db.session_token(session.uid, session.sid)

    def rotate_softly(self, session: Session) -> Session:
        """The session under its next id, with the token that goes with it."""
        fresh = self.sessions.rotate_softly(session, self.settings.rotation_grace)
        if self.valid(session) and fresh.uid is not None:
            fresh.token = self.databases[fresh.db or ""].session_token(fresh.uid, fresh.sid)
        return fresh

    def rotation_due(self, session: Session) -> bool:
        """Whether a login's session has had its id for long enough, or has a new one already."""
        settings = self.settings
        if session.uid is None:
            return False
        by_requests = 0 < settings.rotate_after_requests <= session.requests
        by_age = 0 < settings.rotate_after <= time.monotonic() - session.created
        return by_requests or by_age or session.next_sid is not None

    def present(self, db: Database, author: Author) -> None:
        """A user is there, which is written down; who listens hears it the first time."""
        partner = author.user.partner_id
        db.note(author, "bus.presence", "update_presence", [], {"partner_id": partner})
        if (db.name, partner) not in self._present:
            self._present.add((db.name, partner))
            payload = {"presence_status": "online", "im_status": "online", "partner_id": partner}
            self.bus.send(db.name, f"odoo-presence-res.partner_{partner}", "bus.bus/im_status_updated", payload)

    def forget(self) -> None:
        """Begin the journal anew, and the lists of changes, calls and attempts to log in."""
        self.journal.forget()
        self.attempts.clear()
        for db in self.databases.values():
            with db.lock:
                db.changes.clear()
                db.ran.clear()

    def restore(self, name: str, *, copied: bool) -> None:
        """Put a backup in the place of a database: the demo data. A copy gets a secret of its own, which no session
        that was there before fits."""
        former = self.databases[name]
        restored = self.new_database(name)
        if not copied:
            restored.secret = former.secret
        self.databases[name] = restored

    def new_database(self, name: str) -> Database:
        """A database with the demo data and its web.base.url."""
        made = Database(name, self.settings.major)
        made.set_parameter("web.base.url", self.settings.base_url or f"http://localhost:{self.settings.port}")
        if self.settings.freeze_base_url:
            made.parameters["web.base.url.freeze"] = "True"
        return made

    def asset_path(self, name: str) -> str:
        """The current path of a bundle."""
        path = assets.bundles()[name].path
        fresh = self.asset_hashes.get(name)
        return re.sub(r"/[0-9a-f]{7}/", f"/{fresh}/", path) if fresh else path

    def redeploy(self, *, new_hashes: bool) -> None:
        """Bundles with other content: under the same paths, or under new ones."""
        self.asset_generation += 1
        if new_hashes:
            for name in assets.bundles():
                seed = f"{name} {self.asset_generation}"
                self.asset_hashes[name] = hashlib.sha1(seed.encode()).hexdigest()[:7]

    def databases_for(self, host: str) -> list[str]:
        """Names that the dbfilter leaves for a host, in order."""
        names = list(self.databases)
        if not self.settings.dbfilter:
            return names
        plain = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        plain = plain.removeprefix("www.")
        pattern = self.settings.dbfilter.replace("%h", re.escape(plain))
        pattern = pattern.replace("%d", re.escape(plain.partition(".")[0]))
        return [name for name in names if re.match(pattern, name)]
