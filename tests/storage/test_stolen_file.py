"""Who has the database's files and not SECRET_KEY can open nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.authenticators import FakeAuthenticator, sign_outs
from tests.storage.samples import LINK_ID, SetClock, keep, make_environment

from guestpass.app.accounts import AccountService, SignInCredentials
from guestpass.app.links import LinkService, NewLink
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.access import Principal
from guestpass.signing.keys import Keys
from guestpass.signing.passwords import Argon2Hasher
from guestpass.signing.sealing import SealedSecrets
from guestpass.signing.tokens import SealedTokens
from guestpass.storage.database import Database
from guestpass.storage.feed import SQLiteFeed
from guestpass.system import SystemEntropy

SECRET, PASSWORD = "the secret key of this installation", "correct horse battery staple"
OF_ODOO = "a password that Odoo knows"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def nothing(*_: object) -> None:
    pass


async def test_the_files_hold_neither_a_token_nor_a_password_nor_the_key(
    database: Database, clock: SetClock, tmp_path: Path
) -> None:
    await keep(database, make_environment())
    entropy, hasher = SystemEntropy(), Argon2Hasher()
    vault = SealedTokens(Keys.from_secret(SECRET), entropy)
    feed, authenticator = SQLiteFeed(database, nothing, nothing), FakeAuthenticator()
    authenticator.passwords["anna"] = OF_ODOO
    sealer = SealedSecrets(Keys.from_secret(SECRET), entropy)
    service = LinkService(
        store=database,
        announcer=feed,
        vault=vault,
        hasher=hasher,
        addresses=PublicUrls("https://share.example.com"),
        accounts=AccountService(
            database, feed, sealer, authenticator, sign_outs(database, clock, authenticator, sealer), clock
        ),
        clock=clock,
        entropy=entropy,
        longest=timedelta(days=365),
    )
    account = SignInCredentials(login="anna", password=OF_ODOO)
    new = NewLink(password=PASSWORD, label="For the acceptance", sign_in_as=account)
    made = await service.create(Principal("olga"), "staging", new)
    token = made.url.rpartition("/")[2]
    assert vault.is_well_formed(token)
    # While it runs, what was written last is in the write-ahead log; closing moves it into the file.
    before = stolen_bytes(tmp_path / "guestpass.db")
    await database.close()
    after = stolen_bytes(tmp_path / "guestpass.db")
    hasher.close()
    for stolen in (before, after):
        assert b"For the acceptance" in stolen
        assert made.link.id.encode() in stolen
        for secret in (token, token.removeprefix("gp_")[:20], token[-20:], PASSWORD, OF_ODOO, SECRET):
            assert secret.encode() not in stolen
        # Nor the hash that anybody could make of a token without the key.
        assert vault.hash(token) in stolen
        assert SealedTokens(Keys.from_secret("x" * 32), entropy).hash(token) not in stolen


def test_a_sealed_token_opens_with_its_key_and_for_its_link_only() -> None:
    entropy = SystemEntropy()
    vault = SealedTokens(Keys.from_secret(SECRET), entropy)
    sealed = vault.seal(vault.new(), LINK_ID)
    for thief, link_id in ((SealedTokens(Keys.from_secret("x" * 32), entropy), LINK_ID), (vault, "b" * 16)):
        with pytest.raises(ValueError, match="not sealed with this SECRET_KEY"):
            thief.open(sealed, link_id)


def stolen_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))
