"""Envoy that verifies passes itself, and Envoy that asks a service."""

from __future__ import annotations

import base64
import json
import secrets
import time

import jwt

from bench.candidates.candidate import Peer, version_told_by
from bench.installing import installed
from bench.upstream import Environment

_LIFETIME_SECONDS = 24 * 3600
_KEY = secrets.token_bytes(32)


class _Envoy(Peer):
    programs = ("envoy",)

    def start_proxy(self, template: str, **values: object) -> None:
        """Start Envoy with this configuration, one thread wide."""
        configuration = self.write("envoy.yaml", template, **values)
        command = [installed("envoy"), "--config-path", str(configuration), "--concurrency", "1"]
        command += ["--disable-hot-restart", "--log-level", "error"]
        self.run(command, ("127.0.0.1", self.port))

    def version(self) -> str:
        return version_told_by([installed("envoy"), "--version"])


class EnvoyJWTAuthn(_Envoy):
    """Envoy with passes that are signed tokens, which nobody can take back before they expire."""

    name = "envoy_jwt"
    title = "Envoy jwt_authn"

    def make_pass(self, environment: Environment) -> str:
        claims = {"iss": "bench", "environment": environment.name, "exp": int(time.time()) + _LIFETIME_SECONDS}
        return jwt.encode(claims, _KEY, algorithm="HS256")

    def start(self) -> None:
        key = {"kty": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(_KEY).rstrip(b"=").decode()}
        self.start_proxy("envoy-jwt-authn.yaml.j2", jwks=json.dumps({"keys": [key]}))


class EnvoyExtAuthz(_Envoy):
    """Envoy that asks a small Python application about each request."""

    name = "envoy_authz"
    title = "Envoy ext_authz"

    def start(self) -> None:
        socket = self.folder / "auth.sock"
        self.start_auth_service(lambda environment: environment.name, at=socket, edits_cookie=True)
        self.start_proxy("envoy-ext-authz.yaml.j2", auth_socket=socket)
