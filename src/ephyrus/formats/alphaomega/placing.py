"""Where blocks stand in time: wrapped sample numbers, order, overlaps, stretches without a gap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import stretch_starts

__all__ = ["HALF", "WRAP", "Placed", "first_wraps", "placed", "stretches", "ticks_of", "unwrapped"]

WRAP = 2**32
HALF = 2**31


def unwrapped(stamps: NDArray[np.uint32], wraps: int = 0) -> NDArray[np.int64]:
    """Give sample numbers that go on where 32 bits begin anew.

    Parameters
    ----------
    stamps : ndarray of uint32
        Sample numbers in the order of the file, which is nearly that of time.
    wraps : int
        How often the counter had begun anew before the first of them.

    Examples
    --------
    >>> unwrapped(np.array([2**32 - 2, 1, 2**32 - 1, 4], np.uint32)) - 2**32
    array([-2,  1, -1,  4])
    """
    ticks = stamps.astype(np.int64)
    steps = np.diff(ticks)
    leaps = np.flatnonzero(np.abs(steps) > HALF)
    if leaps.size:
        turns = np.zeros(ticks.size, np.int64)
        turns[leaps + 1] = np.where(steps[leaps] < 0, 1, -1)
        turns = np.cumsum(turns)
        turns -= np.minimum.accumulate(np.minimum(turns, 0))  # a leap forward where none was back
        ticks += turns * WRAP
    ticks += wraps * WRAP
    return ticks


def ticks_of(
    stamps: NDArray[np.uint32], rate: float, first: float | None, last: float | None
) -> NDArray[np.int64]:
    """Give the sample numbers of a channel's blocks in one file.

    Events may be hours apart, so that they do not tell how often the counter began anew between
    them: each goes where it is nearest to the middle of the file, unless that is not known or the
    file is longer than the counter counts.

    Parameters
    ----------
    stamps : ndarray of uint32
        Sample numbers in the order of the file.
    rate : float
        Samples per second.
    first, last : float or None
        Seconds of the first and last sample of the file, as its head says.

    Examples
    --------
    >>> ticks_of(np.array([2**32 - 44000, 5], np.uint32), 44000.0, 97610.0, 97620.0) - 2**32
    array([-44000,      5])
    """
    wraps = first_wraps(int(stamps[0]), rate, first, last)
    if first is None or last is None or (last - first) * rate >= WRAP:
        return unwrapped(stamps, wraps)
    ticks = stamps.astype(np.int64)
    middle = round((first + last) / 2 * rate)
    nearest = ticks + (middle - ticks + HALF) // WRAP * WRAP
    inside = (nearest >= (first - 1) * rate) & (nearest <= (last + 1) * rate)
    return nearest if inside.any() else unwrapped(stamps, wraps)


def first_wraps(stamp: int, rate: float, first: float | None, last: float | None) -> int:
    """Tell how often the counter had begun anew before a block of a file.

    Parameters
    ----------
    stamp : int
        Sample number of the block.
    rate : float
        Samples per second.
    first, last : float or None
        Seconds of the first and last sample of the file, as its head says.

    Examples
    --------
    >>> first_wraps(5, 44000.0, 97612.0, 97620.0), first_wraps(5, 44000.0, 0.0, 10.0)
    (1, 0)
    """
    if first is None:
        return 0
    low, high = (first - 1) * rate, math.inf if last is None else (last + 1) * rate
    wraps = max(-int((stamp - low) // WRAP), 0)
    return wraps if stamp + wraps * WRAP <= high else 0


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Pieces of blocks in the order of time, none over another.

    Attributes
    ----------
    rows : ndarray of intp
        The block of each piece.
    skips, counts : ndarray of int64
        Samples of the block before the piece, and of the piece.
    ticks : ndarray of int64
        Sample number of the piece's first sample.
    hidden : int
        Samples that later blocks replaced.
    """

    rows: NDArray[np.intp]
    skips: NDArray[np.int64]
    counts: NDArray[np.int64]
    ticks: NDArray[np.int64]
    hidden: int = 0


def placed(ticks: NDArray[np.int64], counts: NDArray[np.int64]) -> Placed:
    """Put blocks in order by their sample numbers; where they overlap, the later block counts.

    Parameters
    ----------
    ticks, counts : ndarray of int64, shape (blocks,)
        First sample number and samples of each block, in the order of the file.
    """
    there = np.flatnonzero(counts > 0)
    rows = there[np.argsort(ticks[there], kind="stable")]
    begins, ends = ticks[rows], ticks[rows] + counts[rows]
    if (begins[1:] >= ends[:-1]).all():
        return Placed(rows, np.zeros(rows.size, np.int64), counts[rows], begins)
    edges = np.unique(np.concatenate([begins, ends]))
    owners = _topmost(
        rows, np.searchsorted(edges, begins), np.searchsorted(edges, ends), edges.size - 1
    )
    changes = np.flatnonzero(np.diff(owners, prepend=-2))
    stops = np.append(changes, owners.size)[1:]
    kept = owners[changes] >= 0
    rows, begins, ends = owners[changes][kept], edges[changes][kept], edges[stops][kept]
    lost = int(counts[there].sum() - (ends - begins).sum())
    return Placed(rows, begins - ticks[rows], ends - begins, begins, lost)


def _topmost(
    values: NDArray[np.intp], begins: NDArray[np.intp], ends: NDArray[np.intp], size: int
) -> NDArray[np.intp]:
    """Give the largest of the values whose ranges cover each place, or -1.

    Each range is covered by two ranges of a power of two; those are halved until they are single
    places, so that the cost does not depend on how much the ranges overlap.
    """
    levels = np.frexp(ends - begins)[1] - 1  # the exponent of the largest power of two within
    top = np.full(size, -1, np.intp)
    for level in range(int(levels.max()), -1, -1):
        mine = levels == level
        np.maximum.at(top, begins[mine], values[mine])
        np.maximum.at(top, ends[mine] - 2**level, values[mine])
        if level:
            half = 2 ** (level - 1)
            lower = top.copy()
            np.maximum(lower[half:], top[:-half], out=lower[half:])
            top = lower
    return top


def stretches(ticks: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[Any]:
    """Unite pieces that follow each other without a gap.

    Returns
    -------
    ndarray of int64, shape (stretches, 2)
        First sample number and samples of each stretch.
    """
    begins = stretch_starts(ticks, ticks + counts, 0)
    if not begins.size:
        return np.empty((0, 2), np.int64)
    return np.stack([ticks[begins], np.add.reduceat(counts, begins)], axis=1)
