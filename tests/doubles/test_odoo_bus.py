"""The double's bus: handshakes, frames, limits and endings as a real Odoo 18's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.doubles.odoo import Odoo, running_odoo
from tests.doubles.wire import Client, ask, connect, read_answer, request, until
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket
from websockets.typing import Origin

UPGRADE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
    ("Origin", "http://odoo.test"),
]
TARGET = "/websocket?version=18.0-1"


@pytest.fixture
def odoo() -> Iterator[Odoo]:
    """A double for one test."""
    with running_odoo() as running:
        yield running
        assert "Traceback" not in running.log


def logged_in(odoo: Odoo, login: str = "demo") -> Client:
    """A client with a session of its own."""
    client = Client(odoo.port)
    client.authenticate(login)
    return client


def join(
    odoo: Odoo,
    client: Client | None = None,
    *,
    port: int | None = None,
    target: str = TARGET,
    origin: str = "http://odoo.test",
) -> ClientConnection:
    """An open socket on the bus, with the client's session."""
    headers = {"Cookie": f"session_id={client.session_id}"} if client else {}
    url = f"ws://127.0.0.1:{port or odoo.gevent_port}{target}"
    return connect_websocket(url, origin=Origin(origin), additional_headers=headers, compression=None, open_timeout=20)


def say(socket: ClientConnection, name: str, **data: Any) -> None:
    """Send an event."""
    socket.send(json.dumps({"event_name": name, "data": data}))


def hear(socket: ClientConnection) -> Any:
    """The next frame."""
    return json.loads(socket.recv(timeout=20))


def ending(socket: ClientConnection) -> tuple[int, str]:
    """How the server closes the socket."""
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            raise
        return closed.rcvd.code, closed.rcvd.reason


