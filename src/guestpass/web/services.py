"""The services that the API and visitors' pages use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from guestpass.app.accounts import AccountService
from guestpass.app.branding import BrandingService
from guestpass.app.environments import EnvironmentService
from guestpass.app.findings import Findings
from guestpass.app.link_records import LinkRecords
from guestpass.app.links import LinkService
from guestpass.app.owner_writes import OwnerWrites
from guestpass.app.password_login import PasswordLogin
from guestpass.app.password_tries import PasswordTries
from guestpass.app.ports import Clock
from guestpass.app.public_urls import PublicUrls
from guestpass.app.token_revocation import TokenRevocation
from guestpass.domain.finding import Finding
from guestpass.signing.bearer import BearerTokens
from guestpass.signing.passes import PassSigner
from guestpass.web.notices import Notices


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServices:
    """The use cases and signers behind the routes.

    `ready` tells whether this process can serve visitors now, `unwritable` why changes can fail (None where they
    can't), `installation_findings` what its operator should know, `serves` whether a host name is ours.
    `owner_writes` bounds what each owner changes.
    """

    links: LinkService
    records: LinkRecords
    password_tries: PasswordTries
    environments: EnvironmentService
    accounts: AccountService
    branding: BrandingService
    findings: Findings
    password_login: PasswordLogin
    bearer: BearerTokens
    revocation: TokenRevocation
    passes: PassSigner
    addresses: PublicUrls
    notices: Notices
    clock: Clock
    ready: Callable[[], Awaitable[bool]]
    serves: Callable[[str], Awaitable[bool]]
    unwritable: Callable[[], str | None] = lambda: None
    installation_findings: Callable[[], Sequence[Finding]] = tuple
    owner_writes: OwnerWrites = field(default_factory=OwnerWrites)


def services_of(request: Request) -> WebServices:
    """The services that `create_application` was given."""
    services: WebServices = request.app.state.services
    return services


Services = Annotated[WebServices, Depends(services_of)]
