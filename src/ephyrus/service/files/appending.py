"""Appends rows to arrays of the store: all that one request sends, or nothing.

The rows are a file of their own in the store before the catalog names them, in one transaction; so
a row that was acknowledged is there, and no other one is seen, whenever the process ends. A few
rows are stored together with those that were appended before them, so that many small appends do
not leave many small files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, select

from ephyrus.service.arrays.pieces import Piece, Sources, pieces_of, row_bytes
from ephyrus.service.catalog import rights
from ephyrus.service.catalog.growth import Longer, check_may_grow, discard, grow
from ephyrus.service.catalog.reading import arrays_of
from ephyrus.service.catalog.records import ArrayRow
from ephyrus.service.catalog.writing import check_guid
from ephyrus.service.db.schema import TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.files import jobs
from ephyrus.service.files.canonical import array_header, array_nbytes
from ephyrus.service.files.merging import tend
from ephyrus.service.files.rows import HELD, Rows, Shape

if TYPE_CHECKING:
    from ephyrus.service.files.workshop import Workshop
    from ephyrus.service.principals import Principal

__all__ = ["Done", "append_rows", "check_length", "growing_arrays", "shape_of"]

MOST_PIECES = 4096  # of an array: beyond, those who join them have to catch up first
MOST_TRIES = 20
SHA1_LETTERS = 40


@dataclass(frozen=True, slots=True)
class Done:
    """Rows that were appended.

    Attributes
    ----------
    datafile_id : int
        To which array.
    guid : str
        Its new version.
    start, length : int
        Its rows before, and now.
    """

    datafile_id: int
    guid: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class _Made:
    """Rows in the store, alone or together with those before them.

    Attributes
    ----------
    alone : Piece
        The new rows.
    together : Piece or None
        The same with those before them, which lie in `old`.
    old : tuple of Piece
        Pieces that `together` stands for.
    key : str
        Key of the file.
    """

    alone: Piece
    together: Piece | None
    old: tuple[Piece, ...]
    key: str


def growing_arrays(
    connection: Connection, principal: Principal, ids: Sequence[int]
) -> list[ArrayRow]:
    """Check that somebody may append to arrays, and give them.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``: there is none, it may not be written to or lies in
        a recording that is served in place. ``no_hdf5_array``, ``in_use``, ``data_inconsistency``.
    """
    for number in ids:
        rights.require(connection, principal, "datafile", number, rights.WRITE)
    found = arrays_of(connection, ids)
    for number in ids:
        _check_array(connection, number, found.get(number))
    check_may_grow(connection, ids)
    return [found[number] for number in ids]


def _check_array(connection: Connection, number: int, row: ArrayRow | None) -> None:
    """Check one array."""
    if row is None:
        raise ServiceError(
            "no_hdf5_array",
            f"The datafile {number} holds no array, so that nothing can be appended to it.",
            details={"datafile": number},
        )
    if row.location["kind"] == "recorded":
        raise ServiceError(
            "not_authorized",
            f"The datafile {number} belongs to a recording that is served from its own files and "
            "cannot be changed; import the recording.",
        )
    if row_bytes(row) == 0:
        raise ServiceError(
            "data_inconsistency", f"The rows of the array {number} hold no values: it cannot grow."
        )
    table = TABLES["datafile"]
    task = connection.execute(select(table.c.last_task_id).where(table.c.id == number)).scalar()
    known = None if task is None else jobs.status(connection, task)
    if known is not None and not known.is_over:
        raise ServiceError(
            "in_use",
            f"The datafile {number} is being worked on ({known.kind}); append when the task "
            f"{known.id} is done.",
            details={"datafile": number, "task_id": known.id},
        )


def shape_of(row: ArrayRow) -> Shape:
    """Tell what the rows of an array are."""
    return Shape(np.dtype(row.dtype), tuple(row.shape[1:]))


def check_length(row: ArrayRow, start: int | None) -> None:
    """Refuse rows that do not follow the last one of an array.

    Raises
    ------
    ServiceError
        ``length_differs``.
    """
    if start is not None and row.shape[0] != start:
        raise ServiceError(
            "length_differs",
            f"The array {row.datafile_id} has {row.shape[0]} rows, not {start}: nothing was "
            "appended. Send what follows the last row that it has.",
            details={"datafile": row.datafile_id, "length": row.shape[0], "start_index": start},
        )


def append_rows(
    workshop: Workshop,
    principal: Principal,
    arrays: Sequence[ArrayRow],
    rows: Sequence[Rows],
    *,
    start: int | None = None,
    expected_guid: str | None = None,
) -> list[Done]:
    """Append rows to arrays: to all of them, or to none.

    Parameters
    ----------
    workshop : Workshop
        Store and catalog.
    principal : Principal
        Who appends.
    arrays : sequence of ArrayRow
        The arrays, as they were before the rows came.
    rows : sequence of Rows
        What is appended to each.
    start : int, optional
        Rows that each array must have for that.
    expected_guid : str, optional
        Guid that the first datafile must have.

    Returns
    -------
    list of Done
        One for each array.

    Raises
    ------
    ServiceError
        As `growing_arrays` and `check_length`. ``precondition_failed``. ``too_large``: an array
        would be longer than arrays may be. ``unavailable``: too many others append, or joining
        what was appended lags behind.
    """
    sources = Sources(workshop.store)
    made: list[_Made] = []
    try:
        _check_counts(rows)
        for row, each in zip(arrays, rows, strict=True):
            made.append(_stored(workshop, row, each, sources))
        request = _Request(workshop, principal, rows, made, start, expected_guid)
        return _appended(request, list(arrays), sources)
    except ServiceError as error:
        # After other failures nobody knows whether the transaction was kept: the files stay, and
        # are swept when nothing names them.
        if error.message_type != "unavailable":
            sent = [each.piece.key for each in rows if each.piece is not None]
            for key in dict.fromkeys([*sent, *(each.key for each in made)]):
                workshop.store.delete(key)
        raise
    finally:
        sources.clear()


def _check_counts(rows: Sequence[Rows]) -> None:
    """Refuse rows that would let arrays which belong together differ in length."""
    counts = [each.count for each in rows]
    if len(set(counts)) > 1:
        raise ServiceError(
            "data_inconsistency",
            f"As many rows are needed for each array: {', '.join(map(str, counts))} were sent.",
            details={"rows": counts},
        )


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for, with the rows in the store."""

    workshop: Workshop
    principal: Principal
    rows: Sequence[Rows]
    made: Sequence[_Made]
    start: int | None
    expected_guid: str | None


