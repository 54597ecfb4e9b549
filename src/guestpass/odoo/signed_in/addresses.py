"""Which calls and forms could change the e-mail address of somebody who signs in to Odoo.

Odoo mails a new password there to whoever asks for one, so whoever changes the address gets the account. It is a
contact's, and many ways lead to it: the contact itself, commands that are nested in other records, defaults in the
context, leads, which pass their address on to their customer, and the pages where customers edit their details. Most
contacts belong to nobody who signs in, so whether one does is asked of Odoo, under the visitor's session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from guestpass.odoo.http.blocked_paths import readings
from guestpass.odoo.http.form_bodies import read_form, read_pairs
from guestpass.odoo.signed_in.rules import (
    ADDRESS_OF_USER,
    CODE_OF_TEMPLATE,
    CONTACTS,
    IMPORTERS,
    NOT_FOR_VISITORS,
    defaults_in,
)

Domain = list[Any]
"""A condition on records in Odoo's prefix notation."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question to Odoo: whether any records of `model` match `domain`.

    What it is about is refused where some do; if they are `wanted`, where none do. `text` tells why, where that isn't
    for an address.
    """

    model: str
    domain: Domain
    wanted: bool = False
    text: str = ""


_EMAIL = re.compile(r"(?:\w+_)?email(?:_from|_normalized)?")
# Fields that name one contact.
_CONTACT = re.compile(r"(?:\w+_)?(?:partner|contact)_id")
_CHILDREN: Final = "child_ids"
# Their records have a contact's address as a field of their own, whichever contact that is.
_RESENDING: Final = "mail.resend."
# Fields that name a record of another model, whose address, or whose contact's, is the new record's.
_SOURCES: Final = frozenset({"candidate_id", "notification_id"})
_PARTNER: Final = "res.partner"
# Their records have an address of their own, which they pass on to no contact, whichever they name.
_KEEPERS: Final = frozenset({"event.registration", "mailing.contact"})
# An address that no contact has: up to 16 it is shown there and can't be written.
_PRIVATE: Final = ("hr.employee", "private_email")
_KEPT_BELOW: Final = {"event.event": "registration_ids", "mailing.list": "contact_ids"}
# The contact whose address a model passes its own on to.
_LINKS: Final = {"hr.employee": "work_contact_id"}
_USUAL_LINK: Final = "partner_id"
_IDENTIFIERS: Final = frozenset({"id", ".id"})
_USERS: Final = frozenset({"user_ids", "users"})
# Leads that become one keep the address of the first that has one, and the customer of another.
_MERGES: Final[dict[tuple[str, str], Domain]] = {
    ("base.partner.merge.automatic.wizard", "action_merge"): [["partner_ids.user_ids", "!=", False]],
    ("crm.lead", "merge_opportunity"): [["partner_id.user_ids", "!=", False]],
    ("crm.merge.opportunity", "action_merge"): [["opportunity_ids.partner_id.user_ids", "!=", False]],
    ("crm.lead2opportunity.partner", "action_apply"): [
        ["name", "=", "merge"],
        ["duplicated_lead_ids.partner_id.user_ids", "!=", False],
    ],
    ("crm.lead2opportunity.partner.mass", "action_mass_convert"): [
        ["deduplicate", "=", True],
        ["lead_tomerge_ids.partner_id.user_ids", "!=", False],
    ],
}
_IMPORT: Final = "execute_import"
_ASKED_ABOUT: Final = frozenset({_IMPORT, *(method for _, method in _MERGES)})
# The file to import came before the call, and was not examined: it may hold code.
_TEMPLATES: Final = [
    "applicant.send.mail",
    "digest.digest",
    "digest.tip",
    "ir.ui.view",
    "mail.compose.message",
    "mail.template",
    "mailing.mailing",
    "marketing.activity",
    "marketing.campaign",
    "sms.composer",
    "sms.template",
    "snailmail.letter",
    "survey.invite",
    "theme.ir.ui.view",
    "theme.website.page",
    "website.controller.page",
    "website.page",
    "whatsapp.composer",
    "whatsapp.template",
]
# Those of a template below another record.
_CODE_COLUMNS: Final = frozenset({"arch", "arch_base", "arch_db", "body", "body_arch", "body_html", "subject"})


class UnclearError(Exception):
    """It can't be told what would be written, so nothing may be; `text` says what it must not be."""

    def __init__(self, text: str = ADDRESS_OF_USER) -> None:
        super().__init__(text)
        self.text = text


