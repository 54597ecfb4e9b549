"""Bearer tokens of owners: JSON Web Tokens (RFC 7519) signed with HS256 and JWT_SECRET."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from guestpass.app.ports import Entropy
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import DEFAULT_ORG, ORG_PATTERN


class BearerRefused(Exception):
    """The token is invalid; the text is the cause and never holds the token."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """A valid token's principal, id (`jti`, optional) and expiry."""

    principal: Principal
    jti: str | None
    expires_at: datetime


class BearerTokens:
    """Issues and checks bearer tokens."""

    def __init__(self, secret: str, entropy: Entropy) -> None:
        self._secret = secret
        self._entropy = entropy

    def issue(self, principal: Principal, *, now: datetime, lifetime: timedelta) -> str:
        """A token for the principal, with a `jti` by which it can be revoked."""
        claims = {
            "sub": principal.sub,
            "org": principal.org,
            "scope": " ".join(sorted(principal.scopes)),
            "jti": self._entropy.bytes(12).hex(),
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def read(self, token: str) -> Bearer:
        """Check signature, time and claims; raises BearerRefused.

        `exp` and `sub` are required; `org` defaults to ``default``. Scopes that we don't know are
        ignored, as RFC 6749, section 3.3, lets a server do.
        """
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options={"require": ["exp", "sub"]})
        except jwt.ExpiredSignatureError:
            raise BearerRefused("The bearer token has expired; get a new one.") from None
        except jwt.MissingRequiredClaimError as error:
            raise BearerRefused(f"The bearer token lacks the claim {error.claim!r}.") from None
        except jwt.ImmatureSignatureError:
            raise BearerRefused(
                "The bearer token is not valid yet; the clock of the machine that made it must agree with ours."
            ) from None
        except jwt.InvalidTokenError:
            raise BearerRefused("The bearer token is not valid here.") from None
        for name in ("exp", "iat", "nbf"):
            # The library reads text as well, and the RFC has numbers alone (section 2, NumericDate).
            if name in claims and (isinstance(claims[name], bool) or not isinstance(claims[name], int | float)):
                raise BearerRefused(f"The bearer token's claim '{name}' must be a number of seconds.")
        sub, org, scope, jti = claims["sub"], claims.get("org", DEFAULT_ORG), claims.get("scope", ""), claims.get("jti")
        if not _is_text(sub):
            raise BearerRefused("The bearer token's claim 'sub' must be text of 1 to 200 printable characters.")
        if not isinstance(org, str) or not ORG_PATTERN.fullmatch(org):
            raise BearerRefused("The bearer token's claim 'org' must be 1 to 64 of letters, digits and ._@-.")
        if not isinstance(scope, str):
            raise BearerRefused("The bearer token's claim 'scope' must be text with spaces between scopes.")
        if jti is not None and not _is_text(jti):
            raise BearerRefused("The bearer token's claim 'jti' must be text of 1 to 200 printable characters.")
        known = {member.value for member in Scope}
        scopes = frozenset(Scope(word) for word in scope.split() if word in known)
        try:
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (OverflowError, OSError, ValueError):
            raise BearerRefused("The bearer token's claim 'exp' must be a time before the year 10000.") from None
        return Bearer(Principal(sub, org, scopes), jti, expires_at)


def _is_text(value: object) -> bool:
    """Whether it can be stored and shown: JSON's escapes can write what is no text, such as half a surrogate pair."""
    return isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable()
