"""Odoos are told of the end of sessions until they have heard it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table: a program of the former revision would not notice, and tells of what it ends itself."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "odoo_sign_outs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("environment_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("called", sa.String(), nullable=False),
        sa.Column("tls_verify", sa.Boolean(), nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("visitor", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("ended_at", moment, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_odoo_sign_outs"),
    )
    op.create_index("ix_odoo_sign_outs_due_at", "odoo_sign_outs", ["due_at"])
    op.create_index("ix_odoo_sign_outs_address", "odoo_sign_outs", ["org", "environment_id", "url", "id"])
