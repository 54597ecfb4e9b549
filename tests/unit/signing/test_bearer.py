from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from guestpass.domain.access import ALL_SCOPES, Principal, Scope
from guestpass.signing.bearer import BearerRefused, BearerTokens
from guestpass.system import SystemEntropy

SECRET = "a jwt secret of at least 32 characters"
TOKENS = BearerTokens(SECRET, SystemEntropy())
HOUR = timedelta(hours=1)


def signed(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token with these claims besides the needed ones."""
    return jwt.encode({"sub": "olga", "exp": int(time.time()) + 3600, **claims}, secret, algorithm=algorithm)


def by_hand(payload: str, header: str = '{"alg":"HS256","typ":"JWT"}') -> str:
    """A correctly signed token of exactly this JSON, which a library might not want to make."""
    signing_input = ".".join(
        base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, payload)
    )
    algorithm = jwt.get_algorithm_by_name("HS256")
    mac = algorithm.sign(signing_input.encode(), algorithm.prepare_key(SECRET))
    return f"{signing_input}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def refusal(token: str) -> str:
    with pytest.raises(BearerRefused) as caught:
        TOKENS.read(token)
    for part in token.split("."):
        assert not part or part not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "principal",
    [Principal("olga"), Principal("ci", "acme", frozenset({Scope.SHARES_READ})), Principal("x", scopes=frozenset())],
)
def test_what_was_issued_is_read_as_the_same(principal: Principal) -> None:
    now = datetime.now(UTC)
    bearer = TOKENS.read(TOKENS.issue(principal, now=now, lifetime=HOUR))
    assert bearer.principal == principal
    assert bearer.jti is not None
    assert len(bearer.jti) == 24
    assert bearer.expires_at == (now + HOUR).replace(microsecond=0)


def test_each_token_can_be_revoked_by_itself() -> None:
    tokens = [TOKENS.issue(Principal("olga"), now=datetime.now(UTC), lifetime=HOUR) for _ in range(2)]
    assert len({TOKENS.read(token).jti for token in tokens}) == 2


def test_the_least_that_a_token_of_somebody_else_must_say() -> None:
    bearer = TOKENS.read(signed())
    assert bearer.principal == Principal("olga", "default", frozenset())
    assert bearer.jti is None


def test_scopes_that_we_do_not_know_are_ignored() -> None:
    bearer = TOKENS.read(signed(scope="shares:read  offline_access shares:write"))
    assert bearer.principal.scopes == {Scope.SHARES_READ, Scope.SHARES_WRITE}
    assert TOKENS.read(signed(scope=" ".join(ALL_SCOPES))).principal.scopes == ALL_SCOPES


def test_an_unsigned_token_is_refused() -> None:
    header, payload = '{"alg":"none","typ":"JWT"}', json.dumps({"sub": "olga", "exp": int(time.time()) + 3600})
    unsigned = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, payload))
    assert refusal(f"{unsigned}.") == "The bearer token is not valid here."
    assert refusal(unsigned) == "The bearer token is not valid here."
    assert refusal(by_hand(payload, header)) == "The bearer token is not valid here."


def test_another_key_or_algorithm_is_refused() -> None:
    assert refusal(signed("another secret of at least 32 characters")) == "The bearer token is not valid here."
    longer = "a jwt secret of at least 32 characters".ljust(64, "x")
    assert refusal(signed(longer, "HS512")) == "The bearer token is not valid here."
    with pytest.raises(BearerRefused):
        BearerTokens(longer, SystemEntropy()).read(signed(longer, "HS512"))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", "gp_abc", "Bearer x", "é.é.é"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(BearerRefused, match="not valid here"):
        TOKENS.read(token)


def test_a_changed_token_is_refused() -> None:
    header, _, mac = signed().split(".")
    payload = signed(sub="admin").split(".")[1]
    assert refusal(f"{header}.{payload}.{mac}") == "The bearer token is not valid here."


def test_an_expired_token_says_what_to_do() -> None:
    assert refusal(signed(exp=int(time.time()) - 1)) == "The bearer token has expired; get a new one."
    issued = TOKENS.issue(Principal("olga"), now=datetime.now(UTC) - 2 * HOUR, lifetime=HOUR)
    assert "expired" in refusal(issued)


@pytest.mark.parametrize("claim", ["exp", "sub"])
def test_a_missing_claim_is_named(claim: str) -> None:
    others: dict[str, Any] = {"sub": "olga", "exp": int(time.time()) + 3600}
    del others[claim]
    assert refusal(by_hand(json.dumps(others))) == f"The bearer token lacks the claim '{claim}'."
    assert refusal(by_hand(json.dumps(others | {claim: None}))) == f"The bearer token lacks the claim '{claim}'."


@pytest.mark.parametrize("exp", ["1e20", "1e300", "9" * 40, "253402300800", "Infinity", "NaN", "[1]", "{}", '"soon"'])
def test_an_end_that_is_no_date_is_refused(exp: str) -> None:
    refusal(by_hand(f'{{"sub":"olga","exp":{exp}}}'))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_a_time_that_is_no_number_is_refused(claim: str) -> None:
    """RFC 7519, section 2: a NumericDate is a JSON number."""
    seconds = int(time.time()) + (3600 if claim == "exp" else -3600)
    claims = {"sub": "olga", "exp": int(time.time()) + 3600, claim: seconds}
    TOKENS.read(by_hand(json.dumps(claims)))

    said = refusal(by_hand(json.dumps(claims | {claim: str(seconds)})))
    assert said == f"The bearer token's claim '{claim}' must be a number of seconds."


def test_the_last_date_there_is_and_fractions_of_a_second_are_accepted() -> None:
    assert TOKENS.read(by_hand('{"sub":"olga","exp":253402300799}')).expires_at.year == 9999
    assert TOKENS.read(by_hand('{"sub":"olga","exp":4102444800.5}')).expires_at.year == 2100


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ('"sub":""', "sub"),
        ('"sub":"' + "x" * 201 + '"', "sub"),
        (r'"sub":"a\u0000b"', "sub"),
        (r'"sub":"\ud800"', "sub"),
        ('"sub":7', ""),
        ('"sub":"olga","org":""', "org"),
        ('"sub":"olga","org":"a/b"', "org"),
        ('"sub":"olga","org":"' + "x" * 65 + '"', "org"),
        ('"sub":"olga","org":["acme"]', "org"),
        ('"sub":"olga","scope":["shares:read"]', "scope"),
        ('"sub":"olga","scope":null', "scope"),
        ('"sub":"olga","jti":7', ""),
        ('"sub":"olga","jti":""', "jti"),
        (r'"sub":"olga","jti":"\ud800"', "jti"),
    ],
)
def test_a_claim_of_another_kind_is_refused_and_named(claims: str, named: str) -> None:
    said = refusal(by_hand(f'{{"exp":4102444800,{claims}}}'))
    assert f"'{named}'" in said if named else said == "The bearer token is not valid here."


def test_a_token_that_is_not_valid_yet_says_what_may_be_wrong() -> None:
    for claim in ("iat", "nbf"):
        later = json.dumps({"sub": "olga", "exp": 4102444800, claim: int(time.time()) + 600})
        assert refusal(by_hand(later)).startswith("The bearer token is not valid yet; the clock")


def test_payloads_that_are_no_object_are_refused() -> None:
    for payload in ("[]", "7", '"olga"', "null", "{"):
        assert refusal(by_hand(payload)) == "The bearer token is not valid here."
