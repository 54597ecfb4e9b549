"""The header fields with which the gateway passes facts about a request to the application.

The gateway removes every field with this prefix that came from outside, so the application can trust them.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "x-guestpass-"
CLIENT_ADDRESS: Final = "x-guestpass-client-address"
"""The visitor's or owner's address as TRUSTED_PROXIES rules, for example ``192.0.2.7``."""
REQUEST_ID: Final = "x-guestpass-request-id"
"""The id that logs and error pages show."""
PAGE: Final = "x-guestpass-page"
"""``1`` where a browser navigates and wants a page; absent where problem+json is right."""
ADMIN: Final = "x-guestpass-admin"
"""``1`` for what came in by the admin listener; absent for what came in by the public one."""
VISITOR: Final = "x-guestpass-visitor"
"""Whom a login at a link lets in, where the gateway has to know."""
