"""Where a request's time goes: a flame graph of one worker under full load, taken by py-spy."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from bench.installing import install, installed
from bench.load import LOADS
from bench.machine import Cores, workers_among
from bench.processes import NotReady
from bench.stage import staged

_LOAD = "1k"
_WARM_UP_SECONDS = 2
_RATE = 400  # samples a second


def draw_flames(candidate: str, output: Path, *, seconds: int, tell: Callable[[str], None]) -> None:
    """Write the graph of so many seconds into `output`, as SVG; raises NotReady where there is none."""
    install(["py-spy"], tell)
    with staged([candidate], [LOADS[_LOAD]], Cores.apart(), tell=tell) as stage:
        stage.take(candidate, _LOAD, _WARM_UP_SECONDS)
        pids = [pid for server in stage.candidates[candidate].servers for pid in server.pids]
        [worker] = workers_among(pids)
        load = threading.Thread(target=stage.take, args=(candidate, _LOAD, seconds + _WARM_UP_SECONDS))
        load.start()
        tell("looking at the worker")
        try:
            # Its own command line becomes the graph's title, so no path of this machine may be in it.
            subprocess.run(
                ["py-spy", "record", "--gil", "--nonblocking", "--rate", str(_RATE), "--duration", str(seconds),
                 "--pid", str(worker), "--output", output.name],
                executable=installed("py-spy"), cwd=output.parent, check=True, capture_output=True, text=True,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            raise NotReady(f"py-spy could not look at the worker: {error.stderr.strip()[-500:]}") from error
        finally:
            load.join()
