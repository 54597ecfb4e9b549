"""The fields of a link that owners set, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from guestpass.app.accounts import SignInCredentials
from guestpass.app.passwords import prepared
from guestpass.app.terms import Term, check_fields, given_fields, terms_of
from guestpass.app.unset import UNSET, Unset
from guestpass.domain.durations import format_duration
from guestpass.domain.environment import Environment, Kind
from guestpass.domain.errors import FieldError, Invalid
from guestpass.domain.link import PASSWORD_BYTES, Access, ShareType
from guestpass.domain.networks import parse_allowed_ips
from guestpass.domain.start_path import START_PATH_LENGTH, parse_start_path, refusal_of_start_path
from guestpass.domain.text import check_readable


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTerms:
    """The fields of a link that owners set; UNSET ones are not given.

    `sign_in_as` is the name of an account of the environment, or credentials of which one is made.
    """

    label: Annotated[str | Unset | None, _one_line(200, "the label")] = UNSET
    note: Annotated[str | Unset | None, _lines(2000, "the note")] = UNSET
    expires_in: timedelta | Unset | None = UNSET
    expires_at: Annotated[datetime | Unset | None, Term(words="until when it works")] = UNSET
    password: Annotated[str | Unset | None, Term(words="the password", attribute="password_hash")] = field(
        default=UNSET, repr=False
    )
    active: bool | Unset = UNSET
    access: Annotated[Access | Unset, Term(Access, "what visitors may do")] = UNSET
    sign_in_as: Annotated[
        str | SignInCredentials | Unset | None, Term(words="who visitors are signed in as", attribute="account")
    ] = UNSET
    start_path: Annotated[str | Unset | None, Term(parse_start_path, "where visitors land", most=START_PATH_LENGTH)] = (
        UNSET
    )
    max_visitors: Annotated[int | Unset | None, _number(100_000, "how many are let in")] = UNSET
    allowed_ips: Annotated[
        Sequence[str] | Unset | None, Term(parse_allowed_ips, "the networks that visitors may come from", empty=())
    ] = UNSET
    allow_reports: Annotated[bool | Unset, Term(bool, "whether visitors may print", empty=False)] = UNSET
    allow_exports: Annotated[bool | Unset, Term(bool, "whether visitors may export", empty=False)] = UNSET

    def given(self) -> dict[str, Any]:
        """The fields that are given, by name."""
        return given_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink(LinkTerms):
    """What an owner gives to make a link. Its type follows from the password where `share_type` is None."""

    share_type: ShareType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange(LinkTerms):
    """What an owner wants changed; the rest stays as it is.

    A `password` of None makes a link that opens without one. `active` False deactivates, True opens again.
    """


def check_terms(
    given: Mapping[str, Any], *, now: datetime, longest: timedelta, errors: Sequence[FieldError] = ()
) -> dict[str, Any]:
    """The attributes of a link that follow from what was given, by name; raises Invalid with every wrong field.

    Without `password`, `active` and `sign_in_as`, whose attributes need more than the value. `errors` are those that
    were found before.
    """
    found = list(errors)
    password = given.get("password")
    if password is not None and len(prepared(password).encode()) not in PASSWORD_BYTES:
        found.append(FieldError("password", "must be 8 to 1024 bytes long"))

    def end(at: datetime) -> datetime:
        if given.get("expires_in") is not None:
            raise ValueError("can't be given beside expiresIn; choose one of them")
        return _expires_at(at, now, longest)

    terms = dict(LINK_TERMS)
    if given.get("expires_at") is not None:
        terms["expires_at"] = Term(end)
    elif given.get("expires_in") is not None:
        terms["expires_in"] = Term(lambda lifetime: _expires_in(lifetime, longest))
    checked = check_fields(given, terms, found)
    if found:
        raise Invalid(found)
    if (lifetime := checked.pop("expires_in", None)) is not None:
        checked["expires_at"] = now + lifetime
    return checked


def check_for_environment(given: Mapping[str, Any], environment: Environment) -> None:
    """Raise Invalid for fields that this environment doesn't support."""
    errors = []
    if environment.kind is not Kind.ODOO:
        if given.get("access", Access.FULL) is not Access.FULL:
            errors.append(
                FieldError("access", "can't narrow what visitors may do in an environment that is not of kind odoo")
            )
        for name, field in (("allow_reports", "allowReports"), ("allow_exports", "allowExports")):
            if given.get(name):
                errors.append(FieldError(field, "can't be given for an environment that is not of kind odoo"))
        if given.get("sign_in_as") is not None:
            errors.append(FieldError("signInAs", "can't be given for an environment that is not of kind odoo"))
    path = given.get("start_path")
    if path is not None and (refusal := refusal_of_start_path(path, environment.kind, environment.allow_paths)):
        errors.append(FieldError("startPath", refusal))
    if errors:
        raise Invalid(errors)


def type_errors(new: NewLink) -> list[FieldError]:
    """What is wrong where a new link's type doesn't fit its password."""
    password = new.given().get("password")
    if new.share_type is ShareType.PASSWORD and password is None:
        return [FieldError("password", "is needed for a link of shareType password")]
    if new.share_type is ShareType.TOKEN and password is not None:
        return [FieldError("shareType", "must be password, or not given, when a password is given")]
    return []


def _one_line(longest: int, words: str) -> Term:
    """A text of one line, of so many characters at most."""

    def check(text: str) -> str | None:
        if len(text) > longest:
            raise ValueError(f"must be at most {longest} characters")
        check_readable(text)
        return text.strip() or None

    return Term(check, words, most=longest)


def _lines(longest: int, words: str) -> Term:
    """A text of several lines, of so many characters at most."""

    def check(text: str) -> str | None:
        text = text.replace("\r\n", "\n").strip()
        if len(text) > longest:
            raise ValueError(f"must be at most {longest} characters")
        check_readable(text, lines=True)
        return text or None

    return Term(check, words, most=longest)


def _number(greatest: int, words: str) -> Term:
    """A number from one to the greatest."""

    def check(number: int) -> int:
        if not 1 <= number <= greatest:
            raise ValueError(f"must be from 1 to {greatest}")
        return number

    return Term(check, words, most=greatest)


def _expires_in(lifetime: timedelta, longest: timedelta) -> timedelta:
    if not timedelta(0) < lifetime <= longest:
        raise ValueError(f"must be more than 0s and at most {format_duration(longest)}")
    return lifetime


def _expires_at(at: datetime, now: datetime, longest: timedelta) -> datetime:
    if at.tzinfo is None:
        raise ValueError("must say its time zone, such as 2026-03-04T18:00:00Z")
    if not now < at <= now + longest:
        raise ValueError(f"must be in the future, and at most {format_duration(longest)} from now")
    return at.astimezone(UTC)


LINK_TERMS: Final[Mapping[str, Term]] = terms_of(LinkTerms)
