"""nginx, alone and with a service that it asks."""

from __future__ import annotations

from bench.candidates.candidate import Peer, version_told_by
from bench.nginx import start_nginx
from bench.processes import find_program


class _Nginx(Peer):
    programs = ("nginx",)

    def start_proxy(self, servers: str) -> None:
        """Start nginx with these blocks."""
        self.keep(
            start_nginx(
                self.title,
                servers,
                folder=self.folder / "nginx",
                port=self.port,
                workers=self.workers,
                cores=self.cores,
            )
        )

    def version(self) -> str:
        return version_told_by([find_program("nginx"), "-v"])


class NginxPlain(_Nginx):
    """nginx as a reverse proxy that asks nobody: the reference."""

    name = "nginx"
    title = "nginx plain"
    authorises = False

    def start(self) -> None:
        self.start_proxy(self.render("nginx.conf.j2"))


class NginxAuthRequest(_Nginx):
    """nginx that asks a small Python application about each request."""

    name = "auth_request"
    title = "nginx auth_request"

    def start(self) -> None:
        socket = self.folder / "auth.sock"
        self.start_auth_service(lambda environment: environment.name, at=socket, edits_cookie=False)
        self.start_proxy(self.render("nginx-auth-request.conf.j2", auth_socket=socket))
