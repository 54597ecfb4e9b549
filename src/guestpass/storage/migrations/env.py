"""Run by Alembic; the connection comes from guestpass.storage.migrate, in a transaction that it commits."""

from __future__ import annotations

from alembic import context

from guestpass.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite has little ALTER TABLE; batch mode copies the table instead.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
