"""What customers change about themselves at /my."""

from __future__ import annotations

from typing import Any

from tests.doubles.odoo import answers, pages
from tests.doubles.odoo.answers import Answer
from tests.doubles.odoo.calls import Call
from tests.doubles.odoo.credentials import change_password
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.store import OdooError
from tests.doubles.odoo.visit import Visit


@route("/my/security", auth="user")
def security(visit: Visit) -> Answer:
    """Another password, for who knows the old one."""
    said = ""
    if visit.method == "POST" and visit.values.get("op") == "password":
        old, new, again = (visit.values.get(name, "").strip() for name in ("old", "new1", "new2"))
        call = Call(visit.database, visit.user, visit.path, "res.users", "change_password", [old, new])
        said = "The new password and its confirmation must be identical."
        if new == again:
            try:
                change_password(call)
            except OdooError as error:
                said = str(error)
            else:
                # Unlike the web client's dialog this form keeps its session.
                visit.session.token = call.db.session_token(call.user.id, visit.session.sid)
                said = "Password Updated!"
    return answers.page(pages.website(visit, "/my/security", "Security", f"<p>{said}</p>", cached=False))


@route("/my/account", auth="user")
def details(visit: Visit) -> Answer:
    """Name and address."""
    if visit.method == "POST":
        values: dict[str, Any] = {
            name: visit.values[name] for name in ("name", "email", "phone") if name in visit.values
        }
        visit.database.write(visit.author, "res.partner", [visit.user.partner_id], values)
        return visit.go("/my/home")
    return answers.page(pages.website(visit, "/my/account", "My details", "<h1>My details</h1>", cached=False))


@route("/my/deactivate_account", auth="user", methods=("POST",))
def deactivate(visit: Visit) -> Answer:
    """A customer leaves: their user can't log in any more."""
    user = visit.user
    if user.portal and visit.values.get("validation") == user.login and visit.values.get("password") == user.password:
        visit.database.write(visit.author, "res.users", [user.id], {"active": False})
        user.active = False
        visit.session = visit.world.sessions.end(visit.session, "logout")
        return visit.go("/web/login")
    return visit.go("/my/security")
