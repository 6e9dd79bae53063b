"""Joins the pieces of arrays that grow, in the background.

Pieces are of *tiers*: up to 1 MiB, up to 16 MiB, up to 256 MiB and so on. As soon as 16 pieces at
the end of an array are of one tier or lower ones they are copied into one, so that an array has few
pieces however it grew, and each byte is copied once for each tier. When nothing was appended for a
while all that is not too short in comparison becomes one piece: mostly the whole array.

What is copied lies beside the old pieces until one transaction puts it in their place. Those are
removed later, since answers and backups may still be reading them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, func, select, update

from ephyrus.recording.levels import build_levels, worth_levels
from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.arrays.pieces import Piece, Sources, joined, pieces_of, row_bytes
from ephyrus.service.arrays.stored import StoredArray
from ephyrus.service.catalog.growth import discard, replace_location
from ephyrus.service.catalog.reading import array_of
from ephyrus.service.catalog.records import ArrayRow
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import GROWTH, JOBS
from ephyrus.service.files import jobs
from ephyrus.service.files.canonical import ArrayWriter, array_header
from ephyrus.service.files.making import Stopped

if TYPE_CHECKING:
    from ephyrus.service.files.workshop import Workshop

__all__ = ["Span", "due", "keep_levels", "levels_file", "merge", "stored_rows", "tend"]

TIER = 2**20  # bytes of a piece of the lowest tier
FAN = 16  # pieces of a tier that make one of the next
QUIET_RATIO = 8  # a piece may be so many times as long as what is joined to it
COPIED = 4 * 2**20  # bytes that are held while they are copied
KIND = "merge"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring pieces that are to be one: numbers [first, last)."""

    first: int
    last: int


def due(sizes: Sequence[int], *, is_quiet: bool = False) -> Span | None:
    """Tell which pieces are to be joined.

    Parameters
    ----------
    sizes : sequence of int
        Bytes of the pieces.
    is_quiet : bool
        Nothing was appended for a while.

    Returns
    -------
    Span or None
        None: they are few enough.
    """
    if is_quiet:
        return _when_quiet(sizes)
    end = len(sizes)
    while end and sizes[end - 1] < TIER:  # what is appended next is joined to these at once
        end -= 1
    first, limit = end, TIER
    while first or limit == TIER:
        while first and sizes[first - 1] <= limit:
            first -= 1
        if end - first >= FAN:
            return Span(first, end)
        if not first:
            return None
        limit *= FAN
    return None


def _when_quiet(sizes: Sequence[int]) -> Span | None:
    """Join the end of an array, as far back as that is worth it."""
    behind, first = 0, len(sizes)
    for place in range(len(sizes) - 1, -1, -1):
        if place < len(sizes) - 1 and sizes[place] <= QUIET_RATIO * behind:
            first = place
        behind += sizes[place]
    return Span(first, len(sizes)) if first < len(sizes) - 1 else None


def stored_rows(workshop: Workshop, row: ArrayRow, sources: Sources) -> StoredArray:
    """Give the rows of an array of the store, in one piece or several, for work on all of them."""
    name = f"datafile {row.datafile_id}"
    file = joined(sources, pieces_of(row.location, row.shape[0]), row_bytes(row), name=name)
    return StoredArray(file, 0, np.dtype(row.dtype), tuple(row.shape))


def levels_file(workshop: Workshop, row: ArrayRow) -> str | None:
    """Build the levels of an array; gives the key of their file, None: they are not worth it."""
    dtype, shape = np.dtype(row.dtype), tuple(row.shape)
    if not worth_levels(shape[0], dtype, shape[1:]):
        return None
    sources = Sources(workshop.store)
    rows = stored_rows(workshop, row, sources)

    def read(start: int, stop: int) -> Any:
        _check_stop(workshop)
        return rows.read(start, stop)

    try:
        with workshop.scratch.folder() as folder:
            path = folder / "levels"
            build_levels(
                path,
                read,
                shape[0],
                dtype=dtype,
                item_shape=shape[1:],
                source=str(row.datafile_id),
            )
            return workshop.store.adopt(path)
    finally:
        sources.clear()


