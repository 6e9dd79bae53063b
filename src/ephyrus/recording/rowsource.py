"""Any array as ranges of rows: what reduction to fewer points reads from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "Rows", "laid_out", "pieces_of", "spans"]

Counts = int | NDArray[np.int64]

PIECE_VALUES = 2**19  # values held at a time: the piece and what is made of it stay in the cache


@dataclass(frozen=True, slots=True)
class Rows:
    """An array that is read in ranges of rows.

    Attributes
    ----------
    read : callable
        ``read(start, stop)`` gives rows [start, stop), shape ``(stop - start, *item_shape)``.
    length : int
        Number of rows.
    dtype : numpy.dtype
        Type of the values.
    item_shape : tuple of int
        Shape of a row.
    gather : callable or None
        ``gather(starts, counts)``: many short ranges at once. Of an int it gives as many rows from
        each of the starts, shape ``(starts, counts, *item_shape)``; of an array (int64, one count
        for each start) the ranges end to end, shape ``(sum of counts, *item_shape)``. The starts
        do not decrease. None: each range is read for itself.
    """

    read: Callable[[int, int], NDArray[Any]]
    length: int
    dtype: np.dtype[Any]
    item_shape: tuple[int, ...] = ()
    gather: Callable[[NDArray[np.int64], Counts], NDArray[Any]] | None = None

    @property
    def width(self) -> int:
        """Values of a row."""
        return prod(self.item_shape)

    @property
    def rows_per_piece(self) -> int:
        """Rows that are held at a time."""
        return max(1, PIECE_VALUES // max(1, self.width))

    def many(self, starts: NDArray[np.int64], count: int) -> NDArray[Any]:
        """Read `count` rows from each of the starts, shape ``(starts, count, *item_shape)``."""
        if self.gather is not None:
            return self.gather(starts, count)
        result = np.empty((len(starts), count, *self.item_shape), self.dtype)
        for place, start in enumerate(starts.tolist()):
            result[place] = self.read(start, start + count)
        return result

    def ranges(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[Any]:
        """Read ranges of rows, and lay them end to end; the starts do not decrease."""
        if self.gather is not None:
            return self.gather(starts, stops - starts)
        result = np.empty((int((stops - starts).sum()), *self.item_shape), self.dtype)
        at = 0
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            if stop > start:
                result[at : at + stop - start] = self.read(start, stop)
                at += stop - start
        return result

    def at(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Read single values, at positions that do not decrease along axis 0.

        Parameters
        ----------
        places : ndarray of int64, shape ``(points, *item_shape)``
            Row of each value.

        Returns
        -------
        ndarray, shape ``(points, *item_shape)``
        """
        result = np.empty(places.shape, self.dtype)
        flat = places.reshape(len(places), -1)
        low, high = flat.min(axis=1), flat.max(axis=1)
        at = 0
        while at < len(flat):  # as many points as lie within a piece
            reach = int(low[at]) + self.rows_per_piece
            end = max(at + 1, int(np.searchsorted(high, reach, "left")))
            first, last = int(low[at]), int(high[end - 1]) + 1
            if last - first <= self.rows_per_piece:
                values = self.read(first, last)
                result[at:end] = np.take_along_axis(values, places[at:end] - first, axis=0)
            else:  # channels of one point that lie far apart
                result[at] = self._one_by_one(flat[at]).reshape(self.item_shape)
            at = end
        return result

    def _one_by_one(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Read one value of each channel, at its own position: shape (channels,)."""
        rows = self.many(places, 1).reshape(len(places), -1)
        return rows[np.arange(len(places)), np.arange(len(places))]

    def between(self, start: int, stop: int) -> Rows:
        """Give rows [start, stop) as rows of their own."""
        gather = self.gather
        return Rows(
            lambda first, last: self.read(start + first, start + last),
            stop - start,
            self.dtype,
            self.item_shape,
            None if gather is None else lambda starts, counts: gather(starts + start, counts),
        )


def pieces_of(rows: Rows, start: int, stop: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Read rows [start, stop) piece by piece, each with the position of its first row."""
    for first in range(start, stop, rows.rows_per_piece):
        yield first, rows.read(first, min(stop, first + rows.rows_per_piece))


def spans(edges: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Join neighbouring bins to spans of at most `most` rows, or of a single bin."""
    at, last = 0, len(edges) - 1
    while at < last:
        end = int(np.searchsorted(edges, edges[at] + most, "right")) - 1
        end = min(max(end, at + 1), last)
        yield at, end
        at = end


def laid_out(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the numbers of ranges, end to end."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    shifts: NDArray[np.int64] = np.repeat(starts - (ends - counts), counts)
    return shifts + np.arange(total)
