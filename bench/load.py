"""Send load to one candidate with wrk, and take what it cost from the processes' own accounts."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.browser import Fields, Request
from bench.candidates import Candidate
from bench.machine import cpu_seconds, machine_busy_seconds, memory_bytes
from bench.processes import NotReady, Server, find_program, pinned
from bench.upstream import SIZES, Size

CONNECTIONS = 64
QUIET = 0.1  # of a core: what others may use during a sample that counts
_GRACE_SECONDS = 20

# Every variant is ready before the clock runs; what is left for each request is one look-up in a table, and for those
# that must be new a number of seven digits in the query or in the body.
_SCRIPT = """\
local variants = {
%(variants)s
}
local position, asked = 0, 1000000
function request()
  position = position %% #variants + 1
  local variant = variants[position]
  if #variant == 1 then
    return variant[1]
  end
  asked = asked + 1
  return variant[1] .. asked .. variant[2]
end
%(pace)sfunction done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%%d,"microseconds":%%d,"failed":%%d,"p50":%%d,"p99":%%d}\\n', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
# A connection that is free takes the next moment of a timetable and waits for it. What a slow proxy misses of it is
# not made up for, as that would send bursts. wrk counts a request's time from when it is sent.
_PACE = """\
local ffi = require("ffi")
ffi.cdef[[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]
local monotonic, now, due = 1, ffi.new("moment"), 0
function delay()
  ffi.C.clock_gettime(monotonic, now)
  local at = tonumber(now.seconds) * 1000 + tonumber(now.nanoseconds) / 1000000
  due = math.max(due + 1000 / %d, at)
  return math.floor(due - at)
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: requests for bodies of one size, as fast as answers come or `rate` a second."""

    name: str
    title: str
    size: Size
    rate: int | None = None


RATE = 2000
LOADS = {
    load.name: load
    for load in (
        Load("1k", "1 KB", SIZES["1k"]),
        Load("100k", "100 KB", SIZES["100k"]),
        Load("1536k", "1.5 MB", SIZES["1536k"]),
        Load("rate", f"1 KB, {RATE:,}/s", SIZES["1k"], RATE),
    )
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of load on one candidate.

    `cpu_us` is the user and system time of all the candidate's processes for one request, in microseconds;
    latencies are in microseconds too. `load_core` is how busy load generator and upstream kept each of their cores,
    and `others` the share of one core that anything else on the machine used.
    """

    candidate: str
    load: str
    requests: int
    requests_per_second: float
    cpu_us: float
    p50_us: int
    p99_us: int
    memory_bytes: int
    load_core: float
    others: float

    @property
    def is_quiet(self) -> bool:
        """Whether nothing else on the machine can have disturbed it."""
        return self.others <= QUIET


def variants_of(requests: Sequence[Request], size: Size) -> list[list[str]]:
    """What is sent for each of these requests; in two parts with a number between them where that must be new."""
    variants = []
    for request in requests:
        path = size.path(request.place)
        rest = f" HTTP/1.1\r\n{head_of(request.fields)}\r\n"
        variants.append([f"GET {path}?unique=", rest] if request.is_new else [f"GET {path}{rest}"])
    return variants


def head_of(fields: Fields) -> str:
    """The fields as they are sent."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields)


def write_script(name: str, variants: Sequence[Sequence[str]], folder: Path, *, rate: int | None = None) -> Path:
    """The script that makes wrk send these variants, one after the other and again from the first."""
    # A JSON string of ASCII characters is a Lua string, too.
    lines = "\n".join(f"  {{{', '.join(map(json.dumps, parts))}}}," for parts in variants)
    script = folder / f"{name}.lua"
    script.write_text(_SCRIPT % {"variants": lines, "pace": "" if rate is None else _PACE % rate})
    return script


def run_load(
    candidate: Candidate, name: str, script: Path, seconds: int, *, cores: Sequence[int], bystanders: Sequence[Server]
) -> Sample:
    """Load the candidate for so many seconds from `cores`; raises NotReady if any request failed.

    `name` is what the sample's load is called; `bystanders` are our other servers, the upstream among them: what they
    use is no disturbance.
    """
    pids = candidate.pids
    other_pids = [pid for server in bystanders for pid in server.pids]
    command = [find_program("wrk"), "--threads", str(len(cores)), "--connections", str(CONNECTIONS)]
    command += ["--timeout", "10s", "--duration", f"{seconds}s", "--script", str(script), candidate.origin]
    before = _Accounts.read(pids, other_pids)
    generator = subprocess.run(
        pinned(cores, command), capture_output=True, text=True, check=False, timeout=seconds + _GRACE_SECONDS
    )
    after = _Accounts.read(pids, other_pids)
    result = _result(generator)
    if result["failed"] or not result["requests"]:
        raise NotReady(f"{candidate.title} failed {result['failed']} of {result['requests']} requests ({name}).")
    elapsed = after.at - before.at
    proxy, load = after.proxy - before.proxy, after.load - before.load
    return Sample(
        candidate=candidate.name,
        load=name,
        requests=result["requests"],
        requests_per_second=result["requests"] / result["microseconds"] * 1e6,
        cpu_us=proxy / result["requests"] * 1e6,
        p50_us=result["p50"],
        p99_us=result["p99"],
        memory_bytes=memory_bytes(pids),
        load_core=load / elapsed / len(cores),
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
