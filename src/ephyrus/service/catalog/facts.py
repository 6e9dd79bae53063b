"""What the server itself notes about datafiles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from ephyrus.service.catalog.rights import absent
from ephyrus.service.catalog.storing import record
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import FACTS, TABLES

__all__ = ["log_operation", "set_facts"]


def set_facts(connection: Connection, datafile_id: int, **facts: Any) -> None:
    """Set what the server knows of a datafile.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    datafile_id : int
        The datafile.
    **facts
        Columns of ``FACTS``. A change of size, mime, file_type or content makes a new version.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    TypeError
        There is no such column.
    """
    unknown = set(facts) - set(FACTS)
    if unknown:
        raise TypeError(f"a datafile has no {', '.join(sorted(unknown))}")
    table = TABLES["datafile"]
    done = connection.execute(update(table).where(table.c.id == datafile_id).values(**facts))
    if not done.rowcount:
        raise absent("datafile", datafile_id)
    record(connection, "datafile", {tuple(sorted(facts)): [datafile_id]}, None)


def log_operation(connection: Connection, datafile_id: int, text: str) -> None:
    """Add a line, with the time before it, to the log of what was done with a datafile.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    """
    table = TABLES["datafile"]
    query = select(table.c.operations_log).where(table.c.id == datafile_id)
    row = connection.execute(query).first()
    if row is None:
        raise absent("datafile", datafile_id)
    lines = [*(row[0] or []), f"{moment(connection):%Y-%m-%d %H:%M:%S} {text}"]
    connection.execute(update(table).where(table.c.id == datafile_id).values(operations_log=lines))
