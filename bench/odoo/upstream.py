"""An nginx that answers as an Odoo does, at the least cost: pages and calls of 1 KB, assets, and who is signed in."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
from tests.doubles.odoo import bodies
from tests.doubles.odoo.assets import PNG

from bench.machine import Cores
from bench.nginx import start_nginx
from bench.processes import Server, free_ports
from bench.upstream import COOKIES, SESSION_COOKIE, Environment

DATABASE = "demo"
LOGIN = "demo"
PAGE = "/odoo/contacts"
BUNDLE = "/web/assets/1/4f0036b/web.assets_web.min.js"
STATIC = "/web/static/img/odoo_logo_tiny.png"
CALL = "/web/dataset/call_kw/res.partner/web_search_read"
WRITE = "/web/dataset/call_kw/res.partner/web_save"
# Words for who asks, each of six letters: nobody, somebody who signed in by himself, and whom the link signs in.
NOBODY, VISITOR, LINK = "nobody", "myself", "linked"
WRITTEN = '{"jsonrpc": "2.0", "id": 7, "result": [{"id": 7}]}'
_WHO = "$who"
_SMALL, _LARGE = 1024, 100 * 1024
# Odoo's ids have 84 characters. The last one tells here who has got the session.
_OF_VISITOR = (COOKIES[SESSION_COOKIE] * 3)[:83] + "v"
_OF_LINK = f"${{request_id}}${{request_id}}{'0' * 19}l"
_VERSION = {"server_version": "18.0", "server_version_info": [18, 0, 0, "final", 0, ""], "protocol_version": 1}
_SIGNED_IN = {"uid": 2, "username": LOGIN, "is_admin": False, "is_system": False, "db": DATABASE}

_SERVER = """\
    map $cookie_session_id $who {{
        default {nobody};
        ~v$ {visitor};
        ~l$ {link};
    }}
    map $who $session {{
        default "session_id={of_visitor}; Max-Age=604800; HttpOnly; Path=/";
        {link} "";
    }}
    server {{
        listen 127.0.0.1:{counter};
        stub_status;
    }}
    server {{
{listens}
        root {root};
        open_file_cache max=64 inactive=1h;
        open_file_cache_valid 1h;
        add_header X-Content-Type-Options nosniff;
        default_type "application/json; charset=utf-8";
        location = / {{
            default_type "text/html; charset=utf-8";
            add_header Set-Cookie $session;
            add_header Set-Cookie "frontend_lang=en_GB; Path=/";
            add_header Set-Cookie "tz=Europe/Zurich; Path=/";
            return 200 "welcome";
        }}
        location = /web/webclient/version_info {{
            return 200 '{version}';
        }}
        location = /web/session/authenticate {{
            add_header Set-Cookie "session_id={of_link}; Max-Age=604800; HttpOnly; Path=/";
            return 200 '{signed_in}';
        }}
        location {page}/ {{
            default_type "text/html; charset=utf-8";
            add_header X-Frame-Options DENY;
            return 200 '{page_body}';
        }}
        location = {call} {{
            return 200 '{call_body}';
        }}
        location = {write} {{
            return 200 '{written}';
        }}
        location /web/assets/ {{
            types {{ }}
            default_type "application/javascript; charset=utf-8";
            add_header Cache-Control "public, max-age=31536000, immutable";
        }}
        location /web/static/ {{
            types {{ }}
            default_type image/png;
            add_header Cache-Control "public, max-age=604800";
            add_header Content-Security-Policy "default-src 'none'";
        }}
    }}
"""


class OdooUpstream:
    """The running upstream; `environments` are one Odoo at several ports."""

    def __init__(self, *, folder: Path, cores: Cores, environments: int) -> None:
        self.bundle = f"/* {bodies.text(_LARGE - 6, _LARGE * 3 // 10, 'bundle')} */".encode()
        self.static = PNG + bodies.noise(_SMALL - len(PNG), _SMALL - len(PNG), "static")
        root = folder / "content"
        for path, body in ((BUNDLE, self.bundle), (STATIC, self.static)):
            file = root / path.removeprefix("/")
            file.parent.mkdir(parents=True)
            file.write_bytes(body)
        counter, *ports = free_ports(environments + 1)
        self._asked = 0
        self._counter = f"http://127.0.0.1:{counter}"
        self.environments = [Environment(f"odoo-{number:02}", port) for number, port in enumerate(ports)]
        servers = _SERVER.format(
            nobody=NOBODY,
            visitor=VISITOR,
            link=LINK,
            counter=counter,
            listens="\n".join(f"        listen 127.0.0.1:{port} backlog=1024;" for port in ports),
            root=root,
            of_visitor=_OF_VISITOR,
            of_link=_OF_LINK,
            version=_answer(_VERSION),
            signed_in=_answer(_SIGNED_IN),
            page=PAGE,
            page_body=_page(_WHO),
            call=CALL,
            call_body=_call(_WHO),
            write=WRITE,
            written=WRITTEN,
        )
        self.server: Server = start_nginx(
            "the Odoo", servers, folder=folder / "upstream", port=ports[0], cores=cores.load
        )

    def requests(self) -> int:
        """How many requests it has got so far, without those for this number."""
        status = httpx2.get(self._counter).text
        # The third line has three numbers: connections accepted, connections handled, requests.
        handled = int(status.splitlines()[2].split()[2])
        self._asked += 1
        return handled - self._asked

    def page(self, who: str) -> bytes:
        """The page as somebody sees it."""
        return _page(who).encode()

    def call(self, who: str) -> bytes:
        """The answer to the call as somebody gets it."""
        return _call(who).encode()


def _page(who: str) -> str:
    """A page of 1 KB that names its reader."""
    begin = f"<!DOCTYPE html>\n<html><head><title>Odoo</title></head><body><p>{who}</p><p>"
    end = "</p></body></html>\n"
    room = _SMALL - len(begin) - len(end) + len(who) - len(NOBODY)
    return begin + bodies.text(room, room * 37 // 100, "page") + end


def _call(who: str) -> str:
    """The records that the web client asked for, in 1 KB."""
    records: list[dict[str, object]] = [
        {
            "id": number,
            "display_name": f"Contact {number}",
            "is_company": number % 2 == 0,
            "email": f"contact{number}@example.com",
            "phone": f"+41 44 000 00 {number}",
            "city": "Zurich",
            "country_id": {"id": 43, "display_name": "Switzerland"},
            "user_id": False,
        }
        for number in (11, 12, 13, 14)
    ]
    text = _answer({"length": 4, "records": records, "reader": who})
    return text + " " * (_SMALL - len(text) + len(who) - len(NOBODY))


def _answer(result: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result})
