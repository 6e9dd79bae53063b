"""Signals with a time for each sample: times, windows, indexing and reading."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import quantities as pq

from ephyrus.core._channelsignal import ChannelSignal
from ephyrus.core._quantitylists import joined_quantities
from ephyrus.core._windows import window_index
from ephyrus.core.basesignal import BaseSignal
from ephyrus.core.lazy import ColumnSelection, Points, ScaledPoints, read_points
from ephyrus.core.units import (
    SECOND,
    UnitInfo,
    as_unit,
    convert,
    quantity,
    scalar_in,
    unit_of,
    values_in,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["IrregularTimes", "checked_times"]

_NO_TIMES = np.empty(0, dtype=np.float64)
_NO_TIMES.flags.writeable = False


class IrregularTimes(ChannelSignal):
    """Base of IrregularlySampledSignal: everything that has to do with its times."""

    _times: NDArray[np.float64] = _NO_TIMES
    _time_unit: UnitInfo = SECOND
    _extent: tuple[float, float] | None = None  # of lazy signals

    # --- times ----------------------------------------------------------------------------

    @property
    def times(self) -> pq.Quantity:
        """Times of the samples.

        Raises
        ------
        ValueError
            When set to another number of times, or to something that is not times.
        """
        return quantity(self._times, self._time_unit)

    @times.setter
    def times(self, times: Any) -> None:
        unit = unit_of(times) if isinstance(times, pq.Quantity) else self._time_unit
        stamps, unit = checked_times(times, unit, copy=True)
        if len(stamps) != self.shape[0]:
            raise ValueError(f"there are {len(stamps)} times for {self.shape[0]} samples")
        self._times, self._time_unit = stamps, unit

    @property
    def t_start(self) -> pq.Quantity | None:
        """Time of the first sample; None if there is none."""
        limits = self._limits()
        return None if limits is None else quantity(limits[0], self._time_unit)

    @property
    def t_stop(self) -> pq.Quantity | None:
        """Time of the last sample; None if there is none."""
        limits = self._limits()
        return None if limits is None else quantity(limits[1], self._time_unit)

    def _limits(self) -> tuple[float, float] | None:
        """First and last time."""
        if self._extent is not None:
            return self._extent
        return (float(self._times[0]), float(self._times[-1])) if len(self._times) else None

    @property
    def duration(self) -> pq.Quantity:
        """Time from the first to the last sample; 0 if there is none."""
        first, last = self._limits() or (0.0, 0.0)
        return quantity(last - first, self._time_unit)

    @property
    def sampling_intervals(self) -> pq.Quantity:
        """Times between the samples, one fewer than there are samples."""
        return quantity(np.diff(self._times), self._time_unit)

    # --- indexing -------------------------------------------------------------------------

    def _rows(self, key: Any, time: slice) -> Any:
        """Return the part of some samples; `key` may also choose channels."""
        new = np.ndarray.__getitem__(self, key)
        state = new.__dict__
        state.update(self.__dict__)
        self._own_annotations(state)
        new._times = self._times[time]
        return new

    @staticmethod
    def _own_annotations(state: dict[str, Any]) -> None:
        """Give a copied state dicts of its own and no source."""
        BaseSignal._own_annotations(state)
        state.pop("_extent", None)

    def _channel_source(self, channels: NDArray[np.intp]) -> ColumnSelection:
        """Return a source of some channels of a lazy signal."""
        return ColumnSelection(self._source, channels)

    def _converted_source(self, source: UnitInfo, target: UnitInfo) -> Any:
        """Return the source of a lazy signal in another unit."""
        return ScaledPoints(self._source, source, target)

    def _rescale_more(self, new: Self, source: UnitInfo, target: UnitInfo) -> None:
        """Keep the limits of a lazy signal: they are times, which do not change."""
        new._extent = self._extent

    def _lazy_part(self, index: Any) -> Self:
        """Return some channels of a lazy signal, lazy too."""
        new = super()._lazy_part(index)
        new._extent = self._extent
        return new

    def copy(self, order: Any = "C") -> Self:
        """Copy data and times; see `DataObject.copy`."""
        new = super().copy(order)
        new._times = self._times.copy()
        new._extent = self._extent
        return new

    def detached(self) -> Self:
        """Return an object on the same data that belongs to no container."""
        new = super().detached()
        new._extent = self._extent
        return new

    # --- comparison -----------------------------------------------------------------------

    def _same_times(self, other: IrregularTimes) -> bool:
        """Tell whether two signals have the same times, but for rounding."""
        times = convert(other._times, other._time_unit, self._time_unit)
        return times.shape == self._times.shape and np.allclose(
            times, self._times, rtol=1e-15 * 4, atol=0.0
        )

    def __eq__(self, other: object) -> Any:
        if isinstance(other, IrregularTimes) and not self._same_times(other):
            return False
        return self._equality(other)

    __hash__ = None  # type: ignore[assignment] # arrays are not hashable

    def _check_consistency(self, other: BaseSignal) -> None:
        """Check that another signal has the same times.

        Raises
        ------
        ValueError
            If they differ, or the other signal is of another class.
        """
        if not isinstance(other, IrregularTimes) or not self._same_times(other):
            raise ValueError("Times do not match: arithmetic needs signals of equal times")

    # --- loading --------------------------------------------------------------------------

    def _read_array_annotations(self) -> dict[str, Any]:
        """Read the annotations of the channels; no samples are needed for them."""
        return {} if self._source is None else self._source.read(0, 0).array_annotations

    def load(
        self,
        time_slice: tuple[Any, Any] | None = None,
        strict_slicing: bool = True,
        channel_indexes: Any = None,
        *,
        channel_names: Sequence[str] | None = None,
    ) -> Self:
        """Read a lazy signal, all of it or a part.

        Parameters
        ----------
        time_slice : (t_start, t_stop), optional
            Window, both ends included; either may be None. Bare numbers are in the units of
            the times.
        strict_slicing : bool, optional
            False accepts a window that reaches outside the signal.
        channel_indexes : slice, list of int or mask, optional
            Channels to keep, relative to this signal.
        channel_names : list of str, optional
            Channels by their array annotation ``channel_names``.

        Returns
        -------
        same class
            In memory and without a segment. A signal that is in memory already is cut alike,
            and returned as it is if nothing is to be cut.

        Raises
        ------
        ValueError
            If the window is outside (with `strict_slicing`) or a name is not known.
        """
        index = self._channels_chosen(channel_indexes, channel_names)
        t_start, t_stop = self._bounds(*(time_slice or (None, None)))
        if strict_slicing:
            self._check_window(t_start, t_stop)
        if self._source is None:
            if time_slice is None and index is None:
                return self
            part = self._windowed(t_start, t_stop)
            return part if index is None else part[:, index].copy()
        points = read_points(
            self._source,
            None if t_start is None else convert(t_start, self._time_unit, SECOND),
            None if t_stop is None else convert(t_stop, self._time_unit, SECOND),
            per_item=False,
        )
        return self._from_points(points, self._channel_numbers(index))

    def _from_points(self, points: Points, channels: NDArray[np.intp] | None = None) -> Self:
        """Make a signal of what the source gave."""
        values = points.values
        if values is None:
            raise ValueError("the source of this signal gave no values")
        new = self._like(values if channels is None else values[:, channels])
        new.segment = None
        new._times = points.times_in(self._time_unit)
        if channels is not None:
            new._mark_channels(channels, self)
        elif new._array_annotations is None:
            new._array_annotations = points.array_annotations
        return new

    def _item_bytes(self) -> int:
        """Payload of one sample of all channels and its time."""
        return super()._item_bytes() + self._times.itemsize

    def _piece(self, start: int, stop: int) -> Self:
        """Return the samples ``[start, stop)``, loaded; a view where they are in memory."""
        if self._source is None:
            return self[start:stop]
        return self._from_points(self._source.read(start, stop))

    # --- windows --------------------------------------------------------------------------

    def _bounds(self, t_start: Any, t_stop: Any) -> tuple[float | None, float | None]:
        """Return the ends of a window as numbers in the units of the times."""
        first = None if t_start is None else scalar_in(t_start, self._time_unit, "t_start")
        last = None if t_stop is None else scalar_in(t_stop, self._time_unit, "t_stop")
        if first is not None and last is not None and not last >= first:
            raise ValueError(f"t_stop ({t_stop}) is before t_start ({t_start})")
        return first, last

    def _check_window(self, t_start: float | None, t_stop: float | None) -> None:
        """Refuse a window that reaches outside the signal."""
        limits = self._limits()
        if limits is None:
            return
        first, last = limits
        slack = 4 * math.ulp(max(abs(first), abs(last)))
        if (t_start is not None and t_start < first - slack) or (
            t_stop is not None and t_stop > last + slack
        ):
            raise ValueError(
                f"the window {t_start} to {t_stop} {self._time_unit} is not within the signal, "
                f"which reaches from {first} to {last} {self._time_unit}"
            )

    def time_slice(self, t_start: Any, t_stop: Any) -> Self:
        """Return an independent copy of the samples with ``t_start <= t <= t_stop``.

        Parameters
        ----------
        t_start, t_stop : Quantity, number or None
            Bare numbers are in the units of the times; None is open.

        Returns
        -------
        same class
            Without a segment; empty if no sample is in the window. A lazy signal is read.

        Raises
        ------
        ValueError
            If the window is turned around, or its ends are not times.
        """
        if self._source is not None:
            return self.load((t_start, t_stop), strict_slicing=False)
        return self._windowed(*self._bounds(t_start, t_stop))

    def _windowed(self, t_start: float | None, t_stop: float | None) -> Self:
        """Copy the samples of a closed window."""
        times = self._times
        keep = window_index(times, t_start, t_stop)
        if isinstance(keep, slice):
            return self[keep]._independent()
        new = self[:0]._independent()._like(self.view(np.ndarray)[keep])
        new._times = times[keep]
        return new

    def time_shift(self, t_shift: Any) -> Self:
        """Return a copy whose times are later by a time (a lazy signal is read).

        Parameters
        ----------
        t_shift : Quantity or number
            Bare numbers are in the units of the times.

        Returns
        -------
        same class
            Without a segment.
        """
        new = self.load()._independent()
        new._times += scalar_in(t_shift, self._time_unit, "the shift")
        return new


def checked_times(
    times: Any, units: Any, *, copy: bool | None
) -> tuple[NDArray[np.float64], UnitInfo]:
    """Check times given to a constructor and return them as float64 with their unit."""
    times = joined_quantities(times, units, "times")
    if isinstance(times, pq.Quantity):
        unit = unit_of(times) if units is None else as_unit(units)
    elif units is None:
        raise ValueError("Time units must be specified, such as time_units='s'")
    else:
        unit = as_unit(units)
    if unit.base is not SECOND.base:
        raise ValueError(f"times must be in units of time, not in {unit.symbol}")
    stamps = values_in(times, unit, "times")
    if stamps.ndim != 1:
        raise ValueError(f"times must have one dimension, not shape {stamps.shape}")
    if isinstance(times, np.ndarray) and np.may_share_memory(stamps, times):
        return (stamps.copy() if copy else stamps), unit
    if copy is False:
        raise ValueError("times cannot be shared (copy=False): they must be converted")
    return stamps, unit
