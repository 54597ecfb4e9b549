"""Build adapters and use cases from settings, for the server and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from guestpass.app.accounts import AccountService
from guestpass.app.branding import BrandingService
from guestpass.app.dashboard_sessions import DashboardSessionService
from guestpass.app.environments import EnvironmentService
from guestpass.app.findings import Findings
from guestpass.app.instance import Instance
from guestpass.app.link_records import LinkRecords
from guestpass.app.links import LinkService
from guestpass.app.password_tries import PasswordTries
from guestpass.app.ports import Announcer
from guestpass.app.public_urls import PublicUrls
from guestpass.app.sign_outs import SignOuts
from guestpass.app.token_revocation import TokenRevocation
from guestpass.data_directory import Secrets, make_secrets, read_secrets, whereabouts
from guestpass.domain.environment import Kind
from guestpass.gateway.address_policy import AddressPolicy
from guestpass.keepalive import probe_when_silent
from guestpass.outbound.check import ConnectionChecker, EnvironmentChecker
from guestpass.outbound.http_client import HttpClient
from guestpass.outbound.odoo_check import OdooChecker
from guestpass.outbound.odoo_sign_in import OdooSignIn
from guestpass.settings import Settings, variable
from guestpass.signing.bearer import BearerTokens
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.signing.passwords import Argon2Hasher
from guestpass.signing.sealing import SealedSecrets
from guestpass.signing.session_tokens import DashboardTokens
from guestpass.signing.tokens import SealedTokens
from guestpass.storage.database import Database
from guestpass.storage.instance import read_instance, write_instance, write_once
from guestpass.storage.location import DatabaseUnusable, locate
from guestpass.storage.migrate import DatabaseState, database_state, require_current, upgrade
from guestpass.storage.open_files import require_own_log
from guestpass.system import SystemClock, SystemEntropy
from guestpass.wire.connector import Connector
from guestpass.wire.resolver import Resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The adapters and use cases that the server and the command line share."""

    settings: Settings
    keys: Keys
    database: Database
    clock: SystemClock
    entropy: SystemEntropy
    vault: SealedTokens
    sealer: SealedSecrets
    authenticator: OdooSignIn
    sign_outs: SignOuts
    hasher: Argon2Hasher
    passes: PassSigner
    bearer: BearerTokens
    revocation: TokenRevocation
    connector: Connector
    dashboard_sessions: DashboardSessionService
    password_tries: PasswordTries
    addresses: PublicUrls
    links: LinkService
    records: LinkRecords
    environments: EnvironmentService
    accounts: AccountService
    branding: BrandingService
    findings: Findings

    async def close(self) -> None:
        """Close the database and stop the threads."""
        self.hasher.close()
        await self.database.close()


def prepare(settings: Settings) -> None:
    """Create what a first start needs (DATA_DIR, secrets, database), and upgrade an older database.

    Raises DataDirectoryUnusable or DatabaseUnusable. Blocks, so call it before the event loop runs.
    """
    make_secrets(settings)
    with _naming_database(settings):
        require_own_log(locate(settings.database_url))
        upgrade(settings.database_url)


def build_core(settings: Settings, announcer: Announcer) -> Core:
    """Wire adapters and use cases; creates no files.

    Raises DataDirectoryUnusable for a secret, and DatabaseUnusable for a database, that is not there or not usable.
    """
    with _naming_database(settings):
        require_own_log(locate(settings.database_url))
        try:
            missing = database_state(settings.database_url) is DatabaseState.MISSING
        except PermissionError:
            raise DatabaseUnusable(
                f"The database {settings.database_name} can't be read. {whereabouts(settings)}"
            ) from None
        if missing:
            raise DatabaseUnusable(
                f"There is no database {settings.database_name}; `guestpass serve` or `guestpass db upgrade` makes it. "
                f"{whereabouts(settings)}"
            )
        require_current(settings.database_url)
    clock = SystemClock()
    return _assemble(settings, read_secrets(settings), announcer, Database(settings.database_url, clock), clock)


