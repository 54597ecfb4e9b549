"""An owner says how visitors see the organisation."""

from __future__ import annotations

import io

import httpx2
import pytest
from PIL import Image
from tests.dashboard.owner import Owner, signed_in, words
from tests.dashboard.sharing import environment_with, value_of, visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


def picture(size: tuple[int, int] = (200, 80)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "#2f5bd7").save(file, "PNG")
    return file.getvalue()


async def send(owner: Owner, logo: tuple[str, bytes, str] | None = None, **fields: str) -> httpx2.Response:
    """The form as a browser sends it: a file that was not chosen is empty and has no name."""
    files = {"logo": logo or ("", b"", "application/octet-stream")}
    return await owner.web.post("/branding", data={"csrf": await owner.form_token(), **fields}, files=files)


async def test_visitors_see_what_the_form_said(owner: Owner, sample: str) -> None:
    async with signed_in(owner.server, "--sub", "bea", "--org", "harbour") as bea:
        [link] = await environment_with(owner, "unbranded", sample, {"password": "correct horse"})
        bearer = (await owner.server.command("token", "--sub", "bea", "--org", "harbour")).strip()
        headers = {"Authorization": f"Bearer {bearer}"}
        async with httpx2.AsyncClient(base_url=owner.server.admin_url, headers=headers, timeout=60) as api:
            await api.post("/api/environments", json={"id": "branded", "name": "Branded", "url": sample, "kind": "web"})
            branded = (await api.post("/api/environments/branded/share", json={"password": "correct horse"})).json()
        fields = {"name": "Harbour Supplies", "colour": "F2E85C", "contact": "mailto:help@example.com"}
        answer = await send(bea, ("logo.png", picture(), "image/png"), **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/branding"), words(answer)
        page = await bea.get("/branding")
        assert value_of(page, "colour") == "#f2e85c"
        assert "can't be read everywhere" in words(page)
        assert "data:image/webp;base64," in page.text
        async with visitor() as web:
            shown = (await web.get(branded["url"])).text
            assert "Harbour Supplies" in shown
            assert "mailto:help@example.com" in shown
            assert "data:image/webp;base64," in shown
            assert "#f2e85c" in shown
            # Another organisation's pages are its own.
            assert "Harbour Supplies" not in (await web.get(link["url"])).text
        # The logo stays where none is chosen, and goes where that is asked for.
        assert (await send(bea, name="Harbour")).status_code == 303
        assert "data:image/webp;base64," in (await bea.get("/branding")).text
        assert (await send(bea, removeLogo="true")).status_code == 303
        page = await bea.get("/branding")
        assert "data:image/webp;base64," not in page.text
        assert value_of(page, "name") == ""


@pytest.mark.parametrize(
    ("logo", "fields", "told"),
    [
        (None, {"colour": "blue"}, "Colour must be #rrggbb"),
        (None, {"contact": "mailto:nobody"}, "Whom visitors ask must be plain text"),
        (("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), {}, "an SVG can hold scripts"),
        (("logo.png", b"no picture", "image/png"), {}, "that can be read"),
        (("logo.png", bytes(200 * 1024), "image/png"), {}, "Logo must be at most 100 KiB"),
    ],
)
async def test_what_is_wrong_is_told_beside_its_field_and_what_was_typed_stays(
    owner: Owner, logo: tuple[str, bytes, str] | None, fields: dict[str, str], told: str
) -> None:
    answer = await send(owner, logo, **{"name": "Harbour Supplies", **fields})
    assert answer.status_code == 422
    assert told in words(answer)
    assert value_of(answer, "name") == "Harbour Supplies"
    branding = (await owner.server.client.get("/api/branding")).json()
    assert branding == {"name": None, "logo": None, "colour": None, "contact": None}


async def test_who_may_only_look_gets_no_form(owner: Owner) -> None:
    async with signed_in(owner.server, "--sub", "eva", "--scope", "environments:read") as eva:
        page = await eva.get("/branding")
        assert page.status_code == 200
        assert 'action="/branding"' not in page.text
        assert (await send(eva, name="Mine")).status_code == 403
    forged = await owner.web.post("/branding", data={"name": "Mine"}, files={"logo": ("", b"", "text/plain")})
    assert forged.status_code == 403
