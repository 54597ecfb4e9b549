"""Parse the values of settings; each function raises ValueError with what is wrong and the remedy."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import limits
from pydantic import SecretStr

from guestpass.domain.durations import parse_duration
from guestpass.domain.ip_addresses import plain_address, plain_network, written_address
from guestpass.domain.urls import split_url
from guestpass.domain.visit import AddressDetail
from guestpass.listeners import Listen

SECRET_LENGTH = 32

POSTGRES_SCHEMES = ("postgresql", "postgresql+psycopg")
_POSTGRES_EXAMPLE = "postgresql+psycopg://guestpass:PASSWORD@db.example.com/guestpass"
MAX_WORKERS = 256
MAX_COUNT = 1_000_000

Network = IPv4Network | IPv6Network
_DOMAIN = re.compile(
    r"(?=.{1,236}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII
)


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


def parse_data_dir(value: object) -> Path:
    """An absolute path; ``~`` is the user's home."""
    path = Path(_text(value)).expanduser() if not isinstance(value, Path) else value
    if not path.is_absolute():
        raise ValueError(f"must be an absolute path such as /var/lib/guestpass, not {str(path)!r}")
    return path


def parse_database_url(value: object) -> str:
    """The URL of an SQLite file with an absolute path, or of a PostgreSQL database."""
    text = _text(value)
    scheme, separator, rest = text.partition("://")
    if separator and scheme in POSTGRES_SCHEMES:
        _check_postgres_url(text)
        return text
    # The text is not repeated, since it may hold a password.
    if not separator or scheme not in ("sqlite", "sqlite+aiosqlite"):
        raise ValueError(
            "must be the URL of an SQLite file, such as sqlite:////var/lib/guestpass/guestpass.db, or of a PostgreSQL "
            f"database, such as {_POSTGRES_EXAMPLE}"
        )
    if not rest.startswith("//") or rest.endswith("/") or "?" in rest:
        raise ValueError("must end in an absolute path after sqlite:///, such as sqlite:////srv/guestpass/guestpass.db")
    return text


def _check_postgres_url(text: str) -> None:
    try:
        parts = split_url(text)
        is_whole = parts.port != 0 and not parts.fragment and text.count("@") <= 1
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError(
            f"must be a URL such as {_POSTGRES_EXAMPLE}, with what is special in the password percent-encoded "
            "(%40 for @, %2F for /)"
        )
    if not parts.path.removeprefix("/") or "/" in parts.path.removeprefix("/"):
        raise ValueError(f"must end in the name of a database, such as {_POSTGRES_EXAMPLE}")
    if "password" in parse_qs(parts.query):
        raise ValueError(f"must hold the password before the @, such as {_POSTGRES_EXAMPLE}")


def without_passwords(database_url: str) -> str:
    """A database URL as it may be shown."""
    shown = re.sub(r"(?<=://)([^:@/?#]*):[^@]*@", r"\1:(hidden)@", database_url)
    return re.sub(r"(?<=sslpassword=)[^&]*", "(hidden)", shown)


def parse_listen(value: object) -> Listen:
    """An IP address and a port; ``localhost`` means 127.0.0.1, and so does ``[::ffff:127.0.0.1]``."""
    if isinstance(value, Listen):
        return value
    text = _text(value)
    remedy = f"must be an IP address and a port such as 127.0.0.1:8080 or [::1]:8080, not {text!r}"
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{remedy}; an IPv6 address needs brackets")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        host = str(plain_address(ipaddress.ip_address(host)))
    except ValueError:
        raise ValueError(f"{remedy}; 0.0.0.0 listens on every IPv4 address") from None
    if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or not 1 <= int(port) <= 65_535:
        raise ValueError(f"{remedy}; the port is a number from 1 to 65535")
    return Listen(host, int(port))


def parse_origin(value: object) -> str:
    """A URL without a path, as browsers write it in an Origin field: lower case, no default port."""
    text = _text(value)
    example = "such as https://share.example.com"
    if not text.isascii() or re.search(r"[\x00-\x20\x7f\\]", text):
        raise ValueError(f"must be a URL {example}, in ASCII and without spaces")
    try:
        parts = split_url(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL {example}: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"must begin with http:// or https://, {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"must not hold a user name or password; write it {example}")
    if parts.path not in ("", "/") or "?" in text or "#" in text:
        raise ValueError(f"must end after the host and port, {example}: Guestpass has its origin to itself")
    if not parts.hostname or port == 0:
        raise ValueError(f"must name a host, {example}")
    host = _origin_host(parts.hostname)
    default_port = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default_port) else "")


def _origin_host(hostname: str) -> str:
    """The host as browsers write it in an Origin field; raises ValueError when it is none."""
    try:
        return _bracketed(written_address(ipaddress.ip_address(hostname)))
    except ValueError:
        pass
    if not _DOMAIN.fullmatch(hostname) or re.fullmatch(r"[0-9]+", hostname.rpartition(".")[2], re.ASCII):
        raise ValueError(f"must name a valid host, not {hostname!r}")
    return hostname


