"""An environment dies in the middle of an answer, comes back, moves away, or shows a certificate that nobody trusts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.said import Heard, assert_tells_no_secret
from tests.faults.upstream import Application, secured
from tests.faults.visitors import Visitor, asking
from tests.gateway.raw_client import BrokenOffError
from tests.gateway.raw_upstream import raw_upstream
from tests.gateway.shared import OK, Shared, sharing
from tests.installation import Installation
from tests.ports import reserve_ports
from tests.supervisor.upstream import answering

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _move(lone: Installation, shared: Shared, url: str) -> None:
    answer = await lone.client.patch(f"/api/environments/{shared.environment['id']}", json={"url": url})
    assert answer.status_code == 200, answer.text


async def _findings(lone: Installation, shared: Shared) -> dict[str, str]:
    answer = await lone.client.post(f"/api/environments/{shared.environment['id']}/check", timeout=60)
    assert answer.status_code == 200, answer.text
    return {finding["code"]: finding["detail"] for finding in answer.json()["findings"]}


async def test_one_that_is_killed_fails_its_own_visitors_and_serves_again_when_it_is_back(
    lone: Installation,
) -> None:
    application = Application(*reserve_ports(1))
    await application.start()
    async with answering() as url, sharing(lone) as share:
        others, shared = await share(url, name="Others"), await share(application.url, name="Killed")
        # In the address, which no line of the log may have.
        secret = "confidential-7d1f"
        unlucky = Visitor(shared, request=shared.get(f"/quick?{secret}".encode()))
        untouched = Visitor(others)
        heard = Heard(lone)
        try:
            async with asking(unlucky, untouched):
                reader = await shared.connect()
                reader.send(shared.get(b"/drip"))
                assert (await reader.head()).status == 200
                assert await reader.read(1) == b"."
                await application.kill()
                with pytest.raises(BrokenOffError):
                    await reader.read(100)
                await unlucky.until(502, times=20)
                assert "unreachable" in await _findings(lone, shared)
                await application.start()
                await unlucky.until(200)
                assert "unreachable" not in await _findings(lone, shared)
        finally:
            await application.kill()
    assert untouched.failed == []
    assert {each.outcome for each in unlucky.failed} == {502}
    failed = len(unlucky.failed)
    assert failed >= 20
    # However many asked: once that it broke off, where it did, and once that it can't be reached.
    assert heard.messages["upstream_unreachable"] == 1, failed
    assert heard.messages["upstream_broken"] <= 1
    assert_tells_no_secret(lone, secret, shared.cookie.decode(), shared.link["url"].rpartition("/")[2])


async def test_one_that_moves_fails_what_is_under_way_honestly_and_gets_what_comes_next(lone: Installation) -> None:
    async with answering() as url, raw_upstream() as elsewhere, sharing(lone) as share:
        shared = await share(url)
        reader = await shared.connect()
        reader.send(shared.get(b"/drip"))
        head = await reader.head()
        await _move(lone, shared, elsewhere.url)
        with pytest.raises(BrokenOffError):
            await reader.read(int(head.get(b"content-length") or b"0") + 1)
        client = await shared.connect()
        client.send(shared.get(b"/next"))
        end = await elsewhere.accept()
        assert (await end.head()).target == b"/next"
        end.send(OK)
        assert (await client.answer()).status == 200
        # And back, with the visitors' passes as they were.
        await _move(lone, shared, url)
        visitor = Visitor(shared)
        assert [await visitor.ask() for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("wrong", ["untrusted", "expired"])
async def test_a_certificate_that_is_wrong_is_told_and_a_right_one_mends_it(
    lone: Installation, certificates: Path, wrong: str
) -> None:
    def pair(name: str) -> tuple[str, str]:
        return str(certificates / f"{name}.pem"), str(certificates / f"{name}.key")

    async with secured(*pair("first")) as application, answering() as url, sharing(lone) as share:
        shared, others = await share(application.url, name=wrong), await share(url, name="Others")
        visitor, untouched, heard = Visitor(shared), Visitor(others), Heard(lone)
        async with asking(visitor, untouched):
            await application.show(*pair(wrong))
            await visitor.until(502, times=5)
            assert "certificate" in (await _findings(lone, shared))["unreachable"].lower()
            page = await shared.ask(b"GET /quick HTTP/1.1", b"Sec-Fetch-Mode: navigate", b"Accept: text/html")
            assert (page.status, page.get(b"content-type")) == (502, b"text/html; charset=utf-8")
            await application.show(*pair("second"))
            await visitor.until(200)
            assert "unreachable" not in await _findings(lone, shared)
        assert untouched.failed == []
        assert {each.outcome for each in visitor.failed} == {502}
        assert heard.messages["upstream_unreachable"] == 1
        [line] = [line for line in heard.text.splitlines() if "upstream_unreachable" in line]
        assert "certificate" in line.lower()
