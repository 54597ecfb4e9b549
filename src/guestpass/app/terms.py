"""What is known of each field that owners may give: how it is checked, and what a history calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, get_type_hints

from guestpass.app.unset import UNSET
from guestpass.domain.errors import FieldError, external_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class Term:
    """Annotates a field that owners may give.

    `check` returns the value as it is stored, and raises ValueError with a sentence for the person who wrote it; it is
    None where checking needs more than the value. `words` are what a history calls the field, empty where it never
    does. `empty` is what is stored for null. `most` is the greatest number, or number of characters, that is accepted.
    `attribute` is where it is stored, if not under its own name.
    """

    check: Callable[[Any], Any] | None = None
    words: str = ""
    empty: object = None
    most: int | None = None
    attribute: str | None = None


def terms_of(form: type) -> dict[str, Term]:
    """The terms of a form by field, in its order."""
    return {
        name: term
        for name, hint in get_type_hints(form, include_extras=True).items()
        for term in getattr(hint, "__metadata__", ())
        if isinstance(term, Term)
    }


def given_fields(form: DataclassInstance) -> dict[str, Any]:
    """The fields of a form that are given, by name."""
    values = {each.name: getattr(form, each.name) for each in fields(form)}
    return {name: value for name, value in values.items() if value is not UNSET}


def check_fields(given: Mapping[str, Any], terms: Mapping[str, Term], errors: list[FieldError]) -> dict[str, Any]:
    """Check the given fields that have a check; return their values as stored, and append what is wrong to `errors`."""
    checked: dict[str, Any] = {}
    for name, term in terms.items():
        if name in given and term.check is not None:
            try:
                checked[name] = term.empty if given[name] is None else term.check(given[name])
            except ValueError as error:
                errors.append(FieldError(external_name(name), str(error)))
    return checked
