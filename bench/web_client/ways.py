"""The ways to Odoo that are compared, and how each is started. Odoo is the tests' double of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.doubles.odoo import Odoo, assets
from tests.installation import Installation

from bench.nginx import start_nginx
from bench.processes import Server, free_ports
from bench.web_client.step import STEP

# The configuration in Odoo's documentation ("System configuration": HTTPS and Serving static files), less TLS and the
# two lines that only make sense with it. The level of gzip is not said there, so it is nginx's own, which is 1.
_ODOO_DEPLOYMENT = """\
    upstream odoo {{
        server 127.0.0.1:{odoo.port};
    }}
    upstream odoochat {{
        server 127.0.0.1:{odoo.gevent_port};
    }}
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        ''      close;
    }}
    map $sent_http_content_type $content_type_csp {{
        default "";
        ~image/ "default-src 'none'";
    }}
    server {{
        listen 127.0.0.1:{port};
        proxy_read_timeout 720s;
        proxy_connect_timeout 720s;
        proxy_send_timeout 720s;
        location /websocket {{
            proxy_pass http://odoochat;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Real-IP $remote_addr;
        }}
        location / {{
{to_odoo}
        }}
        location @odoo {{
{to_odoo}
        }}
        location ~ ^/[^/]+/static/.+$ {{
            root {root};
            types {{ image/x-icon ico; }}
            try_files $uri @odoo;
            expires 24h;
            add_header Content-Security-Policy $content_type_csp;
        }}
        gzip_types text/css text/scss text/plain text/xml application/xml application/json application/javascript;
        gzip on;
    }}
"""
_TO_ODOO = """\
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_redirect off;
            proxy_pass http://odoo;"""


@dataclass(frozen=True, slots=True)
class Way:
    """A way from a visitor to Odoo: `entrance` is the URL at which he begins."""

    origin: str
    entrance: str


def direct(odoo: Odoo) -> Way:
    """Odoo itself."""
    return Way(odoo.url, f"{odoo.url}/web/login")


def nginx(odoo: Odoo, folder: Path) -> tuple[Server, Way]:
    """nginx as Odoo's documentation has it: a server to be entered, which listens already."""
    root = folder / "addons"
    for exchange in STEP:
        # What nginx may read from the folders of Odoo's modules.
        if "/static/" in exchange.path:
            file = root / exchange.path.removeprefix("/")
            file.parent.mkdir(parents=True)
            file.write_bytes(assets.stored(exchange).body)
    (port,) = free_ports(1)
    servers = _ODOO_DEPLOYMENT.format(odoo=odoo, port=port, root=root, to_odoo=_TO_ODOO)
    origin = f"http://127.0.0.1:{port}"
    return start_nginx("nginx", servers, folder=folder / "nginx", port=port), Way(origin, f"{origin}/web/login")


async def new_link(guestpass: Installation, odoo: Odoo, name: str) -> Way:
    """A link to an environment that is registered now: nobody has asked for anything through it."""
    environment = await guestpass.add_environment(name=name, kind="odoo", url=odoo.url, websocketUrl=odoo.websocket_url)
    link = await guestpass.create_link(environment["id"])
    return Way(guestpass.public_url, link["url"])
