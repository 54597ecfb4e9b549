"""HAProxy with a map that can be changed while it runs."""

from __future__ import annotations

from bench.candidates.candidate import Peer, version_told_by
from bench.processes import find_program


class HAProxy(Peer):
    """HAProxy that looks the pass up in a map; no service is asked."""

    name = "haproxy"
    title = "HAProxy map"
    programs = ("haproxy",)

    def start(self) -> None:
        passes = "".join(f"{value} {environment.name}\n" for value, environment in self.passes.items())
        (self.folder / "passes.map").write_text(passes)
        configuration = self.write("haproxy.cfg", "haproxy.cfg.j2")
        self.run([find_program("haproxy"), "-db", "-f", str(configuration)], ("127.0.0.1", self.port))

    def version(self) -> str:
        return version_told_by([find_program("haproxy"), "-v"])
