"""Plain answers that show how bytes travel: uploads, downloads, ranges, statuses, and what reached the application."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

MOST_BYTES = 8 * 1024**3
MOST_SECONDS = 3600.0
ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

# A prime length: a block that is lost, doubled or moved anywhere on the way shifts all that follows.
_PATTERN = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(2048))[:65521]
_BODILESS = {204, 205, 304}
_RANGE = re.compile(r"bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))", re.ASCII)


def routes() -> list[Route]:
    """The routes of this file."""
    return [
        Route("/upload", upload, methods=["POST", "PUT"]),
        Route("/download", download),
        Route("/chunked", chunked),
        Route("/headers", headers, methods=ANY_METHOD),
        Route("/headers/{rest:path}", headers, methods=ANY_METHOD),
        Route("/slow", slow, methods=ANY_METHOD),
        Route("/status/{code:int}", status, methods=ANY_METHOD),
    ]


def content(start: int, stop: int) -> bytes:
    """The bytes from `start` to `stop` of every download, whatever its size."""
    first = start % len(_PATTERN)
    length = stop - start
    return (_PATTERN * ((first + length) // len(_PATTERN) + 1))[first : first + length]


async def upload(request: Request) -> Response:
    """Read a body of any size in bounded memory; answer with its size in bytes and its SHA-256."""
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})


async def download(request: Request) -> Response:
    """`?size=` bytes with a Content-Length; understands one byte range (RFC 9110, section 14), If-Range, If-None-Match.

    ``?pause=`` waits that many seconds after each 64 KiB.
    """
    size = _number(request, "size", 1024, MOST_BYTES)
    pause = _seconds(request, "pause", 0)
    tag = f'"{size}"'
    fields = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "public, max-age=60"}
    if request.headers.get("if-none-match") == tag:
        return Response(None, 304, fields)
    start, stop, code = 0, size, 200
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted and request.headers.get("if-range", tag) == tag:
        start, stop = _bounds(wanted, size)
        if start >= stop:
            return PlainTextResponse("That range lies outside.\n", 416, {"Content-Range": f"bytes */{size}"})
        code = 206
        fields["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    fields["Content-Length"] = str(stop - start)
    return StreamingResponse(_pieces(start, stop, pause), code, fields, "application/octet-stream")


async def chunked(request: Request) -> Response:
    """The same bytes as a download, without a Content-Length."""
    size = _number(request, "size", 1024, MOST_BYTES)
    return StreamingResponse(_pieces(0, size, _seconds(request, "pause", 0)), media_type="application/octet-stream")


async def headers(request: Request) -> Response:
    """What reached the application: method, target, version, fields in order, length and SHA-256 of the body."""
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    query = request.scope["query_string"]
    target = request.scope["raw_path"] + (b"?" + query if query else b"")
    return JSONResponse(
        {
            "method": request.method,
            "target": target.decode("latin-1"),
            "httpVersion": request.scope["http_version"],
            "scheme": request.url.scheme,
            "client": request.client.host if request.client else None,
            "fields": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw],
            "bodyLength": size,
            "bodySha256": digest.hexdigest(),
        }
    )


async def slow(request: Request) -> Response:
    """Answer after `?seconds=`."""
    seconds = _seconds(request, "seconds", 1)
    await asyncio.sleep(seconds)
    return PlainTextResponse(f"That took {seconds:g} seconds.\n")


async def status(request: Request) -> Response:
    """Answer with the status that the path names, from 200 to 599."""
    code = request.path_params["code"]
    if not 200 <= code <= 599:
        raise HTTPException(404, "Statuses go from 200 to 599 here.")
    return Response(None, code) if code in _BODILESS else PlainTextResponse(f"This is {code}.\n", code)


async def _pieces(start: int, stop: int, pause: float) -> AsyncIterator[bytes]:
    for position in range(start, stop, 65536):
        yield content(position, min(position + 65536, stop))
        if pause:
            await asyncio.sleep(pause)


def _bounds(wanted: re.Match[str], size: int) -> tuple[int, int]:
    first, last, suffix = wanted.groups()
    if suffix is not None:
        return max(size - int(suffix), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) > most:
        raise HTTPException(422, f"{name} must be a whole number from 0 to {most}.")
    return int(text)


def _seconds(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or float(text) > MOST_SECONDS:
        raise HTTPException(422, f"{name} must be a number of seconds from 0 to {MOST_SECONDS:g}.")
    return float(text)
