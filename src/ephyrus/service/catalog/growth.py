"""Arrays that grow: what an append changes in the catalog, and how long arrays were before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from ephyrus.service.arrays.pieces import keys_of
from ephyrus.service.catalog.ids import format_id
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.snapshots import id_style
from ephyrus.service.catalog.storing import record
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import ARRAYS, DELETED, DISCARDED, GROWTH, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.types import TYPES, ObjectType

__all__ = ["Appended", "Longer", "appended_since", "check_may_grow", "discard", "grow"]
__all__ += ["lengths_at", "replace_location"]

_FILES = TABLES["datafile"]


@dataclass(frozen=True, slots=True)
class Longer:
    """What an array becomes by an append.

    Attributes
    ----------
    datafile_id : int
        The datafile.
    before : int
        Its rows before.
    shape : tuple of int
        Its shape now.
    sorted : bool or None
        The values never decrease.
    location : mapping
        Where they lie.
    size : int
        Bytes of the file that a download gives.
    content : str
        Digest of what it holds.
    """

    datafile_id: int
    before: int
    shape: tuple[int, ...]
    sorted: bool | None
    location: Mapping[str, Any]
    size: int
    content: str


@dataclass(frozen=True, slots=True)
class Appended:
    """Rows that were appended to an array in some time.

    Attributes
    ----------
    start, length : int
        Its rows at the beginning of that time, and at the end.
    at : datetime
        When the last ones were appended.
    """

    start: int
    length: int
    at: datetime


def lengths_at(
    connection: Connection, datafile_ids: Iterable[int], at_time: datetime
) -> dict[int, int]:
    """Give the rows that arrays had at a time, those that ever grew; lengths never decrease."""
    result: dict[int, int] = {}
    other = GROWTH.alias()
    last = (  # found by the index, however often an array grew
        select(func.max(other.c.starts_at))
        .where(other.c.datafile_id == ARRAYS.c.datafile_id, other.c.starts_at <= at_time)
        .correlate(ARRAYS)
        .scalar_subquery()
    )
    joined = ARRAYS.join(
        GROWTH, and_(GROWTH.c.datafile_id == ARRAYS.c.datafile_id, GROWTH.c.starts_at == last)
    )
    for ids in chunks(datafile_ids):
        query = (
            select(GROWTH.c.datafile_id, GROWTH.c.length)
            .select_from(joined)
            .where(ARRAYS.c.datafile_id.in_(ids))
        )
        result |= dict(connection.execute(query).all())
    return result


def appended_since(
    connection: Connection, datafile_ids: Iterable[int], since: datetime
) -> dict[int, Appended]:
    """Tell what was appended to arrays after a time."""
    ids = list(datafile_ids)
    result: dict[int, Appended] = {}
    before = lengths_at(connection, ids, since)
    for part in chunks(ids):
        query = (
            select(
                GROWTH.c.datafile_id,
                func.min(GROWTH.c.length),
                func.max(GROWTH.c.length),
                func.max(GROWTH.c.starts_at),
                func.count(),
            )
            .where(GROWTH.c.datafile_id.in_(part), GROWTH.c.starts_at > since)
            .group_by(GROWTH.c.datafile_id)
        )
        for number, least, most, at, count in connection.execute(query):
            # an array that was made after the time: its first row here is its length when made
            start = before.get(number, least)
            if number in before or count > 1:
                result[number] = Appended(start, most, at)
    return result


@cache
def _owners_query() -> Any:
    """Make the query for the objects whose arrays lie in datafiles: type, field, id."""
    parts = [
        select(
            literal(kind.name).label("kind"),
            literal(array.name).label("field"),
            TABLES[kind.name].c.id.label("id"),
        ).where(
            TABLES[kind.name].c[f"{array.name}_id"].in_(bindparam("ids", expanding=True)),
            TABLES[kind.name].c.current_state != DELETED,
        )
        for kind in TYPES.values()
        for array in kind.arrays
    ]
    return union_all(*parts)


def _owners(connection: Connection, ids: Sequence[int]) -> dict[tuple[str, int], list[str]]:
    """Find the objects whose arrays lie in datafiles, with the names of these arrays."""
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, field, number in connection.execute(_owners_query(), {"ids": list(ids)}):
        found[name, number].append(field)
    return found


def check_may_grow(connection: Connection, datafile_ids: Sequence[int]) -> None:
    """Check that objects stay whole when rows are appended to all of some arrays.

    Raises
    ------
    ServiceError
        ``data_inconsistency``: an array belongs together with another one which is not among them,
        or its first axis is not one that grows.
    """
    for (name, number), fields in _owners(connection, datafile_ids).items():
        kind = TYPES[name]
        if name == "spike":
            raise ServiceError(
                "data_inconsistency",
                f"The array is the waveform of the spike {number}, whose rows are channels: it "
                "does not grow. Upload another array and set it.",
                details={"type": name, "id": number},
            )
        for group in kind.aligned:
            if set(fields) & set(group) and not set(group) <= set(fields):
                _check_group(
                    connection, kind, number, [each for each in group if each not in fields]
                )


def _check_group(
    connection: Connection, kind: ObjectType, number: int, others: Sequence[str]
) -> None:
    """Check that an object does not have the other arrays of a group."""
    table = TABLES[kind.name]
    columns = [table.c[f"{name}_id"] for name in others]
    found = connection.execute(select(*columns).where(table.c.id == number)).one()
    style = id_style(connection)
    missing = {
        name: format_id(each, style)
        for name, each in zip(others, found, strict=True)
        if each is not None
    }
    if missing:
        named = ",".join(map(str, missing.values()))
        raise ServiceError(
            "data_inconsistency",
            f"The {kind.name} {number} owns the array, and its {' and '.join(missing)} must be as "
            f"long: append to all of them in one request (with={named}).",
            details={"type": kind.name, "id": number, "with": missing},
        )


def grow(connection: Connection, longer: Sequence[Longer], user_id: int | None) -> dict[int, str]:
    """Write down that arrays have become longer, as a new version of all that they belong to.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    longer : sequence of Longer
        The arrays.
    user_id : int or None
        Who appended.

    Returns
    -------
    dict of int to str
        The new guids of the datafiles.
    """
    ids = [each.datafile_id for each in longer]
    for each in longer:
        _grow_one(connection, each)
    record(connection, "datafile", {("rows",): ids}, user_id)
    _record_owners(connection, ids, user_id)
    query = select(_FILES.c.id, _FILES.c.guid).where(_FILES.c.id.in_(ids))
    return dict(connection.execute(query).all())


def _grow_one(connection: Connection, longer: Longer) -> None:
    """Change the rows of one array and of its datafile."""
    number = longer.datafile_id
    row = connection.execute(select(_FILES).where(_FILES.c.id == number)).one()
    known = select(GROWTH.c.length).where(GROWTH.c.datafile_id == number).limit(1)
    if connection.execute(known).first() is None:
        first = {"datafile_id": number, "starts_at": row.date_created, "length": longer.before}
        connection.execute(insert(GROWTH), first)
    now = {"datafile_id": number, "starts_at": moment(connection), "length": longer.shape[0]}
    connection.execute(insert(GROWTH), now)
    connection.execute(
        update(ARRAYS)
        .where(ARRAYS.c.datafile_id == number)
        .values(shape=list(longer.shape), sorted=longer.sorted, location=dict(longer.location))
    )
    # a file that was uploaded is not what the datafile holds any more
    info = dict(row.extracted_info or {})
    if "shape" in info:
        info["shape"] = list(longer.shape)
    connection.execute(
        update(_FILES)
        .where(_FILES.c.id == number)
        .values(
            size=longer.size, content=longer.content, store_key=None, extracted_info=info or None
        )
    )
    if row.store_key is not None and row.store_key not in keys_of(longer.location):
        discard(connection, [row.store_key])


def _record_owners(connection: Connection, ids: Sequence[int], user_id: int | None) -> None:
    """Give the objects whose arrays they are new versions: their guids hold those of arrays."""
    changes: dict[str, dict[tuple[str, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
    for (name, number), fields in _owners(connection, ids).items():
        changes[name][tuple(sorted(fields))].append(number)
    for name, groups in changes.items():
        record(connection, name, groups, user_id)


def replace_location(
    connection: Connection, datafile_id: int, location: Mapping[str, Any], **columns: Any
) -> None:
    """Note that the same rows of an array lie elsewhere now."""
    values = {"location": dict(location), **columns}
    connection.execute(update(ARRAYS).where(ARRAYS.c.datafile_id == datafile_id).values(**values))


def discard(connection: Connection, keys: Iterable[str]) -> None:
    """Note files of the store that an array does not lie in any more.

    They are removed some time later, unless other arrays lie in them. Until then they serve answers
    that have begun, and backups.
    """
    wanted = dict.fromkeys(keys)
    if not wanted:
        return
    now, noted = moment(connection), DISCARDED.c.key.in_(wanted)
    known = set(connection.execute(select(DISCARDED.c.key).where(noted)).scalars())
    if known:  # another array that lay in the same file: the time begins anew
        connection.execute(update(DISCARDED).where(noted).values(since=now))
    rows = [{"key": key, "since": now} for key in wanted if key not in known]
    if rows:
        connection.execute(insert(DISCARDED), rows)