def may_write_address(body: bytes, method: object) -> bool:
    """Whether the call is worth a closer look: it names something with ``mail``, or could by an escape, or merges."""
    if b"mail" in body or (b"\\" in body and b"\\u" in body):
        return True
    return isinstance(method, str) and method in _ASKED_ABOUT


def inquiries_about(params: dict[str, Any], *, is_method: bool = True) -> tuple[Inquiry, ...]:
    """What has to be asked before a call that is no reading one; raises UnclearError.

    Routes that don't call a method (`is_method`) write no addresses of contacts that exist, but where they put records
    into an order by a field.
    """
    if not is_method:
        if _names_email(params.get("field")):
            raise UnclearError
        return ()
    model, method = params.get("model"), params.get("method")
    args, kwargs = params.get("args") or [], params.get("kwargs") or {}
    if not isinstance(model, str) or not isinstance(method, str):
        raise UnclearError
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise UnclearError
    given = {name: value for name, value in kwargs.items() if name not in ("context", "specification")}
    context = kwargs.get("context")
    defaults = defaults_in(context) if isinstance(context, dict) else {}
    if method in IMPORTERS:
        columns = _columns([*args, *given.values()])
        passes_on = _may_pass_on(columns, defaults)
        if passes_on and any(len(parts) > 1 and _names_email(parts[-1]) for parts in columns):
            raise UnclearError
        if method != _IMPORT:
            if passes_on and model not in _KEEPERS:
                raise UnclearError
            return ()
        ids, is_clear = _ids(args[0] if args else given.get("ids"), method)
        if not is_clear or not ids:
            raise UnclearError
        return _about_import(ids, columns, passes_on=passes_on)
    if _names_email(given.get("field_name")) or (method == "web_resequence" and any(map(_names_email, args))):
        raise UnclearError
    ids, is_clear = _ids(args[0] if args else given.get("ids"), method)
    is_clear = is_clear or method == "name_create"
    if (condition := _MERGES.get((model, method))) is not None:
        return (Inquiry(model, [["id", "in", ids], *condition]),)
    own = _Place.KEPT if model in _KEEPERS else _Place.OWN if ids or not is_clear else _Place.NEW
    written = _Written(model, own)
    written.look([*args, *given.values(), defaults])
    return written.inquiries(model, ids, is_clear=is_clear)


def inquiries_about_form(
    path: bytes, query: bytes, content_type: bytes, body: bytes, login: str
) -> tuple[Inquiry, ...]:
    """What has to be asked before a form about the own details or addresses of `login`; raises UnclearError.

    The address there stays as it is: Odoo's own form sends it along unchanged.
    """
    try:
        asked, sent = read_pairs(query), read_form(content_type, body)
    except ValueError:
        raise UnclearError from None
    if any(name in _DECISIVE for name, _ in asked):
        raise UnclearError
    values: dict[str, str] = {}
    for name, value in sent:
        # Of two fields with one name some readers take the first.
        if name in values and name in _DECISIVE:
            raise UnclearError
        values[name] = value
    if "email" not in values:
        return ()
    email, number = values["email"], values.get("partner_id", "").strip()
    if path in _OWN_DETAILS:
        return (Inquiry(_PARTNER, [["user_ids.login", "=", login], ["email", "=", email]], wanted=True),)
    if number in ("", "-1"):
        return ()  # another address, not one's own
    if not number.isascii() or not number.isdigit():
        raise UnclearError
    return (Inquiry(_PARTNER, [*_of_users([int(number)]), ["email", "!=", email]]),)


