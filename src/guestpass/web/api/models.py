"""Request and response models of the API, in camelCase.

The schemas say what is necessary; what a schema can't say (lengths in bytes, how fields go together) the
use cases check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from guestpass.app.environments import ENVIRONMENT_TERMS, EnvironmentChange, NewEnvironment
from guestpass.app.paging import Page
from guestpass.app.ports import RefusedCall
from guestpass.domain.environment import (
    ALLOWED_METHOD_LENGTH,
    ALLOWED_METHODS,
    ALLOWED_PATH_LENGTH,
    ALLOWED_PATHS,
    DEFAULT_MAX_CONCURRENT,
    ID_PATTERN,
    Environment,
    EnvironmentKey,
    Kind,
    parse_public_url,
    parse_upstream_url,
)
from guestpass.domain.finding import Finding
from guestpass.domain.view_only import ROUTE_PATTERN
from guestpass.web.api.shapes import (
    CURSOR,
    DURATION,
    LIMIT_OR_ALL,
    NEXT_CURSOR,
    Asked,
    Given,
    ResponseModel,
    left_out,
    read_duration,
    read_required_duration,
)


def _environment_id(value: str) -> str:
    if not ID_PATTERN.fullmatch(value):
        raise ValueError("must be 1 to 63 of a-z, 0-9 and -")
    return value


class Maintenance(Given):
    """Visitors see a page with this message in place of the environment."""

    message: Annotated[
        str, Field(min_length=1, max_length=ENVIRONMENT_TERMS["maintenance"].most, examples=["Back at 14:00."])
    ]


_NAME = Field(
    min_length=1, max_length=ENVIRONMENT_TERMS["name"].most, description="What people call it.", examples=["Staging"]
)
_DESCRIPTION = Field(min_length=1, max_length=ENVIRONMENT_TERMS["description"].most, description="A note for owners.")
_TLS_VERIFY = Field(description="Whether an https environment's certificate is checked. Default true.")
_BODY_LIMIT = Field(
    ge=1,
    le=ENVIRONMENT_TERMS["body_limit"].most,
    description=f"Longest request body, in bytes. Default {Kind.ODOO.default_body_limit} for kind `odoo`, "
    f"{Kind.WEB.default_body_limit} for `web`.",
)
_KIND = Field(description="Which rules apply behind a link: `odoo` (default) or `web`.", examples=["odoo"])
_MAINTENANCE = Field(description="Null: visitors are let in. An object: they see its message.")
_TIMEOUT = Field(
    description="How long the environment may take to begin its answer: a duration from 1s to 24h. Default 720s.",
    examples=["720s", "12m"],
)
_TIMEOUT_SCHEMA: Final = {"pattern": rf"^({DURATION})+$"}
_Url = Annotated[
    str,
    AfterValidator(parse_upstream_url),
    WithJsonSchema({"type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$"}),
]
_URL = Field(description="Where it runs: http or https, a host, no path.", examples=["http://10.0.0.5:8069"])
_WEBSOCKET_URL = Field(
    description="Where `/websocket` goes (for kind `odoo` also `/longpolling`), if not to `url`. Left out for kind "
    "`odoo`, port 8072 beside `url` is taken where it answers.",
    examples=["http://10.0.0.5:8072"],
)
_PublicUrl = Annotated[
    str,
    AfterValidator(parse_public_url),
    WithJsonSchema({"type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$"}),
]
_PUBLIC_URL = Field(
    description="How people reach it without a share link: for kind `odoo` its web.base.url. Odoo is called by this "
    "name, whatever host a visitor uses.",
    examples=["https://odoo.example.com"],
)
_DATABASE = Field(
    min_length=1,
    max_length=ENVIRONMENT_TERMS["database"].most,
    description="The Odoo database that links lead to, where the server has several.",
    examples=["staging"],
)
_ALLOW_PATHS = Field(
    max_length=ALLOWED_PATHS,
    description="Blocked paths of Odoo that are allowed, with all below them: whoever has a link can then try Odoo's "
    "passwords there. The database manager and its services stay blocked. Default: none.",
    examples=[["/jsonrpc"]],
)
_AllowPaths = list[
    Annotated[
        str,
        WithJsonSchema({"type": "string", "pattern": "^/", "minLength": 2, "maxLength": ALLOWED_PATH_LENGTH}),
    ]
]
_METHOD_PATTERN: Final = (
    r"^(ir\.actions\.server/([0-9]+|[a-z0-9_]+\.[A-Za-z0-9_.-]+)|[a-z0-9_]+(\.[a-z0-9_]+)*/[A-Za-z][A-Za-z0-9_]*|"
    rf"{ROUTE_PATTERN})$"
)
_READ_ONLY_ALLOW = Field(
    max_length=ALLOWED_METHODS,
    description="What view-only links may ask for besides what Odoo is known to only read: methods and buttons, each "
    "as `model/method`, server actions as `ir.actions.server/` with the external id or number, and addresses of "
    "modules as `/agency/figures/*`, where a segment that is `*` stands for any one. Allow what only reads: whoever "
    "has such a link can ask for it with any arguments. What signs in or pays, what is blocked for every link, and "
    "what is for Odoo's own client can't be allowed. Default: none.",
    examples=[["sale.order/get_dashboard_figures", "/agency/figures/*"]],
)
_ReadOnlyAllow = list[
    Annotated[
        str,
        WithJsonSchema({"type": "string", "pattern": _METHOD_PATTERN, "maxLength": ALLOWED_METHOD_LENGTH}),
    ]
]
_MAX_CONCURRENT = Field(
    ge=1,
    le=ENVIRONMENT_TERMS["max_concurrent"].most,
    description="How many requests Odoo gets at a time (kind `odoo` only); the others wait in turns that are fair "
    f"among visitors. Twice the number of Odoo's workers is right. Default {DEFAULT_MAX_CONCURRENT}.",
    examples=[DEFAULT_MAX_CONCURRENT],
)


class EnvironmentRequest(Given):
    """An environment to be registered. Null counts as left out."""

    id: Annotated[
        str | None,
        BeforeValidator(lambda value: _environment_id(value) if isinstance(value, str) else value),
        WithJsonSchema({"type": ["string", "null"], "pattern": "^[a-z0-9-]{1,63}$"}),
        Field(description="Chosen by the caller, or else made from the name.", examples=["staging"]),
    ] = None
    name: Annotated[str, _NAME]
    url: Annotated[_Url, _URL]
    websocket_url: Annotated[_Url | None, _WEBSOCKET_URL] = None
    kind: Annotated[Kind | None, _KIND] = None
    description: Annotated[str | None, _DESCRIPTION] = None
    tls_verify: Annotated[bool | None, _TLS_VERIFY] = None
    body_limit: Annotated[int | None, _BODY_LIMIT] = None
    response_timeout: Annotated[
        timedelta | None,
        PlainValidator(read_duration),
        WithJsonSchema({"type": ["string", "null"], **_TIMEOUT_SCHEMA}),
        _TIMEOUT,
    ] = None
    maintenance: Annotated[Maintenance | None, _MAINTENANCE] = None
    public_url: Annotated[_PublicUrl | None, _PUBLIC_URL] = None
    database: Annotated[str | None, _DATABASE] = None
    allow_paths: Annotated[_AllowPaths | None, _ALLOW_PATHS] = None
    max_concurrent: Annotated[int | None, _MAX_CONCURRENT] = None
    read_only_allow: Annotated[_ReadOnlyAllow | None, _READ_ONLY_ALLOW] = None

    def as_new_environment(self) -> NewEnvironment:
        """The same for the use case."""
        given = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        return NewEnvironment(**_plain(given))


class EnvironmentPatch(Given):
    """What to change (RFC 7396): fields that are left out stay.

    Null clears websocketUrl, description, maintenance, publicUrl and database.
    """

    name: Annotated[str, _NAME] = left_out()
    url: Annotated[_Url, _URL] = left_out()
    websocket_url: Annotated[_Url | None, _WEBSOCKET_URL] = None
    kind: Annotated[Kind, _KIND] = left_out()
    description: Annotated[str | None, _DESCRIPTION] = None
    tls_verify: Annotated[bool, _TLS_VERIFY] = left_out()
    body_limit: Annotated[int, _BODY_LIMIT] = left_out()
    response_timeout: Annotated[
        timedelta,
        PlainValidator(read_required_duration),
        WithJsonSchema({"type": "string", **_TIMEOUT_SCHEMA}),
        _TIMEOUT,
    ] = left_out()
    maintenance: Annotated[Maintenance | None, _MAINTENANCE] = None
    public_url: Annotated[_PublicUrl | None, _PUBLIC_URL] = None
    database: Annotated[str | None, _DATABASE] = None
    allow_paths: Annotated[_AllowPaths, _ALLOW_PATHS] = left_out()
    max_concurrent: Annotated[int, _MAX_CONCURRENT] = left_out()
    read_only_allow: Annotated[_ReadOnlyAllow, _READ_ONLY_ALLOW] = left_out()

    def as_change(self) -> EnvironmentChange:
        """The same for the use case."""
        return EnvironmentChange(**_plain({name: getattr(self, name) for name in self.model_fields_set}))


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by name, as the use case has them."""
    return {name: value.message if isinstance(value, Maintenance) else value for name, value in given.items()}


