"""Caddy with a service that it asks."""

from __future__ import annotations

from bench.candidates.candidate import Peer, version_told_by
from bench.installing import installed


class Caddy(Peer):
    """Caddy with forward_auth to a small Python application."""

    name = "caddy"
    title = "Caddy forward_auth"
    programs = ("caddy",)

    def start(self) -> None:
        socket = self.folder / "auth.sock"
        self.start_auth_service(lambda environment: f"127.0.0.1:{environment.port}", at=socket, edits_cookie=True)
        configuration = self.write("Caddyfile", "Caddyfile.j2", auth_socket=socket)
        command = [installed("caddy"), "run", "--config", str(configuration), "--adapter", "caddyfile"]
        self.run(command, ("127.0.0.1", self.port))

    def version(self) -> str:
        return version_told_by([installed("caddy"), "version"])
