"""The gevent port: HTTP/1.1 with keep-alive, the bus, and nothing else that works."""

from __future__ import annotations

import socket
import threading
from email.utils import formatdate
from typing import Any

from tests.doubles.odoo import answers, application
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.serving import Exchange, accept, listening, serve_connection
from tests.doubles.odoo.visit import Visit
from tests.doubles.odoo.world import Worker, World


class EventedExchange(Exchange):
    """One connection with as many requests as the client likes, in the manner of gevent's pywsgi."""

    port = "evented"
    protocol_version = "HTTP/1.1"
    closes = False
    threaded = True  # it can become a WebSocket

    def answer(self, visit: Visit) -> Answer:
        """The bus and health; anything else fails for want of REQUEST_URI."""
        path = visit.path.rstrip("/")
        if path == "/websocket":
            if self.world.settings.major < 16:
                return answers.problem(404, "Not Found", "Not Found")
            return answers.problem(400, "Bad Request", "Empty or missing header(s): connection, upgrade")
        if path == "/web/health" or path.startswith(("/websocket/", "/longpolling/")):
            return application.respond(visit)
        return answers.problem(500, "Internal Server Error", "KeyError: 'REQUEST_URI'")

    def opening_fields(self) -> list[tuple[str, str]]:
        """None: pywsgi doesn't say what it is."""
        return []

    def closing_fields(self) -> list[tuple[str, str]]:
        """The time comes last."""
        return [("Date", formatdate(usegmt=True))]


class EventedFront:
    """The gevent port's listener."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stopping = threading.Event()
        self._listener = listening(world.settings.gevent_port)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        worker = Worker(0)
        while not self._stopping.is_set():
            connection, peer = accept(self._listener)
            if connection is not None:
                self.world.journal.connected()
                threading.Thread(target=self._serve, args=(worker, connection, peer), daemon=True).start()

    def _serve(self, worker: Worker, connection: socket.socket, peer: Any) -> None:
        class Bound(EventedExchange):
            pass

        Bound.world, Bound.worker = self.world, worker
        serve_connection(Bound, connection, peer)

    def stop(self) -> None:
        """Stop accepting, and send every socket away."""
        self._stopping.set()
        self._thread.join(10)
        self._listener.close()
        for listener in self.world.bus.listeners:
            listener.close(1001, "")
