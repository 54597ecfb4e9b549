"""Traefik with a service that it asks."""

from __future__ import annotations

from bench.candidates.candidate import PASS_COOKIE, Peer, version_told_by, wait_until_answered
from bench.installing import installed


class Traefik(Peer):
    """Traefik with forwardAuth to a small Python application."""

    name = "traefik"
    title = "Traefik forwardAuth"
    programs = ("traefik",)

    def start(self) -> None:
        # It has no way to ask a service on a Unix socket.
        service = ("127.0.0.1", self.second_port)
        self.start_auth_service(lambda environment: environment.name, at=service, edits_cookie=True)
        self.write("routes.yaml", "traefik-routes.yaml.j2", auth_port=self.second_port)
        configuration = self.write("traefik.yaml", "traefik.yaml.j2")
        self.run([installed("traefik"), f"--configFile={configuration}"], ("127.0.0.1", self.port))
        # It listens before it has read its routes.
        wait_until_answered(self.origin, {PASS_COOKIE: next(iter(self.passes))})

    def version(self) -> str:
        return version_told_by([installed("traefik"), "version"])
