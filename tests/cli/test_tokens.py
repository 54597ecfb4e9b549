"""`guestpass token`: what it prints is a JSON Web Token that any library can check."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from tests.cli.command import Guestpass

from guestpass.settings import Settings
from guestpass.wiring import build_core


def claims_of(command: Guestpass, token: str) -> dict[str, Any]:
    secret = (command.data_dir / "jwt_secret").read_text().strip()
    claims: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"])
    return claims


async def is_revoked(command: Guestpass, jti: str) -> bool:
    """What a server asks for each call."""

    class Unheard:
        async def announce(self) -> None: ...

    core = build_core(Settings(data_dir=command.data_dir), Unheard())
    try:
        return await core.revocation.is_revoked(jti)
    finally:
        await core.close()


def test_a_token_says_who_may_do_what_and_until_when(installed: Guestpass) -> None:
    result = installed.succeed("token")
    claims = claims_of(installed, result.out.strip())
    assert result.out.count("\n") == 1
    assert claims["sub"] == pwd.getpwuid(os.geteuid()).pw_name
    assert claims["org"] == "default"
    assert set(claims["scope"].split()) == {"shares:read", "shares:write", "environments:read", "environments:write"}
    assert claims["exp"] - claims["iat"] == 30 * 86_400
    assert abs(datetime.fromtimestamp(claims["iat"], UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert f"guestpass token revoke {claims['jti']}" in result.err


def test_each_claim_can_be_chosen(installed: Guestpass) -> None:
    result = installed.succeed(
        "token", "--sub", "ci", "--org", "acme", "--expires", "1h30m", "--scope", "shares:read shares:write",
        "--scope", "environments:read", "--json",
    )  # fmt: skip
    claims = claims_of(installed, result.json["token"])
    assert (claims["sub"], claims["org"]) == ("ci", "acme")
    assert set(claims["scope"].split()) == {"shares:read", "shares:write", "environments:read"}
    assert claims["exp"] - claims["iat"] == 5400
    assert result.json["jti"] == claims["jti"]
    assert datetime.fromisoformat(result.json["expiresAt"]).timestamp() == claims["exp"]


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--scope", "shares:own", "environments:write"),
        ("--org", "a b", "letters"),
        ("--expires", "soon", "24h"),
        ("--expires", "0s", "at least 1s"),
        ("--sub", "", "1 to 200"),
        ("--sub", "a\nb", "printable characters"),
        ("--sub", "a\u202eb", "printable characters"),
    ],
)
def test_what_can_not_be_in_a_token_is_refused(installed: Guestpass, option: str, value: str, remedy: str) -> None:
    text = installed.refuse(2, "token", option, value)
    assert option in text
    assert remedy in text


async def test_a_token_is_revoked_by_itself_or_by_its_id(installed: Guestpass) -> None:
    first, second, third = (installed.succeed("token", "--json").json for _ in range(3))
    assert first["jti"] in installed.succeed("token", "revoke", first["token"]).out
    installed.succeed("token", "revoke", second["jti"])
    assert await is_revoked(installed, first["jti"])
    assert await is_revoked(installed, second["jti"])
    assert not await is_revoked(installed, third["jti"])


def test_a_token_of_another_installation_is_not_revoked(installed: Guestpass) -> None:
    foreign = jwt.encode({"sub": "x", "exp": 4_000_000_000, "jti": "abc"}, "s" * 32, algorithm="HS256")
    assert foreign not in installed.refuse(1, "token", "revoke", foreign)


def test_a_token_without_an_id_can_not_be_revoked_alone(installed: Guestpass) -> None:
    secret = (installed.data_dir / "jwt_secret").read_text().strip()
    nameless = jwt.encode({"sub": "x", "exp": 4_000_000_000}, secret, algorithm="HS256")
    assert "JWT_SECRET" in installed.refuse(1, "token", "revoke", nameless)
