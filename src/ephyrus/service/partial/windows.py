"""Windows on signals with a sampling rate: from what was asked for to a range of indices."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.links import range_part
from ephyrus.service.partial.params import RangeRequest
from ephyrus.service.partial.units import samples_per_unit
from ephyrus.service.partial.values import LARGEST, wrong
from ephyrus.service.partial.wanted import Wanted

__all__ = ["MISSED", "MissedError", "Regular", "Window", "nearest", "resolve", "tidy"]

_SNAP = 1e-6  # of a sample: nearer to a whole index than this is that index
_EXACT = 2**53  # whole numbers below it are exact as floats, and fit into JSON
_KEPT = 1e-3  # of a sample: rounding of a time must not move it further


class MissedError(ServiceError):
    """A window that holds nothing of an object: in a list the object is shown without arrays."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__("wrong_params", message, details=name)


@dataclass(frozen=True, slots=True)
class Window:
    """A window of an object.

    Attributes
    ----------
    start, stop : int or None
        Half-open range of rows, cut to the array; None: the rows are no range.
    count : int
        Number of rows.
    query : str
        Parameters that select the rows in links; empty: all of them.
    cut : bool
        More was asked for than there is.
    t_start, t_stop : float or None
        Beginning and end in the object's unit of time; None: not known, or unchanged.
    missed : bool
        The window holds nothing of the object, which a list shows without arrays.
    bounds : tuple of (float or None, float or None)
        Window in time, in the object's unit of time, where one was asked for.
    """

    start: int | None
    stop: int | None
    count: int
    query: str = ""
    cut: bool = False
    t_start: float | None = None
    t_stop: float | None = None
    missed: bool = False
    bounds: tuple[float | None, float | None] = (None, None)


MISSED = Window(None, None, 0, missed=True)


@dataclass(frozen=True, slots=True)
class Regular:
    """The axis of a signal with a sampling rate.

    Attributes
    ----------
    n : int
        Number of samples.
    t_start : float or None
        Time of the first sample.
    t_units : str or None
        Unit of `t_start` and of the times of a request.
    rate : float or None
        Sampling rate.
    rate_units : str or None
        Its unit.
    """

    n: int
    t_start: float | None
    t_units: str | None
    rate: float | None
    rate_units: str | None

    def per_unit(self) -> float | None:
        """Give the samples in one unit of time; None: not known."""
        if self.rate is None or self.rate_units is None or self.t_units is None:
            return None
        if self.t_start is None or not 0 < self.rate < math.inf:
            return None
        try:
            k = samples_per_unit(self.rate, self.rate_units, self.t_units)
        except ValueError:
            return None
        return k if k > 0 else None


def nearest(x: float) -> int:
    """Give the index nearest to a position; halves go up, and noise around whole numbers is none.

    Examples
    --------
    >>> nearest(2.5), nearest(-0.5), nearest(999.9999999999)
    (3, 0, 1000)
    """
    if not -LARGEST < x < LARGEST:
        return LARGEST if x > 0 else -LARGEST
    whole = round(x)
    return whole if abs(x - whole) <= _SNAP else math.floor(x + 0.5)


def tidy(value: float, like: float | None = None, *, step: float = math.inf) -> float:
    """Round a computed number to 12 significant digits.

    Parameters
    ----------
    value : float
        The number.
    like : float or None
        The stored number that it replaces: a whole number is given as an int if that one was
        whole.
    step : float
        Distance of two samples in the unit of `value`. Times that are so large that rounding would
        move them by a noticeable part of it are left as they are.
    """
    rounded = float(f"{value:.12g}")
    if abs(rounded - value) > _KEPT * step:
        rounded = value
    if like is not None and abs(rounded) < _EXACT and rounded.is_integer():
        return int(rounded) if float(like).is_integer() else rounded
    return rounded


def resolve(request: RangeRequest, axis: Regular, *, listed: bool = False) -> Window:
    """Find the samples that a request asks for.

    Parameters
    ----------
    request : RangeRequest
        What is asked for.
    axis : Regular
        The signal.
    listed : bool
        The object is one of a list: a window that misses it is no error.

    Returns
    -------
    Window
        The range; ``missed`` where it misses the signal of a list.

    Raises
    ------
    ServiceError
        ``wrong_params`` if the window is empty, misses the signal, or (strict) reaches beyond it.
    """
    if not request.has_window:
        return Window(0, axis.n, axis.n, t_stop=_time(axis, axis.n, axis.per_unit()))
    try:
        return _resolve(request, axis)
    except MissedError:
        if listed:
            return MISSED
        raise


def _resolve(request: RangeRequest, axis: Regular) -> Window:
    """Find the samples of a window."""
    wanted = request.wanted
    wanted.check_order()
    k = axis.per_unit()
    first, last = _ends(wanted, axis, k)
    n = axis.n
    if first >= n or last < 0 or not n:
        name = wanted.start_name if first >= n else wanted.end_name
        raise MissedError(name, f"The window holds none of the {n} samples of the signal.")
    cut = first < 0 or last >= n
    if cut and request.strict:
        name = wanted.start_name if first < 0 else wanted.end_name
        raise wrong(name, f"The window reaches beyond the signal of {n} samples (strict).")
    start, stop = max(first, 0), min(last + 1, n)
    return Window(
        start,
        stop,
        stop - start,
        range_part(start, min(last + 1, LARGEST)),
        cut,
        _time(axis, start, k),
        _time(axis, stop, k),
    )


def _ends(wanted: Wanted, axis: Regular, k: float | None) -> tuple[int, int]:
    """Give the indices of the first and the last sample wanted, not cut to the signal."""
    first = _index(wanted.start_time, wanted.start_index, "start_time", axis, k)
    last = _index(wanted.end_time, wanted.end_index, "end_time", axis, k)
    steps = None if wanted.samples is None else wanted.samples - 1
    if wanted.duration is not None:
        steps = nearest(wanted.duration * _known(k, "duration"))
    if first is not None and last is not None:
        if first > last:
            raise _backwards(wanted, first, last)
        return first, last
    if first is not None:
        return first, axis.n - 1 if steps is None else first + steps
    if last is None:
        return 0, axis.n - 1 if steps is None else steps
    if steps is None:
        return 0, last
    if last < steps and wanted.end_index is not None:
        raise MissedError("duration", f"duration reaches before index 0 from end_index {last}.")
    return last - steps, last


def _index(
    time: float | None, index: int | None, name: str, axis: Regular, k: float | None
) -> int | None:
    """Give the index of one end, from its time or as it is."""
    if time is None:
        return index
    return nearest((time - (axis.t_start or 0.0)) * _known(k, name))


def _known(k: float | None, name: str) -> float:
    """Give the samples per unit of time, or say that there is no time."""
    if k is None:
        raise MissedError(
            name, f"{name}: the object has no t_start or no sampling_rate: use indices."
        )
    return k


def _backwards(wanted: Wanted, first: int, last: int) -> ServiceError:
    """Make the error of an end before the start: for all objects, or for this one only."""
    name = wanted.end_name
    message = f"The window ends at index {last}, before it begins at {first}: {name}."
    is_mixed = (wanted.start_time is None) != (wanted.end_time is None)
    return MissedError(name, message) if is_mixed else wrong(name, message)


def _time(axis: Regular, index: int, k: float | None) -> float | None:
    """Give the time of an index in the unit of t_start."""
    if k is None or axis.t_start is None:
        return None
    if index == 0:
        return axis.t_start
    time = axis.t_start + index / k
    return tidy(time, axis.t_start, step=1 / k) if math.isfinite(time) else None
