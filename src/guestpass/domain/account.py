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


class AccountRight(StrEnum):
    """A right in Odoo with which a visitor could do more than work: give themselves more, or stay."""

    ACCESS_RIGHTS = "access_rights"  # manages users and their rights
    WEBSITE_DESIGN = "website_design"  # writes pages, which may hold code
    CONTACTS = "contacts"  # writes contacts, to whose addresses Odoo mails
    EMPLOYEES = "employees"  # writes employees, whose contacts are users'
    MAIL_TEMPLATES = "mail_templates"  # writes templates, which may hold code
    IMPERSONATION = "impersonation"  # becomes another user (OCA's impersonate_login)


@dataclass(frozen=True, slots=True)
class Account:
    """Stored credentials of an Odoo user; `sealed_password` is encrypted and never shown.

    `is_admin` means that the user administers Odoo and can run code there. `revision` grows with new credentials, which
    end the sessions of earlier ones. `refused_at` and `refusal` are when and why Odoo last refused it; None while it
    works. `is_internal` says whether the user works in Odoo's own pages, as customers don't; None for an account that
    was added before this was asked. `rights` are those to warn of.
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
    is_internal: bool | None = None
    rights: frozenset[AccountRight] = frozenset()


def account_name_from_login(login: str) -> str:
    """A name for the account of a login, such as ``anna-example.com`` for ``Anna@Example.com``."""
    return re.sub(r"[^a-z0-9._-]+", "-", login.lower()).strip("-._")[:63] or "account"
