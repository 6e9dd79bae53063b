"""Windows on arrays with times of their own: irregular samples, spikes, events and epochs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.partial.channels import compact
from ephyrus.service.partial.links import range_part
from ephyrus.service.partial.params import RangeRequest
from ephyrus.service.partial.times import Read, Times, rows_within
from ephyrus.service.partial.units import convert, factor, finite
from ephyrus.service.partial.values import LARGEST, wrong
from ephyrus.service.partial.wanted import Wanted
from ephyrus.service.partial.windows import MISSED, MissedError, Window, tidy

__all__ = ["Durations", "Timed", "resolve_timed", "window_part"]

_ITEMS = 1000  # stretches of rows that a link can name one by one


@dataclass(frozen=True, slots=True)
class Durations:
    """How long each epoch lasts.

    Attributes
    ----------
    units : str
        Unit of the durations.
    read : callable
        ``read(start, stop)`` gives a part of them.
    """

    units: str
    read: Read


@dataclass(frozen=True, slots=True)
class Timed:
    """The axis of an object whose rows have times of their own.

    Attributes
    ----------
    times : Times
        The times.
    by : int or str
        Id of their datafile, as printed.
    units : str
        Unit of the times of a request and of `t_start` and `t_stop`.
    t_start, t_stop : float or None
        Beginning and end of what was recorded, where the object says so, in `units`.
    samples : bool
        The rows are samples of a signal: a window must hold one, and t_start is that of the first.
        False: spikes, events or epochs, of which a window may hold none.
    durations : Durations or None
        For epochs that reach into a window.
    """

    times: Times
    by: int | str
    units: str
    t_start: float | None = None
    t_stop: float | None = None
    samples: bool = False
    durations: Durations | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.times.n

    def at(self, index: int) -> float:
        """Give the time of a row in `units`."""
        return convert("time", self.times.at(index), self.times.units, self.units)

    def stored(self, time: float | None) -> float | None:
        """Convert a time to the unit of the array."""
        return None if time is None else convert("time", time, self.units, self.times.units)

    @property
    def begin(self) -> float | None:
        """Where counting from the beginning starts: t_start, or the first row."""
        if not self.samples and self.t_start is not None:
            return self.t_start
        return self.at(0) if self.n else self.t_start

    @property
    def end(self) -> float | None:
        """End of what was recorded; None: not known."""
        if self.samples and self.n:
            return self.at(self.n - 1)
        return self.t_stop


def window_part(low: float | None, high: float | None, by: int | str) -> str:
    """Write a closed window of times, in the unit of their array, and the id of that array."""
    sides = ("" if side is None else _plain(side) for side in (low, high))
    return f"window={':'.join(sides)}&by={by}"


def _plain(value: float) -> str:
    """Write a number so that it comes back as it is, whole numbers without a point."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def resolve_timed(request: RangeRequest, axis: Timed, *, listed: bool = False) -> Window:
    """Find the rows that a request asks for.

    Parameters
    ----------
    request : RangeRequest
        What is asked for.
    axis : Timed
        The times of the rows.
    listed : bool
        The object is one of a list: a window that misses it is no error.

    Returns
    -------
    Window
        The rows; `Window.bounds` is the window in the unit of `axis`. Where the rows are no range
        (times that are not sorted, epochs that reach in, an empty window), the query selects them
        by the window or one by one.

    Raises
    ------
    ServiceError
        ``wrong_params`` if the window ends before it begins, begins at a row that is not there,
        holds no sample of a signal, or (strict) reaches beyond what was recorded.
    """
    if not request.has_window:
        return Window(0, axis.n, axis.n)
    try:
        return _resolve(request, axis)
    except MissedError:
        if listed:
            return MISSED
        raise


