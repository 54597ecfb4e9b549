"""Request and response models of share links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from guestpass.app.link_terms import LINK_TERMS, LinkChange, NewLink
from guestpass.app.links import MANY, SEARCH_LENGTH, LinkSearch, ManyDeactivated, OwnedLink
from guestpass.app.paging import LONGEST_PAGE, PAGE, Page
from guestpass.app.ports import LinkSort
from guestpass.domain.errors import external_name
from guestpass.domain.link import (
    PASSWORD_BYTES,
    Access,
    ShareType,
    Status,
)
from guestpass.domain.networks import ALLOWED_IP_LENGTH, ALLOWED_IPS
from guestpass.domain.start_path import START_PATH_LENGTH
from guestpass.web.api.account_models import SignInAs, SignInAsBody, SignInRequest, WarningBody
from guestpass.web.api.shapes import (
    CURSOR,
    DURATION,
    LIMIT_OR_ALL,
    NEXT_CURSOR,
    Asked,
    Given,
    ResponseModel,
    blank_as_none,
    left_out,
    read_duration,
    read_moment,
    read_required_duration,
    read_required_moment,
)

_EXPIRES_IN = Field(
    description="How long the link works from now on: Go's notation, or days. A new link's default is 168h; the "
    "longest that is allowed is the setting MAX_LINK_LIFETIME.",
    examples=["24h", "168h", "720h", "7d", "1h30m"],
)
_EXPIRES_AT = Field(
    description="Until when the link works, in place of `expiresIn`.", examples=["2026-03-31T18:00:00Z"]
)
_Label = Annotated[
    Annotated[str, Field(max_length=LINK_TERMS["label"].most)] | None,
    Field(description="What the owner calls the link.", examples=["For the auditors"]),
]
_Note = Annotated[
    Annotated[str, Field(max_length=LINK_TERMS["note"].most)] | None,
    Field(
        description="A note for owners; visitors never see it.",
        examples=["Asked for by Anna, until the audit is over."],
    ),
]
_ACTIVE = Field(
    description="False: the link opens nothing until it is switched on again, with the same URL.", examples=[True]
)
_ACCESS = Field(
    description="What visitors of an Odoo may do: `full` (default), or `readOnly`, look and change nothing. View-only "
    "is a guard; Odoo's access rights are the boundary.",
    examples=["readOnly"],
)
_START_PATH = Field(
    description="Where visitors land: a path of the environment, with a query and a fragment if need be. Left out or "
    "null: `/`.",
    examples=["/odoo/crm"],
)
_MAX_VISITORS = Field(
    description="How many browsers are let in; who was let in stays in, the next reads that the link is full. Left out "
    "or null: any number.",
    examples=[3],
)
_ALLOWED_IPS = Field(
    description="Addresses and networks (CIDR) that visitors may come from; others are refused. Left out, null or "
    "empty: from anywhere.",
    examples=[["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"]],
)
_ALLOW_REPORTS = Field(
    description="Whether visitors of a view-only link may print. Odoo renders the report and may keep it. Default: no.",
    examples=[True],
)
_ALLOW_EXPORTS = Field(
    description="Whether visitors of a view-only link may export lists, with any field that the account may read. "
    "Default: no.",
    examples=[True],
)
_DURATION_SCHEMA: Final = {"pattern": rf"^({DURATION})+$"}
_MOMENT_SCHEMA: Final = {"format": "date-time"}
_PASSWORD_SCHEMA: Final = {"format": "password", "minLength": 2, "maxLength": PASSWORD_BYTES[-1]}
_PATH_SCHEMA: Final = {"pattern": "^(/[!-~]*)?$", "maxLength": START_PATH_LENGTH}
_MaxVisitors = Annotated[int, Field(ge=1, le=LINK_TERMS["max_visitors"].most)]
_AllowedIPs = Annotated[
    list[Annotated[str, Field(min_length=2, max_length=ALLOWED_IP_LENGTH)]], Field(max_length=ALLOWED_IPS)
]


def _schema(*types: str, **more: Any) -> WithJsonSchema:  # noqa: ANN401 a schema holds anything
    return WithJsonSchema({"type": list(types) if len(types) > 1 else types[0], **more})


class LinkRequest(Given):
    """A link to be made. Every field may be left out; null and "" count as left out."""

    expires_in: Annotated[
        timedelta | None,
        PlainValidator(lambda value: read_duration(blank_as_none(value))),
        WithJsonSchema({"type": ["string", "null"], "pattern": rf"^({DURATION})*$"}),
        _EXPIRES_IN,
    ] = None
    expires_at: Annotated[
        datetime | None,
        PlainValidator(lambda value: read_moment(blank_as_none(value))),
        _schema("string", "null", **_MOMENT_SCHEMA),
        _EXPIRES_AT,
    ] = None
    label: Annotated[_Label, BeforeValidator(blank_as_none)] = None
    note: Annotated[_Note, BeforeValidator(blank_as_none)] = None
    password: Annotated[
        str | None,
        BeforeValidator(blank_as_none),
        WithJsonSchema(
            {
                "type": ["string", "null"],
                "format": "password",
                # Two characters may be eight bytes long; "" counts as left out.
                "anyOf": [{"maxLength": 0}, {"minLength": 2, "maxLength": PASSWORD_BYTES[-1]}],
            }
        ),
        Field(description="8 to 1024 bytes (UTF-8). Only a slow hash is kept."),
    ] = None
    share_type: Annotated[
        ShareType | None,
        BeforeValidator(blank_as_none),
        WithJsonSchema({"enum": [*ShareType, "", None]}),
        Field(description="Left out: `password` if a password is given, else `token`.", examples=["token"]),
    ] = None
    active: Annotated[
        bool | None, BeforeValidator(blank_as_none, json_schema_input_type=bool | Literal[""] | None), _ACTIVE
    ] = None
    access: Annotated[
        Access | None,
        BeforeValidator(blank_as_none),
        WithJsonSchema({"enum": [*Access, "", None]}),
        _ACCESS,
    ] = None
    sign_in_as: SignInAs = None
    start_path: Annotated[
        str | None,
        BeforeValidator(blank_as_none),
        _schema("string", "null", **_PATH_SCHEMA),
        _START_PATH,
    ] = None
    max_visitors: Annotated[
        _MaxVisitors | None,
        BeforeValidator(blank_as_none, json_schema_input_type=_MaxVisitors | Literal[""] | None),
        _MAX_VISITORS,
    ] = None
    allowed_ips: Annotated[
        _AllowedIPs | None,
        BeforeValidator(blank_as_none, json_schema_input_type=_AllowedIPs | Literal[""] | None),
        _ALLOWED_IPS,
    ] = None

    allow_reports: Annotated[
        bool | None, BeforeValidator(blank_as_none, json_schema_input_type=bool | Literal[""] | None), _ALLOW_REPORTS
    ] = None
    allow_exports: Annotated[
        bool | None, BeforeValidator(blank_as_none, json_schema_input_type=bool | Literal[""] | None), _ALLOW_EXPORTS
    ] = None

    def as_new_link(self) -> NewLink:
        """The same for the use case."""
        given = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        return NewLink(**_plain(given))


class LinkPatch(Given):
    """What to change (RFC 7396): fields that are left out stay.

    Null clears label, note, password, signInAs, startPath, maxVisitors and allowedIPs. "" is null but for a password.
    """

    expires_in: Annotated[
        timedelta, PlainValidator(read_required_duration), _schema("string", **_DURATION_SCHEMA), _EXPIRES_IN
    ] = left_out()
    expires_at: Annotated[
        datetime, PlainValidator(read_required_moment), _schema("string", **_MOMENT_SCHEMA), _EXPIRES_AT
    ] = left_out()
    label: _Label = None
    note: _Note = None
    password: Annotated[
        str | None,
        _schema("string", "null", **_PASSWORD_SCHEMA),
        Field(
            description="8 to 1024 bytes (UTF-8); visitors who are in must type it too. Null: the link opens without "
            "a password."
        ),
    ] = None
    active: Annotated[bool, _ACTIVE] = left_out()
    access: Annotated[Access, _ACCESS] = left_out()
    sign_in_as: SignInAs = None
    start_path: Annotated[
        str | None, BeforeValidator(blank_as_none), _schema("string", "null", **_PATH_SCHEMA), _START_PATH
    ] = None
    max_visitors: Annotated[_MaxVisitors | None, _MAX_VISITORS] = None
    allowed_ips: Annotated[_AllowedIPs | None, _ALLOWED_IPS] = None
    allow_reports: Annotated[bool, _ALLOW_REPORTS] = left_out()
    allow_exports: Annotated[bool, _ALLOW_EXPORTS] = left_out()

    def as_change(self) -> LinkChange:
        """The same for the use case."""
        return LinkChange(**_plain({name: getattr(self, name) for name in self.model_fields_set}))


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by name, as the use case has them."""
    return {
        name: value.as_credentials() if isinstance(value, SignInRequest) else value for name, value in given.items()
    }


