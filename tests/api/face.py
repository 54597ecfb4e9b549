"""The web face as it runs behind the gateway: a real server on a real socket over a real database."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import uvicorn
from tests.authenticators import FakeAuthenticator, sign_outs
from tests.built import built_application, user_agents
from tests.environment_checks import RecordingCheck
from tests.storage.migrated import new_database
from tests.storage.samples import visit_log

from guestpass.app.accounts import AccountService
from guestpass.app.branding import BrandingService
from guestpass.app.environments import EnvironmentService
from guestpass.app.findings import Findings
from guestpass.app.link_records import LinkRecords
from guestpass.app.links import LinkService
from guestpass.app.password_login import PasswordLogin
from guestpass.app.password_tries import PasswordTries
from guestpass.app.public_urls import PublicUrls
from guestpass.app.served_names import ServedNames
from guestpass.app.token_revocation import TokenRevocation
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.domain.access import ALL_SCOPES, Principal, Scope
from guestpass.domain.visit import AddressDetail
from guestpass.signing.bearer import BearerTokens
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.signing.passwords import Argon2Hasher
from guestpass.signing.sealing import SealedSecrets
from guestpass.signing.tokens import SealedTokens
from guestpass.storage.database import Database
from guestpass.system import SystemEntropy
from guestpass.web.application import WebServices
from guestpass.web.notices import Notices

JWT_SECRET = "a secret of the tests, long enough for HS256"
REQUEST_ID = "01TESTREQUEST"
LONGEST = timedelta(hours=8760)
PUBLIC_URL = "https://share.example.com"


class SettableClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Silence:
    async def announce(self) -> None:
        """Nobody listens in these tests."""


@dataclass
class Face:
    """A running web face, and what a test needs to look behind it."""

    url: str
    database_url: str
    clock: SettableClock
    services: WebServices
    checker: RecordingCheck
    authenticator: FakeAuthenticator
    ready: list[bool] = field(default_factory=lambda: [True])

    def token(self, *, scopes: frozenset[Scope] = ALL_SCOPES, org: str = "default", sub: str = "olga") -> str:
        principal = Principal(sub, org, scopes)
        return self.services.bearer.issue(principal, now=datetime.now(UTC), lifetime=timedelta(hours=1))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The same database, opened a second time as another process would."""
        database = Database(self.database_url, self.clock)
        try:
            yield database
        finally:
            await database.close()

    def client(self, **fields: str) -> httpx2.AsyncClient:
        """A client that reaches the face as the gateway does; `fields` are further request fields."""
        headers = {"X-Guestpass-Request-Id": REQUEST_ID, "X-Guestpass-Client-Address": "192.0.2.7"} | {
            name.replace("_", "-"): value for name, value in fields.items()
        }
        return httpx2.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def owner(self, **claims: str) -> httpx2.AsyncClient:
        """A client with a bearer token that may do everything."""
        return self.client(Authorization=f"Bearer {self.token(**claims)}")  # type: ignore[arg-type]

    def browser(self) -> httpx2.AsyncClient:
        """A browser that navigates."""
        return self.client(X_Guestpass_Page="1")


@contextmanager
def running_face(directory: Path, *, link_domain: str | None = None) -> Iterator[Face]:
    """Serve a new, empty installation."""
    database_url = new_database(directory)
    clock, entropy = SettableClock(), SystemEntropy()
    keys = Keys.from_secret("another secret of the tests, just as long")
    database, vault, hasher = Database(database_url, clock), SealedTokens(keys, entropy), Argon2Hasher()
    addresses = PublicUrls(PUBLIC_URL, link_domain)
    ready, checker, authenticator = [True], RecordingCheck(), FakeAuthenticator()
    visits = visit_log(database, clock, agent_of=user_agents().read)
    tries = PasswordTries(
        database,
        clock,
        of_address="3/15minute",
        of_link="5/hour",
    )
    sealer = SealedSecrets(keys, entropy)
    accounts = AccountService(
        database, Silence(), sealer, authenticator, sign_outs(database, clock, authenticator, sealer), clock
    )

    async def is_ready() -> bool:
        return ready[0]

    services = WebServices(
        links=LinkService(database, Silence(), vault, hasher, addresses, accounts, clock, entropy, longest=LONGEST),
        password_tries=tries,
        records=LinkRecords(database, Silence(), clock, AddressDetail.SHORTENED),
        environments=EnvironmentService(database, Silence(), clock, entropy, checker),
        accounts=accounts,
        branding=BrandingService(database, Silence(), clock),
        findings=Findings(database, addresses),
        password_login=PasswordLogin(
            database, vault, hasher, clock, visits, tries, VisitorSlots(database, Silence(), clock)
        ),
        bearer=BearerTokens(JWT_SECRET, entropy),
        revocation=TokenRevocation(database, clock),
        passes=PassSigner(keys, entropy),
        addresses=addresses,
        notices=Notices(),
        clock=clock,
        ready=is_ready,
        serves=ServedNames(
            database,
            hosts=frozenset({urlsplit(PUBLIC_URL).hostname or ""}),
            domains=(link_domain,) if link_domain else (),
        ).include,
    )
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
        closing(hasher),
        built_application() as application,
    ):
        application.state.services = services
        config = uvicorn.Config(application, log_config=None, access_log=False, ws="none", lifespan="off")
        server = uvicorn.Server(config)

        async def serve() -> None:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(visits.run())
                await server.serve(sockets=[listener])
                writing.cancel()
            await database.close()

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        try:
            port = listener.getsockname()[1]
            yield Face(f"http://127.0.0.1:{port}", database_url, clock, services, checker, authenticator, ready)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