def _resolve(request: RangeRequest, axis: Timed) -> Window:
    """Find the rows of a window."""
    wanted = request.wanted
    wanted.check_order()
    if wanted.start_index is not None and wanted.start_index >= axis.n:
        raise MissedError(
            "start_index", f"start_index {wanted.start_index}: there are {axis.n} rows."
        )
    low, high = _bounds(wanted, axis)
    uses_time = low is not None or high is not None
    if uses_time and axis.n and not axis.times.is_sorted:
        window = _unsorted(wanted, axis, low, high)
    else:
        window = _sorted(wanted, axis, low, high)
    if request.overlap and low is not None and axis.durations is not None:
        window = _reaching(window, axis, axis.durations, low, high)
    if axis.samples and not window.count:
        raise MissedError(wanted.start_name, "The window holds no sample of the signal.")
    window = replace(window, cut=window.cut or _reaches_beyond(axis, low, high))
    if window.cut and request.strict:
        raise wrong(wanted.end_name, "The window reaches beyond what was recorded (strict).")
    return window


def _bounds(wanted: Wanted, axis: Timed) -> tuple[float | None, float | None]:
    """Give the window in time as far as it is given in time; None: given by rows, or open."""
    low, high = wanted.start_time, wanted.end_time
    if low is not None and high is not None and low > high:
        raise wrong("end_time", f"end_time {high:g} lies before start_time {low:g}.")
    if wanted.duration is None:
        return low, high
    last = axis.n - 1
    if wanted.end_time is not None:
        low = _sum(wanted.end_time, -wanted.duration)
    elif wanted.end_index is not None:
        if last < 0:
            return None, None
        low = _sum(axis.at(min(wanted.end_index, last)), -wanted.duration)
    elif wanted.start_index is not None:
        high = _sum(axis.at(wanted.start_index), wanted.duration)
    else:
        begin = low if low is not None else axis.begin
        high = None if begin is None else _sum(begin, wanted.duration)
    return low, high


def _sum(time: float, duration: float) -> float:
    """Add two numbers that were written in decimal: 0.7 + 0.1 is 0.8."""
    return finite(Fraction(repr(time)) + Fraction(repr(duration)))


def _sorted(wanted: Wanted, axis: Timed, low: float | None, high: float | None) -> Window:
    """Find the rows of a window as a range."""
    n = axis.n
    start, stop = _range(wanted, axis, low, high)
    _check_mixed(wanted, start, stop)
    if low is None and high is None and 0 < n <= start:
        raise MissedError(wanted.end_name, f"The window begins at row {start}, there are {n}.")
    first, end = max(start, 0), min(stop, n)
    is_cut = start < 0 or stop > n
    bounds = _extent(axis, low, high, first, end)
    if end <= first:
        query = window_part(axis.stored(low), axis.stored(high), axis.by) if n else ""
        at = min(first, n)
        return Window(at, at, 0, query, is_cut, *_shown(axis, bounds), bounds=bounds)
    if axis.samples:
        bounds = (axis.at(first), axis.at(end - 1))
    query = range_part(first, min(stop, LARGEST))
    return Window(first, end, end - first, query, is_cut, *_shown(axis, bounds), bounds=bounds)


def _range(wanted: Wanted, axis: Timed, low: float | None, high: float | None) -> tuple[int, int]:
    """Give the half-open range of rows, not cut to the array."""
    start = wanted.start_index
    stop = None if wanted.end_index is None else wanted.end_index + 1
    if low is not None:
        start = axis.times.locate(_required(axis.stored(low)), "left")
    if high is not None:
        stop = axis.times.locate(_required(axis.stored(high)), "right")
    if wanted.samples is not None:
        if stop is None:
            stop = (start or 0) + wanted.samples
        else:
            start = stop - wanted.samples
    return start or 0, axis.n if stop is None else stop


def _required(value: float | None) -> float:
    """Narrow a value that is known to be there."""
    assert value is not None  # noqa: S101 -- `stored` keeps None only for None
    return value


def _check_mixed(wanted: Wanted, start: int, stop: int) -> None:
    """Refuse an end before the start where one is a time and the other an index."""
    by_time = wanted.start_time is not None and wanted.end_index is not None
    by_index = wanted.start_index is not None and wanted.end_time is not None
    if (by_time or by_index) and start >= stop:
        raise MissedError(
            wanted.end_name,
            f"The window ends at row {stop - 1}, before it begins at row {start}.",
        )


