from __future__ import annotations

from datetime import timedelta

import pytest
from tests.storage.samples import NOON, CountedEntropy, SetClock

from guestpass.app.dashboard_sessions import INVITATION_LIFETIME, SESSION_LIFETIME, DashboardSessionService
from guestpass.domain.access import Principal, Scope
from guestpass.domain.errors import NotFound
from guestpass.signing.session_tokens import DashboardTokens
from guestpass.storage.database import Database

EVA = Principal("eva", "acme", frozenset({Scope.SHARES_READ}))
HERE = "192.0.2.7"


@pytest.fixture
def service(database: Database, clock: SetClock) -> DashboardSessionService:
    entropy = CountedEntropy()
    return DashboardSessionService(database, DashboardTokens("s" * 32, entropy), clock, entropy)


async def test_an_invitation_signs_in_once(service: DashboardSessionService) -> None:
    invitation = await service.invite(EVA)
    assert await service.is_invited(invitation)
    token = await service.accept(invitation, HERE)
    assert token is not None
    session = await service.find(token)
    assert session is not None
    assert (session.principal, session.address, session.expires_at) == (EVA, HERE, NOON + SESSION_LIFETIME)
    assert not await service.is_invited(invitation)
    assert await service.accept(invitation, HERE) is None
    assert await service.list_all() == [session]


async def test_an_invitation_is_over_soon_and_one_that_is_made_up_is_none(
    service: DashboardSessionService, clock: SetClock
) -> None:
    invitation = await service.invite(EVA)
    assert await service.accept("made-up", HERE) is None
    clock.advance(INVITATION_LIFETIME)
    assert not await service.is_invited(invitation)
    assert await service.accept(invitation, HERE) is None
    assert await service.list_all() == []


async def test_a_session_ends_at_its_time(service: DashboardSessionService, clock: SetClock) -> None:
    token = await service.accept(await service.invite(EVA), HERE)
    assert token is not None
    clock.advance(SESSION_LIFETIME - timedelta(seconds=1))
    assert await service.find(token) is not None
    clock.advance(timedelta(seconds=1))
    assert await service.find(token) is None
    assert await service.find("made-up") is None


@pytest.mark.parametrize("bearer", [timedelta(hours=1), 2 * SESSION_LIFETIME])
async def test_a_session_of_a_bearer_token_does_not_outlive_it(
    service: DashboardSessionService, bearer: timedelta
) -> None:
    token = await service.exchange(EVA, jti="a-jti", expires_at=NOON + bearer, address=HERE)
    assert token is not None
    session = await service.find(token)
    assert session is not None
    assert (session.jti, session.expires_at) == ("a-jti", NOON + min(bearer, SESSION_LIFETIME))


async def test_a_bearer_token_that_was_revoked_makes_no_session(
    service: DashboardSessionService, database: Database
) -> None:
    async with database.writing() as work:
        await work.revoked_tokens.add("a-jti", revoked_at=NOON, expires_at=NOON + SESSION_LIFETIME)
    for jti, made in (("a-jti", False), ("b-jti", True), (None, True)):
        token = await service.exchange(EVA, jti=jti, expires_at=NOON + SESSION_LIFETIME, address=HERE)
        assert (token is not None) is made


async def test_a_session_that_is_ended_is_over_at_once(service: DashboardSessionService) -> None:
    tokens = [await service.accept(await service.invite(EVA), HERE) for _ in range(2)]
    ended, other = [await service.find(str(token)) for token in tokens]
    assert ended is not None
    await service.end(ended.id)
    assert await service.find(str(tokens[0])) is None
    assert await service.find(str(tokens[1])) == other
    with pytest.raises(NotFound):
        await service.end(ended.id)
