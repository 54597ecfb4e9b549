"""What Guestpass is held to, beside others in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.load import LOADS, RATE
from bench.workers import ONE, TWO


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that Guestpass has to reach: `at_least`, and what is `wanted`.

    `own` and `other` name what is compared, by candidate and load. With `per_core` it is how many requests the same
    processor time is enough for, with `workers` how many are answered in the same time; more is better. With `p99` it
    is the time within which 99 of 100 requests are answered; less is better.
    """

    kind: Literal["per_core", "p99", "workers"]
    what: str
    own: tuple[str, str]
    other: tuple[str, str]
    at_least: float
    wanted: float

    def is_met(self, reached: float, bound: float) -> bool:
        """Whether `reached` is as good as `bound`."""
        return reached <= bound if self.kind == "p99" else reached >= bound

    @property
    def bounds(self) -> str:
        """The two bounds in words."""
        first = "at most" if self.kind == "p99" else "at least"
        return f"{first} {self.at_least:g}, wanted {self.wanted:g}"


def _targets(own: str, before: str = "") -> tuple[Target, ...]:
    """What one of our builds is held to; `before` says in front of each which one that is."""

    def per_core(load: str, other: str, title: str, at_least: float, wanted: float) -> Target:
        what = f"{before}{LOADS[load].title} per core, x {title}"
        return Target("per_core", what, (own, load), (other, load), at_least, wanted)

    p99, workers = (
        f"{before}p99 at {RATE:,} requests/s, x nginx plain",
        f"{before}two workers on two cores, x one on one",
    )
    return (
        per_core("1k", "nginx", "nginx plain", 0.45, 0.6),
        per_core("1k", "auth_request", "nginx auth_request", 1.6, 2.0),
        per_core("1k", "envoy_jwt", "Envoy jwt_authn", 2.5, 3.0),
        per_core("1k", "traefik", "Traefik forwardAuth", 8.0, 10.0),
        per_core("1k", "caddy", "Caddy forward_auth", 8.0, 10.0),
        per_core("100k", "nginx", "nginx plain", 1.2, 1.4),
        per_core("1536k", "nginx", "nginx plain", 1.2, 1.4),
        Target("p99", p99, (own, "rate"), ("nginx", "rate"), 2.0, 1.5),
        Target("workers", workers, (own, TWO), (own, ONE), 1.7, 1.7),
    )


TARGETS = (*_targets("guestpass"), *_targets("guestpass_compiled", "compiled: "))
