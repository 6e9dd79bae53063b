"""Index columns -> streams: split by key, find pauses, put items into segments.

Everything works on whole columns; packets and spikes are never looked at one by one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephyrus.recording.streams import run_table

__all__ = [
    "Groups",
    "grouped",
    "joint_stretches",
    "segment_at",
    "stretch_starts",
    "table_runs",
    "time_ordered",
    "unit_counts",
]


COMPILED_FROM = 2**16  # items
MOST_RANKS = 2**16  # entries of a table that is quicker than a search


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Items split by a key.

    Attributes
    ----------
    values : ndarray, shape (groups,)
        The keys that occur, ascending.
    order : ndarray of intp, shape (items,)
        Item positions, group after group, within a group as they were.
    bounds : ndarray of intp, shape (groups + 1,)
        Where each group begins in `order`.
    """

    values: NDArray[Any]
    order: NDArray[np.intp]
    bounds: NDArray[np.intp]

    def rows(self, group: int) -> NDArray[np.intp]:
        """Positions of the items of a group."""
        return self.order[self.bounds[group] : self.bounds[group + 1]]

    @property
    def counts(self) -> NDArray[np.intp]:
        """Items of each group."""
        return np.diff(self.bounds)


def grouped(keys: ArrayLike) -> Groups:
    """Split items by integer keys with one stable sort.

    Examples
    --------
    >>> groups = grouped([7, 5, 7, 5])
    >>> groups.values, groups.rows(1)
    (array([5, 7]), array([0, 2]))
    """
    column = np.asarray(keys)
    order = _stable_order(column)
    ordered = column[order]
    begins = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    bounds = np.concatenate(([0], begins, [column.size])) if column.size else np.zeros(1, np.intp)
    return Groups(ordered[bounds[:-1]], order, bounds.astype(np.intp))


def _stable_order(column: NDArray[Any]) -> NDArray[np.intp]:
    """Sort: with the compiled loop where that has been loaded."""
    compiled = sys.modules.get("ephyrus.recording._compiled")
    if compiled is None or column.dtype != np.uint16 or column.size < COMPILED_FROM:
        return np.argsort(column, kind="stable")
    order: NDArray[np.intp] = compiled.order_of(column)
    return order


def segment_at(ticks: ArrayLike, starts: ArrayLike) -> NDArray[np.intp]:
    """Give the segment in which each time falls.

    Parameters
    ----------
    ticks : array_like
        Times.
    starts : array_like, shape (segments,)
        First tick of each segment, ascending, on the same clock.

    Returns
    -------
    ndarray of intp
        The last segment that has begun; before the first: the first.

    Examples
    --------
    >>> segment_at([0, 10, 99, 100], [10, 100])
    array([0, 0, 0, 1])
    """
    return np.maximum(np.searchsorted(starts, ticks, "right") - 1, 0)


def stretch_starts(ticks: ArrayLike, ends: ArrayLike, tolerance: float) -> NDArray[np.intp]:
    """Find the packets with which a new stretch begins.

    Parameters
    ----------
    ticks, ends : array_like, shape (packets,)
        Time of the first sample of each packet, and of the sample that would follow its last.
    tolerance : float
        What a packet may be late or early without ending a stretch.

    Returns
    -------
    ndarray of intp
        Positions; 0 is the first unless there are no packets.

    Examples
    --------
    >>> stretch_starts([0, 10, 25], [10, 20, 35], 1)
    array([0, 2])
    """
    first, after = np.asarray(ticks), np.asarray(ends)
    if first.size == 0:
        return np.empty(0, np.intp)
    apart = np.abs(first[1:] - after[:-1]) > tolerance
    return np.concatenate(([0], np.flatnonzero(apart) + 1))


def joint_stretches(
    starts: ArrayLike, stops: ArrayLike, tolerance: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Unite the stretches of all streams; what remains apart are the pauses common to all.

    Parameters
    ----------
    starts, stops : array_like, shape (stretches,)
        Times of all stretches of all streams on one clock, in any order.
    tolerance : float
        A pause that is not longer does not separate.

    Returns
    -------
    starts, stops : ndarray
        The united stretches, ascending.

    Examples
    --------
    >>> joint_stretches([0, 50, 2], [10, 60, 30], 5)
    (array([ 0, 50]), array([30, 60]))
    """
    first, last = np.asarray(starts), np.asarray(stops)
    if first.size == 0:
        return first, last
    order = np.argsort(first, kind="stable")
    first, reached = first[order], np.maximum.accumulate(last[order])
    begins = np.concatenate(([0], np.flatnonzero(first[1:] - reached[:-1] > tolerance) + 1))
    return first[begins], reached[np.append(begins[1:] - 1, first.size - 1)]


def time_ordered(ticks: ArrayLike, segments: ArrayLike | None = None) -> NDArray[np.intp] | None:
    """Give the stable order by segment, then time; None where the items are so already."""
    times = np.asarray(ticks)
    if segments is None:
        return None if (times[1:] >= times[:-1]).all() else np.argsort(times, kind="stable")
    places = np.asarray(segments)
    later = (places[1:] > places[:-1]) | ((places[1:] == places[:-1]) & (times[1:] >= times[:-1]))
    return None if later.all() else np.lexsort((times, places))


def table_runs(segments: ArrayLike, ticks: ArrayLike) -> NDArray[Any]:
    """Make the runs of a table from the segment of each item.

    Parameters
    ----------
    segments : array_like of int, shape (items,)
        Segment of each item, never decreasing.
    ticks : array_like, shape (segments,)
        First tick of each segment.

    Returns
    -------
    ndarray of RUN_DTYPE
        One run per segment that has items.
    """
    places = np.asarray(segments, np.intp)
    counts = np.bincount(places)
    there = np.flatnonzero(counts)
    return run_table(counts[there], np.asarray(ticks)[there], there)


def unit_counts(units: ArrayLike, ids: Sequence[int], runs: NDArray[Any]) -> NDArray[np.int64]:
    """Count the items of each unit in each run.

    Parameters
    ----------
    units : array_like of int, shape (items,)
        Unit of each item, in the order of the stream.
    ids : sequence of int
        The units that occur.
    runs : ndarray of RUN_DTYPE
        The stream's runs.

    Returns
    -------
    ndarray of int64, shape (ids, runs)
    """
    column, values = np.asarray(units), np.asarray(ids)
    low = int(values.min()) if values.size else 0
    if values.size and int(values.max()) - low <= MOST_RANKS:
        ranks = np.zeros(int(values.max()) - low + 1, np.intp)
        ranks[values - low] = np.arange(values.size)
        rank = ranks[column.astype(np.intp) - low]
    else:
        by_value = np.argsort(values)
        rank = by_value[np.searchsorted(values, column, sorter=by_value)]
    run = np.repeat(np.arange(len(runs)), runs["count"])
    flat = np.bincount(rank * len(runs) + run, minlength=values.size * len(runs))
    return flat.reshape(values.size, len(runs)).astype(np.int64)