_DECISIVE: Final = frozenset({"email", "partner_id"})
_OWN_DETAILS: Final = frozenset({b"/my/account", b"/profile/user/save"})
_ADDRESSES: Final = frozenset({b"/my/address/submit", b"/shop/address/submit", b"/shop/address", b"/my/address"})


def edited_details(method: bytes, path: bytes) -> bytes | None:
    """The form about a customer's details that a request sends, by its path as Odoo reads it; None for any other."""
    if method in (b"GET", b"HEAD"):
        return None
    for plain in readings(path):
        if plain in _OWN_DETAILS or plain in _ADDRESSES:
            return plain
    return None


def _of_users(ids: list[int]) -> Domain:
    return [["id", "in", ids], ["user_ids", "!=", False]]


def _names_email(value: object) -> bool:
    return isinstance(value, str) and _EMAIL.fullmatch(value) is not None


def _ids(given: object, method: str) -> tuple[list[int], bool]:
    """The ids that a method is called on, and whether all of them are numbers as Odoo's client sends them."""
    if type(given) is int:
        return [given], True
    if isinstance(given, dict):
        # Odoo takes an object's names for ids, too. The point of sale's method writes the contact whose id is in it.
        return [], method == "create" or (method == "create_from_ui" and not given.get("id"))
    if not isinstance(given, list):
        return [], not isinstance(given, str | float | bool)
    ids = [each for each in given if type(each) is int]
    # What a model makes of others, such as values of records, is looked at by itself.
    return ids, len(ids) == len(given) or all(isinstance(each, dict | list) for each in given)


def _columns(lists: list[Any]) -> list[list[str]]:
    """The columns of an import, divided at slashes."""
    return [
        each.split("/")
        for given in lists
        if isinstance(given, list) and all(isinstance(column, str) for column in given)
        for each in given
    ]


def _about_import(ids: list[int], columns: list[list[str]], *, passes_on: bool) -> tuple[Inquiry, ...]:
    """What has to be asked of an import from a file: the call doesn't say of which model the records are.

    If some `passes_on` addresses to contacts, this one must be of a model that keeps them.
    """
    if any(not _CODE_COLUMNS.isdisjoint(parts[1:]) for parts in columns):
        raise UnclearError(CODE_OF_TEMPLATE)
    identities = ["res.groups", "res.users"]
    if any(not _USERS.isdisjoint(parts) for parts in columns):
        identities.append(_PARTNER)
    asked = [(identities, False, NOT_FOR_VISITORS), (_TEMPLATES, False, CODE_OF_TEMPLATE)]
    if passes_on:
        asked.append((sorted(_KEEPERS), True, ADDRESS_OF_USER))
    return tuple(
        Inquiry("base_import.import", [["id", "in", ids], ["res_model", "in", models]], wanted, text)
        for models, wanted, text in asked
    )


def _may_pass_on(columns: list[list[str]], defaults: dict[str, Any]) -> bool:
    """Whether an import writes addresses into records that exist, or that name their contact."""
    if not any(_EMAIL.fullmatch(parts[-1]) for parts in columns) and not any(map(_EMAIL.fullmatch, defaults)):
        return False
    names = [*defaults, *(part for parts in columns for part in parts)]
    # An employee's contact becomes their user's.
    return ("user_id" in names and "work_email" in names) or any(
        name in _IDENTIFIERS or _CONTACT.fullmatch(name) or name.endswith("user_ids") for name in names
    )


class _Place(Enum):
    """Whose values are looked at, where it is no contact of a known id."""

    OWN = "own"  # the records that the method is called on
    NEW = "new"
    OTHER = "other"  # a record that exists, of a model that isn't known here
    KEPT = "kept"  # a record whose address is nobody else's


_Record = int | _Place
"""A contact's id, or where the record stands."""