class LinksQuery(Asked):
    """Which links to list. A mistyped name would list them all, so unknown parameters are refused."""

    status: Status | None = Field(default=None, description="Only links in this state.")
    limit: Annotated[int | None, LIMIT_OR_ALL] = None
    cursor: Annotated[str | None, CURSOR] = None


class PageQuery(Asked):
    """Which part of a list."""

    model_config = ConfigDict(alias_generator=external_name)

    limit: int = Field(default=PAGE, ge=1, le=LONGEST_PAGE, description="How many at most.", examples=[PAGE])
    cursor: Annotated[str | None, CURSOR] = None


class Order(StrEnum):
    """Which way to sort."""

    ASC = "asc"
    DESC = "desc"


class LinkSearchQuery(PageQuery):
    """Which links of all environments to list, and how."""

    search: str | None = Field(
        default=None,
        max_length=SEARCH_LENGTH,
        description="Only links that have each of these words in their label, note or id, or in their environment's "
        "name, in upper or lower case, with or without the marks on letters.",
        examples=["audit"],
    )
    environment_id: str | None = Field(
        default=None, max_length=63, description="Only links to this environment.", examples=["staging"]
    )
    status: Status | None = Field(default=None, description="Only links in this state.", examples=["active"])
    share_type: ShareType | None = Field(default=None, description="Only links of this type.")
    created_by: str | None = Field(
        default=None, max_length=200, description="Only links that this owner made.", examples=["olga"]
    )
    expiring_within: Annotated[
        timedelta | None,
        PlainValidator(read_duration),
        _schema("string", **_DURATION_SCHEMA),
        Field(description="Only active links that end before this time is over.", examples=["24h"]),
    ] = None
    sort: LinkSort = Field(default=LinkSort.CREATED, description="By what to sort.")
    order: Order | None = Field(
        default=None, description="Left out: `asc` for `expires` and `label`, else `desc`.", examples=["desc"]
    )

    def as_search(self) -> LinkSearch:
        """The same for the use case."""
        return LinkSearch(
            text=self.search,
            environment_id=self.environment_id,
            status=self.status,
            share_type=self.share_type,
            created_by=self.created_by,
            expiring_within=self.expiring_within,
            sort=self.sort,
            descending=self.order is Order.DESC if self.order is not None else None,
            limit=self.limit,
            cursor=self.cursor,
        )


