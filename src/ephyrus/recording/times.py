"""Where the samples of a signal lie in time: from positions to seconds and back, run by run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephyrus.recording.clock import sample_times, seconds
from ephyrus.recording.streams import SignalStream, TableStream

__all__ = ["gaps", "item_times", "ranges_between", "run_extents", "run_positions"]

_HALF = Fraction(1, 2)
_SLACK = Fraction(1, 1000)  # of a sample: 0.1 s means the sample there, whatever its last digits


def run_positions(stream: SignalStream | TableStream, items: ArrayLike) -> NDArray[np.int64]:
    """Give the run that each sample or item of a stream lies in.

    Parameters
    ----------
    stream : SignalStream or TableStream
        The stream.
    items : array_like of int
        Positions within its length.

    Returns
    -------
    ndarray of int64, shape of `items`
    """
    return np.searchsorted(stream.runs["first"], np.asarray(items), "right") - 1


def item_times(stream: SignalStream, samples: ArrayLike) -> NDArray[np.float64]:
    """Give the times of samples of a stream.

    Parameters
    ----------
    stream : SignalStream
        The stream.
    samples : array_like of int
        Positions within its length.

    Returns
    -------
    ndarray of float64, shape of `samples`
        Seconds.

    Examples
    --------
    >>> import ephyrus
    >>> with ephyrus.open("made-up.fake") as recording:
    ...     item_times(recording.signals[0], [0, 1, 99_999, 100_000])
    array([0.0000e+00, 1.0000e-04, 9.9999e+00, 1.5000e+01])
    """
    positions = np.asarray(samples, np.int64)
    runs = stream.runs[run_positions(stream, positions)]
    return sample_times(runs["tick"], stream.clock, positions - runs["first"], stream.rate)


def run_extents(stream: SignalStream) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the time of each run's first sample, and the time just after its last one (seconds)."""
    runs = stream.runs
    return (
        seconds(runs["tick"], stream.clock),
        sample_times(runs["tick"], stream.clock, runs["count"], stream.rate),
    )


def gaps(stream: SignalStream, segments: Sequence[int] | None = None) -> NDArray[np.float64]:
    """Give the stretches within segments in which a signal was not recorded.

    Parameters
    ----------
    stream : SignalStream
        The stream.
    segments : sequence of int, optional
        Only within these segments.

    Returns
    -------
    ndarray of float64, shape (gaps, 2)
        Beginning and end in seconds. Runs that follow each other within half a sample have no gap
        between them, nor has the time between segments.
    """
    runs = stream.runs
    t_start, t_stop = run_extents(stream)
    apart = t_start[1:] - t_stop[:-1] > float((_HALF + _SLACK) / stream.rate)
    inside = apart & (runs["segment"][1:] == runs["segment"][:-1])
    if segments is not None:
        inside &= np.isin(runs["segment"][1:], list(segments))
    return np.column_stack([t_stop[:-1][inside], t_start[1:][inside]])


def ranges_between(
    stream: SignalStream,
    t_start: float,
    t_stop: float,
    segments: Sequence[int] | None = None,
    *,
    origins: Sequence[float] | None = None,
) -> list[tuple[int, int]]:
    """Find the samples within a stretch of time.

    Parameters
    ----------
    stream : SignalStream
        The stream.
    t_start, t_stop : float
        Both ends belong to the stretch, in seconds.
    segments : sequence of int, optional
        Only runs of these segments.
    origins : sequence of float, optional
        Where the time of each segment is counted from, in seconds (default: 0 for all).

    Returns
    -------
    list of (int, int)
        Half-open sample ranges in the order of the stream; ranges that touch are joined.
    """
    found: list[tuple[int, int]] = []
    rate, clock = stream.rate, stream.clock
    zeros = np.zeros(int(stream.runs["segment"].max(initial=0)) + 1)
    zero = zeros if origins is None else np.asarray(origins, np.float64)
    for run in _runs_between(stream, t_start, t_stop, segments, zero):
        begin = Fraction(int(run["tick"])) / clock - Fraction(float(zero[run["segment"]]))
        first, count = int(run["first"]), int(run["count"])
        lowest = math.ceil((Fraction(t_start) - begin) * rate - _SLACK)
        highest = math.floor((Fraction(t_stop) - begin) * rate + _SLACK)
        start = first + min(max(lowest, 0), count)
        stop = first + min(max(highest + 1, 0), count)
        if start >= stop:
            continue
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, stop))
    return found


def _runs_between(
    stream: SignalStream,
    t_start: float,
    t_stop: float,
    segments: Sequence[int] | None,
    zero: NDArray[np.float64],
) -> NDArray[Any]:
    """Give the runs that may have samples in a stretch of time; one sample more than enough."""
    begins, ends = (extent - zero[stream.runs["segment"]] for extent in run_extents(stream))
    margin = 1 / float(stream.rate)
    chosen = (ends >= t_start - margin) & (begins <= t_stop + margin) & (stream.runs["count"] > 0)
    if segments is not None:
        chosen &= np.isin(stream.runs["segment"], list(segments))
    found: NDArray[Any] = stream.runs[chosen]
    return found
