"""Bytes of many packets at once: heads, rows of equal length, samples spread over packets.

All of it is gathered in vectorised steps from known offsets; where the bytes lie in memory (mapped
files) nothing else is touched, else the range that holds them is read in pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ephyrus.recording.files import ByteSource
from ephyrus.recording.sampleplaces import Pieces

__all__ = ["PacketedSignal", "channel_rows", "heads", "padded_rows", "read_channels", "rows"]

PIECE_BYTES = 16 * 2**20  # read at once where the bytes are not in memory
LINE_BYTES = 64  # of the cache
FEW_PACKETS = 8  # per stretch of equal packets: below it samples are gathered one by one


def heads(source: ByteSource, offsets: NDArray[np.int64], dtype: DTypeLike) -> NDArray[Any]:
    """Read one structured value at each offset.

    Returns
    -------
    ndarray of `dtype`, shape (offsets,)

    Raises
    ------
    TruncatedError
        If one of them does not lie within the file.
    """
    item = np.dtype(dtype)
    return _gathered(source, offsets, item.itemsize).view(item)


def rows(
    source: ByteSource, offsets: NDArray[np.int64], dtype: DTypeLike, count: int
) -> NDArray[Any]:
    """Read `count` items of `dtype` at each offset.

    Returns
    -------
    ndarray of `dtype`, shape (offsets, count)

    Raises
    ------
    TruncatedError
        If they do not lie within the file.
    """
    item = np.dtype(dtype)
    if count == 0 or len(offsets) == 0:
        return np.empty((len(offsets), count), item)
    flat = _gathered(source, offsets, count * item.itemsize)
    return flat.view(item).reshape(len(offsets), count)


def padded_rows(
    source: ByteSource,
    offsets: NDArray[np.int64],
    dtype: DTypeLike,
    counts: NDArray[np.integer[Any]],
    width: int,
) -> NDArray[Any]:
    """Read rows that are not equally long: `counts` items of `dtype` at each offset.

    Parameters
    ----------
    source : ByteSource
        The file.
    offsets, counts : ndarray of int, shape (rows,)
        First byte and number of items of each row.
    dtype : dtype
        Type of an item.
    width : int
        Items of a row of the result: longer ones are cut, zeros follow the shorter ones.

    Returns
    -------
    ndarray of `dtype`, shape (rows, width)

    Raises
    ------
    TruncatedError
        If they do not lie within the file.
    """
    lengths = np.minimum(counts, width)
    result = np.zeros((len(offsets), width), dtype)
    for length in np.unique(lengths).tolist():
        mine = lengths == length
        result[mine, :length] = rows(source, offsets[mine], dtype, length)
    return result


def _gathered(source: ByteSource, offsets: NDArray[np.int64], width: int) -> NDArray[np.void]:
    """Copy `width` bytes at each offset."""
    offsets = np.asarray(offsets, np.int64)
    item = np.dtype(f"V{width}")
    if offsets.size == 0:
        return np.empty(0, item)
    low, high = int(offsets.min()), int(offsets.max())
    size = high + width - low
    if size > PIECE_BYTES and offsets.size > 1 and not source.is_in_memory:
        return _gathered_in_pieces(source, offsets, width)
    part = source.array(low, "u1", size)
    everywhere: NDArray[Any] = np.ndarray((high - low + 1,), item, part, 0, (1,))
    return everywhere[offsets - low]


def _gathered_in_pieces(
    source: ByteSource, offsets: NDArray[np.int64], width: int
) -> NDArray[np.void]:
    """Copy from a source that has to be read, about 16 MiB at a time."""
    order = np.argsort(offsets, kind="stable")
    ordered = offsets[order]
    result = np.empty(offsets.size, np.dtype(f"V{width}"))
    begin = 0
    while begin < ordered.size:
        room = max(PIECE_BYTES - width, 0)
        end = int(np.searchsorted(ordered, ordered[begin] + room, "right"))
        result[order[begin:end]] = _gathered(source, ordered[begin:end], width)
        begin = end
    return result


class PacketedSignal:
    """The samples of one channel, spread over packets.

    Parameters
    ----------
    source : ByteSource
        The file.
    offsets : ndarray of int64, shape (packets,)
        First byte of the samples of each packet, in the order of the signal.
    counts : int or ndarray of int, shape (packets,)
        Samples of each packet.
    dtype : dtype
        Type of a stored sample.
    """

    __slots__ = ("_count", "_firsts", "dtype", "length", "offsets", "source")

    def __init__(
        self,
        source: ByteSource,
        offsets: NDArray[np.int64],
        counts: ArrayLike,
        dtype: DTypeLike,
    ) -> None:
        self.source = source
        self.offsets = offsets
        self.dtype = np.dtype(dtype)
        many = np.asarray(counts)
        self._count = _common(many)
        self._firsts: NDArray[np.int64] | None = None
        if self._count is None:
            self._firsts = np.zeros(len(offsets) + 1, np.int64)
            np.cumsum(many, out=self._firsts[1:])
            self.length = int(self._firsts[-1])
        else:
            self.length = self._count * len(offsets)

    def read(self, start: int, stop: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Read samples [start, stop).

        Parameters
        ----------
        start, stop : int
            Half-open range within ``length``.
        out : ndarray, shape (stop - start,), optional
            Where to put them.

        Returns
        -------
        ndarray of the stored dtype, shape (stop - start,)
        """
        if out is None:
            out = np.empty(stop - start, self.dtype)
        if stop <= start:
            return out
        if self._count is not None:
            first, last = start // self._count, -(-stop // self._count)
            self._read_equal(first, last, self._count, start - first * self._count, out)
            return out
        firsts = self._firsts
        assert firsts is not None  # noqa: S101 - for type checkers: set where counts differ
        first = int(np.searchsorted(firsts, start, "right")) - 1
        last = int(np.searchsorted(firsts, stop, "left"))
        counts = np.diff(firsts[first : last + 1])
        changes = np.flatnonzero(np.diff(counts)) + 1
        if changes.size * FEW_PACKETS > counts.size > FEW_PACKETS:
            self._read_single(first, counts, start, stop, out)
            return out
        done = start
        for begin, end in zip(
            [0, *changes.tolist()], [*changes.tolist(), counts.size], strict=True
        ):
            low, high = first + begin, first + end
            until = min(int(firsts[high]), stop)
            piece = out[done - start : until - start]
            self._read_equal(low, high, int(counts[begin]), done - int(firsts[low]), piece)
            done = until
        return out

    def pieces(self) -> Pieces:
        """Tell where the samples lie."""
        firsts = self._firsts
        if firsts is None:
            firsts = np.arange(len(self.offsets) + 1) * (self._count or 0)
        return Pieces(self.source, self.offsets, firsts, self.dtype)

    def _read_equal(self, first: int, last: int, count: int, skip: int, out: NDArray[Any]) -> None:
        """Read from packets [first, last) of `count` samples each, without the first `skip`."""
        if count == 0:
            return
        offsets = self.offsets[first:last]
        steps = np.diff(offsets)
        if self.source.is_in_memory and steps.size and (steps == steps[0]).all() and steps[0] > 0:
            low, step = int(offsets[0]), int(steps[0])
            size = count * self.dtype.itemsize
            if step >= size:  # equal distances: a view does
                whole = self.source.array(low, "u1", step * (offsets.size - 1) + size)
                shape = offsets.size, count
                table: NDArray[Any] = np.ndarray(
                    shape, self.dtype, whole, 0, (step, self.dtype.itemsize)
                )
                _copy_flat(table, skip, out)
                return
        flat = rows(self.source, offsets, self.dtype, count).reshape(-1)
        out[...] = flat[skip : skip + out.size]

    def _read_single(
        self, first: int, counts: NDArray[np.int64], start: int, stop: int, out: NDArray[Any]
    ) -> None:
        """Read from packets whose sizes change all the time."""
        firsts = self._firsts
        assert firsts is not None  # noqa: S101 - for type checkers: set where counts differ
        item = self.dtype.itemsize
        base = (
            self.offsets[first : first + counts.size] - firsts[first : first + counts.size] * item
        )
        places = np.repeat(base, counts)[start - int(firsts[first]) :][: stop - start]
        places += np.arange(start, stop) * item
        out[...] = heads(self.source, places, self.dtype)


