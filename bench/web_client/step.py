"""Step 05 of the session that was measured on a real Odoo: from the login form to the first action, cache empty."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from tests.doubles.odoo.measured import Measured, exchanges

# Without the handshake of the WebSocket: nothing is ready later or earlier for it.
STEP: tuple[Measured, ...] = tuple(
    exchange for exchange in exchanges() if exchange.step.startswith("05_") and exchange.status != 101
)
BUNDLES: tuple[str, ...] = tuple(exchange.path for exchange in STEP if exchange.path.startswith("/web/assets/"))
SCRIPT = next(path for path in BUNDLES if path.endswith("/web.assets_web.min.js"))


def is_navigation(exchange: Measured) -> bool:
    """Whether the browser asks for a page to show, and not a page's script or style for something."""
    return exchange.path in {"/web/login", "/odoo"}


def body_of(exchange: Measured, csrf_token: str) -> tuple[bytes, str]:
    """A body as long as the one that was sent, and its media type; both empty for GET."""
    if exchange.method == "GET":
        return b"", ""
    if exchange.path == "/web/login":
        form = urlencode({"csrf_token": csrf_token, "login": "admin", "password": "admin", "x": ""})
        return form.encode().ljust(exchange.request_bytes, b"x"), "application/x-www-form-urlencoded"
    params = {"limit": 30} if exchange.path == "/mail/inbox/messages" else {}
    call = {"id": 1, "jsonrpc": "2.0", "method": "call", "params": params}
    return json.dumps(call, separators=(",", ":")).encode().ljust(exchange.request_bytes), "application/json"
