"""The repository of the Odoo accounts that links sign visitors in as."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.domain.account import Account, AccountRight, SignInRefusal
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import Status
from guestpass.storage.dialect import insert
from guestpass.storage.links import has_status
from guestpass.storage.tables import accounts, links


class SQLAccounts:
    """The accounts of environments, and whether Odoo last accepted their credentials."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, key: EnvironmentKey, name: str) -> Account | None:
        """The account, or None."""
        row = (await self._connection.execute(select(accounts).where(_is(key, name)))).one_or_none()
        return None if row is None else _account(row)

    async def all(self, key: EnvironmentKey) -> list[Account]:
        return await self.of_org(key.org, id=key.id)

    async def of_org(self, org: str, *, id: str | None = None) -> list[Account]:
        query = select(accounts).where(accounts.c.org == org).order_by(accounts.c.environment_id, accounts.c.name)
        if id is not None:
            query = query.where(accounts.c.environment_id == id)
        return [_account(row) for row in await self._connection.execute(query)]

    async def put(self, account: Account) -> None:
        content = {
            "login": account.login,
            "sealed_password": account.sealed_password,
            "is_admin": account.is_admin,
            "revision": account.revision,
            "created_at": account.created_at,
            "created_by": account.created_by,
            "refused_at": account.refused_at,
            "refusal": account.refusal.value if account.refusal is not None else None,
            "is_internal": account.is_internal,
            "rights": " ".join(sorted(account.rights)),
        }
        key = {"org": account.environment.org, "environment_id": account.environment.id, "name": account.name}
        statement = insert(accounts).values({**key, **content})
        await self._connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=content))

    async def remove(self, key: EnvironmentKey, name: str) -> bool:
        return (await self._connection.execute(delete(accounts).where(_is(key, name)))).rowcount > 0

    async def links_using(self, key: EnvironmentKey, name: str, *, now: datetime) -> int:
        query = (
            select(func.count())
            .select_from(links)
            .where(links.c.org == key.org, links.c.environment_id == key.id, links.c.account == name)
            .where(has_status(Status.ACTIVE, now))
        )
        return (await self._connection.execute(query)).scalar_one()

    async def refuse(self, key: EnvironmentKey, name: str, revision: int, at: datetime, why: SignInRefusal) -> bool:
        statement = (
            update(accounts)
            .where(_is(key, name), accounts.c.revision == revision)
            .values(refused_at=at, refusal=why.value)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def accept(self, key: EnvironmentKey, name: str, revision: int) -> bool:
        """Record that Odoo accepted the account; False where no refusal of these credentials was recorded."""
        statement = (
            update(accounts)
            .where(_is(key, name), accounts.c.revision == revision, accounts.c.refused_at.is_not(None))
            .values(refused_at=None, refusal=None)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def claim_retry(self, key: EnvironmentKey, name: str, *, now: datetime, before: datetime) -> bool:
        """Claim the next try of an account that was refused before `before`; True for one caller only."""
        statement = update(accounts).where(_is(key, name), accounts.c.refused_at < before).values(refused_at=now)
        return (await self._connection.execute(statement)).rowcount > 0


def _is(key: EnvironmentKey, name: str) -> ColumnElement[bool]:
    return and_(accounts.c.org == key.org, accounts.c.environment_id == key.id, accounts.c.name == name)


def _account(row: Row[Any]) -> Account:
    return Account(
        environment=EnvironmentKey(row.org, row.environment_id),
        name=row.name,
        login=row.login,
        sealed_password=row.sealed_password,
        is_admin=row.is_admin,
        revision=row.revision,
        created_at=row.created_at,
        created_by=row.created_by,
        refused_at=row.refused_at,
        refusal=SignInRefusal(row.refusal) if row.refusal is not None else None,
        is_internal=row.is_internal,
        rights=frozenset(AccountRight(each) for each in (row.rights or "").split() if each in _RIGHTS),
    )


# A later version may know more.
_RIGHTS = frozenset(AccountRight)
