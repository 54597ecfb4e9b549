"""What a visitor whom a link signs in as demo may try, to become somebody else or to keep what the link gave them.

Numbers differ by version, so a call has names in their place: ``$me`` is the contact of the user ``$my_user``,
``$boss`` the administrator's, ``$customer`` that of the customer Joel Willis (portal). ``$contact`` is a new contact,
``$lead`` a new lead of nobody, ``$own_lead`` one of ``$me``, and ``$evil_lead`` one with another address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

EVIL: Final = "evil@example.com"
QWEB: Final = '<t t-name="website.x"><t t-out="request.session.sid"/></t>'


@dataclass(frozen=True)
class Attack:
    """A call of a model's method, which Odoo has since the version `since`."""

    name: str
    model: str
    method: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    since: int = 0


def _attack(name: str, model: str, method: str, *args: Any, **kwargs: Any) -> Attack:
    return Attack(name, model, method, list(args), kwargs, since=17 if method == "web_save" else 0)


_EMAIL: Final = {"email": EVIL}
_LEAD: Final = {"name": "x", "email_from": EVIL}

ADDRESSES: Final = [
    _attack("own contact", "res.partner", "write", ["$me"], _EMAIL),
    _attack("own contact, saved", "res.partner", "web_save", ["$me"], _EMAIL, specification={}),
    _attack(
        "own contact, several saved", "res.partner", "web_save_multi", ["$contact", "$me"], [{}, _EMAIL],
        specification={},
    ),
    _attack("own contact among others", "res.partner", "write", ["$contact", "$me"], _EMAIL),
    _attack("own contact as a number", "res.partner", "write", "$me", _EMAIL),
    _attack("own contact by name", "res.partner", "write", ["$me"], vals=_EMAIL),
    _attack("own contact as a text", "res.partner", "write", ["$me_text"], _EMAIL),
    _attack("own contact with a fraction", "res.partner", "write", ["$me_fraction"], _EMAIL),
    _attack("own contact as true", "res.partner", "write", [True, "$me"], _EMAIL),
    _attack("own contact, normalised", "res.partner", "write", ["$me"], {"email_normalized": EVIL}),
    _attack("own contact, no address", "res.partner", "write", ["$me"], {"email": False}),
    _attack("the customer's contact", "res.partner", "write", ["$customer"], _EMAIL),
    _attack("the administrator's contact", "res.partner", "write", ["$boss"], _EMAIL),
    _attack("as if a mail had come", "res.partner", "message_update", ["$me"], {}, _EMAIL),
    _attack("below a new contact", "res.partner", "create", [{"name": "x", "child_ids": [[1, "$me", _EMAIL]]}]),
    _attack("below another contact", "res.partner", "write", ["$contact"], {"child_ids": [[1, "$me", _EMAIL]]}),
    _attack("below, with true", "res.partner", "write", ["$contact"], {"child_ids": [[True, "$me", _EMAIL]]}),
    _attack("own user", "res.users", "write", ["$my_user"], _EMAIL),
    _attack("own user's other address", "res.users", "write", ["$my_user"], {"work_email": EVIL}),
    _attack("one of three new contacts", "res.partner", "create", [{"child_ids": [[1, "$me", _EMAIL]]}, {}, {}]),
    _attack(
        "one of three saved", "res.partner", "web_save_multi", ["$me", "$contact", "$contact"], [_EMAIL, {}, {}],
        specification={},
    ),
    _attack("an object of contacts", "res.partner", "write", {"$me_text": ""}, _EMAIL),
    _attack("a mail sent again", "mail.resend.partner", "create", [{"notification_id": 1, **_EMAIL}]),
    _attack("user of a contact", "res.partner", "write", ["$me"], {"user_ids": [[1, "$my_user", _EMAIL]]}),
    _attack("user of a task", "project.task", "create", [{"name": "x", "user_ids": [[1, "$my_user", _EMAIL]]}]),
    _attack("contact of a meeting", "calendar.event", "create", [{"name": "x", "partner_ids": [[1, "$me", _EMAIL]]}]),
    _attack("a lead of one's own", "crm.lead", "create", [{**_LEAD, "partner_id": "$me"}]),
    _attack("a lead of the customer's", "crm.lead", "create", [{**_LEAD, "partner_id": "$customer"}]),
    _attack("a lead, saved", "crm.lead", "web_save", [], {**_LEAD, "partner_id": "$me"}, specification={}),
    _attack("a lead that is there", "crm.lead", "write", ["$own_lead"], {"email_from": EVIL}),
    _attack("a lead that is there, saved", "crm.lead", "web_save", ["$own_lead"], _LEAD, specification={}),
    _attack("a lead that becomes one's own", "crm.lead", "write", ["$lead"], {**_LEAD, "partner_id": "$me"}),
    _attack("a copy of a lead", "crm.lead", "copy", ["$own_lead"], {"email_from": EVIL}),
    _attack("a lead below a contact", "res.partner", "write", ["$me"], {"opportunity_ids": [[0, 0, _LEAD]]}),
    _attack("a lead of another", "res.partner", "write", ["$contact"], {"opportunity_ids": [[1, "$own_lead", _LEAD]]}),
    _attack("a contact as a default", "crm.lead", "create", [_LEAD], context={"default_partner_id": "$me"}),
    _attack(
        "an address as a default", "crm.lead", "create", [{"name": "x", "partner_id": "$me"}],
        context={"default_email_from": EVIL},
    ),
    _attack(
        "both as defaults", "crm.lead", "name_create", "x",
        context={"default_email_from": EVIL, "default_partner_id": "$me"},
    ),
    _attack(
        "a nested default", "res.partner", "write", ["$me"], {"opportunity_ids": [[0, 0, {"name": "x"}]]},
        context={"default_email_from": EVIL},
    ),
    _attack("a lead from a mail", "crm.lead", "message_new", {"from": EVIL, "email_from": EVIL, "author_id": "$me"}),
    _attack("leads that become one", "crm.lead", "merge_opportunity", ["$evil_lead", "$own_lead"]),
    _attack("an import by name", "res.partner", "load", ["id", "email"], [["base.partner_demo", EVIL]]),
    _attack("an import of addresses", "base_import.import", "execute_import", [1], [".id", "email"], ["a", "b"], {}),
    _attack("an import by number", "res.partner", "load", [".id", "email"], [["$me_text", EVIL]]),
    _attack(
        "an import below", "res.partner", "load", ["name", "child_ids/.id", "child_ids/email"],
        [["x", "$me_text", EVIL]],
    ),
    _attack(
        "an import of leads", "crm.lead", "load", ["name", "partner_id/.id", "email_from"], [["x", "$me_text", EVIL]],
    ),
    _attack(
        "an import with a default", "crm.lead", "load", ["name", "email_from"], [["x", EVIL]],
        context={"default_partner_id": "$me"},
    ),
]  # fmt: skip

