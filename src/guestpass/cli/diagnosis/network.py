"""Check the addresses from outside, as visitors and owners reach them."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

import guestpass
from guestpass.cli.diagnosis.check import Check, ok, problem, warning
from guestpass.settings import Listen

_TIMEOUT: Final = 10.0
_SOON: Final = timedelta(days=14)
_SKEW: Final = timedelta(seconds=5)
_INSTALLATION: Final = "/api/installation"
_PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class NetworkAnswer:
    """The response of an address, or `why` there is none; `is_tls` if TLS failed."""

    response: httpx2.Response | None
    why: str = ""
    is_tls: bool = False

    @property
    def installation(self) -> dict[str, Any] | None:
        """The body of /api/installation; None for another response."""
        if self.response is None or not self.response.is_success:
            return None
        try:
            body = self.response.json()
        except ValueError:
            return None
        return body if isinstance(body, dict) and "version" in body else None

    @property
    def code(self) -> str | None:
        """The `code` of one of our problems (RFC 9457); None for other responses."""
        if self.response is None or self.response.headers.get("content-type", "").partition(";")[0] != _PROBLEM:
            return None
        try:
            return str(self.response.json().get("code"))
        except ValueError:
            return None


async def ask(url: str, *, host: str | None = None, token: str | None = None, verify: bool = True) -> NetworkAnswer:
    """Send a GET without this machine's proxy; `host` overrides the Host field."""
    headers = {"Accept": "application/json"}
    if host is not None:
        headers["Host"] = host
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with httpx2.AsyncClient(verify=context, trust_env=False, timeout=_TIMEOUT) as client:
            return NetworkAnswer(await client.get(url, headers=headers))
    except httpx2.TimeoutException:
        return NetworkAnswer(None, f"no answer within {_TIMEOUT:.0f} s")
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        return _failed(error)


async def check_listener(name: str, listen: Listen, url: str, *, tls: bool) -> Check:
    """Check that Guestpass answers on a listener of this machine."""
    address = ip_address(listen.host)
    host = ("127.0.0.1" if address.version == 4 else "::1") if address.is_unspecified else listen.host
    shown = f"[{host}]" if ":" in host else host
    path = "/readyz" if name == "ADMIN_LISTEN" else _INSTALLATION
    # Not verified: its certificate is for its name, not for this address.
    answer = await ask(
        f"{'https' if tls else 'http'}://{shown}:{listen.port}{path}", host=urlsplit(url).netloc, verify=False
    )
    if answer.response is None:
        return problem(name, f"No server answers on {listen}: {answer.why}.", "Start it: guestpass serve")
    if name == "ADMIN_LISTEN" and answer.response.status_code == 200:
        return ok(name, f"The server on {listen} is ready.")
    if name == "ADMIN_LISTEN" and answer.code == "unavailable":
        why = str(answer.response.json().get("detail", "")).removeprefix("Not ready.").strip()
        text = f"The server on {listen} is not ready. {why}".rstrip()
        return problem(name, text, "Its log says what to do." if why else "Wait a moment; else its log says why.")
    if answer.code in {"bearer_needed", "pass_missing", "not_found"}:
        return ok(name, f"The server answers on {listen}.")
    return problem(
        name, f"Something else than this server answers on {listen}.", f"End that, or set {name} to another address."
    )


async def check_address(name: str, url: str, token: str) -> list[Check]:
    """Check that an address leads to this server, its version, and that the clocks agree.

    Another server may answer there and see `token`, so it must allow nothing and expire soon.
    """
    answer = await ask(f"{url}{_INSTALLATION}", token=token)
    if answer.response is None:
        if answer.is_tls:
            remedy = "Renew the certificate, or correct the proxy's; it must be for this name and by a known authority."
        else:
            remedy = f"Correct {name}, the name's DNS record, or the proxy in front; is the way open from here?"
        return [problem(name, f"{url} can't be reached: {answer.why}.", remedy)]
    return [_check_identity(name, url, answer), *_clock(name, answer.response)]


def _check_identity(name: str, url: str, answer: NetworkAnswer) -> Check:
    if (body := answer.installation) is not None:
        if body["version"] != guestpass.__version__:
            return warning(
                name,
                f"{url} leads to a server of version {body['version']}, and this is {guestpass.__version__}.",
                "Restart the server with the version that is installed.",
            )
        return ok(name, f"{url} leads to this server, which sees the caller at {body['clientAddress']}.")
    if answer.code in {"pass_missing", "not_found"}:
        return ok(name, f"{url} leads to a server of ours (which gives no API there).")
    if answer.code == "unknown_host":
        return problem(
            name,
            f"{url} leads to a server that goes by another name.",
            f"Let the proxy in front pass Host on as it came, or correct {name} and restart the server.",
        )
    if answer.code == "bearer_refused":
        return problem(name, f"{url} leads to another installation.", f"Correct {name}, or the proxy in front.")
    status = answer.response.status_code if answer.response is not None else 0
    return problem(
        name,
        f"Something else answers at {url} (status {status}).",
        f"Let the proxy in front pass everything on to the server, or correct {name}.",
    )


