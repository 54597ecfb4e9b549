"""What all nginx servers here have in common."""

from __future__ import annotations

from pathlib import Path

from bench.processes import Server, find_program, pinned

# One worker, no log, connections that stay open for the whole run. Buffers take a whole answer of 100 KB, and a
# larger one never goes by way of the disk. The working paths make it run without root's folders.
_CONFIGURATION = """\
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{
    worker_connections 1024;
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

# Shared by the two proxies: upstream connections are kept, heads say who asked and by which name.
PROXYING = """\
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_buffers 16 32k;
            proxy_buffer_size 32k;
            proxy_busy_buffers_size 256k;
            proxy_max_temp_file_size 0;"""


def start_nginx(name: str, servers: str, *, folder: Path, port: int, core: int | None = None) -> Server:
    """Start nginx with these `upstream`, `map` and `server` blocks; `port` is one that they listen on.

    It is bound to the `core`, where there is one.
    """
    folder.mkdir()
    configuration = folder / "nginx.conf"
    # As root, nginx would hand its worker to a user who can't read a private temporary folder.
    user = "user root;" if folder.stat().st_uid == 0 else ""
    configuration.write_text(_CONFIGURATION.format(user=user, folder=folder, servers=servers))
    command = [find_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(configuration)]
    server = Server(name, command if core is None else pinned(core, command), log=folder / "nginx.log")
    server.wait_until_listening(("127.0.0.1", port))
    return server