RIGHTS: Final = [
    _attack("groups", "res.users", "write", ["$my_user"], {"groups_id": [[4, 1]]}),
    _attack("groups of 19", "res.users", "write", ["$my_user"], {"group_ids": [[4, 1]]}),
    _attack("a group's box", "res.users", "write", ["$my_user"], {"in_group_1": True}),
    _attack("a choice of groups", "res.users", "web_save", ["$my_user"], {"sel_groups_1_9_10": 9}, specification={}),
    _attack("another login", "res.users", "write", ["$my_user"], {"login": "evil"}),
    _attack("another contact", "res.users", "write", ["$my_user"], {"partner_id": "$contact"}),
    _attack(
        "groups below a contact",
        "res.partner",
        "write",
        ["$me"],
        {"user_ids": [[1, "$my_user", {"groups_id": [[4, 1]]}]]},
    ),
    _attack(
        "a login below a contact", "res.partner", "write", ["$me"], {"user_ids": [[1, "$my_user", {"login": "evil"}]]}
    ),
    _attack(
        "groups of a task's user",
        "project.task",
        "create",
        [{"name": "x", "user_ids": [[1, "$my_user", {"in_group_1": 1}]]}],
    ),
    _attack(
        "a user hung onto another contact", "res.partner", "write", ["$contact"], {"user_ids": [[4, "$boss_user", 0]]}
    ),
    _attack(
        "users hung onto another contact",
        "res.partner",
        "web_save",
        ["$contact"],
        {"user_ids": [[6, 0, ["$boss_user"]]]},
    ),
    _attack(
        "another contact of a user",
        "res.partner",
        "write",
        ["$contact"],
        {"user_ids": [[1, "$my_user", {"partner_id": "$me"}]]},
    ),
    _attack("users of a group", "res.groups", "write", [1], {"users": [[4, "$my_user"]]}),
    _attack("users of a group of 19", "res.groups", "write", [1], {"user_ids": [[4, "$my_user"]]}),
    _attack("an import of logins", "base_import.import", "execute_import", [1], [".id", "login"], ["a", "b"], {}),
    _attack("a password as a default", "res.users", "create", [{"name": "x"}], context={"default_password": "x"}),
    _attack("groups as a default", "res.users", "create", [{"name": "x"}], context={"default_groups_id": [[4, 1]]}),
    _attack("a new key", "res.users.apikeys.description", "create", [{"name": "k"}]),
    _attack("a way to sign up", "res.partner", "action_signup_prepare", ["$me"]),
    _attack("a link to sign up", "res.partner", "signup_get_auth_param", ["$me"]),
]

