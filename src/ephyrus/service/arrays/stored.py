"""Arrays that lie in one piece in a file of the store."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.files import ByteSource
from ephyrus.recording.rowsource import Counts
from ephyrus.recording.sampleplaces import EvenRows, taken

__all__ = ["StoredArray"]

_SCRATCH_BYTES = 2 * 2**20  # rows that channels are taken out of: fewer reads are quicker
_SCRATCH = threading.local()

Channels = NDArray[np.intp] | None


class StoredArray:
    """Rows in C order from a place in a file.

    Parameters
    ----------
    source : ByteSource
        The file.
    offset : int
        Where the first row begins.
    dtype : numpy.dtype
        Type of the values.
    shape : tuple of int
        Axis 0 first.
    """

    def __init__(
        self, source: ByteSource, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> None:
        self._source = source
        self._offset = offset
        self.dtype = dtype
        self.shape = shape
        self._width = int(np.prod(shape[1:], dtype=np.int64))
        self._row_bytes = self._width * dtype.itemsize
        self._rows = EvenRows(source, offset, dtype, self._width)

    def read(self, start: int, stop: int, channels: Channels = None) -> NDArray[Any]:
        """Read rows [start, stop), or some channels (axis 1) of them; C-contiguous."""
        if channels is not None:
            return self._read_channels(start, stop, channels)
        offset = self._offset + start * self._row_bytes
        values = self._source.array(offset, self.dtype, (stop - start) * self._width)
        return values.reshape(stop - start, *self.shape[1:])

    def gather(
        self, starts: NDArray[np.int64], counts: Counts, channels: Channels = None
    ) -> NDArray[Any]:
        """Read short ranges of rows, whose starts do not decrease: see `Rows.gather`."""
        values = self._rows.gather(starts, counts)
        lead = values.shape[:-1]
        values = values.reshape(*lead, *self.shape[1:])
        return values if channels is None else taken(values, channels, len(lead))

    def _read_channels(self, start: int, stop: int, channels: NDArray[np.intp]) -> NDArray[Any]:
        """Read rows piece by piece, and keep some channels of each."""
        items = self.shape[1:]
        result = np.empty((stop - start, len(channels), *items[1:]), self.dtype)
        step = max(1, _SCRATCH_BYTES // max(1, self._row_bytes))
        single = int(channels[0]) if len(channels) == 1 else None
        for first in range(start, stop, step):
            last = min(stop, first + step)
            buffer = _scratch((last - first) * self._row_bytes)
            self._source.read_into(self._offset + first * self._row_bytes, buffer)
            rows = buffer.view(self.dtype).reshape(last - first, *items)
            out = result[first - start : last - start]
            if single is None:
                np.take(rows, channels, 1, out, "clip")
            else:
                out[:, 0] = rows[:, single]
        return result


def _scratch(nbytes: int) -> NDArray[np.uint8]:
    """Give memory of this thread, which is used again and again."""
    buffer: NDArray[np.uint8] | None = getattr(_SCRATCH, "buffer", None)
    if buffer is None or len(buffer) < nbytes:
        buffer = _SCRATCH.buffer = np.empty(max(nbytes, _SCRATCH_BYTES), np.uint8)
    return buffer[:nbytes]
