"""Send load to one candidate with wrk, and take what it cost from the processes' own accounts."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.browser import Fields
from bench.candidates import Candidate
from bench.machine import cpu_seconds, machine_busy_seconds, resident_bytes
from bench.processes import NotReady, Server, find_program, pinned
from bench.upstream import Size

CONNECTIONS = 64
QUIET = 0.1  # of a core: what others may use during a sample that counts
_GRACE_SECONDS = 20

# Every variant is ready before the clock runs; what is left for each request is one look-up in a table.
_SCRIPT = """\
local variants = {
%s
}
local position = 0
function request()
  position = position %% #variants + 1
  return variants[position]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%%d,"microseconds":%%d,"failed":%%d,"p50":%%d,"p99":%%d}\\n', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of load on one candidate.

    `cpu_us` is the user and system time of all the candidate's processes for one request, in microseconds;
    latencies are in microseconds too. `load_core` and `others` are shares of one core: what load generator and
    upstream used together, and what anything else on the machine did.
    """

    candidate: str
    size: str
    requests: int
    requests_per_second: float
    cpu_us: float
    p50_us: int
    p99_us: int
    resident_bytes: int
    load_core: float
    others: float

    @property
    def is_quiet(self) -> bool:
        """Whether nothing else on the machine can have disturbed it."""
        return self.others <= QUIET


def write_script(requests: Sequence[Fields], size: Size, folder: Path) -> Path:
    """The script that makes wrk send these requests, one after the other and again from the first."""
    lines = []
    for fields in requests:
        head = f"GET {size.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        # A JSON string of ASCII characters is a Lua string, too.
        lines.append(f"  {json.dumps(head)},")
    script = folder / f"{size.name}.lua"
    script.write_text(_SCRIPT % "\n".join(lines))
    return script


def run_load(
    candidate: Candidate, size: Size, script: Path, seconds: int, *, core: int, bystanders: Sequence[Server]
) -> Sample:
    """Load the candidate for so many seconds from `core`; raises NotReady if any request failed.

    `bystanders` are our other servers, the upstream among them: what they use is no disturbance.
    """
    pids = candidate.pids
    other_pids = [pid for server in bystanders for pid in server.pids]
    command = [find_program("wrk"), "--threads", "1", "--connections", str(CONNECTIONS), "--timeout", "10s"]
    command += ["--duration", f"{seconds}s", "--script", str(script), candidate.origin]
    before = _Accounts.read(pids, other_pids)
    generator = subprocess.run(
        pinned(core, command), capture_output=True, text=True, check=False, timeout=seconds + _GRACE_SECONDS
    )
    after = _Accounts.read(pids, other_pids)
    result = _result(generator)
    if result["failed"] or not result["requests"]:
        raise NotReady(f"{candidate.title} failed {result['failed']} of {result['requests']} requests for {size.name}.")
    elapsed = after.at - before.at
    proxy, load = after.proxy - before.proxy, after.load - before.load
    return Sample(
        candidate=candidate.name,
        size=size.name,
        requests=result["requests"],
        requests_per_second=result["requests"] / result["microseconds"] * 1e6,
        cpu_us=proxy / result["requests"] * 1e6,
        p50_us=result["p50"],
        p99_us=result["p99"],
        resident_bytes=resident_bytes(pids),
        load_core=load / elapsed,
        others=max(0.0, after.machine - before.machine - proxy - load) / elapsed,
    )


@dataclass(frozen=True, slots=True)
class _Accounts:
    """Seconds of processor time used so far, at a moment of the monotonic clock."""

    proxy: float
    load: float
    machine: float
    at: float

    @classmethod
    def read(cls, proxy_pids: Sequence[int], bystander_pids: Sequence[int]) -> _Accounts:
        # wrk is the only child that ends between two readings, so its time is what they differ by.
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        load = cpu_seconds(bystander_pids) + children.ru_utime + children.ru_stime
        return cls(cpu_seconds(proxy_pids), load, machine_busy_seconds(), time.monotonic())


def _result(generator: subprocess.CompletedProcess[str]) -> dict[str, int]:
    last = generator.stdout.strip().rpartition("\n")[2]
    if generator.returncode or not last.startswith("{"):
        raise NotReady(f"wrk failed: {generator.stdout[-500:]}{generator.stderr[-500:]}")
    result: dict[str, int] = json.loads(last)
    return result
