from __future__ import annotations

from dataclasses import replace

from tests.api.face import Face

from guestpass.web.health import get_readiness


async def test_health_and_readiness_need_no_token(face: Face) -> None:
    async with face.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).status_code == 200

        face.ready[0] = False

        assert (await client.get("/healthz")).status_code == 200
        unready = await client.get("/readyz")
        assert unready.status_code == 503
        assert unready.json()["code"] == "unavailable"
        assert unready.headers["retry-after"].isdecimal()


async def test_of_a_damaged_file_it_is_not_said_that_nothing_can_be_written(face: Face) -> None:
    # Most of it can be.
    readiness = await get_readiness(replace(face.services, unwritable=lambda: "its file is damaged"))
    assert readiness.status == "degraded"
    assert readiness.detail == "Changes to the database can fail: its file is damaged."
