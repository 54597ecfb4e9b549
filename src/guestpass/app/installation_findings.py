"""Findings about the installation, with remedies for the operator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from guestpass.app.public_urls import PublicUrls
from guestpass.domain.finding import Finding

CERTIFICATE_ENDS_SOON: Final = timedelta(days=14)
"""How long before its expiry a certificate is a finding."""


def expiring_certificate(expires_at: datetime, now: datetime) -> Finding | None:
    """Return the finding of a certificate that expires soon or has expired, else None."""
    left = expires_at - now
    if left >= CERTIFICATE_ENDS_SOON:
        return None
    when = f"ends in {left.days} days" if left > timedelta() else "has ended, so browsers warn of every link"
    return Finding(
        code="certificate_expires",
        detail=f"The certificate in TLS_CERT {when} ({expires_at:%Y-%m-%d}).",
        remedy="Renew it and put it in the place of the old one; it is read without a restart.",
        at=expires_at,
    )


def admin_beside_visitors(admin_url: str, addresses: PublicUrls) -> Finding | None:
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
    """Return the finding of a proxy in front of Guestpass that TRUSTED_PROXIES does not name."""
    return Finding(
        code="untrusted_proxy",
        detail=f"Requests come from {peer} with X-Forwarded-* fields, which are ignored: every visitor seems to come "
        "from there, so addresses in histories are its own and limits hit all visitors together.",
        remedy=f"If it is your reverse proxy, set TRUSTED_PROXIES to {peer}.",
    )
