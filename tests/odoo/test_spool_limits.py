"""Visitors can fill no disk: past the limits uploads are refused, and answers wait in Odoo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.gateway.raw_client import RawClient
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.odoo.slow import Slow
from tests.odoo.visitor import NAVIGATION, Visitor, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
PER_VISITOR, PER_LINK, TOTAL = 4 * MIB, 6 * MIB, 12 * MIB
"""While nobody else is there a link may have half of all."""
UPLOAD = "POST /web/double/echo HTTP/1.1"
SIZE = 90_000_000
"""More than fits on the way: what the gateway reads at once lets the kernel's buffers grow, up to 33 MB each."""
LARGE = f"/web/static/double/{SIZE}/large.bin?v=1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small() -> AsyncIterator[Installation]:
    async with installation(spool_limit=str(TOTAL), spool_limit_per_visitor=str(PER_VISITOR)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(small: Installation, odoo: Odoo, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with opened(small, odoo, name=tmp_path.name) as someone:
        yield someone


@pytest_asyncio.fixture(loop_scope="session")
async def another(visitor: Visitor) -> AsyncIterator[Visitor]:
    """Another visitor of the same link."""
    async with httpx2.AsyncClient(base_url=visitor.origin) as web:
        assert (await web.get(visitor.link["url"], headers=NAVIGATION)).status_code == 303
        yield Visitor(visitor.server, visitor.odoo, visitor.environment, visitor.link, web)


@pytest_asyncio.fixture(loop_scope="session")
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened_here:
        yield opened_here


async def _begun(visitor: Visitor, stack: AsyncExitStack, size: int) -> RawClient:
    """An upload of `size` bytes, of which the last is missing."""
    client = await Slow(visitor, stack).send(UPLOAD, f"Content-Length: {size}", "Content-Type: text/plain")
    client.send(b"x" * (size - 1))
    return client


async def test_an_upload_past_a_visitors_limit_is_refused_and_odoo_hears_nothing(
    visitor: Visitor, another: Visitor, stack: AsyncExitStack
) -> None:
    refused = await _begun(visitor, stack, PER_VISITOR + MIB // 2)
    answer = await refused.answer(to=b"POST")
    assert answer.status == 503
    assert answer.get(b"retry-after")
    assert visitor.odoo.requests() == []
    # What they took is free again, for them and for others.
    for someone in (visitor, another):
        fits = await _begun(someone, stack, PER_VISITOR)
        fits.send(b"x")
        assert (await fits.answer(to=b"POST")).status < 500
    assert [seen["body_bytes"] for seen in visitor.odoo.requests()] == [PER_VISITOR] * 2


async def test_a_links_visitors_together_have_a_limit_until_one_of_them_leaves(
    visitor: Visitor, another: Visitor, stack: AsyncExitStack
) -> None:
    holding = await _begun(visitor, stack, PER_VISITOR)

    async def is_held() -> bool:
        return holding.unread == 0

    await until(is_held)
    refused = await _begun(another, stack, PER_LINK - PER_VISITOR + MIB // 2)
    assert (await refused.answer(to=b"POST")).status == 503
    holding.reset()

    async def there_is_room() -> bool:
        upload = await _begun(another, stack, PER_LINK - PER_VISITOR + MIB // 2)
        upload.send(b"x")
        return (await upload.answer(to=b"POST")).status < 500

    await until(there_is_room)
    assert [seen["body_bytes"] for seen in visitor.odoo.requests()] == [PER_LINK - PER_VISITOR + MIB // 2]


@pytest.mark.double_only("has files of any size under any name")
async def test_an_answer_past_the_limit_waits_in_odoo_and_arrives_whole(
    visitor: Visitor, stack: AsyncExitStack
) -> None:
    reader = await Slow(visitor, stack).send(f"GET {LARGE} HTTP/1.1", receive_buffer=4096)
    await reader.head()

    async def his_share_is_used_up() -> bool:
        upload = await _begun(visitor, stack, MIB)
        upload.send(b"x")
        return (await upload.answer(to=b"POST")).status == 503

    await until(his_share_is_used_up)
    # The other worker is free meanwhile.
    assert (await visitor.get("/contactus")).status_code == 200
    [seen] = visitor.odoo.requests(LARGE.partition("?")[0])
    assert not seen["sent"], "this fits neither into the limits nor into the buffers on the way"
    assert len(await reader.read(SIZE)) == SIZE

    async def was_sent() -> bool:
        [seen] = visitor.odoo.requests(LARGE.partition("?")[0])
        return bool(seen["sent"])

    await until(was_sent)
