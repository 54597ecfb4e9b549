"""Read what owners want of a link from its forms, and fill the forms with what is so now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from guestpass.app.link_terms import LINK_TERMS, LinkChange, NewLink
from guestpass.app.unset import UNSET
from guestpass.domain.durations import parse_duration
from guestpass.domain.errors import FieldError, Invalid
from guestpass.domain.link import Access, ShareLink, ShareType
from guestpass.web.dashboard.forms import Control, Form, Reading, parsed_by, read_text, whole_number

LIFETIMES: Final = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
"""What is offered at a click, by the API's notation."""
BY_DATE: Final = "date"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkControl(Control):
    """A field of a link, as a control of forms and as a line of the link's settings.

    In the settings it has `heading`, `nothing` stands there for no value, and its button says that it edits `what`.
    `term` names it in the path of its own form.
    """

    term: str
    heading: str
    what: str
    nothing: str = "none"


FOR_OWNERS: Final = (
    LinkControl(
        attribute="label",
        label="Label",
        hint="What you call it. Visitors never see it.",
        term="label",
        heading="Label",
        what="the label",
        placeholder="For the auditors",
        attributes={"maxlength": LINK_TERMS["label"].most},
    ),
    LinkControl(
        attribute="note",
        label="Note",
        hint="For you and your colleagues.",
        term="note",
        heading="Note",
        what="the note",
        rows=2,
        attributes={"maxlength": LINK_TERMS["note"].most},
    ),
)
"""What visitors never see."""
FOR_VISITORS: Final = (
    LinkControl(
        attribute="start_path",
        label="Where visitors land",
        hint="A path of the environment.",
        term="start",
        heading="They land at",
        what="where they land",
        nothing="/",
        placeholder="/odoo/crm",
        mono=True,
        attributes={"maxlength": LINK_TERMS["start_path"].most},
    ),
    LinkControl(
        attribute="max_visitors",
        label="Most visitors",
        hint="So many browsers are let in; who was let in stays in.",
        term="limit",
        heading="Most visitors",
        what="the number of visitors",
        nothing="any number",
        placeholder="any number",
        attributes={"inputmode": "numeric"},
        read=parsed_by(whole_number),
    ),
    LinkControl(
        attribute="allowed_ips",
        label="Networks that may open it",
        hint="Addresses and networks, one a line. Left empty: from anywhere.",
        term="networks",
        heading="From",
        what="the networks",
        nothing="anywhere",
        placeholder="198.51.100.0/24",
        rows=2,
        mono=True,
        read=lambda form, _, name: [part for part in re.split(r"[\s,;]+", form.raw(name)) if part],
    ),
)
"""What visitors notice."""
CONTROLS: Final = (*FOR_OWNERS, *FOR_VISITORS)
SHARE_FIELDS: Final = (
    "who", "password", "lifetime", "expiresOn", "expiresAt", "signInAs", "access", "allowReports", "allowExports",
    *(each.name for each in CONTROLS),
)  # fmt: skip
"""What the share dialog shows. `who` and `lifetime` are its own, the others have the API's names."""
LIFETIME_FIELDS: Final = ("lifetime", "expiresOn", "expiresAt", "active")
PASSWORD_FIELDS: Final = ("who", "password")
TERMS: Final[Mapping[str, tuple[str, ...]]] = {
    "visitors": ("signInAs", "access", "allowReports", "allowExports"),
    **{each.term: (each.name,) for each in CONTROLS},
}
"""What is changed in place on a link's page, each with the fields of its form."""
TERM_FIELDS: Final = tuple(name for names in TERMS.values() for name in names)


def offered_lifetimes(longest: timedelta) -> dict[str, str]:
    """Those of LIFETIMES that the installation allows, by what a form sends, with what people read."""
    return {text: words for text, words in LIFETIMES.items() if parse_duration(text) <= longest}


def suggested_extension(offered: Iterable[str], rest: timedelta) -> str:
    """What a form chooses of `offered` for a link that works for `rest` still: a week, and never an earlier end."""
    longer = [text for text in offered if parse_duration(text) > rest]
    return "7d" if "7d" in longer else longer[0] if longer else BY_DATE


