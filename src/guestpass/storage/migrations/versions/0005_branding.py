"""How organisations look to their visitors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table: a program of the former revision would not notice."""
    op.create_table(
        "branding",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("name", sa.String()),
        sa.Column("logo", sa.LargeBinary()),
        sa.Column("logo_type", sa.String()),
        sa.Column("colour", sa.String()),
        sa.Column("contact", sa.String()),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org", name="pk_branding"),
    )
