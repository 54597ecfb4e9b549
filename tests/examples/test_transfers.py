"""How bytes travel to and from the sample application."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator

import httpx2
import pytest

MEBIBYTE = 1024 * 1024


@pytest.fixture
async def client(sample: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=sample) as client:
        yield client


async def test_upload_is_counted_and_hashed(client: httpx2.AsyncClient) -> None:
    body = os.urandom(3 * MEBIBYTE + 17)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    expected = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert (await client.post("/upload", content=body)).json() == expected
    assert (await client.put("/upload", content=pieces())).json() == expected


async def test_download_announces_and_sends_its_size(client: httpx2.AsyncClient) -> None:
    response = await client.get("/download", params={"size": 300_001})
    assert response.headers["content-length"] == "300001"
    assert len(response.content) == 300_001
    head = await client.head("/download", params={"size": 300_001})
    assert (head.headers["content-length"], head.content) == ("300001", b"")


async def test_download_has_no_two_blocks_alike(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/download", params={"size": 2 * MEBIBYTE})).content
    assert len({body[start : start + 4096] for start in range(0, len(body), 4096)}) == len(body) // 4096


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=70000-199999", (70_000, 200_000)),
        ("bytes=299990-", (299_990, 300_000)),
        ("bytes=-10", (299_990, 300_000)),
        ("bytes=299999-400000", (299_999, 300_000)),
    ],
)
async def test_ranges_are_parts_of_the_whole(
    client: httpx2.AsyncClient, wanted: str, expected: tuple[int, int]
) -> None:
    whole = (await client.get("/download", params={"size": 300_000})).content
    start, stop = expected
    part = await client.get("/download", params={"size": 300_000}, headers={"Range": wanted})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/300000"
    assert part.content == whole[start:stop]


async def test_range_outside_and_range_of_another_state(client: httpx2.AsyncClient) -> None:
    outside = await client.get("/download?size=1000", headers={"Range": "bytes=1000-"})
    assert (outside.status_code, outside.headers["content-range"]) == (416, "bytes */1000")
    changed = await client.get("/download?size=1000", headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (changed.status_code, len(changed.content)) == (200, 1000)


async def test_unchanged_download_is_confirmed(client: httpx2.AsyncClient) -> None:
    tag = (await client.get("/download?size=1000")).headers["etag"]
    assert (await client.get("/download?size=1000", headers={"If-None-Match": tag})).status_code == 304


async def test_chunked_answer_has_no_length_and_the_same_bytes(client: httpx2.AsyncClient) -> None:
    response = await client.get("/chunked?size=200000")
    assert response.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in response.headers
    assert response.content == (await client.get("/download?size=200000")).content


async def test_headers_tells_what_arrived(client: httpx2.AsyncClient) -> None:
    response = await client.patch("/headers/a%2Fb?x=%20y", content=b"hello", headers={b"X-Word": "caf\u00e9".encode()})
    seen = response.json()
    assert (seen["method"], seen["target"], seen["httpVersion"]) == ("PATCH", "/headers/a%2Fb?x=%20y", "1.1")
    assert (seen["bodyLength"], seen["bodySha256"]) == (5, hashlib.sha256(b"hello").hexdigest())
    assert ["content-length", "5"] in seen["fields"]
    assert ["x-word", "caf\u00e9".encode().decode("latin-1")] in seen["fields"]


@pytest.mark.parametrize("code", [200, 204, 304, 404, 418, 503])
async def test_any_status(client: httpx2.AsyncClient, code: int) -> None:
    response = await client.get(f"/status/{code}")
    assert response.status_code == code
    assert bool(response.content) == (code not in {204, 304})


@pytest.mark.parametrize("address", ["/download?size=x", "/download?size=99999999999", "/slow?seconds=-1"])
async def test_numbers_out_of_reach_are_refused_by_name(client: httpx2.AsyncClient, address: str) -> None:
    response = await client.get(address)
    assert response.status_code == 422
    assert response.text.split()[0] == address.partition("?")[2].partition("=")[0]


async def test_slow_answer_comes(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/slow?seconds=0.2")).text == "That took 0.2 seconds.\n"
