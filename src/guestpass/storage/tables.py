"""The schema as of the newest migration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    false,
    text,
)

from guestpass.domain.environment import BusPlace, Kind
from guestpass.domain.link import Access, ShareType


class UTCDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, to the microsecond; naive ones are refused.

    SQLite stores text of fixed width (``2026-03-01 12:00:00.000000``), which sorts like the times; PostgreSQL has a
    type with time zone.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- the base class says so
        """Convert to UTC; raises for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- the base class says so
        """Add the zone that SQLite's text lacks."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Microseconds(TypeDecorator[timedelta]):
    """Durations stored as whole microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:  # noqa: ARG002 -- the base class says so
        """Convert a duration to microseconds."""
        return None if value is None else value // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:  # noqa: ARG002 -- the base class says so
        """Convert microseconds to a duration."""
        return None if value is None else timedelta(microseconds=value)


class OneOf(TypeDecorator[StrEnum]):
    """Members of an enumeration stored by value."""

    impl = String
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- the base class says so
        """Convert a member to its value."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002 -- the base class says so
        """Convert a value to its member."""
        return None if value is None else self.members(value)


class Lines(TypeDecorator[Sequence[str]]):
    """Strings without line breaks stored one per line; NULL for none."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- the base class says so
        """Join the strings."""
        return "\n".join(value or ()) or None

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:  # noqa: ARG002 -- the base class says so
        """Split into strings."""
        return tuple(value.split("\n")) if value else ()


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite autonumbers only columns of type INTEGER, which has 64 bits there.
_RowNumber = BigInteger().with_variant(Integer, "sqlite")