def _unsorted(wanted: Wanted, axis: Timed, low: float | None, high: float | None) -> Window:
    """Find how many rows lie in a window of times that are not sorted."""
    if wanted.samples is not None:
        raise wrong(
            "samples_count",
            "The times of the object are not sorted: samples_count goes with an index, a time "
            "with end_time or duration.",
        )
    if wanted.start_index is not None:
        low = axis.at(wanted.start_index)
    if wanted.end_index is not None and axis.n:
        high = axis.at(min(wanted.end_index, axis.n - 1))
    if low is not None and high is not None and low > high:
        raise MissedError(wanted.end_name, f"The window ends at {high:g}, before {low:g}.")
    found = axis.times.find(axis.stored(low), axis.stored(high))
    bounds = (low, high)
    if axis.samples and found.first is not None and found.largest is not None:
        source = axis.times.units
        bounds = (
            convert("time", found.first, source, axis.units),
            convert("time", found.largest, source, axis.units),
        )
    elif not axis.samples:
        bounds = _extent(axis, low, high, 0, axis.n)
    query = window_part(axis.stored(low), axis.stored(high), axis.by)
    return Window(None, None, found.count, query, False, *_shown(axis, bounds), bounds=bounds)


def _extent(
    axis: Timed, low: float | None, high: float | None, first: int, end: int
) -> tuple[float | None, float | None]:
    """Give the window in time: what was asked for within what was recorded, else rows."""
    begin, finish = axis.t_start, axis.t_stop
    t_start, t_stop = begin, finish
    if low is not None:
        t_start = low if begin is None else max(begin, low)
    elif 0 < first < axis.n:
        t_start = axis.at(first)
    if high is not None:
        t_stop = high if finish is None else min(finish, high)
    elif first < end < axis.n:
        t_stop = axis.at(end - 1)
    return t_start, t_stop


def _shown(
    axis: Timed, bounds: tuple[float | None, float | None]
) -> tuple[float | None, float | None]:
    """Round the ends of a window as they are shown."""
    low, high = bounds
    return (
        None if low is None else tidy(low, low if axis.t_start is None else axis.t_start),
        None if high is None else tidy(high, high if axis.t_stop is None else axis.t_stop),
    )


def _reaches_beyond(axis: Timed, low: float | None, high: float | None) -> bool:
    """Whether more time was asked for than was recorded, where that is known."""
    begin = axis.t_start
    end = axis.end
    before = low is not None and begin is not None and low < begin
    after = high is not None and end is not None and high > end
    return before or after


def _reaching(
    window: Window, axis: Timed, durations: Durations, low: float, high: float | None
) -> Window:
    """Add the epochs that began before a window and reach into it."""
    rows = _rows_reaching(axis, durations, low, high)
    count = len(rows)
    if count == window.count:
        return window
    first, end = int(rows[0]), int(rows[-1]) + 1
    if end - first == count:
        query = range_part(first, end)
        return replace(window, start=first, stop=end, count=count, query=query)
    items = compact(rows)
    if len(items) > _ITEMS:
        raise wrong(
            "overlap",
            f"The epochs that reach into the window are {len(items)} separate stretches of rows, "
            f"more than the {_ITEMS} that a link can name: ask without overlap.",
        )
    query = f"indices={','.join(items)}"
    return replace(window, start=None, stop=None, count=count, query=query)


def _rows_reaching(
    axis: Timed, durations: Durations, low: float, high: float | None
) -> NDArray[np.int64]:
    """Give the epochs that begin in a window or reach into it."""
    scale = float(factor("time", durations.units, axis.times.units))
    start, stop = axis.stored(low), axis.stored(high)
    last = axis.n
    if stop is not None and axis.times.is_sorted:
        last = axis.times.locate(stop, "right")
    found = [np.empty(0, np.int64)]
    for first, onsets in axis.times.blocks(0, last):
        lasting = np.asarray(durations.read(first, first + len(onsets))).astype(np.float64) * scale
        reach = np.maximum(onsets, onsets + lasting)
        chosen = rows_within(onsets, None, stop) & rows_within(reach, start, None)
        found.append(first + np.flatnonzero(chosen))
    return np.concatenate(found).astype(np.int64, copy=False)
