"""Requests of our own to an Odoo, under the one name that it is called by."""

from __future__ import annotations

import json
from typing import Any, Final

from guestpass.domain.environment import OdooAddress
from guestpass.gateway.upstreams import origin_at
from guestpass.odoo.http.json_bodies import FEW_VALUES, read_little
from guestpass.odoo.http.requests import FixedName, fixed_name
from guestpass.outbound.http_client import HttpClient, HttpResponse
from guestpass.wire.connector import UpstreamOrigin

_OUR_ADDRESS: Final = "127.0.0.1"


class OdooClient:
    """Send requests to one Odoo. Every call raises NoResponseError and DescriptorsUsedUp.

    `client_address` is what Odoo takes for the client's, None to send none.
    """

    def __init__(
        self, http: HttpClient, origin: UpstreamOrigin, name: FixedName, *, client_address: str | None = None
    ) -> None:
        self._http = http
        self._origin = origin
        self._host, self._scheme = name.host.decode(), name.scheme.decode()
        self._client = f"X-Forwarded-For: {client_address}\r\n" if client_address is not None else ""

    @classmethod
    def at(cls, address: OdooAddress, http: HttpClient, *, client_address: str | None = None) -> OdooClient:
        """A client for an address, also one that an environment had before; `client_address` is ours by default."""
        origin = origin_at(address.url, address.environment.org, tls_verify=address.tls_verify)
        name = fixed_name(public_url=None, canonical_url=address.called, url=address.url)
        return cls(http, origin, name, client_address=client_address or _OUR_ADDRESS)

    async def get(self, target: str, *, session: str | None = None, body: bool = True) -> HttpResponse:
        """Send a GET, with a session's cookie or without any."""
        return await self.send("GET", target, session=session, body=body)

    async def call(self, path: str, params: dict[str, object], *, session: str | None = None) -> HttpResponse:
        """Call by JSON-RPC."""
        sent = json.dumps({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}).encode()
        fields = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
        return await self.send("POST", path, fields=fields, sent=sent, session=session)

    async def send(
        self,
        method: str,
        target: str,
        *,
        fields: str = "",
        forwarded: str | None = None,
        sent: bytes = b"",
        session: str | None = None,
        body: bool = True,
    ) -> HttpResponse:
        """Send a request with further field lines.

        `forwarded` replaces the lines that tell Odoo its name, `sent` is the request's body, and `body` says whether to
        read the response's.
        """
        if forwarded is None:
            forwarded = f"X-Forwarded-Host: {self._host}\r\nX-Forwarded-Proto: {self._scheme}\r\n"
        if "Connection:" not in fields:
            fields += "Connection: close\r\n"
        if session is not None:
            fields += f"Cookie: session_id={session}\r\n"
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\n{self._client}{forwarded}User-Agent: Guestpass\r\n"
            f"Accept: */*\r\nAccept-Encoding: identity\r\n{fields}\r\n"
        )
        return await self._http.send(self._origin, head.encode() + sent, body=body)


def json_object(response: HttpResponse, most_values: int = FEW_VALUES) -> dict[str, Any]:
    """Return the JSON object in a response, of at most so many values; empty for anything else."""
    if response.status != 200:
        return {}
    found = read_little(response.body, most_values)
    return found if isinstance(found, dict) else {}
