"""How people reach what we serve: share URLs and the origins of links."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Addresses:
    """The public addresses of this installation.

    `public_url` is an origin (``https://share.example.com``). With `link_domain` each link has an
    origin of its own below that domain, with the scheme and port of `public_url`; without it all links
    open on `public_url`.
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

    def link_origin(self, link_id: str) -> str:
        """The origin on which a link's content is served. A link's id is a DNS label and no secret."""
        if self.link_domain is None:
            return self.public_url
        port = urlsplit(self.public_url).port
        return f"{self.scheme}://{link_id}.{self.link_domain}" + (f":{port}" if port is not None else "")

    def share_url(self, link_id: str, token: str) -> str:
        """The URL that an owner sends."""
        return f"{self.link_origin(link_id)}/share/{token}"
