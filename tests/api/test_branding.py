from __future__ import annotations

import base64
import io
from typing import Any

import httpx2
import pytest
from PIL import Image
from tests.api.face import Face
from tests.storage.samples import changes_after

from guestpass.app.ports import ChangeKind
from guestpass.domain.access import Scope

URL = "/api/branding"
NOTHING = {"name": None, "logo": None, "colour": None, "contact": None}
WORDS = {"name": "Hafen & Söhne", "colour": "#FFD400", "contact": "mailto:it@hafen.example"}


def picture(kind: str = "png", size: tuple[int, int] = (400, 120)) -> str:
    target = io.BytesIO()
    Image.effect_noise(size, 60).save(target, kind.upper())
    return f"data:image/{kind};base64,{base64.b64encode(target.getvalue()).decode()}"


def _errors(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def test_a_branding_from_its_first_day_to_its_last(owner: httpx2.AsyncClient) -> None:
    assert (await owner.get(URL)).json() == NOTHING

    put = await owner.put(URL, json={**WORDS, "logo": picture()})
    assert put.status_code == 200, put.text
    shown: dict[str, Any] = put.json()
    assert {**shown, "logo": None} == {**WORDS, "colour": "#ffd400", "logo": None}
    assert shown["logo"].startswith("data:image/webp;base64,")
    assert (await owner.get(URL)).json() == shown

    again = await owner.put(URL, json={**shown, "name": "Hafen"})
    assert again.json() == {**shown, "name": "Hafen"}, "a logo that is sent back is the same"

    assert (await owner.put(URL, json={"contact": " Ask Anna "})).json() == {**NOTHING, "contact": "Ask Anna"}
    removed = await owner.delete(URL)
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await owner.get(URL)).json() == NOTHING
    assert (await owner.delete(URL)).status_code == 204


async def test_a_logo_of_the_largest_size_is_taken_and_a_larger_one_is_not(owner: httpx2.AsyncClient) -> None:
    size = 100 * 1024
    target = io.BytesIO()
    Image.new("RGB", (20, 20), "#c2185b").save(target, "JPEG")
    largest = target.getvalue() + bytes(size - len(target.getvalue()))  # Readers stop at the picture's end.

    def body(content: bytes) -> dict[str, str]:
        return {"logo": f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"}

    assert (await owner.put(URL, json=body(largest))).status_code == 200
    assert _errors(await owner.put(URL, json=body(largest + b"\0"))) == {
        "logo": "must be at most 100 KiB; make the picture smaller"
    }
    assert (await owner.put(URL, json=body(largest * 2))).status_code == 413


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": "x" * 61}, ["name"]),
        ({"name": "two\nlines"}, ["name"]),
        ({"colour": "red"}, ["colour"]),
        ({"colour": "#12345"}, ["colour"]),
        ({"colour": " #123456"}, ["colour"]),
        ({"contact": "mailto:a@b.example?cc=c@d.example"}, ["contact"]),
        ({"contact": "tel:anna", "colour": "x", "name": "\u202ename"}, ["name", "contact", "colour"]),
        ({"logo": "data:image/svg+xml;base64,PHN2Zy8+"}, ["logo"]),
        ({"logo": 7}, ["logo"]),
        ({"color": "#123456"}, ["color"]),
    ],
)
async def test_what_can_not_be_shown_is_refused_by_its_name(
    owner: httpx2.AsyncClient, body: dict[str, Any], fields: list[str]
) -> None:
    await owner.put(URL, json=WORDS)
    assert list(_errors(await owner.put(URL, json=body))) == fields
    assert (await owner.get(URL)).json()["name"] == WORDS["name"], "and nothing was changed"


async def test_each_organisation_has_its_own(face: Face, owner: httpx2.AsyncClient) -> None:
    await owner.put(URL, json=WORDS)
    async with face.owner(org="other") as other:
        assert (await other.get(URL)).json() == NOTHING
        await other.put(URL, json={"name": "Other"})
        await other.delete(URL)
    assert (await owner.get(URL)).json()["name"] == WORDS["name"]


async def test_scopes(face: Face) -> None:
    reader = face.token(scopes=frozenset({Scope.ENVIRONMENTS_READ}))
    async with face.client(Authorization=f"Bearer {reader}") as client:
        assert (await client.get(URL)).status_code == 200
        assert (await client.put(URL, json=WORDS)).status_code == 403
        assert (await client.delete(URL)).status_code == 403
    async with face.client() as stranger:
        assert (await stranger.get(URL)).status_code == 401


async def test_gateways_are_told(face: Face, owner: httpx2.AsyncClient) -> None:
    await owner.put(URL, json=WORDS)
    await owner.delete(URL)
    await owner.delete(URL)  # Nothing changed by this one.

    async with face.database() as database, database.reading() as work:
        changes = await changes_after(work)
    assert [(change.kind, change.id) for change in changes if change.kind is ChangeKind.BRANDING] == [
        (ChangeKind.BRANDING, "default")
    ] * 2
