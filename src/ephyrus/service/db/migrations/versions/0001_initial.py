"""The first form of the tables.

The statements lie beside this file, one script for each database: they are what
:mod:`ephyrus.service.db.migrations.freeze` wrote and do not follow later changes of the code.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    script = Path(__file__).with_name(f"0001_{op.get_bind().dialect.name}.sql")
    for statement in script.read_text("utf-8").split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