def channel_rows(channels: int, samples: int, dtype: DTypeLike) -> NDArray[Any]:
    """Make a table with a row for each channel, uninitialised.

    Rows are an odd number of cache lines apart: at distances of a power of two, which pieces of
    long reads have, samples of one time would all compete for the same places in the cache.

    Returns
    -------
    ndarray of `dtype`, shape (channels, samples)
    """
    item = np.dtype(dtype)
    lines = -(-samples * item.itemsize // LINE_BYTES) | 1
    return np.empty((channels, lines * LINE_BYTES // item.itemsize), item)[:, :samples]


def read_channels(signals: Sequence[PacketedSignal], start: int, stop: int) -> NDArray[Any]:
    """Read samples [start, stop) of several channels.

    Returns
    -------
    ndarray, shape (stop - start, channels)
        Each channel lies contiguously in memory: packets are copied, not scattered.
    """
    dtype = signals[0].dtype if signals else np.dtype("<i2")
    table = channel_rows(len(signals), stop - start, dtype)
    for signal, row in zip(signals, table, strict=True):
        signal.read(start, stop, out=row)
    return table.T


def _common(counts: NDArray[Any]) -> int | None:
    """Give the one size that all packets have (the last may not be shorter), or None."""
    if counts.ndim == 0:
        return int(counts)
    if counts.size and (counts == counts[0]).all() and counts[0] > 0:
        return int(counts[0])
    return None


def _copy_flat(table: NDArray[Any], skip: int, out: NDArray[Any]) -> None:
    """Copy ``out.size`` items of a table, row after row, without the first `skip` of them."""
    width = table.shape[1]
    head = min(-skip % width, out.size)
    row = skip // width
    if head:
        out[:head] = table[row, skip % width :][:head]
        row += 1
    whole = (out.size - head) // width
    out[head : head + whole * width].reshape(whole, width)[...] = table[row : row + whole]
    tail = out.size - head - whole * width
    if tail:
        out[head + whole * width :] = table[row + whole, :tail]