class TestHandshakes:
    @pytest.mark.parametrize("missing", ["Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Version"])
    def test_every_field_is_needed(self, odoo: Odoo, missing: str) -> None:
        fields = [each for each in UPGRADE if each[0] != missing]
        assert ask(odoo.gevent_port, request("GET", TARGET, fields=fields)).status == 400

    def test_another_protocol_version_is_a_500(self, odoo: Odoo) -> None:
        fields = [*UPGRADE[:3], ("Sec-WebSocket-Version", "8"), UPGRADE[4]]
        assert ask(odoo.gevent_port, request("GET", TARGET, fields=fields)).status == 500

    def test_prefork_workers_can_not(self, odoo: Odoo) -> None:
        answer = ask(odoo.port, request("GET", TARGET, fields=UPGRADE))
        assert (answer.status, b"Couldn't bind the websocket" in answer.body) == (500, True)

    def test_threads_can(self) -> None:
        with running_odoo(workers=0) as threaded:
            with connect(threaded.port) as connection:
                connection.sendall(request("GET", TARGET, fields=UPGRADE))
                answer = read_answer(connection)
            assert (answer.status, answer.version) == (101, "HTTP/1.1")
            client = logged_in(threaded)
            with join(threaded, client, port=threaded.port) as socket:
                say(socket, "subscribe", channels=[], last=0)
                until(threaded.sockets)
                threaded.notify("simple_notification", {"message": "hello"})
                assert hear(socket)[0]["message"]["payload"] == {"message": "hello"}

    def test_any_origin_is_good(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        with join(odoo, client, origin="https://evil.example"):
            until(lambda: [each["user"] for each in odoo.sockets()] == ["demo"])

    def test_later_versions_take_a_foreign_origin_for_the_publics(self) -> None:
        with running_odoo(check_origin=True) as later:
            client = logged_in(later)
            with join(later, client, origin="https://evil.example"):
                until(lambda: [each["user"] for each in later.sockets()] == ["public"])

    def test_who_is_unknown_is_the_public_user(self, odoo: Odoo) -> None:
        with join(odoo):
            until(lambda: [each["user"] for each in odoo.sockets()] == ["public"])

    @pytest.mark.parametrize("target", ["/websocket", "/websocket?version=17.0-1"])
    def test_another_version_is_outdated(self, odoo: Odoo, target: str) -> None:
        with join(odoo, target=target) as socket:
            assert ending(socket) == (1000, "OUTDATED_VERSION")

    def test_sessions_may_move_at_the_handshake(self) -> None:
        with running_odoo(rotate_on_upgrade=True) as rotating:
            client = logged_in(rotating)
            fields = [*UPGRADE, ("Cookie", f"session_id={client.session_id}")]
            with connect(rotating.gevent_port) as connection:
                connection.sendall(request("GET", TARGET, fields=fields))
                moved = read_answer(connection).session_id
            assert moved != client.session_id
            for sid in (client.session_id, moved):
                client.session_id = sid
                assert client.call("res.partner", "search_count", [])["result"] > 30


class TestFrames:
    def test_what_was_missed_comes_with_the_subscription(self, odoo: Odoo) -> None:
        first = odoo.notify("simple_notification", {"n": 1})
        odoo.notify("simple_notification", {"n": 2})
        odoo.notify("simple_notification", {"n": 3}, channel="elsewhere")
        with join(odoo) as socket:
            say(socket, "subscribe", channels=["here"], last=first)
            assert [each["message"]["payload"] for each in hear(socket)] == [{"n": 2}]

    def test_channels(self, odoo: Odoo) -> None:
        with join(odoo) as socket:
            say(socket, "subscribe", channels=["here"], last=odoo.state()["last_notification"])
            until(lambda: [each["channels"] for each in odoo.sockets()] == [["here"]])
            odoo.notify("x", {"n": 1}, channel="elsewhere")
            id = odoo.notify("x", {"n": 2}, channel="here")
            assert hear(socket) == [{"id": id, "message": {"type": "x", "payload": {"n": 2}}}]

    def test_presence_is_told_to_who_listens(self, odoo: Odoo) -> None:
        with join(odoo, logged_in(odoo)) as socket:
            say(socket, "subscribe", channels=["odoo-presence-res.partner_7"], last=136)
            say(socket, "update_presence", inactivity_period=570, im_status_ids_by_model={})
            (told,) = hear(socket)
            assert (told["id"], told["message"]["type"]) == (137, "bus.bus/im_status_updated")

    def test_pings_after_silence(self) -> None:
        with running_odoo(ping_after=0.3) as odoo, connect(odoo.gevent_port) as connection:
            connection.sendall(request("GET", TARGET, fields=UPGRADE))
            assert read_answer(connection).status == 101
            assert connection.recv(2)[0] == 0x80 | Opcode.PING

    def test_too_much_at_once(self, odoo: Odoo) -> None:
        with join(odoo) as socket:
            with suppress(ConnectionClosed):
                for _ in range(30):
                    say(socket, "update_presence")
            assert ending(socket)[0] == 1013

    def test_too_large_a_message(self, odoo: Odoo) -> None:
        with join(odoo) as socket:
            with suppress(ConnectionClosed):
                socket.send("x" * (1024 * 1024 + 1))
            assert ending(socket)[0] == 1009

    def test_too_long_a_life(self) -> None:
        with running_odoo(keep_alive=0.3, ping_after=0.2) as odoo, join(odoo) as socket:
            assert ending(socket)[0] == 4002


class TestEndings:
    def test_logout_is_noticed_with_the_next_frame(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        with join(odoo, client) as socket:
            until(odoo.sockets)
            client.get("/web/session/logout")
            odoo.notify("x", {"still": "open"})
            assert hear(socket)[0]["message"]["payload"] == {"still": "open"}
            say(socket, "update_presence")
            assert ending(socket)[0] == 4001

    def test_another_password_is_noticed_with_the_next_frame(self, odoo: Odoo) -> None:
        with join(odoo, logged_in(odoo)) as socket:
            say(socket, "update_presence")
            until(lambda: odoo.changes("bus.presence"))
            odoo.set_password("demo", "another")
            say(socket, "update_presence")
            assert ending(socket)[0] == 4001
        (there,) = odoo.changes("bus.presence")
        assert (there["user"], there["route"], there["operation"]) == ("demo", "/websocket", "update_presence")

    def test_a_rotation_ends_no_socket(self, odoo: Odoo) -> None:
        client = logged_in(odoo)
        with join(odoo, client) as socket:
            odoo.change(rotate_after_requests=1)
            before = client.session_id
            assert client.get("/odoo").status == 200
            assert client.session_id != before
            say(socket, "subscribe", channels=["here"], last=odoo.state()["last_notification"])
            until(lambda: [each["channels"] for each in odoo.sockets()] == [["here"]])
            odoo.notify("x", {"still": "open"}, channel="here")
            assert hear(socket)[0]["message"]["payload"] == {"still": "open"}

    def test_restarts_send_sockets_away(self, odoo: Odoo) -> None:
        with join(odoo) as socket:
            odoo.restart()
            assert ending(socket)[0] == 1001
        with join(odoo):
            until(lambda: len(odoo.sockets()) == 1)

    def test_dropped_by_order(self, odoo: Odoo) -> None:
        with join(odoo) as socket:
            odoo.order("drop_sockets", code=4002)
            assert ending(socket)[0] == 4002


def test_longpolling_before_16() -> None:
    with running_odoo(version="15.0") as old:
        id = old.notify("simple_notification", {"n": 1})
        client = Client(old.gevent_port)
        assert [each["id"] for each in client.rpc("/longpolling/poll", {"channels": [], "last": id - 1})["result"]] == [
            id
        ]
        assert ask(old.gevent_port, request("GET", TARGET, fields=UPGRADE)).status == 404
        assert Client(old.port).rpc("/web/webclient/version_info", {})["result"]["server_version"] == "15.0"
