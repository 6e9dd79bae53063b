"""What alembic runs: the steps, inside the transaction that the caller has begun."""

from __future__ import annotations

from alembic import context

from ephyrus.service.db.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
