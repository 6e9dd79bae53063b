"""Time of data sampled at a constant rate, shared by AnalogSignal and ImageSequence.

Rate and start are kept as floats with their units; Quantities are made when asked for, fresh
each time, so that changing one never moves the data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import quantities as pq

from ephyrus.core.units import (
    HERTZ,
    SECOND,
    UnitInfo,
    convert,
    inverse_unit,
    quantity,
    scalar_in,
    unit_of,
    values_in,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = ["TOLERANCE", "ZERO_SECONDS", "Align", "RegularSampling", "rate_from", "time_from"]

Align = Literal["nearest", "inside"]

# Rates agree within this part of themselves, starting times within this part of a sample.
TOLERANCE = 1e-6

_FAR = 1e15  # infinite bounds become this many samples

ZERO_SECONDS = quantity(0.0, SECOND)
ZERO_SECONDS.flags.writeable = False


def time_from(value: Any, name: str) -> tuple[float, UnitInfo]:
    """Check a time given to a constructor and return it with its unit.

    Raises
    ------
    ValueError
        If it is None, not finite, or not a time.
    TypeError
        If it has no units.
    """
    if value is None:
        raise ValueError(f"{name} cannot be None")
    if not isinstance(value, pq.Quantity):
        raise TypeError(f"{name} needs units, such as {value!r} * pq.s")
    unit = unit_of(value)
    if unit.base is not SECOND.base:
        raise ValueError(f"{name} must be a time, not a value in {unit.symbol}")
    number = scalar_in(value, unit, name)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, not {number}")
    return number, unit


def _frequency(value: Any, name: str) -> tuple[float, UnitInfo]:
    """Check a sampling rate and return it with its unit."""
    if not isinstance(value, pq.Quantity):
        raise TypeError(f"{name} needs units, such as {value!r} * pq.Hz")
    unit = unit_of(value)
    if unit.base is not HERTZ.base:
        raise ValueError(f"{name} must be a frequency, not a value in {unit.symbol}")
    rate = scalar_in(value, unit, name)
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"{name} must be above 0 and finite, not {rate} {unit.symbol}")
    return rate, unit


def _period(value: Any, name: str) -> tuple[float, UnitInfo]:
    """Check a sampling period and return the rate with its unit."""
    period, unit = time_from(value, name)
    if period <= 0:
        raise ValueError(f"{name} must be above 0, not {period} {unit.symbol}")
    return 1.0 / period, inverse_unit(unit)


def rate_from(
    rate: Any, period: Any, *, names: tuple[str, str] = ("sampling_rate", "sampling_period")
) -> tuple[float, UnitInfo]:
    """Check the rate and period given to a constructor and return the rate with its unit.

    Raises
    ------
    ValueError
        If both are None, do not agree, are not positive, or are of another dimension.
    TypeError
        If one has no units.
    """
    if rate is None:
        if period is None:
            raise ValueError(f"You must provide either the {names[0]} or {names[1]}")
        return _period(period, names[1])
    number, unit = _frequency(rate, names[0])
    if period is not None:
        other, other_unit = _period(period, names[1])
        if not math.isclose(convert(other, other_unit, unit), number, rel_tol=TOLERANCE):
            raise ValueError(f"The {names[0]} has to be 1/{names[1]}; got {rate} and {period}")
    return number, unit


class RegularSampling:
    """Mixin of data objects whose first axis is time at a constant rate."""

    _rate: float = 1.0
    _rate_unit: UnitInfo = HERTZ
    _t0: float = 0.0
    _time_unit: UnitInfo = SECOND

    if TYPE_CHECKING:  # given by DataObject
        shape: tuple[int, ...]
        lazy_shape: tuple[int, ...] | None
        _source: Any

        def view(self, kind: Any) -> Any: ...
        def _deep_like(self, data: NDArray[Any], memo: dict[int, Any]) -> Self: ...
        def _independent(self) -> Self: ...
        def _read(self, start: int, stop: int, index: Any) -> Self: ...

    @property
    def _samples(self) -> int:
        """True number of samples."""
        return int(self.shape[0] if self.lazy_shape is None else self.lazy_shape[0])

    @property
    def _rate_per_time(self) -> float:
        """The rate in samples per unit of the starting time."""
        inverse = inverse_unit(self._time_unit)
        return float(convert(self._rate, self._rate_unit, inverse))

    def _time_of(self, index: int) -> float:
        """Return the time of a sample in the unit of the starting time."""
        return self._t0 + index / self._rate_per_time if index else self._t0

    @property
    def sampling_rate(self) -> pq.Quantity:
        """Samples per time; setting it changes the sampling period too.

        Raises
        ------
        ValueError
            When set to None, to a number without units, or to a value that is not a frequency.
        """
        return quantity(self._rate, self._rate_unit)

    @sampling_rate.setter
    def sampling_rate(self, rate: Any) -> None:
        if not isinstance(rate, pq.Quantity):
            raise ValueError(f"sampling_rate needs a value with units, not {rate!r}")  # noqa: TRY004
        self._rate, self._rate_unit = _frequency(rate, "sampling_rate")

    @property
    def sampling_period(self) -> pq.Quantity:
        """Time between two samples; setting it changes the sampling rate too.

        Raises
        ------
        ValueError
            When set to None, to a number without units, or to a value that is not a time.
        """
        return quantity(1.0 / self._rate, inverse_unit(self._rate_unit))

    @sampling_period.setter
    def sampling_period(self, period: Any) -> None:
        if not isinstance(period, pq.Quantity):
            raise ValueError(f"sampling_period needs a value with units, not {period!r}")  # noqa: TRY004
        self._rate, self._rate_unit = _period(period, "sampling_period")

    @property
    def t_start(self) -> pq.Quantity:
        """Time of the first sample.

        Raises
        ------
        ValueError
            When set to None or to a value that is not a time.
        TypeError
            When set to a number without units.
        """
        return quantity(self._t0, self._time_unit)

    @t_start.setter
    def t_start(self, start: Any) -> None:
        self._t0, self._time_unit = time_from(start, "t_start")

    @property
    def duration(self) -> pq.Quantity:
        """Number of samples times the sampling period."""
        return quantity(self._samples / self._rate, inverse_unit(self._rate_unit))

    @property
    def t_stop(self) -> pq.Quantity:
        """Time at which the last sample ends (start plus duration), in the units of `t_start`."""
        return quantity(self._time_of(self._samples), self._time_unit)

    @property
    def times(self) -> pq.Quantity:
        """Times of all samples, float64, in the units of `t_start`."""
        return quantity(self._times(), self._time_unit)

    def _times(self) -> NDArray[np.float64]:
        """Return the times of all samples as numbers."""
        times = np.arange(self._samples, dtype=np.float64)
        times /= self._rate_per_time
        if self._t0:
            times += self._t0
        return times

    def time_index(self, t: Any) -> Any:
        """Find the sample nearest to a time.

        Parameters
        ----------
        t : Quantity or number, scalar or array
            Bare numbers are in the units of `t_start`.

        Returns
        -------
        int64 or ndarray of int64
            May lie outside the data: the range is not checked.

        Raises
        ------
        ValueError
            If `t` is not a time.
        """
        times = values_in(t, self._time_unit, "time")
        return np.rint((times - self._t0) * self._rate_per_time).astype(np.int64)

    def _window(
        self, t_start: Any, t_stop: Any, *, strict: bool = True, align: Align = "nearest"
    ) -> tuple[int, int]:
        """Return the half-open sample range of a window of time.

        Raises
        ------
        ValueError
            If the window is outside (with `strict`) or turned around.
        """
        if align not in ("nearest", "inside"):
            raise ValueError(f"align must be 'nearest' or 'inside', not {align!r}")
        rate, length = self._rate_per_time, self._samples
        first = 0.0
        last = float(length)
        if t_start is not None:
            first = (scalar_in(t_start, self._time_unit, "t_start") - self._t0) * rate
        if t_stop is not None:
            last = (scalar_in(t_stop, self._time_unit, "t_stop") - self._t0) * rate
        first, last = (min(max(edge, -_FAR), _FAR) for edge in (first, last))
        if not last >= first:
            raise ValueError(f"t_stop ({t_stop}) is before t_start ({t_start})")
        start, stop = _nearest(first, last, length, open_end=t_stop is None)
        # Half a sample of tolerance: a bound belongs to the sample nearest to it.
        if strict and (round(first) < 0 or round(last) > length):
            raise ValueError(
                f"the window {t_start} to {t_stop} is not within the data, which reach from "
                f"{self.t_start} to {self.t_stop}"
            )
        if align == "inside":
            slack = TOLERANCE
            start = math.ceil(first - slack)
            stop = length if t_stop is None else math.floor(last + slack) + 1
        elif strict and stop > length:
            start, stop = max(start - (stop - length), 0), length
        start = min(max(start, 0), length)
        return start, min(max(stop, start), length)

    def time_slice(self, t_start: Any, t_stop: Any, *, align: Align = "nearest") -> Self:
        """Return an independent copy of a window of time.

        Parameters
        ----------
        t_start, t_stop : Quantity, number or None
            Bare numbers are in the units of the object's `t_start`; None is the start or end.
        align : {"nearest", "inside"}, optional
            "nearest": from the sample nearest to `t_start`, with as many samples as the duration
            has periods, so that equal durations give equal lengths. "inside": the samples with
            ``t_start <= t <= t_stop``, as for irregularly sampled signals.

        Returns
        -------
        same class
            Without a segment. Its start is the time of its first sample. Lazy data are read.

        Raises
        ------
        ValueError
            If the window is not within the data (half a sample is tolerated), or turned around.
        """
        start, stop = self._window(t_start, t_stop, align=align)
        if self._source is not None:
            return self._read(start, stop, None)
        new = self._deep_like(self.view(np.ndarray)[start:stop].copy(), {})
        new._t0 = self._time_of(start)
        return new

    def time_shift(self, t_shift: Any) -> Self:
        """Return a copy that starts later by a time (lazy objects stay lazy).

        Parameters
        ----------
        t_shift : Quantity or number
            Bare numbers are in the units of `t_start`.

        Returns
        -------
        same class
            Without a segment.
        """
        new = self._independent()
        new._t0 = self._shifted_start(t_shift)
        return new

    def _same_rate(self, other: RegularSampling) -> bool:
        """Tell whether two sampling rates agree."""
        rate = convert(other._rate, other._rate_unit, self._rate_unit)
        return math.isclose(rate, self._rate, rel_tol=TOLERANCE)

    def _same_start(self, other: RegularSampling) -> bool:
        """Tell whether two starting times agree within a small part of a sample."""
        start = convert(other._t0, other._time_unit, self._time_unit)
        slack = max(TOLERANCE / self._rate_per_time, 4 * math.ulp(self._t0))
        return bool(abs(start - self._t0) <= slack)

    def _check_consistency(self, other: Any) -> None:
        """Check that another object has the same rate and start, before arithmetic.

        Raises
        ------
        ValueError
            If they differ, or the other has no constant rate.
        """
        if not isinstance(other, RegularSampling):
            raise ValueError(  # noqa: TRY004 - inconsistent times, not a wrong type
                f"{type(self).__name__} cannot be combined with {type(other).__name__}"
            )
        for attribute, same in (("sampling_rate", self._same_rate), ("t_start", self._same_start)):
            if not same(other):
                raise ValueError(
                    f"Inconsistent values of {attribute}: {getattr(self, attribute)} and "
                    f"{getattr(other, attribute)}"
                )

    def _set_sampling(
        self, rate: float, rate_unit: UnitInfo, t_start: float, time_unit: UnitInfo
    ) -> None:
        """Set rate and start without checks."""
        self._rate = rate
        self._rate_unit = rate_unit
        self._t0 = t_start
        self._time_unit = time_unit

    def _shifted_start(self, dt: Any) -> float:
        """Return the starting time plus a time, in the unit of the starting time."""
        return self._t0 + scalar_in(dt, self._time_unit, "the shift")


def _nearest(first: float, last: float, length: int, *, open_end: bool) -> tuple[int, int]:
    """Round the start to a sample and count samples, so that equal durations give equal counts."""
    start = round(first)
    return start, length if open_end else start + round(last - first)
