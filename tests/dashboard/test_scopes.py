"""Who may only look sees no buttons, and is refused where they send a form all the same."""

from __future__ import annotations

import pytest
from tests.dashboard.owner import Owner, signed_in, words
from tests.doubles.odoo.handle import Odoo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_who_may_only_look_is_shown_everything_and_can_change_nothing(owner: Owner, odoo: Odoo) -> None:
    server = owner.server
    await server.add_environment(id="looked-at", name="Looked at", url=odoo.url, kind="odoo")
    await owner.change("/environments/looked-at/accounts", login="demo", password="demo", name="auditor")
    arguments = ("--sub", "eva", "--scope", "environments:read", "--scope", "shares:read")
    async with signed_in(server, *arguments) as eva:
        for page in ("", "/accounts", "/view-only", "/settings"):
            shown = await eva.get(f"/environments/looked-at{page}")
            assert shown.status_code == 200
            assert "Looked at" in words(shown)
            forms = shown.text.count("<form")
            assert forms == 1, f"{page} has more forms than the one that signs out"
            for path in ("/maintenance", "/remove", "/add-environment"):
                assert f'{path}"' not in shown.text
        assert "Add an environment" not in await eva.see("/environments")
        for path, fields in (
            ("/add-environment", {"name": "No", "url": odoo.url, "kind": "odoo"}),
            ("/check-environment", {"name": "No", "url": odoo.url, "kind": "odoo"}),
            ("/environments/looked-at/check", {}),
            ("/environments/looked-at/maintenance", {"maintenance": "No"}),
            ("/environments/looked-at/maintenance/end", {}),
            ("/environments/looked-at/remove", {"confirmation": "looked-at"}),
            ("/environments/looked-at/settings", {"name": "No", "url": odoo.url, "kind": "odoo"}),
            ("/environments/looked-at/accounts", {"login": "demo", "password": "demo"}),
            ("/environments/looked-at/accounts/auditor", {"login": "demo", "password": "demo"}),
            ("/environments/looked-at/accounts/auditor/remove", {}),
            ("/environments/looked-at/view-only/open", {"method": "res.partner/get_figures"}),
            ("/environments/looked-at/view-only/close", {"method": "res.partner/get_figures"}),
        ):
            answer = await eva.send(path, **fields)
            assert answer.status_code == 403, path
            assert "environments:write" in words(answer)
        now = (await server.client.get("/api/environments/looked-at")).json()
        assert (now["name"], now["maintenance"], now["readOnlyAllow"]) == ("Looked at", None, [])


async def test_without_the_scope_to_look_nothing_is_shown(owner: Owner) -> None:
    async with signed_in(owner.server, "--sub", "eva", "--scope", "shares:write") as eva:
        answer = await eva.get("/environments")
        assert answer.status_code == 403
        assert "environments:read" in words(answer)
