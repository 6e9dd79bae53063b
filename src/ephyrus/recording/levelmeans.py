"""Means of any bins from levels, in work that follows the number of bins.

Sums of whole numbers are exact, so blocks may be taken away again: the sum up to a border of bins
is that up to the nearest border of blocks, and more or less what lies between. Sums of floats are
only ever added: what a bin is made of is in its sum, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.levelquery import RATIO, Blocks, coarsest, cut_borders
from ephyrus.recording.rowsource import Rows

__all__ = ["means_of", "sums_of"]

FEW_ENTRIES = 8  # of a finer level, that are read across a coarser one rather than that


def means_of(
    sums: Sequence[Blocks], counts: Sequence[Blocks] | None, rows: Rows, edges: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Give means of bins; NaNs count as nothing.

    Parameters
    ----------
    sums : sequence of Blocks
        Sums of blocks, from the finest to the coarsest.
    counts : sequence of Blocks or None
        Numbers of samples that are not NaN; None: there are no NaNs.
    rows : Rows
        The array that they were made of.
    edges : ndarray of int64, shape (bins + 1,)
        Borders of the bins, increasing.

    Returns
    -------
    ndarray of float64 or None
        Shape (bins, ...); None: a bin is too short for levels.
    """
    found = sums_of(sums, counts, rows, edges)
    if found is None:
        return None
    total, number = found
    result = np.full(total.shape, np.nan)
    with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
        np.divide(total, number, out=result, where=number > 0)
    return result


