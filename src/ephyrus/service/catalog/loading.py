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
    Executable,
    FromClause,
    Integer,
    Select,
    Text,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from ephyrus.service.accounts.tables import USER
from ephyrus.service.catalog.limits import MOST_LINKS, MOST_TEXT, check_links, too_much_text
from ephyrus.service.catalog.records import ArrayRef, Detail, Record
from ephyrus.service.catalog.snapshots import Rows, Snapshot, field_parent
from ephyrus.service.db.functions import among, among_bound
from ephyrus.service.db.schema import ACTIVE, FACTS, SHARES, TABLES
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES, ObjectType

__all__ = ["chunks", "records_of", "statement"]

_CHUNK = 5000  # ids in one statement: SQLite takes 32,766 parameters
_HEAD = 9  # columns before those of the type
_OWNER = 4  # place of the owner's id among them
_SHORT = 1024  # characters of a text that are read at once
_NAMELESS = literal_column("NULL", Text())


def chunks(ids: Iterable[int], size: int = _CHUNK) -> Iterable[list[int]]:
    """Cut ids into lists that fit into one statement."""
    everything = list(ids)
    return (everything[first : first + size] for first in range(0, len(everything), size))


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
    texts: tuple[int, ...]  # where text stands that may be cut


def _texts_of(kind: ObjectType) -> list[str]:
    """Name the attributes that may be long; names are short."""
    return [
        each.name
        for each in kind.attributes
        if each.value in {"text", "text or int"} and each.name != "name"
    ]


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
    long = _texts_of(each)
    return _Layout(
        tuple(columns),
        attributes,
        numbers,
        quantities,
        arrays,
        parents,
        _HEAD + len(columns),
        tuple(at for name, at in attributes if name in long),
    )


def statement(rows: Rows) -> Select[Any]:
    """Select all that a record needs of its own row, without conditions.

    Long texts are cut: :func:`records_of` reads them when it is known how long all are together.
    """
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
    long = _texts_of(kind)
    columns: list[ColumnElement[Any]] = [
        *(table.c[each] for each in ("id", "guid", "date_created", "last_modified")),
        holder.c.owner_id,
        USER.c.name.label("owner_name"),
        holder.c.safety_level,
        state.label("state"),
        recording.label("recording"),
        *(_column(table, each, cut=each in long) for each in _layout(name).columns),
    ]
    if name == "datafile":
        columns += [present.c[each] for each in FACTS]
    return select(*columns).select_from(source)


def _column(table: FromClause, name: str, *, cut: bool) -> ColumnElement[Any]:
    """Give a column, or the beginning of its text."""
    column: ColumnElement[Any] = table.c[name]
    if not cut:
        return column
    start, length = _constant(1), _constant(_SHORT + 1)
    return func.substr(column, start, length, type_=Text()).label(name)


def _constant(number: int) -> ColumnElement[int]:
    """Give a number that is spelled out in the statement."""
    return literal_column(str(number), Integer())


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


_Found = dict[int, list[Any]]