environments = Table(
    "environments",
    metadata,
    Column("org", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("url", String, nullable=False),
    Column("websocket_url", String),
    Column("kind", OneOf(Kind), nullable=False),
    Column("description", String),
    Column("tls_verify", Boolean, nullable=False),
    Column("body_limit", BigInteger, nullable=False),
    Column("response_timeout", Microseconds, nullable=False),
    Column("maintenance", String),
    Column("revision", Integer, nullable=False),
    Column("moves", Integer, nullable=False, server_default=text("0")),
    Column("created_at", UTCDateTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("public_url", String),
    Column("database", String),
    Column("allow_paths", Lines),
    Column("max_concurrent", Integer, nullable=False, server_default="8"),
    Column("read_only_allow", Lines),
    # Findings of the last check.
    Column("odoo_version", String),
    Column("canonical_url", String),
    Column("base_url", String),
    Column("websocket_on", OneOf(BusPlace)),
    Column("found_websocket_url", String),
    Column("checked_at", UTCDateTime),
)

environment_findings = Table(
    "environment_findings",
    metadata,
    Column("org", String, primary_key=True),
    Column("environment_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("code", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("remedy", String, nullable=False),
    ForeignKeyConstraint(["org", "environment_id"], ["environments.org", "environments.id"], ondelete="CASCADE"),
)

http_only_cookies = Table(
    "http_only_cookies",
    metadata,
    Column("org", String, primary_key=True),
    Column("environment_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    ForeignKeyConstraint(["org", "environment_id"], ["environments.org", "environments.id"], ondelete="CASCADE"),
)

refused_calls = Table(
    "refused_calls",
    metadata,
    Column("org", String, primary_key=True),
    Column("environment_id", String, primary_key=True),
    Column("model", String, primary_key=True),
    Column("method", String, primary_key=True),
    Column("refusals", BigInteger, nullable=False),
    Column("last_at", UTCDateTime, nullable=False),
    ForeignKeyConstraint(["org", "environment_id"], ["environments.org", "environments.id"], ondelete="CASCADE"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("org", String, primary_key=True),
    Column("environment_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("login", String, nullable=False),
    Column("sealed_password", LargeBinary, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("refused_at", UTCDateTime),
    Column("refusal", String),
    # Null where the account was added before they were asked for.
    Column("is_internal", Boolean),
    # Separated by blanks.
    Column("rights", String),
    ForeignKeyConstraint(["org", "environment_id"], ["environments.org", "environments.id"], ondelete="CASCADE"),
)

odoo_sessions = Table(
    "odoo_sessions",
    metadata,
    # No foreign key to the link: rows outlive it until Odoo has been signed out of the session.
    Column("link_id", String, primary_key=True),
    Column("visitor", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("environment_id", String, nullable=False),
    Column("account", String, nullable=False),
    Column("account_revision", Integer, nullable=False),
    Column("link_version", Integer, nullable=False),
    Column("sealed", LargeBinary),
    Column("revision", BigInteger, nullable=False),
    # The worker that is signing the visitor in, and until when its claim holds.
    Column("claim", String),
    Column("claimed_until", UTCDateTime),
    # For sessions that end before their link: an owner's preview.
    Column("ends_at", UTCDateTime),
    ForeignKeyConstraint(["org", "environment_id"], ["environments.org", "environments.id"], ondelete="CASCADE"),
    # Serves the cascade; ended sessions are found by link, through the primary key.
    Index(None, "org", "environment_id"),
)

odoo_sign_outs = Table(
    "odoo_sign_outs",
    metadata,
    Column("id", _RowNumber, primary_key=True, autoincrement=True),
    # No foreign key to the environment, which may be gone or moved: this is where the session was created.
    Column("org", String, nullable=False),
    Column("environment_id", String, nullable=False),
    Column("url", String, nullable=False),
    Column("called", String, nullable=False),
    Column("tls_verify", Boolean, nullable=False),
    Column("link_id", String, nullable=False),
    Column("visitor", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("ended_at", UTCDateTime, nullable=False),
    Column("due_at", UTCDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    # Serves the list of Odoos with due sign-outs.
    Index(None, "due_at"),
    # Serves the sign-outs of one Odoo.
    Index("ix_odoo_sign_outs_address", "org", "environment_id", "url", "id"),
)

links = Table(
    "links",
    metadata,
    Column("id", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("environment_id", String, nullable=False),
    Column("share_type", OneOf(ShareType), nullable=False),
    Column("label", String),
    Column("password_hash", String),
    Column("version", Integer, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("deactivated_at", UTCDateTime),
    Column("last_opened_at", UTCDateTime),
    Column("visits", BigInteger, nullable=False),
    Column("visitors", BigInteger, nullable=False),
    Column("access", OneOf(Access), nullable=False, server_default="full"),
    # A name instead of a foreign key: it stays when the account is removed.
    Column("account", String),
    Column("note", String),
    Column("start_path", String),
    Column("max_visitors", Integer),
    Column("allowed_ips", Lines),
    # Derived, to sort by and to search in: databases fold the case of few scripts.
    Column("label_key", String, nullable=False, server_default=text("''")),
    Column("searched", String, nullable=False, server_default=text("''")),
    # When visitors' data was deleted; NULL again as soon as a visitor comes.
    Column("details_removed_at", UTCDateTime),
    # When it got its present version; NULL for the first.
    Column("version_since", UTCDateTime),
    Column("allow_reports", Boolean, nullable=False, server_default=false()),
    Column("allow_exports", Boolean, nullable=False, server_default=false()),
    ForeignKeyConstraint(["org", "environment_id"], ["environments.org", "environments.id"], ondelete="CASCADE"),
    # Serves an environment's list, newest first, and the cascade.
    Index(None, "org", "environment_id", "created_at"),
    # One for each way to sort an organisation's list.
    Index(None, "org", "created_at", "id"),
    Index(None, "org", "expires_at", "id"),
    Index(None, "org", "last_opened_at", "id"),
    Index(None, "org", "label_key", "id"),
    Index(None, "org", "visits", "id"),
    # Serves the count of an environment's active links without reading ended ones.
    Index(
        "ix_links_active",
        "org",
        "environment_id",
        "expires_at",
        sqlite_where=text("deactivated_at IS NULL"),
        postgresql_where=text("deactivated_at IS NULL"),
    ),
    # These two serve retention: links that ended long ago and still have visitors' data.
    Index(
        "ix_links_expired_with_details",
        "expires_at",
        sqlite_where=text("details_removed_at IS NULL"),
        postgresql_where=text("details_removed_at IS NULL"),
    ),
    Index(
        "ix_links_deactivated_with_details",
        "deactivated_at",
        sqlite_where=text("details_removed_at IS NULL AND deactivated_at IS NOT NULL"),
        postgresql_where=text("details_removed_at IS NULL AND deactivated_at IS NOT NULL"),
    ),
)

link_tokens = Table(
    "link_tokens",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("link_id", String, ForeignKey("links.id", ondelete="CASCADE"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("retired_at", UTCDateTime),
    Index(None, "link_id"),
    # A link has one current token at most.
    Index(
        "uq_link_tokens_current",
        "link_id",
        unique=True,
        sqlite_where=text("retired_at IS NULL"),
        postgresql_where=text("retired_at IS NULL"),
    ),
)

visitors = Table(
    "visitors",
    metadata,
    Column("link_id", String, ForeignKey("links.id", ondelete="CASCADE"), primary_key=True),
    Column("visitor", String, primary_key=True),
    Column("first_seen", UTCDateTime, nullable=False),
    Column("last_seen", UTCDateTime, nullable=False),
    Column("visits", BigInteger, nullable=False),  # 0 if a place was taken but no visit has been counted yet
    # The newest counted visit: when it began, and whether by an opening or by a request after silence.
    Column("visit_started_at", UTCDateTime, nullable=False),
    Column("visit_opened", Boolean, nullable=False),
    Column("number", Integer, nullable=False, server_default="0"),
    # The last activity; `last_seen` also advances while a tab merely stays open.
    Column("present_at", UTCDateTime),
    Column("browser", String),
    Column("system", String),
    Column("address", String),
    Column("ended_at", UTCDateTime),
    # The link's version in the pass; NULL where a program before revision 0013 wrote the row.
    Column("link_version", Integer),
    # Until when the place is reserved for a new pass; NULL once that pass was used.
    Column("reserved_until", UTCDateTime),
    # Serves a link's list, those who were seen last first.
    Index(None, "link_id", "present_at", "number"),
    # Serves the next number.
    Index(None, "link_id", "number"),
    # Serves the counts of present visitors: few of many.
    Index(None, "present_at"),
    # Serves the list of ended visits: few of many.
    Index(
        "ix_visitors_ended",
        "link_id",
        "visitor",
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
    # Serves the count of places.
    Index(
        "ix_visitors_places",
        "link_id",
        "link_version",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

visit_hours = Table(
    "visit_hours",
    metadata,
    Column("link_id", String, ForeignKey("links.id", ondelete="CASCADE"), primary_key=True),
    Column("began_at", UTCDateTime, primary_key=True),
    Column("visits", BigInteger, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("id", _RowNumber, primary_key=True, autoincrement=True),
    Column("link_id", String, ForeignKey("links.id", ondelete="CASCADE"), nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("reason", String, nullable=False),
    Column("request_id", String),
    Column("browser", String),
    Column("system", String),
    Column("address", String),
    # Serves a link's list, newest first, and the deletion of surplus rows.
    Index(None, "link_id", "at", "id"),
    # Serves the deletion of old rows.
    Index(None, "at"),
)

link_events = Table(
    "link_events",
    metadata,
    Column("id", _RowNumber, primary_key=True, autoincrement=True),
    Column("link_id", String, ForeignKey("links.id", ondelete="CASCADE"), nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("detail", String),
    Index(None, "link_id", "at"),
    # Serves histories without visits, which are most of their rows.
    Index(None, "link_id", "kind", "at"),
    # Serves retention: events with addresses.
    Index(
        "ix_link_events_addresses",
        "at",
        sqlite_where=text("kind = 'locked' AND detail IS NOT NULL"),
        postgresql_where=text("kind = 'locked' AND detail IS NOT NULL"),
    ),
)

changes = Table(
    "changes",
    metadata,
    Column("number", _RowNumber, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("id", String, nullable=False),
    Column("at", UTCDateTime, nullable=False),
    # Numbers must never be reused, or a worker would miss the second change of that number.
    sqlite_autoincrement=True,
)

branding = Table(
    "branding",
    metadata,
    Column("org", String, primary_key=True),
    Column("name", String),
    Column("logo", LargeBinary),
    Column("logo_type", String),
    Column("colour", String),
    Column("contact", String),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String, nullable=False),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", String, primary_key=True),
    Column("revoked_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    # Serves the removal of what has expired.
    Index(None, "expires_at"),
)

dashboard_invitations = Table(
    "dashboard_invitations",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("sub", String, nullable=False),
    Column("org", String, nullable=False),
    Column("scopes", String, nullable=False),  # with spaces between them, as in a bearer token
    Column("expires_at", UTCDateTime, nullable=False),
    # Serves the removal of what has expired.
    Index(None, "expires_at"),
)

dashboard_sessions = Table(
    "dashboard_sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("token_hash", LargeBinary(32), nullable=False),
    Column("sub", String, nullable=False),
    Column("org", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("jti", String),  # of the bearer token that it was made from
    Column("address", String, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Index(None, "token_hash", unique=True),
    # Serves the removal of what has expired.
    Index(None, "expires_at"),
)

unreachable_environments = Table(
    "unreachable_environments",
    metadata,
    Column("org", String, primary_key=True),
    Column("environment_id", String, primary_key=True),
    Column("since", UTCDateTime, nullable=False),
    Column("why", String, nullable=False),
    ForeignKeyConstraint(["org", "environment_id"], ["environments.org", "environments.id"], ondelete="CASCADE"),
)

rate_counters = Table(
    "rate_counters",
    metadata,
    Column("key", String, primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    # How much of `spent` may still be refunded, and until when.
    Column("pending", BigInteger, nullable=False, server_default="0"),
    Column("pending_until", UTCDateTime),
    # Serves the removal of what has expired.
    Index(None, "expires_at"),
)

worker_batches = Table(
    "worker_batches",
    metadata,
    Column("worker", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("written_at", UTCDateTime, nullable=False),
)

instance = Table(
    "instance",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)
