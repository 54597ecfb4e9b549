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
    is the time within which 99 of 100 requests are answered, with `cost` the processor time of a request; less is
    better.
    """

    kind: Literal["per_core", "p99", "workers", "cost"]
    what: str
    own: tuple[str, str]
    other: tuple[str, str]
    at_least: float
    wanted: float

    def is_met(self, reached: float, bound: float) -> bool:
        """Whether `reached` is as good as `bound`."""
        return reached <= bound if self.less_is_better else reached >= bound

    @property
    def less_is_better(self) -> bool:
        """Whether the bounds are upper ones."""
        return self.kind in ("p99", "cost")

    @property
    def bounds(self) -> str:
        """The two bounds in words."""
        first = "at most" if self.less_is_better else "at least"
        return f"{first} {self.at_least:g}, wanted {self.wanted:g}"


Bounds = tuple[float, float]
"""At least, and wanted."""


def _targets(
    own: str, before: str = "", *, small: Bounds, medium: Bounds, large: Bounds, haproxy: Bounds
) -> tuple[Target, ...]:
    """What one of our builds is held to; `before` says in front of each which one that is.

    `small`, `medium` and `large` are for bodies of 1 KB, 100 KB and 1.5 MB beside nginx plain, `haproxy` is for bodies
    of 1 KB beside HAProxy with a map.
    """

    def per_core(load: str, other: str, title: str, at_least: float, wanted: float) -> Target:
        what = f"{before}{LOADS[load].title} per core, x {title}"
        return Target("per_core", what, (own, load), (other, load), at_least, wanted)

    p99, workers = (
        f"{before}p99 at {RATE:,} requests/s, x nginx plain",
        f"{before}two workers on two cores, x one on one",
    )
    return (
        per_core("1k", "nginx", "nginx plain", *small),
        per_core("1k", "haproxy", "HAProxy map", *haproxy),
        per_core("1k", "auth_request", "nginx auth_request", 1.6, 2.0),
        per_core("1k", "envoy_jwt", "Envoy jwt_authn", 2.5, 3.0),
        per_core("1k", "traefik", "Traefik forwardAuth", 8.0, 10.0),
        per_core("1k", "caddy", "Caddy forward_auth", 8.0, 10.0),
        per_core("100k", "nginx", "nginx plain", *medium),
        per_core("1536k", "nginx", "nginx plain", *large),
        Target("p99", p99, (own, "rate"), ("nginx", "rate"), 2.0, 1.5),
        Target("workers", workers, (own, TWO), (own, ONE), 1.7, 1.7),
    )


# Those of the compiled build were set on an AMD EPYC, where at least is what it was before an Odoo got its speed.
TARGETS = (
    *_targets("guestpass", small=(0.45, 0.6), medium=(1.2, 1.4), large=(1.2, 1.4), haproxy=(0.5, 1.0)),
    *_targets(
        "guestpass_compiled",
        "compiled: ",
        small=(0.75, 0.9),
        medium=(0.8, 1.0),
        large=(1.16, 1.3),
        haproxy=(0.78, 1.0),
    ),
)


def _of_odoo(way: str, title: str, dynamic: Bounds) -> tuple[Target, ...]:
    """What a kind of link to an Odoo may cost, beside kind web in the same run."""
    bounds = {
        "page": ("page", dynamic),
        "call": ("call", dynamic),
        "static": ("static file from the cache", (1.3, 1.1)),
    }
    return tuple(
        Target("cost", f"{title}: {what}, x kind web", (way, load), ("web", load), *limits)
        for load, (what, limits) in bounds.items()
    )


ODOO_TARGETS = (
    *_of_odoo("odoo", "kind odoo", (1.8, 1.5)),
    *_of_odoo("signed_in", "signed in", (2.0, 1.7)),
    *_of_odoo("view_only", "view-only", (2.6, 2.2)),
    Target(
        "per_core",
        "compiled: kind odoo, call per core, x nginx",
        ("odoo_compiled", "call"),
        ("nginx", "call"),
        0.4,
        0.4,
    ),
)
