"""configurable-http-proxy, JupyterHub's."""

from __future__ import annotations

from bench.candidates.candidate import Peer, version_told_by
from bench.installing import installed
from bench.processes import find_program


class ConfigurableHTTPProxy(Peer):
    """The plain reference on Node.js, which asks nobody and knows one application."""

    name = "chp"
    title = "configurable-http-proxy"
    programs = ("node", "npm", "configurable-http-proxy")
    authorises = False
    appends_forwarded_for = True

    def start(self) -> None:
        command = [*self._program(), "--ip", "127.0.0.1", "--port", str(self.port)]
        command += ["--api-ip", "127.0.0.1", "--api-port", str(self.second_port), "--log-level", "error"]
        command += ["--keep-alive-timeout", "75000"]
        command += ["--default-target", f"http://127.0.0.1:{self.environments[0].port}"]
        self.run(command, ("127.0.0.1", self.port))

    def version(self) -> str:
        return version_told_by([*self._program(), "--version"])

    def _program(self) -> list[str]:
        return [find_program("node"), installed("configurable-http-proxy")]
