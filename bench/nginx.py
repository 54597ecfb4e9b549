"""What all nginx servers here have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.processes import Server, find_program, pinned

# No log, connections that stay open for the whole run. The working paths make it run without root's folders.
_CONFIGURATION = """\
{user}
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75s;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""


def start_nginx(
    name: str, servers: str, *, folder: Path, port: int, workers: int = 1, cores: Sequence[int] = ()
) -> Server:
    """Start nginx with these `upstream`, `map` and `server` blocks; `port` is one that they listen on.

    It is bound to the `cores`, where there are any.
    """
    folder.mkdir()
    configuration = folder / "nginx.conf"
    # As root, nginx would hand its worker to a user who can't read a private temporary folder.
    user = "user root;" if folder.stat().st_uid == 0 else ""
    configuration.write_text(_CONFIGURATION.format(user=user, workers=workers, folder=folder, servers=servers))
    command = [find_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(configuration)]
    server = Server(name, pinned(cores, command) if cores else command, log=folder / "nginx.log")
    server.wait_until_listening(("127.0.0.1", port))
    return server
