"""Builds the levels of served arrays in the background, so that overviews cost the same always."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select, update

from ephyrus.errors import Cancelled, EphyrusError
from ephyrus.recording.levels import Levels, build_levels, worth_levels
from ephyrus.service.db.schema import ARRAYS
from ephyrus.service.inplace.pool import RecordingPool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore

__all__ = ["UNFINISHED", "build_missing", "forget_unusable"]

UNFINISHED = "levels-"
"""Beginning of the names of folders in which levels are made."""

log = logging.getLogger(__name__)


def build_missing(
    database: Database,
    store: ArrayStore,
    pool: RecordingPool,
    folder: Path,
    stop: threading.Event,
    *,
    skipped: set[int],
    is_needed: Callable[[], bool] = lambda: False,
) -> int:
    """Build the levels that are missing, array by array; gives how many were built.

    Recordings that somebody looks at come first.

    Parameters
    ----------
    database, store, pool
        The catalog, where levels are kept, and the recordings.
    folder : Path
        Where files are written before they go into the store.
    stop : threading.Event
        Ends the work, also within an array.
    skipped : set of int
        Datafiles that are too short for levels, or could not be read; more are added.
    is_needed : callable
        Tells that something more urgent waits: the work ends after the array in hand.
    """
    with database.reading() as connection:
        rows = connection.execute(
            select(ARRAYS.c.datafile_id, ARRAYS.c.dtype, ARRAYS.c.shape, ARRAYS.c.location)
            .where(ARRAYS.c.recording_id.is_not(None), ARRAYS.c.levels_key.is_(None))
            .order_by(ARRAYS.c.datafile_id)
        ).all()
    waiting: dict[int, list[Any]] = {}
    for row in rows:
        if row.datafile_id in skipped:
            continue
        if _is_worth(row.location, row.shape, row.dtype):
            waiting.setdefault(int(row.location["recording"]), []).append(row)
        else:
            skipped.add(row.datafile_id)
    built = 0
    while waiting and not stop.is_set() and not is_needed():
        recording = next((each for each in pool.last_used() if each in waiting), min(waiting))
        row = waiting[recording].pop(0)
        if not waiting[recording]:
            del waiting[recording]
        if _build(database, store, pool, folder, stop, row.datafile_id, row.location):
            built += 1
        else:
            skipped.add(row.datafile_id)
    return built


def forget_unusable(database: Database, store: ArrayStore) -> int:
    """Let go of levels that an earlier run left and that cannot be used; gives how many.

    They are built again. Those of recordings that have changed are let go of with their objects.

    Parameters
    ----------
    database, store
        The catalog, and where levels are kept.
    """
    with database.reading() as connection:
        rows = connection.execute(
            select(ARRAYS.c.datafile_id, ARRAYS.c.shape, ARRAYS.c.levels_key).where(
                ARRAYS.c.recording_id.is_not(None), ARRAYS.c.levels_key.is_not(None)
            )
        ).all()
    lost = [row for row in rows if not _is_usable(store, row.levels_key, row.shape)]
    if lost:
        with database.writing() as connection:
            for row in lost:
                chosen = ARRAYS.c.datafile_id == row.datafile_id
                connection.execute(update(ARRAYS).where(chosen).values(levels_key=None))
    for row in lost:
        log.info("the levels of datafile %s are built again", row.datafile_id)
        store.delete(row.levels_key)
    return len(lost)


def _is_usable(store: ArrayStore, key: str, shape: list[int]) -> bool:
    """Tell whether a file of levels is there, and is whole."""
    try:
        levels = Levels(store.source(key))
    except (EphyrusError, OSError):
        return False
    is_right = [levels.length, *levels.item_shape] == list(shape)
    levels.close()
    return is_right


def _is_worth(location: Mapping[str, Any], shape: list[int], dtype: str) -> bool:
    """Tell whether an array is a long signal."""
    if location["field"] != "signal" or location["address"].get("table"):
        return False
    return worth_levels(shape[0], np.dtype(dtype), tuple(shape[1:]))


def _build(
    database: Database,
    store: ArrayStore,
    pool: RecordingPool,
    folder: Path,
    stop: threading.Event,
    datafile_id: int,
    location: Mapping[str, Any],
) -> bool:
    """Build the levels of an array; tells whether they are there now."""

    def read(first: int, last: int) -> NDArray[Any]:
        if stop.is_set():
            raise Cancelled("the service stops")
        return array.read(first, last, scaled=False)

    try:
        array = pool.array(location)
        with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as place:
            path = Path(place) / "levels"
            build_levels(
                path,
                read,
                array.shape[0],
                dtype=array.stored_dtype,
                item_shape=array.shape[1:],
                source=f"recording {location['recording']} {location.get('version', 0)}",
            )
            key = store.adopt(path)
    except (EphyrusError, OSError, ValueError, MemoryError) as error:
        log.info("no levels for datafile %s: %s", datafile_id, error)
        return False
    return _keep(database, store, datafile_id, location, key)


def _keep(
    database: Database,
    store: ArrayStore,
    datafile_id: int,
    location: Mapping[str, Any],
    key: str,
) -> bool:
    """Note the levels of an array, unless it was replaced meanwhile."""
    with database.writing() as connection:
        now = connection.execute(
            select(ARRAYS.c.location).where(ARRAYS.c.datafile_id == datafile_id)
        ).scalar_one_or_none()
        if now == location:
            connection.execute(
                update(ARRAYS).where(ARRAYS.c.datafile_id == datafile_id).values(levels_key=key)
            )
            return True
    store.delete(key)
    return False
