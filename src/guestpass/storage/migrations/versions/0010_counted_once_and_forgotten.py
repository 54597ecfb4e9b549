"""Each worker's newest batch is known, and histories forget visitors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and an index: a program of the former revision would not notice."""
    op.create_table(
        "worker_batches",
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker", name="pk_worker_batches"),
    )
    where = "kind = 'locked' AND detail IS NOT NULL"
    op.create_index(
        "ix_link_events_addresses", "link_events", ["at"], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
    # Retention leaves what it has been at alone. Owners end few visits by hand.
    op.execute(
        "UPDATE link_events SET detail = NULL WHERE kind = 'visitEnded' AND detail IS NOT NULL AND link_id IN "
        "(SELECT id FROM links WHERE details_removed_at IS NOT NULL)"
    )
