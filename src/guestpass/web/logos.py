"""Read an uploaded logo, and shrink it enough to embed in each page.

It is re-encoded from its pixels, so nothing else in the file reaches visitors.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from guestpass.domain.branding import Logo

UPLOAD_SIZE: Final = 100 * 1024
"""Maximum size of an uploaded logo, in bytes."""
_DATA_URL = re.compile(r"data:(image/[a-z+.-]+);base64,([A-Za-z0-9+/=]*)", re.ASCII)
_KINDS: Final = {"image/png", "image/jpeg", "image/webp"}


def write_logo(logo: Logo) -> str:
    """Return the logo as a data: URL (RFC 2397)."""
    return f"data:{logo.media_type};base64,{base64.b64encode(logo.content).decode()}"


def read_logo(url: str) -> Logo:
    """Read a logo from a data: URL and shrink it; takes milliseconds. Raises ValueError with a sentence for its owner.

    The output of `write_logo` is returned unchanged.
    """
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise ValueError("must be a data: URL of a picture, such as data:image/png;base64,iVBORw0…")
    if found[1] not in _KINDS:
        raise ValueError("must be a PNG, JPEG or WebP picture; an SVG can hold scripts, so save it as PNG")
    try:
        content = base64.b64decode(found[2], validate=True)
    except ValueError:
        raise ValueError("must hold valid Base64 (RFC 4648)") from None
    if len(content) > UPLOAD_SIZE:
        raise ValueError(f"must be at most {UPLOAD_SIZE // 1024} KiB; make the picture smaller")
    # Loaded here: Pillow takes 7 MB per worker, and logos are uploaded rarely.
    from guestpass.web.logo_resize import fitted  # noqa: PLC0415

    return fitted(content)