@dataclass(slots=True)
class _Beside:
    """What is read beside the rows of a page, by id."""

    many: dict[str, _Found] = field(default_factory=dict)
    children: dict[int, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    metadata: dict[int, tuple[int, ...]] = field(default_factory=dict)
    shares: dict[int, dict[str, int]] = field(default_factory=dict)
    texts: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """One relation that is read beside the rows.

    Attributes
    ----------
    group : {"many", "children", "metadata", "shares"}
        What it is.
    name : str
        Field or type.
    query : Select
        Selects the object, the other one's id or a level, and a name or null.
    """

    group: str
    name: str
    query: Select[Any]


@dataclass(frozen=True, slots=True)
class _Plan:
    """All relations of a type, and the statement that reads them, if there are any."""

    parts: tuple[_Part, ...]
    statement: Executable | None


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

    Raises
    ------
    ServiceError
        ``too_large``: they have more than ``MOST_LINKS`` relations or ``MOST_TEXT`` characters.
    """
    if not rows:
        return ()
    beside = _read_beside(connection, snapshot, kind, rows, detail)
    texts = _layout(kind.name).texts
    long = [row[0] for row in rows if any(len(row[at] or "") > _SHORT for at in texts)]
    if long:
        beside.texts = _whole_texts(connection, snapshot, kind, long)
    return tuple(_record(kind, row, beside) for row in rows)


def _record(kind: ObjectType, row: Sequence[Any], beside: _Beside) -> Record:
    """Make a record of a row of :func:`statement`."""
    layout = _layout(kind.name)
    number = row[0]
    attributes = {name: row[at] for name, at in layout.attributes}
    if number in beside.texts:
        attributes |= beside.texts[number]
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
            name: row[at] if at >= 0 else tuple(sorted(beside.many[name].get(number, ())))
            for name, at in layout.parents
        },
        beside.children.get(number),
        beside.shares.get(number),
        beside.metadata.get(number),
        dict(zip(FACTS, row[layout.facts :], strict=True)) if kind.name == "datafile" else {},
        row[8],
    )


def _read_beside(
    connection: Connection,
    snapshot: Snapshot,
    kind: ObjectType,
    rows: Sequence[Sequence[Any]],
    detail: Detail,
) -> _Beside:
    """Read all relations of a page in one statement, and no more than an answer may have."""
    plan = _plan_of(snapshot, kind, detail)
    found = _read_parts(connection, plan, _ids_of(snapshot, rows))
    ids = [row[0] for row in rows]
    beside = _Beside()
    children: list[tuple[str, _Found]] = []
    tags: _Found = {}
    for part, pairs in zip(plan.parts, found, strict=True):
        if part.group == "many":
            beside.many[part.name] = pairs
        elif part.group == "children":
            children.append((part.name, pairs))
        elif part.group == "metadata":
            tags = pairs
        else:
            beside.shares = {number: dict(sorted(shares)) for number, shares in pairs.items()}
    if detail.children:
        beside.children = _by_type(kind, ids, children)
    if detail.metadata:
        seen = _seen_values(connection, snapshot, tags)
        beside.metadata = {
            number: tuple(sorted(seen.intersection(tags.get(number, ())))) for number in ids
        }
    return beside


def _ids_of(snapshot: Snapshot, rows: Sequence[Sequence[Any]]) -> dict[str, list[int]]:
    """Give the ids of a page, and of those objects whose shares are shown: to their owner."""
    principal = snapshot.principal
    own = [row[0] for row in rows if principal.is_admin or row[_OWNER] == principal.user_id]
    return {"ids": [row[0] for row in rows], "own": own}


def _read_parts(
    connection: Connection, plan: _Plan, ids: Mapping[str, Sequence[int]]
) -> list[_Found]:
    """Read relations; the number of the part stands before each row."""
    found: list[_Found] = [defaultdict(list) for _ in plan.parts]
    if plan.statement is None:
        return found
    count = 0
    for number, other, name, place in connection.execute(plan.statement, ids):
        found[place][number].append(other if name is None else (name, other))
        count += 1
    check_links(count)
    return found


def _plan_of(snapshot: Snapshot, kind: ObjectType, detail: Detail) -> _Plan:
    """Give the relations that are read; for the present they are put together once."""
    if snapshot.at_time is not None:
        return _plan(snapshot, kind, detail)
    return _present_plan(kind.name, snapshot.principal, snapshot.anonymous_read, detail)


@lru_cache(maxsize=256)  # putting a statement together takes longer than running it
def _present_plan(name: str, principal: Principal, anonymous_read: bool, detail: Detail) -> _Plan:
    """Put together what is read of the present for somebody."""
    snapshot = Snapshot(principal, anonymous_read=anonymous_read)
    return _plan(snapshot, TYPES[name], detail)


def _plan(snapshot: Snapshot, kind: ObjectType, detail: Detail) -> _Plan:
    """Put together what is read beside the rows of a type."""
    parts = [*_many_parents(snapshot, kind)]
    if detail.children:
        parts += _children(snapshot, kind)
    if detail.metadata and kind.category != "metadata":
        parts.append(_metadata(snapshot, kind))
    if detail.shares and not kind.rights_from and not snapshot.principal.is_anonymous:
        parts.append(_shares(kind))
    numbered = [part.query.add_columns(_constant(place)) for place, part in enumerate(parts)]
    if not numbered:
        return _Plan((), None)
    most = _constant(MOST_LINKS + 1)
    if len(numbered) == 1:
        return _Plan(tuple(parts), numbered[0].limit(most))
    return _Plan(tuple(parts), union_all(*numbered).limit(most))


def _many_parents(snapshot: Snapshot, kind: ObjectType) -> Iterable[_Part]:
    """Select relations to several parents."""
    for parent in kind.parents:
        if parent.many:
            links, holds = snapshot.links(kind, parent)
            own, above = links.c[f"{kind.name}_id"], links.c[f"{parent.name}_id"]
            query = select(own, above, _NAMELESS).where(among_bound(own, "ids"), holds)
            yield _Part("many", parent.name, query)


def _children(snapshot: Snapshot, kind: ObjectType) -> Iterable[_Part]:
    """Select the children of all types."""
    for child, parent in kind.children:
        rows = snapshot.rows(child)
        seen = rows.alive & snapshot.visible(rows)
        source: FromClause = rows.table
        if parent.many:
            links, holds = snapshot.links(child, parent)
            above = links.c[f"{parent.name}_id"]
            source = source.join(links, links.c[f"{child.name}_id"] == rows.column("id"))
            seen = seen & holds
        else:
            above = rows.table.c[f"{parent.name}_id"]
        query = select(above, rows.column("id"), _NAMELESS).select_from(source)
        yield _Part("children", child.name, query.where(among_bound(above, "ids"), seen))


def _metadata(snapshot: Snapshot, kind: ObjectType) -> _Part:
    """Select the values that objects are annotated with."""
    taggings, holds = snapshot.taggings()
    here = among_bound(taggings.c.object_id, "ids")
    query = select(taggings.c.object_id, taggings.c.value_id, _NAMELESS)
    return _Part("metadata", "", query.where(taggings.c.type == kind.name, here, holds))


def _shares(kind: ObjectType) -> _Part:
    """Select with whom objects are shared."""
    query = select(SHARES.c.object_id, SHARES.c.level, USER.c.name).join_from(
        SHARES, USER, USER.c.id == SHARES.c.user_id
    )
    here = among_bound(SHARES.c.object_id, "own")
    return _Part("shares", "", query.where(SHARES.c.type == kind.name, here))


def _by_type(
    kind: ObjectType, ids: Sequence[int], children: Sequence[tuple[str, _Found]]
) -> dict[int, dict[str, tuple[int, ...]]]:
    """Give the children of each object by type."""
    result: dict[int, dict[str, tuple[int, ...]]] = {
        number: {child.name: () for child, _ in kind.children} for number in ids
    }
    for name, pairs in children:
        for number, found in pairs.items():
            result[number][name] = tuple(sorted((*result[number][name], *found)))
    return result


def _seen_values(
    connection: Connection, snapshot: Snapshot, tags: Mapping[int, Sequence[int]]
) -> set[int]:
    """Keep the values that may be seen."""
    seen: set[int] = set()
    for part in chunks({value for found in tags.values() for value in found}):
        rows = snapshot.rows("value")
        here = among(rows.column("id"), part) & rows.alive & snapshot.visible(rows)
        seen |= set(connection.execute(select(rows.column("id")).where(here)).scalars())
    return seen


def _whole_texts(
    connection: Connection, snapshot: Snapshot, kind: ObjectType, ids: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Read texts as a whole, unless they are too long together."""
    rows = snapshot.rows(kind)
    names = _texts_of(kind)
    result: dict[int, dict[str, Any]] = {}
    left = MOST_TEXT
    for part in chunks(ids):
        here = among(rows.column("id"), part) & rows.alive
        length = sum(
            (func.coalesce(func.length(rows.column(name)), 0) for name in names), literal(0)
        )
        left -= int(connection.execute(select(func.sum(length)).where(here)).scalar() or 0)
        if left < 0:
            raise too_much_text()
        query = select(rows.column("id"), *(rows.column(name) for name in names)).where(here)
        for number, *texts in connection.execute(query):
            result[number] = dict(zip(names, texts, strict=True))
    return result
