"""Write the scripts of the first form of the tables: ``python -m ...migrations.freeze``.

Only until the first release; later changes of the tables are revisions of their own.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

import ephyrus.service.db.schema  # noqa: F401 (puts its tables on METADATA)
from ephyrus.service.db.base import METADATA

__all__ = ["FOLDER", "script"]

FOLDER = Path(__file__).parent / "versions"


def script(dialect: Dialect) -> str:
    """Give the statements that create all tables, each ended by a semicolon and a new line."""
    statements = []
    for table in METADATA.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements.extend(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes)
    statements.append("INSERT INTO change (id, counter, last_at) VALUES (1, 1, 0)")
    lines = "\n".join(f"{text.strip()};" for text in statements).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    """Write both scripts."""
    dialects: tuple[Dialect, ...] = (sqlite.dialect(), postgresql.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    for dialect in dialects:
        path = FOLDER / f"0001_{dialect.name}.sql"
        path.write_text(script(dialect), "utf-8")


if __name__ == "__main__":
    main()
