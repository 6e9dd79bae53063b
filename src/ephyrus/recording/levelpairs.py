"""Extremes of any bins from levels, in work that follows the number of bins.

Whole blocks inside a bin are read from the coarsest level that has some of them in every bin. A
block that a border of bins cuts is looked at in finer levels, and at last in the samples, as long
as what is known of it could change the extremes of one of the bins beside it.

What is found is kept with its *stage*, a number that grows with time within a bin: parts of the
block that cuts its beginning come first (the samples, then the finer levels), then the whole
blocks inside, then parts of the block that cuts its end. So the order of two extremes is that of
their stages; only where both are of one stage the values themselves are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.extremes import Extremes, Running
from ephyrus.recording.levelquery import RATIO, Blocks, coarsest, cut_borders
from ephyrus.recording.rowsource import Rows

__all__ = ["pairs_of"]

INSIDE = 50  # stage of the whole blocks; level number l is at 1 + l and at 99 - l
BEGIN, END = 0, 100  # stages of samples behind the first border, and before the last one

FEW_SAMPLES = 2**15  # of all cut blocks; they are looked at in one go

Limits = tuple[NDArray[Any], NDArray[Any]]
Order = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.bool_]]


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
    top = coarsest(levels, edges)
    if top is None:
        return None
    level = levels[top]
    begin = int(edges[0]) // level.factor
    first = -(-edges[:-1] // level.factor)
    last = np.where(edges[1:] == rows.length, level.count, edges[1:] // level.factor)
    # the blocks that the ends of the range cut are read as well
    entries = level.read(begin, min(level.count, int(last[-1]) + 1))
    entries = entries.reshape(len(entries), 2, -1)
    found = _Bins.of_blocks(entries, first - begin, last - begin)
    borders = cut_borders(edges, level.factor, rows.length)
    borders = found.worth_looking(borders, entries[edges[borders] // level.factor - begin])
    for number in range(top - 1, -1, -1):
        borders = _look_closer(found, levels[number], number, borders, edges)
    _look_at_samples(found, levels[0].factor, borders, edges, rows)
    return found.extremes().pairs().reshape(-1, 2, *rows.item_shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Bins:
    """What is known of the bins.

    Attributes
    ----------
    low, high : ndarray, shape (bins, width)
        Lowest and highest so far; infinite, the wrong way round, where only NaNs were met.
    low_at, high_at : ndarray of int8, shape (bins, width)
        Stages in which they were found.
    low_first : ndarray of bool, shape (bins, width)
        The lowest occurs before the highest, where both are of one stage.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    low_at: NDArray[np.int8]
    high_at: NDArray[np.int8]
    low_first: NDArray[np.bool_]

    @classmethod
    def of_blocks(
        cls, entries: NDArray[Any], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> _Bins:
        """Begin with the blocks [first, last) of each bin."""
        halves = np.ascontiguousarray(entries.swapaxes(0, 1))
        found = Running.of(halves[0].take(first, 0))
        found.add(halves[1].take(first, 0))
        for step in range(1, int((last - first).max())):
            places = np.minimum(first + step, last - 1)
            found.add(halves[0].take(places, 0))
            found.add(halves[1].take(places, 0))
        stages = np.full(found.low.shape, INSIDE, np.int8)
        return cls(found.low, found.high, stages, stages.copy(), found.low_first)

    def add(
        self,
        bins: NDArray[np.int64],
        values: Limits,
        stage: int,
        order: Order,
    ) -> None:
        """Add a part of a cut block to each of some bins.

        Parameters
        ----------
        bins : ndarray of int64, shape (parts,)
            Increasing.
        values : (ndarray, ndarray), shape (parts, width)
            Lowest and highest of each part.
        stage : int
            Stage of the parts, which are added from the inside of a bin to its ends.
        order : callable
            ``order(parts, items)`` tells whether the lowest of a part occurs before its highest.
        """
        low, high = values
        # equal values count where they occur first
        lower, upper = (
            (np.less_equal, np.greater_equal) if stage < INSIDE else (np.less, np.greater)
        )
        place = _as_slice(bins)
        is_lower = lower(low, self.low[place])
        is_higher = upper(high, self.high[place])
        for mine, their, stages, changes, pick in (
            (self.low, low, self.low_at, is_lower, np.minimum),
            (self.high, high, self.high_at, is_higher, np.maximum),
        ):
            mine[place] = pick(mine[place], their)
            stages[place] = np.where(changes, np.int8(stage), stages[place])
        part, item = np.nonzero(is_lower & is_higher)
        if len(part):
            self.low_first[bins[part], item] = order(part, item)

    def worth_looking(self, borders: NDArray[np.int64], blocks: NDArray[Any]) -> NDArray[np.int64]:
        """Keep the borders whose cut blocks (pairs) could change a bin beside them."""
        low, high = _limits(blocks.swapaxes(0, 1))
        bins = len(self.low)
        # at both ends of the range the one bin beside a border stands for the other one as well:
        # that looks at a few more blocks than need be
        behind, before = np.minimum(borders, bins - 1), np.maximum(borders - 1, 0)
        matters = low <= self.low[behind]
        matters |= high >= self.high[behind]
        matters |= low < self.low[before]
        matters |= high > self.high[before]
        return borders[matters.any(axis=1)]

    def extremes(self) -> Extremes:
        """Give what was found; bins of NaNs only are NaN."""
        low_first = np.where(
            self.low_at == self.high_at, self.low_first, self.low_at < self.high_at
        )
        return Running(self.low, self.high, low_first).result()


def _as_slice(places: NDArray[np.int64]) -> Any:
    """Give increasing places that are neighbours as a slice, which is quicker than an index."""
    if len(places) and int(places[-1]) - int(places[0]) == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def _limits(values: NDArray[Any]) -> Limits:
    """Give lowest and highest along axis 0, infinite where there are NaNs only."""
    values = np.ascontiguousarray(values)
    if values.dtype.kind != "f":
        return values.min(axis=0), values.max(axis=0)
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    missing = np.isnan(low)
    low[missing], high[missing] = np.inf, -np.inf
    return low, high


def _look_closer(
    found: _Bins,
    level: Blocks,
    number: int,
    borders: NDArray[np.int64],
    edges: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Add what the next finer level knows, and give the borders for which that is not enough."""
    if len(borders) == 0:
        return borders
    at, (bins, width) = edges[borders], found.low.shape
    start = at // (level.factor * RATIO) * RATIO
    end = np.minimum(start + RATIO, level.count)  # the last block may have fewer
    count = min(RATIO, level.count)
    window = level.window(np.minimum(start, level.count - count), count)
    cut, behind = at // level.factor, -(-at // level.factor)
    steps = np.arange(RATIO - 1)[:, None]
    for side, first, last, stage in (
        (np.flatnonzero((cut > start) & (borders > 0)), start, cut, END - 1 - number),
        (np.flatnonzero((behind < end) & (borders < bins)), behind, end, BEGIN + 1 + number),
    ):
        if len(side) == 0:
            continue
        places = np.minimum(first[side] + steps, last[side] - 1)
        pairs = window.take(places, side).reshape(*places.shape, 2, width)
        values = pairs.swapaxes(1, 2).reshape(-1, len(side), width)  # pairs are a signal again
        of_bins = borders[side] - 1 if stage > INSIDE else borders[side]
        found.add(of_bins, _limits(values), stage, _order_of(values))
    rest = np.flatnonzero(cut != behind)
    blocks = window.take(cut[rest], rest).reshape(len(rest), 2, width)
    return found.worth_looking(borders[rest], blocks)


def _order_of(values: NDArray[Any]) -> Order:
    """Tell the order of extremes of parts, from their samples (samples, parts, width)."""

    def order(part: NDArray[np.intp], item: NDArray[np.intp]) -> NDArray[np.bool_]:
        return _low_first(values[:, part, item].T)

    return order


def _low_first(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell whether the lowest of each row occurs before its highest; NaNs count as nothing."""
    if values.dtype.kind == "f":
        low, high = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
        lowest = (values == low[:, None]).argmax(axis=1)
        highest = (values == high[:, None]).argmax(axis=1)
    else:
        lowest, highest = values.argmin(axis=1), values.argmax(axis=1)
    first: NDArray[np.bool_] = lowest <= highest
    return first


def _look_at_samples(
    found: _Bins,
    factor: int,
    borders: NDArray[np.int64],
    edges: NDArray[np.int64],
    rows: Rows,
) -> None:
    """Add the samples of the blocks that are still cut."""
    if len(borders) == 0:
        return
    at, bins = edges[borders], len(found.low)
    count = min(factor, rows.length)
    # the last block may have fewer samples: those that are read before it change nothing
    start = np.minimum(at // factor * factor, rows.length - count)
    samples = rows.many(start, count).reshape(len(at), count, -1)
    cut = at - start
    before, behind = _both_sides(samples, cut)
    for side, limits, stage in ((borders > 0, before, END), (borders < bins, behind, BEGIN)):
        part = np.flatnonzero(side)
        if len(part):
            of_bins = borders[part] - 1 if stage == END else borders[part]
            values = limits[0][part], limits[1][part]
            order = _order_of_samples(samples, cut, part, is_before=stage == END)
            found.add(of_bins, values, stage, order)


def _both_sides(samples: NDArray[Any], cut: NDArray[np.int64]) -> tuple[Limits, Limits]:
    """Give lowest and highest of the samples before each cut, and of those behind it."""
    is_float = samples.dtype.kind == "f"
    limits = (np.inf, -np.inf) if is_float else _extreme_numbers(samples.dtype)
    if samples.size <= FEW_SAMPLES:
        is_before = (np.arange(samples.shape[1]) < cut[:, None])[:, :, None]
        if is_float:
            missing = np.isnan(samples)
            return (
                _limits_where(samples, is_before & ~missing, limits),
                _limits_where(samples, ~is_before & ~missing, limits),
            )
        return (
            _limits_where(samples, is_before, limits),
            _limits_where(samples, ~is_before, limits),
        )
    turn = np.argsort(cut, kind="stable")  # so that each step has one range of either side
    sides = np.searchsorted(cut[turn], np.arange(samples.shape[1]), "right")
    sorted_samples = samples[turn]
    shape = len(samples), samples.shape[2]
    found = [np.full(shape, limit, samples.dtype) for limit in limits * 2]
    pick_low, pick_high = (np.fmin, np.fmax) if is_float else (np.minimum, np.maximum)
    for step, side in enumerate(sides.tolist()):
        row = sorted_samples[:, step]
        for part, (low, high) in ((slice(side, None), found[:2]), (slice(side), found[2:])):
            pick_low(low[part], row[part], out=low[part])
            pick_high(high[part], row[part], out=high[part])
    back = np.empty_like(turn)
    back[turn] = np.arange(len(turn))
    before_low, before_high, behind_low, behind_high = (values[back] for values in found)
    return (before_low, before_high), (behind_low, behind_high)


def _limits_where(
    samples: NDArray[Any], there: NDArray[np.bool_], nothing: tuple[float, float]
) -> Limits:
    """Give lowest and highest of those samples that count, along axis 1."""
    low = np.where(there, samples, samples.dtype.type(nothing[0])).min(axis=1)
    high = np.where(there, samples, samples.dtype.type(nothing[1])).max(axis=1)
    return low, high


def _extreme_numbers(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Give the numbers that any number of a type is not above, and not below."""
    limits = np.iinfo(dtype)
    return int(limits.max), int(limits.min)


def _order_of_samples(
    samples: NDArray[Any], cut: NDArray[np.int64], chosen: NDArray[np.intp], *, is_before: bool
) -> Order:
    """Tell the order of extremes on one side of chosen cuts."""
    places = np.arange(samples.shape[1])

    def order(part: NDArray[np.intp], item: NDArray[np.intp]) -> NDArray[np.bool_]:
        values = samples[chosen[part], :, item]  # (places, samples)
        edge = cut[chosen[part]][:, None]
        # samples of the other side become copies of the one next to the cut
        nearest = np.minimum(places, edge - 1) if is_before else np.maximum(places, edge)
        return _low_first(np.take_along_axis(values, nearest, axis=1))

    return order
