"""Intervals and units of sampled dimensions, as rates."""

from __future__ import annotations

import math
from typing import Any

import quantities as pq

from ephyrus.core.units import as_unit, convert, unit_from_text

__all__ = ["period_of", "rate_of", "rate_of_axis", "rate_unit_of", "time_in"]

RATES = {"s": pq.Hz, "ms": pq.kHz, "us": pq.MHz}
# Time units of dimensions that NIX knows, for the units of rates.
PERIODS = {"Hz": "s", "kHz": "ms", "MHz": "us", "1/s": "s", "1/ms": "ms", "1/us": "us"}


def rate_of(interval: float) -> float:
    """Give the rate of an interval: the roundest whose inverse it is."""
    rate = 1.0 / interval
    for digits in (0, 3, 6, 9):
        rounded = round(rate, digits)
        if rounded and 1.0 / rounded == interval:
            return rounded
    return rate


def rate_unit_of(text: str | None) -> Any:
    """Give the unit of the rate for the unit of an interval."""
    unit = text or "s"
    return RATES.get(unit) or 1 / unit_from_text(unit)[0]


def rate_of_axis(axis: Any, noted: pq.Quantity | None) -> pq.Quantity:
    """Give the rate of a sampled dimension.

    Parameters
    ----------
    axis : SampledDimension
        The dimension.
    noted : Quantity, optional
        The rate as it was noted beside; it counts if the interval is its inverse.

    Raises
    ------
    ValueError
        If the interval is no positive number.
    """
    interval, text = axis.sampling_interval, axis.unit or "s"
    if not (interval > 0 and math.isfinite(interval) and math.isfinite(1.0 / interval)):
        raise ValueError(f"a sampling interval of {interval} {text}")
    if noted is not None:
        period = pq.Quantity(interval, unit_from_text(text)[0])
        if math.isclose(float((noted * period).rescale("dimensionless")), 1.0, rel_tol=1e-9):
            return noted
    return pq.Quantity(rate_of(interval), rate_unit_of(text))


def period_of(rate: pq.Quantity) -> tuple[float, str]:
    """Give the interval of a rate and its unit, one that NIX knows."""
    unit = PERIODS.get(rate.dimensionality.string, "s")
    return 1.0 / float(convert(float(rate.magnitude), as_unit(rate.units), _RATE_UNITS[unit])), unit


def time_in(value: pq.Quantity, unit: str) -> float:
    """Give a time in s, ms or us."""
    return float(convert(float(value.magnitude), as_unit(value.units), _TIME_UNITS[unit]))


_TIME_UNITS = {"s": as_unit(pq.s), "ms": as_unit(pq.ms), "us": as_unit(pq.us)}
_RATE_UNITS = {unit: as_unit(rate) for unit, rate in RATES.items()}
