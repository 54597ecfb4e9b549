"""Requests of our own to one environment's Odoo, under the one name that it is called by."""

from __future__ import annotations

import json
from typing import Any, Final

from guestpass.domain.environment import OdooAddress
from guestpass.gateway.upstreams import origin_at
from guestpass.odoo.http.json_bodies import read_little
from guestpass.odoo.http.requests import fixed_name
from guestpass.outbound.http_client import HttpClient, HttpResponse

_OUR_ADDRESS: Final = "127.0.0.1"
# Who signs in is told of each company and currency that there is.
_MOST_VALUES: Final = 20_000


class OdooClient:
    """Asks one Odoo; `address` is what it takes for the client's. Every call raises NoAnswerError where none comes."""

    def __init__(self, at: OdooAddress, asker: HttpClient, *, address: str | None = None) -> None:
        self._asker = asker
        self._origin = origin_at(at.url, at.environment.org, tls_verify=at.tls_verify)
        self._name = fixed_name(public_url=None, canonical_url=at.called, url=at.url)
        self._address = address or _OUR_ADDRESS

    async def get(self, target: str, *, session: str | None = None, body: bool = True) -> HttpResponse:
        """Ask for a page, with the cookie of a session or without any."""
        return await self._ask("GET", target, session=session, body=body)

    async def call(self, path: str, params: dict[str, object], *, session: str | None = None) -> HttpResponse:
        """Call by JSON-RPC."""
        sent = json.dumps({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}).encode()
        fields = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
        return await self._ask("POST", path, fields=fields, sent=sent, session=session)

    async def _ask(
        self,
        method: str,
        target: str,
        *,
        fields: str = "",
        sent: bytes = b"",
        session: str | None = None,
        body: bool = True,
    ) -> HttpResponse:
        host, scheme = self._name.host.decode(), self._name.scheme.decode()
        cookie = f"Cookie: session_id={session}\r\n" if session is not None else ""
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {self._address}\r\n"
            f"X-Forwarded-Host: {host}\r\nX-Forwarded-Proto: {scheme}\r\nUser-Agent: Guestpass\r\nAccept: */*\r\n"
            f"Accept-Encoding: identity\r\n{cookie}{fields}Connection: close\r\n\r\n"
        )
        return await self._asker.ask(self._origin, head.encode() + sent, body=body)


def answered_object(reply: HttpResponse) -> dict[str, Any]:
    """The JSON object that was answered; empty for anything else."""
    if reply.status != 200:
        return {}
    found = read_little(reply.body, _MOST_VALUES)
    return found if isinstance(found, dict) else {}
