"""The only place of tick <-> second arithmetic.

Ticks are integers (or, where a file stores seconds as floating point numbers, floats) and clocks
are rational numbers of ticks per second, so that comparing, slicing and joining are exact; seconds
are made in the last step, with one rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_fraction", "exact_clock", "nearest_index", "sample_times", "seconds", "ticks_at"]

_EXACT = 2**53
_LARGEST = 2**62


def as_fraction(value: float | Fraction) -> Fraction:
    """Give the rational number that a rate or clock is.

    Raises
    ------
    ValueError
        If it is not finite and above 0.

    Examples
    --------
    >>> as_fraction(403.2258064516129)
    Fraction(1773405851251613, 4398046511104)
    >>> as_fraction(20000.0)
    Fraction(20000, 1)
    """
    if not isinstance(value, Fraction):
        if not math.isfinite(value):
            raise ValueError(f"a rate must be finite, not {value}")
        # plain Python numbers: a Fraction of numpy integers would overflow silently
        value = Fraction(int(value) if isinstance(value, int | np.integer) else float(value))
    if value <= 0:
        raise ValueError(f"a rate must be above 0, not {float(value)}")
    return value


def seconds(ticks: ArrayLike, clock: Fraction) -> NDArray[np.float64]:
    """Convert ticks to seconds.

    Parameters
    ----------
    ticks : array_like of int or float
        Times in clock units.
    clock : Fraction
        Ticks per second.

    Returns
    -------
    ndarray of float64, shape of `ticks`
        Correctly rounded where ticks times the clock's denominator fit 53 bits.

    Examples
    --------
    >>> seconds([0, 15000, 30001], Fraction(30000))
    array([0.        , 0.5       , 1.00003333])
    """
    array = np.asarray(ticks)
    numerator, denominator = clock.numerator, clock.denominator
    if denominator == 1 and numerator <= _EXACT:
        return np.asarray(array / np.float64(numerator), np.float64)
    whole = array.dtype.kind in "iu" and max(numerator, denominator) <= _EXACT
    if whole and _largest(array) * denominator <= _EXACT:
        exact = array.astype(np.int64) * denominator  # narrower types would wrap around
        return np.asarray(exact / np.float64(numerator), np.float64)
    return np.asarray(array / float(clock), np.float64)


def sample_times(
    ticks: ArrayLike, clock: Fraction, samples: ArrayLike, rate: Fraction
) -> NDArray[np.float64]:
    """Give the times of samples that are counted from a tick.

    Parameters
    ----------
    ticks : array_like of int
        Where the counting begins, in clock units.
    clock : Fraction
        Ticks per second.
    samples : array_like of int
        Samples since then; broadcast against `ticks`.
    rate : Fraction
        Samples per second.

    Returns
    -------
    ndarray of float64
        Seconds: ``ticks / clock + samples / rate``, rounded once where both are whole ticks below
        2**53 of a common clock, else within the last digits of the two terms.

    Examples
    --------
    >>> sample_times(1, Fraction(10), [0, 1, 3], Fraction(5))
    array([0.1, 0.3, 0.7])
    """
    begins, counts = np.asarray(ticks, np.int64), np.asarray(samples, np.int64)
    common = math.lcm(clock.numerator, rate.numerator)
    per_tick = common // clock.numerator * clock.denominator
    per_sample = common // rate.numerator * rate.denominator
    is_wide = max(per_tick, per_sample) >= _LARGEST  # no factors of 64 bits, be it of zeros
    if is_wide or _largest(begins) * per_tick + _largest(counts) * per_sample >= _LARGEST:
        return seconds(begins, clock) + seconds(counts, rate)
    return seconds(begins * per_tick + counts * per_sample, Fraction(common))


def _largest(array: NDArray[Any]) -> int:
    """Give the largest absolute value, as a Python number."""
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0


def ticks_at(time: float, clock: Fraction) -> Fraction:
    """Give the exact tick position of a time in seconds."""
    return Fraction(time) * clock


def nearest_index(time: float, t_start: Fraction, rate: Fraction) -> int:
    """Give the index of the sample nearest to `time` (ties to the even index).

    Parameters
    ----------
    time : float
        Seconds.
    t_start : Fraction
        Time of sample 0 in seconds.
    rate : Fraction
        Samples per second.
    """
    return round((Fraction(time) - t_start) * rate)


def exact_clock(times: Iterable[float]) -> tuple[Fraction, NDArray[np.int64]]:
    """Find a clock on which all of the given times (seconds) are whole ticks.

    Times that have no common clock within 62 bits are rounded to picoseconds, or to the finest
    power of ten that holds the largest of them.

    Returns
    -------
    clock : Fraction
        Ticks per second.
    ticks : ndarray of int64
        The times on that clock.

    Raises
    ------
    ValueError, OverflowError
        If a time is not finite, or beyond 62 bits of seconds.

    Examples
    --------
    >>> exact_clock([0.5, 0.75])
    (Fraction(4, 1), array([2, 3]))
    """
    exact = [Fraction(time) for time in times]
    scale = math.lcm(*(time.denominator for time in exact)) if exact else 1
    largest = max(map(abs, exact), default=Fraction(0))
    if largest >= _LARGEST:
        raise ValueError(f"a time of {float(largest):g} s is not one of a recording")
    if largest * scale >= _LARGEST:
        scale = 10**12
        while largest * scale >= _LARGEST:
            scale //= 10
    ticks: list[Any] = [round(time * scale) for time in exact]
    return Fraction(scale), np.array(ticks, np.int64)
