"""View-only links may let visitors print and export."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns with a default: a program of the former revision leaves them as they are."""
    for name in ("allow_reports", "allow_exports"):
        op.add_column("links", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
