from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select
from sqlalchemy.exc import StatementError
from tests.storage.samples import NOON, keep, link_of, make_environment, make_link

from guestpass.storage.database import Database
from guestpass.storage.tables import UTCDateTime, revoked_tokens

MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 -- hypothesis wants its bounds without a zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001 -- the same
    timezones=st.just(UTC),
)


@given(st.lists(MOMENTS, min_size=1, max_size=8, unique=True))
def test_times_are_kept_to_the_microsecond_and_sort_and_compare_as_they_do(moments: list[datetime]) -> None:
    column = revoked_tokens.c.expires_at
    engine = create_engine("sqlite://")
    revoked_tokens.create(engine)
    with engine.begin() as connection:
        for number, moment in enumerate(moments):
            row = insert(revoked_tokens).values(jti=str(number), revoked_at=NOON, expires_at=moment)
            connection.execute(row)
        assert list(connection.execute(select(column).order_by(column)).scalars()) == sorted(moments)
        for bound in moments:
            later = connection.execute(select(column).where(column > bound)).scalars()
            assert set(later) == {moment for moment in moments if moment > bound}
    engine.dispose()


@pytest.mark.parametrize("microsecond", [0, 1, 100_000, 999_999])
async def test_a_time_comes_back_aware_and_in_utc(database: Database, microsecond: int) -> None:
    moment = datetime(2026, 3, 1, 23, 30, 0, microsecond, tzinfo=timezone(timedelta(hours=-5)))
    await keep(database, make_environment(), make_link(expires_at=moment))
    expires_at = (await link_of(database)).expires_at
    assert expires_at == moment
    assert expires_at.tzinfo is UTC
    assert expires_at.day == 2


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="has no time zone"):
        await keep(database, make_environment(), make_link(expires_at=datetime(2026, 3, 1)))  # noqa: DTZ001 -- what is refused


def test_every_time_of_every_table_is_of_that_type() -> None:
    columns = itertools.chain.from_iterable(table.c for table in revoked_tokens.metadata.tables.values())
    times = {
        column.name: column.type for column in columns if column.name.endswith(("_at", "_seen")) or column.name == "at"
    }
    assert len(times) > 5
    assert all(isinstance(type_, UTCDateTime) for type_ in times.values())