def parse_domain(value: object) -> str:
    """A bare domain, in lower case."""
    text = _text(value).lower()
    remedy = f"must be a bare domain such as share.example.com, not {text!r}"
    if text.startswith("*."):
        raise ValueError(f"{remedy}; leave out what is before the first dot")
    if ":" in text or "/" in text:
        raise ValueError(f"{remedy}; scheme and port are those of GUESTPASS_PUBLIC_URL")
    if not _DOMAIN.fullmatch(text) or re.fullmatch(r"[0-9]+", text.rpartition(".")[2], re.ASCII):
        raise ValueError(remedy)
    return text


def parse_link_domain(value: object) -> str | None:
    """A bare domain; None for empty text."""
    return None if value is None or value == "" else parse_domain(value)


def parse_former_urls(value: object) -> tuple[str, ...]:
    """Origins and bare domains."""
    return tuple(parse_origin(item) if "://" in item else parse_domain(item) for item in _items(value))


def parse_secret(value: object) -> SecretStr | None:
    """Text of at least SECRET_LENGTH characters; None for empty text."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else _text(value or "")
    if not text:
        return None
    if len(text) < SECRET_LENGTH:
        raise ValueError(
            f"must have at least {SECRET_LENGTH} characters; make one with: openssl rand -base64 48, "
            "or leave it unset to have one made and kept in GUESTPASS_DATA_DIR"
        )
    return SecretStr(text)


def parse_lifetime(value: object) -> timedelta:
    """A duration of at least a second."""
    duration = value if isinstance(value, timedelta) else parse_duration(_text(value))
    if duration < timedelta(seconds=1):
        raise ValueError("must be a duration of at least 1s, such as 8760h or 30d")
    return duration


def parse_grace(value: object) -> timedelta:
    """A duration of at least five seconds: the database is looked at every two, and may take its time to answer."""
    duration = parse_lifetime(value)
    if duration < timedelta(seconds=5):
        raise ValueError("must be a duration of at least 5s, such as 60s")
    return duration


def parse_workers(value: object) -> int:
    """A number of processes."""
    if isinstance(value, bool) or not str(value).strip().isdecimal() or not 1 <= int(str(value).strip()) <= MAX_WORKERS:
        raise ValueError(f"must be a whole number from 1 to {MAX_WORKERS}, or unset for one worker a core")
    return int(str(value).strip())


def parse_count(value: object) -> int:
    """A number of things that there may be at a time."""
    if isinstance(value, bool) or not str(value).strip().isdecimal() or not 1 <= int(str(value).strip()) <= MAX_COUNT:
        raise ValueError(f"must be a whole number from 1 to {MAX_COUNT}")
    return int(str(value).strip())


def parse_file(value: object) -> Path | None:
    """An absolute path; None for empty text."""
    if value is None or value == "":
        return None
    path = Path(_text(value)).expanduser() if not isinstance(value, Path) else value
    if not path.is_absolute():
        raise ValueError(f"must be an absolute path such as /etc/guestpass/cert.pem, not {str(path)!r}")
    return path


def parse_size(value: object) -> int:
    """A number of bytes, at least one MiB."""
    if isinstance(value, bool) or not str(value).strip().isdecimal():
        raise ValueError("must be a whole number of bytes, such as 1073741824")
    size = int(str(value).strip())
    if not 1024**2 <= size <= 2**50:
        raise ValueError("must be from 1048576 (1 MiB) to 1125899906842624 bytes")
    return size


def parse_switch(value: object) -> bool:
    """A yes or no, as TOML or as people write it in the environment."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise ValueError(f"must be true or false, not {word!r}")


def parse_networks(value: object) -> tuple[Network, ...]:
    """Networks (CIDR) and single addresses; those of mapped addresses as the IPv4 ones that they are compared with."""
    return tuple(plain_network(item if isinstance(item, Network) else _network(item)) for item in _items(value))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"must hold networks such as 10.0.0.0/8 or fd00::/8, or single addresses, not {text!r}"
        ) from None
    raise ValueError(f"must hold networks: {text!r} is an address inside one; write {meant} or the address alone")


def parse_log_format(value: object) -> LogFormat:
    """One of the members of LogFormat."""
    try:
        return LogFormat(_text(value).lower())
    except ValueError:
        raise ValueError(f"must be console or json, not {str(value)!r}") from None


def parse_rate(value: object) -> str:
    """So many in so much time, as the library `limits` writes it: ``10/15minute``."""
    text = _text(value)
    try:
        rate = limits.parse(text)
    except ValueError:
        raise ValueError("must be a number and a time, such as 10/15minute or 200/hour") from None
    if not rate.amount:
        raise ValueError("must allow one at least")
    return text


def parse_address_detail(value: object) -> AddressDetail:
    """One of the members of AddressDetail."""
    try:
        return AddressDetail(_text(value).lower())
    except ValueError:
        raise ValueError(f"must be full, shortened or none, not {str(value)!r}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - pydantic turns only ValueError into a finding
    return value.strip()


def _items(value: object) -> list[Any]:
    """The members of a list: an array in the file, text with commas in the environment."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    if not isinstance(value, list | tuple) or not all(isinstance(item, str | Network) for item in value):
        raise ValueError('must be a list of texts, such as ["10.0.0.0/8"]')
    return [item.strip() if isinstance(item, str) else item for item in value]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
