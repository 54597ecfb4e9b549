"""Passes as cookie values, and the tags that tie an environment's cookies to one visitor of one link."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from guestpass.app.ports import Entropy
from guestpass.domain.visitor_pass import OTHERS, PREVIEW, EntryTicket, VisitorPass
from guestpass.signing.keys import Keys

_FORM = re.compile(
    r"[1pr]\.([a-z2-7]{16})\.([0-9]{1,9})\.([A-Za-z0-9_-]{22})\.([0-9]{1,11})\.([A-Za-z0-9_-]{43})", re.ASCII
)
_ENTRY_FORM = re.compile(
    r"(e\.([a-z2-7]{16})\.([0-9]{1,9})\.([A-Za-z0-9_-]{22})\.([0-9]{1,11})\.([0-9]{1,11})\.([A-Za-z0-9_-]{22}))"
    r"\.([A-Za-z0-9_-]{43})",
    re.ASCII,
)
_MAX_AGE = 400 * 86_400  # What browsers grant at most (RFC 6265bis, section 5.5).
FORMER_NAME = "__Host-guestpass"
"""What the pass was called on https before: any script of the origin can set a cookie of that name."""
COOKIE_NAMES = frozenset({"guestpass", FORMER_NAME, "__Host-Http-guestpass"})


_PASS, _TICKET, _PROMISE = "1", "p", "r"


class PassSigner:
    """Issues and checks passes: ``1.<link>.<version>.<visitor>.<issued at>.<HMAC-SHA256>``.

    A ticket (``p.`` in front) is what an owner's preview is opened with; it is no pass, since it stands in an address.
    A promise (``r.``) opens nothing: it names the visitor whom the next step of a browser lets in.
    Nor is an entry ticket (``e.``), which also says when it was issued itself and has a nonce.
    """

    def __init__(self, keys: Keys, entropy: Entropy) -> None:
        self._key = keys.passes
        self._tag_key = keys.cookie_tags
        self._entropy = entropy

    def issue(self, link_id: str, link_version: int, issued_at: int, *, distinguished: bool = True) -> VisitorPass:
        """A pass for a new visitor identity of 128 random bits; of 90 where it is one of many (OTHERS)."""
        visitor = _text(self._entropy.bytes(16))
        if not distinguished:
            visitor = f"{OTHERS}{visitor[:15]}"
        return VisitorPass(link_id, link_version, visitor, issued_at)

    def issue_preview(self, link_id: str, link_version: int, issued_at: int) -> VisitorPass:
        """Create the pass of an owner's preview."""
        visitor = f"{PREVIEW}{_text(self._entropy.bytes(11))[:14]}"
        return VisitorPass(link_id, link_version, visitor, issued_at)

    def write(self, visitor_pass: VisitorPass) -> str:
        """The signed text of a pass."""
        return self._write(_PASS, visitor_pass)

    def write_ticket(self, visitor_pass: VisitorPass) -> str:
        """The signed text that a preview's pass is given for, once."""
        return self._write(_TICKET, visitor_pass)

    def read(self, text: str) -> VisitorPass | None:
        """The pass, or None where the text is not one that this installation signed."""
        return self._read(_PASS, text)

    def read_ticket(self, text: str) -> VisitorPass | None:
        """The pass that a ticket stands for, or None where the text is no ticket."""
        return self._read(_TICKET, text)

    def write_promise(self, visitor_pass: VisitorPass) -> str:
        """The signed text by which a browser takes the same place when it asks for one twice."""
        return self._write(_PROMISE, visitor_pass)

    def read_promise(self, text: str) -> VisitorPass | None:
        """The pass that is promised, or None where the text is no promise."""
        return self._read(_PROMISE, text)

    def write_entry(self, visitor_pass: VisitorPass, issued_at: int) -> str:
        """The signed text of a new entry ticket."""
        given = visitor_pass
        payload = f"e.{given.link_id}.{given.link_version}.{given.visitor}.{given.issued_at}.{issued_at}"
        payload = f"{payload}.{_text(self._entropy.bytes(16))}"
        return f"{payload}.{self._mac(payload)}"

    def read_entry(self, text: str) -> EntryTicket | None:
        """The entry ticket, or None where the text is not one that this installation signed."""
        match = _ENTRY_FORM.fullmatch(text)
        if match is None or not hmac.compare_digest(self._mac(match[1]), match[8]):
            return None
        return EntryTicket(VisitorPass(match[2], int(match[3]), match[4], int(match[5])), int(match[6]), match[7])

    def _write(self, kind: str, given: VisitorPass) -> str:
        payload = f"{kind}.{given.link_id}.{given.link_version}.{given.visitor}.{given.issued_at}"
        return f"{payload}.{self._mac(payload)}"

    def _read(self, kind: str, text: str) -> VisitorPass | None:
        match = _FORM.fullmatch(text) if text.startswith(kind) else None
        if match is None or not hmac.compare_digest(self._mac(text.rpartition(".")[0]), match[5]):
            return None
        return VisitorPass(match[1], int(match[2]), match[3], int(match[4]))

    def cookie_tag(self, visitor_pass: VisitorPass, moves: int = 0) -> str:
        """A tag of 22 characters that only this visitor of this link has; nobody can make one without the key.

        It is another one after each of the `moves` of their environment.
        """
        owner = f"{visitor_pass.link_id}.{visitor_pass.visitor}{f'.{moves}' if moves else ''}"
        return _text(hmac.digest(self._tag_key, owner.encode(), hashlib.sha256)[:16])

    def credentials_mark(self, credentials: bytes) -> str:
        """Return a keyed digest that identifies credentials without revealing them."""
        return _text(hmac.digest(self._tag_key, b"credentials." + credentials, hashlib.sha256)[:16])

    def _mac(self, payload: str) -> str:
        return _text(hmac.digest(self._key, payload.encode(), hashlib.sha256))


def pass_name(*, secure: bool) -> str:
    """The name of the pass's cookie; on https one that browsers take from this very host and from no script.

    The prefix is that of draft-ietf-httpbis-layered-cookies; to browsers that don't know it, it is a ``__Host-``.
    """
    return "__Host-Http-guestpass" if secure else "guestpass"


def kept_pass_name(link_id: str, *, secure: bool) -> str:
    """The name under which PUBLIC_URL's host remembers a browser's pass of one link, where links have hosts."""
    return f"{pass_name(secure=secure)}-{link_id}"


def promise_name(*, secure: bool) -> str:
    """The name of the cookie that holds a promise."""
    return f"{pass_name(secure=secure)}-place"


def pass_cookie(value: str, *, secure: bool, name: str | None = None, max_age: int = _MAX_AGE) -> str:
    """The Set-Cookie line for a pass (RFC 6265bis), under `name` where it is another; `max_age` is in seconds.

    It lives as long as browsers allow: what a pass is worth is decided by the link, so that an ended
    link can still be named and an extended one goes on.
    """
    end = "; Secure" if secure else ""
    return f"{name or pass_name(secure=secure)}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{end}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
