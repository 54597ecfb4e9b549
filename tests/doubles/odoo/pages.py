"""The pages: ours in content, Odoo's in what they refer to and in their size."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import quote

from tests.doubles.odoo import answers, measured
from tests.doubles.odoo.visit import Visit

_FRONTEND_CSS = "web.assets_frontend.min.css"


def website(visit: Visit, path: str, title: str, body: str, *, cached: bool = True) -> str:
    """A page of the website. Its og:url comes out of the worker's template cache where the page is `cached`."""
    key = (visit.database.name, path)
    root = visit.worker.templates.setdefault(key, visit.url_root) if cached else visit.url_root
    base = visit.world.settings.website_domain or visit.database.parameters["web.base.url"]
    assets = visit.world.asset_path
    account = (
        '<a href="/my">My account</a> <a href="/web/session/logout?redirect=/">Log out</a>'
        if visit.logged_in
        else '<a href="/web/login">Sign in</a>'
    )
    return f"""<!DOCTYPE html>
<html lang="en-US">
<head><meta charset="utf-8"/><title>{title} | My Website</title>
<meta property="og:url" content="{html.escape(root.rstrip("/") + path)}"/>
<meta property="og:image" content="{html.escape(root)}web/image/website/1/logo?unique=ea1d8d2"/>
<link rel="canonical" href="{html.escape(base.rstrip("/") + path)}"/>
<link rel="shortcut icon" href="/web/image/website/1/favicon?unique=ea1d8d2"/>
<link rel="stylesheet" href="{assets(_FRONTEND_CSS)}"/>
<script>var odoo = {{csrf_token: "{visit.session.csrf_token}", debug: "{visit.session.debug}"}};</script>
<script defer src="{assets("web.assets_frontend_minimal.min.js")}"></script>
<script defer src="{assets("web.assets_frontend_lazy.min.js")}"></script>
</head>
<body><header><a href="/"><img src="/web/image/website/1/logo/My%20Website?unique=ea1d8d2" alt="My Website"/></a>
<nav><a href="/shop">Shop</a> <a href="/contactus">Contact us</a> <a href="/shop/cart">Cart</a> {account}</nav></header>
<main>{body}</main>
<footer><img src="/web/static/img/odoo_logo_tiny.png" alt="Powered by"/></footer>
</body></html>
"""


def sized(visit: Visit, page: str, target: str | None = None) -> str:
    """The page, as long as the page at `target` (or at the visit's own) was."""
    known = measured.fetched(target or _target(visit))
    if known is None:
        return page
    return answers.sized_page(page, known.size, known.gzip6_bytes or 0, known.path)


def _target(visit: Visit) -> str:
    return f"{visit.raw_path}?{visit.query_string}" if visit.query_string else visit.raw_path


def missing(visit: Visit) -> str:
    """The website's own 404."""
    return website(
        visit, visit.path, "Page not found", "<h1>We couldn't find the page you're looking for!</h1>", cached=False
    )


def login(visit: Visit, error: str = "", *, second_step: bool = False) -> str:
    """The login form, or the form for a second factor."""
    redirect = html.escape(visit.query.get("redirect") or visit.form.get("redirect") or "")
    alert = f'<p class="alert alert-danger" role="alert">{html.escape(error)}</p>' if error else ""
    token = f'<input type="hidden" name="csrf_token" value="{visit.session.csrf_token}"/>'
    if second_step:
        inputs = '<label>Authentication Code <input name="totp_token" id="totp_token" autofocus/></label>'
        action = "/web/login/totp"
    else:
        inputs = (
            '<label>Email <input name="login" id="login" required autofocus/></label>'
            '<label>Password <input name="password" id="password" type="password" required/></label>'
        )
        action = "/web/login"
    form = (
        f'<form class="oe_login_form" method="post" action="{action}">{token}{inputs}{alert}'
        f'<input type="hidden" name="redirect" value="{redirect}"/><button type="submit">Log in</button></form>'
    )
    return website(visit, visit.path, "Login", form, cached=False)


