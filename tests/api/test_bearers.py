from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from tests.api.face import JWT_SECRET, Face

from guestpass.domain.access import Principal

LATER = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
GOOD: dict[str, Any] = {"sub": "olga", "exp": LATER, "scope": "environments:read"}


async def _status(face: Face, authorization: str) -> tuple[int, str]:
    async with face.client(Authorization=authorization) as client:
        answer = await client.get("/api/environments")
    if answer.status_code == 401:
        assert answer.json()["status"] == 401
        assert answer.headers["www-authenticate"].startswith('Bearer realm="guestpass"')
    return answer.status_code, answer.headers.get("www-authenticate", "")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_a_token_made_elsewhere_with_our_secret_is_good(face: Face, scheme: str) -> None:
    token = jwt.encode(GOOD, JWT_SECRET, algorithm="HS256")

    assert (await _status(face, f"{scheme} {token}"))[0] == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "olga", "scope": "environments:read"},
        {"exp": LATER, "scope": "environments:read"},
        GOOD | {"exp": 1},
        GOOD | {"exp": 10**18},
        GOOD | {"exp": 1e300},
        GOOD | {"exp": "soon"},
        GOOD | {"sub": ""},
        GOOD | {"org": "no spaces"},
        GOOD | {"scope": ["environments:read"]},
    ],
)
async def test_wrong_claims_are_refused(face: Face, claims: dict[str, Any]) -> None:
    status, challenge = await _status(face, f"Bearer {jwt.encode(claims, JWT_SECRET, algorithm='HS256')}")

    assert status == 401
    assert 'error="invalid_token"' in challenge


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer x",
        "Bearer a.b.c",
        "Basic b2xnYTpvbGdh",
        jwt.encode(GOOD, JWT_SECRET, algorithm="HS256"),
        "Bearer " + jwt.encode(GOOD, "some other secret that is long enough", algorithm="HS256"),
        "Bearer " + jwt.encode(GOOD, "", algorithm="none"),
        "Bearer " + jwt.encode(GOOD, JWT_SECRET * 2, algorithm="HS512"),
    ],
)
async def test_what_is_no_token_of_ours_is_refused(face: Face, authorization: str) -> None:
    assert (await _status(face, authorization))[0] == 401


async def test_a_revoked_token_is_refused_at_once(face: Face) -> None:
    token = face.token()
    assert (await _status(face, f"Bearer {token}"))[0] == 200
    bearer = face.services.bearer.read(token)
    assert bearer.jti is not None

    async with face.database() as database, database.writing() as work:
        await work.revoked_tokens.add(bearer.jti, revoked_at=face.clock.now(), expires_at=bearer.expires_at)

    status, challenge = await _status(face, f"Bearer {token}")
    assert status == 401
    assert "revoked" in challenge
    assert (await _status(face, f"Bearer {face.token()}"))[0] == 200


async def test_the_creator_is_the_tokens_subject(face: Face) -> None:
    principal = Principal("ana@example.com")
    token = face.services.bearer.issue(principal, now=datetime.now(UTC), lifetime=timedelta(minutes=5))
    async with face.client(Authorization=f"Bearer {token}") as client:
        answer = await client.post("/api/environments", json={"name": "E", "url": "http://h"})

    assert answer.json()["createdBy"] == "ana@example.com"
