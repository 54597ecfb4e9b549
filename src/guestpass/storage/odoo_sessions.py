"""The repository of the Odoo sessions that are kept for visitors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Row,
    and_,
    delete,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from guestpass.app.ports import OdooSession, SessionKey
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import Status
from guestpass.storage.batch import rows, rows_table
from guestpass.storage.dialect import insert
from guestpass.storage.links import has_status
from guestpass.storage.tables import accounts, environments, links, odoo_sessions, odoo_sign_outs, visitors


class SQLOdooSessions:
    """One row per signed-in visitor of a link; writes are conditional on the revision that the writer has read."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, link_id: str, visitor: str) -> OdooSession | None:
        """The session, or None."""
        row = (await self._connection.execute(select(odoo_sessions).where(_is(link_id, visitor)))).one_or_none()
        return None if row is None else _session(row)

    async def claim(self, wanted: OdooSession, *, claim: str, now: datetime, until: datetime) -> bool:
        """Claim the sign-in of this visitor until `until`; False also if the environment no longer exists.

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

    async def complete(self, session: OdooSession, *, claim: str, now: datetime) -> int | None:
        ours = and_(_is(session.link_id, session.visitor), odoo_sessions.c.claim == claim)
        await self._sign_out(ours, now)
        statement = (
            update(odoo_sessions)
            .where(ours)
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
        """Release a claim whose sign-in failed; delete the row if it never held a session."""
        ours = and_(_is(link_id, visitor), odoo_sessions.c.claim == claim)
        await self._connection.execute(delete(odoo_sessions).where(ours, odoo_sessions.c.sealed.is_(None)))
        await self._connection.execute(update(odoo_sessions).where(ours).values(claim=None, claimed_until=None))

    async def rotate(self, link_id: str, visitor: str, *, revision: int, sealed: bytes) -> bool:
        statement = (
            update(odoo_sessions)
            .where(_is(link_id, visitor), odoo_sessions.c.revision == revision)
            .values(sealed=sealed, revision=revision + 1)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def end(self, link_id: str, visitor: str, now: datetime) -> bool:
        """End the visitor's session; False if there was none, so that exactly one caller ends it."""
        return bool(await self._end(_is(link_id, visitor), now))

    async def end_all(self, environment: EnvironmentKey, now: datetime) -> None:
        of_it = and_(odoo_sessions.c.org == environment.org, odoo_sessions.c.environment_id == environment.id)
        await self._sign_out(of_it, now)
        await self._connection.execute(delete(odoo_sessions).where(of_it))

    async def scan(self, now: datetime, *, after: SessionKey, count: int) -> list[tuple[SessionKey, bool]]:
        table = odoo_sessions
        some = select(table).where(tuple_(*_KEY) > tuple_(*after)).order_by(*_KEY).limit(count).subquery("some")
        key = (some.c.link_id, some.c.visitor)
        query = select(*key, _is_over(some, now).label("is_over")).order_by(*key)
        return [((row.link_id, row.visitor), bool(row.is_over)) for row in await self._connection.execute(query)]

    async def ended_of_links(self, link_ids: Collection[str], now: datetime, *, limit: int) -> list[SessionKey]:
        query = select(*_KEY).join(_LINKS, _LINKS.c.link_id == odoo_sessions.c.link_id)
        query = query.where(_is_over(odoo_sessions, now)).limit(limit)
        found = await self._connection.execute(query, rows((id,) for id in sorted(link_ids)))
        return [(row.link_id, row.visitor) for row in found]

    async def ended_by_time(self, since: datetime, now: datetime, *, limit: int) -> list[SessionKey]:
        query = select(*_KEY).join(links, links.c.id == odoo_sessions.c.link_id)
        # Visitors are deleted long after their link has ended; the partial index covers links that still have them.
        query = query.where(links.c.expires_at > since, links.c.expires_at <= now, links.c.details_removed_at.is_(None))
        return [(row.link_id, row.visitor) for row in await self._connection.execute(query.limit(limit))]

    async def end_finished(self, keys: Iterable[SessionKey], now: datetime) -> list[SessionKey]:
        these = tuple_(*_KEY).in_(select(_KEYS.c.link_id, _KEYS.c.visitor))
        return await self._end(and_(these, _is_over(odoo_sessions, now)), now, rows(sorted(keys)))

    async def _end(
        self, which: ColumnElement[bool], now: datetime, given: Mapping[str, object] | None = None
    ) -> list[SessionKey]:
        await self._sign_out(which, now, given)
        removed = await self._connection.execute(delete(odoo_sessions).where(which).returning(*_KEY), given)
        return [(row.link_id, row.visitor) for row in removed]

    async def _sign_out(
        self, which: ColumnElement[bool], now: datetime, given: Mapping[str, object] | None = None
    ) -> None:
        """Record sign-outs for these sessions, each at the Odoo where it was created."""
        session, queue = odoo_sessions.c, odoo_sign_outs.c
        its = and_(environments.c.org == session.org, environments.c.id == session.environment_id)
        called = func.coalesce(environments.c.public_url, environments.c.canonical_url, environments.c.url)
        values: dict[Column[Any], ColumnElement[Any]] = {
            queue.org: session.org,
            queue.environment_id: session.environment_id,
            queue.url: environments.c.url,
            queue.called: called,
            queue.tls_verify: environments.c.tls_verify,
            queue.link_id: session.link_id,
            queue.visitor: session.visitor,
            queue.sealed: session.sealed,
            queue.ended_at: literal(now, queue.ended_at.type),
            queue.due_at: literal(now, queue.due_at.type),
            queue.tries: literal(0),
        }
        made = select(*values.values()).select_from(odoo_sessions.join(environments, its))
        made = made.where(which, session.sealed.is_not(None))
        await self._connection.execute(insert(odoo_sign_outs).from_select(list(values), made), given)


_KEY = (odoo_sessions.c.link_id, odoo_sessions.c.visitor)
_KEYS = rows_table(link_id=odoo_sessions.c.link_id, visitor=odoo_sessions.c.visitor)
_LINKS = rows_table(link_id=odoo_sessions.c.link_id)


def _is_over(session: FromClause, now: datetime) -> ColumnElement[bool]:
    row = session.c
    current = _there_is(
        links.c.id, links.c.id == row.link_id, links.c.version == row.link_version, has_status(Status.ACTIVE, now)
    )
    is_ended = _there_is(
        visitors.c.visitor,
        visitors.c.link_id == row.link_id,
        visitors.c.visitor == row.visitor,
        visitors.c.ended_at.is_not(None),
    )
    same_credentials = _there_is(
        accounts.c.name,
        accounts.c.org == row.org,
        accounts.c.environment_id == row.environment_id,
        accounts.c.name == row.account,
        accounts.c.revision == row.account_revision,
    )
    same_account = _there_is(links.c.id, links.c.id == row.link_id, links.c.account == row.account)
    # A claim in progress, with other credentials, ends the former session by itself.
    is_outdated = and_(not_(and_(same_account, same_credentials)), or_(row.claim.is_(None), row.claimed_until <= now))
    return or_(not_(current), is_ended, is_outdated, row.ends_at <= now)


def _there_is(column: ColumnElement[str], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Build a subquery that looks up, for each session, whether another table has a row that meets conditions.

    With EXISTS, PostgreSQL would scan the whole table instead of probing its index a few hundred times.
    """
    return select(column).where(*conditions).limit(1).scalar_subquery().is_not(None)


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
