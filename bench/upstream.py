"""The applications behind the proxies: nginx with files of each size, and an address that tells what arrived."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Cores
from bench.nginx import start_nginx
from bench.processes import Server, free_ports

SESSION_COOKIE = "session_id"
COOKIES = {
    SESSION_COOKIE: "7c1f0a4be2d94f6fa5b0c37de1928a4410f3bb27",
    "frontend_lang": "en_GB",
    "tz": "Europe/Zurich",
}
PLACES = 16
SEEN_PATH = "/seen"
SEEN_FIELDS = ("Host", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")

_SERVER = """\
    server {{
{listens}
        root {root};
        open_file_cache max=64 inactive=1h;
        open_file_cache_valid 1h;
        location = / {{
            add_header Set-Cookie "{session}={session_value}; Path=/; HttpOnly";
            add_header Set-Cookie "frontend_lang=en_GB; Path=/";
            add_header Set-Cookie "tz=Europe/Zurich; Path=/";
            return 200 "welcome";
        }}
        location = {seen} {{
            return 200 "Port: $server_port\\n{told}";
        }}
    }}
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """One of the applications; each listens on a port of its own."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Size:
    """A body of so many bytes, under PLACES paths."""

    name: str
    bytes: int

    def path(self, place: int) -> str:
        """Where the upstream serves it."""
        return f"/{self.name}/{place}"


SIZES = {size.name: size for size in (Size("1k", 1024), Size("100k", 100 * 1024), Size("1536k", 1536 * 1024))}


class Upstream:
    """The running upstream; `digests` are the SHA-256 of its bodies by size name."""

    def __init__(
        self, sizes: Sequence[Size], *, folder: Path, cores: Cores, environments: int, workers: int = 1
    ) -> None:
        self.digests: dict[str, str] = {}
        root = folder / "content"
        content = random.Random(1)
        for size in sizes:
            body = content.randbytes(size.bytes)
            places = root / size.name
            places.mkdir(parents=True)
            (places / "0").write_bytes(body)
            for place in range(1, PLACES):
                os.link(places / "0", places / str(place))
            self.digests[size.name] = hashlib.sha256(body).hexdigest()
        self.environments = [
            Environment(f"environment-{number:03}", port) for number, port in enumerate(free_ports(environments))
        ]
        told = "".join(rf"{field}: $http_{field.lower().replace('-', '_')}\n" for field in SEEN_FIELDS)
        listens = "\n".join(
            f"        listen 127.0.0.1:{environment.port} backlog=1024{' reuseport' if workers > 1 else ''};"
            for environment in self.environments
        )
        servers = _SERVER.format(
            listens=listens,
            root=root,
            session=SESSION_COOKIE,
            session_value=COOKIES[SESSION_COOKIE],
            seen=SEEN_PATH,
            told=told,
        )
        self.server: Server = start_nginx(
            "the upstream",
            servers,
            folder=folder / "upstream",
            port=self.environments[0].port,
            workers=workers,
            cores=cores.load,
        )
