"""What the gateway tells about a request, in fields that only it can set."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from guestpass.app import handover


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`request_id` is shown in logs and responses; `page` is whether a browser navigates.

    `languages` is the client's Accept-Language, `query` the target's query with its ``?``, or empty. `visitor` is the
    id that a login gives a pass for, or None.
    """

    request_id: str
    client_address: str
    page: bool
    languages: str
    query: str
    visitor: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> RequestContext:
        """Parse the context from a request's fields; a missing id or address is ``-``, as in access logs."""
        fields = Headers(scope=scope)
        return cls(
            request_id=fields.get(handover.REQUEST_ID, "-"),
            client_address=fields.get(handover.CLIENT_ADDRESS, "-"),
            page=fields.get(handover.PAGE) == "1",
            languages=fields.get("accept-language", ""),
            query=(b"?" + query).decode("latin-1") if (query := scope["query_string"]) else "",
            visitor=fields.get(handover.VISITOR),
        )
