"""Storing many objects at once: imports, served recordings, copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, insert, select, text

from ephyrus.service.catalog import sharing
from ephyrus.service.catalog.guid import guid_of
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.storing import (
    add_links,
    allocate,
    attribute_columns,
    empty_row,
    open_versions,
    quantity_columns,
)
from ephyrus.service.catalog.values import LONGEST_NAME
from ephyrus.service.db.engine import has_turn, moment
from ephyrus.service.db.schema import ACTIVE, ARRAYS, TABLES, TAGGINGS
from ephyrus.service.types import TYPES, ObjectType

__all__ = ["MANY", "Existing", "NewObject", "insert_tree", "tell_planner", "type_order"]

MANY = 1000  # objects of a type


@dataclass(frozen=True, slots=True)
class Existing:
    """An object that is there already, where a new one refers to it."""

    id: int


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object that is to be stored.

    Attributes
    ----------
    type : str
        Its type.
    key : hashable
        What others in the same call name it by.
    attributes : mapping
        Plain values by name.
    quantities : mapping
        Name to (number, unit).
    arrays : mapping
        Name to (key of a datafile, unit).
    parents : mapping
        Name of the field to a key, or to several.
    safety_level : int
        1 public, 2 friendly, 3 private.
    array : mapping or None
        Of a datafile: ``dtype``, ``shape``, ``sorted`` and ``location`` of its array.
    facts : mapping
        Of a datafile: what the server knows of it.
    tags : tuple
        Keys of values that it is annotated with.

    Notes
    -----
    In place of a key there may be :class:`Existing`.
    """

    type: str
    key: Hashable
    attributes: Mapping[str, Any] = field(default_factory=dict)
    quantities: Mapping[str, tuple[float | None, str | None]] = field(default_factory=dict)
    arrays: Mapping[str, tuple[Hashable, str | None]] = field(default_factory=dict)
    parents: Mapping[str, Any] = field(default_factory=dict)
    safety_level: int = 3
    array: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[Hashable, ...] = ()


@cache
def type_order() -> tuple[str, ...]:
    """List the types so that what others refer to comes first."""
    order: list[str] = []

    def visit(kind: ObjectType) -> None:
        if kind.name in order:
            return
        needed = [parent.type for parent in kind.parents if parent.type != kind.name]
        for name in (*needed, *(["datafile"] if kind.arrays else [])):
            visit(TYPES[name])
        order.append(kind.name)

    for kind in TYPES.values():
        visit(kind)
    return tuple(order)


@dataclass(slots=True)
class _Insert:
    """What is known while objects are stored."""

    connection: Connection
    owner_id: int
    user_id: int | None
    recording_id: int | None
    now: datetime
    ids: dict[Hashable, int] = field(default_factory=dict)
    guids: dict[int, str] = field(default_factory=dict)  # of datafiles

    def id_of(self, key: Any) -> int:
        """Give the id of an object that another one refers to."""
        return key.id if isinstance(key, Existing) else self.ids[key]


def insert_tree(
    connection: Connection,
    owner_id: int,
    objects: Iterable[NewObject],
    *,
    recording_id: int | None = None,
    user_id: int | None = None,
    shares_of: tuple[str, int] | None = None,
) -> dict[Hashable, int]:
    """Store objects that refer to one another, in few statements.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    owner_id : int
        Whom they belong to.
    objects : iterable of NewObject
        The objects; sections come after those that they lie in, else in any order. They are taken
        as they are: no rights, units or lengths are checked.
    recording_id : int, optional
        The served recording that they belong to, which makes them read-only. It takes the place
        of ``"recording": 0`` in the locations of arrays.
    user_id : int, optional
        Who makes them, for the history; None: the server.
    shares_of : (str, int), optional
        Type and id of an object whose shares they get.

    Returns
    -------
    dict
        Ids by key.

    Raises
    ------
    KeyError
        An object refers to a key that is not there.
    """
    by_type: dict[str, list[NewObject]] = defaultdict(list)
    for each in objects:
        by_type[each.type].append(each)
    work = _Insert(connection, owner_id, user_id, recording_id, moment(connection))
    for kind, found in by_type.items():
        numbers = allocate(connection, kind, len(found))
        work.ids |= {each.key: number for each, number in zip(found, numbers, strict=True)}
    work.guids = _guids(connection, _outside(by_type))
    for kind in type_order():
        if by_type.get(kind):
            _insert_type(work, TYPES[kind], by_type[kind])
            if shares_of is not None and not TYPES[kind].rights_from:
                numbers = [work.ids[each.key] for each in by_type[kind]]
                sharing.inherit(connection, shares_of, kind, numbers)
    _insert_tags(work, by_type)
    tell_planner(connection, [kind for kind, found in by_type.items() if len(found) >= MANY])
    return work.ids


