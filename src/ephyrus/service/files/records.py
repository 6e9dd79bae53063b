"""Datafiles as work on files sees them: who owns them, where they lie, what lies beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from ephyrus.service.arrays.pieces import keys_of
from ephyrus.service.db.schema import ARRAYS, DELETED, DISCARDED, TABLES
from ephyrus.service.files.looking import StoredName

__all__ = ["FileRow", "file_row", "live_objects", "named_keys", "siblings_of"]
__all__ += ["stored_keys"]

MOST_SIBLINGS = 1000

_FILES = TABLES["datafile"]


@dataclass(frozen=True, slots=True)
class FileRow:
    """An uploaded file.

    Attributes
    ----------
    id, owner_id, safety_level, section_id
        As the catalog has them.
    name : str
        Its name.
    key : str or None
        Where it lies in the store; None: nothing was uploaded.
    size : int
        Bytes.
    file_type : int
        What it is.
    info : dict
        What else is known of it.
    task_id : int or None
        The last job that was begun for it.
    mime : str
        Media type.
    content : str
        SHA-1 of the file.
    """

    id: int
    owner_id: int
    safety_level: int
    section_id: int | None
    name: str
    key: str | None
    size: int
    file_type: int
    info: dict[str, Any]
    task_id: int | None
    mime: str
    content: str


def file_row(
    connection: Connection, datafile_id: int, *, with_deleted: bool = False
) -> FileRow | None:
    """Give a datafile, if there is one that was not deleted."""
    found = select(_FILES).where(_FILES.c.id == datafile_id)
    if not with_deleted:
        found = found.where(_FILES.c.current_state != DELETED)
    row = connection.execute(found).mappings().first()
    if row is None:
        return None
    return FileRow(
        row["id"],
        row["owner_id"],
        row["safety_level"],
        row["section_id"],
        row["name"] or "file",
        row["store_key"],
        row["size"] or 0,
        row["file_type"] or 0,
        dict(row["extracted_info"] or {}),
        row["last_task_id"],
        row["mime"] or "application/octet-stream",
        row["content"] or "",
    )


def siblings_of(connection: Connection, owner_id: int, section_id: int | None) -> list[StoredName]:
    """Give the files of the same owner in the same section, the latest first.

    A recording that consists of several files finds the others among them, by name.
    """
    columns = _FILES.c
    rows = connection.execute(
        select(columns.name, columns.store_key, columns.size)
        .where(
            columns.owner_id == owner_id,
            columns.section_id.is_(None)
            if section_id is None
            else columns.section_id == section_id,
            columns.current_state != DELETED,
            columns.store_key.is_not(None),
        )
        .order_by(columns.id.desc())
        .limit(MOST_SIBLINGS)
    )
    return [StoredName(row.name, row.store_key, row.size or 0) for row in rows]


def live_objects(connection: Connection, objects: Mapping[str, Sequence[int]]) -> bool:
    """Tell whether all of some objects are there and were not deleted."""
    for kind, ids in objects.items():
        table = TABLES[kind]
        found = select(func.count()).where(
            table.c.id.in_(list(ids)), table.c.current_state != DELETED
        )
        if connection.execute(found).scalar_one() != len(ids):
            return False
    return True


def named_keys(connection: Connection) -> set[str]:
    """Give the keys of all files of the store that anything refers to, also what was deleted."""
    keys = set(connection.execute(select(_FILES.c.store_key)).scalars())
    for location, levels in connection.execute(select(ARRAYS.c.location, ARRAYS.c.levels_key)):
        keys.add(levels)
        keys.update(keys_of(location))
    return {key for key in keys if key}


def stored_keys(connection: Connection) -> set[str]:
    """Give what `named_keys` gives, and the keys of files that may still be read.

    Nothing refers to these since a short while.
    """
    return named_keys(connection) | set(connection.execute(select(DISCARDED.c.key)).scalars())
