"""An Odoo that doesn't answer, or breaks off: its web client is told so in its own language, people by a page."""

from __future__ import annotations

import asyncio

import pytest
from tests.links.waiting import until
from tests.odoo.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL = {"domain": [], "specification": {"name": {}}}
PARTNERS = "/web/dataset/call_kw/res.partner/web_search_read"


async def _told(visitor: Visitor) -> str:
    answer = await visitor.call(PARTNERS, model="res.partner", method="web_search_read", args=[], kwargs=ALL)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    error = answer.json()["error"]
    assert (error["code"], error["data"]["name"]) == (200, "odoo.exceptions.UserError")
    return str(error["data"]["message"])


async def test_an_odoo_that_is_down_is_told_and_works_again_when_it_is_back(visitor: Visitor) -> None:
    await visitor.log_in()
    visitor.odoo.order("close")
    assert "isn't answering" in await _told(visitor)
    page = await visitor.navigate(visitor.client)
    assert page.status_code == 502
    assert page.headers["content-type"].startswith("text/html")
    visitor.odoo.order("open")
    assert (await visitor.navigate(visitor.client)).status_code == 200
    partners = await visitor.call(PARTNERS, model="res.partner", method="web_search_read", args=[], kwargs=ALL)
    assert partners.json()["result"]["length"] > 0


async def test_an_odoo_that_breaks_off_may_have_done_it_all_the_same(visitor: Visitor) -> None:
    await visitor.log_in()
    visitor.odoo.trouble(PARTNERS, held=True)

    async def at_odoo() -> bool:
        return bool(visitor.odoo.requests(PARTNERS))

    async with asyncio.TaskGroup() as tasks:
        told = tasks.create_task(_told(visitor))
        await until(at_odoo)
        visitor.odoo.break_off()
    assert "look before you repeat it" in told.result()