def keep_levels(connection: Connection, datafile_id: int, key: str, length: int) -> None:
    """Note the levels of the first `length` rows of an array, in place of older ones."""
    row = array_of(connection, datafile_id)
    if row is None:
        return
    if row.levels_key is not None:
        discard(connection, [row.levels_key])
    location = dict(row.location)
    if location["kind"] == "pieces" or "covered" in location or length != row.shape[0]:
        location["covered"] = length
    replace_location(connection, datafile_id, location, levels_key=key)


def _check_stop(workshop: Workshop) -> None:
    if workshop.stopping.is_set():
        raise Stopped("the worker stops")


def tend(
    connection: Connection,
    datafile_id: int,
    location: Mapping[str, Any],
    width: int,
    *,
    seconds: float,
    user_id: int | None,
) -> dict[str, Any]:
    """See that somebody looks after an array that grew, within the transaction that lets it grow.

    Parameters
    ----------
    connection : Connection
        Of the writing transaction.
    datafile_id : int
        Its datafile.
    location : mapping
        Where it lies now; ``task`` names the job that looks after it, if there is one.
    width : int
        Bytes of a row.
    seconds : float
        After which time without an append its pieces are joined.
    user_id : int or None
        Whose job that is.

    Returns
    -------
    dict
        The location, with the job.
    """
    task = location.get("task")
    known = None if task is None else jobs.status(connection, task)
    if known is None or known.is_over:
        payload, later = {"datafile": datafile_id}, moment(connection) + timedelta(seconds=seconds)
        task = jobs.enqueue(connection, KIND, payload, user_id=user_id, run_after=later)
    sizes = [rows * width for _, _, rows, _ in location["pieces"]]
    if due(sizes) is not None:
        hurry = update(JOBS).where(JOBS.c.id == task, JOBS.c.state == jobs.WAITING)
        connection.execute(hurry.values(run_after=moment(connection)))
    return {**location, "task": task}


def merge(workshop: Workshop, job: jobs.Job) -> None:
    """Look after an array that grew: its pieces and its levels."""
    datafile_id = int(job.payload["datafile"])
    row, is_quiet = _state(workshop, datafile_id)
    if row is not None:
        if _worth_new_levels(row, is_quiet=is_quiet):
            key = levels_file(workshop, row)
            if key is not None:
                with workshop.database.writing() as connection:
                    keep_levels(connection, datafile_id, key, row.shape[0])
        _join_all(workshop, row, is_quiet=is_quiet)
    with workshop.database.writing(quiet=row is None) as connection:
        row = array_of(connection, datafile_id)
        if row is not None and row.location["kind"] == "pieces":
            _settle(connection, job, row, workshop.settings.merge_seconds)
        jobs.finish(connection, job, {})


def _state(workshop: Workshop, datafile_id: int) -> tuple[ArrayRow | None, bool]:
    """Read an array that grew, and whether it has been left alone for a while."""
    with workshop.database.reading() as connection:
        row = array_of(connection, datafile_id)
        if row is None or row.location["kind"] != "pieces":
            return None, True
        return row, _is_quiet(connection, datafile_id, workshop.settings.merge_seconds)


def _is_quiet(connection: Connection, datafile_id: int, seconds: float) -> bool:
    """Tell whether nothing was appended for a while."""
    query = select(func.max(GROWTH.c.starts_at)).where(GROWTH.c.datafile_id == datafile_id)
    last = connection.execute(query).scalar()
    return last is None or last + timedelta(seconds=seconds) <= utc_now()


def _worth_new_levels(row: ArrayRow, *, is_quiet: bool) -> bool:
    """Tell whether so much was appended since levels were built that they are built anew."""
    if not worth_levels(row.shape[0], np.dtype(row.dtype), tuple(row.shape[1:])):
        return False
    covered = 0 if row.levels_key is None else int(row.location.get("covered", row.shape[0]))
    rest = row.shape[0] - covered
    return rest > 0 and (rest * QUIET_RATIO > covered or (is_quiet and rest * 64 > covered))


