"""Look at an Odoo from outside, with questions that anybody may ask and that leave nothing behind in it.

Odoo keeps the name that it is called by (see `requests`), so each question calls it as visitors' requests will. Only
robots.txt, which keeps nothing, is asked for under a name that can't be Odoo's own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import quote, urlsplit

from guestpass.app.environment_check import CheckReport
from guestpass.app.ports import Entropy
from guestpass.domain.environment import BusPlace, Environment, parse_public_url
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.domain.finding import Finding
from guestpass.gateway.upstreams import origin_of
from guestpass.odoo import findings
from guestpass.odoo.http.json_bodies import read_little
from guestpass.odoo.http.requests import fixed_name
from guestpass.odoo.http.responses import is_hollow
from guestpass.outbound.http_client import HttpClient, HttpResponse, NoAnswerError
from guestpass.wire.connector import UpstreamOrigin
from guestpass.wire.websocket_handshake import is_accepted

GEVENT_PORT: Final = 8072
HTTP_PORT: Final = 8069
_FIRST_WITH_WEBSOCKETS: Final = 16
_FOREIGN_HOST: Final = "probe.invalid"
"""A name that no Odoo can have (RFC 2606)."""

_VERSION = re.compile(r"(?:saas[~-])?([0-9]{1,3})(?:\.[0-9]{1,3})?[A-Za-z0-9.+~_-]{0,40}", re.ASCII)
_SITEMAP = re.compile(rb"^[ \t]*sitemap:[ \t]*https?://([^/\s]*)", re.IGNORECASE | re.MULTILINE)
_SESSION = re.compile(rb"session_id=([A-Za-z0-9_.-]{1,200});")
_BUNDLE = re.compile(rb"[\"'](/web/(?:assets|content)/[A-Za-z0-9._/-]{1,300}\.(?:css|js))[\"']")
# What is looked for stands in the head; reading a page is not free, and what answers may be no friend.
_PAGE_HEAD: Final = 64 * 1024
_SELECTOR: Final = "/web/database/selector"
# Said in English by every version, above forms that then do nothing.
_MANAGER_IS_OFF: Final = b"has been disabled by the administrator"
# As they matter to the owner.
_ORDER: Final = (
    findings.REDIRECTING,
    findings.NOT_ODOO,
    findings.SEVERAL_DATABASES,
    findings.UNKNOWN_DATABASE,
    findings.X_SENDFILE,
    findings.NO_WEBSOCKET_AS_SET,
    findings.NO_WEBSOCKET,
    findings.WEBSOCKET_ASSUMED,
    findings.DATABASE_MANAGER_OPEN,
    findings.DATABASE_LISTING_OPEN,
    findings.BASE_URL_DIFFERS,
    findings.BASE_URL_UNKNOWN,
    findings.FORWARDING_IGNORED,
    findings.CHECK_INCOMPLETE,
)


class OdooCheck:
    """One look at one Odoo. What it can't find out stays as the environment has it."""

    def __init__(
        self, environment: Environment, asker: HttpClient, entropy: Entropy, *, gevent_port: int = GEVENT_PORT
    ) -> None:
        self._environment = environment
        self._asker = asker
        self._entropy = entropy
        self._gevent_port = gevent_port
        self._name = fixed_name(
            public_url=environment.public_url, canonical_url=environment.canonical_url, url=environment.url
        )
        self._origin = self._at(environment.url)
        self._found: set[Finding] = set()
        self._is_odoo = False
        self._version = environment.odoo_version
        self._major: int | None = None
        self._canonical = environment.canonical_url
        self._bus, self._bus_url = environment.websocket_on, environment.found_websocket_url
        self._cookie = b""
        self._canonical_seen: str | None = None
        self._bundle: bytes | None = None
        self.is_incomplete = False

    async def run(self) -> None:
        """Ask everything; raises NoAnswerError where the first question gets no answer, and can be cut off."""
        if not await self._recognise():
            return
        self._is_odoo = True
        await self._if_answered(self._enter)
        async with asyncio.TaskGroup() as tasks:
            for look in (self._find_bus, self._look_at_website, self._try_forwarding, self._try_databases):
                tasks.create_task(self._if_answered(look))

    def report(self) -> CheckReport:
        """What is known by now."""
        found = set(self._found)
        if self._is_odoo:
            if self._environment.public_url is None or self._canonical is None:
                found.add(findings.BASE_URL_UNKNOWN)
            elif self._canonical != self._environment.public_url:
                found.add(findings.BASE_URL_DIFFERS)
        if self.is_incomplete:
            found.add(findings.CHECK_INCOMPLETE)
        return CheckReport(
            odoo_version=self._version,
            canonical_url=self._canonical,
            websocket=self._bus,
            found_websocket_url=self._bus_url,
            findings=tuple(finding for finding in _ORDER if finding in found),
        )

    async def _if_answered(self, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except (NoAnswerError, DescriptorsUsedUp):
            self.is_incomplete = True

    async def _recognise(self) -> bool:
        """Whether it is an Odoo, and which version of it."""
        reply = await self._call("/web/webclient/version_info", {})
        if reply.status >= 500:
            # A web server whose Odoo is not up, more often than not: nothing is known that was not known before.
            raise NoAnswerError(f"it answers with status {reply.status}")
        result = _result(reply)
        version = result.get("server_version") if isinstance(result, dict) else None
        match = _VERSION.fullmatch(version) if isinstance(version, str) else None
        self._version = match[0] if match else None
        self._major = int(match[1]) if match else None
        if match:
            return True
        if 300 <= reply.status < 400:
            self._not_this(findings.REDIRECTING)
            return False
        if _object(await self._get("/web/health")).get("status") == "pass":
            return True
        if b"oe_login_form" in (await self._get("/web/login")).body:
            return True
        self._not_this(findings.NOT_ODOO)
        return False

    def _not_this(self, finding: Finding) -> None:
        self._found.add(finding)
        self._canonical = self._bus = self._bus_url = None

    async def _enter(self) -> None:
        """Ask for the login form, as whoever opens Odoo without a session gets it; the session is used further on."""
        database = self._environment.database
        reply = await self._get("/web/login" + (f"?db={quote(database, safe='')}" if database else ""))
        self._take_session(reply)
        if reply.status in (302, 303) and database and not _leads_to_selector(reply):
            # The session knows the database now.
            reply = await self._get("/web/login")
            self._take_session(reply)
        if _leads_to_selector(reply):
            self._found.add(findings.UNKNOWN_DATABASE if database else findings.SEVERAL_DATABASES)
        self._read_page(reply)

    async def _look_at_website(self) -> None:
        """What the pages call their own address, and whether files come with them."""
        if self._canonical_seen is None:
            # Without the website module there is no such page, and nobody who says so.
            self._read_page(await self._get("/"))
        self._canonical = self._canonical_seen
        if self._bundle is not None:
            reply = await self._ask(self._origin, "HEAD", self._bundle.decode())
            if is_hollow(reply.fields, None):
                self._found.add(findings.X_SENDFILE)

    def _read_page(self, reply: HttpResponse) -> None:
        if reply.status != 200:
            return
        self._canonical_seen = self._canonical_seen or _canonical_origin(reply.body)
        bundle = _BUNDLE.search(reply.body)
        if bundle is not None and self._bundle is None:
            self._bundle = bundle[1]

    async def _try_forwarding(self) -> None:
        forwarded = f"X-Forwarded-Host: {_FOREIGN_HOST}\r\nX-Forwarded-Proto: https\r\n"
        reply = await self._ask(self._origin, "GET", "/robots.txt", forwarded=forwarded)
        sitemap = _SITEMAP.search(reply.body) if reply.status == 200 else None
        if sitemap is not None and sitemap[1].lower() != _FOREIGN_HOST.encode():
            self._found.add(findings.FORWARDING_IGNORED)

    async def _try_databases(self) -> None:
        reply = await self._call("/web/database/list", {})
        names = _result(reply)
        is_refused = "error" in _object(reply)
        if not isinstance(names, list) and not is_refused:
            # A web server may shut the one and forget the other.
            names = _result(await self._call("/jsonrpc", {"service": "db", "method": "list", "args": []}))
        if isinstance(names, list):
            self._found.add(findings.DATABASE_LISTING_OPEN)
        manager = await self._get("/web/database/manager")
        if manager.status == 200 and not is_refused and _MANAGER_IS_OFF not in manager.body:
            self._found.add(findings.DATABASE_MANAGER_OPEN)

    async def _find_bus(self) -> None:
        environment = self._environment
        if environment.websocket_url is not None:
            self._bus, self._bus_url = BusPlace.CONFIGURED, None
            if not await self._answers_as_bus(environment.websocket_url):
                self._found.add(findings.NO_WEBSOCKET_AS_SET)
            return
        if await self._is_bus(environment.url):
            self._bus, self._bus_url = BusPlace.SAME, None
            return
        beside = self._beside()
        if beside is not None and await self._answers_as_bus(beside):
            self._bus, self._bus_url = BusPlace.GEVENT, beside
            if self._origin.port != HTTP_PORT:
                self._found.add(findings.WEBSOCKET_ASSUMED)
            return
        self._bus, self._bus_url = BusPlace.NONE, None
        self._found.add(findings.NO_WEBSOCKET)

    def _beside(self) -> str | None:
        """The address of the gevent port, where Odoo's documentation has it; in the same scheme, with its secrecy."""
        parts = urlsplit(self._environment.url)
        if self._origin.port == self._gevent_port:
            return None
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{self._gevent_port}"

    async def _answers_as_bus(self, url: str) -> bool:
        """The same for a port that may not exist."""
        try:
            return await self._is_bus(url)
        except NoAnswerError:
            return False

    async def _is_bus(self, url: str) -> bool:
        if self._major is not None and self._major < _FIRST_WITH_WEBSOCKETS:
            # With `peek` nobody waits for news; where there is no bus, Odoo answers with an error.
            polled = {"channels": [], "last": 0, "options": {"peek": True}}
            return "result" in _object(await self._call("/longpolling/poll", polled, at=url))
        key = base64.b64encode(self._entropy.bytes(16))
        version = f"?version={self._major}.0-1" if self._major is not None else ""
        upgrade = (
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: {self._name.origin.decode()}\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n"
        )
        reply = await self._ask(self._at(url), "GET", f"/websocket{version}", fields=upgrade, body=False)
        return reply.status == 101 and is_accepted(key, reply.head)

    async def _get(self, target: str) -> HttpResponse:
        return await self._ask(self._origin, "GET", target)

    async def _call(self, path: str, params: dict[str, object], *, at: str | None = None) -> HttpResponse:
        sent = json.dumps({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}).encode()
        fields = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
        origin = self._origin if at is None else self._at(at)
        return await self._ask(origin, "POST", path, fields=fields, sent=sent)

    async def _ask(
        self,
        origin: UpstreamOrigin,
        method: str,
        target: str,
        *,
        fields: str = "",
        forwarded: str | None = None,
        sent: bytes = b"",
        body: bool = True,
    ) -> HttpResponse:
        host, scheme = self._name.host.decode(), self._name.scheme.decode()
        if forwarded is None:
            forwarded = f"X-Forwarded-Host: {host}\r\nX-Forwarded-Proto: {scheme}\r\n"
        if "Connection:" not in fields:
            fields += "Connection: close\r\n"
        if self._cookie:
            fields += f"Cookie: session_id={self._cookie.decode()}\r\n"
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{forwarded}User-Agent: Guestpass\r\n"
            f"Accept: */*\r\nAccept-Encoding: identity\r\n{fields}\r\n"
        )
        return await self._asker.ask(origin, head.encode() + sent, body=body)

    def _at(self, url: str) -> UpstreamOrigin:
        return origin_of(self._environment, url)

    def _take_session(self, reply: HttpResponse) -> None:
        for lower, _, value in reply.fields:
            if lower == b"set-cookie" and (match := _SESSION.match(value + b";")):
                self._cookie = match[1]


