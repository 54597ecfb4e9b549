"""How an Odoo is known and spoken to, and what looks at environments have found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns with their defaults and a table: a program of the former revision would not notice."""
    for column in (
        sa.Column("public_url", sa.String()),
        sa.Column("database", sa.String()),
        sa.Column("allow_paths", sa.String()),
        sa.Column("max_concurrent", sa.Integer(), nullable=False, server_default="8"),
        sa.Column("odoo_version", sa.String()),
        sa.Column("canonical_url", sa.String()),
        sa.Column("websocket_on", sa.String()),
        sa.Column("found_websocket_url", sa.String()),
        sa.Column("checked_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("environments", column)
    op.create_table(
        "environment_findings",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org", "environment_id", "position", name="pk_environment_findings"),
        sa.ForeignKeyConstraint(
            ["org", "environment_id"],
            ["environments.org", "environments.id"],
            name="fk_environment_findings_environments",
            ondelete="CASCADE",
        ),
    )
