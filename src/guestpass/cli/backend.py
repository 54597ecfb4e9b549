"""What commands ask for, whoever answers: the data directory beside us, or a server somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from guestpass.app.accounts import SignInCredentials
from guestpass.app.environments import EnvironmentChange, NewEnvironment
from guestpass.app.links import LinkChange, LinkSearch, NewLink
from guestpass.domain.link import EventKind
from guestpass.web.api.account_models import AccountBody, AccountsBody
from guestpass.web.api.link_models import DeactivatedBody, FoundLinksBody, ShareLinkBody
from guestpass.web.api.models import EnvironmentBody, EnvironmentsBody, RefusedCallsBody
from guestpass.web.api.record_models import HistoryBody, PasswordTriesBody, RefusalsBody, VisitorsBody


class Backend(Protocol):
    """The use cases as an owner has them: what is given is what use cases take, the results are the API's.

    Every call raises the domain's errors: Invalid, Forbidden, and NotFound for an id that is not there. A remote one
    raises Stopped for the others, and where the server can't be reached or understood.
    """

    async def environments(self) -> EnvironmentsBody:
        """All of the organisation's, by name."""
        ...

    async def environment(self, id: str) -> EnvironmentBody:
        """One of them."""
        ...

    async def add_environment(self, new: NewEnvironment) -> EnvironmentBody:
        """Register one and look at it."""
        ...

    async def change_environment(self, id: str, change: EnvironmentChange) -> EnvironmentBody:
        """Change what is given."""
        ...

    async def check_environment(self, id: str) -> EnvironmentBody:
        """Look at it again."""
        ...

    async def remove_environment(self, id: str) -> None:
        """Remove it with all its links."""
        ...

    async def refused_calls(self, id: str) -> RefusedCallsBody:
        """What view-only links refused."""
        ...

    async def accounts(self, environment_id: str) -> AccountsBody:
        """An environment's accounts, by name."""
        ...

    async def put_account(
        self, environment_id: str, credentials: SignInCredentials, name: str | None
    ) -> tuple[AccountBody, bool]:
        """Keep the credentials of an Odoo user; True where the account is new."""
        ...

    async def remove_account(self, environment_id: str, name: str) -> None:
        """Forget an account."""
        ...

    async def find_links(self, search: LinkSearch) -> FoundLinksBody:
        """A page of links of all environments."""
        ...

    async def create_link(self, environment_id: str, new: NewLink) -> ShareLinkBody:
        """Make a link."""
        ...

    async def change_link(self, environment_id: str, id: str, change: LinkChange) -> ShareLinkBody:
        """Change what is given."""
        ...

    async def rotate_link(self, environment_id: str, id: str) -> ShareLinkBody:
        """Give it a new URL."""
        ...

    async def deactivate_links(self, ids: Sequence[str]) -> DeactivatedBody:
        """Switch links off."""
        ...

    async def remove_link(self, environment_id: str, id: str) -> None:
        """Remove its record."""
        ...

    async def history(
        self, environment_id: str, id: str, *, kinds: Sequence[EventKind], limit: int, cursor: str | None = None
    ) -> HistoryBody:
        """A page of what happened to a link, newest first."""
        ...

    async def visitors(self, environment_id: str, id: str, *, limit: int, cursor: str | None = None) -> VisitorsBody:
        """A page of who came through it, those seen last first."""
        ...

    async def end_visit(self, environment_id: str, id: str, visitor_id: str) -> None:
        """End one visit."""
        ...

    async def refusals(self, environment_id: str, id: str) -> RefusalsBody:
        """Who was turned away lately, newest first."""
        ...

    async def password_tries(self, environment_id: str, id: str) -> PasswordTriesBody:
        """Whether the link's password can be tried."""
        ...

    async def unlock(self, environment_id: str, id: str) -> None:
        """Let everybody try the password again."""
        ...
