"""What runs while candidates are compared: the upstream, and each candidate once it has shown that it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.browser import browser_requests
from bench.candidates import CANDIDATES, Candidate
from bench.load import Load, Sample, run_load, variants_of, write_script
from bench.machine import Cores
from bench.probe import probe
from bench.processes import Server
from bench.upstream import Upstream

ENVIRONMENTS = 100
VISITORS = 16


@dataclass(slots=True)
class Stage:
    """Candidates that run, and the load that can be sent to them."""

    upstream: Upstream
    cores: Cores
    candidates: dict[str, Candidate]
    scripts: dict[tuple[str, str], Path]

    @property
    def servers(self) -> list[Server]:
        """All servers that we started."""
        return [self.upstream.server, *(server for each in self.candidates.values() for server in each.servers)]

    def take(self, name: str, load: str, seconds: int, *, called: str = "", beside: Sequence[Server] = ()) -> Sample:
        """A sample of one candidate; its load is `called` otherwise, and our servers of another stage run `beside`."""
        candidate = self.candidates[name]
        bystanders = [server for server in (*self.servers, *beside) if server not in candidate.servers]
        script = self.scripts[name, load]
        return run_load(candidate, called or load, script, seconds, cores=self.cores.load, bystanders=bystanders)


@contextmanager
def staged(
    names: Sequence[str], loads: Sequence[Load], cores: Cores, *, workers: int = 1, tell: Callable[[str], None]
) -> Iterator[Stage]:
    """Start the upstream and these candidates with so many workers each; raises NotReady for one that errs."""
    with ExitStack() as exits:
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="guestpass-bench-")))
        sizes = list({load.size.name: load.size for load in loads}.values())
        upstream = Upstream(sizes, folder=folder, cores=cores, environments=ENVIRONMENTS, workers=workers)
        exits.enter_context(upstream.server)
        stage = Stage(upstream, cores, {}, {})
        for name in names:
            tell(f"starting and checking {name}")
            candidate = CANDIDATES[name](
                folder=folder, cores=cores, environments=upstream.environments, workers=workers
            )
            stage.candidates[name] = exits.enter_context(candidate)
            visited = upstream.environments[:VISITORS]
            requests = browser_requests(candidate.origin, [candidate.visit(environment) for environment in visited])
            probe(candidate, requests, visited, upstream.digests)
            for load in loads:
                variants = variants_of(requests, load.size)
                script = write_script(load.name, variants, candidate.folder, rate=load.rate)
                stage.scripts[name, load.name] = script
        yield stage
