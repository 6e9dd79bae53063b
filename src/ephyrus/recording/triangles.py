"""Largest triangle of three buckets: points that keep the look of a line.

The first and the last sample are always chosen. The others lie in as many buckets as there are
points left, and of each bucket the sample is chosen that makes the largest triangle with the
sample chosen before and the mean of the bucket behind; of several that do, the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.bins import even_edges, reduce_pieces
from ephyrus.recording.binreads import bin_positions
from ephyrus.recording.rowsource import Rows, pieces_of, spans

__all__ = ["lttb_positions", "minmaxlttb_positions"]

CANDIDATES = 4  # samples per point that are looked at after extremes have been taken


class _Line:
    """The points chosen so far, each channel for itself."""

    def __init__(self, points: int, first: NDArray[np.float64]) -> None:
        self.chosen = np.zeros((points, len(first)), np.int64)
        self.x = np.zeros(len(first))
        self.y = first
        self.count = 1

    def extend(
        self,
        x: NDArray[Any],
        y: NDArray[np.float64],
        behind_x: NDArray[np.float64] | float,
        behind_y: NDArray[np.float64],
    ) -> None:
        """Choose from a bucket: positions (samples, channels or 1), values (samples, channels)."""
        with np.errstate(invalid="ignore"):  # a triangle with infinities on two sides has no area
            areas = np.abs((self.x - behind_x) * (y - self.y) - (self.x - x) * (behind_y - self.y))
        best = np.where(np.isnan(areas), -1.0, areas).argmax(axis=0)
        channels = np.arange(len(best))
        places = x[best, 0] if x.shape[1] == 1 else x[best, channels]
        self.chosen[self.count] = places
        self.x, self.y = places.astype(np.float64), y[best, channels]
        self.count += 1


def lttb_positions(part: Rows, points: int) -> NDArray[np.int64]:
    """Choose samples of an array.

    Parameters
    ----------
    part : Rows
        The array, longer than `points`.
    points : int
        How many; one is the first sample.

    Returns
    -------
    ndarray of int64, shape (points, *item_shape)
    """
    length, buckets = part.length, points - 2
    line = _Line(points, _row(part, 0))
    if buckets > 0:
        edges = 1 + even_edges(length - 2, buckets, 0, buckets)
        means = reduce_pieces(
            pieces_of(part, 1, length - 1),
            edges,
            "mean",
            dtype=part.dtype,
            item_shape=part.item_shape,
        )
        behind_y = np.concatenate([means.reshape(buckets, -1)[1:], _row(part, length - 1)[None]])
        middles = (edges[:-1] + edges[1:] - 1) / 2
        behind_x = np.append(middles[1:], length - 1)
        for a, b in spans(edges, part.rows_per_piece):
            start = int(edges[a])
            if b == a + 1 and edges[b] - start > part.rows_per_piece:
                _extend_by_long(line, part, start, int(edges[b]), behind_x[a], behind_y[a])
                continue
            values = _flat(part.read(start, int(edges[b])))
            for bucket in range(a, b):
                x = np.arange(edges[bucket], edges[bucket + 1])[:, None]
                y = values[edges[bucket] - start : edges[bucket + 1] - start]
                line.extend(x, y, behind_x[bucket], behind_y[bucket])
    if points > 1:
        line.chosen[-1] = length - 1
    return line.chosen.reshape(points, *part.item_shape)


def _extend_by_long(
    line: _Line, part: Rows, start: int, stop: int, behind_x: float, behind_y: NDArray[np.float64]
) -> None:
    """Choose from a bucket that is longer than a piece: the best of the best of its pieces."""
    xs, ys = [], []
    for first, values in pieces_of(part, start, stop):
        trial = _Line(2, line.y)
        trial.x = line.x
        x = np.arange(first, first + len(values))[:, None]
        trial.extend(x, _flat(values), behind_x, behind_y)
        xs.append(trial.chosen[1])
        ys.append(trial.y)
    line.extend(np.stack(xs), np.stack(ys), behind_x, behind_y)


def minmaxlttb_positions(part: Rows, points: int) -> NDArray[np.int64]:
    """Choose samples of an array among the extremes of bins: quicker, and nearly the same.

    Parameters
    ----------
    part, points
        As for `lttb_positions`.

    Returns
    -------
    ndarray of int64, shape (points, *item_shape)

    Notes
    -----
    The range without its ends is cut into ``2 * points`` bins, whose lowest and highest samples
    are the candidates. Where there are not more samples than candidates all samples are.
    """
    length, buckets = part.length, points - 2
    bins = CANDIDATES // 2 * points
    if buckets < 1 or length - 2 <= 2 * bins:
        return lttb_positions(part, points)
    edges = 1 + even_edges(length - 2, bins, 0, bins)
    x = bin_positions(part, edges).reshape(2 * bins, -1)
    y = _values_at(part, x)
    cuts = even_edges(2 * bins, buckets, 0, buckets)
    counts = np.diff(cuts)[:, None]
    behind_x = np.add.reduceat(x, cuts[:-1], axis=0) / counts
    behind_y = _means(y, cuts)
    line = _Line(points, _row(part, 0))
    last = np.full(x.shape[1], float(length - 1)), _row(part, length - 1)
    for bucket in range(buckets):
        more = bucket + 1 < buckets
        next_x = behind_x[bucket + 1] if more else last[0]
        next_y = behind_y[bucket + 1] if more else last[1]
        inside = slice(cuts[bucket], cuts[bucket + 1])
        line.extend(x[inside], y[inside], next_x, next_y)
    line.chosen[-1] = length - 1
    return line.chosen.reshape(points, *part.item_shape)


def _means(values: NDArray[np.float64], cuts: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = reduce_pieces(
        [(0, values)], cuts, "mean", dtype=values.dtype, item_shape=values.shape[1:]
    )
    return found


def _values_at(part: Rows, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Read the values at positions that increase along axis 0, of shape (points, channels)."""
    shaped = places.reshape(len(places), *part.item_shape)
    return _flat(part.at(shaped))


def _row(part: Rows, row: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = _flat(part.read(row, row + 1))[0]
    return values


def _flat(values: NDArray[Any]) -> NDArray[np.float64]:
    return values.reshape(len(values), -1).astype(np.float64)
