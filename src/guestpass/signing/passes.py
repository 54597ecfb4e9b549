"""Passes as cookie values, and the tags that tie an environment's cookies to one visitor of one link."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from guestpass.app.ports import Entropy
from guestpass.domain.visitor_pass import VisitorPass
from guestpass.signing.keys import Keys

_FORM = re.compile(
    r"1\.([a-z2-7]{16})\.([0-9]{1,9})\.([A-Za-z0-9_-]{22})\.([0-9]{1,11})\.([A-Za-z0-9_-]{43})", re.ASCII
)
_MAX_AGE = 400 * 86_400  # What browsers grant at most (RFC 6265bis, section 5.5).
COOKIE_NAMES = frozenset({"guestpass", "__Host-guestpass"})


class PassSigner:
    """Issues and checks passes: ``1.<link>.<version>.<visitor>.<issued at>.<HMAC-SHA256>``."""

    def __init__(self, keys: Keys, entropy: Entropy) -> None:
        self._key = keys.passes
        self._tag_key = keys.cookie_tags
        self._entropy = entropy

    def issue(self, link_id: str, link_version: int, issued_at: int) -> VisitorPass:
        """A pass for a new visitor identity of 128 random bits."""
        return VisitorPass(link_id, link_version, _text(self._entropy.bytes(16)), issued_at)

    def write(self, visitor_pass: VisitorPass) -> str:
        """The signed text of a pass."""
        facts = f"1.{visitor_pass.link_id}.{visitor_pass.link_version}.{visitor_pass.visitor}.{visitor_pass.issued_at}"
        return f"{facts}.{self._mac(facts)}"

    def read(self, text: str) -> VisitorPass | None:
        """The pass, or None where the text is not one that this installation signed."""
        match = _FORM.fullmatch(text)
        if match is None or not hmac.compare_digest(self._mac(text.rpartition(".")[0]), match[5]):
            return None
        return VisitorPass(match[1], int(match[2]), match[3], int(match[4]))

    def cookie_tag(self, visitor_pass: VisitorPass) -> str:
        """A tag of 22 characters that only this visitor of this link has; nobody can make one without the key."""
        owner = f"{visitor_pass.link_id}.{visitor_pass.visitor}"
        return _text(hmac.digest(self._tag_key, owner.encode(), hashlib.sha256)[:16])

    def _mac(self, facts: str) -> str:
        return _text(hmac.digest(self._key, facts.encode(), hashlib.sha256))


def pass_name(*, secure: bool) -> str:
    """The name of the pass's cookie; on https one that browsers take from this very host alone."""
    return "__Host-guestpass" if secure else "guestpass"


def pass_cookie(value: str, *, secure: bool) -> str:
    """The Set-Cookie line for a pass (RFC 6265bis).

    It lives as long as browsers allow: what a pass is worth is decided by the link, so that an ended
    link can still be named and an extended one goes on.
    """
    end = "; Secure" if secure else ""
    return f"{pass_name(secure=secure)}={value}; Max-Age={_MAX_AGE}; Path=/; HttpOnly; SameSite=Lax{end}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
