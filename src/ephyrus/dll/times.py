"""Times of regularly sampled items: one question for a run, not one for a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.interface import NeuroshareLibrary

__all__ = ["Run", "runs_between", "sample_times"]


@dataclass(frozen=True, slots=True)
class Run:
    """Samples without a gap between them.

    Attributes
    ----------
    first, count : int
        Index of the first sample, number of samples.
    t_start : float
        Time of the first sample in seconds.
    is_regular : bool
        The last sample lies where the rate says.
    """

    first: int
    count: int
    t_start: float
    is_regular: bool


def runs_between(
    together: Callable[[int, int], int],
    time_of: Callable[[int], float],
    bounds: tuple[int, int],
    rate: float,
) -> list[Run]:
    """Find the runs of an analog entity within a range of samples.

    Each run costs three questions: how far it goes, and the times of its first and last sample.

    Parameters
    ----------
    together : callable
        ``together(start, count)`` tells how many of so many samples have no gap between them.
    time_of : callable
        Gives the time of a sample in seconds.
    bounds : (int, int)
        Half-open range of samples.
    rate : float
        Samples per second.
    """
    found: list[Run] = []
    at, stop = bounds
    while at < stop:
        # a library that says that not even one sample is together would be asked forever
        count = min(max(together(at, stop - at), 1), stop - at)
        t_start = time_of(at)
        is_regular = count == 1
        if not is_regular:
            lasting = time_of(at + count - 1) - t_start
            is_regular = rate > 0 and abs(lasting * rate - (count - 1)) <= 0.5
        found.append(Run(at, count, t_start, is_regular))
        at += count
    return found


def sample_times(
    library: NeuroshareLibrary, handle: int, entity: int, start: int, count: int, rate: float
) -> NDArray[np.float64]:
    """Give times of samples in seconds.

    Runs whose last sample is not where the rate says are asked sample by sample.
    """
    time_of = partial(library.time_by_index, handle, entity)
    together = partial(library.continuous_count, handle, entity)
    times = np.empty(count)
    for run in runs_between(together, time_of, (start, start + count), rate):
        piece = times[run.first - start : run.first - start + run.count]
        if run.count == 1:
            piece[0] = run.t_start
        elif run.is_regular:
            np.divide(np.arange(run.count), rate, out=piece)
            piece += run.t_start
        else:
            piece[:] = [time_of(run.first + k) for k in range(run.count)]
    return times
