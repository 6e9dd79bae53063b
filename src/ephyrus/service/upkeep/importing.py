"""Copying recordings into a service: objects, and arrays of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ephyrus.recording import NullProgress, Progress, Recording
from ephyrus.service.arrays.recorded import PIECE_BYTES, RecordedArray, recorded_array
from ephyrus.service.catalog.arriving import insert_arriving
from ephyrus.service.catalog.bulk import NewObject
from ephyrus.service.catalog.inserting import MANY
from ephyrus.service.files.canonical import ArrayWriter, StoredArrayInfo
from ephyrus.service.files.making import enqueue_levels
from ephyrus.service.files.manifests import array_facts
from ephyrus.service.inplace.mapping import rows_of

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore

__all__ = ["Imported", "import_recording"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a recording.

    Attributes
    ----------
    block_ids : tuple of int
        Its blocks.
    objects : int
        How many objects it has.
    bytes : int
        Bytes of its arrays.
    """

    block_ids: tuple[int, ...]
    objects: int
    bytes: int


def import_recording(
    database: Database,
    store: ArrayStore,
    recording: Recording,
    *,
    owner_id: int,
    name: str = "",
    safety_level: int = 3,
    progress: Progress | None = None,
) -> Imported:
    """Copy a recording: all of it, or nothing.

    Parameters
    ----------
    database : Database
        The catalog.
    store : ArrayStore
        Where the arrays go.
    recording : Recording
        What is copied; samples become physical values.
    owner_id : int
        Whose it is.
    name : str
        What it is called (default: the name of its file).
    safety_level : int
        Who may read it: 1 everybody, 2 friends, 3 nobody else.
    progress : Progress, optional
        Told of bytes; may cancel the work.

    Raises
    ------
    FormatError, OSError
        If the recording cannot be read, or the store not be written to.
    """
    title = name or PurePath(recording.path).name
    written: list[StoredArrayInfo] = []
    told = progress or NullProgress()
    is_complete = False
    try:
        rows = [
            _stored(store, recording, replace(row, safety_level=safety_level), written, told)
            for row in rows_of(recording, name=title)
        ]
        # it takes longer then, but others who write wait for a part of it only
        with database.writing(late=len(rows) >= MANY) as connection:
            ids = insert_arriving(connection, owner_id, rows, user_id=owner_id)
            for row in rows:
                if row.array is not None:
                    enqueue_levels(connection, ids[row.key], row.array, user_id=owner_id)
            is_complete = True
    except BaseException:
        # Where the end of the transaction fails nobody knows whether it was kept: the files stay,
        # and are swept when nothing names them.
        for info in () if is_complete else written:
            with suppress(OSError):
                store.delete(info.key)
        raise
    finally:
        told.finish()
    blocks = tuple(ids[row.key] for row in rows if row.type == "block")
    return Imported(blocks, len(rows), sum(info.size for info in written))


def _stored(
    store: ArrayStore,
    recording: Recording,
    row: NewObject,
    written: list[StoredArrayInfo],
    progress: Progress,
) -> NewObject:
    """Copy the array of a row, if it has one."""
    if row.array is None:
        return row
    location: Mapping[str, Any] = row.array["location"]
    array = recorded_array(recording, location)
    with store.create() as new:
        writer = ArrayWriter(new, array.dtype, array.shape)
        _copy(array, writer, progress, str(row.attributes["name"]))
        info = writer.finish(new.key).at(new.commit())
    written.append(info)
    return replace(row, array=info.row, facts=array_facts(info))


def _copy(array: RecordedArray, writer: ArrayWriter, progress: Progress, label: str) -> None:
    """Copy an array in pieces."""
    width = max(array.row_bytes, array.dtype.itemsize)
    step = max(1, PIECE_BYTES // width)
    progress.start(array.shape[0] * width, "B", label)
    for start in range(0, array.shape[0], step):
        stop = min(start + step, array.shape[0])
        writer.write(array.read(start, stop))
        progress.advance((stop - start) * width)
