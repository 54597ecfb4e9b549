"""Details of visits age out, and what is looked for among much has an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be null, and indexes: a program of the former revision would not notice."""
    op.add_column("links", sa.Column("details_removed_at", sa.DateTime(timezone=True)))
    for name, columns, where in (
        ("ix_links_active", ["org", "environment_id", "expires_at"], "deactivated_at IS NULL"),
        ("ix_links_expired_with_details", ["expires_at"], "details_removed_at IS NULL"),
        (
            "ix_links_deactivated_with_details",
            ["deactivated_at"],
            "details_removed_at IS NULL AND deactivated_at IS NOT NULL",
        ),
    ):
        op.create_index(name, "links", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("ix_refusals_at", "refusals", ["at"])
    for table in ("revoked_tokens", "dashboard_invitations", "dashboard_sessions"):
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])
