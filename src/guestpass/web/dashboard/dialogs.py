"""Answer forms of dialogs, and of the pages that replace dialogs without scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from guestpass.web.dashboard.pages import go, is_partial, render
from guestpass.web.dashboard.sessions import Owner

CLOSE: Final = "close-dialog"


def done(request: Request, owner: Owner, said: str, *, path: str, topics: Sequence[str]) -> Response:
    """Something was changed: say so on the page at hand, or on the one at `path` where htmx did not ask.

    `topics` (see `app/live.py`) are told to the page at once, which need not wait for its stream of events then.
    """
    if not is_partial(request):
        return go(request, path, owner=owner, said=said)
    response = render(request, "done.html", said=said)
    response.headers["HX-Trigger"] = json.dumps({topic: {"target": "body"} for topic in (CLOSE, *topics)})
    return response
