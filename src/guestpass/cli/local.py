"""Run commands beside the server: use cases on the same database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from guestpass.app.accounts import SignInCredentials
from guestpass.app.environments import EnvironmentChange, NewEnvironment
from guestpass.app.links import LinkChange, LinkSearch, NewLink
from guestpass.cli.bodies import as_account, as_body, as_patch, as_query
from guestpass.domain.access import Principal
from guestpass.domain.environment import Environment
from guestpass.domain.errors import FieldError
from guestpass.domain.link import EventKind
from guestpass.web.api.account_models import AccountBody, AccountRequest, AccountsBody
from guestpass.web.api.link_models import (
    DeactivatedBody,
    FoundLinksBody,
    LinkPatch,
    LinkRequest,
    LinkSearchQuery,
    ShareLinkBody,
)
from guestpass.web.api.models import (
    EnvironmentBody,
    EnvironmentPatch,
    EnvironmentRequest,
    EnvironmentsBody,
    RefusedCallsBody,
)
from guestpass.web.api.record_models import HistoryBody, PasswordTriesBody, RefusalsBody, VisitorsBody
from guestpass.web.api.shapes import Given
from guestpass.web.validation import find_further, read_json, read_query

if TYPE_CHECKING:
    from guestpass.wiring import Core

Model = TypeVar("Model", bound=Given)


class LocalBackend:
    """Use cases as an owner runs them: arguments are those of use cases, results the API's models.

    It acts for `principal` through `core`. Every call raises the domain's errors: Invalid, Forbidden, and NotFound for
    an id that is not there.
    """

    def __init__(self, core: Core, principal: Principal) -> None:
        self._core = core
        self._principal = principal
        links, environments = core.links, core.environments
        # Further errors of a body, reported together as the API does.
        self._further: dict[type[Any], tuple[type[Any], Callable[[Any], Sequence[FieldError]]]] = {
            LinkRequest: (LinkRequest, lambda body: links.errors_of(body.as_new_link())),
            LinkPatch: (LinkPatch, lambda body: links.errors_of(body.as_change())),
            EnvironmentRequest: (EnvironmentPatch, lambda body: environments.errors_of(body.as_change())),
            EnvironmentPatch: (EnvironmentPatch, lambda body: environments.errors_of(body.as_change())),
        }

    async def environments(self) -> EnvironmentsBody:
        """All of the organisation's, by name."""
        environments = await self._core.environments.list_all(self._principal)
        return EnvironmentsBody.of(environments, await self._core.findings.of(environments))

    async def environment(self, id: str) -> EnvironmentBody:
        """One of them."""
        return await self._shown(await self._core.environments.get(self._principal, id))

    async def add_environment(self, new: NewEnvironment) -> EnvironmentBody:
        """Register an environment and check it."""
        body = self._read(EnvironmentRequest, as_body(new))
        return await self._shown(await self._core.environments.add(self._principal, body.as_new_environment()))

    async def change_environment(self, id: str, change: EnvironmentChange) -> EnvironmentBody:
        """Change what is given."""
        body = self._read(EnvironmentPatch, as_patch(change.given()))
        return await self._shown(await self._core.environments.change(self._principal, id, body.as_change()))

    async def check_environment(self, id: str) -> EnvironmentBody:
        """Check it again."""
        return await self._shown(await self._core.environments.check(self._principal, id))

    async def remove_environment(self, id: str) -> None:
        """Remove it with all its links."""
        await self._core.environments.remove(self._principal, id)

    async def refused_calls(self, id: str) -> RefusedCallsBody:
        """What view-only links refused."""
        return RefusedCallsBody.of(await self._core.environments.refused_calls(self._principal, id))

    async def accounts(self, environment_id: str) -> AccountsBody:
        """An environment's accounts, by name."""
        return AccountsBody.of(await self._core.accounts.list_all(self._principal, environment_id))

    async def put_account(
        self, environment_id: str, credentials: SignInCredentials, name: str | None
    ) -> tuple[AccountBody, bool]:
        """Keep the credentials of an Odoo user; True where the account is new."""
        body = self._read(AccountRequest, as_account(credentials, name))
        account = await self._core.accounts.put(self._principal, environment_id, body.as_credentials(), name=body.name)
        return AccountBody.of(account), account.revision == 1

    async def remove_account(self, environment_id: str, name: str) -> None:
        """Forget an account."""
        await self._core.accounts.remove(self._principal, environment_id, name)

    async def find_links(self, search: LinkSearch) -> FoundLinksBody:
        """A page of links of all environments."""
        query = read_query(LinkSearchQuery, as_query(search))
        return FoundLinksBody.of(await self._core.links.find(self._principal, query.as_search()))

    async def create_link(self, environment_id: str, new: NewLink) -> ShareLinkBody:
        """Make a link."""
        body = self._read(LinkRequest, as_body(new))
        return ShareLinkBody.of(await self._core.links.create(self._principal, environment_id, body.as_new_link()))

    async def change_link(self, environment_id: str, id: str, change: LinkChange) -> ShareLinkBody:
        """Change what is given."""
        body = self._read(LinkPatch, as_patch(change.given()))
        return ShareLinkBody.of(await self._core.links.change(self._principal, environment_id, id, body.as_change()))

    async def rotate_link(self, environment_id: str, id: str) -> ShareLinkBody:
        """Give it a new URL."""
        return ShareLinkBody.of(await self._core.links.rotate(self._principal, environment_id, id))

    async def deactivate_links(self, ids: Sequence[str]) -> DeactivatedBody:
        """Switch links off."""
        return DeactivatedBody.of(await self._core.links.deactivate_many(self._principal, ids))

    async def remove_link(self, environment_id: str, id: str) -> None:
        """Remove its record."""
        await self._core.links.remove(self._principal, environment_id, id)

    async def history(
        self, environment_id: str, id: str, *, kinds: Sequence[EventKind], limit: int, cursor: str | None = None
    ) -> HistoryBody:
        """A page of what happened to a link, newest first."""
        return HistoryBody.of(
            await self._core.records.history(
                self._principal, environment_id, id, kinds=kinds, limit=limit, cursor=cursor
            )
        )

    async def visitors(self, environment_id: str, id: str, *, limit: int, cursor: str | None = None) -> VisitorsBody:
        """A page of who came through it, those seen last first."""
        page = await self._core.records.visitors(self._principal, environment_id, id, limit=limit, cursor=cursor)
        return VisitorsBody.of(page, self._core.clock.now())

    async def end_visit(self, environment_id: str, id: str, visitor_id: str) -> None:
        """End one visit."""
        await self._core.records.end_visit(self._principal, environment_id, id, visitor_id)

    async def refusals(self, environment_id: str, id: str) -> RefusalsBody:
        """Who was turned away lately, newest first."""
        return RefusalsBody.of(await self._core.records.refusals(self._principal, environment_id, id))

    async def password_tries(self, environment_id: str, id: str) -> PasswordTriesBody:
        """Whether the link's password can be tried."""
        return PasswordTriesBody(
            locked_until=await self._core.password_tries.locked_until(self._principal, environment_id, id)
        )

    async def unlock(self, environment_id: str, id: str) -> None:
        """Let everybody try the password again."""
        await self._core.password_tries.unlock(self._principal, environment_id, id)

    def _read(self, model: type[Model], values: Mapping[str, Any]) -> Model:
        """Validate a body with the API's model; raises Invalid with each wrong field."""
        body = json.dumps(values).encode()
        if model not in self._further:
            return read_json(model, body)
        sound, errors_of = self._further[model]
        return read_json(model, body, lambda wrong: find_further(sound, body, wrong, errors_of))

    async def _shown(self, environment: Environment) -> EnvironmentBody:
        return EnvironmentBody.of(environment, (await self._core.findings.of([environment]))[environment.key])