def tell_planner(connection: Connection, kinds: Sequence[str]) -> None:
    """Let PostgreSQL count anew where much has come.

    It does so by itself after a minute; until then it would plan lists as if the tables were empty,
    which makes them several times slower. SQLite plans without counting. Counting is for one at a
    time: whoever has not had his turn would make others wait, and wait for them.
    """
    if connection.dialect.name == "postgresql" and has_turn(connection):
        for kind in kinds:
            name = connection.dialect.identifier_preparer.format_table(TABLES[kind])
            connection.execute(text(f"ANALYZE {name}"))


def _outside(by_type: Mapping[str, Sequence[NewObject]]) -> set[int]:
    """Find the datafiles that are there already."""
    return {
        key.id
        for found in by_type.values()
        for each in found
        for key, _ in each.arrays.values()
        if isinstance(key, Existing)
    }


def _guids(connection: Connection, ids: set[int]) -> dict[int, str]:
    """Read the guids of datafiles."""
    table = TABLES["datafile"]
    result: dict[int, str] = {}
    for part in chunks(ids):
        query = select(table.c.id, table.c.guid).where(table.c.id.in_(part))
        result |= dict(connection.execute(query).all())
    return result


def _insert_type(work: _Insert, kind: ObjectType, objects: Sequence[NewObject]) -> None:
    """Store the objects of one type."""
    empty = empty_row(kind)
    rows: list[dict[str, Any]] = []
    links: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for each in objects:
        number = work.ids[each.key]
        row = {**empty, **_columns(work, kind, each)}
        several = {
            parent.name: [work.id_of(key) for key in each.parents.get(parent.name) or ()]
            for parent in kind.parents
            if parent.many
        }
        for name, above in several.items():
            links[name].extend((number, other) for other in above)
        tags = [work.id_of(key) for key in each.tags]
        row["guid"] = guid_of(kind, row, links=several, metadata=tags, datafiles=work.guids)
        if kind.name == "datafile":
            work.guids[number] = row["guid"]
        rows.append(row)
    work.connection.execute(insert(TABLES[kind.name]), rows)
    for name, found in links.items():
        add_links(work.connection, kind.name, name, found)
    _insert_arrays(work, objects)
    open_versions(
        work.connection, kind.name, [row["id"] for row in rows], work.user_id, ["created"]
    )


def _columns(work: _Insert, kind: ObjectType, each: NewObject) -> dict[str, Any]:
    """Give the columns of an object."""
    row: dict[str, Any] = {
        "id": work.ids[each.key],
        "owner_id": work.owner_id,
        "safety_level": each.safety_level,
        "current_state": ACTIVE,
        "date_created": work.now,
        "last_modified": work.now,
        "recording_id": work.recording_id,
        **each.facts,
    }
    for attribute in kind.attributes:
        value = each.attributes.get(attribute.name, attribute.default)
        row |= attribute_columns(attribute, _clean(attribute.name, value))
    for quantity in kind.quantities:
        number, units = each.quantities.get(quantity.name, (None, None))
        row |= quantity_columns(quantity.name, number, units)
    for name, (key, units) in each.arrays.items():
        row[f"{name}_id"], row[f"{name}__units"] = work.id_of(key), units
    for parent in kind.parents:
        key = each.parents.get(parent.name)
        if not parent.many and key is not None:
            row[f"{parent.name}_id"] = work.id_of(key)
    return row


def _clean(name: str, value: Any) -> Any:
    """Take out of text what no database keeps: files may hold anything."""
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "").encode("utf-8", "replace").decode()
    return text[:LONGEST_NAME] if name == "name" else text


def _insert_arrays(work: _Insert, objects: Sequence[NewObject]) -> None:
    """Store what the arrays of datafiles are."""
    rows = []
    for each in objects:
        if each.array is None:
            continue
        location = dict(each.array["location"])
        if location.get("recording") == 0 and work.recording_id is not None:
            location["recording"] = work.recording_id
        rows.append(
            {
                "datafile_id": work.ids[each.key],
                "dtype": each.array["dtype"],
                "shape": list(each.array["shape"]),
                "sorted": each.array.get("sorted"),
                "location": location,
                "recording_id": work.recording_id,
            }
        )
    if rows:
        work.connection.execute(insert(ARRAYS), rows)


def _insert_tags(work: _Insert, by_type: Mapping[str, Sequence[NewObject]]) -> None:
    """Store the annotations."""
    rows = [
        {
            "type": kind,
            "object_id": work.ids[each.key],
            "value_id": work.id_of(key),
            "starts_at": work.now,
        }
        for kind, found in by_type.items()
        for each in found
        for key in each.tags
    ]
    if rows:
        work.connection.execute(insert(TAGGINGS), rows)
