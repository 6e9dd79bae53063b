"""From positions and extents of tags to parts of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ephyrus.nix.axes import Axis, SetAxis
from ephyrus.nix.data_view import DataView
from ephyrus.nix.enums import SliceMode
from ephyrus.nix.exceptions import IncompatibleDimensions, OutOfBounds
from ephyrus.nix.util import units

if TYPE_CHECKING:
    from ephyrus.nix.data_array import DataArray

__all__ = ["Regions", "Target", "find_regions", "reference_at", "region_view", "target_of"]


@dataclass(frozen=True)
class Target:
    """What regions are found in: an array, its axes, and the factors of the tag's units.

    Attributes
    ----------
    array : DataArray
        Whose parts are taken.
    shape : tuple of int
        Of the array.
    axes : tuple of Axis
        Read from its dimensions.
    scales : tuple of float
        From the units of the tag to those of the axes.
    """

    array: DataArray
    shape: tuple[int, ...]
    axes: tuple[Axis, ...]
    scales: tuple[float, ...]


def target_of(array: DataArray, tag_units: Sequence[str], rank: int) -> Target:
    """Read what is needed to find regions of `rank` coordinates in an array.

    Raises
    ------
    IncompatibleDimensions
        If a unit of the tag does not fit the unit of a dimension.
    """
    axes = tuple(dimension._axis() for dimension in array.dimensions)
    scales = tuple(
        _scale(tag_units[number] if number < len(tag_units) else None, axis, number, array.name)
        for number, axis in enumerate(axes[:rank])
    )
    return Target(array, array.shape, axes, scales)


def _scale(unit: str | None, axis: Axis, number: int, name: str) -> float:
    """Give the factor from a unit of the tag to that of an axis."""
    if not unit or (unit == "none" and isinstance(axis, SetAxis)):
        return 1.0
    where = f"dimension {number + 1} of data array {name!r}"
    if axis.unit is None:
        raise IncompatibleDimensions(f"the tag has the unit {unit!r}, the dimension none", where)
    if unit == axis.unit:
        return 1.0
    if not units.scalable(unit, axis.unit):
        raise IncompatibleDimensions(
            f"the unit {unit!r} of the tag does not fit the unit {axis.unit!r} of the dimension",
            where,
        )
    return units.scaling(unit, axis.unit)


def _bounds(
    axis: Axis, scale: float, position: float, extent: float | None, stop_rule: SliceMode
) -> tuple[int, int] | None:
    """Find the first and the last index of a region on one axis."""
    start = float(position) * scale
    if extent is None or extent == 0:
        return axis.range_indices(start, start, SliceMode.Inclusive)
    stop = start + float(extent) * scale
    if stop < start:
        return None
    return axis.range_indices(start, stop, stop_rule)


def region_slices(
    target: Target, position: Sequence[float], extent: Sequence[float] | None, stop_rule: SliceMode
) -> list[slice] | str:
    """Give the slices of a region, or why there is none.

    The slices may pass the end of the data: that is for the caller to judge.
    """
    shape, axes = target.shape, target.axes
    if len(axes) < len(shape):
        return f"the data array has {len(shape)} axes but only {len(axes)} dimensions"
    slices = []
    for number, length in enumerate(shape):
        if number >= len(position):
            slices.append(slice(0, length))
            continue
        found = _bounds(
            axes[number],
            target.scales[number],
            position[number],
            None if extent is None else extent[number],
            stop_rule,
        )
        if found is None:
            return f"axis {number + 1}: no sample in the region at {position[number]}"
        slices.append(slice(found[0], found[1] + 1))
    return slices


def region_view(
    target: Target,
    position: Sequence[float],
    extent: Sequence[float] | None,
    stop_rule: SliceMode,
    *,
    is_strict: bool,
) -> DataView:
    """Give the part of an array that a region covers.

    Parameters
    ----------
    target : Target
        Where to find it.
    position, extent : sequence of float
        Of the region; without an extent it is a point.
    stop_rule : SliceMode
        Whether a sample exactly at the end belongs to it.
    is_strict : bool
        Whether a region that passes the end of the data is an error (else a view of nothing).

    Raises
    ------
    OutOfBounds
        If `is_strict` and the region passes the end of the data.
    """
    checked_rule(stop_rule)
    slices = region_slices(target, position, extent, stop_rule)
    if isinstance(slices, str):
        return DataView(target.array, None, slices)
    if passes_end(slices, target.shape):
        message = f"the region at {list(position)} passes the end of the data {target.shape}"
        if is_strict:
            raise OutOfBounds(message)
        return DataView(target.array, None, message)
    return DataView(target.array, slices, is_inside=True)


def checked_rule(stop_rule: Any) -> None:
    """Refuse what is no stop rule."""
    if not isinstance(stop_rule, SliceMode):
        text = f"unknown stop rule {stop_rule!r}; expected a member of SliceMode"
        raise ValueError(text)  # noqa: TRY004 - as published


def passes_end(slices: Sequence[slice], shape: tuple[int, ...]) -> bool:
    """Tell whether a region ends behind the data."""
    return any(each.stop > length for each, length in zip(slices, shape, strict=True))


def reference_at(references: Any, key: Any, error: type[IndexError] = OutOfBounds) -> Any:
    """Give a reference of a tag by index, name or id.

    Raises
    ------
    OutOfBounds
        If the tag has no references, or not so many.
    KeyError
        If none has this name or id.
    """
    if isinstance(key, str):
        return references[key]
    count = len(references)
    if not count:
        raise OutOfBounds("the tag has no references")
    if not -count <= key < count:
        raise error(f"the tag has {count} references, none has the index {key}")
    return references[key]


def rows_of(values: NDArray[Any], rank: int) -> NDArray[Any]:
    """Give positions or extents as one row for each region."""
    return values.reshape(-1, 1) if values.ndim < 2 else values.reshape(len(values), -1)


@dataclass(frozen=True)
class Regions:
    """Many regions of an array, in indices.

    Attributes
    ----------
    target : Target
        Where they are.
    starts, stops : ndarray of int64, shape (n, rank)
        Of each region on each axis.
    valid : ndarray of bool, shape (n,)
        Whether it holds a sample and lies inside of the data.
    """

    target: Target
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    valid: NDArray[np.bool_]

    def views(self) -> list[DataView]:
        """Give each as a view."""
        array = self.target.array
        message = "no sample in the region, or it passes the end of the data"
        bounds = zip(self.starts.tolist(), self.stops.tolist(), self.valid.tolist(), strict=True)
        return [
            DataView(array, list(map(slice, starts, stops)), is_inside=True)
            if is_valid
            else DataView(array, None, message)
            for starts, stops, is_valid in bounds
        ]

    def read(self) -> list[NDArray[Any]]:
        """Read all: those that lie close to each other by one read of the file."""
        array = self.target.array
        empty = array[tuple(slice(0, 0) for _ in self.target.shape)]
        result = [empty] * len(self.valid)
        for group in self._neighbours():
            starts, stops = self.starts[group], self.stops[group]
            first, last = int(starts[:, 0].min()), int(stops[:, 0].max())
            block = array[first:last]
            starts[:, 0] -= first
            stops[:, 0] -= first
            numbers = group.tolist()
            if block.ndim == 1:
                parts = _cut(block, starts[:, 0], stops[:, 0])
                for number, part in zip(numbers, parts, strict=True):
                    result[number] = part
                continue
            corners = zip(numbers, starts.tolist(), stops.tolist(), strict=True)
            for number, first_corner, last_corner in corners:
                result[number] = block[tuple(map(slice, first_corner, last_corner))].copy()
        return result

    def _neighbours(self) -> list[NDArray[np.intp]]:
        """Cut the regions, sorted by their start, into groups that are read together."""
        shape, dtype = self.target.shape, self.target.array.dtype
        row = max(1, dtype.itemsize * int(np.prod(shape[1:], dtype=object)))
        numbers = np.flatnonzero(self.valid)
        order, starts = numbers, self.starts[numbers, 0]
        if not len(order):
            return []
        if np.any(starts[1:] < starts[:-1]):
            order = numbers[np.argsort(starts, kind="stable")]
            starts = self.starts[order, 0]
        reach = np.maximum.accumulate(self.stops[order, 0])
        is_cut = (starts[1:] - reach[:-1]) * row > _GAP
        # Cutting where a multiple of the limit is passed keeps the reads below about twice it.
        pieces = (starts - starts[0]) * row // _READ_AT_ONCE
        is_cut |= np.diff(pieces) > 0
        return np.split(order, np.flatnonzero(is_cut) + 1)


def _cut(
    block: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> list[NDArray[Any]]:
    """Give parts of a block; those of many short ones share one array that holds nothing else."""
    lengths = stops - starts
    shortest, longest = int(lengths.min()), int(lengths.max())
    if longest > _SHORT:
        pairs = zip(starts.tolist(), stops.tolist(), strict=True)
        return [block[start:stop].copy() for start, stop in pairs]
    if shortest == longest:
        return list(sliding_window_view(block, longest)[starts])
    ends = np.cumsum(lengths)
    begins = ends - lengths
    values = block[np.repeat(starts - begins, lengths) + np.arange(ends[-1])]
    return [values[start:end] for start, end in zip(begins.tolist(), ends.tolist(), strict=True)]


def find_regions(
    target: Target, rows: NDArray[Any], lengths: NDArray[Any] | None, stop_rule: SliceMode
) -> Regions:
    """Find many regions at once; each as :func:`region_slices` finds it.

    Parameters
    ----------
    target : Target
        Where to find them.
    rows, lengths : ndarray, shape (n, d)
        Positions and extents.
    stop_rule : SliceMode
        Whether a sample exactly at the end belongs to a region.
    """
    count, shape = len(rows), target.shape
    starts = np.zeros((count, len(shape)), np.int64)
    stops = np.tile(np.array(shape, np.int64), (count, 1))
    valid = np.full(count, len(target.axes) >= len(shape))
    for number in range(min(len(shape), rows.shape[1], len(target.axes))):
        begin = rows[:, number].astype(np.float64) * target.scales[number]
        end, inclusive = begin, np.ones(count, bool)
        if lengths is not None:
            extent = lengths[:, number].astype(np.float64)
            end = begin + extent * target.scales[number]
            inclusive = (extent == 0) | (stop_rule is SliceMode.Inclusive)
        first, last = target.axes[number].many_ranges(begin, end, inclusive)
        starts[:, number], stops[:, number] = first, last + 1
        valid &= (first <= last) & (last < shape[number])
    return Regions(target, starts, stops, valid)


_READ_AT_ONCE = 2**24  # bytes
_SHORT = 64  # values of a region, up to which picking them is faster than a copy for each
_GAP = 2**16  # bytes that are read for nothing rather than by a read of their own
