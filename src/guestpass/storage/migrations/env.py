"""Run by Alembic; the connection comes from guestpass.storage.migrate, which also commits."""

from __future__ import annotations

from alembic import context

from guestpass.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's data definition is part of its transactions, although Alembic's default does not count on it.
    transactional_ddl=True,
    # SQLite alters little in place; Alembic then makes the table anew and copies.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
