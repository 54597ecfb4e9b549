from __future__ import annotations

import base64
import io
import random

import pytest
from PIL import Image

from guestpass.domain.branding import LOGO_SIZE
from guestpass.web.logos import read_logo, write_logo

KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


def url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def saved(image: Image.Image, kind: str, **options: object) -> str:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return url(target.getvalue(), KINDS[kind])


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "shown"),
    [((200, 80), (200, 80)), ((1440, 448), (360, 112)), ((90, 900), (11, 112)), ((900, 90), (360, 36))],
)
def test_a_picture_is_made_to_fit(kind: str, size: tuple[int, int], shown: tuple[int, int]) -> None:
    logo = read_logo(saved(Image.new("RGB", size, "#c2185b"), kind))

    assert logo.media_type == "image/webp"
    assert len(logo.content) <= LOGO_SIZE
    image = opened(logo.content)
    assert (image.format, image.size) == ("WEBP", shown)
    pixel = image.convert("RGB").getpixel((shown[0] // 2, shown[1] // 2))
    assert isinstance(pixel, tuple)
    assert all(abs(is_ - was) <= 6 for is_, was in zip(pixel, (0xC2, 0x18, 0x5B), strict=True))


def test_what_is_see_through_stays_so() -> None:
    for mode in ("RGBA", "LA", "P"):
        image = Image.new("RGBA", (40, 40), (10, 200, 30, 0)).convert(mode)
        options = {"transparency": 0} if mode == "P" else {}
        logo = read_logo(saved(image, "PNG", **options))
        assert opened(logo.content).convert("RGBA").getchannel("A").getextrema() == (0, 0)


def test_even_noise_fits() -> None:
    chance = random.Random(7)
    noise = Image.frombytes("RGB", (360, 92), chance.randbytes(360 * 92 * 3))

    logo = read_logo(saved(noise, "PNG"))

    assert len(logo.content) <= LOGO_SIZE
    assert opened(logo.content).width >= 100


def test_nothing_but_the_picture_is_kept() -> None:
    image = Image.new("RGB", (40, 20), "#123456")
    exif = image.getexif()
    exif[0x010E] = "taken at home"
    exif[0x0112] = 6  # turned by a quarter
    for kind in ("JPEG", "WEBP"):
        logo = read_logo(saved(image, kind, exif=exif))
        assert b"taken at home" not in logo.content
        assert opened(logo.content).size == (20, 40), "it stands as it was meant to"


def test_reading_again_what_was_kept_changes_nothing() -> None:
    logo = read_logo(saved(Image.effect_noise((300, 100), 40), "JPEG"))

    assert read_logo(write_logo(logo)) == logo


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "must be a data: URL"),
        ("https://example.com/logo.png", "must be a data: URL"),
        ("data:image/png,abc", "must be a data: URL"),
        (url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "save it as PNG"),
        (url(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "can be read"),
        (url(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"), "can be read"),
        (url(b""), "can be read"),
        ("data:image/png;base64,abc", "valid Base64"),
        (url(b"\x89PNG\r\n\x1a\n" + bytes(100 * 1024)), "at most 100 KiB"),
    ],
)
def test_what_is_no_small_picture_is_refused_with_the_remedy(given: str, said: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        read_logo(given)
    assert said in str(refused.value)


def test_a_small_file_with_many_pixels_is_refused_before_it_is_drawn() -> None:
    bomb = saved(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 130_000

    with pytest.raises(ValueError, match="at most 4000000 pixels"):
        read_logo(bomb)


def test_a_file_that_ends_early_is_refused() -> None:
    target = io.BytesIO()
    Image.effect_noise((100, 100), 40).save(target, "PNG")

    with pytest.raises(ValueError, match="save it anew"):
        read_logo(url(target.getvalue()[:-2000]))
