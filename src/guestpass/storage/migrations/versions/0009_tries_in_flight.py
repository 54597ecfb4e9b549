"""Counters know what of them is pending: passwords that are being checked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column with a default and one that may be null: a program of the former revision would not notice."""
    op.add_column("rate_counters", sa.Column("pending", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("rate_counters", sa.Column("pending_until", sa.DateTime(timezone=True)))
