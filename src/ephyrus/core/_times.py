"""Times that users give: checked, with units, and within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import quantities as pq

from ephyrus.core._quantitylists import joined_quantities
from ephyrus.core.units import SECOND, UnitInfo, as_unit, convert, unit_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["check_range", "check_time_unit", "time_values"]


def check_time_unit(unit: UnitInfo, name: str) -> UnitInfo:
    """Return `unit`, raising ValueError if it does not measure time."""
    if unit.base is not SECOND.base:
        raise ValueError(f"{name} must be in units of time, not in {unit.symbol}")
    return unit


def time_values(
    times: ArrayLike | pq.Quantity,
    units: Any = None,
    dtype: DTypeLike | None = None,
    *,
    copy: bool | None = True,
    name: str = "times",
) -> tuple[NDArray[Any], UnitInfo]:
    """Check times given to a constructor and return them in the units wanted.

    Parameters
    ----------
    times : array_like or Quantity, shape (item,)
        A list of Quantities may mix units of time.
    units : str, unit or None
        Needed unless `times` is a Quantity, which is converted to them.
    dtype : dtype_like, optional
        By default floats keep theirs and anything else becomes float64.
    copy : bool or None
        True copies; False shares memory; None shares where nothing has to be converted.
    name : str
        What the values are, for error messages.

    Returns
    -------
    values : ndarray, shape (item,)
    unit : UnitInfo

    Raises
    ------
    ValueError
        If units are missing or not of time, `times` is not one-dimensional or not of
        numbers, or `copy` is False and a conversion is needed.
    """
    times = joined_quantities(times, units, name)
    if isinstance(times, pq.Quantity):
        source = check_time_unit(unit_of(times), name)
        unit = source if units is None else check_time_unit(as_unit(units), "units")
        values = times.view(np.ndarray)
    elif units is None:
        raise ValueError(f"units must be given, because {name} have none: units='s' for instance")
    else:
        source = unit = check_time_unit(as_unit(units), "units")
        values = np.asarray(times)
    if values.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not shape {values.shape}")
    if dtype is None:
        wanted = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    else:
        wanted = np.dtype(dtype)
    if values.dtype.kind not in "biuf" and len(values):
        raise ValueError(f"{name} must be real numbers, not an array of dtype {values.dtype}")
    if source is not unit:
        if copy is False:
            raise ValueError(f"{name} cannot be shared (copy=False): their units are converted")
        return np.asarray(convert(values, source, unit)).astype(wanted, copy=False), unit
    if copy is False and (values.dtype != wanted or not isinstance(times, np.ndarray)):
        raise ValueError(
            f"{name} cannot be shared (copy=False): they have to be converted to {wanted}"
        )
    return values.astype(wanted, copy=bool(copy) and isinstance(times, np.ndarray)), unit


def check_range(
    values: NDArray[Any], t_start: float, t_stop: float, unit: UnitInfo, *, clip: bool = False
) -> None:
    """Check that spikes are within the limits of their train.

    Parameters
    ----------
    values : ndarray
        Times in `unit`.
    t_start, t_stop : float
        Limits in `unit`.
    unit : UnitInfo
    clip : bool, default False
        Move times that are outside by rounding alone (a few units in the last place of their
        dtype) to the limit, in place.

    Raises
    ------
    ValueError
        If a time is outside by more than rounding or is not a number, or `t_start` is after
        `t_stop`.
    """
    if not t_start <= t_stop:
        raise ValueError(f"t_stop ({t_stop} {unit}) is before t_start ({t_start} {unit})")
    if values.size == 0:
        return
    first, last = float(np.minimum.reduce(values, None)), float(np.maximum.reduce(values, None))
    if t_start <= first and last <= t_stop:
        return
    slack = 0.0
    if values.dtype.kind == "f":
        slack = 4 * float(np.spacing(values.dtype.type(max(abs(t_start), abs(t_stop)))))
    if not first >= t_start - slack:
        raise ValueError(f"The first spike ({first} {unit}) is before t_start ({t_start} {unit})")
    if not last <= t_stop + slack:
        raise ValueError(f"The last spike ({last} {unit}) is after t_stop ({t_stop} {unit})")
    if clip:
        np.clip(values, t_start, t_stop, out=values)