CODE: Final = [
    _attack("a page", "ir.ui.view", "create", [{"name": "x", "type": "qweb", "arch": QWEB}]),
    _attack("a page, in capitals", "ir.ui.view", "create", [{"name": "x", "type": "qweb", "arch_base": QWEB.upper()}]),
    _attack("a part of a page", "ir.ui.view", "save", [1], "<div><p t-esc='1'/></div>", "/t/div"),
    _attack(
        "an entity", "ir.ui.view", "create",
        [{"name": "x", "type": "qweb", "arch": '<!DOCTYPE d [<!ENTITY e "<p t&#45;out=\'1\'/>">]><t>&e;</t>'}],
    ),
    _attack("a translation", "ir.ui.view", "update_field_translations", [1], "arch_db", {"en_US": {"a": QWEB}}),
    _attack("a mail", "mail.template", "create", [{"name": "x", "model_id": 1, "body_html": QWEB}]),
    _attack("a subject", "mail.template", "write", [1], {"subject": "{{ object.sudo().login }}"}),
    _attack("a message to many", "mail.compose.message", "create", [{"body": QWEB, "composition_mode": "mass_mail"}]),
]  # fmt: skip

DEVICES: Final = [
    _attack("devices", "res.device", "search_read", [], ["session_identifier"]),
    _attack("their log", "res.device.log", "search_read", [], []),
    _attack("whence they come", "res.users", "search", [["device_ids.ip_address", "=like", "10.%"]]),
    _attack("a guess", "res.users", "search_count", [["device_ids.session_identifier", "=like", "a%"]]),
]

ATTACKS: Final = [*ADDRESSES, *RIGHTS, *CODE, *DEVICES]

WORK: Final = [
    _attack("a new contact", "res.partner", "create", [{"name": "New", "email": "new@example.com"}]),
    _attack("an ordinary contact", "res.partner", "write", ["$contact"], {"email": "other@example.com"}),
    _attack("an ordinary contact, saved", "res.partner", "web_save", ["$contact"], _EMAIL, specification={"email": {}}),
    _attack(
        "below one's own company",
        "res.partner",
        "write",
        ["$contact"],
        {"child_ids": [[0, 0, {"name": "c", **_EMAIL}]]},
    ),
    _attack("one's own telephone", "res.partner", "write", ["$me"], {"phone": "+49 30 1"}),
    _attack("three new contacts", "res.partner", "create", [{"name": each, **_EMAIL} for each in "abc"]),
    _attack("a new lead", "crm.lead", "create", [{"name": "x", "email_from": "lead@example.com"}]),
    _attack("a new lead of a contact", "crm.lead", "create", [{**_LEAD, "partner_id": "$contact"}]),
    _attack("a lead's address", "crm.lead", "write", ["$lead"], {"email_from": "lead@example.com"}),
    _attack("a lead's stage", "crm.lead", "web_save", ["$own_lead"], {"stage_id": 2}, specification={"email_from": {}}),
    _attack("an import of new contacts", "res.partner", "load", ["name", "email"], [["Imported", "imp@example.com"]]),
    _attack("own signature", "res.users", "write", ["$my_user"], {"signature": "<p>Me</p>"}),
    _attack("a message", "crm.lead", "message_post", "$lead", body="t-out=1 and {{ braces }}"),
]
"""The same where nothing is at stake: it must work."""
