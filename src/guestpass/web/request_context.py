"""What the gateway says about a request, read from the fields that only it can set."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from guestpass.app import handover


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`request_id` is what logs and answers show, `client_address` who asks, `page` whether a browser navigates.

    `languages` is the Accept-Language field as the client sent it, `query` the target's query with its ``?``, or empty.
    `visitor` is whom a login lets in, None where that is not given.
    """

    request_id: str
    client_address: str
    page: bool
    languages: str
    query: str
    visitor: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> RequestContext:
        """Read them from a request's fields; ``-`` stands for what is missing, as in access logs."""
        fields = Headers(scope=scope)
        return cls(
            request_id=fields.get(handover.REQUEST_ID, "-"),
            client_address=fields.get(handover.CLIENT_ADDRESS, "-"),
            page=fields.get(handover.PAGE) == "1",
            languages=fields.get("accept-language", ""),
            query=(b"?" + query).decode("latin-1") if (query := scope["query_string"]) else "",
            visitor=fields.get(handover.VISITOR),
        )