class ShareLinkBody(ResponseModel):
    """A share link. `visits`, `visitors` and `lastOpenedAt` follow the visitors within seconds."""

    id: str = Field(examples=["k7nq2w5d3mzr4xta"])
    environment_id: str = Field(examples=["staging"])
    share_type: ShareType = Field(examples=["password"])
    label: str | None = Field(examples=["For the auditors"])
    note: str | None = Field(examples=["Asked for by Anna, until the audit is over."])
    url: str = Field(
        description="What the owner sends. It opens the environment: keep it as one keeps a password.",
        examples=["https://share.example.com/share/gp_…"],
    )
    status: Status = Field(examples=["active"])
    created_at: datetime = Field(examples=["2026-03-04T05:06:07Z"])
    created_by: str = Field(description="The `sub` of the bearer token that made it.", examples=["olga"])
    expires_at: datetime = Field(examples=["2026-03-11T05:06:07Z"])
    deactivated_at: datetime | None
    last_opened_at: datetime | None
    visits: int = Field(description="How often it was opened.", examples=[3])
    visitors: int = Field(description="How many browsers opened it.", examples=[2])
    visitors_now: int = Field(
        description="How many of them requested something, or had something open, within the last minute.",
        examples=[1],
    )
    access: Access = Field(description="What visitors may do.", examples=["full"])
    sign_in_as: SignInAsBody | None = Field(description="Null: visitors sign in themselves.")
    start_path: str | None = Field(description="Null: visitors land at `/`.", examples=["/odoo/crm"])
    max_visitors: int | None = Field(description="Null: any number.", examples=[3])
    places_taken: int | None = Field(
        None,
        description="How many of `maxVisitors` are let in; ended visits and passes of a former URL or password hold no "
        "place. Null: any number is let in.",
        examples=[1],
    )
    allowed_ips: list[str] = Field(description="Empty: from anywhere.", examples=[["198.51.100.0/24"]])
    allow_reports: bool = Field(description="Whether visitors of a view-only link may print.", examples=[False])
    allow_exports: bool = Field(description="Whether visitors of a view-only link may export.", examples=[False])
    warnings: list[WarningBody] = Field(description="What to consider before the link is sent.")

    @classmethod
    def of(cls, owned: OwnedLink) -> ShareLinkBody:
        """The link as its owner sees it."""
        link = owned.link
        values = {each.name: getattr(link, each.name) for each in fields(link) if each.name in cls.model_fields}
        return cls(
            **values,
            environment_id=link.environment.id,
            url=owned.url,
            status=owned.status,
            visitors_now=owned.visitors_now,
            sign_in_as=SignInAsBody.of(owned),
            places_taken=owned.places_taken if link.max_visitors is not None else None,
            warnings=[WarningBody.of(each) for each in owned.warnings],
        )


