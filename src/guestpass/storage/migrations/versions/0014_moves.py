"""No cookie of one Odoo is sent to the one that the environment moved to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column with a default: a program of the former revision leaves it as it is."""
    op.add_column("environments", sa.Column("moves", sa.Integer(), server_default=sa.text("0"), nullable=False))
