"""Tell open pages that something changed: server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Looking, Owner

HEARTBEAT_S: Final = 20.0
"""After so many silent seconds something is sent, so that no proxy in between ends the stream."""
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
    """Names of what changed in the owner's organisation; a page then asks again for what it shows of it."""
    del request
    stream = _stream(services, owner, last_event_id or since)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(services: DashboardServices, owner: Owner, since: str) -> AsyncGenerator[str]:
    live = services.live
    with live.subscribe(owner.principal.org, since) as subscription:
        # Without an id: what was missed before is still to be told.
        yield "event: connected\ndata:\n\n"
        while True:
            topics = await subscription.receive(HEARTBEAT_S)
            if await services.sessions.find(owner.token) is None:
                # It ended meanwhile, and what happens since then is nothing for whoever looks.
                yield f"event: {SIGNED_OUT}\ndata:\n\n"
                return
            yield _write(topics, subscription.mark)


def _write(topics: Sequence[str], mark: str) -> str:
    """Events, the last with the id: who loses the connection before it is told of all of them again."""
    # Topics are words of ours and ids, which have no line breaks.
    *first, last = [f"event: {topic}\ndata:\n\n" for topic in topics] or [": still here\n\n"]
    return "".join((*first, f"id: {mark}\n", last))
