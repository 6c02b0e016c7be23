"""Run by Alembic: applies the versions on the connection it is handed. Nothing here opens a database."""

from __future__ import annotations

from alembic import context

from api.db.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
