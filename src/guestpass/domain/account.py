"""Accounts: Odoo users whom links sign visitors in as."""

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
    """Why a sign-in failed."""

    CREDENTIALS = "credentials"  # Odoo knows no such login and password
    SECOND_FACTOR = "second_factor"  # the account has two-factor authentication, which only a person can pass
    DATABASE = "database"  # Odoo has no such database, or several and the environment names none
    ADMINISTRATOR = "administrator"  # the account administers Odoo, which nobody has allowed
    THROTTLED = "throttled"  # Odoo wants no more tries for the moment
    UNREACHABLE = "unreachable"  # Odoo gave no usable answer


@dataclass(frozen=True, slots=True)
class Account:
    """Stored credentials of an Odoo user; `sealed_password` is encrypted and never shown.

    `is_admin` means that the user administers Odoo and can run code there. `revision` grows with new credentials, which
    end the sessions of earlier ones. `refused_at` and `refusal` are when and why Odoo last refused it; None while it
    works.
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
