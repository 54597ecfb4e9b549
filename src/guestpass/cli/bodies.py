"""What commands ask for in the API's form: sent to a server somewhere else, or read again beside one.

A command so means the same in both places: the API's own models say what it means, and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from guestpass.app.accounts import SignInCredentials
from guestpass.app.environments import NewEnvironment
from guestpass.app.links import LinkSearch, NewLink
from guestpass.app.terms import given_fields
from guestpass.domain.errors import external_name


def as_body(new: NewEnvironment | NewLink | SignInCredentials | LinkSearch) -> dict[str, Any]:
    """What was given, in the API's form; what was not is left out."""
    return as_patch({name: value for name, value in given_fields(new).items() if value is not None and value != ()})


def as_account(credentials: SignInCredentials, name: str | None) -> dict[str, Any]:
    """Credentials, with the name of their account where it was given."""
    return as_body(credentials) | ({"name": name} if name is not None else {})


def as_query(search: LinkSearch) -> dict[str, Any]:
    """Which links are wanted, as the parameters of a query."""
    query = as_body(search)
    if (text := query.pop("text", None)) is not None:
        query["search"] = text
    if (descending := query.pop("descending", None)) is not None:
        query["order"] = "desc" if descending else "asc"
    return query


def as_patch(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a change, in which None takes something away."""
    return {external_name(name): _plain(name, value) for name, value in values.items()}


def _plain(name: str, value: object) -> object:
    if name == "maintenance" and isinstance(value, str):
        return {"message": value}
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.6f}s"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return list(value)
    return value