def read_new_link(form: Form) -> NewLink:
    """The link that the share dialog asks for; raises Invalid with all that can't be read."""
    reading = Reading(form)
    password = _password(form, reading)
    lifetime = _lifetime(form, reading)
    access = _access(form, reading)
    values = {each.attribute: each.read(form, reading, each.name) for each in CONTROLS}
    if reading.errors:
        raise Invalid(reading.errors)
    return NewLink(
        **lifetime,
        **values,
        password=password,
        access=access,
        sign_in_as=form.optional("signInAs"),
        allow_reports=form.checked("allowReports"),
        allow_exports=form.checked("allowExports"),
    )


def read_extension(form: Form) -> LinkChange:
    """How long a link is to work from now on, and whether it is opened again; raises Invalid."""
    reading = Reading(form)
    lifetime = _lifetime(form, reading)
    if not lifetime and not reading.errors:
        reading.errors.append(FieldError("expiresIn", "must be chosen"))
    if reading.errors:
        raise Invalid(reading.errors)
    return LinkChange(**lifetime, active=True if form.checked("active") else UNSET)


def read_password(form: Form) -> LinkChange:
    """Which password a link is to ask for, None for none; raises Invalid."""
    reading = Reading(form)
    password = _password(form, reading)
    if reading.errors:
        raise Invalid(reading.errors)
    return LinkChange(password=password)


def read_term(name: str, form: Form) -> LinkChange:
    """What the form of one of TERMS changes; raises Invalid."""
    reading = Reading(form)
    values = {}
    for each in form.changed(TERMS[name]):
        attribute, read = _READ[each]
        values[attribute] = read(form, reading, each)
    if reading.errors:
        raise Invalid(reading.errors)
    return LinkChange(**values)


def values_of(link: ShareLink) -> dict[str, object]:
    """What the forms of TERMS show of a link."""
    return {
        **{each.name: each.value(link) for each in FOR_OWNERS},
        "signInAs": link.account,
        "access": Access.READ_ONLY.value if link.access is Access.READ_ONLY else None,
        "allowReports": "true" if link.allow_reports else None,
        "allowExports": "true" if link.allow_exports else None,
        **{each.name: each.value(link) for each in FOR_VISITORS},
    }


def _password(form: Form, reading: Reading) -> str | None:
    if form.text("who") != ShareType.PASSWORD.value:
        return None
    password = form.raw("password")
    if not password:
        reading.errors.append(FieldError("password", "is needed; or let whoever has the link in"))
    return password or None


def _lifetime(form: Form, reading: Reading) -> dict[str, Any]:
    """The field of a link that says how long it works; empty where nothing was chosen."""
    if form.text("lifetime") != BY_DATE:
        lifetime = reading.read("lifetime", parse_duration)
        return {} if lifetime is None else {"expires_in": lifetime}
    if form.optional("expiresAt") is None and form.optional("expiresOn") is None:
        reading.errors.append(FieldError("expiresAt", "must be a date and a time of day"))
        return {}
    # A script writes the moment beside what was typed, since only the browser knows its time zone.
    name = "expiresAt" if form.optional("expiresAt") is not None else "expiresOn"
    at = reading.read(name, _moment)
    return {} if at is None else {"expires_at": at}


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date and a time of day, such as 2026-03-04T18:00") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _access(form: Form, reading: Reading) -> Access:
    try:
        return Access(form.text("access") or Access.FULL)
    except ValueError:
        reading.errors.append(FieldError("access", "must be full or readOnly"))
        return Access.FULL


_READ: Final[Mapping[str, tuple[str, Callable[[Form, Reading, str], Any]]]] = {
    "signInAs": ("sign_in_as", read_text),
    "access": ("access", lambda form, reading, _: _access(form, reading)),
    "allowReports": ("allow_reports", lambda form, _, name: form.checked(name)),
    "allowExports": ("allow_exports", lambda form, _, name: form.checked(name)),
    **{each.name: (each.attribute, each.read) for each in CONTROLS},
}
"""What each field is called by the use case, and how it is read."""
