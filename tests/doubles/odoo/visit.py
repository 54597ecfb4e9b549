"""One request as handlers see it: Werkzeug's reading of it, and the session, database and user it belongs to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.doubles.odoo import answers
from tests.doubles.odoo.answers import Answer, Refusal, Stored
from tests.doubles.odoo.calls import Call, run
from tests.doubles.odoo.sessions import Session
from tests.doubles.odoo.store import Author, Database
from tests.doubles.odoo.users import User
from tests.doubles.odoo.world import Worker, World


@dataclass(frozen=True)
class Part:
    """A file of a multipart form."""

    filename: str
    content_type: str
    body: bytes


class Visit:
    """A request, and what it means to Odoo."""

    def __init__(
        self,
        world: World,
        worker: Worker,
        *,
        method: str,
        target: str,
        fields: list[tuple[str, str]],
        body: bytes,
        peer: str,
    ) -> None:
        self.world = world
        self.worker = worker
        self.method = method
        self.fields = fields
        self.body = body
        self.peer = peer
        parts = urlsplit(target)
        # As Werkzeug reads a target: `//a/b` is the path /a/b, and an absolute one names the host.
        raw = parts.path if parts.scheme or not parts.netloc else f"/{parts.netloc}{parts.path}"
        self.path = unquote(raw) or "/"
        self.raw_path = raw
        self.query_string = parts.query
        self.query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
        named = parts.netloc if parts.scheme and parts.netloc else self.header("Host")
        self.peer_host = named
        forwarded = self.header("X-Forwarded-Host") if world.settings.proxy_mode else None
        self.behind_proxy = bool(forwarded)
        self.host = _last(forwarded) if forwarded else named or ""
        self.scheme = _last(self.header("X-Forwarded-Proto") or "http") if self.behind_proxy else "http"
        source = self.header("X-Forwarded-For") if self.behind_proxy else None
        self.remote_addr = _last(source) if source else peer
        self.session = Session("")
        self.db: Database | None = None
        self.saves_session = True
        # For answers whose measured size depends on what was called.
        self.variant = 0
        self.measured_path: str | None = None
        self.cookies_out: list[tuple[str, str]] = []

    def header(self, name: str) -> str | None:
        """The request's field of that name; joined by commas where it was sent more than once."""
        found = [value for key, value in self.fields if key.lower() == name.lower()]
        return ",".join(found) if found else None

    @cached_property
    def conditions(self) -> dict[str, str]:
        """Fields that make a request conditional or partial."""
        names = ("if-none-match", "if-modified-since", "range", "if-range")
        return {name: value for name in names if (value := self.header(name)) is not None}

    @cached_property
    def cookies(self) -> dict[str, str]:
        """Cookies by name; of two with one name the first counts."""
        found: dict[str, str] = {}
        joined = ";".join(value for key, value in self.fields if key.lower() == "cookie")
        for pair in joined.split(";"):
            name, _, value = pair.strip().partition("=")
            found.setdefault(name, value.strip('"'))
        return found

    def open_session(self) -> None:
        """Find the session of the cookie and the database of the host."""
        lifetime = self.world.settings.session_lifetime
        self.session = self.world.sessions.open(self.cookies.get("session_id"), lifetime)
        self.session.requests += 1
        allowed = self.world.databases_for(self.host)
        session = self.session
        if session.db in allowed:
            self.db = self.world.databases[session.db]
        elif len(allowed) == 1 and (session.db is None or session.uid is None):
            self.db = self.world.databases[allowed[0]]
            session.db = allowed[0]
            session.dirty = True

    def check_session(self) -> None:
        """Log out a session whose user is no longer the one that logged in, as Odoo does before it asks for rights."""
        if self.session.uid is not None and self._of_this_database and not self.world.valid(self.session):
            self.session = self.world.sessions.end(self.session, "invalid")

    @property
    def url_root(self) -> str:
        """Scheme and host as Odoo understands them, with a slash at the end."""
        return f"{self.scheme}://{self.host}/"

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def database(self) -> Database:
        """The database of this request; raises the 404 of a server that has none for it."""
        if self.db is None:
            raise Refusal(404)
        return self.db

    @property
    def user(self) -> User:
        """Who is logged in; the public user otherwise."""
        return self.database.user_of(self.session.uid if self.logged_in else None)

    @property
    def logged_in(self) -> bool:
        """Whether a user is logged in to this request's database."""
        return self._of_this_database and self.world.valid(self.session)

    @property
    def _of_this_database(self) -> bool:
        return self.db is not None and self.session.db == self.db.name

    @property
    def author(self) -> Author:
        """Whom the log names for what a route writes by itself."""
        return Author(self.user, self.path)

    def run(self, model: str, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call a model's method as the user of this request."""
        return run(Call(self.database, self.user, self.path, model, method, args, kwargs, self.session))

    @cached_property
    def call(self) -> dict[str, Any]:
        """The JSON object that the body is, read as UTF-8 whatever it says; raises ValueError."""
        loaded = json.loads(self.body.decode(errors="replace"))
        if not isinstance(loaded, dict):
            raise ValueError("the request is no object")  # noqa: TRY004  # the caller answers for any bad JSON
        return loaded

    @property
    def params(self) -> dict[str, Any]:
        """JSON-RPC's parameters: whatever Python can make a dict of. Raises TypeError and ValueError."""
        return dict(self.call.get("params", {}))

    @cached_property
    def form(self) -> dict[str, str]:
        """Plain form values."""
        if self.content_type == "application/x-www-form-urlencoded":
            return dict(reversed(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)))
        return {name: value.decode(errors="replace") for name, value in self._parts.items() if isinstance(value, bytes)}

    @property
    def values(self) -> dict[str, str]:
        """Values of the query and of the form, which counts where both have one."""
        return {**self.query, **self.form}

    @property
    def files(self) -> dict[str, Part]:
        """Uploaded files by the name of their input."""
        return {name: value for name, value in self._parts.items() if isinstance(value, Part)}

    @cached_property
    def _parts(self) -> dict[str, bytes | Part]:
        kind = self.header("Content-Type") or ""
        if self.content_type != "multipart/form-data" or "boundary=" not in kind:
            return {}
        boundary = kind.partition("boundary=")[2].partition(";")[0].strip('"').encode()
        found: dict[str, bytes | Part] = {}
        for raw in (b"\r\n" + self.body).split(b"\r\n--" + boundary)[1:-1]:
            head, _, content = raw.partition(b"\r\n\r\n")
            fields = BytesHeaderParser().parsebytes(head.lstrip(b"\r\n"))
            name = str(fields.get_param("name", "", "content-disposition"))
            filename = fields.get_filename()
            if filename is None:
                found[name] = content
            else:
                found[name] = Part(filename, fields.get_content_type(), content)
        return found

    def go(self, location: str, *, status: int = 303) -> Answer:
        """A redirect to a path of ours; its Location is absolute where Werkzeug is old."""
        answer = answers.redirect(location, status=status)
        if self.world.settings.absolute_redirects and location.startswith("/"):
            absolute = self.url_root.rstrip("/") + location
            answer.fields = [(key, absolute if key == "Location" else value) for key, value in answer.fields]
        return answer

    def stream(self, stored: Stored) -> Answer:
        """A file, as the request's conditions want it."""
        return answers.stream(stored, self.conditions, self.method, x_sendfile=self.world.settings.x_sendfile)


def _last(value: str) -> str:
    return value.rpartition(",")[2].strip()
