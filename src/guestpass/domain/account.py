"""An account: somebody in an environment's Odoo, in whose name visitors are signed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from guestpass.domain.environment import EnvironmentKey

ACCOUNT_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
LOGIN_LENGTH = 200
ACCOUNT_PASSWORD_LENGTH = 1024


class SignInRefusal(StrEnum):
    """Why nobody could be signed in."""

    CREDENTIALS = "credentials"  # Odoo knows no such login and password
    SECOND_FACTOR = "second_factor"  # the account has two-factor authentication, which only a person can pass
    DATABASE = "database"  # Odoo has no such database, or several and the environment names none
    ADMINISTRATOR = "administrator"  # the account administers Odoo, which nobody has allowed
    THROTTLED = "throttled"  # Odoo wants no more tries for the moment
    UNREACHABLE = "unreachable"  # Odoo gave no usable answer


@dataclass(frozen=True, slots=True)
class Account:
    """Credentials that an owner left with us; `sealed_password` is encrypted and never read by people again.

    `is_admin` says that it administers Odoo, so that whoever is signed in as it can run code there. `revision` grows
    when its credentials are replaced: sessions of an earlier revision end. `refused_at` and `refusal` tell when and
    why Odoo last refused it; both None while it works.
    """

    environment: EnvironmentKey
    name: str
    login: str
    sealed_password: bytes
    is_admin: bool
    revision: int
    created_at: datetime
    created_by: str
    refused_at: datetime | None = None
    refusal: SignInRefusal | None = None


def account_name_from_login(login: str) -> str:
    """A name for the account of a login, such as ``anna-example.com`` for ``Anna@Example.com``."""
    return re.sub(r"[^a-z0-9._-]+", "-", login.lower()).strip("-._")[:63] or "account"
