"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# The newest revision of the release before, whose program must go on working with this one: add now, and take away
# one release later (CONTRIBUTING.md).
works_with = ${repr(down_revision)}


def upgrade() -> None:
    """Bring a database of the revision before to this one."""
    ${upgrades if upgrades else "pass"}
