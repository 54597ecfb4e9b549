"""Build request bodies in the API's form, for a remote server and for local use cases alike.

Both are validated by the API's models, so a command means the same in both places.
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
    """Return the given values in the API's form, without those that were not given."""
    return as_patch({name: value for name, value in given_fields(new).items() if value is not None and value != ()})


def as_account(credentials: SignInCredentials, name: str | None) -> dict[str, Any]:
    """Return credentials, with the account's name if given."""
    return as_body(credentials) | ({"name": name} if name is not None else {})


def as_query(search: LinkSearch) -> dict[str, Any]:
    """Return a link search as query parameters."""
    query = as_body(search)
    if (text := query.pop("text", None)) is not None:
        query["search"] = text
    if (descending := query.pop("descending", None)) is not None:
        query["order"] = "desc" if descending else "asc"
    return query


def as_patch(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a change as a merge patch (RFC 7396), in which None clears a field."""
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
