"""Build share URLs and the origins of links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_VERSION_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class PublicUrls:
    """The public addresses of this installation.

    `public_url` is an origin (``https://share.example.com``), on which every share URL is. With `link_domain` the
    content of each version of a link has an origin of its own below that domain, with the scheme and port of
    `public_url`; without it everything is on `public_url`.
    """

    public_url: str
    link_domain: str | None = None

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return urlsplit(self.public_url).scheme

    @property
    def secure(self) -> bool:
        """Whether visitors use https, so that cookies can be Secure."""
        return self.scheme == "https"

    def link_origin(self, link_id: str, version: int) -> str:
        """The origin on which the content of a link's version is served; its label is no secret."""
        if self.link_domain is None:
            return self.public_url
        return self._below_link_domain(link_label(link_id, version))

    @property
    def link_origins(self) -> str | None:
        """Where all links have their content, as a Content-Security-Policy names it; None where it is PUBLIC_URL."""
        return None if self.link_domain is None else self._below_link_domain("*")

    def _below_link_domain(self, label: str) -> str:
        port = urlsplit(self.public_url).port
        return f"{self.scheme}://{label}.{self.link_domain}" + (f":{port}" if port is not None else "")

    def share_url(self, token: str) -> str:
        """The URL that an owner sends: never on a host where an environment's own scripts could read along."""
        return f"{self.public_url}/share/{token}"


def link_label(link_id: str, version: int) -> str:
    """The DNS label of a link's version.

    The first has the id alone, as every version had before there was one for each.
    """
    return link_id if version == 1 else f"{link_id}-{version}"


def read_link_label(label: str) -> tuple[str, int]:
    """A link's id and version from a label; what is not written as `link_label` does is nothing that any link has."""
    link_id, dash, version = label.partition("-")
    if not dash:
        return label, 1
    if version.isascii() and version.isdigit() and len(version) <= _VERSION_DIGITS and version[0] != "0":
        number = int(version)
        if number > 1:
            return link_id, number
    return label, 1
