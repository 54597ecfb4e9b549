"""Request and response models of accounts and sign-in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, GetPydanticSchema, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from guestpass.app.accounts import SignInCredentials, warnings_of
from guestpass.app.links import OwnedLink
from guestpass.domain.account import (
    ACCOUNT_NAME_PATTERN,
    ACCOUNT_PASSWORD_LENGTH,
    LOGIN_LENGTH,
    Account,
    SignInRefusal,
)
from guestpass.domain.finding import Finding
from guestpass.web.api.shapes import Given, ResponseModel

_NAME_PATTERN: Final = rf"^{ACCOUNT_NAME_PATTERN.pattern}$"


class SignInRequest(Given):
    """Credentials of an Odoo user. They are tried at once; the password is kept encrypted and never shown."""

    login: Annotated[
        str, Field(min_length=1, max_length=LOGIN_LENGTH, description="What the user signs in with.", examples=["demo"])
    ]
    password: Annotated[
        str,
        WithJsonSchema({"type": "string", "format": "password", "minLength": 1, "maxLength": ACCOUNT_PASSWORD_LENGTH}),
        Field(description="The user's password in Odoo."),
    ]
    allow_admin: Annotated[
        bool | None,
        Field(
            description="Must be true for a user who administers Odoo: whoever has a link that signs in as one can run "
            "code there."
        ),
    ] = None

    def as_credentials(self) -> SignInCredentials:
        """The same for the use case."""
        return SignInCredentials(login=self.login, password=self.password, allow_admin=bool(self.allow_admin))


def _name_or_credentials(value: object, validate: core_schema.ValidatorFunctionWrapHandler) -> object:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise ValueError("must be the name of an account, or an object with login and password")  # noqa: TRY004 as pydantic wants it
    return validate(value)


def _name_or_credentials_document(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    return {"anyOf": [{"type": "string"}, handler(schema), {"type": "null"}]}


# A plain union would name the field that is wrong after its own branches; here it is `signInAs.login`.
SignInAs: TypeAlias = Annotated[
    str | SignInRequest | None,
    GetPydanticSchema(
        get_pydantic_core_schema=lambda _, handler: core_schema.no_info_wrap_validator_function(
            _name_or_credentials, handler(SignInRequest)
        ),
        get_pydantic_json_schema=_name_or_credentials_document,
    ),
    Field(
        description="Whom visitors are signed in to Odoo as: the name of an account of the environment, or login and "
        "password, which become one (that needs the scope `environments:write` too). Left out: they sign in "
        "themselves.",
        examples=["demo"],
    ),
]


class AccountRequest(SignInRequest):
    """An account to be added, or new credentials for one that there is."""

    name: Annotated[
        str | None,
        BeforeValidator(lambda value: None if value == "" else value),
        WithJsonSchema({"type": ["string", "null"], "pattern": _NAME_PATTERN}),
        Field(
            description="How links name it. Left out: the account that has this login, or else a new one with a name "
            "made from it.",
            examples=["demo"],
        ),
    ] = None


class WarningBody(ResponseModel):
    """Something to consider."""

    code: str = Field(description="Stable.", examples=["admin_account"])
    detail: str = Field(description="What is so, and why it matters.")
    remedy: str = Field(description="What to do about it.")

    @classmethod
    def of(cls, finding: Finding) -> WarningBody:
        """The warning as its owner sees it."""
        return cls(code=finding.code, detail=finding.detail, remedy=finding.remedy)


class AccountBody(ResponseModel):
    """An account that visitors can be signed in as. Its password is never shown."""

    name: str = Field(examples=["demo"])
    login: str = Field(examples=["demo"])
    is_admin: bool = Field(description="Whether it administers Odoo.")
    created_at: datetime = Field(examples=["2026-03-04T05:06:07Z"])
    created_by: str = Field(description="The `sub` of the bearer token that added it.", examples=["olga"])
    refused_at: datetime | None = Field(description="When Odoo last refused it; null while it works.")
    refusal: SignInRefusal | None = Field(
        description="Why Odoo refused it; the environment's findings say it in words."
    )
    warnings: list[WarningBody]

    @classmethod
    def of(cls, account: Account) -> AccountBody:
        """The account as its owner sees it."""
        return cls(
            name=account.name,
            login=account.login,
            is_admin=account.is_admin,
            created_at=account.created_at,
            created_by=account.created_by,
            refused_at=account.refused_at,
            refusal=account.refusal,
            warnings=[WarningBody.of(each) for each in warnings_of(account)],
        )


class AccountsBody(ResponseModel):
    """An environment's accounts, by name."""

    accounts: list[AccountBody]
    total: int

    @classmethod
    def of(cls, accounts: Sequence[Account]) -> AccountsBody:
        """The accounts as their owner sees them."""
        return cls(accounts=[AccountBody.of(each) for each in accounts], total=len(accounts))


class SignInAsBody(ResponseModel):
    """Whom a link's visitors are signed in as."""

    account: str = Field(description="The account's name.", examples=["demo"])
    login: str | None = Field(description="Null where a link that ended has outlived its account.", examples=["demo"])

    @classmethod
    def of(cls, owned: OwnedLink) -> SignInAsBody | None:
        """The account of a link, if it has one."""
        if owned.link.account is None:
            return None
        return cls(account=owned.link.account, login=owned.account.login if owned.account is not None else None)
