"""Extremes and means of any bins from levels, in work that follows the number of bins.

Whole blocks inside a bin are read from the coarsest level that has some of them in every bin. The
blocks that a border of bins cuts are looked at in finer levels, and at last in the samples; where
only extremes are asked for, a cut block is looked at only if its own extremes could change those of
its bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.extremes import Extremes, extreme_pairs
from ephyrus.recording.rowsource import Rows

__all__ = ["RATIO", "Blocks", "means_of", "pairs_of"]

RATIO = 4  # blocks of a level that make a block of the next one
LEAST_BLOCKS = 4  # blocks that every bin has in the level that is read whole


class Blocks(Protocol):
    """A level: one entry for each block of `factor` samples; the last may have fewer."""

    factor: int
    count: int

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Read entries [first, last)."""

    def gather(self, starts: NDArray[np.int64], count: int) -> NDArray[Any]:
        """Read `count` entries from each of the starts, (starts, count, ...)."""

    def pick(self, starts: NDArray[np.int64], count: int, items: NDArray[np.int64]) -> NDArray[Any]:
        """Read `count` pairs from each of the starts, of one value of a row: (starts, count, 2).

        The starts do not decrease; `items` are positions in a row that is laid flat.
        """


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


@dataclass(frozen=True, slots=True)
class _Looked:
    """Cut blocks that may matter, each for one value of a row.

    Attributes
    ----------
    border : ndarray of int64, shape (places,)
        Border of bins that cuts the block; not decreasing.
    item : ndarray of int64, shape (places,)
        Position in a row that is laid flat.
    block : Extremes of shape (places,)
        What is known of the block.
    """

    border: NDArray[np.int64]
    item: NDArray[np.int64]
    block: Extremes

    def __getitem__(self, chosen: Any) -> _Looked:
        return _Looked(self.border[chosen], self.item[chosen], self.block[chosen])


