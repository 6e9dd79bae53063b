"""Rows of an array of times: found by binary search where it is sorted, else by looking at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Found", "Read", "Times", "rows_within"]

Read = Callable[[int, int], NDArray[Any]]
"""``read(start, stop)`` gives elements [start, stop) of a one-dimensional array."""

_FEW = 4096  # elements that are read at once rather than searched further
_BLOCK = 2**17  # elements of a block when all are looked at


@dataclass(frozen=True, slots=True)
class Found:
    """Elements of an unsorted array that lie in a window.

    Attributes
    ----------
    count : int
        How many there are.
    first : float or None
        The one that comes first in the array.
    largest : float or None
        The largest one.
    """

    count: int = 0
    first: float | None = None
    largest: float | None = None


class Times:
    """An array of times, read where it is needed.

    Parameters
    ----------
    n : int
        Number of times.
    units : str
        Their unit.
    read : callable
        ``read(start, stop)`` gives a part of the array, of any type of numbers.
    is_sorted : bool or None
        The times do not decrease; None: not known, it is found out when needed.
    """

    def __init__(self, n: int, units: str, read: Read, *, is_sorted: bool | None = None) -> None:
        self.n = n
        self.units = units
        self._read = read
        self._is_sorted = is_sorted

    @cached_property
    def is_sorted(self) -> bool:
        """The times do not decrease and none is missing (NaN)."""
        if self._is_sorted is not None:
            return self._is_sorted
        before = -np.inf
        for _, block in self.blocks():
            if not bool(block[0] >= before) or not bool(np.all(block[1:] >= block[:-1])):
                return False
            before = float(block[-1])
        return True

    @cached_property
    def _all(self) -> NDArray[np.float64] | None:
        """All times where they are few."""
        return self._floats(0, self.n) if self.n <= _FEW else None

    def _floats(self, start: int, stop: int) -> NDArray[np.float64]:
        return np.asarray(self._read(start, stop)).astype(np.float64, copy=False)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read a part in blocks: position and values of each."""
        end = self.n if stop is None else stop
        for first in range(start, end, _BLOCK):
            yield first, self._floats(first, min(first + _BLOCK, end))

    def at(self, index: int) -> float:
        """Give the time at a position, in the unit of the array."""
        if self._all is not None:
            return float(self._all[index])
        return float(self._floats(index, index + 1)[0])

    def locate(self, time: float, side: Literal["left", "right"]) -> int:
        """Find a position by binary search; the times must be sorted.

        Parameters
        ----------
        time : float
            In the unit of the array.
        side : {"left", "right"}
            ``"left"``: number of times before `time`. ``"right"``: that are not after it.
        """
        low, high = 0, self.n
        while high - low > _FEW:
            middle = (low + high) // 2
            value = self.at(middle)
            if value < time or (side == "right" and value == time):
                low = middle + 1
            else:
                high = middle
        block = self._all if self._all is not None else self._floats(low, high)
        return low + int(np.searchsorted(block, np.float64(time), side))

    def find(self, low: float | None, high: float | None) -> Found:
        """Look at all times for those in a closed window, in the unit of the array."""
        count, first, largest = 0, None, None
        for _, block in self.blocks():
            within = block[rows_within(block, low, high)]
            if not len(within):
                continue
            count += len(within)
            first = float(within[0]) if first is None else first
            top = float(within.max())
            largest = top if largest is None else max(largest, top)
        return Found(count, first, largest)

    def window(self, low: float | None, high: float | None) -> slice | NDArray[np.int64]:
        """Find the rows of a closed window.

        Parameters
        ----------
        low, high : float or None
            Ends of the window in the unit of the array; both belong to it. None: open.

        Returns
        -------
        slice or ndarray of int64
            A slice where the times are sorted, else the positions in ascending order.
        """
        if self.is_sorted:
            start = 0 if low is None else self.locate(low, "left")
            stop = self.n if high is None else self.locate(high, "right")
            return slice(start, max(start, stop))
        found = [
            first + np.flatnonzero(rows_within(block, low, high)) for first, block in self.blocks()
        ]
        return (
            np.concatenate(found).astype(np.int64, copy=False) if found else np.empty(0, np.int64)
        )


def rows_within(values: NDArray[Any], low: float | None, high: float | None) -> NDArray[np.bool_]:
    """Mark the values that lie in a closed window; None: open on that side."""
    within: NDArray[np.bool_] = ~np.isnan(values)
    if low is not None:
        within &= values >= np.float64(low)
    if high is not None:
        within &= values <= np.float64(high)
    return within
