"""Accounts that visitors are signed in as, their Odoo sessions, view-only links, and budgets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns with their defaults and tables: a program of the former revision would not notice."""
    moment = sa.DateTime(timezone=True)

    op.add_column("environments", sa.Column("read_only_allow", sa.String()))
    op.add_column("links", sa.Column("access", sa.String(), nullable=False, server_default="full"))
    op.add_column("links", sa.Column("account", sa.String()))
    op.create_table(
        "refused_calls",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("refusals", sa.BigInteger(), nullable=False),
        sa.Column("last_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("org", "environment_id", "model", "method", name="pk_refused_calls"),
        _environment_key("refused_calls"),
    )
    op.create_table(
        "accounts",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("refused_at", moment),
        sa.Column("refusal", sa.String()),
        sa.PrimaryKeyConstraint("org", "environment_id", "name", name="pk_accounts"),
        _environment_key("accounts"),
    )
    op.create_table(
        "odoo_sessions",
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("visitor", sa.String(), nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("account_revision", sa.Integer(), nullable=False),
        sa.Column("link_version", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("claim", sa.String()),
        sa.Column("claimed_until", moment),
        sa.PrimaryKeyConstraint("link_id", "visitor", name="pk_odoo_sessions"),
        _environment_key("odoo_sessions"),
    )
    op.create_index("ix_odoo_sessions_org_environment_id", "odoo_sessions", ["org", "environment_id"])
    op.create_table(
        "rate_counters",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_rate_counters"),
    )
    op.create_index("ix_rate_counters_expires_at", "rate_counters", ["expires_at"])


def _environment_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["org", "environment_id"],
        ["environments.org", "environments.id"],
        name=f"fk_{table}_environments",
        ondelete="CASCADE",
    )
