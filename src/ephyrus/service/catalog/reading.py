"""Reading objects: one, several, and lists of what filters select."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, literal, union_all
from sqlalchemy import select as sql_select

from ephyrus.service.catalog import rights
from ephyrus.service.catalog.driving import Drive
from ephyrus.service.catalog.growth import lengths_at
from ephyrus.service.catalog.limits import (
    MOST_IN_TREE,
    MOST_TEXT,
    length_of_texts,
    too_large,
    too_much_text,
)
from ephyrus.service.catalog.loading import chunks, records_of, statement
from ephyrus.service.catalog.ordering import Key, behind, cursor, ordering
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.records import FULL, ArrayRow, Detail, Page, Record
from ephyrus.service.catalog.selected import opened
from ephyrus.service.catalog.selecting import conditions
from ephyrus.service.catalog.snapshots import Rows, Snapshot
from ephyrus.service.db.functions import among
from ephyrus.service.db.schema import ARRAYS, TABLES
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES

__all__ = ["COUNTED_ANYWAY", "Owner", "array_of", "arrays_of", "get", "get_many"]
__all__ += ["is_counted_quickly", "owner_of_array", "select", "select_ids"]

COUNTED_ANYWAY = 10_000
"""Objects of a type, up to which selections are counted without being asked to."""


class Owner(NamedTuple):
    """The object that an array belongs to, and the name of the array in it."""

    type: str
    id: int
    field: str


def get(
    connection: Connection,
    principal: Principal,
    kind: str,
    number: int,
    *,
    at_time: datetime | None = None,
    detail: Detail = FULL,
) -> Record:
    """Read one object.

    Parameters
    ----------
    connection : Connection
        Database.
    principal : Principal
        Who asks.
    kind : str
        Type of the object.
    number : int
        Its id.
    at_time : datetime, optional
        Give the state at this time, in UTC, also of an object that was deleted since.
    detail : Detail
        What is read beside the object.

    Returns
    -------
    Record
        The object.

    Raises
    ------
    ServiceError
        ``does_not_exist``: there is none (at that time). ``not_authorized``, or
        ``not_authenticated`` for those who are not logged in: it may not be read.
    """
    found = get_many(connection, principal, kind, [number], at_time=at_time, detail=detail)
    if number in found:
        return found[number]
    rights.require(connection, principal, kind, number, rights.READ, at_time=at_time)
    if kind == "datafile" and not principal.is_admin:
        # readable through an object whose array it is
        return _one(connection, Snapshot.of(connection, principal, at_time), kind, number, detail)
    raise rights.absent(kind, number)


def _one(
    connection: Connection, snapshot: Snapshot, kind: str, number: int, detail: Detail
) -> Record:
    """Read one object whose rights were checked."""
    rows = snapshot.rows(kind)
    row = connection.execute(statement(rows).where(rows.column("id") == number, rows.alive)).first()
    if row is None:
        raise rights.absent(kind, number)
    return records_of(connection, snapshot, rows.kind, [row], detail)[0]


def get_many(
    connection: Connection,
    principal: Principal,
    kind: str,
    numbers: Iterable[int],
    *,
    at_time: datetime | None = None,
    detail: Detail = FULL,
) -> dict[int, Record]:
    """Read several objects of one type; those that do not exist or may not be read are left out.

    Returns
    -------
    dict of int to Record
        Objects by id.

    Raises
    ------
    ServiceError
        ``too_large``: they have more relations or text than an answer may show.
    """
    snapshot = Snapshot.of(connection, principal, at_time)
    result: dict[int, Record] = {}
    length = 0
    for ids in chunks(dict.fromkeys(numbers)):
        rows = snapshot.rows(kind)
        query = statement(rows).where(
            among(rows.column("id"), ids), rows.alive, snapshot.visible(rows)
        )
        found = connection.execute(query).all()
        for record in records_of(connection, snapshot, rows.kind, found, detail):
            result[record.id] = record
            length += length_of_texts(record.attributes)
        if length > MOST_TEXT:
            raise too_much_text()
    return result


def select(
    connection: Connection,
    principal: Principal,
    kind: str,
    query: ListQuery,
    *,
    detail: Detail = FULL,
) -> Page:
    """Read a part of a list.

    Parameters
    ----------
    connection : Connection
        Database.
    principal : Principal
        Who asks: what may not be read is left out.
    kind : str
        Type of the objects.
    query : ListQuery
        What is selected, in which order, and which part.
    detail : Detail
        What is read beside the objects.

    Returns
    -------
    Page
        The objects. ``total`` is counted if the query asks for it; it is known without counting
        where the list ends on this page.

    Raises
    ------
    ServiceError
        ``wrong_params``: a filter or an order is not understood.
    """
    with opened(connection, principal, kind, query) as resolved:
        return _select(connection, principal, kind, resolved, detail)


def _select(
    connection: Connection, principal: Principal, kind: str, query: ListQuery, detail: Detail
) -> Page:
    """Read a part of a list, without saved selections."""
    snapshot = Snapshot.of(connection, principal, query.at_time)
    rows = snapshot.rows(kind)
    keys = ordering(snapshot, rows, query.order_by)
    drive = Drive(connection, rows, keys[0].name.removeprefix("-"))
    where = conditions(connection, snapshot, rows, query, drive)
    chosen = _spaced(rows, query, keys, sql_select(rows.column("id")).where(*where), where)
    if query.cursor is not None:
        chosen = chosen.where(behind(keys, query.cursor))
    chosen = _ordered(chosen, keys, gather=drive.is_narrow)
    if query.offset:
        chosen = chosen.offset(query.offset)
    found, width = _rows(
        connection, snapshot, kind, chosen.limit(query.max_results + 1), query.order_by
    )
    has_more = len(found) > query.max_results
    found = found[: query.max_results]
    records = records_of(connection, snapshot, rows.kind, [row[:width] for row in found], detail)
    following = None
    if has_more and found:
        following = cursor(keys, [*found[-1][width:], found[-1][0]])
    total = _total(connection, rows, query, keys, where, len(found), has_more=has_more)
    return Page(records, query.offset, has_more, total, following)


def _ordered(chosen: Select[Any], keys: Sequence[Key], *, gather: bool) -> Select[Any]:
    """Sort ids that are chosen.

    They are gathered before that if they are few: else the database may follow the order of the
    list through all objects to find them.
    """
    if not gather:
        return chosen.order_by(*(key.clause() for key in keys))
    named = [key.column.label(f"key_{place}") for place, key in enumerate(keys)]
    found = chosen.add_columns(*named).cte("found").prefix_with("MATERIALIZED")
    sorted_by = [
        replace(key, column=found.c[f"key_{place}"]).clause() for place, key in enumerate(keys)
    ]
    return sql_select(found.c.id).order_by(*sorted_by)


def _rows(
    connection: Connection,
    snapshot: Snapshot,
    kind: str,
    chosen: Select[Any],
    order_by: Sequence[str],
) -> tuple[Sequence[Any], int]:
    """Read the rows of ids that are chosen, with the keys of the order behind `width` columns.

    The ids are chosen first, since it is these that are sorted and passed over then, and not
    whole rows.
    """
    rows = snapshot.rows(kind)
    keys = ordering(snapshot, rows, order_by)
    base = statement(rows)
    query = base.add_columns(*(key.shown() for key in keys[:-1])).where(
        rows.column("id").in_(chosen)
    )
    if not rows.is_present:
        query = query.where(rows.alive)
    found = connection.execute(query.order_by(*(key.clause() for key in keys))).all()
    return found, len(base.selected_columns)


def _spaced(
    rows: Rows,
    query: ListQuery,
    keys: Sequence[Key],
    chosen: Select[Any],
    where: Sequence[ColumnElement[bool]],
) -> Select[Any]:
    """Take groups of objects and pass over those between, if that is asked for."""
    if query.groups_of is None or not query.spacing:
        return chosen
    position = func.row_number().over(order_by=[key.clause() for key in keys]).label("position")
    numbered = sql_select(rows.column("id").label("id"), position).where(*where).subquery()
    kept = (numbered.c.position - 1) % (query.groups_of + query.spacing) < query.groups_of
    return chosen.where(rows.column("id").in_(sql_select(numbered.c.id).where(kept)))


def _total(
    connection: Connection,
    rows: Rows,
    query: ListQuery,
    keys: Sequence[Key],
    where: Sequence[ColumnElement[bool]],
    here: int,
    *,
    has_more: bool,
) -> int | None:
    """Give the size of the selection, counting only if that is asked for and not known."""
    if query.cursor is None and not has_more and (here or not query.offset):
        return query.offset + here
    if not query.count:
        return None
    counted = _spaced(rows, query, keys, sql_select(rows.column("id")).where(*where), where)
    return int(
        connection.execute(sql_select(func.count()).select_from(counted.subquery())).scalar_one()
    )


def is_counted_quickly(connection: Connection, kind: str) -> bool:
    """Tell whether any selection of a type is counted within a few milliseconds.

    Counting goes through all objects in the worst case, where a page is found after a few.
    """
    highest = connection.execute(sql_select(func.max(TABLES[kind].c.id))).scalar()
    return (highest or 0) <= COUNTED_ANYWAY


def select_ids(
    connection: Connection,
    principal: Principal,
    kind: str,
    query: ListQuery,
    *,
    most: int = MOST_IN_TREE,
) -> list[int]:
    """Give the ids of all objects that filters select and that may be read, in ascending order.

    Offset, order and size of pages are disregarded.

    Raises
    ------
    ServiceError
        ``too_large``: there are more than `most`.
    """
    snapshot = Snapshot.of(connection, principal, query.at_time)
    rows = snapshot.rows(kind)
    with opened(connection, principal, kind, query) as resolved:
        where = conditions(connection, snapshot, rows, resolved, Drive(connection, rows))
    chosen = sql_select(rows.column("id")).where(*where).order_by(rows.column("id"))
    found = list(connection.execute(chosen.limit(most + 1)).scalars())
    if len(found) > most:
        raise too_large(
            f"The filters select more than {most} objects; nothing was changed. Narrow the "
            "selection and take its parts one after the other.",
            most,
        )
    return found


def owner_of_array(
    connection: Connection, datafile_id: int, *, at_time: datetime | None = None
) -> Owner | None:
    """Find the object whose array lies in a datafile.

    Parameters
    ----------
    connection : Connection
        Database.
    datafile_id : int
        The datafile.
    at_time : datetime, optional
        The state that is meant.

    Returns
    -------
    Owner or None
        Of several the first, in the order of types and ids.
    """
    snapshot = Snapshot(Principal(None), at_time)
    parts = []
    for place, (kind, field) in enumerate(array_fields()):
        rows = snapshot.rows(kind)
        parts.append(
            sql_select(literal(place).label("place"), rows.column("id").label("id")).where(
                rows.column(f"{field}_id") == datafile_id, rows.alive
            )
        )
    everything = union_all(*parts).subquery()
    found = connection.execute(
        sql_select(everything).order_by(everything.c.place, everything.c.id).limit(1)
    ).first()
    if found is None:
        return None
    kind, field = array_fields()[found[0]]
    return Owner(kind, found[1], field)


def array_fields() -> list[tuple[str, str]]:
    """List the types that have arrays, with the names of these."""
    return [(kind.name, array.name) for kind in TYPES.values() for array in kind.arrays]


def array_of(
    connection: Connection, datafile_id: int, *, at_time: datetime | None = None
) -> ArrayRow | None:
    """Tell what the array of a datafile is, or was at a time; None: it has none."""
    return arrays_of(connection, [datafile_id], at_time=at_time).get(datafile_id)


def arrays_of(
    connection: Connection, datafile_ids: Iterable[int], *, at_time: datetime | None = None
) -> dict[int, ArrayRow]:
    """Tell what the arrays of datafiles are, or were at a time, those that have one."""
    columns = (
        ARRAYS.c.datafile_id,
        ARRAYS.c.dtype,
        ARRAYS.c.shape,
        ARRAYS.c.sorted,
        ARRAYS.c.location,
        ARRAYS.c.levels_key,
    )
    result = {}
    for ids in chunks(dict.fromkeys(datafile_ids)):
        query = sql_select(*columns).where(ARRAYS.c.datafile_id.in_(ids))
        for number, dtype, shape, is_sorted, location, levels in connection.execute(query):
            result[number] = ArrayRow(number, dtype, tuple(shape), is_sorted, location, levels)
    if at_time is not None:  # arrays that grew since were shorter: the same rows from the first on
        for number, length in lengths_at(connection, list(result), at_time).items():
            row = result[number]
            if length != row.shape[0]:
                shape = (length, *row.shape[1:])
                result[number] = replace(row, shape=shape, levels_key=None)
    return result
