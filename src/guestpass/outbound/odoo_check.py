"""Check an Odoo from outside, with requests that need no login and change nothing in it.

Odoo stores the name that it is called by (see odoo/http/requests), so each request calls it as visitors' requests will.
Only robots.txt, which stores nothing, is requested under a name that can't be Odoo's own.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from typing import Final
from urllib.parse import quote, urlsplit

from guestpass.app.environment_check import CheckReport
from guestpass.app.ports import Entropy
from guestpass.domain.environment import BusPlace, Environment, is_measured, parse_public_url
from guestpass.domain.errors import DescriptorsUsedUp
from guestpass.domain.finding import Finding
from guestpass.gateway.upstreams import origin_of
from guestpass.odoo import findings
from guestpass.odoo.http.requests import fixed_name
from guestpass.odoo.http.responses import is_hollow
from guestpass.outbound.check import CHECK_SECONDS
from guestpass.outbound.http_client import HttpClient, HttpResponse, NoResponseError
from guestpass.outbound.odoo_client import OdooClient, json_object
from guestpass.wire.websocket_handshake import is_accepted

GEVENT_PORT: Final = 8072
HTTP_PORT: Final = 8069
_FIRST_WITH_WEBSOCKETS: Final = 16
_FOREIGN_HOST: Final = "probe.invalid"
"""A name that no Odoo has (RFC 2606)."""

_VERSION = re.compile(r"(?:saas[~-])?([0-9]{1,3})(?:\.[0-9]{1,3})?[A-Za-z0-9.+~_-]{0,40}", re.ASCII)
_SITEMAP = re.compile(rb"^[ \t]*sitemap:[ \t]*https?://([^/\s]*)", re.IGNORECASE | re.MULTILINE)
_SESSION = re.compile(rb"session_id=([A-Za-z0-9_.-]{1,200});")
_BUNDLE = re.compile(rb"[\"'](/web/(?:assets|content)/[A-Za-z0-9._/-]{1,300}\.(?:css|js))[\"']")
# The link is in the page's head. Parsing costs time, and the server may be hostile.
_PAGE_HEAD: Final = 64 * 1024
_SELECTOR: Final = "/web/database/selector"
# Every version says so in English, above forms that do nothing then.
_MANAGER_IS_OFF: Final = b"has been disabled by the administrator"
# The most important first.
_ORDER: Final = (
    findings.REDIRECTING,
    findings.NOT_ODOO,
    findings.SEVERAL_DATABASES,
    findings.UNKNOWN_DATABASE,
    findings.X_SENDFILE,
    findings.NO_WEBSOCKET_AS_SET,
    findings.NO_WEBSOCKET,
    findings.WEBSOCKET_OF_ANOTHER,
    findings.WEBSOCKET_ASSUMED,
    findings.DATABASE_MANAGER_OPEN,
    findings.DATABASE_LISTING_OPEN,
    findings.BASE_URL_DIFFERS,
    findings.BASE_URL_UNKNOWN,
    findings.FORWARDING_IGNORED,
    findings.NOT_MEASURED,
    findings.CHECK_INCOMPLETE,
)


class OdooChecker:
    """Check environments of kind odoo."""

    def __init__(
        self, http: HttpClient, entropy: Entropy, *, gevent_port: int = GEVENT_PORT, seconds: float = CHECK_SECONDS
    ) -> None:
        self._http = http
        self._entropy = entropy
        self._gevent_port = gevent_port
        self._seconds = seconds

    async def check(self, environment: Environment) -> CheckReport:
        """Report what was found in time; raises NoResponseError if the first request gets no usable response."""
        check = _Check(environment, self._http, self._entropy, gevent_port=self._gevent_port)
        try:
            async with asyncio.timeout(self._seconds):
                await check.run()
        except TimeoutError:
            check.is_incomplete = True
        return check.report()


class _Check:
    """One check of one Odoo. What it can't find out stays as the environment has it."""

    def __init__(self, environment: Environment, http: HttpClient, entropy: Entropy, *, gevent_port: int) -> None:
        self._environment = environment
        self._http = http
        self._entropy = entropy
        self._gevent_port = gevent_port
        self._name = fixed_name(
            public_url=environment.public_url, canonical_url=environment.canonical_url, url=environment.url
        )
        self._odoo = self._client_at(environment.url)
        self._port = origin_of(environment).port
        self._found: set[Finding] = set()
        self._is_odoo = False
        self._version = environment.odoo_version
        self._major: int | None = None
        self._canonical = environment.canonical_url
        self._bus, self._bus_url = environment.websocket_on, environment.found_websocket_url
        self._session: str | None = None
        self._canonical_seen: str | None = None
        self._bundle: bytes | None = None
        self.is_incomplete = False

    async def run(self) -> None:
        """Send all requests; may be cancelled. Raises NoResponseError if the first one gets no usable response."""
        if not await self._recognise():
            return
        self._is_odoo = True
        await self._if_answered(self._open_login)
        async with asyncio.TaskGroup() as tasks:
            for step in (self._find_bus, self._check_website, self._check_forwarding, self._check_databases):
                tasks.create_task(self._if_answered(step))
        await self._if_answered(self._check_database)

    def report(self) -> CheckReport:
        """Report what is known so far."""
        found = set(self._found)
        if self._is_odoo and self._version is not None and not is_measured(self._version):
            found.add(findings.NOT_MEASURED)
        if self._is_odoo and self._environment.base_url is None:
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

    async def _if_answered(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except (NoResponseError, DescriptorsUsedUp):
            self.is_incomplete = True

    async def _recognise(self) -> bool:
        """Find out whether it is an Odoo, and its version."""
        response = await self._call("/web/webclient/version_info", {})
        if response.status >= 500:
            # Mostly a web server whose Odoo is down: that says nothing about the Odoo.
            raise NoResponseError(f"it answers with status {response.status}")
        result = _result(response)
        version = result.get("server_version") if isinstance(result, dict) else None
        match = _VERSION.fullmatch(version) if isinstance(version, str) else None
        self._version = match[0] if match else None
        self._major = int(match[1]) if match else None
        if match:
            return True
        if 300 <= response.status < 400:
            self._is_another(findings.REDIRECTING)
            return False
        if json_object(await self._get("/web/health")).get("status") == "pass":
            return True
        if b"oe_login_form" in (await self._get("/web/login")).body:
            return True
        self._is_another(findings.NOT_ODOO)
        return False

    def _is_another(self, finding: Finding) -> None:
        self._found.add(finding)
        self._canonical = self._bus = self._bus_url = None

    async def _open_login(self) -> None:
        """Get the login form, as anybody without a session does, and keep its session for further requests."""
        database = self._environment.database
        response = await self._get("/web/login" + (f"?db={quote(database, safe='')}" if database else ""))
        self._take_session(response)
        if response.status in (302, 303) and database and not _leads_to_selector(response):
            # The session knows the database now.
            response = await self._get("/web/login")
            self._take_session(response)
        if _leads_to(response, "/web/login") and database:
            # For a name that it does not have it redirects to the same page without end.
            self._found.add(findings.UNKNOWN_DATABASE)
        if _leads_to_selector(response):
            self._found.add(findings.UNKNOWN_DATABASE if database else findings.SEVERAL_DATABASES)
        self._read_page(response)

    async def _check_database(self) -> None:
        """Find out whether it is the environment's database that answers: Odoo passes over one that it doesn't have."""
        database = self._environment.database
        if database is None or not self._has_websockets:
            return
        polled = _polled(await self._poll(self._environment.url, self._session, is_first=True))
        if polled and polled != {database}:
            self._found.add(findings.UNKNOWN_DATABASE)

    async def _check_website(self) -> None:
        """Find the canonical address of the pages, and whether files are sent with a body."""
        if self._canonical_seen is None:
            # Only the website module writes one.
            self._read_page(await self._get("/"))
        self._canonical = self._canonical_seen
        if self._bundle is not None:
            response = await self._odoo.send("HEAD", self._bundle.decode(), session=self._session)
            if is_hollow(response.fields, None):
                self._found.add(findings.X_SENDFILE)

    def _read_page(self, response: HttpResponse) -> None:
        if response.status != 200:
            return
        self._canonical_seen = self._canonical_seen or _canonical_origin(response.body)
        bundle = _BUNDLE.search(response.body)
        if bundle is not None and self._bundle is None:
            self._bundle = bundle[1]

    async def _check_forwarding(self) -> None:
        forwarded = f"X-Forwarded-Host: {_FOREIGN_HOST}\r\nX-Forwarded-Proto: https\r\n"
        response = await self._odoo.send("GET", "/robots.txt", forwarded=forwarded, session=self._session)
        sitemap = _SITEMAP.search(response.body) if response.status == 200 else None
        if sitemap is not None and sitemap[1].lower() != _FOREIGN_HOST.encode():
            self._found.add(findings.FORWARDING_IGNORED)

    async def _check_databases(self) -> None:
        response = await self._call("/web/database/list", {})
        names = _result(response)
        is_refused = "error" in json_object(response)
        if not isinstance(names, list) and not is_refused:
            # A web server may block one of the two and not the other.
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
        if beside is None or not await self._answers_as_bus(beside):
            self._bus, self._bus_url = BusPlace.NONE, None
            self._found.add(findings.NO_WEBSOCKET)
        elif self._has_websockets and not await self._knows_our_session(beside):
            self._bus, self._bus_url = BusPlace.NONE, None
            self._found.add(findings.WEBSOCKET_OF_ANOTHER)
        else:
            self._bus, self._bus_url = BusPlace.GEVENT, beside
            if not self._has_websockets and self._port != HTTP_PORT:
                self._found.add(findings.WEBSOCKET_ASSUMED)

    def _beside(self) -> str | None:
        """The address of Odoo's usual gevent port, with the same scheme; None if that is the environment's own."""
        parts = urlsplit(self._environment.url)
        if self._port == self._gevent_port:
            return None
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{self._gevent_port}"

    @property
    def _has_websockets(self) -> bool:
        return self._major is None or self._major >= _FIRST_WITH_WEBSOCKETS

    async def _knows_our_session(self, url: str) -> bool:
        """Whether the bus at an address has the sessions and the database of this Odoo.

        A first poll marks its session as one of the bus, and others are answered for such a session alone. So Odoo
        answers one only if the bus that got the first keeps its sessions where Odoo does; both name their database.
        """
        first = await self._poll(url, self._session, is_first=True)
        marked, session = _polled(first), _session_in(first) or self._session
        if not marked or session is None:
            return False
        return marked == _polled(await self._poll(self._environment.url, session, is_first=False))

    async def _poll(self, url: str, session: str | None, *, is_first: bool) -> HttpResponse:
        poll = {"channels": [], "last": 0, "is_first_poll": is_first}
        return await self._client_at(url).call("/websocket/peek_notifications", poll, session=session)

    async def _answers_as_bus(self, url: str) -> bool:
        """Whether there is a bus at an address where nothing may listen."""
        try:
            return await self._is_bus(url)
        except NoResponseError:
            return False

    async def _is_bus(self, url: str) -> bool:
        if not self._has_websockets:
            # With `peek` the poll returns at once; without a bus Odoo answers with an error.
            poll = {"channels": [], "last": 0, "options": {"peek": True}}
            return "result" in json_object(
                await self._client_at(url).call("/longpolling/poll", poll, session=self._session)
            )
        key = base64.b64encode(self._entropy.bytes(16))
        version = f"?version={self._major}.0-1" if self._major is not None else ""
        upgrade = (
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: {self._name.origin.decode()}\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n"
        )
        response = await self._client_at(url).send(
            "GET", f"/websocket{version}", fields=upgrade, session=self._session, body=False
        )
        return response.status == 101 and is_accepted(key, response.head)

    async def _get(self, target: str) -> HttpResponse:
        return await self._odoo.get(target, session=self._session)

    async def _call(self, path: str, params: dict[str, object]) -> HttpResponse:
        return await self._odoo.call(path, params, session=self._session)

    def _client_at(self, url: str) -> OdooClient:
        return OdooClient(self._http, origin_of(self._environment, url), self._name)

    def _take_session(self, response: HttpResponse) -> None:
        self._session = _session_in(response) or self._session


def _result(response: HttpResponse) -> object:
    """The result of a JSON-RPC call; None without one."""
    return json_object(response).get("result")


def _session_in(response: HttpResponse) -> str | None:
    """The id of the session that a response sets."""
    found = None
    for lower, _, value in response.fields:
        if lower == b"set-cookie" and (match := _SESSION.match(value + b";")):
            found = match[1].decode()
    return found


def _polled(response: HttpResponse) -> set[str]:
    """The databases whose channels a poll of the bus subscribed to; empty where it was refused."""
    result = _result(response)
    channels = result.get("channels") if isinstance(result, dict) else None
    if not isinstance(channels, list):
        return set()
    return {channel[0] for channel in channels if isinstance(channel, list) and channel and isinstance(channel[0], str)}


def _leads_to_selector(response: HttpResponse) -> bool:
    return _leads_to(response, _SELECTOR)


def _leads_to(response: HttpResponse, wanted: str) -> bool:
    try:
        path = urlsplit(response.value(b"location").decode("latin-1")).path
    except ValueError:
        return False
    return 300 <= response.status < 400 and path.rstrip("/") == wanted


class _CanonicalLink(HTMLParser):
    """Find the first ``<link rel="canonical">``."""

    def __init__(self) -> None:
        super().__init__()
        self.href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the link's address; the parser calls this for empty elements, too."""
        values = dict(attrs)
        if tag == "link" and self.href is None and (values.get("rel") or "").lower() == "canonical":
            self.href = values.get("href") or ""


def _canonical_origin(page: bytes) -> str | None:
    """The origin of a page's canonical address; None without a valid one."""
    link = _CanonicalLink()
    link.feed(page[:_PAGE_HEAD].decode("utf-8", "replace"))
    try:
        parts = urlsplit(link.href or "")
        return parse_public_url(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return None
