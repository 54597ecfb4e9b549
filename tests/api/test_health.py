from __future__ import annotations

from tests.api.face import Face


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
