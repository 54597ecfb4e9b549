"""What owners should know about how this installation is run, each with its remedy for the operator."""

from __future__ import annotations

from urllib.parse import urlsplit

from guestpass.app.addresses import Addresses
from guestpass.domain.finding import Finding


def admin_beside_visitors(admin_url: str, addresses: Addresses) -> Finding | None:
    """The finding where the dashboard shares a host with shared content, whatever the ports; None where it doesn't."""
    admin = urlsplit(admin_url).hostname or ""
    public = urlsplit(addresses.public_url).hostname
    domain = addresses.link_domain
    if admin != public and (domain is None or (admin != domain and not admin.endswith(f".{domain}"))):
        return None
    where = f"the host of PUBLIC_URL ({admin})" if admin == public else f"under LINK_DOMAIN ({domain})"
    return Finding(
        code="admin_beside_visitors",
        detail=f"The dashboard is on {where}. Cookies are blind to ports, so shared content can write cookies that the "
        "dashboard gets.",
        remedy="Give ADMIN_URL a host of its own, such as admin.example.com.",
    )


def untrusted_proxy(peer: str) -> Finding:
    """The finding for a proxy in front of us that nobody told us to trust."""
    return Finding(
        code="untrusted_proxy",
        detail=f"Requests come from {peer} with X-Forwarded-* fields, which are ignored: every visitor seems to come "
        "from there, so addresses in histories are its own and limits hit all visitors together.",
        remedy=f"If it is your reverse proxy, set TRUSTED_PROXIES to {peer}.",
    )
