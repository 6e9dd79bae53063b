"""Signals whose samples each have a time of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import quantities as pq

from ephyrus.core._arraydict import intersect_array_annotations
from ephyrus.core._irregular import IrregularTimes, checked_times
from ephyrus.core._regular import rate_from
from ephyrus.core.baseneo import merge_text
from ephyrus.core.basesignal import payload
from ephyrus.core.lazy import PointSource
from ephyrus.core.units import (
    as_unit,
    convert,
    quantity,
)
from ephyrus.errors import MergeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ephyrus.core.analogsignal import AnalogSignal

__all__ = ["IrregularlySampledSignal"]


class IrregularlySampledSignal(IrregularTimes):
    """Signals of one or more channels, sampled at the same arbitrary times.

    A Quantity of shape (time, channel) with one time per row.

    Parameters
    ----------
    times : array_like or Quantity, shape (time,)
        Times of the samples, kept as float64.
    signal : array_like or Quantity, shape (time, channel) or (time,)
        The samples; one dimension is taken as one channel.
    units : str or unit, optional
        Needed unless `signal` is a Quantity, which is converted to them.
    time_units : str or unit, optional
        Needed unless `times` is a Quantity, which is converted to them.
    dtype : dtype_like, optional
        Of the samples; by default that of the data.
    copy : bool or None, optional
        True (default) copies; False shares memory and refuses conversions; None shares memory
        where nothing must be converted.
    name, description, file_origin : str, optional
        See `BaseNeo`.
    array_annotations : dict, optional
        Arrays with one value per channel.
    **annotations
        Every other keyword.

    Attributes
    ----------
    times : Quantity, shape (time,)
        Can be set.
    t_start, t_stop : Quantity or None
        First and last time; None if there are no samples.
    duration, sampling_intervals : Quantity
        Calculated.

    Raises
    ------
    ValueError
        If units are missing or of the wrong dimension, or the lengths differ.
    """

    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("times", pq.Quantity, 1),
        ("signal", pq.Quantity, 2),
    )

    def __new__(
        cls,
        times: ArrayLike,
        signal: ArrayLike,
        units: Any = None,
        time_units: Any = None,
        dtype: DTypeLike | None = None,
        copy: bool | None = True,
        name: str | None = None,
        file_origin: str | None = None,
        description: str | None = None,
        array_annotations: dict[str, Any] | None = None,
        **annotations: Any,
    ) -> Self:
        """Check the arguments and make the signal; see the class."""
        data, unit = payload(signal, units, dtype, copy=copy)
        if data.ndim == 1:
            data = data.reshape(-1, 1)
        elif data.ndim != 2:
            raise ValueError(f"signal must have shape (time, channel), not {data.shape}")
        stamps, time_unit = checked_times(times, time_units, copy=copy)
        if len(stamps) != len(data):
            raise ValueError(
                f"there are {len(stamps)} times for {len(data)} samples; each needs one"
            )
        new = cls._wrap(data, unit)
        new._times = stamps
        new._time_unit = time_unit
        new._set_checked(name, description, file_origin, annotations, array_annotations)
        return new

    @classmethod
    def _create(
        cls,
        times: NDArray[np.float64],
        data: NDArray[Any],
        unit: Any,
        *,
        time_unit: Any = pq.s,
        t_start: float | None = None,
        t_stop: float | None = None,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        annotations: dict[str, Any] | None = None,
        array_annotations: dict[str, NDArray[Any]] | None = None,
        source: PointSource | None = None,
    ) -> Self:
        """Make a signal without copies or checks; dicts are taken over.

        With a `source` the signal is lazy: `times` and `data` are empty (with the right dtype
        and number of channels), `t_start` and `t_stop` are its first and last time.
        """
        new = cls._wrap(data, as_unit(unit))
        new._times = times
        new._time_unit = as_unit(time_unit)
        new._set_common(name, description, file_origin, annotations, array_annotations, source)
        if source is not None:
            new.lazy_shape = (source.length, data.shape[1])
            if t_start is not None and t_stop is not None:
                new._extent = (t_start, t_stop)
        return new

    @classmethod
    def from_pandas(cls, frame: Any, *, units: Any = None, time_units: Any = None) -> Self:
        """Make a signal of a ``pandas.DataFrame``, such as `to_pandas` gives.

        Parameters
        ----------
        frame : pandas.DataFrame
            One column per channel; the index are the times. Rows and columns may have been
            chosen since.
        units : str or unit, optional
            Of the samples; by default what the frame tells (``attrs["units"]``, by column).
        time_units : str or unit, optional
            Of the index; by default ``attrs["units"]["time"]``.

        Returns
        -------
        IrregularlySampledSignal
            With the array annotations of the columns that are there; columns that are new are
            named by ``channel_names`` alone.

        Raises
        ------
        ValueError
            If units are not told or differ, a unit is not known, or the index are not numbers.
        """
        from ephyrus.core._frames import irregular_from

        return irregular_from(cls, frame, units, time_units)  # type: ignore[no-any-return]

    # --- representation -------------------------------------------------------------------

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}({pq.Quantity.__repr__(self)} at times "
            f"{self._times} {self._time_unit})>"
        )

    def _pretty_lines(self) -> list[str]:
        length, channels = self.true_shape
        return [
            f"{type(self).__name__} with {channels} channels of length {length}; "
            f"units {self.dimensionality.string}; datatype {self.dtype}",
            f"sample times: {self.times}",
        ]

    # --- calculation ----------------------------------------------------------------------

    def mean(self, interpolation: None = None) -> pq.Quantity:
        """Return the time-weighted mean: each value holds until the next sample.

        Parameters
        ----------
        interpolation : None
            Reserved.

        Returns
        -------
        Quantity
            A scalar for one channel, else one value per channel. NaN with fewer than 2 samples.

        Raises
        ------
        NotImplementedError
            If `interpolation` is given.
        """
        if interpolation is not None:
            raise NotImplementedError(f"interpolation {interpolation!r} is not available; use None")
        values, steps = self.view(np.ndarray), np.diff(self._times)
        total = steps.sum()
        if not total:
            means = np.full(self.shape[1], np.nan)
        else:
            means = (values[:-1] * steps[:, np.newaxis]).sum(axis=0) / total
        return quantity(means[0] if len(means) == 1 else means, self._unit)

    def resample(
        self, sample_count: int, *, interpolation: Literal["linear", "previous"] = "linear"
    ) -> AnalogSignal:
        """Interpolate at a number of equidistant times from the first to the last sample.

        Parameters
        ----------
        sample_count : int
            At least 2.
        interpolation : {"linear", "previous"}, optional
            Between neighbouring samples, or holding the value of the one before.

        Returns
        -------
        AnalogSignal
            With rate ``(sample_count - 1) / duration`` and all annotations, without a segment.

        Raises
        ------
        ValueError
            If the count is below 2, the interpolation is not known, the signal has fewer than
            2 samples, or its times do not increase.
        """
        from ephyrus.core.analogsignal import AnalogSignal

        if interpolation not in ("linear", "previous"):
            raise ValueError(f"interpolation must be 'linear' or 'previous', not {interpolation!r}")
        whole = self.load()
        times, values = whole._times, whole.view(np.ndarray)
        if sample_count < 2 or len(times) < 2 or not np.all(np.diff(times) > 0):
            raise ValueError(
                "resampling needs at least 2 samples before and after, at increasing times"
            )
        wanted = np.linspace(times[0], times[-1], sample_count)
        if interpolation == "linear":
            columns = [np.interp(wanted, times, values[:, i]) for i in range(values.shape[1])]
            data = np.stack(columns, axis=1).astype(np.result_type(values.dtype, np.float32))
        else:
            data = values[np.searchsorted(times, wanted, side="right") - 1]
        period = quantity((times[-1] - times[0]) / (sample_count - 1), self._time_unit)
        rate, rate_unit = rate_from(None, period)
        copy = whole._independent()
        return AnalogSignal._create(
            data,
            self._unit,
            sampling_rate=rate,
            t_start=float(times[0]),
            rate_unit=rate_unit,
            time_unit=self._time_unit,
            name=self.name,
            description=self.description,
            file_origin=self.file_origin,
            annotations=copy.annotations,
            array_annotations=dict(copy.array_annotations),
        )

    # --- joining --------------------------------------------------------------------------

    def merge(self, other: IrregularlySampledSignal) -> IrregularlySampledSignal:  # type: ignore[override]
        """Put the channels of another signal beside those of this one.

        Parameters
        ----------
        other : IrregularlySampledSignal
            Of equal times, in the same segment.

        Returns
        -------
        IrregularlySampledSignal
            In the units of this signal; annotations are merged, array annotations joined.

        Raises
        ------
        MergeError
            If they do not fit, or one is lazy.
        ValueError
            If array annotations of one name differ in dimension.
        """
        if not isinstance(other, IrregularlySampledSignal):
            raise MergeError(f"Cannot merge {type(other).__name__} with {type(self).__name__}")
        if self._source is not None or other._source is not None:
            raise MergeError("Cannot merge lazy signals of irregular times; load them first")
        if not self._same_times(other):
            raise MergeError("Cannot merge these two signals as the sample times differ")
        if self.segment is not other.segment:
            raise MergeError("Cannot merge these two signals as they belong to different segments")
        try:
            values = convert(other.view(np.ndarray), other._unit, self._unit)
        except ValueError as error:
            raise MergeError(f"Cannot merge: {error}") from None
        arrays = self._merge_array_annotations(other)
        new = self._like(np.hstack([self.view(np.ndarray), values]))
        new._array_annotations = arrays
        new._annotations = self._merged_annotations(other)
        for attribute in ("name", "description", "file_origin"):
            setattr(
                new, attribute, merge_text([getattr(self, attribute), getattr(other, attribute)])
            )
        new._times = self._times.copy()
        return new

    def concatenate(
        self, other: IrregularlySampledSignal, allow_overlap: bool = False
    ) -> IrregularlySampledSignal:
        """Join the samples of two signals, sorted by time.

        Parameters
        ----------
        other : IrregularlySampledSignal
            Of the same dimension and number of channels.
        allow_overlap : bool, optional
            Whether the two may cover the same time.

        Returns
        -------
        IrregularlySampledSignal
            In the units of this signal, without a segment. Annotations are merged; array
            annotations that are equal in both are kept.

        Raises
        ------
        ValueError
            If the signals overlap and that is not allowed.
        MergeError
            If dimension or number of channels differ.
        """
        if not isinstance(other, IrregularlySampledSignal):
            raise MergeError(f"Cannot concatenate with {type(other).__name__}")
        first, second = self.load(), other.load()
        if first.shape[1] != second.shape[1] or first._unit.base is not second._unit.base:
            raise MergeError("Cannot concatenate signals of different units or numbers of channels")
        other_times = convert(second._times, second._time_unit, first._time_unit)
        if not allow_overlap and _overlap(first._times, other_times):
            raise ValueError(
                "the two signals overlap in time; pass allow_overlap=True to join them"
            )
        times = np.concatenate([first._times, other_times])
        values = convert(second.view(np.ndarray), second._unit, first._unit)
        order = np.argsort(times, kind="stable")
        new = first._like(np.concatenate([first.view(np.ndarray), values])[order])
        new.segment = None
        new._times = times[order]
        new._annotations = first._merged_annotations(second)
        new._array_annotations = intersect_array_annotations(
            [first.array_annotations, second.array_annotations]
        )
        for attribute in ("name", "description", "file_origin"):
            texts = [getattr(first, attribute), getattr(second, attribute)]
            if texts[0] != texts[1]:
                setattr(new, attribute, f"concatenation ({[str(text) for text in texts]})")
        return new

    def duplicate_with_new_data(
        self, signal: ArrayLike, units: Any = None
    ) -> IrregularlySampledSignal:
        """Return a signal of the same times and metadata around other data.

        Parameters
        ----------
        signal : array_like or Quantity, shape (time, channel)
        units : str or unit, optional
            Default: those of this signal.

        Returns
        -------
        IrregularlySampledSignal
            Annotations are copied; without array annotations and segment.

        Raises
        ------
        ValueError
            If the length differs.
        """
        unit = self._unit if units is None else as_unit(units)
        data, unit = payload(signal, unit, None, copy=True)
        data = data.reshape(-1, 1) if data.ndim == 1 else data
        if len(data) != len(self._times):
            raise ValueError(f"there are {len(self._times)} times for {len(data)} samples")
        new = self._independent()._like(data, unit)
        new._array_annotations = None
        return new


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Tell whether two stretches of time have a point in common."""
    if not len(a) or not len(b):
        return False
    return bool(max(a.min(), b.min()) <= min(a.max(), b.max()))
