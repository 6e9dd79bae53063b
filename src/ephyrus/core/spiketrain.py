"""SpikeTrain: the times of the spikes of one unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import quantities as pq

from ephyrus.core._points import PointObject
from ephyrus.core._pointviews import TrainFromPandas
from ephyrus.core._spikemerge import merged
from ephyrus.core._times import check_range, time_values
from ephyrus.core._waveforms import Waveforms, checked_waveforms
from ephyrus.core.baseneo import copy_annotations
from ephyrus.core.lazy import Points, PointSource
from ephyrus.core.units import HERTZ, SECOND, as_unit, convert, quantity, scalar_in, unit_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["SpikeTrain", "check_has_dimensions_time", "normalize_times_array"]

_ZERO = quantity(0.0, SECOND)
_ZERO.flags.writeable = False
_ONE_HERTZ = quantity(1.0, HERTZ)
_ONE_HERTZ.flags.writeable = False


def check_has_dimensions_time(*values: pq.Quantity) -> None:
    """Check that all values are times.

    Parameters
    ----------
    *values : Quantity

    Raises
    ------
    ValueError
        Listing every value whose dimension is not time.
    """
    wrong = [value for value in values if unit_of(value).base is not SECOND.base]
    if wrong:
        raise ValueError(
            "\n".join(
                f"value {value} has dimensions {value.dimensionality.simplified}, not [time]"
                for value in wrong
            )
        )


def normalize_times_array(
    times: ArrayLike | pq.Quantity,
    units: Any = None,
    dtype: DTypeLike | None = None,
    copy: bool | None = None,
) -> tuple[pq.Quantity, Any]:
    """Return times as a Quantity in the units wanted.

    Parameters
    ----------
    times : array_like or Quantity, shape (item,)
    units : str or unit, optional
        Needed unless `times` is a Quantity, which is converted to them.
    dtype : dtype_like, optional
        By default floats keep theirs and anything else becomes float64.
    copy : bool or None, optional
        True copies; False shares memory and refuses conversions; None shares where it can.

    Returns
    -------
    times : Quantity, shape (item,)
    dimensionality : Dimensionality

    Raises
    ------
    ValueError
        If units are missing or not of time, or `copy` is False and a conversion is needed.
    """
    values, unit = time_values(times, units, dtype, copy=copy)
    return quantity(values, unit), unit.dimensionality.copy()


class SpikeTrain(TrainFromPandas, Waveforms, PointObject):
    """Times of spikes between two limits, optionally with their waveforms.

    Times need not be sorted and may repeat.

    Parameters
    ----------
    times : array_like or Quantity, shape (spike,)
        Integers become float64 unless `dtype` says otherwise.
    t_stop : Quantity or float
        End of the train; a bare number is in the units of the train.
    units : str or unit, optional
        Needed unless `times` is a Quantity, which is converted to them.
    dtype : dtype_like, optional
        Of the times.
    copy : bool or None, default True
        True copies times and waveforms; False shares memory and refuses conversions; None
        shares what needs no conversion.
    sampling_rate : Quantity, default 1 Hz
        Of the waveforms; None if unknown.
    t_start : Quantity or float, default 0 s
        Beginning of the train.
    waveforms : Quantity, shape (spike, channel, sample), optional
    left_sweep : Quantity, optional
        Time from the beginning of a waveform to its spike.
    name, file_origin, description : str, optional
        What it is called, which file it comes from, what it is.
    array_annotations : dict, optional
        Arrays with one value per spike.
    sort : bool, default False
        Sort times, waveforms and array annotations by time.
    **annotations
        Further metadata of simple types.

    Raises
    ------
    ValueError
        If units are missing or not of time, a spike is outside the limits, `t_stop` is before
        `t_start`, the number of waveforms differs from that of spikes, or `copy` is False and
        a conversion is needed.

    Examples
    --------
    >>> import quantities as pq
    >>> from ephyrus.core import SpikeTrain
    >>> SpikeTrain([3, 4, 5] * pq.s, t_stop=10.0)
    <SpikeTrain(array([3., 4., 5.]) * s, [0.0 s, 10.0 s])>
    """

    _necessary_attrs = (
        ("times", pq.Quantity, 1),
        ("t_start", pq.Quantity, 0),
        ("t_stop", pq.Quantity, 0),
    )
    _recommended_attrs = (
        ("waveforms", pq.Quantity, 3),
        ("left_sweep", pq.Quantity, 0),
        ("sampling_rate", pq.Quantity, 0),
        *PointObject._recommended_attrs,
    )
    _item_attrs = ("waveforms",)
    _items_name: ClassVar[str] = "spikes"

    #: kept for old code
    unit: Any = None
    _t_start: float = 0.0
    _t_stop: float = math.nan

    def __new__(
        cls,
        times: ArrayLike | pq.Quantity,
        t_stop: pq.Quantity | float,
        units: Any = None,
        dtype: DTypeLike | None = None,
        copy: bool | None = True,
        sampling_rate: pq.Quantity | None = _ONE_HERTZ,
        t_start: pq.Quantity | float = _ZERO,
        waveforms: pq.Quantity | None = None,
        left_sweep: pq.Quantity | None = None,
        name: str | None = None,
        file_origin: str | None = None,
        description: str | None = None,
        array_annotations: dict[str, Any] | None = None,
        *,
        sort: bool = False,
        **annotations: Any,
    ) -> Self:
        """Check the arguments and make the train; see the class."""
        values, unit = time_values(times, units, dtype, copy=copy)
        start = 0.0 if t_start is _ZERO else scalar_in(t_start, unit, "t_start")
        stop = scalar_in(t_stop, unit, "t_stop")
        check_range(values, start, stop, unit, clip=copy is True)
        new = cls._wrap(values, unit)
        new._t_start = start
        new._t_stop = stop
        if sampling_rate is _ONE_HERTZ:
            new._rate = 1.0
        elif sampling_rate is not None:
            new.sampling_rate = sampling_rate
        if left_sweep is not None:
            new.left_sweep = left_sweep
        if waveforms is not None:
            new.waveforms = checked_waveforms(waveforms, len(values), copy=copy)
        new._set_checked(name, description, file_origin, annotations, array_annotations)
        if sort:
            new.sort()
        return new

    @classmethod
    def _create(
        cls,
        times: NDArray[Any],
        *,
        unit: Any = pq.s,
        t_start: float,
        t_stop: float,
        waveforms: pq.Quantity | None = None,
        sampling_rate: float | None = None,
        left_sweep: float | None = None,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        annotations: dict[str, Any] | None = None,
        array_annotations: dict[str, NDArray[Any]] | None = None,
        source: PointSource | None = None,
    ) -> Self:
        """Make a train without copies or checks; dicts are taken over.

        `t_start` and `t_stop` are in `unit`, `sampling_rate` (of waveforms) in Hz,
        `left_sweep` in s. With a `source` the train is lazy, `times` is empty, and `waveforms`,
        of shape (0, channel, sample), tells that there are waveforms and their unit.
        """
        new = cls._wrap(times, as_unit(unit))
        new._t_start = t_start
        new._t_stop = t_stop
        if waveforms is not None:
            new.waveforms = waveforms
        if sampling_rate is not None:
            new._rate = sampling_rate
        if left_sweep is not None:
            new._left_sweep = left_sweep
        new._set_common(name, description, file_origin, annotations, array_annotations)
        new._set_source(source)
        return new

    # --- representation -------------------------------------------------------------------

    def __repr__(self) -> str:
        if self._source is not None:
            content = f"{self._item_count()} spikes not loaded, {self._unit}"
        else:
            content = pq.Quantity.__repr__(self)
        return f"<{type(self).__name__}({content}, [{self.t_start}, {self.t_stop}])>"

    def _pretty_lines(self) -> list[str]:
        waveforms = " with waveforms" if self.waveforms is not None else ""
        return [
            f"{type(self).__name__} containing {self._item_count()} spikes{waveforms}; "
            f"units {self._unit}; datatype {self.dtype} ",
            f"time: {self.t_start} to {self.t_stop}",
        ]

    # --- attributes -----------------------------------------------------------------------

    @property
    def t_start(self) -> pq.Quantity:
        """Beginning of the train, in its units.

        Raises
        ------
        ValueError
            When set to what is not a time, or so that a spike would be outside.
        """
        return quantity(self._t_start, self._unit)

    @t_start.setter
    def t_start(self, value: pq.Quantity | float) -> None:
        start = self._own_time(value, "t_start")
        check_range(self.view(np.ndarray), start, self._t_stop, self._unit)
        self._t_start = start

    @property
    def t_stop(self) -> pq.Quantity:
        """End of the train, in its units.

        Raises
        ------
        ValueError
            When set to what is not a time, or so that a spike would be outside.
        """
        return quantity(self._t_stop, self._unit)

    @t_stop.setter
    def t_stop(self, value: pq.Quantity | float) -> None:
        stop = self._own_time(value, "t_stop")
        check_range(self.view(np.ndarray), self._t_start, stop, self._unit)
        self._t_stop = stop

    @property
    def duration(self) -> pq.Quantity:
        """Time from `t_start` to `t_stop`."""
        return quantity(self._t_stop - self._t_start, self._unit)

    # --- changing -------------------------------------------------------------------------

    def _check_new(self, values: Any) -> None:
        check_range(np.asarray(values), self._t_start, self._t_stop, self._unit)

    def duplicate_with_new_data(
        self,
        signal: ArrayLike | pq.Quantity,
        t_start: pq.Quantity | float | None = None,
        t_stop: pq.Quantity | float | None = None,
        waveforms: pq.Quantity | None = None,
        deep_copy: bool = True,
        units: Any = None,
    ) -> Self:
        """Return a train with the metadata of this one and other spikes.

        Parameters
        ----------
        signal : array_like or Quantity, shape (spike,)
            The times.
        t_start, t_stop : Quantity or float, optional
            Limits; by default those of this train.
        waveforms : Quantity, shape (spike, channel, sample), optional
            By default those of this train, so that the number of spikes must be the same.
        deep_copy : bool, default True
            Copy the values of annotations and the waveforms; False shares them.
        units : str or unit, optional
            Of the new train; by default those of `signal`, or of this train.

        Returns
        -------
        SpikeTrain
            Without array annotations and segment.

        Raises
        ------
        ValueError
            As for the constructor.
        """
        if units is None and not isinstance(signal, pq.Quantity):
            units = self._unit
        values, unit = time_values(signal, units)
        own = self._unit
        start = convert(self._t_start, own, unit)
        stop = convert(self._t_stop, own, unit)
        start = start if t_start is None else scalar_in(t_start, unit, "t_start")
        stop = stop if t_stop is None else scalar_in(t_stop, unit, "t_stop")
        check_range(values, start, stop, unit, clip=True)
        if waveforms is None:
            waveforms = self.waveforms
        new = self._like(values, unit)
        new._array_annotations = new.segment = None
        new._t_start, new._t_stop = start, stop
        if waveforms is not None:
            new.waveforms = checked_waveforms(waveforms, len(values), copy=deep_copy)
        if deep_copy and new._annotations is not None:
            new._annotations = copy_annotations(new._annotations)
        return new

    # --- windows --------------------------------------------------------------------------

    def time_slice(
        self, t_start: pq.Quantity | float | None, t_stop: pq.Quantity | float | None
    ) -> Self:
        """Return the spikes of a window of time.

        Parameters
        ----------
        t_start, t_stop : Quantity or float or None
            The window, both ends included; None is open, a bare number is in the units of the
            train.

        Returns
        -------
        SpikeTrain
            An independent copy without segment, its limits cut to the window, with the
            waveforms and array annotations of its spikes. A lazy train is loaded for it.

        Raises
        ------
        ValueError
            If the window is wholly outside the train, or ends before it begins.
        """
        start, stop = self._cut_limits(t_start, t_stop)
        if self._source is not None:
            return self._load_between(start, stop, waveforms=False)
        new = self._taken(self._window_index(start, stop))
        new._t_start, new._t_stop = start, stop
        return new

    def _cut_limits(self, t_start: Any, t_stop: Any) -> tuple[float, float]:
        """Return the part of a window that is within the train, in its units."""
        first = -math.inf if t_start is None else self._own_time(t_start, "t_start")
        last = math.inf if t_stop is None else self._own_time(t_stop, "t_stop")
        if first > last:
            raise ValueError(f"t_start ({t_start}) is after t_stop ({t_stop})")
        if first > self._t_stop or last < self._t_start:
            raise ValueError(
                f"the time slice from {t_start} to {t_stop} is completely outside the spike "
                f"train, which reaches from {self.t_start} to {self.t_stop}"
            )
        return max(first, self._t_start), min(last, self._t_stop)

    # --- lazy trains ----------------------------------------------------------------------

    def load(
        self,
        time_slice: tuple[Any, Any] | None = None,
        strict_slicing: bool = True,
        magnitude_mode: str = "rescaled",
        load_waveforms: bool = False,
    ) -> Self:
        """Read a lazy train, whole or for a window of time.

        Parameters
        ----------
        time_slice : tuple of (t_start, t_stop), optional
            Quantities, or floats in seconds; None is open. Both ends are included.
        strict_slicing : bool, default True
            Refuse a window that reaches outside the train; False cuts it.
        magnitude_mode : {"rescaled"}
            Spike times have no other form.
        load_waveforms : bool, default False
            Read the waveforms too.

        Returns
        -------
        SpikeTrain
            In memory, its limits those of the window, without segment. A train that is in
            memory already is returned as it is, or cut.

        Raises
        ------
        ValueError
            If the window is refused, or waveforms are asked for and there are none.
        NotImplementedError
            For ``magnitude_mode="raw"``.
        """
        if magnitude_mode == "raw":
            raise NotImplementedError("spike times have no raw form: magnitude_mode='rescaled'")
        if magnitude_mode != "rescaled":
            raise ValueError(f"magnitude_mode must be 'rescaled', not {magnitude_mode!r}")
        first, last = self._bounds(time_slice, strict=strict_slicing)
        if self._source is None and time_slice is None:
            return self
        unit = self._unit
        start, stop = self._cut_limits(
            None if first is None else quantity(convert(first, SECOND, unit), unit),
            None if last is None else quantity(convert(last, SECOND, unit), unit),
        )
        if self._source is None:
            return self.time_slice(start, stop)
        return self._load_between(start, stop, waveforms=load_waveforms)

    def _load_between(self, start: float, stop: float, *, waveforms: bool) -> Self:
        """Read the spikes between two times in the units of the train."""
        unit = self._unit
        first = None if start <= self._t_start else convert(start, unit, SECOND)
        last = None if stop >= self._t_stop else convert(stop, unit, SECOND)
        points = self._read(first, last, waveforms=waveforms)
        if waveforms and points.waveforms is None:
            raise ValueError(f"the spike train {self.name!r} has no waveforms to load")
        return self._from_points(points, (start, stop))

    def _take_items(self, new: Self, points: Points) -> None:
        waveforms = points.waveforms
        if waveforms is not None and not isinstance(waveforms, pq.Quantity):
            known = isinstance(self.waveforms, pq.Quantity)
            unit = unit_of(self.waveforms) if known else as_unit(pq.dimensionless)
            waveforms = quantity(waveforms, unit)
        new.waveforms = waveforms

    def _has_waveforms(self) -> bool:
        return self.waveforms is not None

    # --- merging --------------------------------------------------------------------------

    def merge(self, *others: SpikeTrain) -> Self:  # type: ignore[override]  # returns a train
        """Merge the spikes of several trains, sorted by time.

        Parameters
        ----------
        *others : SpikeTrain
            With the same limits, segment, `sampling_rate` and `left_sweep` as this one, all
            or none with waveforms. Times are converted to the units of this train.

        Returns
        -------
        SpikeTrain
            Names, descriptions and origins that differ become ``merge(a; b)``; annotations
            are merged and array annotations joined. If this train has a segment, the
            result is appended to its spike trains. Without `others`: a copy of this train.

        Raises
        ------
        MergeError
            If an attribute that must agree differs, or one is not a loaded SpikeTrain.

        Warns
        -----
        UserWarning
            Naming the array annotations that are not in all trains and are left out.
        """
        self._check_mergeable(SpikeTrain, others)
        if not others:
            new = self.copy()
            new.segment = None
            return new
        new = merged(self, others)
        if self.segment is not None:
            self.segment.spiketrains.append(new)
        return new
