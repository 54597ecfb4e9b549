"""The settings themselves: one attribute each, with its help and its default."""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from guestpass.domain.visit import AddressDetail
from guestpass.listeners import Listen
from guestpass.settings.cores import usable_cores
from guestpass.settings.parsers import (
    POSTGRES_SCHEMES,
    LogFormat,
    Network,
    parse_address_detail,
    parse_count,
    parse_data_dir,
    parse_database_url,
    parse_file,
    parse_former_urls,
    parse_grace,
    parse_lifetime,
    parse_link_domain,
    parse_listen,
    parse_log_format,
    parse_networks,
    parse_origin,
    parse_rate,
    parse_secret,
    parse_size,
    parse_switch,
    parse_workers,
    without_passwords,
)

PREFIX = "GUESTPASS_"
SECRETS = ("jwt_secret", "secret_key")

# Nothing worth sharing lives here: some of these hand out a cloud machine's credentials, the rest are no hosts.
DEFAULT_DENY: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this network", with the unspecified address
        "169.254.0.0/16",  # link-local, with the metadata service of most clouds
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure
        "192.0.0.192/32",  # Oracle Cloud
        "224.0.0.0/4",  # multicast
        "255.255.255.255/32",  # broadcast
        "::/128",  # unspecified
        "fe80::/10",  # link-local
        "fd00:ec2::254/128",  # AWS
        "fd20:ce::254/128",  # Google Cloud
        "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud
        "ff00::/8",  # multicast
    )
)


class SettingsError(Exception):
    """Settings that can't be used; `problems` has one line for each, with the setting's name and the remedy."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Shown:
    """What the documentation says of a default that depends on the machine or on other settings."""

    default: str


def default_data_dir() -> Path:
    """``/var/lib/guestpass`` for root, else ``guestpass`` in the user's data directory (XDG)."""
    if os.geteuid() == 0:
        return Path("/var/lib/guestpass")
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification has relative paths ignored.
    try:
        return (Path(base) if base.startswith("/") else Path.home() / ".local/share") / "guestpass"
    except RuntimeError:
        raise SettingsError(f"{PREFIX}DATA_DIR must be set, because this user has no home directory.") from None


def _derived_database_url(data: dict[str, Any]) -> str:
    return f"sqlite:///{data['data_dir'] / 'guestpass.db'}"


def _apart(listen: Listen, info: ValidationInfo) -> Listen:
    other = info.data.get("listen")
    if other is not None and listen.port == other.port:
        addresses = [ipaddress.ip_address(host) for host in (listen.host, other.host)]
        if addresses[0] == addresses[1] or any(address.is_unspecified for address in addresses):
            raise ValueError(f"must not be the port of GUESTPASS_LISTEN ({other}); choose another port for one of them")
    return listen


def _with_certificate(key: Path | None, info: ValidationInfo) -> Path | None:
    if "tls_cert" in info.data and (key is None) is not (info.data["tls_cert"] is None):
        missing = "GUESTPASS_TLS_KEY" if key is None else "GUESTPASS_TLS_CERT"
        raise ValueError(f"and GUESTPASS_TLS_CERT belong together, and {missing} is not set; set both or none of them")
    return key


def _derived_origin(data: dict[str, Any], listen: Listen, loopback_name: str) -> str:
    address = ipaddress.ip_address(listen.host)
    scheme = "http" if data["tls_cert"] is None else "https"
    if address.is_unspecified or address.is_loopback:
        return f"{scheme}://{loopback_name if address.version == 4 else '[::1]'}:{listen.port}"
    return f"{scheme}://{listen}"


def _derived_public_url(data: dict[str, Any]) -> str:
    return _derived_origin(data, data["listen"], "127.0.0.1")


def _derived_admin_url(data: dict[str, Any]) -> str:
    # Another host than PUBLIC_URL's on purpose: cookies ignore ports, so one name for both would share them.
    return _derived_origin(data, data["admin_listen"], "localhost")


def _beside_public_url(domain: str | None, info: ValidationInfo) -> str | None:
    public_url = info.data.get("public_url")
    if domain is not None and public_url is not None:
        host = urlsplit(public_url).hostname or ""
        if host == domain or host.endswith(f".{domain}"):
            raise ValueError(
                f"must not be the host of GUESTPASS_PUBLIC_URL or a parent of it ({domain} and {host}), because shared "
                f"content could then reach that host's cookies; give one of them another name, such as links.{domain} "
                "for the links"
            )
    return domain


