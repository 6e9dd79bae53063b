"""Samples of continuous variables as they are stored: one array after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.neuroexplorer.places import Part, Signal
from ephyrus.recording import ByteSource
from ephyrus.recording.sampleplaces import PieceRows, Pieces

__all__ = ["read", "sample_places"]

WIDE = 8  # channels from which numpy scales columns as fast as rows
BLOCK = 16_384  # samples that are put between each other at once: they stay in the cache
DENSE = 0.9  # of the bytes from the first to the last sample that must be wanted


def read(
    source: ByteSource,
    signal: Signal,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give samples [start, stop) of the given channels.

    Parameters
    ----------
    source : ByteSource
        The file.
    signal : Signal
        The variables.
    start, stop : int
        Half-open range of samples.
    channels : ndarray of intp or None
        Positions among the variables; None: all, in order.

    Returns
    -------
    ndarray, shape (stop - start, channels)
        A view of the file for one channel, and for many that lie at equal distances in it.
    """
    parts = [member.samples for member in signal.members]
    if channels is not None:
        parts = [parts[channel] for channel in channels]
    dtype = signal.members[0].variable.value
    if start == stop or not parts:
        return np.empty((stop - start, len(parts)), dtype)
    if len(parts) == 1:
        return parts[0].read(source, start, stop, "samples")
    if len(parts) >= WIDE:
        view = _view(source, parts, start, stop)
        if view is not None:
            return view
    columns = [part.read(source, start, stop, "samples")[:, 0] for part in parts]
    return np.stack(columns).T if len(parts) >= WIDE else _interleaved(columns, dtype)


def sample_places(source: ByteSource, signal: Signal, first: int) -> PieceRows:
    """Tell where samples from `first` on lie: each variable is one piece."""
    length = int(signal.runs["count"].sum())
    ends, dtype = np.array([0, length]), signal.members[0].variable.value
    offsets = [np.array([member.samples.offset]) for member in signal.members]
    return PieceRows([Pieces(source, offset, ends, dtype) for offset in offsets], first)


def _view(source: ByteSource, parts: list[Part], start: int, stop: int) -> NDArray[Any] | None:
    """Look at equally distant channels; None if they are not, or if that reads much more."""
    offsets = np.array([part.offset for part in parts])
    step = int(offsets[1] - offsets[0])
    if step <= 0 or np.any(np.diff(offsets) != step):
        return None
    dtype, rows, width = parts[0].dtype, stop - start, len(parts)
    size = (width - 1) * step + rows * dtype.itemsize
    if not source.is_in_memory and rows * width * dtype.itemsize < DENSE * size:
        return None
    begin = int(offsets[0]) + start * dtype.itemsize
    everything = source.array(begin, "u1", size, field="samples")
    return np.ndarray((rows, width), dtype, everything, 0, (dtype.itemsize, step))


def _interleaved(columns: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Put channels between each other, block by block."""
    result = np.empty((columns[0].size, len(columns)), dtype)
    for begin in range(0, len(result), BLOCK):
        rows = result[begin : begin + BLOCK]
        for position, column in enumerate(columns):
            rows[:, position] = column[begin : begin + BLOCK]
    return result