class ShareLinksBody(ResponseModel):
    """An environment's links, newest first."""

    share_links: list[ShareLinkBody]
    total: int = Field(description="How many there are on all pages.", examples=[1])
    next_cursor: str | None = Field(
        default=None,
        description="The `cursor` of the next page; null at the end, and only there where a page was asked for.",
    )


class FoundLinksBody(ResponseModel):
    """Some of the organisation's links."""

    share_links: list[ShareLinkBody]
    total: int = Field(description="How many there are on all pages.", examples=[1])
    next_cursor: Annotated[str | None, NEXT_CURSOR]

    @classmethod
    def of(cls, page: Page[OwnedLink]) -> FoundLinksBody:
        """The page as its owner sees it."""
        return cls(
            share_links=[ShareLinkBody.of(each) for each in page.items],
            total=page.total or 0,
            next_cursor=page.next_cursor,
        )


class LinkIds(Given):
    """Which links to deactivate, of any environments."""

    ids: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(min_length=1, max_length=MANY, description="Ids of links.", examples=[["k7nq2w5d3mzr4xta"]]),
    ]


class DeactivatedBody(ResponseModel):
    """What became of each link."""

    deactivated: list[str] = Field(description="The links that this has closed.", examples=[["k7nq2w5d3mzr4xta"]])
    already_deactivated: list[str] = Field(description="The links that were deactivated before.", examples=[[]])
    not_found: list[str] = Field(
        description="The ids of links that don't exist, or that the caller may not see.", examples=[[]]
    )

    @classmethod
    def of(cls, many: ManyDeactivated) -> DeactivatedBody:
        """The result as its owner sees it."""
        return cls(
            deactivated=list(many.deactivated),
            already_deactivated=list(many.before),
            not_found=list(many.not_found),
        )