def _object(reply: HttpResponse) -> dict[str, Any]:
    """The JSON object that was answered; empty for anything else."""
    if reply.status != 200:
        return {}
    found = read_little(reply.body)
    return found if isinstance(found, dict) else {}


def _result(reply: HttpResponse) -> object:
    """The result of a JSON-RPC call, None where there is none."""
    return _object(reply).get("result")


def _leads_to_selector(reply: HttpResponse) -> bool:
    try:
        path = urlsplit(reply.value(b"location").decode("latin-1")).path
    except ValueError:
        return False
    return 300 <= reply.status < 400 and path.rstrip("/") == _SELECTOR


class _CanonicalLink(HTMLParser):
    """Finds the first ``<link rel="canonical">``."""

    def __init__(self) -> None:
        super().__init__()
        self.href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at each element's beginning; the parser calls it for empty elements, too."""
        values = dict(attrs)
        if tag == "link" and self.href is None and (values.get("rel") or "").lower() == "canonical":
            self.href = values.get("href") or ""


def _canonical_origin(page: bytes) -> str | None:
    """The origin of what a page calls its canonical address; None where it is none that can be called."""
    link = _CanonicalLink()
    link.feed(page[:_PAGE_HEAD].decode("utf-8", "replace"))
    try:
        parts = urlsplit(link.href or "")
        return parse_public_url(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return None
