"""What spike trains, events and epochs have in common: points in time.

All three are one-dimensional arrays of times with attributes that have one entry per item
(waveforms, labels, durations). Indexing, sorting, shifting, loading and cutting treat those
alike, so they are written here once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
import quantities as pq

from ephyrus.core._arraydict import index_arrays
from ephyrus.core._pointviews import PointViews
from ephyrus.core._times import check_time_unit
from ephyrus.core._windows import window_index
from ephyrus.core.baseneo import copy_annotations
from ephyrus.core.dataobject import DataObject
from ephyrus.core.lazy import MAX_CHUNK_BYTES, Points, PointSource, chunk_bounds, read_points
from ephyrus.core.units import SECOND, UnitInfo, convert, quantity, scalar_in, unit_of
from ephyrus.errors import MergeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PointObject"]

# What a label is assumed to take when a lazy object is cut into pieces to be read.
_LABEL_BYTES = 128


class PointObject(PointViews, DataObject):
    """Base of SpikeTrain, Event and Epoch: a one-dimensional array of times."""

    _quantity_attr: ClassVar[str] = "times"
    #: names of the attributes (in ``__dict__``) that have one entry per item, or are None or empty
    _item_attrs: ClassVar[tuple[str, ...]] = ()
    #: what an item is called in messages
    _items_name: ClassVar[str] = "items"

    # Extent in the object's unit: of spike trains always, of events and epochs if lazy.
    _t_start: float | None = None
    _t_stop: float | None = None

    # --- time -----------------------------------------------------------------------------

    @property
    def times(self) -> pq.Quantity:
        """The times as a plain Quantity (a view)."""
        return self.view(pq.Quantity)

    def _own_time(self, value: Any, name: str) -> float:
        """Return a time as a number in the units of this object; bare numbers are in them."""
        return scalar_in(value, self._unit, name)

    def _rescale_more(self, new: Self, source: UnitInfo, target: UnitInfo) -> None:
        if self._t_start is not None:
            new._t_start = convert(self._t_start, source, target)
        if self._t_stop is not None:
            new._t_stop = convert(self._t_stop, source, target)
        self._copy_items(new)

    def time_shift(self, t_shift: pq.Quantity | float) -> Self:
        """Shift all times.

        Parameters
        ----------
        t_shift : Quantity or float
            Added to every time (and to the limits of a spike train); a bare number is in the
            units of this object.

        Returns
        -------
        same class
            A copy with all metadata and array annotations, without segment.

        Raises
        ------
        ValueError
            If `t_shift` is not a single time.
        """
        shift = self._own_time(t_shift, "t_shift")
        source = self._loaded()
        return source._shifted(source.view(np.ndarray) + shift, shift, shift)

    def _shifted(self, data: NDArray[Any], start_by: float, stop_by: float) -> Self:
        """Return a copy around shifted times, its limits moved, without segment."""
        new = self._like(data)
        self._copy_items(new)
        new.segment = None
        if self._source is not None:  # nothing is loaded, so nothing can be annotated
            new._array_annotations = None
        if new._t_start is not None and new._t_stop is not None:
            new._t_start += start_by
            new._t_stop += stop_by
        return new

    # --- indexing -------------------------------------------------------------------------

    @overload
    def __getitem__(self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: Any) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        data = self.view(np.ndarray)[index]
        if not isinstance(data, np.ndarray) or data.ndim == 0:
            return self._item(index, quantity(data, self._unit))
        if data.ndim > 1:
            return quantity(data, self._unit)
        return self._at(index, data)

    def _item(self, index: Any, time: pq.Quantity) -> pq.Quantity:
        """Complete one item (events and epochs add their label)."""
        return time

    def _at(self, index: Any, data: NDArray[Any]) -> Self:
        """Return an object of some of the items; `data` are the times already indexed."""
        new: Self = data.view(type(self))  # type: ignore[assignment]  # quantities has no types
        own = self.__dict__
        state = new.__dict__
        state.update(own)
        if own.get("_source") is not None:  # nothing is loaded, so there is nothing to index
            state["_array_annotations"] = None
        self._own_annotations(state)
        for name in self._item_attrs:
            values = own.get(name)
            if values is not None and len(values):
                state[name] = values[index]
        arrays = state.get("_array_annotations")
        if arrays:
            state["_array_annotations"] = index_arrays(arrays, index)
        elif arrays is not None:
            state["_array_annotations"] = None
        return new

    def _taken(self, index: Any) -> Self:
        """Return an independent copy of some of the items, without segment."""
        return self._at(index, self.view(np.ndarray)[index])._independent()

    def __setitem__(self, index: Any, value: Any) -> None:
        values = self._numbers(value)
        self._check_new(values)
        self.view(np.ndarray)[index] = values

    def _numbers(self, value: Any) -> Any:
        """Return times as plain numbers in the units of this object."""
        if isinstance(value, pq.Quantity):
            unit = check_time_unit(unit_of(value), "times")
            return convert(value.view(np.ndarray), unit, self._unit)
        return value

    def _check_new(self, values: Any) -> None:
        """Raise ValueError if `values` cannot be times of this object."""

    def _copy_items(self, new: PointObject) -> None:
        """Give `new` copies of the attributes that have one entry per item."""
        for name in self._item_attrs:
            values = new.__dict__.get(name)
            if values is not None:
                new.__dict__[name] = values.copy()

    def copy(self, order: Any = "C") -> Self:
        """Copy times, waveforms, labels and durations; other attributes are shared.

        The dicts of annotations are copied, their values are shared.

        Parameters
        ----------
        order : {"C", "F", "A", "K"}, optional
            Memory layout, as for numpy.

        Returns
        -------
        same class
            A lazy object gives a lazy one on the same source.
        """
        new = super().copy(order)
        self._copy_items(new)
        return new

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort by time, in place, with all that belongs to the items.

        Parameters
        ----------
        *args, **kwargs
            Accepted for numpy's sake and ignored: the sort is stable.
        """
        order = np.argsort(self.view(np.ndarray), kind="stable")
        ordered = self._at(order, self.view(np.ndarray)[order])
        self.view(np.ndarray)[...] = ordered.view(np.ndarray)
        for name in (*self._item_attrs, "_array_annotations"):
            if name in ordered.__dict__:
                self.__dict__[name] = ordered.__dict__[name]

    # --- windows --------------------------------------------------------------------------

    def _window_index(self, first: float | None, last: float | None) -> Any:
        """Return what indexes the times within a closed window: a slice or a mask."""
        return window_index(self.view(np.ndarray), first, last)

    # --- lazy objects ---------------------------------------------------------------------

    @property
    def proxy_for(self) -> type[Self]:
        """The class that a lazy object becomes when loaded; full objects do not have this.

        Raises
        ------
        AttributeError
            On objects in memory.
        """
        if self._source is None:
            raise AttributeError("proxy_for: only lazy objects have it, this one is in memory")
        return type(self)

    def _set_source(self, source: PointSource | None) -> None:
        if source is not None:
            self._source = source
            self.lazy_shape = (int(source.length),)

    def _loaded(self) -> Self:
        """Return this object, loaded if it is lazy."""
        return self if self._source is None else self.load()

    if TYPE_CHECKING:  # each class has its own parameters

        def load(self) -> Self: ...

    def _bounds(self, time_slice: Any, *, strict: bool) -> tuple[float | None, float | None]:
        """Return a window to be loaded, in seconds; open ends are None.

        Raises
        ------
        ValueError
            If an end is outside the extent of the object and `strict` is True, or the window
            is turned around.
        """
        if time_slice is None:
            return None, None
        first, last = (
            None if t is None else scalar_in(t, SECOND, "an end of time_slice") for t in time_slice
        )
        if first is not None and last is not None and first > last:
            raise ValueError(f"time_slice ends ({last} s) before it begins ({first} s)")
        low, high = self._extent_seconds()
        slack = 4 * np.spacing(max(abs(low), abs(high))) if np.isfinite([low, high]).all() else 0.0
        for end in (first, last) if strict else ():
            if end is not None and not (low - slack <= end <= high + slack):
                raise ValueError(
                    f"time_slice ({time_slice[0]} to {time_slice[1]}) is not within the "
                    f"{type(self).__name__}, which reaches from {low} s to {high} s; "
                    "strict_slicing=False cuts the window instead"
                )
        return first, last

    def _extent_seconds(self) -> tuple[float, float]:
        """Limits in seconds; infinite where nothing is known."""
        unit = self._unit
        low = -np.inf if self._t_start is None else convert(self._t_start, unit, SECOND)
        high = np.inf if self._t_stop is None else convert(self._t_stop, unit, SECOND)
        return low, high

    def _read(self, first: float | None, last: float | None, *, waveforms: bool = False) -> Points:
        """Read the items of a closed window in seconds."""
        return read_points(
            self._source,
            first,
            last,
            waveforms=waveforms,
            array_annotations=self._array_annotations,
        )

    def _from_points(self, points: Points, extent: tuple[float, float] | None = None) -> Self:
        """Make a full object of this lazy one and of items that were read."""
        unit = self._unit
        new = self._wrap(points.times_in(unit), unit)
        state = new.__dict__
        state.update(self.__dict__)
        state["_source"] = state["lazy_shape"] = None
        state["segment"] = None
        if self._annotations is not None:
            state["_annotations"] = copy_annotations(self._annotations)
        state["_array_annotations"] = dict(points.array_annotations)
        if extent is not None:
            new._t_start, new._t_stop = extent
        self._take_items(new, points)
        return new

    def _take_items(self, new: Self, points: Points) -> None:
        """Give `new` the attributes with one entry per item that were read."""

    def chunks(self, max_bytes: int = MAX_CHUNK_BYTES) -> Iterator[Self]:
        """Go through the items in pieces of bounded size, in memory or from the source.

        Parameters
        ----------
        max_bytes : int, optional
            Largest payload of a piece: times, and waveforms, durations and labels where there
            are any (at least one item each).

        Yields
        ------
        same class
            Loaded pieces in order; of objects in memory they are views. An empty object
            gives one empty piece.

        Raises
        ------
        ValueError
            If `max_bytes` is below 1.
        """
        bounds = chunk_bounds(self._item_count(), self._item_bytes(), max_bytes)
        if self._source is None:
            return (self[start:stop] for start, stop in bounds)
        return self._lazy_chunks(bounds, max_bytes)

    def _lazy_chunks(self, bounds: list[tuple[int, int]], max_bytes: int) -> Iterator[Self]:
        """Read pieces; those that turn out larger than expected are cut again."""
        for start, stop in bounds:
            yield from self._piece(start, stop).chunks(max_bytes)

    def _piece(self, start: int, stop: int) -> Self:
        """Return the items ``[start, stop)`` of a lazy object, loaded."""
        points = self._source.read(start, stop, waveforms=self._has_waveforms())
        changed = self._array_annotations
        if changed is not None:
            cut = index_arrays(changed, slice(start, stop))
            points = replace(points, array_annotations=cut)
        return self._from_points(points)

    def _has_waveforms(self) -> bool:
        """Tell whether pieces of a lazy object are to be read with waveforms."""
        return False

    def _item_bytes(self) -> int:
        total = int(self.dtype.itemsize)
        for name in self._item_attrs:
            values = self.__dict__.get(name)
            if values is not None:
                total += values.dtype.itemsize * int(np.prod(values.shape[1:]))
        if self._source is not None and "_labels" in self._item_attrs:
            total += _LABEL_BYTES
        return total

    # --- merging --------------------------------------------------------------------------

    def _check_mergeable(self, kind: type[PointObject], others: tuple[Any, ...]) -> None:
        """Raise MergeError unless this and all others are loaded objects of class `kind`."""
        for other in (self, *others):
            if not isinstance(other, kind):
                raise MergeError(
                    f"{type(other).__name__} cannot be merged into {kind.__name__}; "
                    f"only {kind.__name__} objects can"
                )
            if other._source is not None:
                raise MergeError(
                    f"lazy {kind.__name__} objects cannot be merged: load() them first"
                )

    # --- arithmetic -----------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return self._moved(other, np.add)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, PointObject):
            if type(other) is not type(self) or len(other) != len(self):
                raise TypeError(
                    f"{type(other).__name__} of {len(other)} {other._items_name} cannot be "
                    f"subtracted from {type(self).__name__} of {len(self)}"
                )
            return self.times - other.times
        return self._moved(other, np.subtract)

    def __rsub__(self, other: Any) -> Any:
        return quantity(self._numbers(other) - self.view(np.ndarray), self._unit)

    def __iadd__(self, other: Any) -> Any:
        return self._moved_in_place(self + other)

    def __isub__(self, other: Any) -> Any:
        return self._moved_in_place(self - other)

    def _moved_in_place(self, moved: Any) -> Any:
        if not isinstance(moved, PointObject):  # the difference of two objects
            return moved
        np.copyto(self.view(np.ndarray), moved.view(np.ndarray), casting="same_kind")
        self._t_start, self._t_stop = moved._t_start, moved._t_stop
        return self

    def _moved(self, other: Any, function: Callable[..., Any]) -> Self:
        """Add or subtract a time, or one time per item."""
        if isinstance(other, PointObject):
            raise TypeError(f"{type(other).__name__} cannot be added to {type(self).__name__}")
        shift = np.asarray(self._numbers(other))
        if shift.dtype.kind not in "biuf":
            raise TypeError(f"only times can be added to {type(self).__name__}, not {other!r}")
        data = function(self.view(np.ndarray), shift)
        if data.shape != self.shape:
            raise ValueError(
                f"{len(self)} {self._items_name} cannot be shifted by an array of {shift.shape}"
            )
        if shift.ndim == 0:
            amount = float(function(0.0, shift))
            return self._shifted(data, amount, amount)
        new = self._shifted(data, 0.0, 0.0)
        if len(data) and new._t_start is not None and new._t_stop is not None:
            new._t_start = min(new._t_start, float(data.min()))
            new._t_stop = max(new._t_stop, float(data.max()))
        return new

    # What is not a shift has no meaning as points in time: the result is a plain Quantity.
    def __imul__(self, other: Any) -> Any:
        return self * other

    def __itruediv__(self, other: Any) -> Any:
        return self / other

    def __ifloordiv__(self, other: Any) -> Any:
        return self // other

    def __imod__(self, other: Any) -> Any:
        return self % other

    def __ipow__(self, other: Any) -> Any:
        return self**other
