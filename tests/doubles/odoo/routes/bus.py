"""What the bus answers without a socket."""

from __future__ import annotations

from typing import Any

from tests.doubles.odoo import answers
from tests.doubles.odoo.answers import Answer, Refusal
from tests.doubles.odoo.jsonrpc import SessionExpired
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit


@route("/websocket/health", saves_session=False)
def health(visit: Visit) -> Answer:
    """Alive, once a database is chosen."""
    if visit.world.settings.major < 16:
        raise Refusal(404)
    return answers.json_answer({"status": "pass"}, fields=[("Cache-Control", "no-store")])


@route("/websocket/peek_notifications", kind="json")
def peek(visit: Visit) -> dict[str, Any]:
    """What was missed, for a client that can't hold a socket; a session's first poll makes the next ones possible."""
    params, session = visit.params, visit.session
    if params.get("is_first_poll"):
        session.polls_bus = session.dirty = True
    elif not session.polls_bus:
        raise SessionExpired
    channels = frozenset(str(each) for each in params.get("channels", []))
    return {
        "channels": [[visit.database.name, each] for each in sorted({"broadcast", *channels})],
        "notifications": visit.world.bus.missed(visit.database.name, channels, int(params.get("last", 0))),
    }


@route("/longpolling/poll", kind="json")
def poll(visit: Visit) -> list[dict[str, Any]]:
    """The bus of versions before 16."""
    if visit.world.settings.major >= 16:
        raise Refusal(404)
    params = visit.params
    channels = frozenset(str(each) for each in params.get("channels", []))
    return visit.world.bus.missed(visit.database.name, channels, int(params.get("last", 0)))
