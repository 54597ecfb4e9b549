"""The repository of the Odoo sessions that we hold for visitors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, literal, not_, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import OdooSession
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import Status
from guestpass.storage.dialect import insert
from guestpass.storage.links import has_status
from guestpass.storage.tables import accounts, environments, links, odoo_sessions, visitors


class SQLOdooSessions:
    """One row for each visitor of a link who is signed in; every write is conditional on what the writer knew."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, link_id: str, visitor: str) -> OdooSession | None:
        """The session, or None."""
        row = (await self._connection.execute(select(odoo_sessions).where(_is(link_id, visitor)))).one_or_none()
        return None if row is None else _session(row)

    async def claim(self, wanted: OdooSession, *, claim: str, now: datetime, until: datetime) -> bool:
        """Take the right to sign this visitor in, until `until`; False also where the environment is gone.

        True where the row has `wanted.revision` (or there is none, and then it is inserted with `sealed` None and
        revision 0) and no other claim runs at `now`.
        """
        table = odoo_sessions
        row = {
            table.c.link_id: wanted.link_id,
            table.c.visitor: wanted.visitor,
            table.c.org: wanted.environment.org,
            table.c.environment_id: wanted.environment.id,
            table.c.account: wanted.account,
            table.c.account_revision: wanted.account_revision,
            table.c.link_version: wanted.link_version,
            table.c.revision: 0,
            table.c.claim: claim,
            table.c.claimed_until: until,
            table.c.ends_at: wanted.ends_at,
        }
        environment_exists = exists(
            select(environments.c.id).where(
                environments.c.org == wanted.environment.org, environments.c.id == wanted.environment.id
            )
        )
        values = select(*(literal(value, column.type) for column, value in row.items())).where(environment_exists)
        statement = (
            insert(table)
            .from_select(list(row), values)
            .on_conflict_do_update(
                index_elements=[table.c.link_id, table.c.visitor],
                set_={"claim": claim, "claimed_until": until},
                where=and_(
                    table.c.revision == wanted.revision, or_(table.c.claim.is_(None), table.c.claimed_until <= now)
                ),
            )
            .returning(table.c.revision)
        )
        return (await self._connection.execute(statement)).one_or_none() is not None

    async def complete(self, session: OdooSession, *, claim: str) -> int | None:
        """Write what a sign-in brought (`sealed`, account, revisions), end the claim and return the new revision.

        None where the claim is no longer ours.
        """
        statement = (
            update(odoo_sessions)
            .where(_is(session.link_id, session.visitor), odoo_sessions.c.claim == claim)
            .values(
                account=session.account,
                account_revision=session.account_revision,
                link_version=session.link_version,
                sealed=session.sealed,
                revision=odoo_sessions.c.revision + 1,
                claim=None,
                claimed_until=None,
            )
            .returning(odoo_sessions.c.revision)
        )
        revision: int | None = (await self._connection.execute(statement)).scalar_one_or_none()
        return revision

    async def release(self, link_id: str, visitor: str, *, claim: str) -> None:
        """End a claim whose sign-in failed; what never held a session is not kept."""
        ours = and_(_is(link_id, visitor), odoo_sessions.c.claim == claim)
        await self._connection.execute(delete(odoo_sessions).where(ours, odoo_sessions.c.sealed.is_(None)))
        await self._connection.execute(update(odoo_sessions).where(ours).values(claim=None, claimed_until=None))

    async def rotate(self, link_id: str, visitor: str, *, revision: int, sealed: bytes) -> bool:
        """Write the id that Odoo moved the session to; False where the row no longer has that revision."""
        statement = (
            update(odoo_sessions)
            .where(_is(link_id, visitor), odoo_sessions.c.revision == revision)
            .values(sealed=sealed, revision=revision + 1)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def remove(self, link_id: str, visitor: str) -> OdooSession | None:
        """Delete and return the row; None when there was none, so that one caller ends the session."""
        statement = delete(odoo_sessions).where(_is(link_id, visitor)).returning(odoo_sessions)
        row = (await self._connection.execute(statement)).one_or_none()
        return None if row is None else _session(row)

    async def remove_all(self, environment: EnvironmentKey) -> list[OdooSession]:
        """Delete and return all of an environment."""
        of_it = and_(odoo_sessions.c.org == environment.org, odoo_sessions.c.environment_id == environment.id)
        statement = delete(odoo_sessions).where(of_it).returning(odoo_sessions)
        return [_session(row) for row in await self._connection.execute(statement)]

    async def remove_ended(self, now: datetime, *, limit: int) -> list[OdooSession]:
        """Delete and return up to `limit` rows that are over at `now`.

        Their link is gone, not active, of another version, or signs in as another account; an owner ended the visit;
        or their own time is over.
        """
        table = odoo_sessions
        current = exists(
            select(links.c.id).where(
                links.c.id == table.c.link_id,
                links.c.version == table.c.link_version,
                has_status(Status.ACTIVE, now),
            )
        )
        is_ended = exists(
            select(visitors.c.visitor).where(
                visitors.c.link_id == table.c.link_id,
                visitors.c.visitor == table.c.visitor,
                visitors.c.ended_at.is_not(None),
            )
        )
        same_credentials = exists(
            select(accounts.c.name).where(
                accounts.c.org == table.c.org,
                accounts.c.environment_id == table.c.environment_id,
                accounts.c.name == table.c.account,
                accounts.c.revision == table.c.account_revision,
            )
        )
        same_account = exists(
            select(links.c.id).where(links.c.id == table.c.link_id, links.c.account == table.c.account)
        )
        # Whoever signs the visitor in with other credentials just now sees to the former session himself.
        is_outdated = and_(
            not_(and_(same_account, same_credentials)), or_(table.c.claim.is_(None), table.c.claimed_until <= now)
        )
        key = (table.c.link_id, table.c.visitor)
        # Where there are row locks, rows that another worker is about to remove are left to it.
        ended = (
            select(*key)
            .where(or_(not_(current), is_ended, is_outdated, table.c.ends_at <= now))
            .order_by(*key)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = delete(table).where(tuple_(*key).in_(ended)).returning(table)
        return [_session(row) for row in await self._connection.execute(statement)]


def _is(link_id: str, visitor: str) -> ColumnElement[bool]:
    return and_(odoo_sessions.c.link_id == link_id, odoo_sessions.c.visitor == visitor)


def _session(row: Row[Any]) -> OdooSession:
    return OdooSession(
        link_id=row.link_id,
        visitor=row.visitor,
        environment=EnvironmentKey(row.org, row.environment_id),
        account=row.account,
        account_revision=row.account_revision,
        link_version=row.link_version,
        sealed=row.sealed,
        revision=row.revision,
        ends_at=row.ends_at,
    )
