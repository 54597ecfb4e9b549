"""For which names a reverse proxy may fetch certificates."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.api.face import PUBLIC_URL, running_face


async def test_our_own_name_and_those_of_links_and_no_other(tmp_path: Path) -> None:
    with running_face(tmp_path, link_domain="links.example.net") as face:
        async with face.owner() as owner:
            environment = await owner.post("/api/environments", json={"name": "Any", "url": "http://127.0.0.1:1"})
            share = f"/api/environments/{environment.json()['id']}/share"
            ended, link = (await owner.post(share, json={})).json(), (await owner.post(share, json={})).json()
            assert (await owner.delete(f"{share}/{ended['id']}")).status_code == 200
            rotated = (await owner.post(share, json={})).json()
            for _ in range(2):
                assert (await owner.post(f"{share}/{rotated['id']}/rotate")).status_code == 200
            allowed = {
                urlsplit(PUBLIC_URL).hostname: 200,
                f"{link['id']}.links.example.net": 200,
                f"{link['id'].upper()}.LINKS.example.net": 200,
                # Only the present version, and the id alone, where share URLs of former days lead on.
                f"{link['id']}-2.links.example.net": 404,
                f"{rotated['id']}.links.example.net": 200,
                f"{rotated['id']}-1.links.example.net": 404,
                f"{rotated['id']}-2.links.example.net": 404,
                f"{rotated['id']}-3.links.example.net": 200,
                f"{rotated['id']}-4.links.example.net": 404,
                # Its page says that it has ended.
                f"{ended['id']}.links.example.net": 200,
                "aaaaaaaaaaaaaaaa.links.example.net": 404,
                f"x.{link['id']}.links.example.net": 404,
                f"{link['id']}.example.net": 404,
                "links.example.net": 404,
                "evil.example": 404,
                "": 404,
            }
            async with face.client() as proxy:
                for name, status in allowed.items():
                    answer = await proxy.get("/api/tls-allowed", params={"domain": name})
                    assert answer.status_code == status, name
                assert (await proxy.get("/api/tls-allowed")).status_code == 404


@pytest.mark.parametrize("name", ["\x00", "ä" * 10, "a" * 254, "%2e", "..", "' OR 1=1 --.links.example.net"])
async def test_what_is_no_name_is_no_name_of_ours(tmp_path: Path, name: str) -> None:
    with running_face(tmp_path, link_domain="links.example.net") as face:
        async with face.client() as proxy:
            assert 400 <= (await proxy.get("/api/tls-allowed", params={"domain": name})).status_code < 500