def client(visit: Visit) -> str:
    """The page of the web client: session_info, bundles, and nothing to see yet."""
    assets = visit.world.asset_path
    debug = visit.session.debug == "assets"
    scripts = "/web/assets/debug/web.assets_web.js" if debug else assets("web.assets_web.min.js")
    styles = "/web/assets/debug/web.assets_web.css" if debug else assets("web.assets_web.min.css")
    printed = "/web/assets/debug/web.assets_web_print.css" if debug else assets("web.assets_web_print.min.css")
    info = session_info(visit)
    menus = menus_hash(visit)
    boot = {
        "csrf_token": visit.session.csrf_token,
        "debug": visit.session.debug,
        "__session_info__": info,
        "menus": menus,
        "print": printed,
    }
    return f"""<!DOCTYPE html>
<html>
<head><meta charset="utf-8"/><title>Odoo</title>
<link rel="shortcut icon" href="/web/static/img/favicon.ico" type="image/x-icon"/>
<script>var odoo = {{{", ".join(f"{name}: {json.dumps(value)}" for name, value in boot.items())}}};
odoo.loadMenusPromise = fetch("/web/webclient/load_menus/" + odoo.menus).then((answer) => answer.json());</script>
<link rel="stylesheet" href="{styles}"/>
<script defer src="{scripts}"></script>
<link rel="stylesheet" media="print" href="{printed}"/>
</head>
<body class="o_web_client"></body></html>
"""


def menus_hash(visit: Visit) -> str:
    """The hash in the path of this user's menus (any other would do)."""
    debug = visit.session.debug == "assets"
    found = [each.path for each in measured.exchanges() if each.path.startswith("/web/webclient/load_menus/")]
    return found[1 if debug else 0].rpartition("/")[2]


def session_info(visit: Visit) -> dict[str, Any]:
    """What Odoo tells its own client about the session."""
    user, db = visit.user, visit.database
    version = visit.world.settings.version
    internal: dict[str, Any] = {"is_internal_user": user.internal}
    if visit.world.settings.major < 17:
        internal = {"user_companies": {"current_company": 1}} if user.internal else {}
    return {
        **internal,
        "uid": visit.session.uid,
        "is_system": user.system,
        "is_admin": user.admin,
        "is_public": not visit.logged_in,
        "user_context": {"lang": "en_US", "tz": "Europe/Brussels", "uid": visit.session.uid},
        "db": db.name,
        "server_version": version,
        "server_version_info": [visit.world.settings.major, 0, 0, "final", 0, ""],
        "support_url": "https://www.odoo.com/buy",
        "name": user.name,
        "username": user.login,
        "partner_display_name": user.name,
        "partner_id": user.partner_id,
        "web.base.url": db.parameters["web.base.url"],
        "max_file_upload_size": 128 * 1024 * 1024,
        "home_action_id": False,
        "groups": {"base.group_allow_export": user.has_group("base.group_allow_export")},
        "user_settings": {"id": _settings_of(visit)},
        "cache_hashes": {
            "translations": "9a778495d756d19e5ad780ce270672417a080cf5",
            "load_menus": menus_hash(visit),
        },
        "websocket_worker_version": "18.0-1",
    }


def _settings_of(visit: Visit) -> int:
    found = visit.database.records["res.users.settings"].values()
    return next((each["id"] for each in found if each["user_id"] == visit.user.id), 0)


def database_manager(names: list[str], *, selector: bool = False) -> str:
    """The database manager with its forms, or the selector."""
    listed = "".join(f'<li><a href="/odoo?db={quote(name)}">{html.escape(name)}</a></li>' for name in names)
    forms = "".join(
        f'<form action="/web/database/{action}" method="post"><input name="master_pwd" type="password"/>'
        f'<input name="name"/><button>{action}</button></form>'
        for action in ("create", "restore", "change_password", "duplicate", "drop", "backup")
    )
    title = "Odoo database selector" if selector else "Odoo database manager"
    shown = "" if selector else forms
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><ul>{listed}</ul>{shown}</body></html>\n"
