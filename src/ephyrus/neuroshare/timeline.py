"""One axis of time for a whole recording: the C interface knows no segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import Recording
from ephyrus.recording.times import run_extents

__all__ = ["Timeline"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where the segments of a recording lie in the one time span of a Neuroshare file.

    Attributes
    ----------
    shifts : ndarray of float64, shape (segments,)
        Seconds to be added to the times of each segment: 0 unless it begins before the segment
        before it ends (sweeps that each begin at 0), then what makes it follow that one.
    t_stop : float
        End of the last segment in seconds.
    """

    shifts: NDArray[np.float64]
    t_stop: float

    @classmethod
    def of(cls, recording: Recording) -> Timeline:
        """Place the segments of a recording."""
        begins, ends = _extents(recording)
        slack = max((1 / float(stream.rate) for stream in recording.signals), default=0.0)
        shifts = np.zeros(begins.size)
        reached = -np.inf
        for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            overlap = reached - begin
            if overlap > min(slack, (end - begin) / 2):
                shifts[number] = overlap
            reached = max(reached, end + shifts[number])
        return cls(shifts, float(reached) if np.isfinite(reached) else 0.0)

    @property
    def is_laid_out(self) -> bool:
        """Whether segments were moved."""
        return bool(self.shifts.any())


def _extents(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give begin and end of each segment with all the signals in it."""
    begins = np.array([segment.t_start or 0.0 for segment in recording.segments])
    ends = np.array([segment.t_stop or 0.0 for segment in recording.segments])
    for stream in recording.signals:
        t_start, t_stop = run_extents(stream)
        np.minimum.at(begins, stream.runs["segment"], t_start)
        np.maximum.at(ends, stream.runs["segment"], t_stop)
    return begins, np.maximum(begins, ends)
