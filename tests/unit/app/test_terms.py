"""What is known of fields that owners may give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from guestpass.app.terms import Term, check_fields, given_fields, terms_of
from guestpass.app.unset import UNSET, Unset
from guestpass.domain.errors import FieldError


def _doubled(number: int) -> int:
    if number < 0:
        raise ValueError("must not be negative")
    return 2 * number


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A form."""

    how_many: Annotated[int | Unset | None, Term(_doubled, "how many", empty=0)] = UNSET
    later: Annotated[str | Unset, Term(words="later")] = UNSET
    unknown: str | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreTerms(Terms):
    """A form with a further field."""

    allowed_ips: Annotated[int | Unset | None, Term(_doubled)] = UNSET


def test_terms_are_those_of_all_annotated_fields_in_their_order() -> None:
    assert list(terms_of(MoreTerms)) == ["how_many", "later", "allowed_ips"]
    assert terms_of(Terms)["how_many"] == Term(_doubled, "how many", empty=0)


def test_what_is_unset_is_not_given_and_null_is() -> None:
    assert given_fields(Terms(how_many=None, unknown="x")) == {"how_many": None, "unknown": "x"}


def test_given_fields_are_checked_and_null_becomes_what_is_stored_for_it() -> None:
    errors: list[FieldError] = []
    terms = terms_of(MoreTerms)
    assert check_fields({"how_many": 2, "later": "x", "unknown": "y"}, terms, errors) == {"how_many": 4}
    assert check_fields({"how_many": None, "allowed_ips": None}, terms, errors) == {"how_many": 0, "allowed_ips": None}
    assert errors == []


def test_every_wrong_field_is_named_as_the_api_does() -> None:
    errors = [FieldError("password", "is wrong")]
    assert check_fields({"how_many": -1, "allowed_ips": -2}, terms_of(MoreTerms), errors) == {}
    assert [(each.field, each.message) for each in errors] == [
        ("password", "is wrong"),
        ("howMany", "must not be negative"),
        ("allowedIPs", "must not be negative"),
    ]
