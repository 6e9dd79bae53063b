"""Where to begin: from a time and a segment to positions in a stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ephyrus.recording import Recording, SignalStream, TableStream, pieces

__all__ = ["Place", "signal_place", "table_place"]

SCAN_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """A range of items.

    Attributes
    ----------
    first, last : int
        Half-open range.
    """

    first: int
    last: int


def _exact(start: float | None) -> Fraction | None:
    """Take a time as the decimal number that was typed (0.1 is a tenth)."""
    return None if start is None else Fraction(repr(start))


def _runs(
    recording: Recording, stream: SignalStream | TableStream, segment: int | None
) -> list[int]:
    """Give the positions of the runs in question."""
    if segment is None:
        return list(range(len(stream.runs)))
    return [int(run) for run in recording.segment_runs(stream, segment)]


def signal_place(
    recording: Recording, stream: SignalStream, start: float | None, segment: int | None
) -> Place:
    """Find the first sample at or after a time; samples of one segment end with their run."""
    begin = _exact(start)
    for run in _runs(recording, stream, segment):
        first, count = int(stream.runs["first"][run]), int(stream.runs["count"][run])
        skipped = 0
        if begin is not None:
            skipped = max(0, math.ceil((begin - stream.t_start(run)) * stream.rate))
        if skipped < count:
            return Place(first + skipped, stream.length if segment is None else first + count)
    return Place(stream.length, stream.length)


def table_place(
    recording: Recording, table: TableStream, start: float | None, segment: int | None
) -> Place:
    """Find the first item at or after a time, by looking at few ticks."""
    begin = _exact(start)
    for run in _runs(recording, table, segment):
        first = int(table.runs["first"][run])
        last = first + int(table.runs["count"][run])
        at = first if begin is None else _first_from(recording, table, first, last, begin)
        if at < last:
            return Place(at, table.length if segment is None else last)
    return Place(table.length, table.length)


def _first_from(
    recording: Recording, table: TableStream, first: int, last: int, begin: Fraction
) -> int:
    """Give the first item of [first, last) that is not before `begin`, or `last`."""
    tick = begin * table.clock
    if not table.is_sorted:
        for start, stop in pieces(first, last, table.columns["tick"].itemsize, SCAN_BYTES):
            ticks = recording.read_table(table, start, stop, ["tick"])["tick"]
            later = np.flatnonzero(ticks >= float(tick))
            if later.size:
                return start + int(later[0])
        return last
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        found = recording.read_table(table, middle, middle + 1, ["tick"])["tick"][0]
        if Fraction(found.item()) < tick:
            low = middle + 1
        else:
            high = middle
    return low
