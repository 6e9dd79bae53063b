"""From rows to records: the columns of an object, and what is read beside them for a whole page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    literal,
    select,
    union_all,
)

from ephyrus.service.accounts.tables import USER
from ephyrus.service.catalog.records import ArrayRef, Detail, Record
from ephyrus.service.catalog.snapshots import Rows, Snapshot, field_parent
from ephyrus.service.db.functions import among
from ephyrus.service.db.schema import ACTIVE, FACTS, SHARES, TABLES
from ephyrus.service.types import TYPES, ObjectType

__all__ = ["chunks", "records_of", "statement"]

_CHUNK = 5000  # ids in one statement: SQLite takes 32,766 parameters
_HEAD = 9  # columns before those of the type
_OWNER = 4  # place of the owner's id among them


def chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    """Cut ids into lists that fit into one statement."""
    everything = list(ids)
    return (everything[first : first + _CHUNK] for first in range(0, len(everything), _CHUNK))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Columns of a type's values, and at which places of a row they are."""

    columns: tuple[str, ...]
    attributes: tuple[tuple[str, int], ...]
    numbers_as_text: tuple[tuple[str, int], ...]  # where it says that text was a number
    quantities: tuple[tuple[str, int], ...]
    arrays: tuple[tuple[str, int], ...]
    parents: tuple[tuple[str, int], ...]
    facts: int


@lru_cache(maxsize=64)
def _layout(kind: str) -> _Layout:
    """Lay out the columns of a type."""
    each = TYPES[kind]
    columns: list[str] = []

    def place(*names: str) -> int:
        columns.extend(names)
        return _HEAD + len(columns) - len(names)

    attributes = tuple((field.name, place(field.name)) for field in each.attributes)
    numbers = tuple(
        (field.name, place(f"{field.name}__is_int"))
        for field in each.attributes
        if field.value == "text or int"
    )
    quantities = tuple(
        (field.name, place(field.name, f"{field.name}__units", f"{field.name}__is_int"))
        for field in each.quantities
    )
    arrays = tuple(
        (field.name, place(f"{field.name}_id", f"{field.name}__units")) for field in each.arrays
    )
    parents = tuple(
        (field.name, -1 if field.many else place(f"{field.name}_id")) for field in each.parents
    )
    return _Layout(
        tuple(columns), attributes, numbers, quantities, arrays, parents, _HEAD + len(columns)
    )


def statement(rows: Rows) -> Select[Any]:
    """Select all that a record needs of its own row, without conditions."""
    return _statement(rows.kind.name, rows.table, rows.is_present)


@lru_cache(maxsize=512)  # putting it together takes longer than running it
def _statement(name: str, table: FromClause, is_present: bool) -> Select[Any]:
    """Make the statement for a table under one of its names."""
    kind = TYPES[name]
    source, holder = _holder(kind, table, is_present=is_present)
    source = source.outerjoin(USER, USER.c.id == holder.c.owner_id)
    state: ColumnElement[Any] = table.c.current_state if is_present else literal(ACTIVE)
    recording: ColumnElement[Any] = literal(None)
    present = table if is_present else holder
    if is_present or not kind.rights_from:
        recording = present.c.recording_id
    columns: list[ColumnElement[Any]] = [
        *(table.c[each] for each in ("id", "guid", "date_created", "last_modified")),
        holder.c.owner_id,
        USER.c.name.label("owner_name"),
        holder.c.safety_level,
        state.label("state"),
        recording.label("recording"),
        *(table.c[each] for each in _layout(name).columns),
    ]
    if name == "datafile":
        columns += [present.c[each] for each in FACTS]
    return select(*columns).select_from(source)


def _holder(
    kind: ObjectType, table: FromClause, *, is_present: bool
) -> tuple[FromClause, FromClause]:
    """Join the present row that holds the rights; give all that is joined, and that row."""
    if not kind.rights_from:
        if is_present:
            return table, table
        present = TABLES[kind.name].alias()
        return table.join(present, present.c.id == table.c.id), present
    source = table
    while kind.rights_from:
        parent = field_parent(kind, kind.rights_from)
        above = TABLES[parent.type].alias()
        source = source.join(above, above.c.id == table.c[f"{parent.name}_id"])
        table, kind = above, TYPES[parent.type]
    return source, table