class _Written:
    """What a call of a method of `model` writes of addresses."""

    def __init__(self, model: str, outermost: _Record) -> None:
        self._model = model
        self._outermost = outermost
        self._emails: set[object] = set()
        self._contacts: set[int] = set()  # whose address is written
        self._named: set[int] = set()  # by a field, so that an address may be passed on to them
        self._is_own = False
        self._is_unclear = False
        self._names_user = False
        self._has_source = False

    def look(self, values: list[Any]) -> None:
        """Look at the arguments of a call."""
        self._commands("", values, self._outermost)

    def inquiries(self, model: str, ids: list[int], *, is_clear: bool) -> tuple[Inquiry, ...]:
        """What is to be asked about what was seen; raises UnclearError."""
        if not self._emails:
            return ()
        if self._is_unclear or not is_clear or self._has_source or (self._names_user and model.startswith("hr.")):
            raise UnclearError
        if model.startswith(_RESENDING):
            raise UnclearError
        [email, *others] = self._emails
        asked: list[Inquiry] = []
        contacts = self._contacts | self._named
        if self._is_own and model == _PARTNER:
            contacts |= set(ids)
        elif self._is_own:
            link = _LINKS.get(model, _USUAL_LINK)
            asked.append(Inquiry(model, [["id", "in", ids], *_differs(f"{link}.", email, others)]))
        if contacts:
            asked.append(Inquiry(_PARTNER, [["id", "in", sorted(contacts)], *_differs("", email, others)]))
        return tuple(asked)

    def _values(self, values: dict[str, Any], record: _Record) -> None:
        for name, value in values.items():
            if isinstance(value, dict | list):
                self._commands(name, value, record)
            elif _EMAIL.fullmatch(name) and (record is not self._outermost or (self._model, name) != _PRIVATE):
                self._writes(value, record)
            elif _CONTACT.fullmatch(name):
                self._names(value)
            elif name == "user_id" and value:
                self._names_user = True
            elif name in _SOURCES and value:
                self._has_source = True

    def _writes(self, email: object, record: _Record) -> None:
        if record is _Place.KEPT:
            return
        self._emails.add(email)
        if isinstance(record, int):
            self._contacts.add(record)
        elif record is _Place.OWN:
            self._is_own = True
        elif record is _Place.OTHER:
            self._is_unclear = True

    def _names(self, contact: object) -> None:
        if type(contact) is int:
            self._named.add(contact)
        elif contact is not None and contact is not False:
            # Said in another way than Odoo's client does. With an address beside it, nobody knows whose that becomes.
            self._is_unclear = True

    def _commands(self, name: str, value: dict[str, Any] | list[Any], record: _Record) -> None:
        """Look at what stands under a name: relational commands, or values in any depth."""
        if isinstance(value, dict):
            self._values(value, record)
            return
        for each in value:
            if isinstance(each, list) and len(each) > 2 and isinstance(each[0], int | float):
                if isinstance(each[2], dict):
                    self._values(each[2], self._target(name, each[0], each[1], record))
                else:
                    self._commands(name, each[2:3], _Place.OTHER)
                self._commands(name, [*each[1:2], *each[3:]], _Place.OTHER)
            elif isinstance(each, dict | list):
                self._commands(name, each, record)

    def _target(self, name: str, command: object, id: object, record: _Record) -> _Record:
        """The record that a command of the field `name` of `record` writes."""
        # Other models have children of their own kind by the same name.
        has_contacts = self._model == _PARTNER if name == _CHILDREN else CONTACTS.fullmatch(name) is not None
        if type(command) is not int:
            return _Place.OTHER
        if name == _KEPT_BELOW.get(self._model):
            return _Place.KEPT
        if command == 0:
            # A contact below another has an address of its own; other records may pass theirs on to the one above.
            return _Place.NEW if has_contacts else record
        return id if has_contacts and name == _CHILDREN and type(id) is int else _Place.OTHER


def _differs(path: str, email: object, others: list[object]) -> Domain:
    """Contacts of those who sign in, whose address would become another one."""
    domain: Domain = [[f"{path}user_ids", "!=", False]]
    if isinstance(email, str) and not others:
        domain.append([f"{path}email", "!=", email])
    return domain
