"""Arrays opened for reading, wherever they lie; those used last stay open."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import EphyrusError
from ephyrus.recording.files import ByteSource
from ephyrus.recording.levels import Levels
from ephyrus.recording.rowsource import Counts, Rows
from ephyrus.service.arrays.pieces import Sources, joined, pieces_of, row_bytes
from ephyrus.service.arrays.stored import StoredArray
from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from ephyrus.service.arrays.recorded import RecordedArray
    from ephyrus.service.catalog.records import ArrayRow
    from ephyrus.service.files.store import ArrayStore
    from ephyrus.service.inplace.pool import RecordingPool

__all__ = ["ArrayOpener", "OpenArray"]

log = logging.getLogger(__name__)

Channels = NDArray[np.intp] | None
Gather = Callable[[NDArray[np.int64], Counts, Channels], NDArray[Any]]
_MOST_OPEN = 256  # files of arrays and levels that are kept open


@dataclass(frozen=True, slots=True)
class OpenArray:
    """An array that can be read from any thread.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of the stored numbers.
    shape : tuple of int
        Axis 0 first.
    read : callable
        ``read(start, stop, channels)`` gives stored numbers of rows [start, stop), C-contiguous;
        `channels` are positions along axis 1, None: all.
    scaled_dtype : numpy.dtype
        Type of physical values.
    gain, offset : ndarray of float64, shape (channels,), or None
        ``stored * gain + offset`` is the physical value; None: the stored numbers are meant.
    read_scaled : callable or None
        As `read`, for physical values; None where there is nothing to scale.
    gather : callable or None
        ``gather(starts, counts, channels)`` reads short ranges of rows: see `Rows.gather`.
    channel_names : tuple of str
        Names along axis 1.
    levels : Levels or None
        Extremes and sums of the stored numbers.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[int, int, Channels], NDArray[Any]]
    scaled_dtype: np.dtype[Any]
    gain: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    read_scaled: Callable[[int, int, Channels], NDArray[Any]] | None = None
    gather: Gather | None = None
    channel_names: tuple[str, ...] = ()
    levels: Levels | None = None

    def rows(self, channels: Channels = None) -> Rows:
        """Give the stored numbers, or some channels of them, as rows."""
        read, gather = self.read, self.gather
        items = self.shape[1:] if channels is None else (len(channels), *self.shape[2:])
        return Rows(
            lambda start, stop: read(start, stop, channels),
            self.shape[0],
            self.dtype,
            items,
            None if gather is None else lambda starts, counts: gather(starts, counts, channels),
        )


class ArrayOpener:
    """Opens arrays by their rows in the catalog, and keeps those used last.

    Parameters
    ----------
    store : ArrayStore
        Where stored arrays and levels lie.
    recordings : RecordingPool, optional
        Gives arrays of recordings that are served in place.
    most : int
        How many are kept.
    """

    def __init__(
        self, store: ArrayStore, recordings: RecordingPool | None = None, *, most: int = _MOST_OPEN
    ) -> None:
        self._store = store
        self._recordings = recordings
        self._most = most
        self._sources = Sources(store)  # of pieces, which stay when rows are appended
        # an array that is let go is closed when nobody reads it any more: nothing is closed here
        self._open: OrderedDict[int, tuple[ArrayRow, Any, OpenArray]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, row: ArrayRow) -> OpenArray:
        """Open an array.

        Raises
        ------
        ServiceError
            ``unavailable``: its file is gone, or the recording changed; ``does_not_exist``: the
            recording is not served any more.
        """
        recorded = self._recorded(row) if row.location["kind"] == "recorded" else None
        with self._lock:
            known = self._open.get(row.datafile_id)
            if known is not None and known[1] is recorded and known[0] == row:
                self._open.move_to_end(row.datafile_id)
                return known[2]
        array = self._stored(row) if recorded is None else _of_recording(recorded)
        if row.levels_key is not None:
            kept = known[2].levels if known is not None and known[0] == row else None
            array = replace(array, levels=kept or self._levels(row, array))
        with self._lock:
            self._open[row.datafile_id] = row, recorded, array
            while len(self._open) > self._most:
                self._open.popitem(last=False)
        return array

    def forget(self, datafile_id: int) -> None:
        """Let go of an array."""
        with self._lock:
            self._open.pop(datafile_id, None)

    def close(self) -> None:
        """Let go of all arrays."""
        with self._lock:
            self._open.clear()
        self._sources.clear()

    def _recorded(self, row: ArrayRow) -> RecordedArray:
        if self._recordings is None:
            raise ServiceError(
                "unavailable",
                "This array lies in a recording that is served in place, which this server does "
                "not do; start `ephyrus serve` with its folder.",
            )
        return self._recordings.array(row.location)

    def _stored(self, row: ArrayRow) -> OpenArray:
        source, offset = self._file(row)
        dtype = np.dtype(row.dtype)
        stored = StoredArray(source, offset, dtype, tuple(row.shape))
        return OpenArray(dtype, stored.shape, stored.read, dtype, gather=stored.gather)

    def _file(self, row: ArrayRow) -> tuple[ByteSource, int]:
        """Open the file of an array; gives where the first row begins in it."""
        try:
            if row.location["kind"] != "pieces":
                return self._store.source(row.location["key"]), int(row.location["offset"])
            pieces = pieces_of(row.location, row.shape[0])
            for piece in pieces:  # now, and not when half of an answer has been sent
                self._sources.get(piece.key)
            name = f"datafile {row.datafile_id}"
            return joined(self._sources, pieces, row_bytes(row), name=name), 0
        except FileNotFoundError as error:
            log.error("a file of datafile %s is not in the store", row.datafile_id)  # noqa: TRY400
            raise ServiceError(
                "unavailable",
                "The file of this array is missing; tell the administrator of the service.",
                details={"datafile": row.datafile_id},
            ) from error

    def _levels(self, row: ArrayRow, array: OpenArray) -> Levels | None:
        """Open levels; without them everything works, if slower."""
        try:
            levels = Levels(self._store.source(row.levels_key or ""))
        except (EphyrusError, OSError) as error:
            log.warning("the levels of datafile %s are not used: %s", row.datafile_id, error)
            return None
        facts = levels.item_shape, levels.dtype
        # what was appended since they were built is read from the array itself
        covered = min(int(row.location.get("covered", array.shape[0])), array.shape[0])
        if levels.length != covered or facts != (array.shape[1:], array.dtype.newbyteorder("<")):
            log.warning("the levels of datafile %s are those of another array", row.datafile_id)
            return None
        return levels


def _of_recording(array: RecordedArray) -> OpenArray:
    def read(start: int, stop: int, channels: Channels) -> NDArray[Any]:
        return array.read(start, stop, channels, scaled=False)

    def read_scaled(start: int, stop: int, channels: Channels) -> NDArray[Any]:
        return array.read(start, stop, channels, scaled=True)

    return OpenArray(
        array.stored_dtype,
        array.shape,
        read,
        array.dtype,
        array.gain,
        array.offset,
        None if array.gain is None and array.dtype == array.stored_dtype else read_scaled,
        array.gather,
        channel_names=array.channel_names,
    )
