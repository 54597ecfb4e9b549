"""When an Odoo session ends that was made for an owner's preview."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be null: a program of the former revision would not notice."""
    op.add_column("odoo_sessions", sa.Column("ends_at", sa.DateTime(timezone=True)))
