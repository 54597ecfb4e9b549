"""GET /api/installation: what a server says of itself to whoever has a bearer token."""

from __future__ import annotations

from tests.api.face import Face
from tests.installation import installation

from guestpass import __version__


async def test_it_tells_version_addresses_and_how_it_sees_the_caller(face: Face) -> None:
    async with face.owner(org="acme") as owner:
        answer = await owner.get("/api/installation")
    assert answer.status_code == 200
    assert answer.json() == {
        "version": __version__,
        "publicUrl": "https://share.example.com",
        "linkDomain": None,
        "clientAddress": "192.0.2.7",
        "org": "acme",
        "findings": [],
    }


async def test_it_is_for_no_stranger(face: Face) -> None:
    async with face.client() as client:
        assert (await client.get("/api/installation")).status_code == 401


async def test_a_proxy_that_is_not_trusted_is_told_of_at_once_through_either_listener() -> None:
    async with installation() as server:
        before = (await server.client.get("/api/installation")).json()["findings"]
        assert "untrusted_proxy" not in [each["code"] for each in before]
        # What a reverse proxy in front of the public listener would add.
        through = await server.client.get(
            f"{server.public_url}/api/installation", headers={"X-Forwarded-For": "203.0.113.9"}
        )
        assert through.status_code == 200
        [finding] = [each for each in through.json()["findings"] if each["code"] == "untrusted_proxy"]
        assert "TRUSTED_PROXIES" in finding["remedy"]
        assert through.json()["clientAddress"] == "127.0.0.1"
