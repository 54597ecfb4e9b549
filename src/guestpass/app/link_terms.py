"""What owners may ask of a link, when they make it and when they change it, and what can't be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from guestpass.app.accounts import SignInCredentials
from guestpass.app.passwords import prepared
from guestpass.app.unset import UNSET, Unset
from guestpass.domain.durations import format_duration
from guestpass.domain.environment import Environment, Kind
from guestpass.domain.errors import FieldError, Invalid
from guestpass.domain.link import (
    LABEL_LENGTH,
    MAX_VISITORS,
    NOTE_LENGTH,
    PASSWORD_BYTES,
    Access,
    ShareType,
)
from guestpass.domain.networks import parse_allowed_ips
from guestpass.domain.start_path import parse_start_path, refusal_of_start_path


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """What an owner gives to make a link; None means not given. `share_type` follows from `password` then.

    `sign_in_as` is the name of an account of the environment, or credentials of which one is made.
    """

    expires_in: timedelta | None = None
    expires_at: datetime | None = None
    label: str | None = None
    note: str | None = None
    password: str | None = field(default=None, repr=False)
    share_type: ShareType | None = None
    active: bool = True
    access: Access = Access.FULL
    sign_in_as: str | SignInCredentials | None = None
    start_path: str | None = None
    max_visitors: int | None = None
    allowed_ips: Sequence[str] = ()

    def given(self) -> dict[str, Any]:
        """The fields by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """What an owner wants changed; a field that is UNSET stays as it is.

    A `password` of None makes a link that opens without one. `active` False deactivates, True opens again.
    """

    expires_in: timedelta | Unset = UNSET
    expires_at: datetime | Unset = UNSET
    label: str | Unset | None = UNSET
    note: str | Unset | None = UNSET
    password: str | Unset | None = field(default=UNSET, repr=False)
    active: bool | Unset = UNSET
    access: Access | Unset = UNSET
    sign_in_as: str | SignInCredentials | Unset | None = UNSET
    start_path: str | Unset | None = UNSET
    max_visitors: int | Unset | None = UNSET
    allowed_ips: Sequence[str] | Unset = UNSET

    def given(self) -> dict[str, Any]:
        """The fields to change, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not UNSET}


def check_terms(
    given: Mapping[str, Any], *, now: datetime, longest: timedelta, errors: Sequence[FieldError] = ()
) -> dict[str, Any]:
    """The attributes of a link that follow from what was given, by name; raises Invalid with every wrong field.

    Left out are those that need more than a look: `password`, `active`, `access` and `sign_in_as`. `errors` are some
    that were found before.
    """
    checked: dict[str, Any] = {}
    errors = list(errors)

    def attempt(name: str, external: str, check: Callable[[Any], Any]) -> None:
        if name in given:
            try:
                checked[name] = check(given[name]) if given[name] is not None else None
            except ValueError as error:
                errors.append(FieldError(external, str(error)))

    password = given.get("password")
    if password is not None and len(prepared(password).encode()) not in PASSWORD_BYTES:
        errors.append(FieldError("password", "must be 8 to 1024 bytes long"))
    attempt("label", "label", _label)
    attempt("note", "note", _note)
    if given.get("expires_in") is not None and given.get("expires_at") is not None:
        errors.append(FieldError("expiresAt", "can't be given beside expiresIn; choose one of them"))
    elif given.get("expires_at") is not None:
        attempt("expires_at", "expiresAt", lambda at: _expires_at(at, now, longest))
    elif given.get("expires_in") is not None:
        attempt("expires_in", "expiresIn", lambda lifetime: _expires_in(lifetime, longest))
        if (lifetime := checked.pop("expires_in", None)) is not None:
            checked["expires_at"] = now + lifetime
    attempt("start_path", "startPath", parse_start_path)
    attempt("max_visitors", "maxVisitors", _max_visitors)
    attempt("allowed_ips", "allowedIPs", parse_allowed_ips)
    if errors:
        raise Invalid(errors)
    return checked


def check_for_environment(given: Mapping[str, Any], environment: Environment) -> None:
    """Raise Invalid with what this environment's visitors can't be given."""
    errors = []
    if environment.kind is not Kind.ODOO:
        if given.get("access", Access.FULL) is not Access.FULL:
            errors.append(
                FieldError("access", "can't narrow what visitors may do in an environment that is not of kind odoo")
            )
        if given.get("sign_in_as") is not None:
            errors.append(FieldError("signInAs", "can't be given for an environment that is not of kind odoo"))
    path = given.get("start_path")
    if path is not None and (refusal := refusal_of_start_path(path, environment.kind, environment.allow_paths)):
        errors.append(FieldError("startPath", refusal))
    if errors:
        raise Invalid(errors)


def type_errors(new: NewLink) -> list[FieldError]:
    """What is wrong where a new link's type doesn't fit its password."""
    if new.share_type is ShareType.PASSWORD and new.password is None:
        return [FieldError("password", "is needed for a link of shareType password")]
    if new.share_type is ShareType.TOKEN and new.password is not None:
        return [FieldError("shareType", "must be password, or not given, when a password is given")]
    return []


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _label(text: str) -> str | None:
    if len(text) > LABEL_LENGTH:
        raise ValueError(f"must be at most {LABEL_LENGTH} characters")
    if _CONTROL.search(text):
        raise ValueError("must not hold control characters")
    return text.strip() or None


def _note(text: str) -> str | None:
    text = text.replace("\r\n", "\n").strip()
    if len(text) > NOTE_LENGTH:
        raise ValueError(f"must be at most {NOTE_LENGTH} characters")
    if _CONTROL_BUT_LINES.search(text):
        raise ValueError("must not hold control characters, but for line breaks and tabs")
    return text or None


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


def _max_visitors(number: int) -> int:
    if not 1 <= number <= MAX_VISITORS:
        raise ValueError(f"must be from 1 to {MAX_VISITORS}")
    return number
