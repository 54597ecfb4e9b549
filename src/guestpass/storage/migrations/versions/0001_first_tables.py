"""The first tables: environments, links with their tokens, visitors and history, changes, and the instance itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table. The types are written out: a revision must not follow later changes of the tables module."""
    row_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)

    op.create_table(
        "environments",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("websocket_url", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("description", sa.String()),
        sa.Column("tls_verify", sa.Boolean(), nullable=False),
        sa.Column("body_limit", sa.BigInteger(), nullable=False),
        sa.Column("response_timeout", sa.BigInteger(), nullable=False),
        sa.Column("maintenance", sa.String()),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org", "id", name="pk_environments"),
    )
    op.create_table(
        "http_only_cookies",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org", "environment_id", "name", name="pk_http_only_cookies"),
        sa.ForeignKeyConstraint(
            ["org", "environment_id"],
            ["environments.org", "environments.id"],
            name="fk_http_only_cookies_environments",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("share_type", sa.String(), nullable=False),
        sa.Column("label", sa.String()),
        sa.Column("password_hash", sa.String()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("deactivated_at", moment),
        sa.Column("last_opened_at", moment),
        sa.Column("visits", sa.BigInteger(), nullable=False),
        sa.Column("visitors", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.ForeignKeyConstraint(
            ["org", "environment_id"],
            ["environments.org", "environments.id"],
            name="fk_links_environments",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_links_org_environment_id_created_at", "links", ["org", "environment_id", "created_at"])
    op.create_table(
        "link_tokens",
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("retired_at", moment),
        sa.PrimaryKeyConstraint("token_hash", name="pk_link_tokens"),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name="fk_link_tokens_links", ondelete="CASCADE"),
    )
    op.create_index("ix_link_tokens_link_id", "link_tokens", ["link_id"])
    op.create_index(
        "uq_link_tokens_current",
        "link_tokens",
        ["link_id"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "visitors",
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("visitor", sa.String(), nullable=False),
        sa.Column("first_seen", moment, nullable=False),
        sa.Column("last_seen", moment, nullable=False),
        sa.Column("visits", sa.BigInteger(), nullable=False),
        sa.Column("visit_started_at", moment, nullable=False),
        sa.Column("visit_opened", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "visitor", name="pk_visitors"),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name="fk_visitors_links", ondelete="CASCADE"),
    )
    op.create_table(
        "link_events",
        sa.Column("id", row_number, autoincrement=True, nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("detail", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_link_events"),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name="fk_link_events_links", ondelete="CASCADE"),
    )
    op.create_index("ix_link_events_link_id_at", "link_events", ["link_id", "at"])
    op.create_table(
        "changes",
        sa.Column("number", row_number, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_changes"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("revoked_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("jti", name="pk_revoked_tokens"),
    )
    op.create_table(
        "instance",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_instance"),
    )
