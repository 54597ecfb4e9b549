"""Owners read which of an account's rights are dangerous, and its visitors arrive where its user works."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that may be null: a program of the former revision leaves them so."""
    op.add_column("accounts", sa.Column("is_internal", sa.Boolean()))
    op.add_column("accounts", sa.Column("rights", sa.String()))
