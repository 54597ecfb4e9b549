"""The errors that use cases raise; API, dashboard and CLI translate them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def external_name(attribute: str) -> str:
    """What owners call an attribute, in the API and wherever an error names it: camelCase."""
    if attribute == "allowed_ips":
        return "allowedIPs"
    first, *others = attribute.split("_")
    return first + "".join(word.capitalize() for word in others)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with what somebody gave us.

    `field` is the name as the caller wrote it (``expiresIn``), `message` says what is wrong and what
    would be right.
    """

    field: str
    message: str


class GuestpassError(Exception):
    """The base of Guestpass's own errors; the text is for people."""


class NotFound(GuestpassError):
    """The thing does not exist, or it belongs to an organisation that the caller can't see."""

    def __init__(self, what: str, id: str) -> None:
        super().__init__(f"There is no {what} {id!r}.")
        self.what = what


class AlreadyExists(GuestpassError):
    """The chosen id is taken."""

    def __init__(self, what: str, id: str) -> None:
        super().__init__(f"The {what} {id!r} exists already; choose another id.")
        self.what = what


class InUse(GuestpassError):
    """Something can't be removed while other things need it; the text says which, and what to do first."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(text)
        self.what = what


class Invalid(GuestpassError):
    """Input that can't be accepted; carries every problem found, not only the first."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)

    @classmethod
    def one(cls, field: str, message: str) -> Invalid:
        """An error about a single field."""
        return cls([FieldError(field, message)])


class DescriptorsUsedUp(GuestpassError):
    """File descriptors are used up (EMFILE, ENFILE); the text is the system's."""


class TooManyWaiting(GuestpassError):
    """The queue for something slow is full."""


class Forbidden(GuestpassError):
    """The caller is known but lacks a scope."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"The token lacks the scope {scope!r}.")
        self.scope = scope
