"""Request and response models of branding."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, WithJsonSchema

from guestpass.domain.branding import CONTACT_LENGTH, NAME_LENGTH, Branding
from guestpass.web.api.shapes import Given, ResponseModel
from guestpass.web.logos import UPLOAD_SIZE, write_logo

_LONGEST_LOGO: Final = 4 * -(-UPLOAD_SIZE // 3) + 40
LONGEST_BRANDING: Final = _LONGEST_LOGO + 8 * 1024
"""The longest body that is read, in bytes."""
_NAME: Final = "What visitors know the organisation by."
_LOGO: Final = (
    "A PNG, JPEG or WebP picture of at most 100 KiB as a data: URL. It is scaled to fit in every page and kept as WebP."
)
_COLOUR: Final = (
    "The colour of buttons, as #rrggbb. Letters on it are black or white, whichever can be read; where the colour "
    "itself can't be read on a page's ground, the nearest shade is used that can (WCAG 2.2, 4.5:1)."
)
_CONTACT: Final = "Whom visitors ask: plain text, or one mailto: or tel: address."


class BrandingRequest(Given):
    """How the organisation looks from now on. What is left out, null or empty is not shown."""

    name: Annotated[str, Field(max_length=NAME_LENGTH)] | None = Field(None, description=_NAME)
    logo: Annotated[
        str | None,
        WithJsonSchema(
            {
                "type": ["string", "null"],
                "maxLength": _LONGEST_LOGO,
                "pattern": "^(data:image/(png|jpeg|webp);base64,.*)?$",
            }
        ),
        Field(description=_LOGO),
    ] = None
    colour: Annotated[
        str | None,
        WithJsonSchema({"type": ["string", "null"], "pattern": "^(#[0-9A-Fa-f]{6})?$"}),
        Field(description=_COLOUR, examples=["#2f5bd7"]),
    ] = None
    contact: Annotated[str, Field(max_length=CONTACT_LENGTH)] | None = Field(
        None, description=_CONTACT, examples=["mailto:help@example.com"]
    )


class BrandingBody(ResponseModel):
    """How the organisation looks to its visitors; null is what was not set."""

    name: str | None = Field(description=_NAME, examples=["Harbour Supplies"])
    logo: str | None = Field(description="A data: URL, as pages have it.")
    colour: str | None = Field(description=_COLOUR, examples=["#2f5bd7"])
    contact: str | None = Field(description=_CONTACT, examples=["mailto:help@example.com"])

    @classmethod
    def of(cls, branding: Branding) -> BrandingBody:
        """The branding as its owner sees it."""
        return cls(
            name=branding.name,
            logo=write_logo(branding.logo) if branding.logo is not None else None,
            colour=branding.colour,
            contact=branding.contact,
        )
