"""What an Odoo's web.base.url is, so that nobody who logs in through a link changes it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be null: it is learned when an account signs in."""
    op.add_column("environments", sa.Column("base_url", sa.String()))
