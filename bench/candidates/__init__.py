"""The proxies that are compared: how each is started, and how a browser comes to hold its cookies."""

from __future__ import annotations

from bench.candidates.caddy import Caddy
from bench.candidates.candidate import PASS_COOKIE, Candidate
from bench.candidates.envoy import EnvoyExtAuthz, EnvoyJWTAuthn
from bench.candidates.guestpass import Guestpass, GuestpassCompiled
from bench.candidates.haproxy import HAProxy
from bench.candidates.nginx import NginxAuthRequest, NginxPlain
from bench.candidates.node import ConfigurableHTTPProxy
from bench.candidates.traefik import Traefik

CANDIDATES: dict[str, type[Candidate]] = {
    kind.name: kind
    for kind in (
        NginxPlain,
        NginxAuthRequest,
        HAProxy,
        EnvoyJWTAuthn,
        EnvoyExtAuthz,
        Traefik,
        Caddy,
        ConfigurableHTTPProxy,
        Guestpass,
        GuestpassCompiled,
    )
}

__all__ = [
    "CANDIDATES",
    "PASS_COOKIE",
    "Caddy",
    "Candidate",
    "ConfigurableHTTPProxy",
    "EnvoyExtAuthz",
    "EnvoyJWTAuthn",
    "Guestpass",
    "GuestpassCompiled",
    "HAProxy",
    "NginxAuthRequest",
    "NginxPlain",
    "Traefik",
]
