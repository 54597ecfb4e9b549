"""The reverse proxies of docs/operate/, started with the very files that the documentation gives."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from tests.gateway.raw_client import RawClient
from tests.links.waiting import until
from tests.markers import starts
from tests.operate.certificates import trusting, write_pair

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
INTERNAL = "/operators"
"""What nginx serves to whom an application behind it sends there, and to nobody who asks."""
SECRET = b"of the operator alone"
CADDY = shutil.which("caddy") or "/usr/bin/caddy"


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs; `trust` checks its certificates."""

    port: int
    trust: ssl.SSLContext

    async def connect(self, name: str) -> RawClient:
        """A connection by TLS under this name."""
        return RawClient(
            *await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust, server_hostname=name, limit=2**16)
        )


@starts("applications", "slow")
@asynccontextmanager
async def nginx(folder: Path, *, port: int, plain_port: int, public_port: int, admin_port: int) -> AsyncIterator[Proxy]:
    """Debian's nginx, in front of both listeners; it has files of its operator's that only it may name."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    write_pair(certificate, key)
    (folder / INTERNAL[1:]).mkdir()
    (folder / INTERNAL[1:] / "secret").write_bytes(SECRET)
    site = _with(
        "nginx.conf",
        {
            "127.0.0.1:8080": f"127.0.0.1:{public_port}",
            "127.0.0.1:8081": f"127.0.0.1:{admin_port}",
            "    listen [::]:443 ssl;\n": "",
            "    listen [::]:80;\n": "",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "listen 80": f"listen 127.0.0.1:{plain_port}",
            "    location / {\n        proxy_pass http://guestpass;": (
                f"    location {INTERNAL}/ {{ internal; root {folder}; }}\n"
                "    location / {\n        proxy_pass http://guestpass;"
            ),
            "guestpass.example.com": "guestpass.test",
            "share.example.com": "share.test",
            "links.example.com": "links.test",
            "/etc/ssl/guestpass/fullchain.pem": str(certificate),
            "/etc/ssl/guestpass/privkey.pem": str(key),
        },
    )
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    whole = (
        f"{user}daemon off;\npid {folder / 'nginx.pid'};\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n"
    )
    (folder / "nginx.conf").write_text(whole, encoding="utf-8")
    log = folder / "error.log"
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(log)]
    async with _running(command, folder, port):
        yield Proxy(port, trusting(certificate))


@starts("applications", "slow")
@asynccontextmanager
async def caddy(folder: Path, *, port: int, plain_port: int, public_port: int, admin_port: int) -> AsyncIterator[Proxy]:
    """Debian's Caddy, which asks the admin listener before it makes a certificate; it fetches none from elsewhere."""
    file = folder / "Caddyfile"
    options = f"""{{
	admin off
	default_bind 127.0.0.1
	http_port {plain_port}
	https_port {port}
	local_certs
	skip_install_trust
	storage file_system {folder / "storage"}
"""
    text = _with(
        "Caddyfile",
        {
            "\n{\n": f"\n{options}",
            "127.0.0.1:8080": f"127.0.0.1:{public_port}",
            "127.0.0.1:8081": f"127.0.0.1:{admin_port}",
            "guestpass.example.com": "guestpass.test",
            "share.example.com": "share.test",
            "links.example.com": "links.test",
        },
    )
    file.write_text(text, encoding="utf-8")
    root = folder / "storage" / "pki" / "authorities" / "local" / "root.crt"
    command = [CADDY, "run", "--config", str(file), "--adapter", "caddyfile"]
    async with _running(command, folder, port):
        yield Proxy(port, trusting(root))


def _with(name: str, changes: dict[str, str]) -> str:
    """A file of deploy/ with what differs in a test; each of these must be in it."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in {name}"
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def _running(command: list[str], folder: Path, port: int) -> AsyncIterator[None]:
    log = folder / "proxy.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=os.environ | {"HOME": str(folder)}, stdout=out, stderr=out
        )

    async def listens() -> bool:
        assert process.returncode is None, log.read_text(encoding="utf-8")
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await until(listens, 60)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
