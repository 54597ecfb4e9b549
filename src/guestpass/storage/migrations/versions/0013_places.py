"""A place ends with the pass that holds it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A link that has a password now got it by the newest change of it, if there was one; taking one away ends no pass.
_FILL = """
UPDATE links SET version_since = (
    SELECT max(at) FROM link_events WHERE link_events.link_id = links.id AND (
        kind = 'rotated'
        OR (kind = 'changed' AND links.password_hash IS NOT NULL AND ',' || detail || ',' LIKE '%,password,%')
    )
)
WHERE version > 1
"""


def upgrade() -> None:
    """Add columns that may be null, and an index: a program of the former revision would not notice.

    Visitors from before have no version; whose pass is over is told by when the link got its present one.
    """
    moment = sa.DateTime(timezone=True)
    op.add_column("links", sa.Column("version_since", moment))
    op.add_column("visitors", sa.Column("link_version", sa.Integer()))
    op.add_column("visitors", sa.Column("reserved_until", moment))
    where = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_visitors_places", "visitors", ["link_id", "link_version"], sqlite_where=where, postgresql_where=where
    )
    op.execute(_FILL)