def _appended(request: _Request, seen: list[ArrayRow], sources: Sources) -> list[Done]:
    """Write everything down as soon as nobody was quicker since the arrays were looked at."""
    ids = [row.datafile_id for row in seen]
    for _ in range(MOST_TRIES):
        orders = [
            _goes_on(row, each, sources) for row, each in zip(seen, request.rows, strict=True)
        ]
        with request.workshop.database.writing() as connection:
            found = growing_arrays(connection, request.principal, ids)
            check_guid(connection, "datafile", ids[0], request.expected_guid)
            for row in found:
                check_length(row, request.start)
            if [row.shape for row in found] == [row.shape for row in seen]:
                return _grow(connection, request, found, orders)
        seen = found  # what comes before the rows is another now
    raise ServiceError(
        "unavailable",
        "Too many others append to the same array; try again in a moment.",
        headers={"Retry-After": "1"},
    )


def _stored(workshop: Workshop, row: ArrayRow, rows: Rows, sources: Sources) -> _Made:
    """Put rows into the store, unless they are there."""
    if rows.piece is not None:
        return _Made(rows.piece, None, (), rows.piece.key)
    data, width = rows.data or b"", row_bytes(row)
    pieces = [each for each in pieces_of(row.location, row.shape[0]) if each.rows]
    old = _tail(pieces, len(data), width)
    before = b"".join(_read(sources, each, 0, each.rows * width) for each in old)
    with workshop.store.create() as new:
        new.write(before + data)
        key = new.commit()
    alone = Piece(key, len(before), rows.count, rows.digest)
    if not old:
        return _Made(alone, None, (), key)
    digest = hashlib.sha1(before + data, usedforsecurity=False).hexdigest()
    count = sum(each.rows for each in old) + rows.count
    return _Made(alone, Piece(key, 0, count, digest), old, key)


def _read(sources: Sources, piece: Piece, first: int, count: int) -> bytes:
    """Read bytes of a piece."""
    try:
        return sources.get(piece.key).read_at(piece.offset + first, count)
    except FileNotFoundError as error:
        raise ServiceError(
            "unavailable", "A file of this array is missing; tell the administrator of the service."
        ) from error


def _tail(pieces: Sequence[Piece], nbytes: int, width: int) -> tuple[Piece, ...]:
    """Choose the last pieces that are stored anew together with what follows them.

    Each is at most twice as long as all behind it: so what is stored again and again doubles in
    length each time, and few short pieces are left.
    """
    first = len(pieces)
    while first and pieces[first - 1].rows * width <= min(2 * nbytes, HELD - nbytes):
        first -= 1
        nbytes += pieces[first].rows * width
    return tuple(pieces[first:])


