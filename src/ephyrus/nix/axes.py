"""Arithmetic of axes: from positions to indices and back, without a file.

The three kinds have the same methods, so regions are found in one way for all of them.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.nix.enums import IndexMode, SliceMode

__all__ = ["Axis", "RangeAxis", "SampledAxis", "SetAxis"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ranges = tuple[NDArray[np.int64], NDArray[np.int64]]

_NEAR = 1e-9  # of a sample: what counts as exactly on it, beside the error of the arithmetic


def _checked_mode(mode: Any, kind: type[IndexMode] | type[SliceMode]) -> None:
    if not isinstance(mode, kind):
        text = f"unknown mode {mode!r}; expected a member of {kind.__name__}"
        raise ValueError(text)  # noqa: TRY004 - as published


@dataclass(frozen=True)
class SampledAxis:
    """Samples at regular positions: ``offset + index * interval``; it has no upper end.

    Parameters
    ----------
    interval : float
        Distance of two samples, in `unit`.
    offset : float
        Position of the first sample, in `unit`.
    unit, label : str or None
        Of the positions.
    """

    interval: float
    offset: float = 0.0
    unit: str | None = None
    label: str | None = None

    def _coordinate(self, position: float) -> tuple[float, bool]:
        """Give a position in samples, and whether it is exactly on one (then it is whole)."""
        if not self.interval:
            raise ValueError("the sampling interval is 0: positions have no index")
        exact = (position - self.offset) / self.interval
        if not math.isfinite(exact):
            return exact, False
        rounding = max(
            math.ulp(exact),
            math.ulp(position) / abs(self.interval),
            math.ulp(self.offset) / abs(self.interval),
        )
        nearest = round(exact)
        on_sample = abs(exact - nearest) <= _NEAR + 4 * rounding
        return (float(nearest), True) if on_sample else (exact, False)

    def index_of(self, position: float, mode: IndexMode = IndexMode.LessOrEqual) -> int:
        """Find the sample for a position.

        Parameters
        ----------
        position : float
            In the unit of the axis.
        mode : IndexMode
            Which sample to take where it lies between two.

        Raises
        ------
        IndexError
            If there is no such sample.
        ValueError
            If the mode is none.
        """
        _checked_mode(mode, IndexMode)
        coordinate, on_sample = self._coordinate(float(position))
        if math.isnan(coordinate) or math.isinf(coordinate):
            raise IndexError(f"position {position} is on no axis")
        if mode is IndexMode.GreaterOrEqual:
            return max(0, math.ceil(coordinate))
        found = math.floor(coordinate)
        if mode is IndexMode.Less and on_sample:
            found -= 1
        if found < 0:
            raise IndexError(
                f"position {position} lies before the axis, which starts at {self.offset}"
            )
        return found

    def range_indices(
        self, start: float, end: float, mode: SliceMode = SliceMode.Exclusive
    ) -> tuple[int, int] | None:
        """Find the first and the last sample between two positions; None if there is none."""
        _checked_mode(mode, SliceMode)
        if start > end:
            return None
        try:
            first = self.index_of(start, IndexMode.GreaterOrEqual)
            last = self.index_of(end, mode.to_index_mode())
        except IndexError:
            return None
        return None if first > last else (first, last)

    def _coordinates(self, positions: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Give positions in samples as :meth:`_coordinate` does, for many."""
        if not self.interval:
            raise ValueError("the sampling interval is 0: positions have no index")
        exact = (positions - self.offset) / self.interval
        step = abs(self.interval)
        rounding = np.maximum(np.spacing(np.abs(exact)), np.spacing(np.abs(positions)) / step)
        rounding = np.maximum(rounding, math.ulp(self.offset) / step)
        nearest = np.rint(exact)
        on_sample = np.abs(exact - nearest) <= _NEAR + 4 * rounding
        return np.where(on_sample, nearest, exact), on_sample

    def many_ranges(self, starts: Floats, stops: Floats, inclusive: Flags) -> Ranges:
        """Find first and last samples of many regions; the last is before the first of none."""
        with np.errstate(invalid="ignore", over="ignore"):
            first, _ = self._coordinates(starts)
            last, on_sample = self._coordinates(stops)
            last = np.floor(last) - (on_sample & ~inclusive)
            is_fine = np.isfinite(first) & np.isfinite(last) & (starts <= stops)
            found = np.where(is_fine, np.maximum(np.ceil(first), 0), 0).astype(np.int64)
            return found, np.where(is_fine, last, -1).astype(np.int64)

    def positions(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give the positions of samples."""
        return np.arange(start, stop, dtype=np.float64) * self.interval + self.offset

    def slice(self, start: int, stop: int | None) -> SampledAxis:
        """Give the axis of a part."""
        return SampledAxis(
            self.interval, self.offset + start * self.interval, self.unit, self.label
        )


def _member_index(members: Sequence[float] | NDArray[Any], position: float, mode: IndexMode) -> int:
    """Search in sorted positions, for :meth:`RangeAxis.index_of`."""
    _checked_mode(mode, IndexMode)
    count = len(members)
    if math.isnan(position):
        raise IndexError("position nan is on no axis")
    if mode is IndexMode.GreaterOrEqual:
        found = bisect_left(members, position)
        if found == count:
            raise IndexError(f"position {position} lies behind the axis of {count} positions")
        return found
    search = bisect_left if mode is IndexMode.Less else bisect_right
    found = search(members, position) - 1
    if found < 0:
        raise IndexError(f"position {position} lies before the axis of {count} positions")
    return found


def _member_range(
    members: Sequence[float] | NDArray[Any], start: float, end: float, mode: SliceMode
) -> tuple[int, int] | None:
    _checked_mode(mode, SliceMode)
    if start > end:
        raise IndexError(f"start {start} lies behind end {end}")
    try:
        first = _member_index(members, start, IndexMode.GreaterOrEqual)
        last = _member_index(members, end, mode.to_index_mode())
    except IndexError:
        return None
    return None if first > last else (first, last)


def _member_ranges(
    members: NDArray[Any], starts: Floats, stops: Floats, inclusive: Flags
) -> Ranges:
    first = np.searchsorted(members, starts, "left")
    right = np.searchsorted(members, stops, "right")
    last = np.where(inclusive, right, np.searchsorted(members, stops, "left")) - 1
    is_fine = (starts <= stops) & (first < len(members))  # false where one is nan
    return first, np.where(is_fine, last, -1)


@dataclass(frozen=True)
class RangeAxis:
    """Samples at given positions, the ticks, in ascending order."""

    ticks: NDArray[Any]
    unit: str | None = None
    label: str | None = None

    def index_of(self, position: float, mode: IndexMode = IndexMode.LessOrEqual) -> int:
        """Find the tick for a position, as :meth:`SampledAxis.index_of`."""
        return _member_index(self.ticks, float(position), mode)

    def range_indices(
        self, start: float, end: float, mode: SliceMode = SliceMode.Exclusive
    ) -> tuple[int, int] | None:
        """Find the first and the last tick between two positions; None if there is none.

        Raises
        ------
        IndexError
            If `start` lies behind `end`.
        """
        return _member_range(self.ticks, start, end, mode)

    def many_ranges(self, starts: Floats, stops: Floats, inclusive: Flags) -> Ranges:
        """Find first and last ticks of many regions, as :meth:`SampledAxis.many_ranges`."""
        return _member_ranges(self.ticks, starts, stops, inclusive)

    def positions(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give ticks."""
        return np.asarray(self.ticks[start:stop], np.float64)

    def slice(self, start: int, stop: int | None) -> RangeAxis:
        """Give the axis of a part."""
        return RangeAxis(self.ticks[start:stop], self.unit, self.label)


@dataclass(frozen=True)
class SetAxis:
    """Items with or without labels; their positions are their indices."""

    labels: tuple[str, ...] = ()
    label: str | None = None
    first: int = 0  # index of the first item in the axis from which this one was cut
    unit: None = field(default=None, init=False)

    def index_of(self, position: float, mode: IndexMode = IndexMode.LessOrEqual) -> int:
        """Find the item for a position; without labels the axis has no upper end."""
        if not self.labels:
            return SampledAxis(1.0).index_of(position, mode)
        return _member_index(range(len(self.labels)), float(position), mode)

    def range_indices(
        self, start: float, end: float, mode: SliceMode = SliceMode.Exclusive
    ) -> tuple[int, int] | None:
        """Find the first and the last item between two positions; None if there is none.

        Raises
        ------
        IndexError
            If `start` lies behind `end`.
        """
        if not self.labels:
            _checked_mode(mode, SliceMode)
            if start > end:
                raise IndexError(f"start {start} lies behind end {end}")
            return SampledAxis(1.0).range_indices(start, end, mode)
        return _member_range(range(len(self.labels)), start, end, mode)

    def many_ranges(self, starts: Floats, stops: Floats, inclusive: Flags) -> Ranges:
        """Find first and last items of many regions, as :meth:`SampledAxis.many_ranges`."""
        if not self.labels:
            return SampledAxis(1.0).many_ranges(starts, stops, inclusive)
        return _member_ranges(np.arange(len(self.labels)), starts, stops, inclusive)

    def positions(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give indices."""
        return np.arange(start, stop, dtype=np.float64) + self.first

    def slice(self, start: int, stop: int | None) -> SetAxis:
        """Give the axis of a part."""
        return SetAxis(self.labels[start:stop], self.label, self.first + start)


Axis = SampledAxis | RangeAxis | SetAxis