def _clock(name: str, response: httpx2.Response) -> Iterator[Check]:
    try:
        theirs = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return
    if theirs.tzinfo is None:
        return
    apart = datetime.now(UTC) - response.elapsed - theirs
    # Date has whole seconds, and the response took time to arrive.
    if abs(apart) > _SKEW:
        yield warning(
            "clock",
            f"The clock at {name} and the one here are {abs(apart).total_seconds():.0f} s apart.",
            "Keep both by NTP: links and tokens end by the clock.",
        )
    else:
        yield ok("clock", f"The one at {name} and the one here agree.")


async def check_link_domain(domain: str, public_url: str, label: str) -> Check:
    """Check that names below LINK_DOMAIN lead here; `label` is a new one, so that no cache answers."""
    name, public = f"{label}.{domain}", urlsplit(public_url)
    if domain == "localhost" or domain.endswith(".localhost"):
        return ok("LINK_DOMAIN", f"Browsers of this machine find *.{domain} by themselves.")
    addresses = await _resolve(name)
    if not addresses:
        return problem(
            "LINK_DOMAIN",
            f"{name} has no address.",
            f"Make a wildcard DNS record: *.{domain}, to where PUBLIC_URL leads.",
        )
    port = f":{public.port}" if public.port is not None else ""
    answer = await ask(f"{public.scheme}://{name}{port}{_INSTALLATION}")
    found = f"*.{domain} leads to {', '.join(addresses)}"
    if answer.response is None:
        remedy = (
            f"It needs a certificate for *.{domain}." if answer.is_tls else "Let the proxy in front answer there too."
        )
        return problem("LINK_DOMAIN", f"{found}, which can't be reached: {answer.why}.", remedy)
    if answer.code == "unknown_host" or answer.code is None:
        return problem(
            "LINK_DOMAIN",
            f"{found}, and something else answers there.",
            f"Let the proxy in front pass *.{domain} on to the server, with Host as it came.",
        )
    return ok("LINK_DOMAIN", f"{found}, and the server answers there.")


async def check_certificate(name: str, url: str, now: datetime) -> list[Check]:
    """Check when an https address's certificate expires; nothing if it can't be read, which another check reports."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        return []
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(
                parts.hostname, parts.port or 443, ssl=ssl.create_default_context()
            )
    except (OSError, TimeoutError):
        return []
    certificate = writer.get_extra_info("peercert")
    writer.close()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    text = f"That of {name} is good until {ends:%Y-%m-%d %H:%M}Z"
    if ends - now < _SOON:
        return [warning("certificate", f"{text}, which is soon.", "Renew it; is the renewal still running?")]
    return [ok("certificate", f"{text}.")]


def findings_of(body: dict[str, Any] | None) -> list[Check]:
    """Turn the findings of /api/installation (`body`) into checks."""
    if body is None:
        return []
    found = {str(each["code"]): each for each in body.get("findings", ())}
    checks = [
        warning(_TOPICS.get(code, code), str(each["detail"]), str(each["remedy"])) for code, each in found.items()
    ]
    if "untrusted_proxy" not in found:
        checks.append(ok("proxies", "None was seen in front that TRUSTED_PROXIES does not name."))
    return checks


_TOPICS: Final = {"untrusted_proxy": "proxies", "admin_beside_visitors": "ADMIN_URL"}


async def _resolve(name: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _failed(error: BaseException) -> NetworkAnswer:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NetworkAnswer(
                None, f"its certificate is not accepted ({cause.verify_message.rstrip('.')})", is_tls=True
            )
        if isinstance(cause, ssl.SSLError):
            return NetworkAnswer(None, "it does not speak TLS as it should", is_tls=True)
        if isinstance(cause, socket.gaierror):
            return NetworkAnswer(None, "its name has no address")
        if isinstance(cause, OSError) and cause.errno:
            return NetworkAnswer(None, os.strerror(cause.errno).lower())
        cause = cause.__cause__ or cause.__context__
    return NetworkAnswer(None, "the connection broke off")
