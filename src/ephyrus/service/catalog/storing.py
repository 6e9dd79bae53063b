"""Storing rows: new ids, folded text, guids, and a version for every change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from ephyrus.service.catalog.guid import guid_of
from ephyrus.service.catalog.limits import BATCH
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import LINKS, TABLES, TAGGINGS, VERSIONS
from ephyrus.service.types import TYPES, Attribute, ObjectType

__all__ = [
    "add_links",
    "allocate",
    "attribute_columns",
    "batches",
    "close_versions",
    "empty_row",
    "insert_rows",
    "open_versions",
    "quantity_columns",
    "record",
    "rows_of",
]

_CHARACTERS = 4 * 2**20  # of the rows that are in memory at a time
_ROWS = 2000  # rows that are inserted at a time
_EXACT = 2**53  # whole numbers below are kept exactly by a double


def allocate(connection: Connection, kind: str, count: int) -> list[int]:
    """Give new ids of a type, which nobody has had before, in ascending order.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction: writers come one after the other.
    kind : str
        The type.
    count : int
        Number of ids.

    Returns
    -------
    list of int
        The ids.
    """
    if connection.dialect.name == "sqlite":
        table = TABLES[kind]
        query = text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = :name")
        last = max(
            connection.execute(query, {"name": kind}).scalar_one(),
            connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one(),
        )
        return list(range(last + 1, last + 1 + count))
    sequence = text(
        "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :n)"
    )
    return sorted(connection.execute(sequence, {"name": kind, "n": count}).scalars())


def attribute_columns(attribute: Attribute, value: Any) -> dict[str, Any]:
    """Give the columns of a plain value."""
    name = attribute.name
    if attribute.value not in {"text", "text or int"}:
        return {name: value}
    plain = None if value is None else str(value)
    columns: dict[str, Any] = {
        name: plain,
        f"{name}__folded": None if plain is None else plain.casefold(),
    }
    if attribute.value == "text or int":
        columns[f"{name}__is_int"] = isinstance(value, int) if value is not None else None
    return columns


def quantity_columns(name: str, number: float | None, units: str | None) -> dict[str, Any]:
    """Give the columns of a number with a unit."""
    if number is None:
        return {name: None, f"{name}__units": None, f"{name}__is_int": None}
    is_int = isinstance(number, int) and abs(number) <= _EXACT
    return {name: float(number), f"{name}__units": units, f"{name}__is_int": is_int}


def empty_row(kind: ObjectType) -> dict[str, Any]:
    """Give a row in which nothing is set, not even what every object has."""
    skipped = {"id", "guid", "owner_id", "safety_level", "current_state"}
    return {column.name: None for column in TABLES[kind.name].columns if column.name not in skipped}


def batches(connection: Connection, kind: str, ids: Iterable[int]) -> Iterator[list[int]]:
    """Cut ids into lists of objects whose rows are in memory at a time: fewer of long texts."""
    table = TABLES[kind]
    lengths = [func.coalesce(func.length(each), 0) for each in table.c if _is_long(each)]
    for part in chunks(ids, BATCH):
        query = select(table.c.id, sum(lengths, literal(0))).where(table.c.id.in_(part))
        length_of = dict(connection.execute(query).all())
        batch: list[int] = []
        length = 0
        for number in part:
            length += length_of.get(number, 0)
            if batch and length > _CHARACTERS:
                yield batch
                batch, length = [], length_of.get(number, 0)
            batch.append(number)
        yield batch


def _is_long(column: Column[Any]) -> bool:
    """Tell whether a column holds text of any length."""
    return isinstance(column.type, Text) and column.name not in {"name", "name__folded", "guid"}


def rows_of(connection: Connection, kind: str, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Read the present rows of objects as they are stored."""
    table = TABLES[kind]
    found: dict[int, dict[str, Any]] = {}
    for part in chunks(ids):
        query = select(table).where(table.c.id.in_(part))
        found |= {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    return found


def add_links(
    connection: Connection, kind: str, parent: str, pairs: Iterable[tuple[int, int]]
) -> None:
    """Add relations (object, parent) to several parents."""
    now = moment(connection)
    rows = (
        {f"{kind}_id": number, f"{parent}_id": above, "starts_at": now} for number, above in pairs
    )
    insert_rows(connection, LINKS[kind, parent], rows)


def insert_rows(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows, of which some thousand are in memory at a time."""
    given = iter(rows)
    while part := list(islice(given, _ROWS)):
        connection.execute(insert(table), part)


def open_versions(
    connection: Connection, kind: str, ids: Iterable[int], user_id: int | None, names: Sequence[str]
) -> None:
    """Write down the present state of objects as the version that holds from now on."""
    table, versions = TABLES[kind], VERSIONS[kind]
    copied = [column.name for column in versions.columns if column.name in table.c]
    now = moment(connection)
    added = {"starts_at": now, "user_id": user_id, "changed": list(names)}
    columns: list[ColumnElement[Any]] = [table.c[name] for name in copied]
    columns += [literal(value, versions.c[name].type) for name, value in added.items()]
    for part in chunks(ids):
        source = select(*columns).where(table.c.id.in_(part)).order_by(table.c.id)
        connection.execute(insert(versions).from_select([*copied, *added], source))


def close_versions(connection: Connection, kind: str, ids: Iterable[int]) -> None:
    """End the versions that hold: of each object the last one, found however many it has."""
    table, versions = TABLES[kind], VERSIONS[kind]
    other = versions.alias()
    last = select(func.max(other.c.starts_at)).where(other.c.id == table.c.id).correlate(table)
    joined = table.join(
        versions,
        and_(versions.c.id == table.c.id, versions.c.starts_at == last.scalar_subquery()),
    )
    for part in chunks(ids):
        holding = (
            select(versions.c.version_id)
            .select_from(joined)
            .where(table.c.id.in_(part), versions.c.ends_at.is_(None))
        )
        connection.execute(
            update(versions)
            .where(versions.c.version_id.in_(holding))
            .values(ends_at=moment(connection))
        )


def record(
    connection: Connection,
    kind: str,
    changes: Mapping[tuple[str, ...], Iterable[int]],
    user_id: int | None,
) -> set[int]:
    """Give changed objects their new guids and versions.

    Parameters
    ----------
    connection : Connection
        Of the writing transaction in which rows, links and annotations were changed.
    kind : str
        Type of the objects.
    changes : mapping of tuple of str to iterable of int
        Names of what was changed, to the objects.
    user_id : int or None
        Who changed them; None: the server.

    Returns
    -------
    set of int
        Objects whose content differs from what it was; nothing is written for the others.
    """
    changed: set[int] = set()
    for names, numbers in changes.items():
        for ids in batches(connection, kind, numbers):
            fresh = _new_guids(connection, kind, ids)
            if not fresh:
                continue
            _set_guids(connection, kind, fresh)
            close_versions(connection, kind, fresh)
            open_versions(connection, kind, fresh, user_id, names)
            changed |= set(fresh)
    return changed


def _new_guids(connection: Connection, kind: str, ids: Sequence[int]) -> dict[int, str]:
    """Compute the guids of objects, and give those that are not what they were."""
    each = TYPES[kind]
    rows = rows_of(connection, kind, ids)
    links = _links_of(connection, each, ids)
    metadata = _metadata_of(connection, each, ids)
    datafiles = datafile_guids(connection, each, rows.values())
    result = {}
    for number, row in rows.items():
        mine = {name: found.get(number, []) for name, found in links.items()}
        tags = metadata.get(number, [])
        guid = guid_of(each, row, links=mine, metadata=tags, datafiles=datafiles)
        if guid != row["guid"]:
            result[number] = guid
    return result


def _set_guids(connection: Connection, kind: str, guids: Mapping[int, str]) -> None:
    """Set guids and the time of the last change."""
    table = TABLES[kind]
    statement = (
        update(table)
        .where(table.c.id == bindparam("number"))
        .values(guid=bindparam("digest"), last_modified=moment(connection))
    )
    rows = [{"number": number, "digest": guid} for number, guid in guids.items()]
    connection.execute(statement, rows)


def _links_of(
    connection: Connection, kind: ObjectType, ids: Sequence[int]
) -> dict[str, dict[int, list[int]]]:
    """Read relations to several parents, by name and object."""
    result: dict[str, dict[int, list[int]]] = {}
    for parent in kind.parents:
        if not parent.many:
            continue
        table = LINKS[kind.name, parent.name]
        own, above = table.c[f"{kind.name}_id"], table.c[f"{parent.name}_id"]
        found: dict[int, list[int]] = defaultdict(list)
        for part in chunks(ids):
            query = select(own, above).where(own.in_(part), table.c.ends_at.is_(None))
            for number, other in connection.execute(query):
                found[number].append(other)
        result[parent.name] = found
    return result


def _metadata_of(
    connection: Connection, kind: ObjectType, ids: Sequence[int]
) -> dict[int, list[int]]:
    """Read the values that objects are annotated with."""
    found: dict[int, list[int]] = defaultdict(list)
    for part in chunks(ids):
        query = select(TAGGINGS.c.object_id, TAGGINGS.c.value_id).where(
            TAGGINGS.c.type == kind.name,
            TAGGINGS.c.object_id.in_(part),
            TAGGINGS.c.ends_at.is_(None),
        )
        for number, value in connection.execute(query):
            found[number].append(value)
    return found


def datafile_guids(
    connection: Connection, kind: ObjectType, rows: Iterable[Mapping[str, Any]]
) -> dict[int, str]:
    """Read the guids of the datafiles of arrays."""
    wanted = {row[f"{array.name}_id"] for row in rows for array in kind.arrays} - {None}
    table = TABLES["datafile"]
    result: dict[int, str] = {}
    for part in chunks(wanted):
        query = select(table.c.id, table.c.guid).where(table.c.id.in_(part))
        result |= dict(connection.execute(query).all())
    return result
