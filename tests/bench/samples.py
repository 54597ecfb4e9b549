"""Samples as a load generator would have brought them."""

from __future__ import annotations

from bench.load import Sample


def sample(
    candidate: str = "guestpass",
    load: str = "1k",
    *,
    rate: float = 10_000.0,
    cpu_us: float = 100.0,
    p99_us: int = 2_000,
    memory_bytes: int = 100 << 20,
    load_core: float = 0.5,
    others: float = 0.01,
) -> Sample:
    return Sample(
        candidate=candidate,
        load=load,
        requests=int(rate * 5),
        requests_per_second=rate,
        cpu_us=cpu_us,
        p50_us=p99_us // 4,
        p99_us=p99_us,
        memory_bytes=memory_bytes,
        load_core=load_core,
        others=others,
    )
