"""A database with thousands of rows in every table that grows: what a planner chooses depends on how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert
from tests.storage.samples import NOON

from guestpass.storage import tables
from guestpass.storage.connecting import writing
from guestpass.storage.location import PostgresDatabase, locate

ORGS = 40
ORG, ENVIRONMENT_ID, LINK_ID = "org0", "environment0", "link0"
DAY = timedelta(days=1)


class Crowd:
    """What there is: so many links, and a third as many environments.

    One row in a hundred is over at NOON, and nothing ended long ago.
    """

    def __init__(self, links: int) -> None:
        self.links = links
        self.environments = links // 3

    def fill(self, url: str) -> None:
        """Write all of it into an empty database, and let PostgreSQL count it."""
        location = locate(url)
        with writing(location) as connection:
            for table, rows in self._rows():
                connection.execute(insert(table), list(rows))
        if isinstance(location, PostgresDatabase):
            with writing(location) as connection:
                connection.exec_driver_sql("ANALYZE")

    def _rows(self) -> Iterator[tuple[Table, Iterable[dict[str, Any]]]]:
        yield tables.environments, map(_environment, range(self.environments))
        yield tables.environment_findings, self._of_environments(position=0, code="c", detail="d", remedy="r")
        yield tables.http_only_cookies, self._of_environments(name="session_id")
        yield tables.refused_calls, self._of_environments(model="m", method="f", refusals=1, last_at=NOON)
        yield tables.accounts, self._of_environments(**_ACCOUNT)
        yield tables.unreachable_environments, self._of_environments(since=NOON, why="refused")
        yield tables.links, (_link(number, self.environments) for number in range(self.links))
        for table, content in (
            (tables.link_tokens, _token),
            (tables.visitors, _visitor),
            (tables.visit_hours, lambda link: {"began_at": NOON, "visits": link}),
            (tables.refusals, lambda link: {"at": _past(link), "reason": "ended"}),
            (tables.link_events, lambda link: {"at": _past(link), "kind": "opened", "actor": "v"}),
        ):
            yield table, ({"link_id": f"link{number}", **content(number)} for number in range(self.links))
        yield tables.odoo_sessions, map(_odoo_session, range(self.environments))
        yield tables.odoo_sign_outs, map(_odoo_sign_out, range(self.environments))
        yield tables.changes, (_change(number, self.links) for number in range(1, self.links))
        yield tables.rate_counters, ({"key": f"k{n}", "spent": 1, "expires_at": _end(n)} for n in range(self.links))
        signed_in = range(self.environments)
        yield tables.revoked_tokens, ({"jti": f"j{n}", "revoked_at": NOON, "expires_at": _end(n)} for n in signed_in)
        yield tables.dashboard_invitations, map(_invitation, signed_in)
        yield (
            tables.dashboard_sessions,
            (
                _invitation(n) | {"id": f"s{n}", "jti": f"j{n}", "address": "", "created_at": _past(n)}
                for n in signed_in
            ),
        )

    def _of_environments(self, **content: Any) -> Iterator[dict[str, Any]]:
        for environment in map(_environment, range(self.environments)):
            yield {"org": environment["org"], "environment_id": environment["id"], **content}


_ACCOUNT = {
    "name": "anna",
    "login": "anna",
    "sealed_password": b"",
    "is_admin": False,
    "revision": 1,
    "created_at": NOON,
    "created_by": "olga",
}


def _past(number: int) -> datetime:
    return NOON - timedelta(seconds=10 * number)


def _end(number: int) -> datetime:
    return NOON - timedelta(hours=1) if number % 100 == 0 else NOON + timedelta(seconds=10 * number + 1)


def _environment(number: int) -> dict[str, Any]:
    return {
        "org": f"org{number % ORGS}",
        "id": f"environment{number}",
        "name": f"Environment {number}",
        "url": "http://10.0.0.5",
        "kind": "web",
        "tls_verify": True,
        "body_limit": 1,
        "response_timeout": timedelta(seconds=1),
        "revision": 1,
        "created_at": NOON,
        "created_by": "olga",
    }


def _link(number: int, environments: int) -> dict[str, Any]:
    environment = number % environments
    return {
        "id": f"link{number}",
        "org": f"org{environment % ORGS}",
        "environment_id": f"environment{environment}",
        "share_type": "token",
        "version": 1,
        "created_at": _past(number),
        "created_by": f"owner{number % 7}",
        "expires_at": _end(number),
        "last_opened_at": _past(number) if number % 2 else None,
        "visits": number,
        "visitors": 1,
        "account": "anna",
        "label_key": f"label {number}",
        "searched": f"label {number}",
    }


def _token(link: int) -> dict[str, Any]:
    return {"token_hash": token_hash(link), "sealed": b"sealed", "created_at": NOON}


def token_hash(number: int) -> bytes:
    """Of the link, invitation or session of this number."""
    return b"%032d" % number


def _visitor(link: int) -> dict[str, Any]:
    return {
        "visitor": f"visitor{link}",
        "first_seen": _past(link),
        "last_seen": _past(link),
        "visits": 1,
        "visit_started_at": _past(link),
        "visit_opened": True,
        "number": 1,
        "present_at": _past(link),
        "ended_at": NOON if link % 50 == 0 else None,
    }


def _odoo_session(link: int) -> dict[str, Any]:
    return {
        "link_id": f"link{link}",
        "visitor": f"visitor{link}",
        "org": f"org{link % ORGS}",
        "environment_id": f"environment{link}",
        "account": "anna",
        "account_revision": 1,
        "link_version": 1,
        "revision": 1,
    }


def _odoo_sign_out(number: int) -> dict[str, Any]:
    environment = _environment(number)
    return {
        "org": environment["org"],
        "environment_id": environment["id"],
        "url": environment["url"],
        "called": environment["url"],
        "tls_verify": True,
        "link_id": f"link{number}",
        "visitor": f"visitor{number}",
        "sealed": b"sealed",
        "ended_at": _past(number),
        "due_at": _end(number),
        "tries": number % 10,
    }


def _change(number: int, newest: int) -> dict[str, Any]:
    return {"number": number, "kind": "link", "id": f"link{number}", "at": _past(newest - number)}


def _invitation(number: int) -> dict[str, Any]:
    return {
        "token_hash": token_hash(number),
        "sub": "olga",
        "org": f"org{number % ORGS}",
        "scopes": "shares:read",
        "expires_at": _end(number),
    }