class LoginRequest(Given):
    """A visitor's password."""

    password: Annotated[str | None, WithJsonSchema({"type": "string", "format": "password"})] = None


class MessageBody(ResponseModel):
    """What was done."""

    message: str


class MaintenanceBody(ResponseModel):
    """What visitors see in place of the environment."""

    message: str


class FindingBody(ResponseModel):
    """Something about an environment that its owner should know."""

    code: str = Field(description="Stable.", examples=["shared_origin"])
    detail: str = Field(description="What is so, and why it matters.")
    remedy: str = Field(description="What to do about it.")
    at: datetime | None = Field(description="When it happened, for what happens at a time.")

    @classmethod
    def of(cls, finding: Finding) -> FindingBody:
        """The finding as its owner sees it."""
        return cls(code=finding.code, detail=finding.detail, remedy=finding.remedy, at=finding.at)


class EnvironmentBody(ResponseModel):
    """A registered environment."""

    id: str = Field(examples=["staging"])
    name: str = Field(examples=["Staging"])
    url: str = Field(examples=["http://10.0.0.5:8069"])
    websocket_url: str | None
    kind: Kind
    description: str | None
    tls_verify: bool
    body_limit: int = Field(description="In bytes.", examples=[268435456])
    response_timeout: str = Field(description="In seconds, as a duration.", examples=["720s"])
    maintenance: MaintenanceBody | None
    created_at: datetime = Field(examples=["2026-03-04T05:06:07Z"])
    created_by: str = Field(description="The `sub` of the bearer token that registered it.", examples=["olga"])
    public_url: str | None = Field(examples=["https://odoo.example.com"])
    database: str | None
    allow_paths: list[str]
    max_concurrent: int = Field(examples=[DEFAULT_MAX_CONCURRENT])
    read_only_allow: list[str] = Field(description="Methods as `model/method`, addresses as `/path`.")
    odoo_version: str | None = Field(description="As Odoo told it at the last check.", examples=["18.0"])
    checked_at: datetime | None = Field(
        description="When it was last checked: at registration, after a change of how it is reached, or when asked."
    )
    findings: list[FindingBody] = Field(
        description="What was found then, what visitors met with since, and what follows from how it is served."
    )

    @classmethod
    def of(cls, environment: Environment, findings: Sequence[Finding]) -> EnvironmentBody:
        """The environment as its owner sees it."""
        message = environment.maintenance
        values = {each.name: getattr(environment, each.name) for each in fields(environment)}
        # Seconds lose nothing and are understood by every reader of Go durations, which days are not.
        values["response_timeout"] = f"{environment.response_timeout.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
        values["maintenance"] = MaintenanceBody(message=message) if message is not None else None
        values["findings"] = [FindingBody.of(each) for each in findings]
        return cls(id=environment.id, **{name: value for name, value in values.items() if name in cls.model_fields})