def _join_all(workshop: Workshop, row: ArrayRow, *, is_quiet: bool) -> None:
    """Join pieces as long as some are due."""
    while True:
        span = _due_of(row, is_quiet=is_quiet)
        if span is None:
            return
        pieces = pieces_of(row.location, row.shape[0])
        _join(workshop, row, pieces[span.first : span.last])
        found, is_quiet = _state(workshop, row.datafile_id)
        if found is None:
            return
        row = found


def _due_of(row: ArrayRow, *, is_quiet: bool) -> Span | None:
    """Tell which pieces of an array are to be joined; a single one may need a head as well."""
    pieces = pieces_of(row.location, row.shape[0])
    span = due([each.rows * row_bytes(row) for each in pieces], is_quiet=is_quiet)
    if span is None and is_quiet and len(pieces) == 1 and not _is_canonical(row, pieces[0]):
        return Span(0, 1)
    return span


def _is_canonical(row: ArrayRow, piece: Piece) -> bool:
    """Tell whether the file of a piece is that of the array alone."""
    header = array_header(np.dtype(row.dtype), (piece.rows, *row.shape[1:]))
    return piece.offset == len(header) and not row.location.get("packed")


def _join(workshop: Workshop, row: ArrayRow, pieces: Sequence[Piece]) -> None:
    """Copy pieces into one, and put it in their place if they are still there."""
    dtype, items, width = np.dtype(row.dtype), tuple(row.shape[1:]), row_bytes(row)
    length = sum(each.rows for each in pieces)
    sources = Sources(workshop.store)
    file = joined(sources, pieces, width, name=f"datafile {row.datafile_id}")
    rows = StoredArray(file, 0, dtype, (length, *items))
    step = max(1, COPIED // width)
    try:
        with workshop.store.create() as new:
            writer = ArrayWriter(new, dtype, rows.shape)
            for start in range(0, length, step):
                _check_stop(workshop)
                writer.write(rows.read(start, min(length, start + step)))
            info = writer.finish(new.key).at(new.commit())
    finally:
        sources.clear()
    made = Piece(info.key, info.offset, length, info.digest)
    with workshop.database.writing() as connection:
        is_kept = _put(connection, row.datafile_id, list(pieces), made)
    if not is_kept:
        log.info("datafile %s: its pieces were joined by somebody else", row.datafile_id)
        workshop.store.delete(info.key)


def _put(connection: Connection, datafile_id: int, old: list[Piece], made: Piece) -> bool:
    """Put a piece in the place of others; False: they are not there any more."""
    row = array_of(connection, datafile_id)
    if row is None or row.location["kind"] != "pieces":
        return False
    pieces = list(pieces_of(row.location, row.shape[0]))
    if old[0] not in pieces:
        return False
    at = pieces.index(old[0])
    if pieces[at : at + len(old)] != old:
        return False
    pieces[at : at + len(old)] = [made]
    kept = {each.key for each in pieces}
    discard(connection, dict.fromkeys(each.key for each in old if each.key not in kept))
    shared = [key for key in row.location.get("shared", ()) if key in kept]
    location = {**row.location, "pieces": [each.told for each in pieces], "shared": shared}
    if not shared:
        del location["shared"]
    replace_location(connection, datafile_id, location)
    return True


def _settle(connection: Connection, job: jobs.Job, row: ArrayRow, seconds: float) -> None:
    """Write down what becomes of an array whose pieces have been joined as far as they are due."""
    pieces = pieces_of(row.location, row.shape[0])
    # it may have grown since, when there was this job and so none was begun
    is_quiet = _is_quiet(connection, row.datafile_id, seconds)
    if not is_quiet or _due_of(row, is_quiet=True) is not None:
        later = moment(connection) + timedelta(seconds=seconds)
        payload = dict(job.payload)
        task = jobs.enqueue(connection, KIND, payload, user_id=job.user_id, run_after=later)
        replace_location(connection, row.datafile_id, {**row.location, "task": task})
    elif len(pieces) == 1:
        (piece,) = pieces
        location = {"kind": "stored", "key": piece.key, "offset": piece.offset}
        if piece.digest:
            location["digest"] = piece.digest
        if "covered" in row.location:
            location["covered"] = row.location["covered"]
        replace_location(connection, row.datafile_id, location)
    else:
        replace_location(connection, row.datafile_id, {**row.location, "task": None})
