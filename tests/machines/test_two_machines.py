"""Two machines behind a load balancer, and one PostgreSQL: one machine is cut off, killed, and brought back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
import pytest_asyncio
from tests.links.waiting import until
from tests.machines.guest import Guest, staying
from tests.machines.machine import Machine
from tests.machines.site import Site, running_site, statuses
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with running_site(tmp_path_factory.mktemp("machines")) as site:
        await until(lambda: in_use(site, 2), SECONDS)
        yield site


async def test_owners_find_the_dashboard_behind_the_load_balancer_under_its_own_name(site: Site) -> None:
    async with httpx2.AsyncClient(
        base_url=site.public_url, headers={"Host": site.admin_name}, trust_env=False
    ) as owner:

        async def is_served() -> bool:
            return (await owner.get("/readyz")).status_code == 200

        await until(is_served, SECONDS)
        assert "Sign in" in (await owner.get("/sign-in")).text
    async with httpx2.AsyncClient(base_url=site.public_url, trust_env=False) as visitor:
        # Under the visitors' name that is a page of whatever a pass leads to.
        assert (await visitor.get("/sign-in")).status_code == 401


async def test_a_machine_that_is_cut_off_gets_no_visitors_until_it_has_heard_of_all_it_missed(site: Site) -> None:
    one, two = site.one, site.two
    both = (one.public_url, two.public_url)
    _, kept = await site.share(one, "Stays")
    well_id, well = await site.share(one, "Revoked while all is well")
    off_id, off = await site.share(two, "Revoked while one machine is cut off")
    at_one, at_two, anywhere = await site.enter(kept, *both, site.public_url)
    of_well, of_off = await site.enter(well, *both), await site.enter(off, *both)
    [revoked] = await site.enter(off, site.public_url)

    async with staying(at_two, anywhere, revoked), site.echo(of_off[0], one) as socket:
        assert await statuses(of_well) == [200, 200]
        await site.revoke(two, well_id)
        await until(lambda: are(of_well, 410, 410), SECONDS)

        one.place.line.cut()
        await site.revoke(two, off_id)
        # It goes on with what it knows, until it knows that it knows too little.
        assert await statuses([at_one, *of_off]) == [200, 200, 410]
        await until(lambda: says(one, 503), SECONDS)
        await until(lambda: in_use(site, 1), SECONDS)
        assert await two.readiness() == 200
        assert await statuses([at_one, *of_off]) == [200, 200, 410]
        await socket.send("still here")
        assert await socket.recv() == "still here"
        # Nobody is sent there any more, so whoever comes to the site is refused from now on.
        refused = revoked.refusals
        await until(lambda: holds(lambda: revoked.refusals >= refused + 5), SECONDS)
        let_in = revoked.let_in

        one.place.line.mend()
        await until(lambda: says(one, 200), SECONDS)
        assert await statuses(of_off) == [410, 410]
        async with asyncio.timeout(SECONDS):
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        await until(lambda: in_use(site, 2), SECONDS)
        assert revoked.let_in == let_in
        assert '"feed_gap"' not in one.log, "it need not begin anew"
    assert at_one.trouble == at_two.trouble == anywhere.trouble == revoked.trouble == []
    assert at_two.refusals == anywhere.refusals == 0
    assert at_two.torn == anywhere.torn == 0
    # They may have been in the middle of a response when their link was deactivated.
    assert revoked.torn <= 1


async def test_a_machine_that_is_killed_costs_nobody_a_request_and_comes_back_with_all_it_missed(site: Site) -> None:
    one, two = site.one, site.two
    both = (one.public_url, two.public_url)
    _, kept = await site.share(one, "Stays, too")
    off_id, off = await site.share(two, "Revoked while one machine is down")
    of_off = await site.enter(off, *both)
    assert await statuses(of_off) == [200, 200]
    at_two, *anywhere = await site.enter(kept, two.public_url, *[site.public_url] * 3)
    await until(lambda: in_use(site, 2), SECONDS)

    async with staying(at_two, *anywhere):
        await one.kill()
        asked = [guest.answers for guest in anywhere]
        await site.revoke(two, off_id)
        await until(lambda: in_use(site, 1), SECONDS)
        await until(
            lambda: holds(lambda: all(guest.answers >= 10 + then for guest, then in zip(anywhere, asked, strict=True))),
            SECONDS,
        )
        await one.start()
        assert await statuses(of_off) == [410, 410]
        await until(lambda: in_use(site, 2), SECONDS)
        # It is a machine like any other again, in both directions.
        for here, there in (one, two), (two, one):
            new_id, new = await site.share(here, "Made after all that")
            of_new = await site.enter(new, there.public_url, here.public_url)
            await site.revoke(here, new_id)
            await until(lambda: are(of_new, 410, 410), SECONDS)  # noqa: B023 -- awaited within the turn
    assert [guest.trouble for guest in (at_two, *anywhere)] == [[]] * 4
    assert [guest.refusals for guest in (at_two, *anywhere)] == [0] * 4
    assert at_two.torn == 0
    # Of each, the one answer that the machine was in the middle of.
    assert all(guest.torn <= 1 for guest in anywhere)


async def says(machine: Machine, status: int) -> bool:
    return await machine.readiness() == status


async def in_use(site: Site, machines: int) -> bool:
    return await site.machines_in_use() == machines


async def are(guests: list[Guest], *wanted: int) -> bool:
    try:
        return await statuses(guests) == [*wanted]
    except httpx2.TransportError:
        # A visitor in the middle of a request is cut when their link is deactivated.
        return False


async def holds(condition: Callable[[], bool]) -> bool:
    return condition()
