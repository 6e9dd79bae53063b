"""Lowest and highest values of stretches of a signal, in the order in which they occur.

Two values stand for a stretch: its lowest and its highest, the one that occurs first (for the first
time) before the other. A signal of such pairs has the same extremes, in the same order, as the
signal that it was made of; so pairs of stretches are made of pairs of their parts. NaNs count as
nothing; a stretch of NaNs only is a pair of NaNs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Extremes", "Running", "extreme_pairs", "extreme_positions"]

WIDE = 2048  # values side by side from which on a step over all of them costs more than its calls
FEW = 16384  # values in all that are compared in one go
SPLIT = 8192  # values side by side that long stretches are split into


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """Extremes of many stretches.

    Attributes
    ----------
    low, high : ndarray, shape (stretches, ...)
        Lowest and highest values.
    low_first : ndarray of bool, shape (stretches, ...)
        The lowest occurs before the highest, or at the same place.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    low_first: NDArray[np.bool_]

    @classmethod
    def of_pairs(cls, first: NDArray[Any], second: NDArray[Any]) -> Extremes:
        """Take pairs apart; a sample is a pair of itself."""
        return cls(np.minimum(first, second), np.maximum(first, second), ~(first > second))

    def then(self, later: Extremes) -> Extremes:
        """Give the extremes of each stretch together with the one that follows it."""
        lower, higher = later.low < self.low, later.high > self.high
        if self.low.dtype.kind != "f":
            low = np.minimum(self.low, later.low)
            high = np.maximum(self.high, later.high)
        else:
            empty = np.isnan(self.low)
            lower |= empty
            higher |= empty
            low = np.where(lower, later.low, self.low)
            high = np.where(higher, later.high, self.high)
        low_first = higher & (later.low_first | ~lower)
        low_first |= self.low_first > (lower | higher)
        return Extremes(low, high, low_first)

    def outdone_before(self, earlier: Extremes) -> NDArray[np.bool_]:
        """Tell where any part of `earlier`, which lies before, could change something."""
        changes = (earlier.low <= self.low) | (earlier.high >= self.high)
        return self._or_empty(changes, earlier)

    def outdone_after(self, later: Extremes) -> NDArray[np.bool_]:
        """Tell where any part of `later`, which lies behind, could change something."""
        changes = (later.low < self.low) | (later.high > self.high)
        return self._or_empty(changes, later)

    def _or_empty(self, changes: NDArray[np.bool_], other: Extremes) -> NDArray[np.bool_]:
        if self.low.dtype.kind == "f":
            changes |= np.isnan(self.low) & ~np.isnan(other.low)
        return changes

    def pairs(self) -> NDArray[Any]:
        """Give the values in order of occurrence, shape (stretches, 2, ...)."""
        result = np.empty((len(self.low), 2, *self.low.shape[1:]), self.low.dtype)
        result[:, 0] = np.where(self.low_first, self.low, self.high)
        result[:, 1] = np.where(self.low_first, self.high, self.low)
        return result

    def __getitem__(self, chosen: Any) -> Extremes:
        return Extremes(self.low[chosen], self.high[chosen], self.low_first[chosen])

    def __setitem__(self, chosen: Any, other: Extremes) -> None:
        self.low[chosen] = other.low
        self.high[chosen] = other.high
        self.low_first[chosen] = other.low_first


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """Extremes of many stretches that are gone through side by side, a sample of each at a time.

    Attributes
    ----------
    low, high : ndarray, shape (stretches, ...)
        Lowest and highest so far; infinite, the wrong way round, where only NaNs were met.
    low_first : ndarray of bool, shape (stretches, ...)
        The lowest occurred before the highest, or at the same place.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    low_first: NDArray[np.bool_]

    @classmethod
    def of(cls, first: NDArray[Any]) -> Running:
        """Begin with the first samples."""
        low, high = first.copy(), first.copy()
        if first.dtype.kind == "f":
            missing = np.isnan(first)
            low[missing], high[missing] = np.inf, -np.inf
        return cls(low, high, np.ones(first.shape, np.bool_))

    def add(self, values: NDArray[Any]) -> None:
        """Add the next sample of each stretch; the extreme that was changed last is the later."""
        is_float = values.dtype.kind == "f"
        lower = values < self.low
        (np.fmin if is_float else np.minimum)(self.low, values, out=self.low)
        np.greater(self.low_first, lower, out=self.low_first)
        higher = values > self.high
        (np.fmax if is_float else np.maximum)(self.high, values, out=self.high)
        np.logical_or(self.low_first, higher, out=self.low_first)

    def result(self) -> Extremes:
        """Give what was found; stretches of NaNs only are NaN."""
        if self.low.dtype.kind == "f":
            missing = self.low > self.high
            self.low[missing] = self.high[missing] = np.nan
        return Extremes(self.low, self.high, self.low_first)


def extreme_pairs(
    values: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[Any]:
    """Give lowest and highest value of stretches, in order of occurrence.

    Parameters
    ----------
    values : ndarray, shape (rows, ...)
        Numbers.
    starts, stops : ndarray of int64, shape (stretches,)
        Half-open ranges of rows, none empty. Quickest where all are about equally long.

    Returns
    -------
    ndarray, shape (stretches, 2, ...)
        Of the dtype of the values.
    """
    side_by_side = len(starts) * int(np.prod(values.shape[1:], dtype=np.int64))
    longest = int((stops - starts).max(initial=0))
    if side_by_side * longest <= FEW:
        rows = np.minimum(starts[:, None] + np.arange(longest), stops[:, None] - 1)
        return _joined(values[rows])
    parts = min(SPLIT // max(1, side_by_side), longest // 4)
    if side_by_side >= WIDE or parts < 2:
        return _step_by_step(values, starts, stops, longest)
    step = -(-longest // parts)
    # stretches that have fewer parts end in copies of their last sample, which change nothing
    begins = np.minimum(starts[:, None] + np.arange(parts) * step, stops[:, None] - 1)
    ends = np.minimum(begins + step, stops[:, None])
    pairs = _step_by_step(values, begins.ravel(), ends.ravel(), step)
    return _joined(pairs.reshape(len(starts), 2 * parts, *values.shape[1:]))


def _step_by_step(
    values: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64], longest: int
) -> NDArray[Any]:
    """Go through all stretches at once, a row of each at a time."""
    ends = stops - 1
    found = Running.of(values[starts])
    for step in range(1, longest):
        found.add(values[np.minimum(starts + step, ends)])
    return found.result().pairs()


def _joined(pairs: NDArray[Any]) -> NDArray[Any]:
    """Give the pair of the pairs of each stretch: from (stretches, values, ...)."""
    places = _places(np.moveaxis(pairs, 1, -1))
    return np.take_along_axis(pairs, np.moveaxis(places, -1, 1), axis=1)


def _places(values: NDArray[Any]) -> NDArray[np.intp]:
    """Give first places of lowest and highest value along the last axis, in order: (..., 2)."""
    missing = np.isnan(values) if values.dtype.kind == "f" else None
    if missing is None or not missing.any():
        lowest, highest = values.argmin(axis=-1), values.argmax(axis=-1)
    else:
        low = np.fmin.reduce(values, axis=-1, keepdims=True)
        high = np.fmax.reduce(values, axis=-1, keepdims=True)
        lowest, highest = (values == low).argmax(axis=-1), (values == high).argmax(axis=-1)
    return np.stack([np.minimum(lowest, highest), np.maximum(lowest, highest)], axis=-1)


def extreme_positions(
    values: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give the rows of lowest and highest value of stretches, in order of occurrence.

    Parameters
    ----------
    values, starts, stops
        As for `extreme_pairs`.

    Returns
    -------
    ndarray of int64, shape (stretches, 2, ...)
        Rows of `values`.
    """
    longest = int((stops - starts).max(initial=0))
    rows = np.minimum(starts[:, None] + np.arange(longest), stops[:, None] - 1)
    places = np.moveaxis(_places(np.moveaxis(values[rows], 1, -1)), -1, 1)
    return places + starts.reshape(-1, *[1] * (places.ndim - 1))