@dataclass(slots=True)
class _Beside:
    """What is read beside the rows of a page, by id."""

    many: Mapping[str, Mapping[int, list[int]]] = field(default_factory=dict)
    children: Mapping[int, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    metadata: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    shares: Mapping[int, dict[str, int]] = field(default_factory=dict)


def records_of(
    connection: Connection,
    snapshot: Snapshot,
    kind: ObjectType,
    rows: Sequence[Sequence[Any]],
    detail: Detail,
) -> tuple[Record, ...]:
    """Make the records of a page, in a number of queries that does not depend on its size.

    Parameters
    ----------
    connection : Connection
        Database.
    snapshot : Snapshot
        What is seen.
    kind : ObjectType
        Type of the objects.
    rows : sequence of row
        Rows of :func:`statement`.
    detail : Detail
        What is read beside them.

    Returns
    -------
    tuple of Record
        The objects.
    """
    if not rows:
        return ()
    ids = [row[0] for row in rows]
    beside = _Beside(_many_parents(connection, snapshot, kind, ids))
    if detail.children:
        beside.children = _children(connection, snapshot, kind, ids)
    if detail.metadata:
        beside.metadata = _metadata(connection, snapshot, kind, ids)
    if detail.shares:
        beside.shares = _shares(connection, snapshot, kind, rows)
    return tuple(_record(kind, row, beside) for row in rows)


def _record(kind: ObjectType, row: Sequence[Any], beside: _Beside) -> Record:
    """Make a record of a row of :func:`statement`."""
    layout = _layout(kind.name)
    number = row[0]
    attributes = {name: row[at] for name, at in layout.attributes}
    for name, at in layout.numbers_as_text:
        if row[at]:
            attributes[name] = int(attributes[name])
    return Record(
        kind.name,
        number,
        row[1],
        row[_OWNER],
        row[5] or "",
        row[6],
        row[7],
        row[2],
        row[3],
        attributes,
        {
            name: (int(row[at]) if row[at + 2] else row[at], row[at + 1])
            for name, at in layout.quantities
        },
        {
            name: None if row[at] is None else ArrayRef(row[at], row[at + 1])
            for name, at in layout.arrays
        },
        {
            name: row[at] if at >= 0 else tuple(beside.many[name].get(number, ()))
            for name, at in layout.parents
        },
        beside.children.get(number),
        beside.shares.get(number),
        beside.metadata.get(number),
        dict(zip(FACTS, row[layout.facts :], strict=True)) if kind.name == "datafile" else {},
        row[8],
    )


def _many_parents(
    connection: Connection, snapshot: Snapshot, kind: ObjectType, ids: Sequence[int]
) -> dict[str, Mapping[int, list[int]]]:
    """Read relations to several parents: ids by object, by name of the field."""
    result: dict[str, Mapping[int, list[int]]] = {}
    for parent in kind.parents:
        if not parent.many:
            continue
        links, holds = snapshot.links(kind, parent)
        own, above = links.c[f"{kind.name}_id"], links.c[f"{parent.name}_id"]
        query = select(own, above).where(among(own, ids), holds).order_by(above)
        found: dict[int, list[int]] = defaultdict(list)
        for number, other in connection.execute(query):
            found[number].append(other)
        result[parent.name] = found
    return result


def _children(
    connection: Connection, snapshot: Snapshot, kind: ObjectType, ids: Sequence[int]
) -> dict[int, dict[str, tuple[int, ...]]]:
    """Read the children of all types in one statement."""
    result: dict[int, dict[str, list[int]]] = {
        number: {child.name: [] for child, _ in kind.children} for number in ids
    }
    parts = []
    for child, parent in kind.children:
        rows = snapshot.rows(child)
        seen = rows.alive & snapshot.visible(rows)
        if parent.many:
            links, holds = snapshot.links(child, parent)
            above = links.c[f"{parent.name}_id"]
            source: FromClause = rows.table.join(
                links, links.c[f"{child.name}_id"] == rows.column("id")
            )
            seen = seen & holds
        else:
            above, source = rows.table.c[f"{parent.name}_id"], rows.table
        part = select(literal(child.name), above, rows.column("id").label("child_id"))
        parts.append(part.select_from(source).where(among(above, ids), seen))
    if parts:
        # one type lies in one part, so that sorting what arrives costs less than ORDER BY
        for name, number, found in connection.execute(union_all(*parts)):
            result[number][name].append(found)
    return {
        number: {name: tuple(sorted(found)) for name, found in lists.items()}
        for number, lists in result.items()
    }


def _metadata(
    connection: Connection, snapshot: Snapshot, kind: ObjectType, ids: Sequence[int]
) -> dict[int, tuple[int, ...]]:
    """Read the values that objects are annotated with, those that may be seen."""
    if kind.category == "metadata":
        return dict.fromkeys(ids, ())
    taggings, holds = snapshot.taggings()
    query = (
        select(taggings.c.object_id, taggings.c.value_id)
        .where(taggings.c.type == kind.name, among(taggings.c.object_id, ids), holds)
        .order_by(taggings.c.value_id)
    )
    pairs = connection.execute(query).all()
    seen = _seen_values(connection, snapshot, {value for _, value in pairs})
    result: dict[int, list[int]] = {number: [] for number in ids}
    for number, value in pairs:
        if value in seen:
            result[number].append(value)
    return {number: tuple(found) for number, found in result.items()}


def _seen_values(connection: Connection, snapshot: Snapshot, values: set[int]) -> set[int]:
    """Keep the values that may be seen."""
    seen: set[int] = set()
    for part in chunks(values):
        rows = snapshot.rows("value")
        here = among(rows.column("id"), part) & rows.alive & snapshot.visible(rows)
        seen |= set(connection.execute(select(rows.column("id")).where(here)).scalars())
    return seen


def _shares(
    connection: Connection, snapshot: Snapshot, kind: ObjectType, rows: Sequence[Sequence[Any]]
) -> dict[int, dict[str, int]]:
    """Read with whom objects are shared, for their owner and for administrators."""
    principal = snapshot.principal
    ids = [row[0] for row in rows if principal.is_admin or row[_OWNER] == principal.user_id]
    if not ids or kind.rights_from:
        return {}
    query = (
        select(SHARES.c.object_id, USER.c.name, SHARES.c.level)
        .join_from(SHARES, USER, USER.c.id == SHARES.c.user_id)
        .where(SHARES.c.type == kind.name, among(SHARES.c.object_id, ids))
        .order_by(USER.c.name)
    )
    result: dict[int, dict[str, int]] = defaultdict(dict)
    for number, name, level in connection.execute(query):
        result[number][name] = level
    return result