class EnvironmentsQuery(Asked):
    """Which environments to list. A mistyped name would list them all, so unknown parameters are refused."""

    limit: Annotated[int | None, LIMIT_OR_ALL] = None
    cursor: Annotated[str | None, CURSOR] = None


class EnvironmentsBody(ResponseModel):
    """The organisation's environments, by name."""

    environments: list[EnvironmentBody]
    total: int = Field(description="How many there are on all pages.", examples=[1])
    next_cursor: Annotated[str | None, NEXT_CURSOR] = None

    @classmethod
    def of(
        cls,
        environments: Sequence[Environment],
        findings: Mapping[EnvironmentKey, Sequence[Finding]],
        page: Page[Environment] | None = None,
    ) -> EnvironmentsBody:
        """The environments as their owner sees them: all, or those of a page."""
        bodies = [EnvironmentBody.of(each, findings[each.key]) for each in environments]
        if page is None:
            return cls(environments=bodies, total=len(bodies))
        return cls(environments=bodies, total=page.total or 0, next_cursor=page.next_cursor)


class RefusedCallBody(ResponseModel):
    """A method or an address that view-only links refused: `readOnlyAllow` names it as `model/method`."""

    model: str = Field(description="Empty for an address.", examples=["sale.order"])
    method: str = Field(
        description="Of an address what is behind the first slash, with `*` for what may be a record's number.",
        examples=["get_dashboard_figures"],
    )
    count: int = Field(description="How often.", examples=[3])
    last_at: datetime = Field(examples=["2026-03-04T05:06:07Z"])


class RefusedCallsBody(ResponseModel):
    """What view-only links of an environment refused, most often first."""

    refused_calls: list[RefusedCallBody]
    total: int

    @classmethod
    def of(cls, calls: Sequence[RefusedCall]) -> RefusedCallsBody:
        """The calls as their owner sees them."""
        bodies = [
            RefusedCallBody(model=each.model, method=each.method, count=each.count, last_at=each.last_at)
            for each in calls
        ]
        return cls(refused_calls=bodies, total=len(bodies))
