"""What is measured: each load on each way in turn, and each way on one core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.browser import browser_requests
from bench.candidates import Candidate
from bench.installing import install
from bench.load import Sample, run_load, write_script
from bench.machine import Cores
from bench.odoo.loads import asks
from bench.odoo.upstream import OdooUpstream
from bench.odoo.ways import WAYS
from bench.plan import Patience, measure
from bench.proxies import Measured
from bench.stage import VISITORS


@dataclass(slots=True)
class Stage:
    """Ways that run, and the load that can be sent through them."""

    odoo: OdooUpstream
    cores: Cores
    ways: dict[str, Candidate]
    scripts: dict[tuple[str, str], Path]

    def take(self, name: str, load: str, seconds: int) -> Sample:
        """A sample of one load through one way."""
        way = self.ways[name]
        others = [server for each in self.ways.values() for server in each.servers if each is not way]
        script = self.scripts[name, load]
        bystanders = [self.odoo.server, *others]
        return run_load(way, load, script, seconds, cores=self.cores.load, bystanders=bystanders)


@contextmanager
def staged(
    names: Sequence[str], loads: Sequence[str], cores: Cores, *, visitors: int = VISITORS, tell: Callable[[str], None]
) -> Iterator[Stage]:
    """Start the Odoo and these ways, with a link for each visitor; raises NotReady for one that errs."""
    with ExitStack() as exits:
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="guestpass-bench-")))
        odoo = OdooUpstream(folder=folder, cores=cores, environments=visitors)
        exits.enter_context(odoo.server)
        stage = Stage(odoo, cores, {}, {})
        for name in names:
            tell(f"starting and checking {name}")
            way = exits.enter_context(WAYS[name](folder=folder, cores=cores, environments=odoo.environments))
            stage.ways[name] = way
            requests = browser_requests(way.origin, [way.visit(each) for each in odoo.environments])
            made = asks(way, odoo, requests)
            for load in loads:
                stage.scripts[name, load] = write_script(load, [ask.parts for ask in made[load]], way.folder)
        yield stage


def measure_odoo(
    names: Sequence[str],
    loads: Sequence[str],
    *,
    rounds: int,
    seconds: int,
    patience: Patience,
    tell: Callable[[str], None],
) -> Measured:
    """Install what is missing, and measure; raises NotReady for a way that does not do its work."""
    install([program for name in names for program in WAYS[name].programs], tell)
    with staged(names, loads, Cores.apart(), tell=tell) as stage:
        cells = [(name, load) for load in loads for name in names]
        results = measure(cells, stage.take, rounds=rounds, seconds=seconds, patience=patience, tell=tell)
        return Measured(results, {name: way.version() for name, way in stage.ways.items()})