def sums_of(
    sums: Sequence[Blocks], counts: Sequence[Blocks] | None, rows: Rows, edges: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Give sums of bins, and how many samples are in them.

    Parameters
    ----------
    sums, counts, rows, edges
        As for `means_of`.

    Returns
    -------
    (ndarray of int64 or float64, ndarray of int64) or None
        Of shape (bins, ...); None: a bin is too short for levels.
    """
    top = coarsest(sums, edges)
    if top is None:
        return None
    if sums[0].dtype.kind == "i":
        exact = _exact_sums(sums[: top + 1], rows, edges)
        return exact, _lengths(edges, exact.shape)
    borders = cut_borders(edges, sums[0].factor, rows.length)
    samples = _Samples.read(rows, sums[0].factor, edges[borders], 0 if counts is None else np.nan)
    with np.errstate(invalid="ignore"):
        total = _whole_sums(sums[: top + 1], rows, edges, np.dtype(np.float64))
        if counts is None:
            number = _lengths(edges, total.shape)
        else:
            number = _whole_sums(counts[: top + 1], rows, edges, np.dtype(np.int64))
            missing = np.isnan(samples.values)
            _Samples(~missing, samples.cut).add_to(number, borders)
            samples.values[missing] = 0
        samples.add_to(total, borders)
    return total, number


def _lengths(edges: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Give the lengths of bins, for each value of a row."""
    return np.broadcast_to(np.diff(edges).reshape(-1, *[1] * (len(shape) - 1)), shape)


def _exact_sums(
    levels: Sequence[Blocks], rows: Rows, edges: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Add whole numbers: all blocks between borders of blocks, and what these are off.

    Returns
    -------
    ndarray of int64, shape (bins, ...)
    """
    top = levels[-1]
    at = _nearest(edges, top.factor, rows.length)
    begin = int(at[0])
    entries = top.read(begin, int(at[-1])).astype(np.int64)
    total: NDArray[np.int64] = np.add.reduceat(entries, at[:-1] - begin, axis=0)
    position = np.minimum(at * top.factor, rows.length)
    for level in _steps(levels):
        nearer = _nearest(edges, level.factor, rows.length)
        here = -(-position // level.factor)  # the end of the array may lie within a block
        _add_between(total, level, here, nearer)
        position = np.minimum(nearer * level.factor, rows.length)
    _add_between(total, rows, position, edges)
    return total


def _steps(levels: Sequence[Blocks]) -> list[Blocks]:
    """Give the levels that lead down to the samples; not all of those that must be read."""
    chosen: list[Blocks] = []
    last = levels[-1].factor
    for number in range(len(levels) - 2, -1, -1):
        level = levels[number]
        is_last = number == 0
        if level.is_held or is_last or last // levels[number - 1].factor > 2 * FEW_ENTRIES:
            chosen.append(level)
            last = level.factor
    return chosen


def _nearest(edges: NDArray[np.int64], factor: int, length: int) -> NDArray[np.int64]:
    """Give the nearest borders of blocks; the end of the array is one."""
    whole = np.minimum((edges + factor // 2) // factor, length // factor)
    return np.where(edges == length, -(-length // factor), whole)


def _add_between(
    total: NDArray[np.int64],
    source: Blocks | Rows,
    here: NDArray[np.int64],
    there: NDArray[np.int64],
) -> None:
    """Move the borders of bins from one place to another, and add what lies between."""
    low, high = np.minimum(here, there), np.maximum(here, there)
    moved = np.flatnonzero(low < high)
    if len(moved) == 0:
        return
    low, high = low[moved], high[moved]
    values = source.ranges(low, high)
    first = np.cumsum(high - low) - (high - low)
    if values.dtype.itemsize <= 2:  # few of them cannot exceed 32 bits, which is quicker
        found = np.add.reduceat(values, first, axis=0, dtype=np.int32)
    else:
        found = np.add.reduceat(values.astype(np.int64), first, axis=0)
    found[there[moved] < here[moved]] *= -1
    before, behind = moved > 0, moved < len(total)
    total[moved[before] - 1] += found[before]
    total[moved[behind]] -= found[behind]


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Borders of bins that lie inside a block, and the entries or samples of that block.

    Attributes
    ----------
    border : ndarray of int64, shape (cuts,)
        Which border it is: bin ``border - 1`` lies before it, bin ``border`` behind.
    values : ndarray, shape (cuts, parts, ...)
        The parts of the block.
    before, behind : ndarray of int64, shape (cuts, 2)
        Half-open ranges of parts that belong wholly to the bin before, and to the one behind.
    """

    border: NDArray[np.int64]
    values: NDArray[Any]
    before: NDArray[np.int64]
    behind: NDArray[np.int64]


def _whole_sums(
    levels: Sequence[Blocks], rows: Rows, edges: NDArray[np.int64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Add all whole blocks of the finest level, shape (bins, ...)."""
    top = levels[-1]
    begin = int(edges[0]) // top.factor
    first = -(-edges[:-1] // top.factor)
    last = np.where(edges[1:] == rows.length, top.count, edges[1:] // top.factor)
    entries = top.read(begin, int(last[-1]))
    total = _range_sums(entries, np.stack([first, last], axis=1) - begin, dtype)
    for finer in levels[-2::-1]:
        borders = cut_borders(edges, finer.factor * RATIO, rows.length)
        _take_sums(total, _parts(finer, borders, edges[borders]))
    return total


def _parts(finer: Blocks, borders: NDArray[np.int64], at: NDArray[np.int64]) -> _Cuts:
    """Read the parts of blocks that are cut at samples `at`."""
    count = min(RATIO, finer.count)
    block = at // (finer.factor * RATIO) * RATIO
    start = np.minimum(block, finer.count - count)  # the last block may have fewer
    end = np.minimum(block + RATIO, finer.count)
    entries = finer.window(start, count).take(start + np.arange(count)[:, None])
    before = np.stack([block, at // finer.factor], axis=1) - start[:, None]
    behind = np.stack([-(-at // finer.factor), end], axis=1) - start[:, None]
    return _Cuts(borders, entries.swapaxes(0, 1), before, behind)


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """The samples of blocks that borders of bins cut.

    Attributes
    ----------
    values : ndarray, shape (cuts, samples, ...)
        The samples.
    cut : ndarray of int64, shape (cuts,)
        How many of them lie before the border.
    """

    values: NDArray[Any]
    cut: NDArray[np.int64]

    @classmethod
    def read(cls, rows: Rows, factor: int, at: NDArray[np.int64], nothing: float) -> _Samples:
        """Read the blocks that are cut at samples `at`; `nothing` is what does not count."""
        block = at // factor * factor
        count = min(factor, rows.length)
        start = np.minimum(block, rows.length - count)
        values = rows.many(start, count)
        if not values.flags.writeable:
            values = values.copy()
        # the last block of an array may have fewer samples: those read before it are nothing
        for place in np.flatnonzero(start < block).tolist():
            values[place, : int(block[place] - start[place])] = nothing
        return cls(values, at - start)

    def add_to(self, total: NDArray[Any], borders: NDArray[np.int64]) -> None:
        """Add them to the bins before and behind the borders."""
        turn = np.argsort(self.cut, kind="stable")  # so that each step has one range of each side
        sides = np.searchsorted(self.cut[turn], np.arange(self.values.shape[1]), "right")
        values = self.values[turn]
        before, behind = np.zeros((2, len(turn), *total.shape[1:]), total.dtype)
        for step, side in enumerate(sides.tolist()):
            row = values[:, step].astype(total.dtype)
            before[side:] += row[side:]
            behind[:side] += row[:side]
        border = borders[turn]
        inner = border > 0
        total[border[inner] - 1] += before[inner]
        inner = border < len(total)
        total[border[inner]] += behind[inner]


def _take_sums(total: NDArray[Any], cuts: _Cuts) -> None:
    """Add the parts of cut blocks to the bins before and behind them."""
    count, parts = cuts.values.shape[:2]
    values = cuts.values.reshape(count * parts, *cuts.values.shape[2:])
    base = np.arange(count)[:, None] * parts
    ranges = np.concatenate([base + cuts.before, base + cuts.behind], axis=1).reshape(-1, 2)
    found = _range_sums(values, ranges, total.dtype)
    before, behind = cuts.border > 0, cuts.border < len(total)
    total[cuts.border[before] - 1] += found[0::2][before]
    total[cuts.border[behind]] += found[1::2][behind]


def _range_sums(
    values: NDArray[Any], ranges: NDArray[np.int64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Add ranges of rows, which do not overlap; empty ones give 0."""
    result = np.zeros((len(ranges), *values.shape[1:]), dtype)
    there = ranges[:, 0] < ranges[:, 1]
    bounds = ranges[there].ravel()
    if len(bounds):
        if bounds[-1] == len(values):
            bounds = bounds[:-1]
        # a cast of its own is quicker than one on the way
        result[there] = np.add.reduceat(values.astype(dtype, copy=False), bounds, axis=0)[::2]
    return result
