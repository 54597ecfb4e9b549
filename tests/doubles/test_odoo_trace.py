"""The double against the measurements of a real Odoo 18.0, exchange by exchange."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from tests.doubles.odoo import Odoo, running_odoo
from tests.doubles.odoo.measured import Measured, exchanges
from tests.doubles.wire import Raw, ask, request

# The measurements name the fields that matter to a gateway; these were left out of them.
_UNMEASURED = {"Date", "Last-Modified", "Expires"}
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_BOUNDARY = "----WebKitFormBoundaryAAAAAAAAAAAAAAAA"


class Replay:
    """The session once more, with what it learns on the way: cookies and the token of the login form."""

    def __init__(self, odoo: Odoo) -> None:
        self.odoo = odoo
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.seen: Counter[str] = Counter()

    def perform(self, exchange: Measured) -> Raw:
        body, kind = self._body(exchange)
        fields = [(name, value) for name, value in exchange.request if name != "Content-Type"]
        if kind:
            fields.append(("Content-Type", kind))
        if exchange.status == 101:
            fields += [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
            fields.append(("Sec-WebSocket-Key", _KEY))
        sent = [f"{name}={self.cookies.get(name, 'x')}" for name in exchange.cookies]
        if sent:
            fields.append(("Cookie", "; ".join(sent)))
        assert len(body) == exchange.request_bytes
        port = self.odoo.gevent_port if exchange.upstream == "websocket" else self.odoo.port
        answer = ask(port, request(exchange.method, exchange.path, fields=fields, body=body))
        for cookie in answer.all("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        found = re.search(rb'csrf_token["\']?[: ]+["\']?([0-9a-f]{40}o)', answer.body)
        if found:
            self.token = found.group(1).decode()
        return answer

    def _body(self, exchange: Measured) -> tuple[bytes, str]:
        if exchange.method == "GET":
            return b"", ""
        if exchange.path == "/web/login":
            form = urlencode({"csrf_token": self.token, "login": "admin", "password": "admin", "x": ""})
            return form.encode().ljust(exchange.request_bytes, b"x"), "application/x-www-form-urlencoded"
        if exchange.path == "/mail/attachment/upload":
            return self._upload(exchange.request_bytes), f"multipart/form-data; boundary={_BOUNDARY}"
        call = {"id": 1, "jsonrpc": "2.0", "method": "call", "params": self._params(exchange)}
        body = json.dumps(call, separators=(",", ":")).encode()
        # White space at the end changes nothing but the size.
        return body.ljust(exchange.request_bytes), "application/json"

    def _params(self, exchange: Measured) -> dict[str, Any]:
        match = re.fullmatch(r"/web/dataset/call_kw/([^/]+)/([^/]+)", exchange.path)
        if match is None:
            return {"limit": 30} if exchange.path == "/mail/inbox/messages" else {}
        model, method = match.groups()
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if method in {"web_read", "web_save", "register_as_main_attachment"}:
            args = [[1 if model in {"crm.lead", "sale.order"} else 24]]
        if method == "web_save":
            args.append({"comment": "x"})
        if exchange.path.endswith("crm.lead/web_search_read"):
            self.seen[exchange.path] += 1
            kwargs = {"specification": {"name": {}}, "domain": [["stage_id", "=", self.seen[exchange.path]]]}
        return {"model": model, "method": method, "args": args, "kwargs": kwargs}

    def _upload(self, size: int) -> bytes:
        values = {"csrf_token": self.token, "thread_id": "24", "thread_model": "res.partner"}
        parts = [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in values.items()
        ]
        file = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="ufile"; filename="up.pdf"\r\n'
        before = ("".join(parts) + file + "Content-Type: application/pdf\r\n\r\n").encode()
        after = f"\r\n--{_BOUNDARY}--\r\n".encode()
        return before + b"x" * (size - len(before) - len(after)) + after


@pytest.fixture(scope="module")
def replayed() -> Iterator[dict[int, Raw]]:
    """The answers to all exchanges, by number."""
    with running_odoo() as odoo:
        replay = Replay(odoo)
        yield {exchange.n: replay.perform(exchange) for exchange in exchanges()}


def _expected(name: str, value: str) -> str:
    if name == "Set-Cookie":
        value = re.sub(r"session_id=([\w-]{84}|<84 chars>)", "session_id=<84 chars>", value)
        return re.sub(r"(Expires=)[^;]+", r"\1<date>", value)
    if name == "Sec-WebSocket-Accept":
        return "<computed>"
    return value


def _names(exchanges: list[Measured]) -> list[str]:
    return [f"{exchange.n}-{exchange.method}-{exchange.path[:60]}" for exchange in exchanges]


_ALL = list(exchanges())


@pytest.mark.parametrize("exchange", _ALL, ids=_names(_ALL))
def test_answers_as_measured(exchange: Measured, replayed: dict[int, Raw]) -> None:
    answer = replayed[exchange.n]
    assert (answer.version, answer.status) == (exchange.version, exchange.status)
    assert len(answer.body) == exchange.size
    measured = [(name, _expected(name, value)) for name, value in exchange.response]
    assert [(name, _expected(name, value)) for name, value in answer.fields if name not in _UNMEASURED] == measured
    if exchange.framing == "close":
        assert not answer.all("Content-Length")
    if exchange.upstream == "http":
        assert answer.ended


def test_handshakes_are_accepted_by_their_key(replayed: dict[int, Raw]) -> None:
    accept = base64.b64encode(hashlib.sha1((_KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    sockets = [each for each in _ALL if each.status == 101]
    assert len(sockets) == 8
    assert {replayed[each.n].one("Sec-WebSocket-Accept") for each in sockets} == {accept}


def test_bodies_compress_as_much_as_odoos(replayed: dict[int, Raw]) -> None:
    measured = made = 0
    for exchange in _ALL:
        body = replayed[exchange.n].body
        if len(body) < 4000:
            continue
        compressed = len(zlib.compress(body, 6)) + 12
        assert exchange.gzip6_bytes is not None
        # One that hardly compresses, or is nearly all ours, may differ more than the bundles that count.
        assert compressed == pytest.approx(exchange.gzip6_bytes, rel=0.12, abs=900), exchange.path
        measured += exchange.gzip6_bytes
        made += compressed
    assert made == pytest.approx(measured, rel=0.03)


def test_bundles_lose_as_much_as_odoos_under_each_compressor(replayed: dict[int, Raw]) -> None:
    bundles = [replayed[each.n].body for each in _ALL if "/web.assets_web" in each.path and each.step.startswith("05")]
    assert len(bundles) == 3
    # kB of the three together, as measured on Odoo's own.
    made = {
        "gzip-6": (sum(len(zlib.compress(body, 6)) for body in bundles), 1546),
        "brotli-5": (sum(len(brotli.compress(body, quality=5)) for body in bundles), 1340),
        "brotli-9": (sum(len(brotli.compress(body, quality=9)) for body in bundles), 1251),
        "zstd-19": (sum(len(zstandard.ZstdCompressor(level=19).compress(body)) for body in bundles), 1165),
    }
    for name, (length, measured) in made.items():
        assert length / 1000 == pytest.approx(measured, rel=0.02), name


def test_static_answers_carry_two_dates_and_pages_one(replayed: dict[int, Raw]) -> None:
    for exchange in _ALL:
        if exchange.upstream == "http":
            dates = replayed[exchange.n].all("Date")
            sent_as_file = exchange.field("ETag") is not None
            assert len(dates) == (2 if sent_as_file else 1), exchange.path


def test_the_same_body_each_time() -> None:
    target = next(each.path for each in _ALL if each.path.endswith("assets_frontend_minimal.min.js"))
    digests = set()
    for _ in range(2):
        with running_odoo() as odoo:
            digests.add(hashlib.sha256(ask(odoo.port, request("GET", target)).body).hexdigest())
    assert len(digests) == 1


def test_every_step_of_the_session_is_here() -> None:
    steps = [step for step, _ in itertools.groupby(each.step for each in _ALL)]
    assert len(_ALL) == 209
    assert len(steps) == 20
