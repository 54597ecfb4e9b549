"""Keep what somebody typed for one environment from another on the same origin (RFC 7617, RFC 7616).

A browser sends the name and password of HTTP authentication to an origin for as long as it runs, and nothing that we
could say at a switch makes it forget them. So they pass only after the environment has asked this visitor, and not
where they are known to be another's. What is known is kept in cookies of ours, one for each link that has asked.

Every environment asks under one realm. A browser then forgets what was turned back (it does not where another realm
asks), so that what comes again was typed again. Negotiate and NTLM are left alone.
"""

from __future__ import annotations

import copy
import re
from typing import Final

from guestpass.gateway.cookies import CookieJar, asked_name
from guestpass.signing.passes import PassSigner
from guestpass.wire.heads import Field, RequestHead

_REALM: Final = b'Basic realm="shared link"'
_SCHEMES: Final = (b"basic", b"digest")
# A challenge with its parameters, up to the next one of the list (RFC 9110, section 11.6.1), and what only begins like
# one: of that nobody knows where it ends.
_PARAMETER: Final = rb"""[ \t,]+[\w!#$%&'*+.^`|~-]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^" \t,]*)"""
_BASIC = re.compile(rb"((?:^|,)[ \t]*)basic(?:%b){0,10}(?=[ \t]*(?:,|$))" % _PARAMETER, re.IGNORECASE)
_LIKE_BASIC = re.compile(rb"((?:^|,)[ \t]*)basic[ \t](?!realm=\"shared link\"(?:,|$)).*", re.IGNORECASE)
# What is looked at of an answer: more no server says, and to take it apart would take long.
_LONGEST_CHALLENGE: Final = 512
_MOST_CHALLENGES: Final = 8
_LONGEST_DIGEST: Final = 4096
_DIGEST = re.compile(rb"(?:.*,)?[ \t]*digest[ \t]", re.IGNORECASE | re.DOTALL)
_WHO = re.compile(rb"\b(username\*?|realm)[ \t]*=[ \t]*(\"[^\"]*\"|[^ \t,]*)", re.IGNORECASE)
# What a cookie says of its environment.
_ASKED: Final = b"-"  # it has asked, and nothing had come
_TURNED_BACK: Final = b"+"  # it has asked, and these had come: a browser that sends them now has asked a person
_TAKEN: Final = b"*"  # it has answered to these


class Credentials:
    """The credentials of one request of a visitor's, and what becomes of them; `tag` is the visitor's.

    `is_silent` says that the request has none, so that an answer other than a 401 stays as it is.
    """

    __slots__ = ("_jar", "_mark", "_own", "_secure", "_tag", "is_silent", "is_withheld")

    def __init__(self, signer: PassSigner, jar: CookieJar, tag: bytes, head: RequestHead, *, secure: bool) -> None:
        self._jar = jar
        self._tag = tag
        self._secure = secure
        self._mark = b""
        self._own = b""
        self.is_silent = True
        self.is_withheld = False
        value = head.values.get(b"authorization")
        if value is not None and value.lower().startswith(_SCHEMES):
            self.is_silent = False
            self._mark = signer.credentials_mark(_identity(value)).encode()
            self.is_withheld = not self._may_pass()

    def _may_pass(self) -> bool:
        asked = self._jar.asked()
        own = self._own = asked.pop(self._tag, b"")
        if own in (_TAKEN + self._mark, _TURNED_BACK + self._mark):
            return True
        return bool(own) and _TAKEN + self._mark not in asked.values()

    def changed(self, status: int, fields: list[Field]) -> tuple[list[Field], bytes | None]:
        """The answer's fields for the visitor, and a cookie that keeps what it tells."""
        if status != 401:
            taken = _TAKEN + self._mark
            new = self._mark and not self.is_withheld and self._own != taken
            return fields, self._cookie(taken) if new else None
        kept: list[Field] = []
        asks, looked_at = False, 0
        for lower, name, value in fields:
            passed = value
            if lower == b"www-authenticate":
                looked_at += 1
                passed = _under_one_realm(value) if looked_at <= _MOST_CHALLENGES else _REALM
                asks = asks or _REALM in passed or _DIGEST.match(passed[:_LONGEST_CHALLENGE]) is not None
            kept.append((lower, name, passed))
        return kept, self._cookie(_TURNED_BACK + self._mark if self._mark else _ASKED) if asks else None

    def _cookie(self, value: bytes) -> bytes:
        """Gone with the browser's session, like what it speaks of."""
        end = b"; Secure" if self._secure else b""
        return asked_name(self._tag, secure=self._secure) + b"=" + value + b"; Path=/; HttpOnly; SameSite=Lax" + end


def without_credentials(head: RequestHead) -> RequestHead:
    """The request as if nothing had been said by HTTP authentication."""
    silent = copy.copy(head)
    silent.fields = [field for field in head.fields if field[0] != b"authorization"]
    silent.values = {name: value for name, value in head.values.items() if name != b"authorization"}
    return silent


def _under_one_realm(challenges: bytes) -> bytes:
    if b"basic" not in challenges.lower():
        return challenges
    if len(challenges) > _LONGEST_CHALLENGE:
        return _REALM
    return _LIKE_BASIC.sub(rb"\1" + _REALM, _BASIC.sub(rb"\1" + _REALM, challenges))


def _identity(value: bytes) -> bytes:
    """What is the same in each request with these credentials: of Digest, whose they are."""
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() == b"digest" and len(rest) <= _LONGEST_DIGEST:
        rest = b"\n".join(sorted(name.lower() + b"=" + said.strip(b'"') for name, said in _WHO.findall(rest)))
    return scheme.lower() + b" " + rest.strip(b" \t")
