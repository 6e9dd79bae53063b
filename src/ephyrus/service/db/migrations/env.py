"""What alembic runs: the steps, inside the transaction that the caller has begun."""

from __future__ import annotations

from alembic import context

import ephyrus.service.db.schema  # noqa: F401 (puts its tables on METADATA)
from ephyrus.service.db.base import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
