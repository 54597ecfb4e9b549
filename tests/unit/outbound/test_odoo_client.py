"""Requests to an Odoo: under its one name, and what is read of their responses."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.storage.samples import KEY
from tests.unit.outbound.upstreams import http_client

from guestpass.domain.environment import OdooAddress
from guestpass.gateway.upstreams import origin_at
from guestpass.odoo.http.json_bodies import FEW_VALUES
from guestpass.odoo.http.requests import FixedName
from guestpass.outbound.http_client import HttpResponse
from guestpass.outbound.odoo_client import OdooClient, json_object
from guestpass.wire.heads import read_response_head

NAME = FixedName(b"odoo.example.com", b"https", b"https://odoo.example.com")


async def sent_by(send: Any) -> tuple[list[str], bytes]:
    """The lines of the head, and the body, of what `send` sends to the URL that it is given."""
    received: list[tuple[list[str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n").split("\r\n")
        length = next((int(line.split()[1]) for line in lines if line.startswith("Content-Length:")), 0)
        received.append((lines, await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        response = await send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert response.body == b"ok"
    [request] = received
    return request


async def test_a_call_is_json_rpc_with_the_session_under_the_fixed_name() -> None:
    async def call(url: str) -> HttpResponse:
        client = OdooClient(http_client(), origin_at(url, KEY.org, tls_verify=True), NAME)
        return await client.call("/web/session/authenticate", {"db": "a"}, session="the-id")

    lines, body = await sent_by(call)
    assert lines[0] == "POST /web/session/authenticate HTTP/1.1"
    assert sorted(lines[1:]) == sorted(
        [
            "Host: odoo.example.com",
            "X-Forwarded-Host: odoo.example.com",
            "X-Forwarded-Proto: https",
            "User-Agent: Guestpass",
            "Accept: */*",
            "Accept-Encoding: identity",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
            "Cookie: session_id=the-id",
        ]
    )
    assert json.loads(body) == {"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"db": "a"}}


@pytest.mark.parametrize(("given", "told"), [("203.0.113.7", "203.0.113.7"), (None, "127.0.0.1")])
async def test_at_an_address_odoo_is_told_whose_request_it_is(given: str | None, told: str) -> None:
    async def get(url: str) -> HttpResponse:
        at = OdooAddress(KEY, url, "https://odoo.example.com", tls_verify=True)
        return await OdooClient.at(at, http_client(), client_address=given).get("/web")

    lines, _ = await sent_by(get)
    assert lines[0] == "GET /web HTTP/1.1"
    assert {"Host: odoo.example.com", f"X-Forwarded-For: {told}", "Connection: close"} <= set(lines)
    assert not any(line.startswith("Cookie:") for line in lines)


async def test_other_lines_and_another_name_can_be_sent() -> None:
    async def send(url: str) -> HttpResponse:
        client = OdooClient(http_client(), origin_at(url, KEY.org, tls_verify=True), NAME)
        return await client.send(
            "GET", "/x", fields="Connection: Upgrade\r\n", forwarded="X-Forwarded-Host: other.test\r\n"
        )

    lines, _ = await sent_by(send)
    assert [line for line in lines if line.startswith(("Connection", "X-Forwarded"))] == [
        "X-Forwarded-Host: other.test",
        "Connection: Upgrade",
    ]


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, b'{"result": 1}', {"result": 1}),
        (200, b"[1]", {}),
        (200, b"<html>", {}),
        (404, b'{"result": 1}', {}),
        (200, b'{"a": [' + b"1," * FEW_VALUES + b"1]}", {}),
    ],
)
def test_only_a_small_object_of_a_success_is_read(status: int, body: bytes, found: object) -> None:
    head = read_response_head(b"HTTP/1.1 %d Any\r\n\r\n" % status)
    assert json_object(HttpResponse(head, body)) == found


def test_a_larger_object_can_be_allowed() -> None:
    head = read_response_head(b"HTTP/1.1 200 OK\r\n\r\n")
    body = b'{"a": [' + b"1," * FEW_VALUES + b"1]}"
    assert len(json_object(HttpResponse(head, body), 2 * FEW_VALUES)["a"]) == FEW_VALUES + 1
