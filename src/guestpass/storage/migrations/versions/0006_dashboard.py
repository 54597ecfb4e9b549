"""Who is signed in to the dashboard, and which environments can't be reached."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables: a program of the former revision would not notice."""
    moment = sa.DateTime(timezone=True)

    op.create_table(
        "dashboard_invitations",
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("sub", sa.String(), nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_dashboard_invitations"),
    )
    op.create_table(
        "dashboard_sessions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("sub", sa.String(), nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("jti", sa.String()),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dashboard_sessions"),
    )
    op.create_index("ix_dashboard_sessions_token_hash", "dashboard_sessions", ["token_hash"], unique=True)
    op.create_table(
        "unreachable_environments",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org", "environment_id", name="pk_unreachable_environments"),
        sa.ForeignKeyConstraint(
            ["org", "environment_id"],
            ["environments.org", "environments.id"],
            name="fk_unreachable_environments_environments",
            ondelete="CASCADE",
        ),
    )
