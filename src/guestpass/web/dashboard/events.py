"""Notify open pages of changes by server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Looking, Owner

HEARTBEAT_S: Final = 20.0
"""Seconds of silence after which a comment is sent, so that no proxy closes the stream."""
SIGNED_OUT: Final = "signed-out"

router = APIRouter()


@router.get("/events")
async def show_events(
    request: Request,
    owner: Looking,
    services: Services,
    since: Annotated[str, Query()] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """Stream the topics that changed in the owner's organisation; pages then reload what they show of them."""
    del request
    stream = _stream(services, owner, last_event_id or since)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(services: DashboardServices, owner: Owner, since: str) -> AsyncGenerator[str]:
    live = services.live
    with live.subscribe(owner.principal.org, since) as subscription:
        # Without an id: what was missed before is sent later.
        yield "event: connected\ndata:\n\n"
        while True:
            topics = await subscription.receive(HEARTBEAT_S)
            if await services.sessions.find(owner.token) is None:
                # The session has ended: send nothing that has happened since.
                yield f"event: {SIGNED_OUT}\ndata:\n\n"
                return
            yield _write(topics, subscription.mark)


def _write(topics: Sequence[str], mark: str) -> str:
    """Format events. Only the last has the id, so after a lost connection all are sent again."""
    # Topics are our words and ids, without line breaks.
    *first, last = [f"event: {topic}\ndata:\n\n" for topic in topics] or [": still here\n\n"]
    return "".join((*first, f"id: {mark}\n", last))
