"""Styles and scripts, served under paths with their content's hash, so that browsers can cache them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from starlette.responses import Response

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    path: str
    media_type: str
    content: bytes


def _load() -> dict[str, StaticFile]:
    found = {}
    for file in files("guestpass.web").joinpath("static").iterdir():
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix in _MEDIA_TYPES:
            content = file.read_bytes()
            tag = hashlib.sha256(content).hexdigest()[:12]
            found[file.name] = StaticFile(f"/static/{tag}/{file.name}", _MEDIA_TYPES[suffix], content)
    return found


_FILES: Final = _load()
_BY_PATH: Final = {file.path: file for file in _FILES.values()}


def static_path(name: str) -> str:
    """Where a file is served, for templates."""
    return _FILES[name].path


def static_answer(path: str) -> Response | None:
    """The file at this path; None where there is none."""
    file = _BY_PATH.get(path)
    if file is None:
        return None
    response = Response(file.content, media_type=file.media_type)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
