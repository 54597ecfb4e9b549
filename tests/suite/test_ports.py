from __future__ import annotations

import socket

import pytest
from tests.ports import reserve_ports, reserved_ports


def test_a_reserved_port_is_nobody_elses() -> None:
    with reserved_ports(2) as ports:
        assert len(set(ports)) == 2
        for port in [*ports, *reserve_ports(2)]:
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))


def test_while_no_server_is_there_connections_are_refused() -> None:
    [port] = reserve_ports(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_servers_listen_on_it_one_after_the_other_and_together() -> None:
    [port] = reserve_ports(1)
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port)).close()
    with socket.socket() as one, socket.socket() as two:
        for server in (one, two):
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