def pairs_of(levels: Sequence[Blocks], rows: Rows, edges: NDArray[np.int64]) -> NDArray[Any] | None:
    """Give extremes of bins in order of occurrence.

    Parameters
    ----------
    levels : sequence of Blocks
        Pairs of blocks, (2, ...) each, from the finest to the coarsest.
    rows : Rows
        The array that they were made of.
    edges : ndarray of int64, shape (bins + 1,)
        Borders of the bins, increasing.

    Returns
    -------
    ndarray or None
        Shape (bins, 2, ...), of the dtype of the levels; None: a bin is too short for levels.
    """
    top = _coarsest(levels, edges)
    if top is None:
        return None
    level = levels[top]
    begin, first, last = _inside(level, edges, rows.length)
    # the blocks that the ends of the range cut are read as well
    entries = level.read(begin, min(level.count, int(last[-1]) + 1))
    entries = entries.reshape(len(entries), 2, -1)
    samples = entries.reshape(-1, entries.shape[2])
    found = _extremes(extreme_pairs(samples, 2 * (first - begin), 2 * (last - begin)))
    flat = Extremes(found.low.ravel(), found.high.ravel(), found.low_first.ravel())
    borders = _cut_borders(edges, level.factor, rows.length)
    blocks = _extremes(entries[edges[borders] // level.factor - begin])
    looked = _worth_looking(found, borders, blocks)
    for finer in levels[:top][::-1]:
        looked = _look_closer(flat, finer, looked, edges, rows)
    _look_at_samples(flat, levels[0].factor, looked, edges, rows)
    return (
        flat.pairs()
        .reshape(len(edges) - 1, rows.width, 2)
        .swapaxes(1, 2)
        .reshape(-1, 2, *rows.item_shape)
    )


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
    rows, edges
        As for `pairs_of`.

    Returns
    -------
    ndarray of float64 or None
        Shape (bins, ...); None: a bin is too short for levels.
    """
    top = _coarsest(sums, edges)
    if top is None:
        return None
    wide = np.result_type(sums[0].read(0, 0).dtype, np.int64)
    with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
        total = _whole_sums(sums[: top + 1], rows, edges, wide)
        if counts is None:
            lengths = np.diff(edges).reshape(-1, *[1] * (total.ndim - 1))
            number = np.broadcast_to(lengths, total.shape).astype(np.int64)
        else:
            number = _whole_sums(counts[: top + 1], rows, edges, np.dtype(np.int64))
        borders = _cut_borders(edges, sums[0].factor, rows.length)
        cuts = _samples(rows, sums[0].factor, borders, edges)
        if counts is not None:
            there = ~np.isnan(cuts.values)
            _take_sums(number, _Cuts(cuts.border, there, cuts.before, cuts.behind))
            cuts = _Cuts(cuts.border, np.where(there, cuts.values, 0), cuts.before, cuts.behind)
        _take_sums(total, cuts)
        result = np.full(total.shape, np.nan)
        np.divide(total, number, out=result, where=number > 0)
        return result


def _coarsest(levels: Sequence[Blocks], edges: NDArray[np.int64]) -> int | None:
    """Find the coarsest level with enough whole blocks in each bin."""
    shortest = int(np.diff(edges).min())
    fitting = [
        place for place, level in enumerate(levels) if level.factor * LEAST_BLOCKS <= shortest
    ]
    return fitting[-1] if fitting else None


def _inside(
    level: Blocks, edges: NDArray[np.int64], length: int
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Give the first block that is touched, and the range of whole blocks of each bin."""
    first = -(-edges[:-1] // level.factor)
    last = np.where(edges[1:] == length, level.count, edges[1:] // level.factor)
    return int(edges[0]) // level.factor, first, last


def _cut_borders(edges: NDArray[np.int64], factor: int, length: int) -> NDArray[np.int64]:
    """Give the borders that lie inside a block."""
    return np.flatnonzero((edges % factor != 0) & (edges != length))


def _worth_looking(found: Extremes, borders: NDArray[np.int64], blocks: Extremes) -> _Looked:
    """Find the cut blocks that could change the extremes of a bin beside them, for any value."""
    bins = len(found.low)
    matters = np.zeros(blocks.low.shape, np.bool_)
    before, behind = borders > 0, borders < bins
    matters[before] |= found[borders[before] - 1].outdone_after(blocks[before])
    matters[behind] |= found[borders[behind]].outdone_before(blocks[behind])
    row, item = np.nonzero(matters)
    return _Looked(borders[row], item, blocks[row, item])


def _still_worth(flat: Extremes, looked: _Looked, width: int) -> _Looked:
    """Keep the places where the block, known better now, could still change something."""
    bins = len(flat.low) // width
    behind = looked.border * width + looked.item
    matters = (looked.border > 0) & flat[np.maximum(behind - width, looked.item)].outdone_after(
        looked.block
    )
    matters |= (looked.border < bins) & flat[
        np.minimum(behind, (bins - 1) * width + looked.item)
    ].outdone_before(looked.block)
    return looked[matters]


def _look_closer(
    flat: Extremes, finer: Blocks, looked: _Looked, edges: NDArray[np.int64], rows: Rows
) -> _Looked:
    """Add what the next finer level knows, and give the blocks of it that are cut and matter."""
    at = edges[looked.border]
    start, before, behind = _parts(finer, at)
    pairs = finer.pick(start, min(RATIO, finer.count), looked.item)
    cuts = _Cuts(looked.border, pairs, before, behind)
    _take_extremes(flat, cuts, looked.item, rows.width)
    cut = pairs[np.arange(len(at)), np.minimum(at // finer.factor, finer.count - 1) - start]
    closer = _Looked(looked.border, looked.item, _extremes(cut))
    return _still_worth(flat, closer[at % finer.factor != 0], rows.width)


def _look_at_samples(
    flat: Extremes, factor: int, looked: _Looked, edges: NDArray[np.int64], rows: Rows
) -> None:
    """Add the samples of the blocks that are still cut."""
    if len(looked.border) == 0:
        return
    first = np.flatnonzero(np.diff(looked.border, prepend=-1))  # of each border
    cuts = _samples(rows, factor, looked.border[first], edges)
    row = np.repeat(np.arange(len(first)), np.diff(first, append=len(looked.border)))
    samples = cuts.values.reshape(*cuts.values.shape[:2], rows.width)[row, :, looked.item]
    cuts = _Cuts(looked.border, samples, cuts.before[row], cuts.behind[row])
    _take_extremes(flat, cuts, looked.item, rows.width)


def _parts(
    finer: Blocks, at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Tell where the parts of the blocks that are cut at samples `at` lie.

    Returns
    -------
    start : ndarray of int64, shape (cuts,)
        First entry to read, of `RATIO`.
    before, behind : ndarray of int64, shape (cuts, 2)
        Ranges of whole parts on both sides of the cut, counted from `start`.
    """
    block = at // (finer.factor * RATIO) * RATIO
    start = np.minimum(block, max(0, finer.count - RATIO))  # the last block may have fewer
    end = np.minimum(block + RATIO, finer.count)
    before = np.stack([block, at // finer.factor], axis=1) - start[:, None]
    behind = np.stack([-(-at // finer.factor), end], axis=1) - start[:, None]
    return start, before, behind


def _samples(
    rows: Rows, factor: int, borders: NDArray[np.int64], edges: NDArray[np.int64]
) -> _Cuts:
    """Read the samples of cut blocks."""
    at = edges[borders]
    block = at // factor * factor
    start = np.minimum(block, max(0, rows.length - factor))
    values = rows.many(start, min(factor, rows.length))
    end = np.minimum(block + factor, rows.length)
    before = np.stack([block, at], axis=1) - start[:, None]
    behind = np.stack([at, end], axis=1) - start[:, None]
    return _Cuts(borders, values, before, behind)


def _extremes(pairs: NDArray[Any]) -> Extremes:
    return Extremes.of_pairs(pairs[:, 0], pairs[:, 1])


def _take_extremes(flat: Extremes, cuts: _Cuts, items: NDArray[np.int64], width: int) -> None:
    """Add the parts of cut blocks to the bins before and behind them."""
    bins = len(flat.low) // width
    parts = cuts.values.shape[1]
    per_part = cuts.values[:1, :1].size  # pairs of blocks are a signal of two samples each
    base = np.arange(len(cuts.values))[:, None] * parts
    before = np.flatnonzero((cuts.border > 0) & (cuts.before[:, 0] < cuts.before[:, 1]))
    behind = np.flatnonzero((cuts.border < bins) & (cuts.behind[:, 0] < cuts.behind[:, 1]))
    ranges = np.concatenate([(base + cuts.before)[before], (base + cuts.behind)[behind]])
    if len(ranges) == 0:
        return
    samples = cuts.values.reshape(-1)
    found = _extremes(extreme_pairs(samples, per_part * ranges[:, 0], per_part * ranges[:, 1]))
    place = (cuts.border[before] - 1) * width + items[before]
    flat[place] = flat[place].then(found[: len(before)])
    place = cuts.border[behind] * width + items[behind]
    flat[place] = found[len(before) :].then(flat[place])


def _whole_sums(
    levels: Sequence[Blocks], rows: Rows, edges: NDArray[np.int64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Add all whole blocks of the finest level, shape (bins, ...)."""
    top = levels[-1]
    begin, first, last = _inside(top, edges, rows.length)
    entries = top.read(begin, int(last[-1]))
    ranges = np.stack([first, last], axis=1) - begin
    total = _range_sums(entries, ranges, dtype)
    for finer in levels[-2::-1]:
        borders = _cut_borders(edges, finer.factor * RATIO, rows.length)
        start, before, behind = _parts(finer, edges[borders])
        values = finer.gather(start, min(RATIO, finer.count))
        _take_sums(total, _Cuts(borders, values, before, behind))
    return total


def _take_sums(total: NDArray[Any], cuts: _Cuts) -> None:
    """Add the parts of cut blocks to the bins before and behind them."""
    cut_count, parts = cuts.values.shape[:2]
    values = cuts.values.reshape(cut_count * parts, *cuts.values.shape[2:])
    base = np.arange(cut_count)[:, None] * parts
    before, behind = cuts.border > 0, cuts.border < len(total)
    for side, bins, ranges in (
        (before, cuts.border - 1, cuts.before),
        (behind, cuts.border, cuts.behind),
    ):
        total[bins[side]] += _range_sums(values, (base + ranges)[side], total.dtype)


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
        result[there] = np.add.reduceat(values, bounds, axis=0, dtype=dtype)[::2]
    return result