@contextmanager
def _naming_database(settings: Settings) -> Iterator[None]:
    """Add the setting's name to errors of the database, where the operator set it."""
    try:
        yield
    except DatabaseUnusable as error:
        if "database_url" not in settings.model_fields_set:
            raise
        text = f"{error} {variable('database_url')} names it; correct that where another is meant."
        raise DatabaseUnusable(text) from error


def _assemble(
    settings: Settings, secrets: Secrets, announcer: Announcer, database: Database, clock: SystemClock
) -> Core:
    entropy = SystemEntropy()
    keys = Keys.from_secret(secrets.secret_key)
    vault, hasher = SealedTokens(keys, entropy), Argon2Hasher()
    addresses = PublicUrls(settings.public_url, settings.link_domain)
    policy = AddressPolicy(
        allow=settings.upstream_allow,
        deny=settings.upstream_deny,
        own_listeners=[(listen.host, listen.port) for listen in (settings.listen, settings.admin_listen)],
    )
    connector = Connector(policy, Resolver(), set_options=probe_when_silent)
    http = HttpClient(connector)
    checker = EnvironmentChecker({Kind.WEB: ConnectionChecker(http), Kind.ODOO: OdooChecker(http, entropy)})
    authenticator, sealer = OdooSignIn(HttpClient(connector)), SealedSecrets(keys, entropy)
    sign_outs = SignOuts(database, sealer, authenticator, clock, entropy)
    accounts = AccountService(database, announcer, sealer, authenticator, sign_outs, clock)
    return Core(
        settings=settings,
        keys=keys,
        database=database,
        clock=clock,
        entropy=entropy,
        vault=vault,
        sealer=sealer,
        authenticator=authenticator,
        sign_outs=sign_outs,
        hasher=hasher,
        passes=PassSigner(keys, entropy),
        bearer=BearerTokens(secrets.jwt_secret, entropy),
        revocation=TokenRevocation(database, clock),
        connector=connector,
        password_tries=PasswordTries(
            database,
            clock,
            of_address=settings.password_tries,
            of_link=settings.password_tries_per_link,
        ),
        dashboard_sessions=DashboardSessionService(
            database, DashboardTokens(secrets.jwt_secret, entropy), clock, entropy
        ),
        addresses=addresses,
        links=LinkService(
            database, announcer, vault, hasher, addresses, accounts, clock, entropy, longest=settings.max_link_lifetime
        ),
        records=LinkRecords(database, announcer, clock, settings.visitor_addresses),
        environments=EnvironmentService(database, announcer, clock, entropy, checker),
        accounts=accounts,
        branding=BrandingService(database, announcer, clock),
        findings=Findings(database, addresses),
    )


async def claim(core: Core) -> Instance:
    """Tie a new database to SECRET_KEY; return the facts that its server stored last.

    Raises AnotherKey where the database was made with another key.
    """
    instance = Instance.from_facts(await read_instance(core.database))
    if instance.key_fingerprint is None:
        facts = await write_once(core.database, "key_fingerprint", core.keys.fingerprint)
        instance = Instance.from_facts(facts)
    instance.require_key(core.keys.fingerprint)
    return instance


async def introduce(core: Core) -> None:
    """Store this server's public addresses, for commands that run beside it; raises as `claim` does."""
    await claim(core)
    settings = core.settings
    await write_instance(
        core.database,
        Instance(
            public_url=settings.public_url,
            admin_url=settings.admin_url,
            link_domain=settings.link_domain,
            key_fingerprint=core.keys.fingerprint,
        ).facts(),
    )


async def build_core_beside_server(settings: Settings, announcer: Announcer) -> Core:
    """As `build_core`, with the server's own addresses where they are not set here; raises AnotherKey too."""
    core = build_core(settings, announcer)
    try:
        instance = await claim(core)
    except BaseException:
        await core.close()
        raise
    if instance.public_url is None or instance.admin_url is None:
        return core
    known = settings.with_addresses(
        public_url=instance.public_url, admin_url=instance.admin_url, link_domain=instance.link_domain
    )
    return _assemble(known, read_secrets(settings), announcer, core.database, core.clock)
