"""Re-encode a logo with Pillow, so that visitors get nothing but its pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from guestpass.domain.branding import LOGO_SIZE, Logo

_BOX: Final = (360, 112)  # Twice the displayed size, for high-density screens.
_MOST_PIXELS: Final = 4_000_000
_QUALITIES: Final = (90, 75, 60, 45, 30)
# Pillow's own limit only warns; this one is lower, and checked before pixels are decoded.
Image.MAX_IMAGE_PIXELS = None


def fitted(content: bytes) -> Logo:
    """Resize and re-encode a picture for pages; raises ValueError with a sentence for its owner."""
    try:
        return _fitted(content)
    except (UnidentifiedImageError, OSError, SyntaxError, EOFError):
        raise ValueError("must be a PNG, JPEG or WebP picture that can be read; save it anew") from None


def _fitted(content: bytes) -> Logo:
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as image:
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(f"must have at most {_MOST_PIXELS} pixels; make the picture smaller")
        bare = not {"exif", "xmp", "icc_profile"} & image.info.keys() and getattr(image, "n_frames", 1) == 1
        fits = image.width <= _BOX[0] and image.height <= _BOX[1]
        image.load()
        if image.format == "WEBP" and bare and fits and len(content) <= LOGO_SIZE:
            return Logo("image/webp", content)
        drawn = ImageOps.exif_transpose(image)
        drawn = drawn.convert("RGBA" if drawn.has_transparency_data else "RGB")
    drawn.thumbnail(_BOX, Image.Resampling.LANCZOS)
    return Logo("image/webp", next(each for each in _encodings(drawn) if len(each) <= LOGO_SIZE))


def _encodings(image: Image.Image) -> Iterator[bytes]:
    """Yield WebP encodings of decreasing size."""
    yield _encoded(image, lossless=True)
    while True:
        for quality in _QUALITIES:
            yield _encoded(image, quality=quality)
        image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)), Image.Resampling.LANCZOS)


def _encoded(image: Image.Image, *, lossless: bool = False, quality: int = 80) -> bytes:
    target = io.BytesIO()
    image.save(target, "WEBP", lossless=lossless, quality=quality, method=6, exact=False)
    return target.getvalue()