def _default_log_format() -> LogFormat:
    return LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON


Origin = Annotated[str, BeforeValidator(parse_origin)]
Secret = Annotated[SecretStr | None, BeforeValidator(parse_secret)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(parse_networks)]


class Settings(BaseSettings):
    """The settings of one installation; the server and the command line share them.

    Made by `load` from the environment and the file, or directly with keyword arguments, which reads
    neither. Raises pydantic's ValidationError, which `load` turns into SettingsError.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        enable_decoding=False,  # lists are written with commas, not as JSON
    )

    data_dir: Annotated[
        Path,
        BeforeValidator(parse_data_dir),
        Shown("`/var/lib/guestpass` for root, else `~/.local/share/guestpass` (`$XDG_DATA_HOME/guestpass`)"),
    ] = Field(
        default_factory=default_data_dir,
        description="The directory for the database and for the keys that Guestpass makes. Nobody else should read it.",
    )
    database_url: Annotated[
        str, BeforeValidator(parse_database_url), Shown("`guestpass.db` in `DATA_DIR` (SQLite, in WAL mode)")
    ] = Field(
        default_factory=_derived_database_url,
        repr=False,
        description="The database: sqlite:/// and an absolute path; or, for several machines, a PostgreSQL database "
        "such as postgresql+psycopg://guestpass:PASSWORD@db.example.com/guestpass. Then JWT_SECRET and SECRET_KEY must "
        "be set, to the same on every machine.",
    )
    listen: Annotated[Listen, BeforeValidator(parse_listen)] = Field(
        default=Listen("127.0.0.1", 8080),
        description="The public listener, for visitors: share links and shared content.",
    )
    admin_listen: Annotated[Listen, BeforeValidator(parse_listen), AfterValidator(_apart)] = Field(
        default=Listen("127.0.0.1", 8081),
        description="The listener for owners and operators: the dashboard, the API with its documentation, and the "
        "health checks. It is not meant for visitors.",
    )
    tls_cert: Annotated[Path | None, BeforeValidator(parse_file), Shown("empty: plain HTTP")] = Field(
        default=None,
        description="A file with a certificate and its intermediate certificates (PEM): both listeners then speak TLS. "
        "It is read anew when it changes. Leave it unset behind a reverse proxy that does TLS.",
    )
    tls_key: Annotated[
        Path | None,
        BeforeValidator(parse_file),
        AfterValidator(_with_certificate),
        Shown("empty"),
    ] = Field(
        default=None,
        validate_default=True,
        description="The file with that certificate's private key (PEM, without a passphrase).",
    )
    public_url: Annotated[Origin, Shown("`http://127.0.0.1:PORT` with the port of `LISTEN`")] = Field(
        default_factory=_derived_public_url,
        description="How visitors reach LISTEN: the beginning of share URLs. With https, cookies are Secure.",
    )
    admin_url: Annotated[Origin, Shown("`http://localhost:PORT` with the port of `ADMIN_LISTEN`")] = Field(
        default_factory=_derived_admin_url,
        description="How owners reach ADMIN_LISTEN. Use another host than PUBLIC_URL's: cookies ignore ports.",
    )
    link_domain: Annotated[
        str | None, BeforeValidator(parse_link_domain), AfterValidator(_beside_public_url), Shown("empty")
    ] = Field(
        default=None,
        description="Gives each link an origin of its own below this domain (share.example.com, with wildcard DNS; "
        "localhost for trying it), so that environments can't touch each other in a browser. Empty: all links open on "
        "PUBLIC_URL. It must not be PUBLIC_URL's host or a parent of it.",
    )
    workers: Annotated[int, BeforeValidator(parse_workers), Shown("the cores that it may use")] = Field(
        default_factory=usable_cores,
        description="How many processes serve, each on one core.",
    )
    drain: Annotated[timedelta, BeforeValidator(parse_lifetime), Shown("`30s`")] = Field(
        default=timedelta(seconds=30),
        description="How long a worker that is stopped or replaced lets requests in flight go on.",
    )
    database_grace: Annotated[timedelta, BeforeValidator(parse_grace), Shown("`60s`")] = Field(
        default=timedelta(seconds=60),
        description="How long visitors are served from memory while the database can't be read; after that they get "
        "503, and what is open is closed. At least 5s.",
    )
    former_urls: Annotated[tuple[str, ...], BeforeValidator(parse_former_urls)] = Field(
        default=(),
        description="Earlier values of PUBLIC_URL (with http:// or https://) and LINK_DOMAIN (bare domains): a share "
        "URL there is redirected to today's address.",
    )
    jwt_secret: Annotated[Secret, Shown("made on first start, kept in `DATA_DIR/jwt_secret`")] = Field(
        default=None,
        description="Signs the bearer tokens of owners (HS256); at least 32 characters. A new value ends all tokens, "
        "and all sessions of the dashboard.",
    )
    secret_key: Annotated[Secret, Shown("made on first start, kept in `DATA_DIR/secret_key`")] = Field(
        default=None,
        description="Protects share tokens and visitors' passes; at least 32 characters. A database works only with "
        "the key that it was made with: keep a copy of the key, too.",
    )
    max_link_lifetime: Annotated[timedelta, BeforeValidator(parse_lifetime), Shown("`8760h`")] = Field(
        default=timedelta(hours=8760),
        description="The longest lifetime that a new link may be given, such as 720h or 30d.",
    )
    api_on_public: Annotated[bool, BeforeValidator(parse_switch)] = Field(
        default=True,
        description="Whether the API for owners is served on LISTEN too, not only on ADMIN_LISTEN.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Networks of the reverse proxies in front of Guestpass. Only their X-Forwarded-* fields are "
        "believed.",
    )
    visitor_addresses: Annotated[AddressDetail, BeforeValidator(parse_address_detail)] = Field(
        default=AddressDetail.SHORTENED,
        description="How much of visitors' addresses is kept and shown to owners: full, shortened (the network: /24 of "
        "IPv4, /48 of IPv6) or none.",
    )
    visit_details_kept: Annotated[timedelta, BeforeValidator(parse_lifetime), Shown("`90d`")] = Field(
        default=timedelta(days=90),
        description="How long details of visitors are kept after their link has ended, and refusals after they "
        "happened, such as 720h or 30d. Totals and the owner's history stay.",
    )
    password_tries: Annotated[str, BeforeValidator(parse_rate)] = Field(
        default="10/15minute",
        description="How often a link's password may be tried from one address (in IPv6 from one /64), such as "
        "10/15minute; right passwords don't count.",
    )
    password_tries_per_link: Annotated[str, BeforeValidator(parse_rate)] = Field(
        default="200/hour",
        description="The same for all addresses together that have failed three times in a day, or whose networks "
        "have failed often. These don't use up the tries of others.",
    )
    unknown_tokens: Annotated[str, BeforeValidator(parse_rate)] = Field(
        default="240/10minute",
        description="How many share URLs that don't exist may be tried from one address (in IPv6 from one /64) before "
        "no others are looked up for it. Divided among the workers. Links that a worker has seen lately open all the "
        "same.",
    )
    connections: Annotated[int, BeforeValidator(parse_count)] = Field(
        default=20_000,
        description="Connections of clients, at most, to each worker; fewer where the limit of open files (ulimit -n) "
        "leaves less than two descriptors for each. Above that, connections that have waited longest for a request "
        "are closed.",
    )
    connections_per_address: Annotated[int, BeforeValidator(parse_count)] = Field(
        default=600,
        description="The same from one address (in IPv6 from one /64), to each worker; further ones are closed. It "
        "does not apply to TRUSTED_PROXIES, whose connections carry everybody.",
    )
    requests_per_address: Annotated[str, BeforeValidator(parse_rate)] = Field(
        default="30000/minute",
        description="How many requests each worker serves to one address (in IPv6 to one /64), also behind a trusted "
        "proxy; further ones get 429 with Retry-After. A TLS handshake counts as ten, and so does a request that "
        "Guestpass's own application answers (the API, the dashboard, a password form), or that lets somebody in by a "
        "write to the database (a place of a link, a ticket to a link's own host).",
    )
    connections_per_link: Annotated[int, BeforeValidator(parse_count)] = Field(
        default=2_000,
        description="Requests and WebSockets under way through one link at a time, at most, at each worker; further "
        "ones get 429.",
    )
    requests_per_link: Annotated[str, BeforeValidator(parse_rate)] = Field(
        default="60000/minute",
        description="How many requests each worker lets through one link; further ones get 429 with Retry-After.",
    )
    owner_writes: Annotated[str, BeforeValidator(parse_rate)] = Field(
        default="6000/minute",
        description="How many changes each worker makes for one owner (the subject and organisation of a bearer token, "
        "or of a session of the dashboard); further ones get 429 with Retry-After. Eight of theirs are under "
        "way at a time, and 120 more may wait.",
    )
    client_patience: Annotated[timedelta, BeforeValidator(parse_lifetime), Shown("`75s`")] = Field(
        default=timedelta(seconds=75),
        description="For how long a client may send nothing of a body, take nothing of an answer, or keep a connection "
        "open between two requests. A request's head has ten seconds.",
    )
    buffer_limit: Annotated[int, BeforeValidator(parse_size)] = Field(
        default=256 * 1024**2,
        description="Bytes, at most, that each worker holds in memory for clients that are slow to take their "
        "answers; above that, clients that have read nothing for longest are cut. Uploads to Odoo may take as much "
        "again; what is more is held on disk.",
    )
    upstream_allow: Networks = Field(
        default=(),
        description="Exceptions to UPSTREAM_DENY: networks that environments may be in.",
    )
    upstream_deny: Networks = Field(
        default=DEFAULT_DENY,
        description="Networks that environments must not be in, checked for every address at each connection, and "
        "for the IPv4 address that an IPv6 one embeds. The default holds link-local and metadata addresses, the "
        "unspecified ones, multicast and broadcast; a value replaces it. Guestpass's own listeners are always denied.",
    )
    spool_limit: Annotated[int, BeforeValidator(parse_size)] = Field(
        default=8 * 1024**3,
        description="Bytes, at most, that are held on disk (in DATA_DIR/spool) for all visitors of Odoo environments: "
        "uploads on their way in and answers on their way out. Past it uploads get 503 and answers wait in Odoo. "
        "One link, and one address, hold at most as much of it as is still free: alone half, two a third each.",
    )
    spool_limit_per_visitor: Annotated[int, BeforeValidator(parse_size)] = Field(
        default=1024**3,
        description="The same for a single visitor.",
    )
    asset_cache_size: Annotated[int, BeforeValidator(parse_size)] = Field(
        default=2 * 1024**3,
        description="Bytes, at most, that Odoo's assets take on disk (in DATA_DIR/assets), plain and compressed.",
    )
    asset_recheck: Annotated[timedelta, BeforeValidator(parse_lifetime)] = Field(
        default=timedelta(seconds=60),
        description="How long Odoo's assets are served before Odoo is asked whether they are still the same.",
    )
    log_format: Annotated[
        LogFormat, BeforeValidator(parse_log_format), Shown("`console` on a terminal, else `json`")
    ] = Field(
        default_factory=_default_log_format,
        description="How log lines look: console (for people) or json (one object a line).",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in counts: `load` reads the other sources, so that it can say where a value is from."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def former_public_urls(self) -> tuple[str, ...]:
        """Earlier values of `public_url`."""
        return tuple(item for item in self.former_urls if "://" in item)

    @property
    def former_link_domains(self) -> tuple[str, ...]:
        """Earlier values of `link_domain`."""
        return tuple(item for item in self.former_urls if "://" not in item)

    @property
    def uses_postgresql(self) -> bool:
        """Whether `database_url` names a PostgreSQL database, which other machines may use too."""
        return self.database_url.partition("://")[0] in POSTGRES_SCHEMES

    @property
    def database_file(self) -> Path:
        """The file that `database_url` names, where that is SQLite's."""
        return Path(self.database_url.partition(":///")[2])

    @property
    def database_name(self) -> str:
        """What people call the database: its file, or its URL without passwords."""
        return without_passwords(self.database_url) if self.uses_postgresql else str(self.database_file)

    def secret_file(self, name: str) -> Path:
        """The file that keeps one of SECRETS where it is not set."""
        return self.data_dir / name

    def with_addresses(self, *, public_url: str, admin_url: str, link_domain: str | None) -> Self:
        """The same settings with the server's own addresses in place of those that are not set here."""
        known = {"public_url": public_url, "admin_url": admin_url, "link_domain": link_domain}
        unset = {name: value for name, value in known.items() if name not in self.model_fields_set}
        return self.model_copy(update=unset)
