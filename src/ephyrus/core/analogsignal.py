"""Signals sampled at a constant rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import quantities as pq

from ephyrus._shared.extras import optional_module
from ephyrus.core import _join
from ephyrus.core._loading import LoadableSignal
from ephyrus.core._regular import (
    ZERO_SECONDS,
    rate_from,
    time_from,
)
from ephyrus.core.basesignal import as_quantity, payload
from ephyrus.core.lazy import SignalSource
from ephyrus.core.units import as_unit, inverse_unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["AnalogSignal"]


class AnalogSignal(LoadableSignal):
    """Signals of one or more channels, sampled at the same constant rate.

    A Quantity of shape (time, channel).

    Parameters
    ----------
    signal : array_like or Quantity, shape (time, channel) or (time,)
        The samples; one dimension is taken as one channel.
    units : str or unit, optional
        Needed unless `signal` is a Quantity, which is converted to them.
    dtype : dtype_like, optional
        By default that of the data.
    copy : bool or None, optional
        True (default) copies; False shares memory and refuses conversions; None shares memory
        where nothing must be converted.
    t_start : Quantity, optional
        Time of the first sample; default 0 s.
    sampling_rate : Quantity, optional
        Samples per time; this or `sampling_period` is needed.
    sampling_period : Quantity, optional
        Time between samples.
    name, description, file_origin : str, optional
        See `BaseNeo`.
    array_annotations : dict, optional
        Arrays with one value per channel.
    **annotations
        Every other keyword.

    Attributes
    ----------
    sampling_rate, sampling_period, t_start : Quantity
        Can be set; rate and period stay consistent.
    t_stop, duration, times : Quantity
        Calculated.

    Raises
    ------
    ValueError
        If units or the rate are missing, a value has the wrong dimension, or rate and period
        do not agree.
    TypeError
        If a time or rate has no units.
    """

    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("signal", pq.Quantity, 2),
        ("sampling_rate", pq.Quantity, 0),
        ("t_start", pq.Quantity, 0),
    )

    def __new__(
        cls,
        signal: ArrayLike,
        units: Any = None,
        dtype: DTypeLike | None = None,
        copy: bool | None = True,
        t_start: Any = ZERO_SECONDS,
        sampling_rate: Any = None,
        sampling_period: Any = None,
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
        start, time_unit = time_from(t_start, "t_start")
        rate, rate_unit = rate_from(sampling_rate, sampling_period)
        new = cls._wrap(data, unit)
        new._set_sampling(rate, rate_unit, start, time_unit)
        new._set_checked(name, description, file_origin, annotations, array_annotations)
        return new

    @classmethod
    def _create(
        cls,
        data: NDArray[Any],
        unit: Any,
        *,
        sampling_rate: float,
        t_start: float = 0.0,
        rate_unit: Any = pq.Hz,
        time_unit: Any = pq.s,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        annotations: dict[str, Any] | None = None,
        array_annotations: dict[str, NDArray[Any]] | None = None,
        source: SignalSource | None = None,
    ) -> Self:
        """Make a signal without copies or checks; dicts are taken over.

        With a `source` the signal is lazy, and `data` is empty with the right dtype and
        number of channels.
        """
        new = cls._wrap(data, as_unit(unit))
        new._set_sampling(sampling_rate, as_unit(rate_unit), t_start, as_unit(time_unit))
        new._set_common(name, description, file_origin, annotations, array_annotations, source)
        if source is not None:
            new.lazy_shape = tuple(source.shape)
        return new

    @classmethod
    def from_pandas(
        cls, frame: Any, *, units: Any = None, time_units: Any = None, sampling_rate: Any = None
    ) -> Self:
        """Make a signal of a ``pandas.DataFrame``, such as `to_pandas` gives.

        Parameters
        ----------
        frame : pandas.DataFrame
            One column per channel; the index are the times. Rows (a stretch of time, every
            second one, ...) and columns may have been chosen since.
        units : str or unit, optional
            Of the samples; by default what the frame tells (``attrs["units"]``, by column).
        time_units : str or unit, optional
            Of the index; by default ``attrs["units"]["time"]``.
        sampling_rate : Quantity, optional
            By default what the frame tells (``attrs["ephyrus"]``) or, where its times do not
            follow that, what they do follow.

        Returns
        -------
        AnalogSignal
            With the array annotations of the columns that are there; columns that are new are
            named by ``channel_names`` alone.

        Raises
        ------
        ValueError
            If units are not told or differ, a unit is not known, the index are not numbers, or
            they follow no constant rate (by a thousandth of a sample) or not the given one.
        TypeError
            If `sampling_rate` has no units.
        """
        from ephyrus.core._frames import analogsignal_from

        return analogsignal_from(  # type: ignore[no-any-return] # it is of this class
            cls, frame, units, time_units, sampling_rate
        )

    # --- representation -------------------------------------------------------------------

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}({pq.Quantity.__repr__(self)}, "
            f"[{self.t_start}, {self.t_stop}], sampling rate: {self.sampling_rate})>"
        )

    def _pretty_lines(self) -> list[str]:
        length, channels = self.true_shape
        return [
            f"{type(self).__name__} with {channels} channels of length {length}; "
            f"units {self.dimensionality.string}; datatype {self.dtype}",
            f"sampling rate: {self.sampling_rate}",
            f"time: {self.t_start} to {self.t_stop}",
        ]

    # --- indexing -------------------------------------------------------------------------

    def _rows(self, key: Any, time: slice) -> Any:
        """Return the part of some samples; `key` may also choose channels."""
        start, _, step = time.indices(self.shape[0])
        if step < 0:
            return as_quantity(self.view(np.ndarray)[key], self._unit)
        new = np.ndarray.__getitem__(self, key)
        state = new.__dict__
        state.update(self.__dict__)
        self._own_annotations(state)
        if start:
            new._t0 = self._time_of(start)
        if step != 1:
            new._rate = self._rate / step
        return new

    def __eq__(self, other: object) -> Any:
        if isinstance(other, AnalogSignal) and not (
            self._same_start(other) and self._same_rate(other)
        ):
            return False
        return self._equality(other)

    __hash__ = None  # type: ignore[assignment] # arrays are not hashable

    # --- joining and resampling -----------------------------------------------------------

    def splice(self, signal: AnalogSignal, copy: bool = False) -> AnalogSignal:
        """Overwrite a stretch of samples by another signal.

        Parameters
        ----------
        signal : AnalogSignal
            Must lie within this one; units are converted.
        copy : bool, optional
            True leaves this signal unchanged and returns a new one without parents.

        Returns
        -------
        AnalogSignal
            This signal, or the copy.

        Raises
        ------
        ValueError
            If `signal` starts before or ends after this one, or its rate, dimension or number
            of channels differs.
        """
        return _join.splice(self, signal, copy=copy)

    def merge(self, other: AnalogSignal) -> AnalogSignal:  # type: ignore[override]
        """Put the channels of another signal beside those of this one.

        Parameters
        ----------
        other : AnalogSignal
            Of equal start, rate and length, in the same segment.

        Returns
        -------
        AnalogSignal
            In the units of this signal; annotations are merged, array annotations joined.

        Raises
        ------
        MergeError
            If they do not fit, or one is lazy and the other is not.
        ValueError
            If array annotations of one name differ in dimension.
        """
        return _join.merge_channels(self, other)

    def concatenate(
        self, *signals: AnalogSignal, overwrite: bool = False, padding: Any = False
    ) -> AnalogSignal:
        """Join signals along time.

        Parameters
        ----------
        *signals : AnalogSignal
            Of the same units, rate and number of channels.
        overwrite : bool, optional
            Where signals overlap the earlier ones given win; True lets the later ones win.
        padding : bool or Quantity, optional
            Value put into gaps; True for NaN.

        Returns
        -------
        AnalogSignal
            From the earliest start to the latest end, in the dtype of the first. Annotations
            and array annotations that are common to all.

        Raises
        ------
        MergeError
            If the signals do not fit, there is a gap and no `padding`, or `padding` is of
            another kind.
        TypeError
            If one is not an AnalogSignal.
        """
        return _join.concatenate(self, *signals, overwrite=overwrite, padding=padding)

    def downsample(self, downsampling_factor: int, **kwargs: Any) -> AnalogSignal:
        """Reduce the rate by a whole factor, with a filter against aliasing.

        Parameters
        ----------
        downsampling_factor : int
        **kwargs
            Keywords of `scipy.signal.decimate`; ``axis`` is ignored.

        Returns
        -------
        AnalogSignal

        Raises
        ------
        ImportError
            Without scipy.
        """
        kwargs.pop("axis", None)
        decimate = _scipy_signal("downsample").decimate
        data = decimate(self.load().view(np.ndarray), downsampling_factor, axis=0, **kwargs)
        new = self._derived_in_time(data)
        new._rate = self._rate / downsampling_factor
        return new

    def resample(self, sample_count: int, **kwargs: Any) -> AnalogSignal:
        """Resample to a number of samples over the same duration (Fourier method).

        Parameters
        ----------
        sample_count : int
        **kwargs
            Keywords of `scipy.signal.resample`; ``axis`` and ``t`` are ignored.

        Returns
        -------
        AnalogSignal

        Raises
        ------
        ImportError
            Without scipy.
        """
        kwargs.pop("axis", None)
        kwargs.pop("t", None)
        resample = _scipy_signal("resample").resample
        data = resample(self.load().view(np.ndarray), sample_count, axis=0, t=None, **kwargs)
        new = self._derived_in_time(data)
        new._rate = self._rate * (sample_count / self._samples)
        return new

    def derivative(self) -> AnalogSignal:
        """Return the slope from each sample to the next.

        Returns
        -------
        AnalogSignal, shape (samples - 1, channel)
            In units of the signal per unit of the sampling period (mV/ms for mV at kHz). The
            first value is half a period after the start of this signal. Whole numbers become
            float64.
        """
        values = self.load().view(np.ndarray)
        if values.dtype.kind in "iub":  # differences of small integers overflow
            values = values.astype(np.float64)
        new = self._derived_in_time(np.diff(values, axis=0) * values.dtype.type(self._rate))
        period = inverse_unit(self._rate_unit)
        new._dimensionality = as_unit(
            self._unit.dimensionality / period.dimensionality
        ).dimensionality
        new._t0 = self._t0 + 0.5 / self._rate_per_time
        return new

    def _derived_in_time(self, data: NDArray[Any]) -> AnalogSignal:
        """Return a signal of other samples with copies of all metadata."""
        return self[:0]._independent()._like(data)

    def duplicate_with_new_data(self, signal: ArrayLike, units: Any = None) -> AnalogSignal:
        """Return a signal of the same metadata around other data.

        Parameters
        ----------
        signal : array_like or Quantity, shape (time, channel)
        units : str or unit, optional
            Default: those of this signal.

        Returns
        -------
        AnalogSignal
            Annotations are copied; without array annotations and segment.
        """
        unit = self._unit if units is None else as_unit(units)
        data, unit = payload(signal, unit, None, copy=True)
        new = self._derived_in_time(data.reshape(-1, 1) if data.ndim == 1 else data)
        new._dimensionality = unit.dimensionality
        new._array_annotations = None
        return new


def _scipy_signal(purpose: str) -> Any:
    """Import scipy.signal, or say how to install it."""
    return optional_module("scipy.signal", "signal", f"AnalogSignal.{purpose}")
