"""The application behind the proxies: nginx with a file of each size, and an address that tells what arrived."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.nginx import start_nginx
from bench.processes import Server, free_ports

SESSION_COOKIE = "session_id"
COOKIES = {
    SESSION_COOKIE: "7c1f0a4be2d94f6fa5b0c37de1928a4410f3bb27",
    "frontend_lang": "en_GB",
    "tz": "Europe/Zurich",
}
SEEN_PATH = "/seen"
SEEN_FIELDS = ("Host", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")

_SERVER = """\
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {root};
        open_file_cache max=16 inactive=1h;
        open_file_cache_valid 1h;
        location = / {{
            add_header Set-Cookie "{session}={session_value}; Path=/; HttpOnly";
            add_header Set-Cookie "frontend_lang=en_GB; Path=/";
            add_header Set-Cookie "tz=Europe/Zurich; Path=/";
            return 200 "welcome";
        }}
        location = {seen} {{
            return 200 "{told}";
        }}
    }}
"""


@dataclass(frozen=True, slots=True)
class Size:
    """A body of so many bytes, under a path of its own."""

    name: str
    bytes: int

    @property
    def path(self) -> str:
        """Where the upstream serves it."""
        return f"/{self.name}"


SIZES = {size.name: size for size in (Size("1k", 1024), Size("100k", 100 * 1024), Size("1536k", 1536 * 1024))}


class Upstream:
    """The running upstream; `digests` are the SHA-256 of its bodies by size name."""

    def __init__(self, sizes: Sequence[Size], *, folder: Path, core: int) -> None:
        self.digests: dict[str, str] = {}
        root = folder / "content"
        root.mkdir()
        content = random.Random(1)
        for size in sizes:
            body = content.randbytes(size.bytes)
            (root / size.name).write_bytes(body)
            self.digests[size.name] = hashlib.sha256(body).hexdigest()
        self.port = free_ports(1)[0]
        told = "".join(rf"{field}: $http_{field.lower().replace('-', '_')}\n" for field in SEEN_FIELDS)
        servers = _SERVER.format(
            port=self.port,
            root=root,
            session=SESSION_COOKIE,
            session_value=COOKIES[SESSION_COOKIE],
            seen=SEEN_PATH,
            told=told,
        )
        self.server: Server = start_nginx(
            "the upstream", servers, folder=folder / "upstream", core=core, port=self.port
        )