def _goes_on(row: ArrayRow, rows: Rows, sources: Sources) -> bool | None:
    """Tell whether an array is still sorted with new rows behind it."""
    if row.sorted is not True:
        return row.sorted
    if not rows.is_ascending:
        return False
    pieces = [each for each in pieces_of(row.location, row.shape[0]) if each.rows]
    if not pieces:
        return True
    last, dtype = pieces[-1], np.dtype(row.dtype)
    value = _read(sources, last, (last.rows - 1) * dtype.itemsize, dtype.itemsize)
    return bool(np.frombuffer(value, dtype)[0] <= rows.first)


def _grow(
    connection: Connection,
    request: _Request,
    arrays: Sequence[ArrayRow],
    orders: Sequence[bool | None],
) -> list[Done]:
    """Write everything down."""
    settings, user_id = request.workshop.settings, request.principal.user_id
    table = TABLES["datafile"]
    query = select(table.c.id, table.c.content, table.c.store_key).where(
        table.c.id.in_([row.datafile_id for row in arrays])
    )
    contents = {row.id: row for row in connection.execute(query)}
    longer = []
    for row, each, stored, is_sorted in zip(
        arrays, request.rows, request.made, orders, strict=True
    ):
        facts = contents[row.datafile_id]
        shape = (row.shape[0] + each.count, *row.shape[1:])
        size = _size(settings.max_array_bytes, row, shape)
        location = _location(connection, row, stored, facts)
        location = tend(
            connection,
            row.datafile_id,
            location,
            row_bytes(row),
            seconds=settings.merge_seconds,
            user_id=user_id,
        )
        text = f"{facts.content or ''} {each.digest}"
        content = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        longer.append(
            Longer(row.datafile_id, row.shape[0], shape, is_sorted, location, size, content)
        )
    guids = grow(connection, longer, user_id)
    return [
        Done(each.datafile_id, guids[each.datafile_id], each.before, each.shape[0])
        for each in longer
    ]


def _size(most: int, row: ArrayRow, shape: tuple[int, ...]) -> int:
    """Give the bytes of a file with the whole array, of which the values have `most` or fewer."""
    dtype = np.dtype(row.dtype)
    nbytes = array_nbytes(dtype, shape)
    if nbytes > most:
        raise ServiceError(
            "too_large",
            f"An array may have at most {most:,} bytes; begin another one.",
            details={"limit": most, "length": row.shape[0]},
        )
    return len(array_header(dtype, shape)) + nbytes


def _location(connection: Connection, row: ArrayRow, made: _Made, facts: Any) -> dict[str, Any]:
    """Tell where an array lies with its new rows."""
    location = row.location
    kept: dict[str, Any] = {
        name: location[name] for name in ("task", "covered", "shared") if name in location
    }
    if row.levels_key is not None:
        kept.setdefault("covered", row.shape[0])
    shared = list(kept.pop("shared", ()))
    if location.get("packed"):  # other arrays lie in the same file
        shared.append(location["key"])
    pieces = _known_digest(location, facts, list(pieces_of(location, row.shape[0])))
    count = len(made.old)
    gone: list[Piece] = [each for each in pieces if not each.rows]
    pieces = [each for each in pieces if each.rows]
    if made.together is not None and _same(pieces[-count:], made.old):
        gone += pieces[-count:]
        pieces[-count:] = [made.together]
    else:
        pieces.append(made.alone)
    if len(pieces) > MOST_PIECES:
        raise ServiceError(
            "unavailable",
            f"The array consists of {MOST_PIECES} pieces, which have to be joined first; see that "
            "background jobs are done (ephyrus worker), and try again.",
            headers={"Retry-After": "10"},
        )
    named = {each.key for each in pieces}
    discard(connection, dict.fromkeys(each.key for each in gone if each.key not in named))
    shared = [key for key in shared if key in named]
    told = [each.told for each in pieces]
    return {"kind": "pieces", "pieces": told, **kept, **({"shared": shared} if shared else {})}


def _known_digest(location: Mapping[str, Any], facts: Any, pieces: list[Piece]) -> list[Piece]:
    """Take the digest of a whole array over to its one piece, where it is that of the rows."""
    content = facts.content or ""
    is_known = location["kind"] == "stored" and facts.store_key is None and not pieces[0].digest
    if is_known and len(content) == SHA1_LETTERS:
        (piece,) = pieces
        return [Piece(piece.key, piece.offset, piece.rows, content)]
    return pieces


def _same(pieces: Sequence[Piece], old: Sequence[Piece]) -> bool:
    """Tell whether pieces are those that were read, whatever is known of their digests."""
    return [each.told[:3] for each in pieces] == [each.told[:3] for each in old]
