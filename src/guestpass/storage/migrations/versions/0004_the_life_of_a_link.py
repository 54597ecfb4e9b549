"""What links can be limited to, who came through them and who was refused, and lists over all of them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NO_LABEL: Final = "\U0010ffff"


def upgrade() -> None:
    """Add columns and tables, and fill them from what is known.

    A program of the former revision would not notice; what it writes meanwhile is found by its id alone.
    """
    _add_to_links()
    _add_to_visitors()
    _count_hours()
    _move_refusals()
    op.create_index("ix_link_events_link_id_kind_at", "link_events", ["link_id", "kind", "at"])


def _add_to_links() -> None:
    for column in (
        sa.Column("note", sa.String()),
        sa.Column("start_path", sa.String()),
        sa.Column("max_visitors", sa.Integer()),
        sa.Column("allowed_ips", sa.String()),
        sa.Column("label_key", sa.String(), nullable=False, server_default=sa.text("''")),
        sa.Column("searched", sa.String(), nullable=False, server_default=sa.text("''")),
    ):
        op.add_column("links", column)
    connection = op.get_bind()
    keyed = [
        {"of_link": id, "key": (label or _NO_LABEL).casefold(), "text": f"{label or ''}\n\n{id}".casefold()}
        for id, label in connection.execute(sa.text("SELECT id, label FROM links"))
    ]
    if keyed:
        connection.execute(sa.text("UPDATE links SET label_key = :key, searched = :text WHERE id = :of_link"), keyed)
    for key in ("created_at", "expires_at", "last_opened_at", "label_key", "visits"):
        op.create_index(f"ix_links_org_{key}_id", "links", ["org", key, "id"])


def _add_to_visitors() -> None:
    moment = sa.DateTime(timezone=True)
    for column in (
        sa.Column("number", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("present_at", moment),
        sa.Column("browser", sa.String()),
        sa.Column("system", sa.String()),
        sa.Column("address", sa.String()),
        sa.Column("ended_at", moment),
    ):
        op.add_column("visitors", column)
    op.execute(
        "UPDATE visitors SET present_at = last_seen, number = counted.number FROM ("
        "SELECT link_id, visitor, row_number() OVER (PARTITION BY link_id ORDER BY first_seen, visitor) AS number "
        "FROM visitors) AS counted "
        "WHERE counted.link_id = visitors.link_id AND counted.visitor = visitors.visitor"
    )
    op.create_index("ix_visitors_link_id_present_at_number", "visitors", ["link_id", "present_at", "number"])
    op.create_index("ix_visitors_link_id_number", "visitors", ["link_id", "number"])
    op.create_index("ix_visitors_present_at", "visitors", ["present_at"])
    op.create_index(
        "ix_visitors_ended",
        "visitors",
        ["link_id", "visitor"],
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )


def _count_hours() -> None:
    op.create_table(
        "visit_hours",
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "began_at", name="pk_visit_hours"),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name="fk_visit_hours_links", ondelete="CASCADE"),
    )
    # Times are text of fixed width in SQLite, whose first thirteen characters are day and hour.
    is_text = op.get_bind().dialect.name == "sqlite"
    hour = "substr(at, 1, 13) || ':00:00.000000'" if is_text else "date_trunc('hour', at, 'UTC')"
    op.execute(
        "INSERT INTO visit_hours (link_id, began_at, visits) "  # noqa: S608 -- both are written above
        f"SELECT link_id, {hour}, count(*) FROM link_events WHERE kind = 'opened' GROUP BY 1, 2"
    )


def _move_refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("request_id", sa.String()),
        sa.Column("browser", sa.String()),
        sa.Column("system", sa.String()),
        sa.Column("address", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_refusals"),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name="fk_refusals_links", ondelete="CASCADE"),
    )
    op.create_index("ix_refusals_link_id_at_id", "refusals", ["link_id", "at", "id"])
    op.execute(
        "INSERT INTO refusals (link_id, at, reason, address) SELECT link_id, at, detail, actor FROM ("
        "SELECT *, row_number() OVER (PARTITION BY link_id ORDER BY at DESC, id DESC) AS age FROM link_events "
        "WHERE kind = 'refused' AND detail IS NOT NULL) AS aged WHERE age <= 50 ORDER BY at, id"
    )
    op.execute("DELETE FROM link_events WHERE kind = 'refused'")
