"""Tables of the service: those of the types of objects, and the system's own.

Each type has a table of its name with the current state of its objects, and a table
``<type>_version`` with all states that they ever had. Relations to several parents lie in tables
``<type>_<parent>``. Text has a second column ``<name>__folded`` for comparisons that disregard
case, since the databases disagree on the case of letters beyond ASCII.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

import ephyrus.service.accounts.tables  # noqa: F401 (puts its tables on METADATA)
from ephyrus.service.db.base import ID, METADATA, MOMENT, TEXT, VALUES
from ephyrus.service.types import TYPES, Attribute, ObjectType, Parent

__all__ = [
    "ACTIVE",
    "ARCHIVED",
    "ARRAYS",
    "CHANGE",
    "DELETED",
    "DISCARDED",
    "FACTS",
    "GROWTH",
    "HELD",
    "JOBS",
    "LINKS",
    "META",
    "ORDERED",
    "RECORDINGS",
    "SELECTIONS",
    "SHARES",
    "TABLES",
    "TAGGINGS",
    "VERSIONS",
]

ACTIVE, DELETED, ARCHIVED = 10, 20, 30
"""Values of ``current_state``."""

ORDERED = frozenset({"t_start", "time"})
"""Quantities that lists are narrowed and sorted by: they have an index."""

FACTS: tuple[str, ...] = (
    "size",
    "mime",
    "file_type",
    "extracted_info",
    "operations_log",
    "last_task_id",
    "store_key",
    "content",
)
"""Columns of a datafile that the server sets. ``content`` names what the file holds (a checksum,
or path, size and time): another content is another version."""


def _attribute_columns(attribute: Attribute) -> Iterator[Column[Any]]:
    """Columns of a plain value."""
    simple: dict[str, TypeEngine[Any]] = {
        "int": ID,
        "float": Double(),
        "bool": Boolean(),
        "datetime": MOMENT,
    }
    yield Column(attribute.name, simple.get(attribute.value, TEXT))
    if attribute.value in {"text", "text or int"}:
        yield Column(f"{attribute.name}__folded", TEXT)
    if attribute.value == "text or int":
        yield Column(f"{attribute.name}__is_int", Boolean())


def _value_columns(kind: ObjectType) -> Iterator[Column[Any]]:
    """Columns of attributes, quantities and units."""
    for attribute in kind.attributes:
        yield from _attribute_columns(attribute)
    for quantity in kind.quantities:
        yield Column(quantity.name, Double())
        yield Column(f"{quantity.name}__units", TEXT)
        yield Column(f"{quantity.name}__is_int", Boolean())  # 50 and not 50.0, as it was sent
    for array in kind.arrays:
        yield Column(f"{array.name}__units", TEXT)


def _fact_columns(kind: ObjectType) -> Iterator[Column[Any]]:
    """Columns that only datafiles have."""
    if kind.name != "datafile":
        return
    types: dict[str, TypeEngine[Any]] = {
        "size": ID,
        "file_type": SmallInteger(),
        "extracted_info": VALUES,
        "operations_log": VALUES,
        "last_task_id": ID,
    }
    for name in FACTS:
        yield Column(name, types.get(name, TEXT))


def _single_parents(kind: ObjectType) -> list[Parent]:
    """Parents of which there is at most one."""
    return [parent for parent in kind.parents if not parent.many]


def _object_table(kind: ObjectType) -> Table:
    """Make the table of the current state of a type."""
    references = [
        Column(f"{parent.name}_id", ID, ForeignKey(f"{parent.type}.id"))
        for parent in _single_parents(kind)
    ]
    arrays = [Column(f"{array.name}_id", ID, ForeignKey("datafile.id")) for array in kind.arrays]
    table = Table(
        kind.name,
        METADATA,
        Column("id", ID, primary_key=True),
        Column("guid", TEXT, nullable=False, server_default=""),
        Column("owner_id", ID, nullable=False, index=True),
        Column("safety_level", SmallInteger(), nullable=False),
        Column("current_state", SmallInteger(), nullable=False),
        Column("date_created", MOMENT, nullable=False),
        Column("last_modified", MOMENT, nullable=False),
        Column("recording_id", ID, ForeignKey("recording.id"), index=True),
        *_value_columns(kind),
        *references,
        *arrays,
        *_fact_columns(kind),
        sqlite_autoincrement=True,  # an id is never given twice
    )
    for column in (*references, *arrays):
        Index(None, column)
    Index(None, table.c.guid)
    Index(None, table.c.last_modified, table.c.id)
    if "name" in table.c:
        Index(None, table.c.name, table.c.id)
    for quantity in kind.quantities:
        if quantity.name in ORDERED:
            Index(None, table.c[quantity.name], table.c.id)
    return table


def _version_table(kind: ObjectType) -> Table:
    """Make the table of all states of a type: rights are not among them."""
    references = [Column(f"{parent.name}_id", ID) for parent in _single_parents(kind)]
    arrays = [Column(f"{array.name}_id", ID) for array in kind.arrays]
    table = Table(
        f"{kind.name}_version",
        METADATA,
        Column("version_id", ID, primary_key=True),
        Column("id", ID, nullable=False),
        Column("guid", TEXT, nullable=False),
        Column("starts_at", MOMENT, nullable=False),
        Column("ends_at", MOMENT),
        Column("user_id", ID),
        Column("changed", VALUES, nullable=False),
        Column("date_created", MOMENT, nullable=False),
        Column("last_modified", MOMENT, nullable=False),
        *_value_columns(kind),
        *references,
        *arrays,
    )
    Index(None, table.c.id, table.c.starts_at)
    for column in references:
        Index(None, column, table.c.starts_at)
    return table


def _link_table(kind: ObjectType, parent: Parent) -> Table:
    """Make the table of a relation to several parents, with when it held."""
    child, above = f"{kind.name}_id", f"{parent.name}_id"
    table = Table(
        f"{kind.name}_{parent.name}",
        METADATA,
        Column("link_id", ID, primary_key=True),
        Column(child, ID, ForeignKey(f"{kind.name}.id"), nullable=False),
        Column(above, ID, ForeignKey(f"{parent.type}.id"), nullable=False),
        Column("starts_at", MOMENT, nullable=False),
        Column("ends_at", MOMENT),
    )
    Index(None, table.c[child], table.c[above])
    Index(None, table.c[above], table.c[child])
    return table


RECORDINGS = Table(
    "recording",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("path", TEXT, nullable=False, index=True),
    Column("format", TEXT),
    Column("options", VALUES),
    Column("size", ID),
    Column("modified_ns", ID),
    Column("state", TEXT, nullable=False),
    Column("message", TEXT),
    Column("root", TEXT, index=True),
    Column("block_ids", VALUES),
    Column("files", VALUES),
    sqlite_autoincrement=True,
)
"""Vendor recordings that are shown where they lie."""

TABLES: Mapping[str, Table] = {name: _object_table(kind) for name, kind in TYPES.items()}
"""Current state by type."""

SELECTIONS = Table(
    "selection",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("owner_id", ID, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("type", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("description", TEXT, nullable=False),
    Column("query", TEXT, nullable=False),
    Column("safety_level", SmallInteger(), nullable=False),
    Column("date_created", MOMENT, nullable=False),
    Column("last_modified", MOMENT, nullable=False),
    UniqueConstraint("owner_id", "name"),
    sqlite_autoincrement=True,  # an id is never given twice: shares name it
)
"""Filters that users have saved."""

HELD: Mapping[str, Table] = {**TABLES, SELECTIONS.name: SELECTIONS}
"""Everything that is owned and shared, by the name that its shares have it under."""

VERSIONS: Mapping[str, Table] = {name: _version_table(kind) for name, kind in TYPES.items()}
"""All states by type."""

LINKS: Mapping[tuple[str, str], Table] = {
    (name, parent.name): _link_table(kind, parent)
    for name, kind in TYPES.items()
    for parent in kind.parents
    if parent.many
}
"""Relations to several parents, by type and name of the field."""

ARRAYS = Table(
    "array",
    METADATA,
    Column("datafile_id", ID, ForeignKey("datafile.id"), primary_key=True, autoincrement=False),
    Column("dtype", TEXT, nullable=False),
    Column("shape", VALUES, nullable=False),
    Column("sorted", Boolean()),
    Column("location", VALUES, nullable=False),
    Column("levels_key", TEXT),
    Column("recording_id", ID, ForeignKey("recording.id"), index=True),
)
"""What the arrays of datafiles are, and where their numbers lie."""

GROWTH = Table(
    "growth",
    METADATA,
    Column("datafile_id", ID, ForeignKey("datafile.id"), primary_key=True, autoincrement=False),
    Column("starts_at", MOMENT, primary_key=True),
    Column("length", ID, nullable=False),
)
"""Lengths of arrays that rows were appended to, each from a time on; the first is that before."""

DISCARDED = Table(
    "discarded",
    METADATA,
    Column("key", TEXT, primary_key=True),
    Column("since", MOMENT, nullable=False, index=True),
)
"""Files of the store that nothing refers to any more, but for what is being read and copied."""

SHARES = Table(
    "share",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("type", TEXT, nullable=False),
    Column("object_id", ID, nullable=False),
    Column("user_id", ID),
    Column("group_id", ID),
    Column("level", SmallInteger(), nullable=False),
    UniqueConstraint("type", "object_id", "user_id"),
    UniqueConstraint("type", "object_id", "group_id"),
)
"""Direct shares: level 1 reads, level 2 reads and writes."""
Index(None, SHARES.c.user_id, SHARES.c.type, SHARES.c.object_id)
Index(None, SHARES.c.group_id, SHARES.c.type, SHARES.c.object_id)

TAGGINGS = Table(
    "tagging",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("value_id", ID, ForeignKey("value.id"), nullable=False),
    Column("type", TEXT, nullable=False),
    Column("object_id", ID, nullable=False),
    Column("starts_at", MOMENT, nullable=False),
    Column("ends_at", MOMENT),
)
"""Metadata values that objects are annotated with, with when."""
Index(None, TAGGINGS.c.type, TAGGINGS.c.object_id)
Index(None, TAGGINGS.c.value_id, TAGGINGS.c.type, TAGGINGS.c.object_id)

JOBS = Table(
    "job",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("payload", VALUES, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("attempts", Integer(), nullable=False, server_default="0"),
    Column("run_after", MOMENT, nullable=False),
    Column("started_at", MOMENT),
    Column("heartbeat_at", MOMENT),
    Column("worker", TEXT),
    Column("message", TEXT),
    Column("user_id", ID),
    Column("result", VALUES),
    sqlite_autoincrement=True,
)
"""Work that is done in the background."""
Index(None, JOBS.c.state, JOBS.c.run_after)

META = Table(
    "meta",
    METADATA,
    Column("key", TEXT, primary_key=True),
    Column("value", TEXT, nullable=False),
)
"""Facts of the database itself: the style of ids and the version of what is stored."""

CHANGE = Table(
    "change",
    METADATA,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("counter", ID, nullable=False),
    Column("last_at", ID, nullable=False),
)
"""One row that every writing transaction advances: a counter, and its time in microseconds."""
