"""Which times lie in a window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["window_index"]

# Items that are looked at in one go: few enough that times out of order are found out soon.
_BLOCK = 1 << 18

# Below so many items, seeing that all are in order takes less than four reductions.
_FEW = 1 << 15


def window_index(data: NDArray[Any], first: float | None, last: float | None) -> Any:
    """Return what indexes the times within a closed window: a slice, or a mask.

    Parameters
    ----------
    data : ndarray, shape (item,)
        Times, in order or not.
    first, last : float or None
        The window; None is open.

    Returns
    -------
    slice or ndarray of bool
    """
    start = 0 if first is None else int(data.searchsorted(first, side="left"))
    stop = len(data) if last is None else int(data.searchsorted(last, side="right"))
    if _part_is_right(data, start, stop, first, last):
        return slice(start, stop)
    keep = np.ones(len(data), dtype=np.bool_)
    if first is not None:
        keep &= data >= np.float64(first)  # as searchsorted compares, also with float32
    if last is not None:
        keep &= data <= np.float64(last)
    return keep


def _all_within(data: NDArray[Any], above: float | None, below: float | None) -> bool:
    """Tell whether ``above < time < below`` for all times; NaN is not, None is no limit."""
    for start in range(0, len(data), _BLOCK) if (above, below) != (None, None) else ():
        part = data[start : start + _BLOCK]
        if below is not None and not float(np.maximum.reduce(part)) < below:
            return False
        if above is not None and not float(np.minimum.reduce(part)) > above:
            return False
    return True


def _part_is_right(
    data: NDArray[Any], start: int, stop: int, first: float | None, last: float | None
) -> bool:
    """Tell whether the times at ``[start, stop)`` are those within a closed window.

    They are if all times are in order, which cannot be remembered: numpy gives out the memory to
    be written without telling. Of many times it is quicker to see that none outside is missing
    and none inside is too much, because that looks at each time once, not twice.
    """
    if start > stop:
        return False
    if len(data) < _FEW:
        return bool((data[1:] >= data[:-1]).all()) and not (len(data) and math.isnan(data[-1]))
    low = None if first is None else math.nextafter(first, -math.inf)
    high = None if last is None else math.nextafter(last, math.inf)
    return (
        _all_within(data[:start], None, first)
        and _all_within(data[stop:], last, None)
        and _all_within(data[start:stop], low, high)
    )
